//! Lists of options: what can be set, as text or as OCF metadata (rule 5a.5.9).

use cib::options::{CLUSTER_OPTIONS, FENCING_PARAMETERS, OptionInfo, RESOURCE_META_ATTRIBUTES};
use view::markup::Markup;

use super::options::Given;
use super::output::Output;
use super::usage;
use crate::session::Problem;

/// A list and what it is.
struct List {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    options: &'static [OptionInfo],
}

/// `crm_attribute --list-options=cluster`.
pub fn cluster_options(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    match given.value("list-options") {
        Some("cluster") => {}
        other => {
            return Err(usage(format!(
                "Invalid --list-options value '{}'. Allowed values: cluster",
                other.unwrap_or_default()
            )));
        }
    }
    let list = List {
        name: "cluster-options",
        title: "Cluster options",
        description: "Options of the cluster as a whole",
        options: CLUSTER_OPTIONS,
    };
    show(&list, given.has("all"), out);
    Ok(0)
}

/// `crm_resource --list-options=primitive|fencing`.
pub fn resource_options(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let list = match given.value("list-options") {
        Some("primitive") => List {
            name: "primitive-meta",
            title: "Primitive meta-attributes",
            description: "Meta-attributes that every primitive resource understands",
            options: RESOURCE_META_ATTRIBUTES,
        },
        Some("fencing") => List {
            name: "fence-attributes",
            title: "Fencing device parameters",
            description: "Parameters that every fencing device understands, whatever its agent",
            options: FENCING_PARAMETERS,
        },
        other => {
            return Err(usage(format!(
                "Invalid --list-options value '{}'. Allowed values: primitive, fencing",
                other.unwrap_or_default()
            )));
        }
    };
    show(&list, given.has("all"), out);
    Ok(0)
}

fn show(list: &List, all: bool, out: &mut Output) {
    if out.is_xml {
        metadata(list, &mut out.xml);
        return;
    }
    out.line(list.title);
    out.line("");
    out.line(list.description);
    out.line("");
    let usual = |option: &&OptionInfo| !option.advanced && !option.deprecated;
    list.options.iter().filter(usual).for_each(|option| describe(option, out));
    if all {
        out.line("");
        out.line("ADVANCED OPTIONS:");
        list.options.iter().filter(|it| it.advanced && !it.deprecated).for_each(|it| describe(it, out));
        out.line("");
        out.line("DEPRECATED OPTIONS (will be removed in a future release):");
        list.options.iter().filter(|it| it.deprecated).for_each(|it| describe(it, out));
    }
}

fn describe(option: &OptionInfo, out: &mut Output) {
    out.line(format!("  * {}: {}", option.name, option.description));
    if !option.details.is_empty() {
        out.line(format!("    * {}", option.details));
    }
    let words = option.kind.words();
    if words.is_empty() {
        let default = option.default.map(|text| format!(" (default: {text})")).unwrap_or_default();
        out.line(format!("    * Possible values: {}{default}", option.kind_name()));
    } else {
        let words: Vec<String> = words
            .iter()
            .map(|word| {
                let mark = if option.default == Some(word) { " (default)" } else { "" };
                format!("\"{word}\"{mark}")
            })
            .collect();
        out.line(format!("    * Possible values: {}", words.join(", ")));
    }
}

fn metadata(list: &List, xml: &mut Markup) {
    let language = [("lang", "en")];
    xml.open("resource-agent", &[("name", list.name), ("version", env!("CARGO_PKG_VERSION"))]);
    xml.text("version", &[], "1.1");
    xml.text("longdesc", &language, list.description);
    xml.text("shortdesc", &language, list.title);
    xml.open("parameters", &[]);
    for option in list.options {
        let bit = |set: bool| if set { "1" } else { "0" };
        let attributes =
            [("name", option.name), ("advanced", bit(option.advanced)), ("generated", bit(option.generated))];
        xml.open("parameter", &attributes);
        if option.deprecated {
            xml.leaf("deprecated", &[]);
        }
        let details = if option.details.is_empty() { option.description } else { option.details };
        xml.text("longdesc", &language, details);
        xml.text("shortdesc", &language, option.description);
        let mut content = vec![("type", option.kind_name())];
        content.extend(option.default.map(|default| ("default", default)));
        let words = option.kind.words();
        if words.is_empty() {
            xml.leaf("content", &content);
        } else {
            xml.open("content", &content);
            words.iter().for_each(|word| xml.leaf("option", &[("value", word)]));
            xml.close();
        }
        xml.close();
    }
    xml.close();
    xml.close();
}
