//! Characters to tokens, with the rule of XPath that decides when `*`, `and`, `or`, `div`, `mod` are operators.

use super::XPathError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name, possibly with a prefix; `*` as a name test is [`Token::Star`].
    Name(String),
    Star,
    Literal(String),
    Number(f64),
    /// Punctuation and operators: `/ // ( ) [ ] . .. @ , :: | + - = != < <= > >= * and or div mod`.
    Operator(&'static str),
}

/// Tokens, each with its column (from 1).
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, u32)>, XPathError> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens: Vec<(Token, u32)> = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        if characters[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let operand_before = tokens.last().is_some_and(|(token, _)| ends_operand(token));
        let (token, length) = token(&characters[at..], operand_before)
            .map_err(|message| XPathError { column: at as u32 + 1, message })?;
        tokens.push((token, at as u32 + 1));
        at += length;
    }
    Ok(tokens)
}

fn ends_operand(token: &Token) -> bool {
    match token {
        Token::Operator(operator) => matches!(*operator, ")" | "]" | "." | ".."),
        _ => true,
    }
}

const PUNCTUATION: [&str; 19] =
    ["//", "::", "..", "!=", "<=", ">=", "/", "(", ")", "[", "]", "@", ",", "|", "+", "-", "=", "<", ">"];

fn token(rest: &[char], operand_before: bool) -> Result<(Token, usize), String> {
    let first = rest[0];
    if first == '\'' || first == '"' {
        let Some(length) = rest[1..].iter().position(|c| *c == first) else {
            return Err("this quote is never closed".into());
        };
        return Ok((Token::Literal(rest[1..=length].iter().collect()), length + 2));
    }
    if first.is_ascii_digit() || (first == '.' && rest.get(1).is_some_and(char::is_ascii_digit)) {
        return number(rest);
    }
    for operator in PUNCTUATION {
        if rest.len() >= operator.len() && operator.chars().zip(rest).all(|(a, b)| a == *b) {
            return Ok((Token::Operator(operator), operator.len()));
        }
    }
    match first {
        '.' => return Ok((Token::Operator("."), 1)),
        '*' if operand_before => return Ok((Token::Operator("*"), 1)),
        '*' => return Ok((Token::Star, 1)),
        '$' => return Err("variables are not supported".into()),
        _ => {}
    }
    if !(first.is_alphabetic() || first == '_') {
        return Err(format!("'{first}' cannot stand here"));
    }
    let length = name_length(rest);
    let name: String = rest[..length].iter().collect();
    if operand_before {
        for operator in ["and", "or", "div", "mod"] {
            if name == operator {
                return Ok((Token::Operator(operator), length));
            }
        }
    }
    Ok((Token::Name(name), length))
}

fn number(rest: &[char]) -> Result<(Token, usize), String> {
    let length = rest.iter().take_while(|c| c.is_ascii_digit() || **c == '.').count();
    let text: String = rest[..length].iter().collect();
    text.parse().map(|value| (Token::Number(value), length)).map_err(|_| format!("'{text}' is no number"))
}

fn name_length(rest: &[char]) -> usize {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\u{b7}');
    let mut length = 0;
    while length < rest.len() {
        let c = rest[length];
        // one colon may stand between prefix and name; two are an axis
        let prefix_colon = c == ':'
            && length > 0
            && rest.get(length + 1).is_some_and(|next| next.is_alphabetic() || *next == '_');
        if !is_name(c) && !prefix_colon {
            break;
        }
        length += 1;
    }
    length
}
