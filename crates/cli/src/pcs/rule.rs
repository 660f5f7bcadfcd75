//! Rules in the words of pcs: read into a tree, written as XML (rules 5d.5.1 and 5d.5.2).

use xml::NodeId;

use super::words::{Result, pairs};
use crate::configuration::Configuration;

const COMPARISONS: [&str; 6] = ["lt", "gt", "lte", "gte", "eq", "ne"];
const KINDS: [&str; 4] = ["string", "integer", "number", "version"];

/// An expression as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// `and` or `or` between parts.
    Joined {
        with: &'static str,
        parts: Vec<Rule>,
    },
    Attribute {
        name: String,
        operation: String,
        kind: Option<String>,
        value: Option<String>,
    },
    Date {
        operation: &'static str,
        start: Option<String>,
        end: Option<String>,
        duration: Pairs,
    },
    Calendar(Pairs),
}

type Pairs = Vec<(String, String)>;

/// Reads an expression. The error shows where it is not understood.
pub fn parse(text: &str) -> Result<Rule> {
    let tokens = tokens(text);
    let mut reader = Reader { tokens: &tokens, at: 0, end: text.chars().count() + 1 };
    let rule = reader.joined();
    match rule {
        Some(rule) if reader.at == tokens.len() => Ok(rule),
        _ => {
            let column = reader.column();
            let marker = "-".repeat(column.saturating_sub(1));
            Err(format!(
                "'{text}' is not a valid rule expression, parse error near or after line 1 column {column}\n  {text}\n  {marker}^"
            )
            .into())
        }
    }
}

/// A word and its column, counted from 1.
struct Token {
    text: String,
    column: usize,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut quote = None;
    let mut open = false;
    for (index, character) in text.chars().enumerate() {
        let column = index + 1;
        match character {
            _ if quote == Some(character) => quote = None,
            '"' | '\'' if quote.is_none() => {
                quote = Some(character);
                if !open {
                    tokens.push(Token { text: String::new(), column });
                }
                open = true;
            }
            '(' | ')' if quote.is_none() => {
                tokens.push(Token { text: character.to_string(), column });
                open = false;
            }
            _ if character.is_whitespace() && quote.is_none() => open = false,
            _ => match tokens.last_mut() {
                Some(token) if open => token.text.push(character),
                _ => {
                    tokens.push(Token { text: character.to_string(), column });
                    open = true;
                }
            },
        }
    }
    tokens
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    end: usize,
}

/// Each step gives nothing where the text is not understood; `at` stays there.
impl Reader<'_> {
    fn column(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |token| token.column)
    }

    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(|token| token.text.as_str())
    }

    fn word(&mut self) -> Option<String> {
        let word = self.peek().filter(|word| !matches!(*word, "(" | ")"))?.to_owned();
        self.at += 1;
        Some(word)
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        self.at += usize::from(found);
        found
    }

    /// Parts that are all joined by the same word: a mixture without parentheses is not understood.
    fn joined(&mut self) -> Option<Rule> {
        let mut parts = vec![self.part()?];
        let mut with = None;
        loop {
            let next = match self.peek() {
                Some("and") => "and",
                Some("or") => "or",
                _ => break,
            };
            if with.is_some_and(|with| with != next) {
                return None;
            }
            with = Some(next);
            self.at += 1;
            parts.push(self.part()?);
        }
        match with {
            Some(with) => Some(Rule::Joined { with, parts }),
            None => parts.pop(),
        }
    }

    fn part(&mut self) -> Option<Rule> {
        if self.takes("(") {
            let inner = self.joined()?;
            return self.takes(")").then_some(inner);
        }
        let second = self.tokens.get(self.at + 1).map(|token| token.text.as_str());
        match (self.peek()?, second) {
            ("date", Some("gt" | "lt" | "in_range")) => self.date(),
            ("date-spec", Some(next)) if next.contains('=') => {
                self.at += 1;
                Some(Rule::Calendar(self.pairs()?))
            }
            (operation @ ("defined" | "not_defined"), Some(_)) => {
                let operation = operation.to_owned();
                self.at += 1;
                let name = self.word()?;
                Some(Rule::Attribute { name, operation, kind: None, value: None })
            }
            _ => self.comparison(),
        }
    }

    fn comparison(&mut self) -> Option<Rule> {
        let name = self.word()?;
        let operation = self.peek().filter(|word| COMPARISONS.contains(word))?.to_owned();
        self.at += 1;
        let mut value = self.word()?;
        let mut kind = None;
        let goes_on = self.peek().is_some_and(|next| !matches!(next, "and" | "or" | "(" | ")"));
        if KINDS.contains(&value.as_str()) && goes_on {
            kind = Some(value);
            value = self.word()?;
        }
        Some(Rule::Attribute { name, operation, kind, value: Some(value) })
    }

    fn date(&mut self) -> Option<Rule> {
        self.at += 1;
        let moment = |start, end, operation| Rule::Date { operation, start, end, duration: Vec::new() };
        if self.takes("gt") {
            return Some(moment(Some(self.word()?), None, "gt"));
        }
        if self.takes("lt") {
            return Some(moment(None, Some(self.word()?), "lt"));
        }
        self.at += 1;
        let start = if self.peek() == Some("to") { None } else { Some(self.word()?) };
        if !self.takes("to") {
            return None;
        }
        if start.is_some() && self.takes("duration") {
            return Some(Rule::Date { operation: "in_range", start, end: None, duration: self.pairs()? });
        }
        Some(moment(start, Some(self.word()?), "in_range"))
    }

    fn pairs(&mut self) -> Option<Pairs> {
        let mut words = Vec::new();
        while self.peek().is_some_and(|word| word.contains('=')) {
            words.push(self.word()?);
        }
        pairs(&words).ok().filter(|pairs| !pairs.is_empty())
    }
}

/// Writes a rule below `parent`, with these attributes besides its own.
pub fn write(
    configuration: &mut Configuration,
    parent: NodeId,
    id: &str,
    rule: &Rule,
    attributes: &[(&str, &str)],
) {
    let element = configuration.document.append_element(parent, "rule");
    let (with, parts) = match rule {
        Rule::Joined { with, parts } => (*with, parts.as_slice()),
        single => ("and", std::slice::from_ref(single)),
    };
    configuration.document.set_attribute(element, "id", id);
    configuration.document.set_attribute(element, "boolean-op", with);
    for (name, value) in attributes {
        configuration.document.set_attribute(element, name, value);
    }
    for part in parts {
        write_part(configuration, element, id, part);
    }
}

fn write_part(configuration: &mut Configuration, rule: NodeId, id: &str, part: &Rule) {
    match part {
        Rule::Joined { .. } => {
            let inner = configuration.free_id(&format!("{id}-rule"));
            write(configuration, rule, &inner, part, &[]);
        }
        Rule::Attribute { name, operation, kind, value } => {
            let element = expression(configuration, rule, id, "expression", operation);
            let more = [("attribute", Some(name)), ("type", kind.as_ref()), ("value", value.as_ref())];
            set(configuration, element, &more);
        }
        Rule::Date { operation, start, end, duration } => {
            let element = expression(configuration, rule, id, "date_expression", operation);
            set(configuration, element, &[("start", start.as_ref()), ("end", end.as_ref())]);
            if !duration.is_empty() {
                below(configuration, element, "duration", "duration", duration);
            }
        }
        Rule::Calendar(pairs) => {
            let element = expression(configuration, rule, id, "date_expression", "date_spec");
            below(configuration, element, "date_spec", "datespec", pairs);
        }
    }
}

fn expression(
    configuration: &mut Configuration,
    rule: NodeId,
    id: &str,
    tag: &str,
    operation: &str,
) -> NodeId {
    let id = configuration.free_id(&format!("{id}-expr"));
    let element = configuration.document.append_element(rule, tag);
    configuration.document.set_attribute(element, "id", &id);
    configuration.document.set_attribute(element, "operation", operation);
    element
}

fn below(configuration: &mut Configuration, expression: NodeId, tag: &str, suffix: &str, pairs: &Pairs) {
    let id = configuration.free_id(&format!("{}-{suffix}", configuration.id(expression)));
    let element = configuration.document.append_element(expression, tag);
    configuration.document.set_attribute(element, "id", &id);
    for (name, value) in pairs {
        configuration.document.set_attribute(element, name, value);
    }
}

fn set(configuration: &mut Configuration, element: NodeId, attributes: &[(&str, Option<&String>)]) {
    for (name, value) in attributes {
        if let Some(value) = value {
            configuration.document.set_attribute(element, name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let document =
            xml::Document::parse("<cib><configuration><constraints/></configuration></cib>").unwrap();
        let mut configuration = Configuration::new(document);
        let section = configuration.section_or_new("constraints");
        write(&mut configuration, section, "R", &parse(text).unwrap(), &[("score", "INFINITY")]);
        let text = configuration.document.to_string();
        text.split_once("<constraints>").unwrap().1.split_once("</constraints>").unwrap().0.to_owned()
    }

    #[test]
    fn comparisons_dates_and_parentheses() {
        assert_eq!(
            written("#uname eq n1"),
            r##"<rule id="R" boolean-op="and" score="INFINITY"><expression id="R-expr" operation="eq" attribute="#uname" value="n1"/></rule>"##
        );
        assert_eq!(
            written("defined a or (b gt integer 3 and date-spec hours=9-16 weekdays=1-5)"),
            r#"<rule id="R" boolean-op="or" score="INFINITY"><expression id="R-expr" operation="defined" attribute="a"/><rule id="R-rule" boolean-op="and"><expression id="R-rule-expr" operation="gt" attribute="b" type="integer" value="3"/><date_expression id="R-rule-expr-1" operation="date_spec"><date_spec id="R-rule-expr-1-datespec" hours="9-16" weekdays="1-5"/></date_expression></rule></rule>"#
        );
        assert_eq!(
            written("date in_range 2026-01-01 to duration months=2"),
            r#"<rule id="R" boolean-op="and" score="INFINITY"><date_expression id="R-expr" operation="in_range" start="2026-01-01"><duration id="R-expr-duration" months="2"/></date_expression></rule>"#
        );
    }

    #[test]
    fn what_is_not_understood_is_pointed_at() {
        let error = |text: &str| parse(text).unwrap_err().message;
        assert_eq!(
            error("bad"),
            "'bad' is not a valid rule expression, parse error near or after line 1 column 4\n  bad\n  ---^"
        );
        assert!(error("a eq 1 and b eq 2 or c eq 3").contains("column 19"));
        assert!(error("(a eq 1").contains("column 8"));
        assert!(error("date in_range to").contains("column 17"));
        assert!(error("").contains("column 1"));
    }
}
