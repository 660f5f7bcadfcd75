//! Tokens to expression tree, by recursive descent with a bounded depth.

use super::XPathError;
use super::lexer::{Token, tokens};

#[derive(Clone, Debug)]
pub(super) enum Expression {
    Or(Box<Expression>, Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Compare(Comparison, Box<Expression>, Box<Expression>),
    Arithmetic(&'static str, Box<Expression>, Box<Expression>),
    Negative(Box<Expression>),
    Union(Box<Expression>, Box<Expression>),
    Path(Path),
    Literal(String),
    Number(f64),
    Call(Function, Vec<Expression>),
    /// `@name = 'value'`, by far the most frequent predicate.
    AttributeIs(String, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) start: Start,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) enum Start {
    Root,
    Context,
    /// A parenthesised or computed node set with its predicates.
    Filter(Box<Expression>, Vec<Expression>),
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) axis: Axis,
    pub(super) test: Test,
    pub(super) predicates: Vec<Expression>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Child,
    Descendant,
    DescendantOrSelf,
    This,
    Parent,
    Ancestor,
    AncestorOrSelf,
    FollowingSibling,
    PrecedingSibling,
    Following,
    Preceding,
    Attribute,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Name(String),
    AnyName,
    AnyNode,
    Text,
    Comment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Position,
    Last,
    Count,
    Sum,
    Name,
    LocalName,
    String,
    Concat,
    Contains,
    StartsWith,
    SubstringBefore,
    SubstringAfter,
    Substring,
    StringLength,
    NormalizeSpace,
    Translate,
    Boolean,
    Not,
    True,
    False,
    Number,
    Floor,
    Ceiling,
    Round,
}

/// Functions with the least and the greatest number of arguments.
const FUNCTIONS: [(&str, Function, usize, usize); 24] = [
    ("position", Function::Position, 0, 0),
    ("last", Function::Last, 0, 0),
    ("count", Function::Count, 1, 1),
    ("sum", Function::Sum, 1, 1),
    ("name", Function::Name, 0, 1),
    ("local-name", Function::LocalName, 0, 1),
    ("string", Function::String, 0, 1),
    ("concat", Function::Concat, 2, 1000),
    ("contains", Function::Contains, 2, 2),
    ("starts-with", Function::StartsWith, 2, 2),
    ("substring-before", Function::SubstringBefore, 2, 2),
    ("substring-after", Function::SubstringAfter, 2, 2),
    ("substring", Function::Substring, 2, 3),
    ("string-length", Function::StringLength, 0, 1),
    ("normalize-space", Function::NormalizeSpace, 0, 1),
    ("translate", Function::Translate, 3, 3),
    ("boolean", Function::Boolean, 1, 1),
    ("not", Function::Not, 1, 1),
    ("true", Function::True, 0, 0),
    ("false", Function::False, 0, 0),
    ("number", Function::Number, 0, 1),
    ("floor", Function::Floor, 1, 1),
    ("ceiling", Function::Ceiling, 1, 1),
    ("round", Function::Round, 1, 1),
];

const AXES: [(&str, Axis); 12] = [
    ("child", Axis::Child),
    ("descendant", Axis::Descendant),
    ("descendant-or-self", Axis::DescendantOrSelf),
    ("self", Axis::This),
    ("parent", Axis::Parent),
    ("ancestor", Axis::Ancestor),
    ("ancestor-or-self", Axis::AncestorOrSelf),
    ("following-sibling", Axis::FollowingSibling),
    ("preceding-sibling", Axis::PrecedingSibling),
    ("following", Axis::Following),
    ("preceding", Axis::Preceding),
    ("attribute", Axis::Attribute),
];

const MAX_LENGTH: usize = 16_384;
const MAX_DEPTH: usize = 40;
/// Operators chained on one level make the tree deep as well.
const MAX_CHAIN: usize = 500;

pub(super) fn parse(text: &str) -> Result<Expression, XPathError> {
    if text.len() > MAX_LENGTH {
        let message = format!("the expression has more than {MAX_LENGTH} bytes");
        return Err(XPathError { column: 1, message });
    }
    let mut parser =
        Parser { tokens: tokens(text)?, at: 0, end: text.chars().count() as u32 + 1, depth: 0, chained: 0 };
    let expression = parser.or()?;
    match parser.peek() {
        None => Ok(expression),
        Some(_) => parser.fail("the expression should end here"),
    }
}

struct Parser {
    tokens: Vec<(Token, u32)>,
    at: usize,
    end: u32,
    depth: usize,
    chained: usize,
}

type Parsed<T> = Result<T, XPathError>;

impl Parser {
    fn or(&mut self) -> Parsed<Expression> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail("too deeply nested");
        }
        let result = self.chain(&["or"], Self::and, |_, left, right| Expression::Or(left, right));
        self.depth -= 1;
        result
    }

    fn and(&mut self) -> Parsed<Expression> {
        self.chain(&["and"], Self::equality, |_, left, right| Expression::And(left, right))
    }

    fn equality(&mut self) -> Parsed<Expression> {
        self.chain(&["=", "!="], Self::relational, |operator, left, right| {
            let comparison = if operator == "=" { Comparison::Equal } else { Comparison::NotEqual };
            compare(comparison, left, right)
        })
    }

    fn relational(&mut self) -> Parsed<Expression> {
        self.chain(&["<", "<=", ">", ">="], Self::additive, |operator, left, right| {
            let comparison = match operator {
                "<" => Comparison::Less,
                "<=" => Comparison::LessOrEqual,
                ">" => Comparison::Greater,
                _ => Comparison::GreaterOrEqual,
            };
            compare(comparison, left, right)
        })
    }

    fn additive(&mut self) -> Parsed<Expression> {
        self.chain(&["+", "-"], Self::multiplicative, Expression::Arithmetic)
    }

    fn multiplicative(&mut self) -> Parsed<Expression> {
        self.chain(&["*", "div", "mod"], Self::unary, Expression::Arithmetic)
    }

    fn unary(&mut self) -> Parsed<Expression> {
        let mut negative = false;
        while self.take_operator("-") {
            negative = !negative;
        }
        let operand = self.union()?;
        Ok(if negative { Expression::Negative(Box::new(operand)) } else { operand })
    }

    fn union(&mut self) -> Parsed<Expression> {
        self.chain(&["|"], Self::path, |_, left, right| Expression::Union(left, right))
    }

    /// `operand (operator operand)*`, grouped from the left.
    fn chain(
        &mut self,
        operators: &[&'static str],
        operand: fn(&mut Self) -> Parsed<Expression>,
        build: fn(&'static str, Box<Expression>, Box<Expression>) -> Expression,
    ) -> Parsed<Expression> {
        let mut left = operand(self)?;
        while let Some(operator) = operators.iter().copied().find(|operator| self.take_operator(operator)) {
            self.chained += 1;
            if self.chained > MAX_CHAIN {
                return self.fail("too many operators");
            }
            left = build(operator, Box::new(left), Box::new(operand(self)?));
        }
        Ok(left)
    }

    fn path(&mut self) -> Parsed<Expression> {
        if self.take_operator("//") {
            let mut steps = vec![any_descendant()];
            self.steps(&mut steps)?;
            return Ok(path(Start::Root, steps));
        }
        if self.take_operator("/") {
            let mut steps = Vec::new();
            if self.at_step() {
                self.steps(&mut steps)?;
            }
            return Ok(path(Start::Root, steps));
        }
        if !self.at_primary() {
            let mut steps = Vec::new();
            self.steps(&mut steps)?;
            return Ok(path(Start::Context, steps));
        }
        let primary = self.primary()?;
        let predicates = self.predicates()?;
        let mut steps = Vec::new();
        if self.take_operator("//") {
            steps.push(any_descendant());
            self.steps(&mut steps)?;
        } else if self.take_operator("/") {
            self.steps(&mut steps)?;
        }
        if predicates.is_empty() && steps.is_empty() {
            return Ok(primary);
        }
        Ok(path(Start::Filter(Box::new(primary), predicates), steps))
    }

    fn steps(&mut self, steps: &mut Vec<Step>) -> Parsed<()> {
        loop {
            let step = self.step()?;
            steps.push(step);
            if self.take_operator("//") {
                steps.push(any_descendant());
            } else if !self.take_operator("/") {
                return Ok(());
            }
        }
    }

    fn step(&mut self) -> Parsed<Step> {
        if self.take_operator(".") {
            return Ok(Step { axis: Axis::This, test: Test::AnyNode, predicates: vec![] });
        }
        if self.take_operator("..") {
            return Ok(Step { axis: Axis::Parent, test: Test::AnyNode, predicates: vec![] });
        }
        let axis = self.axis()?;
        let test = self.test()?;
        let predicates = self.predicates()?;
        Ok(Step { axis, test, predicates })
    }

    fn axis(&mut self) -> Parsed<Axis> {
        if self.take_operator("@") {
            return Ok(Axis::Attribute);
        }
        if let (Some(Token::Name(name)), Some(Token::Operator("::"))) = (self.peek(), self.peek_at(1)) {
            let Some((_, axis)) = AXES.iter().find(|(known, _)| known == name) else {
                return self.fail("there is no such axis");
            };
            let axis = *axis;
            self.at += 2;
            return Ok(axis);
        }
        Ok(Axis::Child)
    }

    fn test(&mut self) -> Parsed<Test> {
        match self.peek().cloned() {
            Some(Token::Star) => {
                self.at += 1;
                Ok(Test::AnyName)
            }
            Some(Token::Name(name)) if self.peek_at(1) == Some(&Token::Operator("(")) => {
                let test = match name.as_str() {
                    "node" => Test::AnyNode,
                    "text" => Test::Text,
                    "comment" => Test::Comment,
                    _ => return self.fail("a node test is expected here"),
                };
                self.at += 2;
                self.expect(")")?;
                Ok(test)
            }
            Some(Token::Name(name)) => {
                self.at += 1;
                Ok(Test::Name(name))
            }
            _ => self.fail("a name is expected here"),
        }
    }

    fn predicates(&mut self) -> Parsed<Vec<Expression>> {
        let mut predicates = Vec::new();
        while self.take_operator("[") {
            predicates.push(self.or()?);
            self.expect("]")?;
        }
        Ok(predicates)
    }

    fn primary(&mut self) -> Parsed<Expression> {
        match self.peek().cloned() {
            Some(Token::Literal(text)) => {
                self.at += 1;
                Ok(Expression::Literal(text))
            }
            Some(Token::Number(value)) => {
                self.at += 1;
                Ok(Expression::Number(value))
            }
            Some(Token::Operator("(")) => {
                self.at += 1;
                let inner = self.or()?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(Token::Name(name)) => self.call(&name),
            _ => self.fail("a value is expected here"),
        }
    }

    fn call(&mut self, name: &str) -> Parsed<Expression> {
        let Some((_, function, least, greatest)) = FUNCTIONS.iter().find(|known| known.0 == name) else {
            return self.fail("there is no such function");
        };
        let start = self.at;
        self.at += 2;
        let mut arguments = Vec::new();
        if !self.take_operator(")") {
            loop {
                arguments.push(self.or()?);
                if !self.take_operator(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        if arguments.len() < *least || arguments.len() > *greatest {
            self.at = start;
            return self.fail("wrong number of arguments");
        }
        Ok(Expression::Call(*function, arguments))
    }

    fn at_primary(&self) -> bool {
        match self.peek() {
            Some(Token::Literal(_) | Token::Number(_) | Token::Operator("(")) => true,
            Some(Token::Name(name)) => {
                self.peek_at(1) == Some(&Token::Operator("("))
                    && !matches!(name.as_str(), "node" | "text" | "comment")
            }
            _ => false,
        }
    }

    fn at_step(&self) -> bool {
        matches!(self.peek(), Some(Token::Name(_) | Token::Star | Token::Operator("." | ".." | "@")))
    }

    fn peek(&self) -> Option<&Token> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|(token, _)| token)
    }

    fn take_operator(&mut self, operator: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Operator(token)) if *token == operator);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, operator: &str) -> Parsed<()> {
        if self.take_operator(operator) {
            Ok(())
        } else {
            self.fail(&format!("'{operator}' is expected here"))
        }
    }

    fn fail<T>(&self, message: &str) -> Parsed<T> {
        let column = self.tokens.get(self.at).map_or(self.end, |(_, column)| *column);
        Err(XPathError { column, message: message.into() })
    }
}

fn any_descendant() -> Step {
    Step { axis: Axis::DescendantOrSelf, test: Test::AnyNode, predicates: vec![] }
}

fn compare(comparison: Comparison, left: Box<Expression>, right: Box<Expression>) -> Expression {
    if comparison == Comparison::Equal {
        match (&*left, &*right) {
            (Expression::Path(path), Expression::Literal(value))
            | (Expression::Literal(value), Expression::Path(path)) => {
                if let Some(name) = own_attribute(path) {
                    return Expression::AttributeIs(name.to_owned(), value.clone());
                }
            }
            _ => {}
        }
    }
    Expression::Compare(comparison, left, right)
}

fn own_attribute(path: &Path) -> Option<&str> {
    match (&path.start, path.steps.as_slice()) {
        (Start::Context, [Step { axis: Axis::Attribute, test: Test::Name(name), predicates }])
            if predicates.is_empty() =>
        {
            Some(name)
        }
        _ => None,
    }
}

/// `//x[p]` means `descendant-or-self::node()/child::x[p]`; where no predicate counts positions it is the
/// same as `descendant::x[p]`, which needs one pass.
fn path(start: Start, steps: Vec<Step>) -> Expression {
    let mut joined: Vec<Step> = Vec::with_capacity(steps.len());
    for mut step in steps {
        let after_any = joined.last().is_some_and(|last| {
            last.axis == Axis::DescendantOrSelf && last.test == Test::AnyNode && last.predicates.is_empty()
        });
        if after_any && step.axis == Axis::Child && !step.predicates.iter().any(counts_positions) {
            joined.pop();
            step.axis = Axis::Descendant;
        }
        joined.push(step);
    }
    Expression::Path(Path { start, steps: joined })
}

fn counts_positions(predicate: &Expression) -> bool {
    fn mentions(expression: &Expression) -> bool {
        match expression {
            Expression::Call(Function::Position | Function::Last, _) => true,
            Expression::Call(_, arguments) => arguments.iter().any(mentions),
            Expression::Or(a, b)
            | Expression::And(a, b)
            | Expression::Compare(_, a, b)
            | Expression::Arithmetic(_, a, b)
            | Expression::Union(a, b) => mentions(a) || mentions(b),
            Expression::Negative(a) => mentions(a),
            // positions inside a path belong to that path
            _ => false,
        }
    }
    let is_number = matches!(
        predicate,
        Expression::Number(_)
            | Expression::Arithmetic(..)
            | Expression::Negative(_)
            | Expression::Call(
                Function::Count
                    | Function::Sum
                    | Function::StringLength
                    | Function::Number
                    | Function::Floor
                    | Function::Ceiling
                    | Function::Round,
                _
            )
    );
    is_number || mentions(predicate)
}
