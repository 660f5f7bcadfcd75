//! Evaluation over the tree. Node sets are kept in document order and free of duplicates.

use super::XPathError;
use super::parser::{Axis, Comparison, Expression, Function, Path, Start, Step, Test};
use crate::document::{Document, NodeId, NodeKind};

/// One selected node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// The document node above the root element.
    Document,
    /// An element, comment or text.
    Node(NodeId),
    /// The n-th attribute of an element.
    Attribute(NodeId, u32),
}

impl Hit {
    /// The element a hit counts for: itself, the owner of an attribute, the parent of text or a comment.
    pub fn element(self, doc: &Document) -> NodeId {
        match self {
            Hit::Document => doc.root(),
            Hit::Attribute(owner, _) => owner,
            Hit::Node(id) if doc.kind(id) == NodeKind::Element => id,
            Hit::Node(id) => doc.parent(id).unwrap_or(id),
        }
    }

    /// String value as XPath defines it.
    pub fn text(self, doc: &Document) -> String {
        match self {
            Hit::Document => all_text(doc, doc.root()),
            Hit::Node(id) if doc.kind(id) == NodeKind::Element => all_text(doc, id),
            Hit::Node(id) => doc.text(id).into_owned(),
            Hit::Attribute(owner, index) => {
                doc.attributes(owner).nth(index as usize).map_or(String::new(), |(_, value)| value.to_owned())
            }
        }
    }

    fn name(self, doc: &Document) -> &str {
        match self {
            Hit::Node(id) if doc.kind(id) == NodeKind::Element => doc.name(id),
            Hit::Attribute(owner, index) => {
                doc.attributes(owner).nth(index as usize).map_or("", |(name, _)| name)
            }
            _ => "",
        }
    }
}

fn all_text(doc: &Document, id: NodeId) -> String {
    doc.subtree(id).filter(|node| doc.kind(*node) == NodeKind::Text).map(|node| doc.text(node)).collect()
}

/// What an expression yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Nodes(Vec<Hit>),
    Text(String),
    Number(f64),
    Boolean(bool),
}

/// Nodes that one evaluation may visit.
const BUDGET: u64 = 200_000_000;

pub(super) fn evaluate(expression: &Expression, doc: &Document, context: Hit) -> Result<Value, XPathError> {
    let mut evaluation = Evaluation { doc, order: None, budget: BUDGET };
    evaluation.value(expression, Context { hit: context, position: 1, size: 1 })
}

#[derive(Clone, Copy)]
struct Context {
    hit: Hit,
    position: usize,
    size: usize,
}

struct Evaluation<'a> {
    doc: &'a Document,
    /// Place of each node in document order, made when first needed.
    order: Option<Vec<u32>>,
    budget: u64,
}

type Evaluated<T> = Result<T, XPathError>;

impl Evaluation<'_> {
    fn value(&mut self, expression: &Expression, context: Context) -> Evaluated<Value> {
        Ok(match expression {
            Expression::Or(a, b) => Value::Boolean(self.truth(a, context)? || self.truth(b, context)?),
            Expression::And(a, b) => Value::Boolean(self.truth(a, context)? && self.truth(b, context)?),
            Expression::Compare(comparison, a, b) => {
                let (a, b) = (self.value(a, context)?, self.value(b, context)?);
                Value::Boolean(self.compare(*comparison, &a, &b)?)
            }
            Expression::Arithmetic(operator, a, b) => {
                let (a, b) = (self.number(a, context)?, self.number(b, context)?);
                Value::Number(match *operator {
                    "+" => a + b,
                    "-" => a - b,
                    "*" => a * b,
                    "div" => a / b,
                    _ => a % b,
                })
            }
            Expression::Negative(a) => Value::Number(-self.number(a, context)?),
            Expression::Union(a, b) => {
                let mut hits = self.nodes(a, context)?;
                hits.extend(self.nodes(b, context)?);
                self.sort(&mut hits);
                Value::Nodes(hits)
            }
            Expression::Path(path) => Value::Nodes(self.path(path, context)?),
            Expression::Literal(text) => Value::Text(text.clone()),
            Expression::Number(number) => Value::Number(*number),
            Expression::AttributeIs(name, value) => Value::Boolean(self.attribute_is(name, value, context)),
            Expression::Call(function, arguments) => self.call(*function, arguments, context)?,
        })
    }

    fn truth(&mut self, expression: &Expression, context: Context) -> Evaluated<bool> {
        if let Expression::AttributeIs(name, value) = expression {
            return Ok(self.attribute_is(name, value, context));
        }
        let value = self.value(expression, context)?;
        Ok(as_boolean(&value))
    }

    fn number(&mut self, expression: &Expression, context: Context) -> Evaluated<f64> {
        let value = self.value(expression, context)?;
        Ok(self.as_number(&value))
    }

    fn text(&mut self, expression: &Expression, context: Context) -> Evaluated<String> {
        let value = self.value(expression, context)?;
        Ok(self.as_text(&value))
    }

    fn nodes(&mut self, expression: &Expression, context: Context) -> Evaluated<Vec<Hit>> {
        match self.value(expression, context)? {
            Value::Nodes(hits) => Ok(hits),
            _ => fail("nodes are needed here, not a value"),
        }
    }

    fn attribute_is(&self, name: &str, value: &str, context: Context) -> bool {
        matches!(context.hit, Hit::Node(id) if self.doc.attribute(id, name) == Some(value))
    }

    // ---- paths

    fn path(&mut self, path: &Path, context: Context) -> Evaluated<Vec<Hit>> {
        let mut hits = match &path.start {
            Start::Root => vec![Hit::Document],
            Start::Context => vec![context.hit],
            Start::Filter(expression, predicates) => {
                let mut hits = self.nodes(expression, context)?;
                for predicate in predicates {
                    hits = self.filter(hits, predicate)?;
                }
                hits
            }
        };
        for step in &path.steps {
            hits = self.step(step, &hits)?;
        }
        Ok(hits)
    }

    fn step(&mut self, step: &Step, from: &[Hit]) -> Evaluated<Vec<Hit>> {
        let mut all = Vec::new();
        for hit in from {
            let mut hits = Vec::new();
            self.along(step, *hit, &mut hits)?;
            for predicate in &step.predicates {
                hits = self.filter(hits, predicate)?;
            }
            all.append(&mut hits);
        }
        let backwards = matches!(
            step.axis,
            Axis::Ancestor | Axis::AncestorOrSelf | Axis::PrecedingSibling | Axis::Preceding
        );
        if from.len() > 1 || backwards {
            self.sort(&mut all);
        }
        Ok(all)
    }

    fn filter(&mut self, hits: Vec<Hit>, predicate: &Expression) -> Evaluated<Vec<Hit>> {
        let size = hits.len();
        let mut kept = Vec::with_capacity(size.min(16));
        for (index, hit) in hits.into_iter().enumerate() {
            self.spend(1)?;
            let context = Context { hit, position: index + 1, size };
            let keep = match predicate {
                Expression::AttributeIs(name, value) => self.attribute_is(name, value, context),
                predicate => match self.value(predicate, context)? {
                    Value::Number(number) => number == context.position as f64,
                    value => as_boolean(&value),
                },
            };
            if keep {
                kept.push(hit);
            }
        }
        Ok(kept)
    }

    /// Nodes along the axis that pass the node test, nearest first.
    fn along(&mut self, step: &Step, from: Hit, out: &mut Vec<Hit>) -> Evaluated<()> {
        let doc = self.doc;
        let mut visited: u64 = 0;
        {
            let mut take = |hit: Hit| {
                visited += 1;
                if passes(doc, &step.test, step.axis, hit) {
                    out.push(hit);
                }
            };
            match (step.axis, from) {
                (Axis::This, hit) => take(hit),
                (Axis::Child, Hit::Document) => take(Hit::Node(doc.root())),
                (Axis::Child, Hit::Node(id)) => doc.nodes(id).map(Hit::Node).for_each(take),
                (Axis::Descendant, Hit::Document) => doc.subtree(doc.root()).map(Hit::Node).for_each(take),
                (Axis::Descendant, Hit::Node(id)) => doc.subtree(id).skip(1).map(Hit::Node).for_each(take),
                (Axis::DescendantOrSelf, Hit::Document) => {
                    take(Hit::Document);
                    doc.subtree(doc.root()).map(Hit::Node).for_each(take);
                }
                (Axis::DescendantOrSelf, Hit::Node(id)) => doc.subtree(id).map(Hit::Node).for_each(take),
                (Axis::DescendantOrSelf, hit) => take(hit),
                (Axis::Attribute, Hit::Node(id)) => {
                    (0..doc.attributes(id).len()).for_each(|n| take(Hit::Attribute(id, n as u32)));
                }
                (Axis::Parent, hit) => {
                    if let Some(parent) = parent(doc, hit) {
                        take(parent);
                    }
                }
                (Axis::Ancestor, hit) => ancestors(doc, hit).for_each(take),
                (Axis::AncestorOrSelf, hit) => {
                    take(hit);
                    ancestors(doc, hit).for_each(take);
                }
                (Axis::FollowingSibling, Hit::Node(id)) => {
                    std::iter::successors(doc.next_sibling(id), |node| doc.next_sibling(*node))
                        .map(Hit::Node)
                        .for_each(take);
                }
                (Axis::PrecedingSibling, Hit::Node(id)) => {
                    std::iter::successors(doc.previous_sibling(id), |node| doc.previous_sibling(*node))
                        .map(Hit::Node)
                        .for_each(take);
                }
                (Axis::Following, Hit::Node(id)) => {
                    for above in std::iter::once(id).chain(doc.ancestors(id)) {
                        let siblings =
                            std::iter::successors(doc.next_sibling(above), |node| doc.next_sibling(*node));
                        siblings.for_each(|sibling| doc.subtree(sibling).map(Hit::Node).for_each(&mut take));
                    }
                }
                (Axis::Preceding, Hit::Node(id)) => {
                    for above in std::iter::once(id).chain(doc.ancestors(id)) {
                        let siblings = std::iter::successors(doc.previous_sibling(above), |node| {
                            doc.previous_sibling(*node)
                        });
                        for sibling in siblings {
                            let nodes: Vec<NodeId> = doc.subtree(sibling).collect();
                            nodes.into_iter().rev().map(Hit::Node).for_each(&mut take);
                        }
                    }
                }
                _ => {}
            }
        }
        self.spend(visited)
    }

    fn spend(&mut self, nodes: u64) -> Evaluated<()> {
        match self.budget.checked_sub(nodes) {
            Some(rest) => {
                self.budget = rest;
                Ok(())
            }
            None => fail("evaluation visits too many nodes; use a more direct path"),
        }
    }

    fn sort(&mut self, hits: &mut Vec<Hit>) {
        if hits.len() < 2 {
            return;
        }
        let doc = self.doc;
        let order = self.order.get_or_insert_with(|| {
            let mut order = vec![0; doc.slots().len()];
            for (place, node) in doc.subtree(doc.root()).enumerate() {
                order[node.0 as usize] = place as u32 + 1;
            }
            order
        });
        let key = |hit: &Hit| match hit {
            Hit::Document => (0, 0),
            Hit::Node(id) => (order[id.0 as usize], 0),
            Hit::Attribute(owner, index) => (order[owner.0 as usize], index + 1),
        };
        if !hits.is_sorted_by_key(key) {
            hits.sort_by_key(key);
        }
        hits.dedup();
    }

    // ---- functions and conversions

    fn call(&mut self, function: Function, arguments: &[Expression], context: Context) -> Evaluated<Value> {
        Ok(match function {
            Function::Position => Value::Number(context.position as f64),
            Function::Last => Value::Number(context.size as f64),
            Function::True => Value::Boolean(true),
            Function::False => Value::Boolean(false),
            Function::Not => Value::Boolean(!self.truth(&arguments[0], context)?),
            Function::Boolean => Value::Boolean(self.truth(&arguments[0], context)?),
            Function::Count => Value::Number(self.nodes(&arguments[0], context)?.len() as f64),
            Function::Sum => {
                let hits = self.nodes(&arguments[0], context)?;
                Value::Number(hits.iter().map(|hit| to_number(&hit.text(self.doc))).sum())
            }
            Function::Name | Function::LocalName => {
                let hit = match arguments.first() {
                    Some(argument) => self.nodes(argument, context)?.first().copied(),
                    None => Some(context.hit),
                };
                let name = hit.map_or("", |hit| hit.name(self.doc));
                let local = name.rsplit(':').next().unwrap_or(name);
                Value::Text(if function == Function::Name { name } else { local }.to_owned())
            }
            Function::Number => Value::Number(match arguments.first() {
                Some(argument) => self.number(argument, context)?,
                None => to_number(&context.hit.text(self.doc)),
            }),
            Function::Floor => Value::Number(self.number(&arguments[0], context)?.floor()),
            Function::Ceiling => Value::Number(self.number(&arguments[0], context)?.ceil()),
            Function::Round => Value::Number((self.number(&arguments[0], context)? + 0.5).floor()),
            _ => self.text_function(function, arguments, context)?,
        })
    }

    fn text_function(
        &mut self,
        function: Function,
        arguments: &[Expression],
        context: Context,
    ) -> Evaluated<Value> {
        let mut texts = Vec::with_capacity(arguments.len().max(1));
        for argument in arguments {
            texts.push(self.text(argument, context)?);
        }
        if texts.is_empty() {
            texts.push(context.hit.text(self.doc));
        }
        Ok(match function {
            Function::Contains => Value::Boolean(texts[0].contains(texts[1].as_str())),
            Function::StartsWith => Value::Boolean(texts[0].starts_with(texts[1].as_str())),
            Function::Concat => Value::Text(texts.concat()),
            Function::SubstringBefore => Value::Text(
                texts[0].split_once(texts[1].as_str()).map_or("", |(before, _)| before).to_owned(),
            ),
            Function::SubstringAfter => {
                Value::Text(texts[0].split_once(texts[1].as_str()).map_or("", |(_, after)| after).to_owned())
            }
            Function::Substring => {
                let start = (to_number(&texts[1]) + 0.5).floor();
                let end =
                    texts.get(2).map_or(f64::INFINITY, |length| start + (to_number(length) + 0.5).floor());
                let characters = texts[0].chars().zip(1u32..).filter(|(_, n)| {
                    let place = f64::from(*n);
                    place >= start && place < end
                });
                Value::Text(characters.map(|(character, _)| character).collect())
            }
            Function::StringLength => Value::Number(texts[0].chars().count() as f64),
            Function::NormalizeSpace => {
                Value::Text(texts[0].split_ascii_whitespace().collect::<Vec<_>>().join(" "))
            }
            Function::Translate => {
                let (from, to): (Vec<char>, Vec<char>) =
                    (texts[1].chars().collect(), texts[2].chars().collect());
                let translate = |c: char| match from.iter().position(|candidate| *candidate == c) {
                    Some(place) => to.get(place).copied(),
                    None => Some(c),
                };
                Value::Text(texts[0].chars().filter_map(translate).collect())
            }
            _ => Value::Text(std::mem::take(&mut texts[0])),
        })
    }

    fn as_number(&self, value: &Value) -> f64 {
        match value {
            Value::Number(number) => *number,
            Value::Boolean(truth) => f64::from(u8::from(*truth)),
            other => to_number(&self.as_text(other)),
        }
    }

    fn as_text(&self, value: &Value) -> String {
        match value {
            Value::Nodes(hits) => hits.first().map_or(String::new(), |hit| hit.text(self.doc)),
            Value::Text(text) => text.clone(),
            Value::Boolean(truth) => truth.to_string(),
            Value::Number(number) if number.is_infinite() => {
                if *number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
            }
            Value::Number(number) if *number == 0.0 => "0".to_owned(),
            Value::Number(number) => number.to_string(),
        }
    }

    fn compare(&mut self, comparison: Comparison, a: &Value, b: &Value) -> Evaluated<bool> {
        let doc = self.doc;
        match (a, b) {
            (Value::Nodes(left), Value::Nodes(right)) => {
                self.spend(left.len() as u64 * right.len() as u64)?;
                let right: Vec<String> = right.iter().map(|hit| hit.text(doc)).collect();
                Ok(left.iter().any(|hit| {
                    let text = hit.text(doc);
                    right.iter().any(|other| compare_texts(comparison, &text, other))
                }))
            }
            (Value::Nodes(_), Value::Boolean(_)) | (Value::Boolean(_), Value::Nodes(_)) => {
                Ok(compare_booleans(comparison, as_boolean(a), as_boolean(b)))
            }
            (Value::Nodes(hits), other) => {
                Ok(hits.iter().any(|hit| self.compare_plain(comparison, &Value::Text(hit.text(doc)), other)))
            }
            (other, Value::Nodes(hits)) => {
                Ok(hits.iter().any(|hit| self.compare_plain(comparison, other, &Value::Text(hit.text(doc)))))
            }
            _ => Ok(self.compare_plain(comparison, a, b)),
        }
    }

    fn compare_plain(&self, comparison: Comparison, a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Boolean(_), _) | (_, Value::Boolean(_)) => {
                compare_booleans(comparison, as_boolean(a), as_boolean(b))
            }
            (Value::Text(a), Value::Text(b)) => compare_texts(comparison, a, b),
            _ => compare_numbers(comparison, self.as_number(a), self.as_number(b)),
        }
    }
}

fn compare_texts(comparison: Comparison, a: &str, b: &str) -> bool {
    match comparison {
        Comparison::Equal => a == b,
        Comparison::NotEqual => a != b,
        _ => compare_numbers(comparison, to_number(a), to_number(b)),
    }
}

fn compare_booleans(comparison: Comparison, a: bool, b: bool) -> bool {
    compare_numbers(comparison, f64::from(u8::from(a)), f64::from(u8::from(b)))
}

fn compare_numbers(comparison: Comparison, a: f64, b: f64) -> bool {
    match comparison {
        Comparison::Equal => a == b,
        Comparison::NotEqual => a != b,
        Comparison::Less => a < b,
        Comparison::LessOrEqual => a <= b,
        Comparison::Greater => a > b,
        Comparison::GreaterOrEqual => a >= b,
    }
}

fn passes(doc: &Document, test: &Test, axis: Axis, hit: Hit) -> bool {
    match (test, hit) {
        (Test::AnyNode, _) => true,
        (Test::Name(name), Hit::Node(id)) => doc.kind(id) == NodeKind::Element && doc.name(id) == name,
        (Test::Name(name), Hit::Attribute(..)) => axis == Axis::Attribute && hit.name(doc) == name,
        (Test::AnyName, Hit::Node(id)) => doc.kind(id) == NodeKind::Element,
        (Test::AnyName, Hit::Attribute(..)) => axis == Axis::Attribute,
        (Test::Text, Hit::Node(id)) => doc.kind(id) == NodeKind::Text,
        (Test::Comment, Hit::Node(id)) => doc.kind(id) == NodeKind::Comment,
        _ => false,
    }
}

fn parent(doc: &Document, hit: Hit) -> Option<Hit> {
    match hit {
        Hit::Document => None,
        Hit::Attribute(owner, _) => Some(Hit::Node(owner)),
        Hit::Node(id) => Some(doc.parent(id).map_or(Hit::Document, Hit::Node)),
    }
}

fn ancestors(doc: &Document, hit: Hit) -> impl Iterator<Item = Hit> + '_ {
    std::iter::successors(parent(doc, hit), move |above| parent(doc, *above))
}

fn as_boolean(value: &Value) -> bool {
    match value {
        Value::Nodes(hits) => !hits.is_empty(),
        Value::Text(text) => !text.is_empty(),
        Value::Number(number) => *number != 0.0 && !number.is_nan(),
        Value::Boolean(truth) => *truth,
    }
}

/// XPath knows only plain decimal numbers: no exponent, no plus sign.
fn to_number(text: &str) -> f64 {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return f64::NAN;
    }
    text.parse().unwrap_or(f64::NAN)
}

fn fail<T>(message: &str) -> Evaluated<T> {
    Err(XPathError { column: 0, message: message.into() })
}

#[cfg(test)]
mod tests {
    use crate::Document;
    use crate::xpath::{XPath, literal, select};

    const CIB: &str = r#"<cib><configuration><resources>
        <group id="g"><primitive id="a" class="ocf" type="Dummy"/><primitive id="b" class="lsb"/></group>
        <primitive id="c" class="ocf"><meta_attributes id="c-m"><nvpair id="n" name="x" value="5">t</nvpair>
        </meta_attributes></primitive><!--note-->
        </resources><constraints/></configuration><status/></cib>"#;

    fn ids(expression: &str) -> String {
        let doc = Document::parse(CIB).expect("sample");
        let hits = select(&doc, expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        let ids: Vec<&str> =
            hits.iter().map(|id| doc.attribute(*id, "id").unwrap_or(doc.name(*id))).collect();
        ids.join(" ")
    }

    #[test]
    fn selects_elements() {
        for (expression, expected) in [
            ("/", "cib"),
            ("/cib", "cib"),
            ("//primitive", "a b c"),
            ("//primitive[@id='b']", "b"),
            ("//primitive[@class=\"ocf\"]", "a c"),
            ("//primitive[@class='ocf' and @type='Dummy']", "a"),
            ("//primitive[@type or not(@class='ocf')]", "a b"),
            ("/cib/configuration/resources/*", "g c"),
            ("//group/primitive[2]", "b"),
            ("//primitive[1]", "a c"),
            ("(//primitive)[1]", "a"),
            ("//primitive[last()]", "b c"),
            ("//primitive[position() > 1]", "b"),
            ("//primitive/@id", "a b c"),
            ("//@name", "n"),
            ("//nvpair[@value > 4]", "n"),
            ("//nvpair[text()='t']/../..", "c"),
            ("//nvpair/ancestor::primitive", "c"),
            ("//primitive[contains(@id,'b')] | //group | //primitive[starts-with(@class,'l')]", "g b"),
            ("//primitive[.//nvpair]", "c"),
            ("//primitive[count(*)=0]", "a b"),
            ("//*[@id='a']/following-sibling::*", "b"),
            ("//primitive[@id='c']/preceding::primitive", "a b"),
            ("/cib/status | /cib/configuration/constraints", "constraints status"),
            ("//resources/comment()", "resources"),
            ("//*[self::group or self::constraints]", "g constraints"),
            ("//*[name()='status']", "status"),
            ("descendant::group", "g"),
            ("//nothing", ""),
            ("//primitive[@id!='a'][@class='ocf']", "c"),
            ("//*[local-name()='nvpair' and string-length(@value)=1 and @value*2=10]", "n"),
        ] {
            assert_eq!(ids(expression), expected, "{expression}");
        }
    }

    #[test]
    fn refuses_nonsense() {
        for expression in [
            "", "//", "//a[", "//a]", "a b", "$x", "foo()", "not()", "'a", "//a[@]", "1", "axis::a", "#",
            "a/",
        ] {
            let doc = Document::parse(CIB).expect("sample");
            select(&doc, expression).expect_err(expression);
        }
        let deep = format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000));
        XPath::compile(&deep).expect_err("deep");
        XPath::compile(&format!("1{}", "+1".repeat(5_000))).expect_err("long");
        XPath::compile(&format!("{}1", "-".repeat(5_000))).expect("signs cost nothing");
    }

    #[test]
    fn literals_survive_quotes() {
        for text in ["plain", "it's", "a \"b\"", "both ' and \""] {
            let mut doc = Document::new("a");
            doc.set_attribute(doc.root(), "x", text);
            let expression = format!("//a[@x={}]", literal(text));
            assert_eq!(select(&doc, &expression).expect("valid").len(), 1, "{expression}");
        }
    }
}
