//! Rules in one line, as people write them for `pcs` (rule 5d.5.2): `#uname eq n1 and date lt 2030-01-01`.
//! Reading gives XML elements or an error with its column; printing works for every rule.

use super::*;
use std::fmt::Write;
use xml::{Document, Element, NodeId};

/// A condition as written. Attributes are those of the XML element, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// Several conditions with one operator between them.
    All { or: bool, parts: Vec<Expression> },
    /// An element, with its `date_spec` or `duration` if it has one.
    One {
        element: &'static str,
        attributes: Vec<(String, String)>,
        inside: Option<(&'static str, Vec<(String, String)>)>,
    },
}

/// Where an expression stops making sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a valid rule expression, parse error near or after line 1 column {column}: {reason}"
)]
pub struct ExpressionError {
    pub text: String,
    /// Counted from 1.
    pub column: usize,
    pub reason: &'static str,
}

impl ExpressionError {
    /// The expression with a marker under the column.
    pub fn marked(&self) -> String {
        format!("  {}\n  {}^", self.text, "-".repeat(self.column.saturating_sub(1)))
    }
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// The text is not one; the error says where.
    pub fn parse(text: &str) -> Result<Expression, ExpressionError> {
        let mut parser = Parser { text, words: words(text), at: 0 };
        let expression = parser.expression()?;
        if parser.at < parser.words.len() {
            return Err(parser.fail("there is something after the end of the expression"));
        }
        Ok(expression)
    }

    /// Adds a `rule` with this expression below `parent`. IDs are made from `id`; `is_free` tells which are
    /// not taken yet.
    pub fn write(
        &self,
        document: &mut Document,
        parent: NodeId,
        id: &str,
        is_free: &dyn Fn(&Document, &str) -> bool,
    ) -> NodeId {
        let rule = document.append_element(parent, "rule");
        document.set_attribute(rule, "id", id);
        let (or, parts) = match self {
            Expression::All { or, parts } => (*or, parts.as_slice()),
            one => (false, std::slice::from_ref(one)),
        };
        document.set_attribute(rule, "boolean-op", if or { "or" } else { "and" });
        for part in parts {
            match part {
                Expression::All { .. } => {
                    let nested = free_id(document, &format!("{id}-rule"), is_free);
                    part.write(document, rule, &nested, is_free);
                }
                Expression::One { element, attributes, inside } => {
                    let own = free_id(document, &expression_id(id, element, attributes), is_free);
                    let node = add(document, rule, element, &own, attributes);
                    if let Some((name, attributes)) = inside {
                        let suffix = name.replace('_', "");
                        let inner = free_id(document, &format!("{own}-{suffix}"), is_free);
                        add(document, node, name, &inner, attributes);
                    }
                }
            }
        }
        rule
    }
}

fn expression_id(rule: &str, element: &str, attributes: &[(String, String)]) -> String {
    let value = |name: &str| attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match element {
        "rsc_expression" => {
            let parts: Vec<&str> = ["class", "provider", "type"].into_iter().filter_map(value).collect();
            format!("{rule}-rsc-{}", parts.join("-"))
        }
        "op_expression" => format!("{rule}-op-{}", value("name").unwrap_or_default()),
        _ => format!("{rule}-expr"),
    }
}

fn free_id(document: &Document, wanted: &str, is_free: &dyn Fn(&Document, &str) -> bool) -> String {
    if is_free(document, wanted) {
        return wanted.to_owned();
    }
    let numbered = (1u32..).map(|number| format!("{wanted}-{number}"));
    numbered.into_iter().find(|id| is_free(document, id)).unwrap_or_else(|| wanted.to_owned())
}

fn add(
    document: &mut Document,
    parent: NodeId,
    name: &str,
    id: &str,
    attributes: &[(String, String)],
) -> NodeId {
    let node = document.append_element(parent, name);
    document.set_attribute(node, "id", id);
    for (key, value) in attributes {
        document.set_attribute(node, key, value);
    }
    node
}

/// A word of the expression and its column.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    text: String,
    column: usize,
    quoted: bool,
}

/// Words are separated by blanks; brackets stand alone; quotes keep blanks.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut current: Option<Word> = None;
    let mut quote: Option<char> = None;
    for (index, character) in text.chars().enumerate() {
        let column = index + 1;
        match (quote, character) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => current.get_or_insert_with(|| empty_word(column)).text.push(c),
            (None, '"' | '\'') => {
                quote = Some(character);
                current.get_or_insert_with(|| empty_word(column)).quoted = true;
            }
            (None, '(' | ')') => {
                words.extend(current.take());
                words.push(Word { text: character.to_string(), column, quoted: false });
            }
            (None, c) if c.is_whitespace() => words.extend(current.take()),
            (None, c) => current.get_or_insert_with(|| empty_word(column)).text.push(c),
        }
    }
    words.extend(current);
    words
}

fn empty_word(column: usize) -> Word {
    Word { text: String::new(), column, quoted: false }
}

struct Parser<'t> {
    text: &'t str,
    words: Vec<Word>,
    at: usize,
}

impl Parser<'_> {
    fn fail(&self, reason: &'static str) -> ExpressionError {
        let end = self.text.chars().count() + 1;
        let column = self.words.get(self.at).map_or(end, |word| word.column);
        ExpressionError { text: self.text.to_owned(), column, reason }
    }

    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).filter(|word| !word.quoted).map(|word| word.text.as_str())
    }

    fn accept(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|next| next.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn next(&mut self, what: &'static str) -> Result<String, ExpressionError> {
        match self.words.get(self.at) {
            Some(word) if word.quoted || !matches!(word.text.as_str(), "(" | ")") => {
                self.at += 1;
                Ok(self.words[self.at - 1].text.clone())
            }
            _ => Err(self.fail(what)),
        }
    }

    fn expression(&mut self) -> Result<Expression, ExpressionError> {
        let mut parts = vec![self.simple()?];
        let mut operator: Option<bool> = None;
        while let Some(or) = self.operator() {
            if operator.is_some_and(|known| known != or) {
                self.at -= 1;
                return Err(self.fail("'and' and 'or' need brackets between them"));
            }
            operator = Some(or);
            parts.push(self.simple()?);
        }
        Ok(match operator {
            None => parts.remove(0),
            Some(or) => Expression::All { or, parts },
        })
    }

    fn operator(&mut self) -> Option<bool> {
        if self.accept("and") {
            Some(false)
        } else if self.accept("or") {
            Some(true)
        } else {
            None
        }
    }

    fn simple(&mut self) -> Result<Expression, ExpressionError> {
        if self.accept("(") {
            let inner = self.expression()?;
            if !self.accept(")") {
                return Err(self.fail("a bracket is not closed"));
            }
            return Ok(inner);
        }
        for word in ["defined", "not_defined"] {
            if self.accept(word) {
                let attribute = self.next("the name of an attribute is missing")?;
                return Ok(one("expression", vec![("operation", word.into()), ("attribute", attribute)]));
            }
        }
        if self.accept("date-spec") {
            let fields = self.fields(&DateField::ALL.map(DateField::attribute))?;
            let attributes = vec![("operation".to_owned(), "date_spec".to_owned())];
            return Ok(Expression::One {
                element: "date_expression",
                attributes,
                inside: Some(("date_spec", fields)),
            });
        }
        match self.peek() {
            Some("date") if self.date_follows() => self.date(),
            Some("resource") if self.colon_follows() => self.resource(),
            Some("op") if !self.comparison_follows() => self.operation(),
            _ => self.comparison(),
        }
    }

    fn word_after(&self) -> &str {
        self.words.get(self.at + 1).map_or("", |word| word.text.as_str())
    }

    fn date_follows(&self) -> bool {
        matches!(self.word_after(), "gt" | "lt" | "in_range")
    }

    fn colon_follows(&self) -> bool {
        self.word_after().contains(':')
    }

    fn comparison_follows(&self) -> bool {
        Comparison::parse(self.word_after()).is_some()
    }

    fn date(&mut self) -> Result<Expression, ExpressionError> {
        self.at += 1;
        for (word, name) in [("gt", "start"), ("lt", "end")] {
            if self.accept(word) {
                let date = self.moment()?;
                return Ok(one("date_expression", vec![("operation", word.into()), (name, date)]));
            }
        }
        self.at += 1;
        let mut attributes = vec![("operation".to_owned(), "in_range".to_owned())];
        if self.peek() != Some("to") {
            attributes.push(("start".to_owned(), self.moment()?));
        }
        if !self.accept("to") {
            return Err(self.fail("'to' is missing"));
        }
        if !self.accept("duration") {
            attributes.push(("end".to_owned(), self.moment()?));
            return Ok(Expression::One { element: "date_expression", attributes, inside: None });
        }
        if attributes.len() == 1 {
            return Err(self.fail("a duration needs a date from which it counts"));
        }
        let fields = self.fields(&["years", "months", "weeks", "days", "hours", "minutes", "seconds"])?;
        Ok(Expression::One { element: "date_expression", attributes, inside: Some(("duration", fields)) })
    }

    fn moment(&mut self) -> Result<String, ExpressionError> {
        let date = self.next("a date is missing")?;
        if DateTime::parse_absolute(&date).is_err() {
            self.at -= 1;
            return Err(self.fail("this is not a date"));
        }
        Ok(date)
    }

    /// `name=value` words with known names; at least one.
    fn fields(&mut self, names: &[&str]) -> Result<Vec<(String, String)>, ExpressionError> {
        let mut fields: Vec<(String, String)> = Vec::new();
        while let Some((name, value)) = self.words.get(self.at).and_then(|word| word.text.split_once('=')) {
            if !names.contains(&name) {
                return Err(self.fail("this is not a known field"));
            }
            if fields.iter().any(|(known, _)| known == name) {
                return Err(self.fail("this field is given twice"));
            }
            fields.push((name.to_owned(), value.to_owned()));
            self.at += 1;
        }
        if fields.is_empty() {
            return Err(self.fail("name=value is missing"));
        }
        Ok(fields)
    }

    fn resource(&mut self) -> Result<Expression, ExpressionError> {
        self.at += 1;
        let parts = self.next("an agent is missing")?;
        let parts: Vec<&str> = parts.splitn(3, ':').collect();
        let (class, provider, agent) = match parts.as_slice() {
            [class, provider, agent] => (*class, *provider, *agent),
            [class, agent] => (*class, "", *agent),
            _ => {
                self.at -= 1;
                return Err(self.fail("an agent is STANDARD:PROVIDER:TYPE"));
            }
        };
        let given = [("class", class), ("provider", provider), ("type", agent)];
        let attributes = given
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (*name, (*value).to_owned()));
        Ok(one("rsc_expression", attributes.collect()))
    }

    fn operation(&mut self) -> Result<Expression, ExpressionError> {
        self.at += 1;
        let name = self.next("the name of an operation is missing")?;
        let mut attributes = vec![("name", name)];
        let interval =
            self.words.get(self.at).and_then(|word| word.text.strip_prefix("interval=")).map(str::to_owned);
        if let Some(interval) = interval {
            if crate::value::parse_interval(&interval).is_none() {
                return Err(self.fail("this is not an interval"));
            }
            attributes.push(("interval", interval));
            self.at += 1;
        }
        Ok(one("op_expression", attributes))
    }

    fn comparison(&mut self) -> Result<Expression, ExpressionError> {
        let attribute = self.next("a condition is missing")?;
        let operation = self.peek().map(str::to_owned).unwrap_or_default();
        match Comparison::parse(&operation) {
            None | Some(Comparison::Defined | Comparison::NotDefined) => {
                return Err(self.fail("one of lt, gt, lte, gte, eq, ne is missing"));
            }
            Some(_) => self.at += 1,
        }
        let mut attributes = vec![("operation", operation.to_ascii_lowercase()), ("attribute", attribute)];
        let is_last = self.at + 1 >= self.words.len()
            || matches!(self.words[self.at + 1].text.as_str(), "and" | "or" | ")");
        if let Some(kind) = self.peek().filter(|word| ComparisonKind::parse(word).is_some() && !is_last) {
            attributes.push(("type", kind.to_ascii_lowercase()));
            self.at += 1;
        }
        attributes.push(("value", self.next("a value is missing")?));
        Ok(one("expression", attributes))
    }
}

fn one(element: &'static str, attributes: Vec<(&str, String)>) -> Expression {
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Expression::One { element, attributes, inside: None }
}

/// A word with quotes around it if it needs them.
fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains(|c: char| c.is_whitespace() || matches!(c, '(' | ')')) {
        format!("\"{word}\"")
    } else {
        word.to_owned()
    }
}

/// The expression of a `rule` element in one line.
pub fn one_line(rule: Element<'_>) -> String {
    let operator = if rule.attr("boolean-op").is_some_and(|word| word.eq_ignore_ascii_case("or")) {
        " or "
    } else {
        " and "
    };
    let parts: Vec<String> = rule
        .children()
        .map(|child| {
            let text = if child.name() == "rule" { one_line(child) } else { condition_line(child) };
            if child.name() == "rule" && child.children().count() > 1 { format!("({text})") } else { text }
        })
        .collect();
    parts.join(operator)
}

/// A condition other than a rule in one line, its `date_spec` or `duration` included.
fn condition_line(condition: Element<'_>) -> String {
    let fields = |name: &str| condition.child(name).map(field_words).unwrap_or_default();
    match condition.name() {
        "date_expression" => match condition.attr("operation").unwrap_or("in_range") {
            "date_spec" => format!("date-spec {}", fields("date_spec")),
            "in_range" if condition.child("duration").is_some() => {
                format!(
                    "date in_range {} to duration {}",
                    condition.attr("start").unwrap_or_default(),
                    fields("duration")
                )
            }
            _ => simple_line(condition),
        },
        _ => simple_line(condition),
    }
}

fn simple_line(condition: Element<'_>) -> String {
    let attr = |name: &str| condition.attr(name).unwrap_or_default();
    match condition.name() {
        "expression" => match attr("operation") {
            operation @ ("defined" | "not_defined") => format!("{operation} {}", attr("attribute")),
            operation => {
                let mut line = format!("{} {operation} ", attr("attribute"));
                if let Some(kind) = condition.attr("type") {
                    let _ = write!(line, "{kind} ");
                }
                line + &quoted(attr("value"))
            }
        },
        "date_expression" => match condition.attr("operation").unwrap_or("in_range") {
            "gt" => format!("date gt {}", quoted(attr("start"))),
            "lt" => format!("date lt {}", quoted(attr("end"))),
            operation => {
                let mut line = format!("date {operation}");
                for word in [condition.attr("start"), Some("to"), condition.attr("end")].into_iter().flatten()
                {
                    line.push(' ');
                    line.push_str(&quoted(word));
                }
                line
            }
        },
        "rsc_expression" => format!("resource {}:{}:{}", attr("class"), attr("provider"), attr("type")),
        "op_expression" => match condition.attr("interval") {
            Some(interval) => format!("op {} interval={interval}", attr("name")),
            None => format!("op {}", attr("name")),
        },
        other => other.to_owned(),
    }
}

fn field_words(element: Element<'_>) -> String {
    let mut fields: Vec<(&str, &str)> = element.attributes().filter(|(name, _)| *name != "id").collect();
    fields.sort_unstable();
    let words: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    words.join(" ")
}

/// The rule as listings show it, one entry a line, indented by two blanks a level (rule 5d.5.5).
/// `label` goes behind the word `Rule`, for example ` (expired)`.
pub fn lines(rule: Element<'_>, with_ids: bool, label: &str) -> Vec<String> {
    let mut head = format!("Rule{label}:");
    let mut options: Vec<(&str, &str)> = rule.attributes().filter(|(name, _)| *name != "id").collect();
    options.sort_unstable();
    for (name, value) in options {
        let _ = write!(head, " {name}={value}");
    }
    let mut lines = vec![head + &id_words(rule, with_ids)];
    for child in rule.children() {
        let inner = if child.name() == "rule" {
            self::lines(child, with_ids, "")
        } else {
            condition_lines(child, with_ids)
        };
        lines.extend(inner.into_iter().map(|line| format!("  {line}")));
    }
    lines
}

fn condition_lines(condition: Element<'_>, with_ids: bool) -> Vec<String> {
    let inside = |name: &str, title: &str| {
        condition
            .child(name)
            .map(|inner| format!("  {title}: {}{}", field_words(inner), id_words(inner, with_ids)))
    };
    let is_date = condition.name() == "date_expression";
    match condition.attr("operation").unwrap_or("in_range") {
        "date_spec" if is_date => {
            let head = format!("Expression:{}", id_words(condition, with_ids));
            std::iter::once(head).chain(inside("date_spec", "Date Spec")).collect()
        }
        "in_range" if is_date && condition.child("duration").is_some() => {
            let start = condition.attr("start").unwrap_or_default();
            let head =
                format!("Expression: date in_range {start} to duration{}", id_words(condition, with_ids));
            std::iter::once(head).chain(inside("duration", "Duration")).collect()
        }
        _ => vec![format!("Expression: {}{}", simple_line(condition), id_words(condition, with_ids))],
    }
}

fn id_words(element: Element<'_>, with_ids: bool) -> String {
    match element.attr("id").filter(|_| with_ids) {
        Some(id) => format!(" (id: {id})"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let expression = Expression::parse(text).expect("a valid expression");
        let mut document = Document::new("x");
        let root = document.root();
        let is_free = |document: &Document, id: &str| {
            document.descendants(document.root()).all(|node| document.attribute(node, "id") != Some(id))
        };
        let rule = expression.write(&mut document, root, "R", &is_free);
        document.element_to_string(rule)
    }

    #[test]
    fn expressions_become_elements_with_ids() {
        for (text, expected) in [
            (
                "#uname eq n1",
                "<rule id=\"R\" boolean-op=\"and\"><expression id=\"R-expr\" operation=\"eq\" attribute=\"#uname\" value=\"n1\"/></rule>",
            ),
            (
                "defined a or b gt version 1.2",
                "<rule id=\"R\" boolean-op=\"or\"><expression id=\"R-expr\" operation=\"defined\" attribute=\"a\"/>\
                 <expression id=\"R-expr-1\" operation=\"gt\" attribute=\"b\" type=\"version\" value=\"1.2\"/></rule>",
            ),
            (
                "date in_range 2024-01-01 to duration months=1 and (a eq 1 or date-spec hours=1-2)",
                "<rule id=\"R\" boolean-op=\"and\"><date_expression id=\"R-expr\" operation=\"in_range\" start=\"2024-01-01\">\
                 <duration id=\"R-expr-duration\" months=\"1\"/></date_expression><rule id=\"R-rule\" boolean-op=\"or\">\
                 <expression id=\"R-rule-expr\" operation=\"eq\" attribute=\"a\" value=\"1\"/>\
                 <date_expression id=\"R-rule-expr-1\" operation=\"date_spec\"><date_spec id=\"R-rule-expr-1-datespec\" hours=\"1-2\"/>\
                 </date_expression></rule></rule>",
            ),
            (
                "resource ocf::Dummy and op monitor interval=10s",
                "<rule id=\"R\" boolean-op=\"and\"><rsc_expression id=\"R-rsc-ocf-Dummy\" class=\"ocf\" type=\"Dummy\"/>\
                 <op_expression id=\"R-op-monitor\" name=\"monitor\" interval=\"10s\"/></rule>",
            ),
        ] {
            assert_eq!(written(text), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_have_a_column() {
        for (text, column) in [
            ("bad", 4),
            ("a eq", 5),
            ("a eq 1 and b eq 2 or c eq 3", 19),
            ("(a eq 1", 8),
            ("date gt soon", 9),
            ("date-spec moon=1", 11),
            ("a eq 1 2", 8),
            ("", 1),
        ] {
            let error = Expression::parse(text).expect_err(text);
            assert_eq!(error.column, column, "{text}: {error}");
        }
        assert_eq!(Expression::parse("bad").expect_err("bad").marked(), "  bad\n  ---^");
    }

    #[test]
    fn printed_expressions_read_back() {
        for text in [
            "#uname eq n1",
            "defined a and b lt integer 3",
            "a eq \"two words\" or not_defined b",
            "date gt 2024-01-01 and (date lt 2025-01-01 or a ne 1)",
            "date in_range 2024-01-01 to 2025-01-01",
            "date in_range to 2025-01-01",
            "date in_range 2024-01-01 to duration days=1 hours=2",
            "date-spec hours=9-16 weekdays=1-5",
            "resource ocf:heartbeat:IPaddr2 and op start",
        ] {
            let document = Document::parse(&written(text)).expect("well-formed");
            assert_eq!(one_line(document.root_element()), text);
        }
    }

    #[test]
    fn listings() {
        let text = "<rule id=\"r\" score=\"5\" boolean-op=\"and\"><expression id=\"e\" attribute=\"#uname\" operation=\"eq\" value=\"n1\"/>\
            <rule id=\"n\" boolean-op=\"or\"><date_expression id=\"d\" operation=\"date_spec\"><date_spec id=\"s\" weekdays=\"1\" hours=\"2\"/></date_expression></rule></rule>";
        let document = Document::parse(text).expect("well-formed");
        assert_eq!(
            lines(document.root_element(), true, " (expired)"),
            [
                "Rule (expired): boolean-op=and score=5 (id: r)",
                "  Expression: #uname eq n1 (id: e)",
                "  Rule: boolean-op=or (id: n)",
                "    Expression: (id: d)",
                "      Date Spec: hours=2 weekdays=1 (id: s)",
            ]
        );
        assert_eq!(lines(document.root_element(), false, "")[1], "  Expression: #uname eq n1");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z#()=:0-9 \"'-]{0,40}") {
            let _ = Expression::parse(&text);
        }
    }
}
