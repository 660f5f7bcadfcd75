//! The tree as its users see it: text in, text out, changes in between, and nothing ever panics.

use proptest::prelude::*;
use xml::diff::{AttributeOrder, Change, apply, diff};
use xml::{Document, NodeId, NodeKind};

fn parse(text: &str) -> Document {
    Document::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn refused(text: &str) -> String {
    Document::parse(text).expect_err(text).to_string()
}

#[test]
fn prints_both_forms() {
    let doc = parse("<?xml version=\"1.0\"?>\n<a x='1'>\n <b/> <!--hi--> <c>t &amp; u</c>\n</a>\n");
    assert_eq!(doc.to_string(), r#"<a x="1"><b/><!--hi--><c>t &amp; u</c></a>"#);
    assert_eq!(doc.to_pretty(), "<a x=\"1\">\n  <b/>\n  <!--hi-->\n  <c>t &amp; u</c>\n</a>\n");
    assert_eq!(parse("<a/>").to_pretty(), "<a/>\n");
}

#[test]
fn text_keeps_its_blanks_when_indented() {
    let doc = parse("<a><b> x <i>y</i> z </b><c/></a>");
    assert_eq!(doc.to_pretty(), "<a>\n  <b> x <i>y</i> z </b>\n  <c/>\n</a>\n");
    assert_eq!(parse(&doc.to_pretty()), doc);
}

#[test]
fn escapes_what_would_be_lost() {
    let mut doc = Document::new("a");
    doc.set_attribute(doc.root(), "v", "<>&\"'\t\n\r\u{1}\u{fffe}ü");
    assert_eq!(doc.to_string(), "<a v=\"&lt;&gt;&amp;&quot;'&#9;&#10;&#13;\u{fffd}\u{fffd}ü\"/>");
    let again = parse(&doc.to_string());
    assert_eq!(again.attribute(again.root(), "v"), Some("<>&\"'\t\n\r\u{fffd}\u{fffd}ü"));
    doc.append_comment(doc.root(), "--a--b-");
    parse(&doc.to_string());
}

#[test]
fn knows_lines_and_columns() {
    let doc = parse("<a>\n  <b/>\n\n <ü>ö</ü><c/></a>");
    let places: Vec<_> = doc.descendants(doc.root()).map(|id| (doc.line(id), doc.column(id))).collect();
    assert_eq!(places, [(1, 1), (2, 3), (4, 2), (4, 10)]);
}

#[test]
fn refuses_with_a_place() {
    assert_eq!(refused("<a>\n <b></c></a>").split(':').next(), Some("line 2, column 5"));
    assert!(refused("<a>\n<b>").contains("element b (line 2) is still open"));
    for text in [
        "",
        "  ",
        "x",
        "<a b='<'/>",
        "<a/><b/>",
        "<a b='1' b='2'/>",
        "<a><b x='1' y='2'/><b x='1' y='2' x='3'/></a>",
        "<a><b x='1' y='2'/><b x='1' x='2'/></a>",
        "<a b=1/>",
        "<a>&nope;</a>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        "<a>\u{1}</a>",
        "<a b='&#0;'/>",
        "<a b='\0'/>",
        "<a><!-- -- --></a>",
    ] {
        refused(text);
    }
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    refused(&deep);
    let wide = format!("<a {}/>", (0..5000).map(|n| format!("a{n}='1' ")).collect::<String>());
    assert!(refused(&wide).contains("more than 2000 attributes"));
    assert!(
        Document::parse_bytes(b"<a>\n\xff</a>").expect_err("bad").to_string().starts_with("line 2, column 1")
    );
}

#[test]
fn a_document_type_is_tolerated() {
    let doc =
        parse("<?xml version=\"1.0\"?><!DOCTYPE resource-agent SYSTEM \"ra-api-1.dtd\"><resource-agent/>");
    assert_eq!(doc.name(doc.root()), "resource-agent");
}

#[test]
fn changes_keep_order() {
    let mut doc = parse("<a><b id='1'/><!--c--><d id='2'/></a>");
    let root = doc.root();
    let new = doc.insert_element(root, 1, "new");
    doc.set_attribute(new, "x", "1");
    doc.set_attribute(new, "y", "2");
    doc.set_attribute(root, "k", "v");
    doc.set_attribute(new, "x", "3");
    assert_eq!(doc.to_string(), r#"<a k="v"><b id="1"/><new x="3" y="2"/><!--c--><d id="2"/></a>"#);
    let d = doc.child(root, "d").expect("d");
    assert_eq!(doc.position(d), 3);
    assert!(doc.move_to(d, root, Some(0)));
    assert!(!doc.move_to(root, d, None));
    doc.remove_attribute(new, "x");
    let b = doc.child(root, "b").expect("b");
    doc.remove(b);
    assert!(!doc.contains(b) && doc.contains(d));
    assert_eq!(doc.to_string(), r#"<a k="v"><d id="2"/><new y="2"/><!--c--></a>"#);
    let other = parse("<x><y z='1'>t</y><w/></x>");
    doc.import(new, None, &other, other.root());
    assert_eq!(doc.element_to_string(new), r#"<new y="2"><x><y z="1">t</y><w/></x></new>"#);
    assert_eq!(doc.extract(new).to_string(), doc.element_to_string(new));
    doc.duplicate(root, Some(0), new);
    assert_eq!(doc.children(root).count(), 3);
}

#[test]
fn a_document_that_keeps_its_text_changes_like_any_other() {
    let text = format!("<a k='v'>x&amp;y<b id='{}' w='&lt;'/>z<!--c--></a>", "i".repeat(300_000));
    let mut copied = parse(&text);
    let mut owned = Document::parse_owned(text).expect("well-formed");
    for doc in [&mut copied, &mut owned] {
        let b = doc.child(doc.root(), "b").expect("b");
        let clone = doc.clone();
        doc.set_attribute(b, "id", "short");
        doc.set_attribute(b, "new", "1");
        doc.set_attribute(doc.root(), "k", "other");
        assert_ne!(*doc, clone);
        assert_eq!(
            doc.to_string(),
            "<a k=\"other\">x&amp;y<b id=\"short\" w=\"&lt;\" new=\"1\"/>z<!--c--></a>"
        );
    }
    assert_eq!(copied, owned);
}

#[test]
fn patches_of_many_siblings() {
    // a debug build would not live to see the end if each change looked through all siblings
    const MANY: usize = 20_000;
    let document = |children: &mut dyn Iterator<Item = usize>| {
        let mut doc = Document::new("a");
        for number in children {
            let child = doc.append_element(NodeId(0), "b");
            doc.set_attribute(child, "id", &number.to_string());
        }
        doc.append_comment(NodeId(0), "end");
        doc
    };
    let source = document(&mut (0..MANY));
    let mut halves = (0..MANY).step_by(2);
    let mut others = (1..MANY).step_by(6).rev().chain(MANY..MANY + MANY / 2);
    let target = document(&mut (0..).map_while(|n| if n % 2 == 0 { halves.next() } else { others.next() }));
    for (source, target) in [(&source, &target), (&target, &source)] {
        let mut patched = source.clone();
        assert_eq!(apply(&mut patched, &diff(source, target, AttributeOrder::Matters)), []);
        assert_eq!(patched, *target);
    }
}

#[test]
fn a_node_that_a_patch_moves_twice_ends_at_the_last_place() {
    let mut doc = parse("<a><b id='1'/>t<b id='2'/><b id='3'/><b id='4'/></a>");
    let to = |id: u32, position| Change::Move { path: format!("/a/b[@id='{id}']"), position };
    assert_eq!(apply(&mut doc, &[to(4, 0), to(1, 1), to(4, 2), to(3, 9)]), []);
    let ids: Vec<_> = doc.children(doc.root()).filter_map(|child| doc.attribute(child, "id")).collect();
    assert_eq!(ids, ["1", "2", "4", "3"]);
}

#[test]
fn much_changing_does_not_grow_for_ever() {
    let mut doc = Document::new("a");
    for n in 0..200_000 {
        doc.set_attribute(doc.root(), "v", &format!("{n:0100}"));
    }
    for _ in 0..5_000 {
        let child = doc.append_element(doc.root(), "b");
        doc.set_attribute(child, "id", "x");
        doc.remove(child);
    }
    assert!(doc.is_sparse());
    doc.compact();
    assert!(!doc.is_sparse());
    assert_eq!(doc.to_string(), format!("<a v=\"{:0100}\"/>", 199_999));
}

#[derive(Clone, Debug)]
enum Tree {
    Element(String, Vec<(String, String)>, Vec<Tree>),
    Comment(String),
    Text(String),
}

fn tree() -> impl Strategy<Value = Tree> {
    let attributes = proptest::collection::btree_map("[a-e]{1,2}", "[ -~äß\n\t]{0,6}", 0..4);
    let leaf = prop_oneof![
        ("[a-c]", attributes.clone()).prop_map(|(name, attributes)| Tree::Element(
            name,
            attributes.into_iter().collect(),
            vec![]
        )),
        "[a-z ]{0,5}".prop_map(Tree::Comment),
        "[a-z<&>]{1,5}".prop_map(Tree::Text),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        ("[a-c]", attributes.clone(), proptest::collection::vec(inner, 0..5)).prop_map(
            |(name, attributes, children)| Tree::Element(name, attributes.into_iter().collect(), children),
        )
    })
}

fn grow(doc: &mut Document, parent: NodeId, tree: &Tree) {
    match tree {
        Tree::Comment(text) => {
            doc.append_comment(parent, text);
        }
        Tree::Text(text) => {
            // two neighbouring pieces of text would come back as one
            if doc.nodes(parent).last().is_none_or(|last| doc.kind(last) != NodeKind::Text) {
                doc.append_text(parent, text);
            }
        }
        Tree::Element(name, attributes, children) => {
            let element = doc.append_element(parent, name);
            for (name, value) in attributes {
                doc.set_attribute(element, name, value);
            }
            for child in children {
                grow(doc, element, child);
            }
        }
    }
}

/// The root's own text is nothing a patch can change.
fn drop_text(doc: &mut Document, id: NodeId) {
    doc.set_text(id, "");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back(tree in tree()) {
        let mut doc = Document::new("root");
        grow(&mut doc, NodeId(0), &tree);
        prop_assert_eq!(&parse(&doc.to_string()), &doc);
        prop_assert_eq!(&parse(&doc.to_pretty()), &doc);
        prop_assert_eq!(Document::parse_owned(doc.to_string()), Ok(doc.clone()));
        prop_assert_eq!(parse(&doc.to_pretty()).to_pretty(), doc.to_pretty());
        prop_assert_eq!(&doc.extract(doc.root()), &doc);
    }

    #[test]
    fn a_difference_leads_from_one_to_the_other(a in tree(), b in tree()) {
        let (mut source, mut target) = (Document::new("root"), Document::new("root"));
        grow(&mut source, NodeId(0), &a);
        grow(&mut target, NodeId(0), &b);
        drop_text(&mut source, NodeId(0));
        drop_text(&mut target, NodeId(0));
        let forth = diff(&source, &target, AttributeOrder::Matters);
        let back = diff(&target, &source, AttributeOrder::Matters);
        let mut patched = source.clone();
        prop_assert_eq!(apply(&mut patched, &forth), vec![]);
        prop_assert_eq!(&patched, &target);
        prop_assert_eq!(apply(&mut patched, &back), vec![]);
        prop_assert_eq!(&patched, &source);
    }

    #[test]
    fn broken_input_never_panics(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..12)
    ) {
        let mut bytes = SAMPLE.as_bytes().to_vec();
        for (index, byte, kind) in edits {
            if bytes.len() < 2 {
                break;
            }
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => { bytes.remove(at); }
                _ => bytes.truncate(at.max(1)),
            }
        }
        if let Ok(doc) = Document::parse_bytes(&bytes) {
            prop_assert_eq!(&parse(&doc.to_pretty()), &doc);
        }
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert_eq!(Document::parse(&text), Document::parse_owned(text));
        }
    }
}

const SAMPLE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE cib [ <!ELEMENT cib ANY> ]>
<cib epoch="1" num_updates="0"><configuration><crm_config>
 <cluster_property_set id="a&#10;b"><nvpair id='x' name="y" value="&lt;z&gt;"/></cluster_property_set>
 <!-- a comment --> <![CDATA[ some text ]]> <?pi data?> </crm_config></configuration><status/></cib>
"#;

/// What the strict parser of another library makes of the same bytes.
fn accepted_elsewhere(input: &str) -> bool {
    uppsala::PullParser::with_namespace_aware(input, false)
        .with_forbid_entities(true)
        .all(|event| event.is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn accepts_what_others_accept(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), "[ -~\r\n\tä]{0,2}", any::<bool>()), 1..4)
    ) {
        let body = &SAMPLE[SAMPLE.find("<cib").expect("the root element")..];
        let mut characters: Vec<char> = body.chars().collect();
        for (index, text, instead) in edits {
            let at = index.index(characters.len());
            characters.splice(at..at + usize::from(instead), text.chars());
        }
        let text: String = characters.into_iter().collect();
        prop_assert_eq!(Document::parse(&text).is_ok(), accepted_elsewhere(&text), "{} {:?}", &text, Document::parse(&text));
    }
}
