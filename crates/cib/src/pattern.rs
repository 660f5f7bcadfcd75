//! Patterns of the configuration: POSIX extended regular expressions, found anywhere in a name
//! (`rsc-pattern`, `target-pattern`; rule 1.6.9).
//!
//! The matching engine speaks another dialect, so a pattern is translated first. One difference
//! stays: of several alternatives the first that matches wins, not the longest.

use regex_lite::Regex;

/// A pattern ready for use.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    inverted: bool,
    start: Start,
}

/// What a match must begin with, so that most names need no engine: there may be thousands of patterns for
/// thousands of names.
#[derive(Clone, Debug)]
enum Start {
    Unknown,
    /// `^text…`
    With(String),
    /// `^text$`
    Exactly(String),
}

impl Start {
    /// Of a valid expression.
    fn of(expression: &str) -> Start {
        let Some(rest) = expression.strip_prefix('^').filter(|rest| !rest.contains('|')) else {
            return Start::Unknown;
        };
        let plain = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | ':');
        let end = rest.find(|character| !plain(character)).unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        if after == "$" {
            return Start::Exactly(text.to_owned());
        }
        let mut text = text.to_owned();
        if after.starts_with(['*', '?', '+', '{']) {
            text.pop();
        }
        Start::With(text)
    }

    fn allows(&self, name: &str) -> bool {
        match self {
            Start::Unknown => true,
            Start::With(text) => name.starts_with(text.as_str()),
            Start::Exactly(text) => name == text,
        }
    }
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{pattern}' is not a valid extended regular expression: {reason}")]
pub struct PatternError {
    pub pattern: String,
    pub reason: String,
}

impl Pattern {
    /// A pattern as in `rsc-pattern`: a leading `!` inverts it.
    ///
    /// # Errors
    /// The text is no extended regular expression.
    pub fn new(text: &str) -> Result<Pattern, PatternError> {
        match text.strip_prefix('!') {
            Some(rest) => Pattern::compile(rest, true),
            None => Pattern::compile(text, false),
        }
    }

    /// A plain expression, in which `!` means itself.
    ///
    /// # Errors
    /// The text is no extended regular expression.
    pub fn expression(text: &str) -> Result<Pattern, PatternError> {
        Pattern::compile(text, false)
    }

    fn compile(text: &str, inverted: bool) -> Result<Pattern, PatternError> {
        let fail = |reason: String| PatternError { pattern: text.to_owned(), reason };
        let translated = Translation::of(text).map_err(|reason| fail(reason.to_owned()))?;
        let regex = Regex::new(&translated).map_err(|error| fail(error.to_string()))?;
        Ok(Pattern { regex, inverted, start: Start::of(text) })
    }

    /// True if the pattern holds for `name`, inversion included.
    pub fn matches(&self, name: &str) -> bool {
        (self.start.allows(name) && self.regex.is_match(name)) != self.inverted
    }

    /// What the pattern and its groups matched, for `%0`…`%9`: `None` if there is no match or the
    /// pattern is inverted; unmatched groups are empty.
    pub fn submatches(&self, name: &str) -> Option<Vec<String>> {
        if self.inverted || !self.start.allows(name) {
            return None;
        }
        let captures = self.regex.captures(name)?;
        Some(
            captures
                .iter()
                .map(|group| group.map_or_else(String::new, |group| group.as_str().to_owned()))
                .collect(),
        )
    }
}

/// Translation to the engine's dialect.
struct Translation<'p> {
    rest: std::iter::Peekable<std::str::Chars<'p>>,
    out: String,
    /// Where the last atom begins in `out`, as long as a repetition may follow.
    atom: Option<usize>,
    /// The last atom was repeated already: another repetition needs a group around it.
    repeated: bool,
    /// Beginnings of open groups.
    open: Vec<usize>,
}

impl Translation<'_> {
    fn of(text: &str) -> Result<String, &'static str> {
        let mut translation = Translation {
            rest: text.chars().peekable(),
            out: String::with_capacity(text.len() + 8),
            atom: None,
            repeated: false,
            open: Vec::new(),
        };
        while let Some(next) = translation.rest.next() {
            translation.step(next)?;
        }
        if translation.open.is_empty() { Ok(translation.out) } else { Err("a group is not closed") }
    }

    fn step(&mut self, next: char) -> Result<(), &'static str> {
        match next {
            '\\' => self.escape(),
            '[' => self.bracket(),
            '(' => {
                if self.rest.peek() == Some(&'?') {
                    return Err("a repetition has nothing to repeat");
                }
                self.open.push(self.out.len());
                self.out.push('(');
                self.atom = None;
                Ok(())
            }
            ')' if self.open.is_empty() => {
                self.literal(')');
                Ok(())
            }
            ')' => {
                self.atom = self.open.pop();
                self.repeated = false;
                self.out.push(')');
                Ok(())
            }
            '*' | '+' | '?' => self.repeat(&next.to_string()),
            '{' => self.interval(),
            '|' | '^' | '$' => {
                self.out.push(next);
                self.atom = None;
                Ok(())
            }
            '.' => {
                self.begin_atom();
                self.out.push('.');
                Ok(())
            }
            other => {
                self.literal(other);
                Ok(())
            }
        }
    }

    fn begin_atom(&mut self) {
        self.atom = Some(self.out.len());
        self.repeated = false;
    }

    fn literal(&mut self, character: char) {
        self.begin_atom();
        self.out.push_str(&regex_lite::escape(character.encode_utf8(&mut [0; 4])));
    }

    fn escape(&mut self) -> Result<(), &'static str> {
        match self.rest.next() {
            None => Err("it ends with a backslash"),
            Some(class @ ('w' | 'W' | 's' | 'S')) => {
                self.begin_atom();
                self.out.push('\\');
                self.out.push(class);
                Ok(())
            }
            Some(edge @ ('b' | 'B')) => {
                self.out.push('\\');
                self.out.push(edge);
                self.atom = None;
                Ok(())
            }
            Some('<' | '>') => {
                self.out.push_str("\\b");
                self.atom = None;
                Ok(())
            }
            Some('1'..='9') => Err("references to groups are not supported"),
            Some(other) => {
                self.literal(other);
                Ok(())
            }
        }
    }

    fn repeat(&mut self, how: &str) -> Result<(), &'static str> {
        let Some(start) = self.atom else {
            // At the beginning of an expression `*` means itself; the others are mistakes.
            if how == "*" {
                self.literal('*');
                return Ok(());
            }
            return Err("a repetition has nothing to repeat");
        };
        if self.repeated {
            self.out.insert_str(start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(how);
        self.repeated = true;
        Ok(())
    }

    /// `{n}`, `{n,}` or `{n,m}`; a brace without a number means itself.
    fn interval(&mut self) -> Result<(), &'static str> {
        let ahead: String = self.rest.clone().take_while(|c| *c != '}').collect();
        let closed = self.rest.clone().any(|c| c == '}');
        let bounds: Vec<&str> = ahead.splitn(2, ',').collect();
        let numeric = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let valid =
            closed && numeric(bounds[0]) && bounds.get(1).is_none_or(|high| high.is_empty() || numeric(high));
        if !valid {
            self.literal('{');
            return Ok(());
        }
        for _ in 0..=ahead.chars().count() {
            self.rest.next();
        }
        self.repeat(&format!("{{{ahead}}}"))
    }

    /// A bracket expression: a backslash means itself in it, named classes are kept.
    fn bracket(&mut self) -> Result<(), &'static str> {
        const UNCLOSED: &str = "a bracket is not closed";
        self.begin_atom();
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let next = self.rest.next().ok_or(UNCLOSED)?;
            match next {
                ']' if !first => {
                    self.out.push(']');
                    return Ok(());
                }
                '[' if self.rest.peek() == Some(&':') => self.named_class()?,
                '[' if matches!(self.rest.peek(), Some('.' | '=')) => {
                    return Err("collating elements are not supported");
                }
                '-' => {
                    let literal = first || self.rest.peek() == Some(&']');
                    self.out.push_str(if literal { "\\-" } else { "-" });
                }
                '[' | ']' | '\\' | '&' | '~' | '^' => {
                    self.out.push('\\');
                    self.out.push(next);
                }
                other => self.out.push(other),
            }
            first = false;
        }
    }

    fn named_class(&mut self) -> Result<(), &'static str> {
        let mut name = String::from("[");
        for next in self.rest.by_ref() {
            name.push(next);
            if next == ']' {
                self.out.push_str(&name);
                return Ok(());
            }
        }
        Err("a bracket is not closed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, name: &str) -> Option<Vec<String>> {
        Pattern::new(pattern).expect("a valid pattern").submatches(name)
    }

    #[test]
    fn groups_are_kept_for_replacement() {
        assert_eq!(found("^(.*)-db([0-9]+)$", "shop-db12").expect("a match"), ["shop-db12", "shop", "12"]);
        assert_eq!(found("a(b)?c", "ac").expect("a match"), ["ac", ""]);
        assert_eq!(found("x", "abc"), None);
    }

    #[test]
    fn exclamation_mark_inverts() {
        let pattern = Pattern::new("!^db").expect("a valid pattern");
        assert!(pattern.matches("web") && !pattern.matches("db1"));
        assert_eq!(pattern.submatches("web"), None);
        assert!(Pattern::expression("!").expect("a valid pattern").matches("a!b"));
    }

    #[test]
    fn the_dialect_is_posix() {
        for (pattern, name, expected) in [
            ("a\\.b", "a.b", true),
            ("a\\_b", "a_b", true),
            ("[[:digit:]]+x", "12x", true),
            ("[]x]", "]", true),
            ("[^]x]", "]", false),
            ("[\\d]", "7", false),
            ("[a&&b]", "&", true),
            ("[a-]", "-", true),
            ("a{2}", "aa", true),
            ("a{x}", "a{x}", true),
            ("a**", "", true),
            ("(ab)+?c", "c", true),
            ("*a", "*a", true),
        ] {
            assert_eq!(Pattern::new(pattern).expect(pattern).matches(name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn names_with_another_beginning_need_no_engine() {
        let start = |pattern: &str| format!("{:?}", Start::of(pattern));
        assert_eq!(start("^db-1$"), "Exactly(\"db-1\")");
        assert_eq!(start("^db[0-9]$"), "With(\"db\")");
        assert_eq!(start("^dbs?$"), "With(\"db\")");
        assert_eq!(start("^"), "With(\"\")");
        for pattern in ["db", "^a|b", "(^db)"] {
            assert_eq!(start(pattern), "Unknown", "{pattern}");
        }
        assert!(!Start::of("^db").allows("web"));
    }

    proptest::proptest! {
        #[test]
        fn a_beginning_excludes_no_match(text in "\\^[a-c]{0,3}[a-c*?+{}0-2.$|()]{0,5}", name in "[a-c]{0,5}") {
            if let Ok(pattern) = Pattern::new(&text) {
                proptest::prop_assert_eq!(pattern.matches(&name), pattern.regex.is_match(&name));
            }
        }
    }

    #[test]
    fn mistakes_are_named() {
        for pattern in ["(", "[a", "a\\", "+a", "(?i)a", "(a)\\1"] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-c()*+?{}0-9,.\\[\\]^$|\\\\:!-]{0,16}", name in "[a-c]{0,8}") {
            if let Ok(pattern) = Pattern::new(&text) {
                let _ = (pattern.matches(&name), pattern.submatches(&name));
            }
        }
    }
}
