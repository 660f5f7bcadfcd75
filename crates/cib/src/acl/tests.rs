use super::*;
use crate::document::{CibDocument, Origin, Query};
use crate::operation::Operation;

fn cib(permissions: &str) -> CibDocument {
    let text = format!(
        r#"<cib admin_epoch="0" epoch="7" num_updates="3" validate-with="pacemaker-4.0"><configuration>
        <crm_config><cluster_property_set id="cib-bootstrap-options">
          <nvpair id="acl-on" name="enable-acl" value="true"/></cluster_property_set></crm_config>
        <nodes><node id="1" uname="n1"/></nodes>
        <resources>
          <primitive id="a" class="lsb" type="a"><meta_attributes id="a-m">
            <nvpair id="a-p" name="priority" value="5"/></meta_attributes></primitive>
          <primitive id="b" class="lsb" type="b"/>
        </resources><constraints/>
        <acls>
          <acl_role id="R">{permissions}</acl_role>
          <acl_role id="G"><acl_permission id="G-1" kind="read" reference="b"/></acl_role>
          <acl_target id="alice"><role id="R"/></acl_target>
          <acl_group id="staff"><role id="G"/></acl_group>
        </acls></configuration><status/></cib>"#
    );
    CibDocument::parse(&text).expect("sample")
}

fn alice() -> User {
    User { name: "alice".into(), groups: vec![] }
}

fn permission(kind: &str, xpath: &str) -> String {
    format!(r#"<acl_permission id="p{}" kind="{kind}" xpath="{xpath}"/>"#, kind.len() * 100 + xpath.len())
}

/// Ids of what the user can see, with `!` where only the id is left.
fn visible(cib: &CibDocument, user: &User) -> String {
    let query = Query { scope: Some("resources".into()), restricted: Some(user.clone()), ..Query::default() };
    match cib.query(&query) {
        Err(refusal) => format!("{:?}", refusal.code),
        Ok(text) => {
            let document = Document::parse(&text).expect("xml");
            let ids = document.root_element().descendants().filter_map(|element| {
                let full = element.attributes().len() > 1;
                element.attr("id").map(|id| if full { id.to_owned() } else { format!("{id}!") })
            });
            ids.collect::<Vec<_>>().join(" ")
        }
    }
}

fn change(cib: &mut CibDocument, operation: &Operation) -> Result<String, RefusalCode> {
    let origin = Origin { restricted: Some(alice()), user: Some("alice".into()), ..Origin::default() };
    cib.apply(operation, &origin).map(|applied| applied.after.to_string()).map_err(|refusal| refusal.code)
}

fn modify(xml: &str) -> Operation {
    Operation::Modify { scope: None, xpath: None, xml: xml.into(), allow_create: true, score: false }
}

#[test]
fn without_permission_nothing_is_visible() {
    assert_eq!(visible(&cib(""), &alice()), "Denied");
    assert_eq!(visible(&cib(&permission("read", "/cib[")), &alice()), "Denied");
    let mut open = cib("");
    open.apply(&modify(r#"<nvpair id="acl-on" value="false"/>"#), &Origin::default()).expect("by root");
    assert_eq!(visible(&open, &alice()), "a a-m! a-p b");
}

#[test]
fn nearer_marks_win_and_deny_beats_all() {
    let cases = [
        (vec![("read", "/")], "a a-m! a-p b"),
        (vec![("read", "//primitive[@id='b']")], "b"),
        (vec![("read", "//nvpair[@id='a-p']/@value")], "a! a-m! a-p"),
        (vec![("read", "/cib"), ("deny", "//primitive[@id='a']")], "b"),
        (vec![("read", "/cib"), ("deny", "//primitive[@id='a']"), ("read", "//nvpair")], "a! a-m! a-p b"),
        (vec![("read", "//primitive"), ("write", "//primitive[@id='a']"), ("deny", "//primitive")], "Denied"),
    ];
    for (permissions, expected) in cases {
        let text: String = permissions.iter().map(|(kind, xpath)| permission(kind, xpath)).collect();
        let found = visible(&cib(&text), &alice());
        let found = if found == "NotFound" { "Denied".to_owned() } else { found };
        assert_eq!(found, expected, "{permissions:?}");
    }
}

#[test]
fn groups_count_too() {
    let staff = User { name: "bob".into(), groups: vec!["x".into(), "staff".into()] };
    assert_eq!(visible(&cib(""), &staff), "b");
    let role = r#"<acl_permission id="p" kind="read" object-type="primitive" attribute="type"/>"#;
    assert_eq!(visible(&cib(role), &alice()), "a a-m! a-p b");
    let role = r#"<acl_permission id="p" kind="read" object-type="primitive" attribute="template"/>"#;
    assert_eq!(visible(&cib(role), &alice()), "Denied");
}

/// Rule 1.2.7: the form before schema 2.0, with permissions of the user's own and others by reference.
#[test]
fn users_of_old_documents_have_their_rights() {
    let text = r#"<cib admin_epoch="0" epoch="7" num_updates="3" validate-with="pacemaker-1.3"><configuration>
        <crm_config><cluster_property_set id="cib-bootstrap-options">
          <nvpair id="acl-on" name="enable-acl" value="true"/></cluster_property_set></crm_config>
        <nodes/><resources>
          <primitive id="a" class="lsb" type="a"/><primitive id="b" class="lsb" type="b"/>
          <primitive id="c" class="lsb" type="c"/>
        </resources><constraints/>
        <acls>
          <acl_role id="R"><read id="R-1" ref="b"/></acl_role>
          <acl_user id="alice"><write id="w-1" xpath="//primitive[@id='a']"/><read id="w-2" ref="b"/></acl_user>
          <acl_user id="carol"><role_ref id="R"/></acl_user>
        </acls></configuration><status/></cib>"#;
    let mut cib = CibDocument::parse(text).expect("sample");
    assert_eq!(visible(&cib, &alice()), "a b");
    let named = |name: &str| User { name: name.into(), groups: vec![] };
    assert_eq!(visible(&cib, &named("carol")), "b");
    assert_eq!(visible(&cib, &named("bob")), "Denied");
    assert_eq!(change(&mut cib, &modify(r#"<primitive id="a" description="x"/>"#)), Ok("0.8.0".into()));
    let of_others = modify(r#"<primitive id="b" description="x"/>"#);
    assert_eq!(change(&mut cib, &of_others), Err(RefusalCode::Denied));
}

#[test]
fn changes_need_write() {
    let all = permission("read", "/cib") + &permission("write", "//primitive[@id='a']");
    let mut cib = cib(&all);
    let before = cib.clone();
    assert_eq!(change(&mut cib, &modify(r#"<nvpair id="a-p" value="6"/>"#)), Ok("0.8.0".into()));
    assert_eq!(change(&mut cib, &modify(r#"<primitive id="a" description="x"/>"#)), Ok("0.9.0".into()));
    let mut cib = before.clone();
    for refused in [
        modify(r#"<primitive id="b" description="x"/>"#),
        modify(r#"<primitive id="c" class="lsb" type="c"/>"#),
        modify(r#"<acl_role id="R"><acl_permission id="x" kind="write" xpath="/cib"/></acl_role>"#),
        modify(r#"<nvpair id="acl-on" value="false"/>"#),
        modify(r#"<cib epoch="50"/>"#),
        Operation::Bump,
        Operation::Erase,
        Operation::Delete { scope: None, xml: "<primitive id='b'/>".into() },
        Operation::DeleteXpath { xpath: "//primitive".into(), all: true },
    ] {
        assert_eq!(change(&mut cib, &refused), Err(RefusalCode::Denied), "{refused:?}");
        assert_eq!(cib, before);
    }
    assert_eq!(
        change(&mut cib, &Operation::Delete { scope: None, xml: "<primitive id='a'/>".into() }),
        Ok("0.8.0".into())
    );
}

#[test]
fn a_new_element_may_bring_its_permission() {
    let mut cib = cib(&permission("write", "//meta_attributes[@id='b-m']"));
    let new = r#"<primitive id="b"><meta_attributes id="b-m"><nvpair id="b-p" name="x" value="y"/>
        </meta_attributes></primitive>"#;
    assert_eq!(change(&mut cib, &modify(new)), Ok("0.8.0".into()));
    // scaffolding needs no permission, but not below acls
    assert_eq!(
        change(&mut cib, &modify(r#"<primitive id="b"><meta_attributes id="b-n"/></primitive>"#)),
        Ok("0.9.0".into())
    );
    assert_eq!(change(&mut cib, &modify(r#"<acl_role id="R2"/>"#)), Err(RefusalCode::Denied));
}

#[test]
fn replacing_keeps_what_was_hidden() {
    let permissions = permission("read", "/cib")
        + &permission("write", "//resources")
        + &permission("deny", "//primitive[@id='b']");
    let mut cib = cib(&permissions);
    let seen = cib.query(&Query { restricted: Some(alice()), ..Query::default() }).expect("readable");
    assert!(!seen.contains("id=\"b\"") && seen.contains("id=\"a\""));
    let edited = seen.replace("value=\"5\"", "value=\"9\"");
    let replace = Operation::Replace { scope: None, xpath: None, xml: edited };
    assert_eq!(change(&mut cib, &replace), Ok("0.8.0".into()));
    let resources = cib.query(&Query { scope: Some("resources".into()), ..Query::default() }).expect("all");
    assert!(
        resources.contains("value=\"9\"")
            && resources.contains("<primitive id=\"b\" class=\"lsb\" type=\"b\"/>")
    );
}

#[test]
fn shows_modes() {
    let permissions =
        permission("read", "/cib") + &permission("write", "//resources") + &permission("deny", "//nodes");
    let cib = cib(&permissions);
    let text = show(cib.document(), &alice(), Style::Text);
    assert!(
        text.starts_with("<!-- ACLs as evaluated for user alice -->\nvvv---[ READABLE ]---vvv\n<cib "),
        "{text}"
    );
    assert!(text.contains("vvv---[ ~DENIED ]---vvv\n    <nodes>\n"), "{text}");
    assert!(text.contains("vvv---[ WRITABLE ]---vvv\n    <resources>\n"), "{text}");
    let xml = show(cib.document(), &alice(), Style::Namespace);
    assert!(xml.contains("<pcmk-access-writable:resources>"), "{xml}");
    Document::parse(&xml).expect("still XML");
}

#[test]
fn parents_of_paths() {
    assert_eq!(parent_path("/cib/a/b"), "/cib/a");
    assert_eq!(parent_path("/cib/a[@id='x']/b[@id='y/z']"), "/cib/a[@id='x']");
    assert_eq!(parent_path("/cib/a[@id='x/y']/comment"), "/cib/a[@id='x/y']");
}

#[test]
fn hidden_twins_all_come_back_in_their_places() {
    let parse = |inside: &str| {
        let head = "<cib><configuration><crm_config><cluster_property_set id='o'>\
            <nvpair id='e' name='enable-acl' value='true'/></cluster_property_set></crm_config><acls>\
            <acl_role id='R'><acl_permission id='x' kind='read' xpath='//b'/></acl_role>\
            <acl_target id='alice'><role id='R'/></acl_target></acls>";
        Document::parse(&format!("{head}<tags>{inside}</tags></configuration></cib>")).expect("sample")
    };
    let old = parse("<h n='1'/><b id='1'/><h n='2'/><h n='2'/><b id='2'/><h n='3'/>");
    let mut new = parse("<b id='1'/><new/><b id='2'/>");
    restore_hidden(&old, &mut new, &alice());
    let tags = new.root_element().descendants().find(|it| it.name() == "tags").expect("there");
    let shown: Vec<String> = tags
        .children()
        .map(|it| format!("{}{}", it.name(), it.attr("n").or(it.attr("id")).unwrap_or("")))
        .collect();
    assert_eq!(shown.join(" "), "h1 b1 h2 h2 new b2 h3");
}

#[test]
fn rule_5c_10_2_what_a_permission_selects() {
    for (selection, expected) in [
        ("xpath=\"//primitive[@id='b']/@type\"", "b"),
        ("xpath='/'", "a a-m! a-p b"),
        ("reference='a-m'", "a! a-m! a-p"),
        ("object-type='primitive' attribute='type'", "a a-m! a-p b"),
        ("object-type='nvpair' attribute='name'", "a! a-m! a-p"),
        ("object-type='primitive' attribute='template'", "Denied"),
        ("reference='nowhere'", "Denied"),
    ] {
        let permission = format!("<acl_permission id='p' kind='read' {selection}/>");
        assert_eq!(visible(&cib(&permission), &alice()), expected, "{selection}");
    }
}

#[test]
fn rule_5c_10_3_a_read_mark_does_not_hide_a_write_mark_above() {
    let both = permission("write", "//resources") + &permission("read", "//primitive");
    let update = modify("<primitive id='b' description='x'/>");
    assert_eq!(change(&mut cib(&both), &update), Ok("0.8.0".to_owned()));
    let only = permission("read", "//primitive");
    assert_eq!(change(&mut cib(&only), &update), Err(RefusalCode::Denied));
    let denied = both + "<acl_permission id='d' kind='deny' reference='b'/>";
    assert_eq!(change(&mut cib(&denied), &update), Err(RefusalCode::Denied));
}
