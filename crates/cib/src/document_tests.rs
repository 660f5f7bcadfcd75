use proptest::prelude::*;

use super::*;

const START: &str = r#"<cib admin_epoch="0" epoch="7" num_updates="3" validate-with="pacemaker-4.0">
  <configuration>
    <crm_config/>
    <nodes><node id="1" uname="n1"/></nodes>
    <resources>
      <primitive id="a" class="ocf" provider="pacemaker" type="Dummy">
        <meta_attributes id="a-meta"><nvpair id="a-meta-prio" name="priority" value="5"/></meta_attributes>
      </primitive>
      <group id="g"><primitive id="b" class="ocf" provider="pacemaker" type="Dummy"/></group>
    </resources>
    <constraints/>
  </configuration>
  <status><node_state id="1" uname="n1" crmd="online"/></status>
</cib>"#;

fn start() -> CibDocument {
    CibDocument::parse(START).expect("sample")
}

fn origin() -> Origin {
    Origin { node: "n1".into(), client: "cibadmin".into(), user: Some("root".into()), ..Origin::default() }
}

fn create(scope: Option<&str>, xml: &str) -> Operation {
    Operation::Create { scope: scope.map(Into::into), xpath: None, xml: xml.into() }
}

fn modify(xml: &str, allow_create: bool) -> Operation {
    Operation::Modify { scope: None, xpath: None, xml: xml.into(), allow_create, score: false }
}

fn replace(scope: Option<&str>, xml: &str) -> Operation {
    Operation::Replace { scope: scope.map(Into::into), xpath: None, xml: xml.into() }
}

fn delete(xml: &str) -> Operation {
    Operation::Delete { scope: None, xml: xml.into() }
}

fn applied(cib: &mut CibDocument, operation: &Operation) -> String {
    let applied =
        cib.apply(operation, &origin()).unwrap_or_else(|refusal| panic!("{refusal}: {operation:?}"));
    assert_eq!(cib.version(), applied.after);
    applied.after.to_string()
}

fn refused(cib: &mut CibDocument, operation: &Operation) -> RefusalCode {
    let before = cib.clone();
    let code = cib.apply(operation, &origin()).expect_err("a refusal").code;
    assert_eq!(*cib, before);
    code
}

fn value(cib: &CibDocument, xpath: &str) -> Vec<String> {
    let document = cib.document();
    let hits = xml::xpath::XPath::compile(xpath).expect("valid").hits(document).expect("nodes");
    hits.into_iter().map(|hit| hit.text(document)).collect()
}

fn query(cib: &CibDocument, scope: Option<&str>, xpath: Option<&str>) -> Result<String, RefusalCode> {
    let query = Query { scope: scope.map(Into::into), xpath: xpath.map(Into::into), ..Query::default() };
    cib.query(&query).map_err(|refusal| refusal.code)
}

#[test]
fn an_empty_cib_has_its_sections() {
    assert_eq!(
        CibDocument::empty("pacemaker-4.0", "3.20.0").to_file(),
        "<cib crm_feature_set=\"3.20.0\" validate-with=\"pacemaker-4.0\" admin_epoch=\"0\" epoch=\"1\" num_updates=\"0\">
  <configuration>
    <crm_config/>
    <nodes/>
    <resources/>
    <constraints/>
  </configuration>
  <status/>
</cib>
"
    );
    assert_eq!(CibDocument::parse("<x/>").expect_err("no cib").code, RefusalCode::Schema);
}

#[test]
fn create_adds_once() {
    let mut cib = start();
    let new = r#"<primitive id="c" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    assert_eq!(applied(&mut cib, &create(Some("resources"), new)), "0.8.0");
    assert_eq!(refused(&mut cib, &create(Some("resources"), new)), RefusalCode::Exists);
    assert_eq!(value(&cib, "/cib/@update-client"), ["cibadmin"]);
    assert_eq!(value(&cib, "/cib/@cib-last-written"), ["Thu Jan  1 00:00:00 1970"]);
    let tag = r#"<tags><tag id="t"><obj_ref id="a"/></tag></tags>"#;
    assert_eq!(applied(&mut cib, &create(Some("tags"), tag)), "0.9.0");
    assert_eq!(value(&cib, "/cib/configuration/tags/tag/@id"), ["t"]);
    assert_eq!(applied(&mut cib, &create(None, r#"<node id="2" uname="n2"/>"#)), "0.10.0");
    assert_eq!(value(&cib, "/cib/configuration/nodes/node/@uname"), ["n1", "n2"]);
}

#[test]
fn modify_merges_by_id_anywhere() {
    let mut cib = start();
    assert_eq!(applied(&mut cib, &modify(r#"<nvpair id="a-meta-prio" value="6"/>"#, false)), "0.8.0");
    assert_eq!(value(&cib, "//nvpair/@value"), ["6"]);
    assert_eq!(applied(&mut cib, &modify(r#"<nvpair id="a-meta-prio" value="6"/>"#, false)), "0.8.0");
    assert_eq!(applied(&mut cib, &modify(r#"<nvpair id="a-meta-prio" value="value+=10"/>"#, false)), "0.9.0");
    assert_eq!(value(&cib, "//nvpair/@value"), ["16"]);
    let deep = r#"<primitive id="a"><meta_attributes id="a-meta"><nvpair id="n" name="x" value="value++"/>
        </meta_attributes></primitive>"#;
    applied(&mut cib, &modify(deep, false));
    assert_eq!(value(&cib, "//primitive[@id='a']/@type | //nvpair/@value"), ["Dummy", "16", "value++"]);
    assert_eq!(refused(&mut cib, &modify(r#"<primitive id="z"/>"#, false)), RefusalCode::NotFound);
    assert_eq!(refused(&mut cib, &modify("<primitive", false)), RefusalCode::Unparsable);
}

#[test]
fn status_changes_count_updates() {
    let mut cib = start();
    let join = r#"<status><node_state id="1" join="member"/><node_state id="2" uname="n2"/></status>"#;
    assert_eq!(applied(&mut cib, &modify(join, true)), "0.7.4");
    assert_eq!(applied(&mut cib, &modify(join, true)), "0.7.4");
    assert_eq!(value(&cib, "//node_state/@uname"), ["n1", "n2"]);
    assert_eq!(value(&cib, "/cib/@update-client"), [""; 0]);
    let gone = |xpath: &str| Operation::DeleteXpath { xpath: xpath.into(), all: true };
    assert_eq!(applied(&mut cib, &gone("/cib/status/node_state[@id='2']")), "0.7.5");
    assert_eq!(applied(&mut cib, &gone("/cib/status/node_state[@id='2']")), "0.7.5");
    assert_eq!(refused(&mut cib, &gone("/cib")), RefusalCode::Invalid);
    assert_eq!(refused(&mut cib, &gone("//node_state/@id")), RefusalCode::Invalid);
    assert_eq!(refused(&mut cib, &gone("//node_state[")), RefusalCode::Invalid);
}

#[test]
fn versions_never_go_back() {
    let mut cib = start();
    assert_eq!(refused(&mut cib, &modify(r#"<cib epoch="3"/>"#, false)), RefusalCode::OldVersion);
    assert_eq!(applied(&mut cib, &modify(r#"<cib epoch="30"/>"#, false)), "0.30.3");
    assert_eq!(applied(&mut cib, &Operation::Bump), "0.31.0");
    let older = cib.to_file().replace("epoch=\"31\"", "epoch=\"9\"");
    assert_eq!(refused(&mut cib, &replace(None, &older)), RefusalCode::OldVersion);
    let newer = cib.to_file().replace("epoch=\"31\"", "epoch=\"90\"");
    assert_eq!(applied(&mut cib, &replace(None, &newer)), "0.90.0");
}

/// Rule 4.23.2, as the reference's tools do it: else the one part of a split cluster would outrun the changes made
/// in the other by just electing a coordinator.
#[test]
fn attributes_of_the_root_make_no_new_epoch_but_are_checked() {
    let mut cib = start();
    assert_eq!(applied(&mut cib, &modify(r#"<cib have-quorum="1"/>"#, false)), "0.7.4");
    assert_eq!(applied(&mut cib, &modify(r#"<cib remote-tls-port="1"/>"#, false)), "0.7.5");
    assert_eq!(refused(&mut cib, &modify(r#"<cib remote-tls-port="x"/>"#, false)), RefusalCode::Schema);
    assert_eq!(refused(&mut cib, &modify(r#"<cib have-quorum="maybe"/>"#, false)), RefusalCode::Schema);
    assert_eq!(
        refused(&mut cib, &modify(r#"<cib validate-with="pacemaker-9.9"/>"#, false)),
        RefusalCode::Schema
    );
    let patch = r#"<diff format="2"><change operation="modify" path="/cib"><change-list>
        <change-attr name="remote-tls-port" operation="set" value="2"/></change-list><change-result>
        <cib admin_epoch="0" epoch="7" num_updates="5" validate-with="pacemaker-4.0" remote-tls-port="2"/>
        </change-result></change></diff>"#;
    assert_eq!(applied(&mut cib, &Operation::Patch { xml: patch.into() }), "0.7.6");
}

#[test]
fn replace_keeps_status_and_place() {
    let mut cib = start();
    let whole = START.replace("<status><node_state id=\"1\" uname=\"n1\" crmd=\"online\"/></status>", "");
    assert_eq!(applied(&mut cib, &replace(None, &whole)), "0.7.3");
    assert_eq!(value(&cib, "//node_state/@id"), ["1"]);
    let section = r#"<resources><primitive id="z" class="lsb" type="z"/></resources>"#;
    assert_eq!(applied(&mut cib, &replace(Some("resources"), section)), "0.8.0");
    assert_eq!(value(&cib, "/cib/configuration/*[3]/primitive/@id"), ["z"]);
    let element = r#"<primitive id="z" class="lsb" type="y"/>"#;
    assert_eq!(applied(&mut cib, &replace(None, element)), "0.9.0");
    assert_eq!(value(&cib, "//primitive/@type"), ["y"]);
    assert_eq!(refused(&mut cib, &replace(None, "<primitive id='x'/>")), RefusalCode::NotFound);
    assert_eq!(refused(&mut cib, &replace(Some("alerts"), "<primitive id='x'/>")), RefusalCode::NotFound);
    assert_eq!(refused(&mut cib, &replace(Some("alert"), "<alerts/>")), RefusalCode::Invalid);
}

#[test]
fn delete_needs_all_given_attributes() {
    let mut cib = start();
    assert_eq!(applied(&mut cib, &delete(r#"<primitive id="b" class="lsb"/>"#)), "0.7.3");
    assert_eq!(applied(&mut cib, &delete(r#"<primitive class="ocf"/>"#)), "0.8.0");
    assert_eq!(value(&cib, "//primitive/@id"), ["b"]);
}

#[test]
fn a_transaction_is_one_step_or_none() {
    let mut cib = start();
    let good = create(None, r#"<tag id="t"><obj_ref id="a"/></tag>"#);
    let parts = vec![good.clone(), modify(r#"<nvpair id="a-meta-prio" value="1"/>"#, false)];
    assert_eq!(applied(&mut cib, &Operation::Transaction(parts)), "0.8.0");
    let mut cib = start();
    let parts = vec![good, modify(r#"<nvpair id="none" value="1"/>"#, false)];
    assert_eq!(refused(&mut cib, &Operation::Transaction(parts)), RefusalCode::NotFound);
}

#[test]
fn erase_keeps_the_root() {
    let mut cib = start();
    assert_eq!(applied(&mut cib, &Operation::Erase), "0.8.0");
    assert_eq!(value(&cib, "//primitive/@id"), [""; 0]);
    assert_eq!(cib.schema(), "pacemaker-4.0");
}

#[test]
fn queries() {
    let cib = start();
    assert!(query(&cib, None, None).expect("all").starts_with("<cib admin_epoch"));
    assert_eq!(query(&cib, Some("constraints"), None), Ok("<constraints/>\n".into()));
    assert_eq!(query(&cib, Some("alerts"), None), Err(RefusalCode::NotFound));
    assert_eq!(query(&cib, Some("x"), None), Err(RefusalCode::Invalid));
    assert_eq!(query(&cib, None, Some("//node")), Ok("<node id=\"1\" uname=\"n1\"/>\n".into()));
    let two = query(&cib, None, Some("//primitive")).expect("two");
    assert!(
        two.starts_with("<xpath-query>\n  <primitive id=\"a\"") && two.contains("\n  <primitive id=\"b\"")
    );
    let paths = Query { xpath: Some("//primitive".into()), paths_only: true, ..Query::default() };
    assert_eq!(
        cib.query(&paths).expect("paths"),
        "/cib/configuration/resources/primitive[@id='a']
/cib/configuration/resources/group[@id='g']/primitive[@id='b']
"
    );
    let bare = Query { scope: Some("resources".into()), no_children: true, ..Query::default() };
    assert_eq!(cib.query(&bare).expect("bare"), "<resources/>\n");
}

#[test]
fn a_patchset_carries_a_change_to_another_replica() {
    let mut here = start();
    let mut there = start();
    let operation = modify(r#"<nvpair id="a-meta-prio" value="6"/>"#, false);
    let (_, patch) = here.apply_with_patchset(&operation, &origin()).expect("applied");
    let patch = patch.expect("a change");
    let xml = patch.to_document().to_pretty();
    assert_eq!(Patchset::parse(&Document::parse(&xml).expect("xml")).expect("patch"), patch);
    assert!(xml.starts_with("<diff format=\"2\" digest=\""), "{xml}");
    assert_eq!(applied(&mut there, &Operation::Patch { xml: xml.clone() }), "0.8.0");
    assert_eq!(there, here);
    assert_eq!(refused(&mut there, &Operation::Patch { xml: xml.clone() }), RefusalCode::OldVersion);
    let mut behind = CibDocument::parse(&START.replace("epoch=\"7\"", "epoch=\"6\"")).expect("sample");
    assert_eq!(refused(&mut behind, &Operation::Patch { xml: xml.clone() }), RefusalCode::PatchFailed);
    let mut other = CibDocument::parse(&START.replace("n1", "n9")).expect("sample");
    assert_eq!(refused(&mut other, &Operation::Patch { xml }), RefusalCode::DigestMismatch);
    assert_eq!(refused(&mut other, &Operation::Patch { xml: "<diff/>".into() }), RefusalCode::Invalid);
}

/// `crm_diff -c`: where only the order of attributes differs, the digest is that of what the patch makes.
#[test]
fn the_digest_of_a_comparison_fits_what_the_patchset_makes() {
    let parse = |text: &str| Document::parse(text).expect("well-formed");
    let before = parse("<cib admin_epoch='0' epoch='1' num_updates='0'><a id='1' x='2'/></cib>");
    let after = parse("<cib epoch='2' admin_epoch='0' num_updates='0'><a x='2' id='1'/><b id='3'/></cib>");
    let options = crate::patchset::Options { versions: true, digest: true };
    let patch = Patchset::compare(&before, &after, options).expect("a change");
    let made = patch.apply(&before).expect("the digest fits");
    assert!(made.to_string().contains("<b id=\"3\"/>"), "{made}");
    let back = Patchset::compare(&made, &after, crate::patchset::Options::default());
    assert_eq!(back, None);
}

#[test]
fn a_patchset_reads_well() {
    let mut cib = start();
    let before = cib.document().clone();
    let parts = vec![
        delete(r#"<group id="g"/>"#),
        create(None, r#"<tag id="t"><obj_ref id="a"/></tag>"#),
        Operation::Bump,
    ];
    applied(&mut cib, &Operation::Transaction(parts));
    let options = crate::patchset::Options { versions: true, digest: false };
    let text = Patchset::compare(&before, cib.document(), options).expect("a change").to_text();
    assert_eq!(
        text,
        "Diff: --- 0.7.3 2
Diff: +++ 0.8.0 (no digest)
-- /cib/configuration/resources/group[@id='g']
+  /cib:  @epoch=8, @num_updates=0, @cib-last-written=Thu Jan  1 00:00:00 1970, @update-origin=n1, \
         @update-client=cibadmin, @update-user=root
++ /cib/configuration:  <tags>
++                        <tag id=\"t\">
++                          <obj_ref id=\"a\"/>
++                        </tag>
++                      </tags>
"
    );
    assert_eq!(Patchset::compare(&before, &before, options), None);
}

#[test]
fn a_patch_without_versions_fits_any() {
    let edited = START.replace("n1", "n9").replace("epoch=\"7\"", "epoch=\"9\" have-quorum=\"1\"");
    let edited = Document::parse(&edited).expect("sample");
    let options = crate::patchset::Options::default();
    let patch = Patchset::compare(start().document(), &edited, options).expect("a change");
    let mut cib = start();
    applied(&mut cib, &Operation::Bump);
    assert_eq!(applied(&mut cib, &Operation::Patch { xml: patch.to_document().to_string() }), "0.9.0");
    assert_eq!(value(&cib, "//node/@uname | /cib/@have-quorum"), ["1", "n9"]);
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let id = prop_oneof![Just("a"), Just("b"), Just("c"), Just("g"), Just("z")];
    let one = (id, 0..9u8, any::<bool>()).prop_map(|(id, kind, flag)| {
        let primitive = format!(r#"<primitive id="{id}" class="lsb" type="t{flag}"/>"#);
        match kind {
            0 => create(Some("resources"), &primitive),
            1 => modify(&primitive, flag),
            2 => replace(None, &primitive),
            3 => delete(&format!("<primitive id='{id}'/>")),
            4 => Operation::DeleteXpath { xpath: format!("//*[@id='{id}']"), all: flag },
            5 => modify(&format!("<status><node_state id='{id}' x='{flag}'/></status>"), true),
            6 => modify(&format!("<cib dc-uuid='{id}'/>"), flag),
            7 => Operation::DeleteXpath { xpath: format!("/cib/status/node_state[@id='{id}']"), all: flag },
            _ => Operation::Bump,
        }
    });
    proptest::collection::vec(one, 1..12)
}

/// Documents nobody would write: attributes lost or swapped, elements doubled, moved and renamed.
fn mangled() -> impl Strategy<Value = Document> {
    let edit = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..7u8);
    proptest::collection::vec(edit, 1..12).prop_map(|edits| {
        let mut document = Document::parse(START).expect("sample");
        for (one, other, kind) in edits {
            let all: Vec<_> = document.descendants(document.root()).collect();
            let (one, other) = (*one.get(&all), *other.get(&all));
            let names: Vec<String> = document.attributes(other).map(|(name, _)| name.to_owned()).collect();
            match kind {
                0 => names.iter().take(1).for_each(|name| {
                    document.remove_attribute(other, name);
                }),
                1 => names.iter().for_each(|name| document.set_attribute(one, name, "a")),
                2 => document.remove(one),
                3 if document.subtree(one).count() < 30 => {
                    document.duplicate(other, Some(0), one);
                }
                4 => {
                    document.move_to(one, other, None);
                }
                5 if one != document.root() => {
                    let name = document.name(other).to_owned();
                    document.set_name(one, &name);
                }
                _ => document.set_text(one, "text"),
            }
        }
        document
    })
}

/// A CIB, whatever is in it; the root's own text is nothing that a patch can change.
fn patchable(document: Document) -> Option<Document> {
    let mut document = CibDocument::from_document(document).ok()?.into_document();
    document.set_text(document.root(), "");
    // no schema gives it an id, by which patch sets find elements
    document.remove_attribute(document.root(), "id");
    Version::new(0, 7, 3).write_to(&mut document);
    Some(document)
}

/// With the attributes of each element by name: without versions their order does not matter.
fn sorted(document: &Document) -> Document {
    let mut document = document.clone();
    let all: Vec<_> = document.descendants(document.root()).collect();
    for element in all {
        let mut attributes: Vec<(String, String)> =
            document.attributes(element).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        attributes.sort();
        attributes.iter().for_each(|(name, _)| {
            document.remove_attribute(element, name);
        });
        attributes.iter().for_each(|(name, value)| document.set_attribute(element, name, value));
    }
    document
}

/// As it comes out of a file.
fn printed(patch: &Patchset) -> Patchset {
    let text = patch.to_document().to_string();
    let read = Patchset::parse(&Document::parse(&text).expect("well-formed")).expect("a patch set");
    assert_eq!(read, *patch, "{text}");
    read
}

#[test]
fn a_version_that_could_not_be_raised_any_more_is_refused() {
    for attribute in ["admin_epoch", "epoch", "num_updates"] {
        let mut cib = start();
        for value in ["2147483648", "4294967295"] {
            let operation = modify(&format!("<cib {attribute}='{value}'/>"), false);
            let refusal = cib.apply(&operation, &origin()).expect_err("too large");
            assert!(refusal.message.contains(value), "{refusal}");
            assert_eq!(cib, start());
        }
        cib.apply(&modify(&format!("<cib {attribute}='2147483647'/>"), false), &origin())
            .expect("still good");
        let before = cib.version();
        assert!(cib.apply(&Operation::Bump, &origin()).expect("raised").after > before);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Replicas that follow by requests and one that follows by patch sets stay equal, and versions only rise.
    #[test]
    fn replicas_stay_equal(operations in operations()) {
        let (mut first, mut second, mut follower) = (start(), start(), start());
        for operation in operations {
            let before = first.version();
            let result = first.apply_with_patchset(&operation, &origin());
            prop_assert_eq!(second.apply(&operation, &origin()).ok(), result.as_ref().ok().map(|(a, _)| a.clone()));
            prop_assert_eq!(&first, &second);
            prop_assert_eq!(first.digest(), second.digest());
            match result {
                Ok((applied, Some(patch))) => {
                    prop_assert!(applied.after > before);
                    let xml = patch.to_document().to_string();
                    follower.apply(&Operation::Patch { xml }, &origin()).expect("the patch fits");
                }
                _ => prop_assert_eq!(first.version(), before),
            }
            prop_assert_eq!(&first, &follower);
        }
    }

    /// From any document to any other and back: by what is printed of a patch set, with versions and without.
    #[test]
    fn patch_sets_lead_there_and_back(a in mangled(), b in mangled()) {
        let (Some(a), Some(mut b)) = (patchable(a), patchable(b)) else { return Ok(()) };
        Version::of(&a).next_update().write_to(&mut b);
        let there = printed(&Patchset::between(&a, &b));
        prop_assert_eq!(&there.apply(&a).expect("it fits"), &b);
        prop_assert!(there.apply(&b).is_err(), "a patch set of another version fits");
        // back in content, forth in time
        let mut c = a.clone();
        Version::of(&b).next_update().write_to(&mut c);
        prop_assert_eq!(&printed(&Patchset::between(&b, &c)).apply(&b).expect("it fits"), &c);
        // without versions those of a CIB within the CIB would be left out too
        let nested = |document: &Document| {
            document.root_element().descendants().filter(|one| one.name() == "cib").count() > 1
        };
        let options = crate::patchset::Options::default();
        if let Some(patch) = Patchset::compare(&a, &b, options).filter(|_| !nested(&a) && !nested(&b)) {
            let result = printed(&patch).apply(&a).expect("it fits");
            Version::of(&result).write_to(&mut b);
            prop_assert_eq!(&sorted(&result), &sorted(&b));
        }
        for document in [&a, &b] {
            prop_assert_eq!(Patchset::compare(document, document, options), None);
        }
    }

    /// However broken a document is: it is judged, shown and changed without panic, and what is not taken
    /// leaves no trace.
    #[test]
    fn nothing_panics_on_mangled_documents(document in mangled(), operations in operations(), other in mangled()) {
        let user = acl::User { name: "a".into(), groups: vec!["g".into()] };
        schema::validate(&document);
        acl::show(&document, &user, acl::Style::Text);
        let Ok(mut cib) = CibDocument::from_document(document) else { return Ok(()) };
        let whole = vec![
            replace(None, &other.to_string()),
            modify(&other.to_string(), true),
            create(Some("resources"), &other.to_string()),
            Operation::Patch { xml: Patchset::between(cib.document(), &other).to_document().to_string() },
            Operation::Upgrade,
        ];
        for operation in operations.iter().chain(&whole) {
            for restricted in [Some(user.clone()), None] {
                let before = cib.clone();
                let origin = Origin { restricted, ..origin() };
                match cib.apply(operation, &origin) {
                    Ok(applied) => prop_assert!(applied.after >= applied.before),
                    Err(_) => prop_assert_eq!(&cib, &before),
                }
                let _ = cib.query(&Query { restricted: origin.restricted, ..Query::default() });
            }
        }
        prop_assert_eq!(&CibDocument::parse(&cib.to_file()).expect("still a CIB"), &cib);
    }
}
