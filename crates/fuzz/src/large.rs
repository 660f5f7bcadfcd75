//! Documents of any size in the shapes that are hardest to read, each small in every other respect.

use std::fmt::Write;

/// Texts of about `bytes` bytes, with their names.
pub fn inputs(bytes: usize) -> impl Iterator<Item = (&'static str, String)> {
    let shapes: [(&str, fn(usize) -> String); 9] = [
        ("a long value", |bytes| cib(&resource("r", &nvpair("a", &"v".repeat(bytes))), "")),
        ("a long value with references", |bytes| {
            cib(&resource("r", &nvpair("a", &"&lt;\n".repeat(bytes / 5))), "")
        }),
        ("a long text", |bytes| cib(&resource("r", &"t&amp;]] ".repeat(bytes / 9)), "")),
        ("a long comment", |bytes| cib(&format!("<!--{}-->", "c- ".repeat(bytes / 3)), "")),
        ("many parameters", |bytes| {
            let pairs = each(bytes, |number| nvpair(&format!("n{number}"), "v"));
            cib(&resource("r", &pairs), "")
        }),
        ("many twins", |bytes| {
            cib(&resource("r", &nvpair("a", "v").repeat(bytes / nvpair("a", "v").len())), "")
        }),
        ("many results of one resource", |bytes| {
            cib(&resource("r", ""), &history("r", &each(bytes, result)))
        }),
        ("histories of unknown resources", |bytes| {
            cib(&resource("r", ""), &each(bytes, |number| history(&format!("x{number}"), &result(number))))
        }),
        ("deep nesting", |bytes| {
            let depth = 60;
            let tower = "<a>".repeat(depth) + &"</a>".repeat(depth);
            format!("<cib>{}</cib>", tower.repeat(bytes / tower.len()))
        }),
    ];
    shapes.into_iter().map(move |(name, make)| (name, make(bytes)))
}

/// As many numbered pieces as fill so many bytes.
fn each(bytes: usize, piece: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(bytes + 1000);
    for number in 0.. {
        if text.len() >= bytes {
            break;
        }
        text.push_str(&piece(number));
    }
    text
}

fn cib(resources: &str, history: &str) -> String {
    let mut text = String::with_capacity(resources.len() + history.len() + 1000);
    let _ = write!(
        text,
        "<cib validate-with=\"pacemaker-3.9\" epoch=\"1\" num_updates=\"1\" admin_epoch=\"0\" have-quorum=\"1\">\
         <configuration><crm_config/><nodes><node id=\"1\" uname=\"n1\"/></nodes>\
         <resources>{resources}</resources><constraints/></configuration>\
         <status><node_state id=\"1\" uname=\"n1\" in_ccm=\"true\" crmd=\"online\" join=\"member\" expected=\"member\">\
         <lrm id=\"1\"><lrm_resources>{history}</lrm_resources></lrm></node_state></status></cib>"
    );
    text
}

fn resource(id: &str, parameters: &str) -> String {
    format!(
        "<primitive id=\"{id}\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\">\
         <instance_attributes id=\"{id}-i\">{parameters}</instance_attributes></primitive>"
    )
}

fn nvpair(name: &str, value: &str) -> String {
    format!("<nvpair id=\"{name}\" name=\"{name}\" value=\"{value}\"/>")
}

fn history(resource: &str, results: &str) -> String {
    format!(
        "<lrm_resource id=\"{resource}\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\">{results}</lrm_resource>"
    )
}

fn result(call: usize) -> String {
    format!(
        "<lrm_rsc_op id=\"o{call}\" operation=\"monitor\" operation_key=\"r_monitor_{call}\" interval=\"{call}\" \
         call-id=\"{call}\" rc-code=\"0\" op-status=\"0\" transition-key=\"1:1:0:u\"/>"
    )
}
