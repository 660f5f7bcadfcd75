//! Names of daemons that clients run to ask something: `pacemaker-fenced metadata` and its like tell which
//! options there are, `pacemakerd --version` and `--features` what the cluster can (rules 5a.3 and 5a.16).
//!
//! Which of the field's daemons an option belongs to means nothing to Systole; clients ask them all.

use std::process::ExitCode;

use cib::options::{CLUSTER_OPTIONS, FENCING_PARAMETERS, OptionInfo, OptionKind};
use view::markup::Markup;

use crate::tool::{self, exit};

/// Names that answer `metadata`.
pub const METADATA: [&str; 4] =
    ["pacemaker-based", "pacemaker-controld", "pacemaker-fenced", "pacemaker-schedulerd"];

/// Options that clients ask `pacemaker-based` for.
const BASED: [&str; 2] = ["enable-acl", "cluster-ipc-limit"];
/// Options that clients ask `pacemaker-controld` for.
const CONTROLD: [&str; 15] = [
    "dc-version",
    "cluster-infrastructure",
    "cluster-name",
    "dc-deadtime",
    "cluster-recheck-interval",
    "fence-reaction",
    "fencing-reaction",
    "election-timeout",
    "shutdown-escalation",
    "join-integration-timeout",
    "join-finalization-timeout",
    "transition-delay",
    "fencing-watchdog-timeout",
    "fencing-max-attempts",
    "load-threshold",
];

/// Runs the daemon of this name, if it is one that clients call.
pub fn run(name: &str, words: &[String]) -> Option<ExitCode> {
    if name == "pacemakerd" {
        return Some(pacemakerd(words));
    }
    METADATA.contains(&name).then(|| ask(name, words))
}

fn ask(name: &str, words: &[String]) -> ExitCode {
    match words.first().map(String::as_str) {
        Some("metadata" | "meta-data") => {
            print!("{}", metadata(name));
            ExitCode::SUCCESS
        }
        // crmsh takes the third word
        Some("version") => {
            println!("CRM Version: 2.1.5 (systole-{})", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Some("--version" | "-$") => {
            tool::print_version();
            ExitCode::SUCCESS
        }
        Some("--help" | "-?" | "-h") => {
            println!("{name} metadata\n\nTells which options there are, as OCF metadata.");
            println!("Systole's own daemon is one program: systole daemon");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{name}: this name only answers 'metadata'; the daemon is 'systole daemon'");
            ExitCode::from(exit::USAGE)
        }
    }
}

/// The agents' shell library takes its version for the sign of a cluster that knows the names of nodes (rule 4.13.2).
fn pacemakerd(words: &[String]) -> ExitCode {
    match words.first().map(String::as_str) {
        Some("--version" | "-$") => tool::print_version(),
        Some("--features" | "-F") => {
            println!("Pacemaker 2.1.5 (Build: systole-{})", env!("CARGO_PKG_VERSION"));
            println!(" Supporting v3.16.1: cibsecrets corosync-ge-2 lha monotonic remote systemd");
        }
        Some("--help" | "-?" | "-h") => {
            println!(
                "pacemakerd [--version | --features]\n\nWithout options: runs the node of this host, as"
            );
            println!("'systole daemon' does.\n\nExamples:\n  pacemakerd --version\n  pacemakerd --features");
        }
        Some(other) => {
            eprintln!("pacemakerd: unknown option {other:?}; 'pacemakerd --help' lists what there is");
            return ExitCode::from(exit::USAGE);
        }
        None => return crate::run_daemon(crate::DaemonArguments::default()),
    }
    ExitCode::SUCCESS
}

/// What a daemon of this name is asked for.
fn metadata(name: &str) -> String {
    let cluster = |wanted: &dyn Fn(&str) -> bool| -> Vec<&'static OptionInfo> {
        CLUSTER_OPTIONS.iter().filter(|option| wanted(option.name)).collect()
    };
    let (title, options) = match name {
        "pacemaker-based" => ("Options of the configuration store", cluster(&|it| BASED.contains(&it))),
        "pacemaker-controld" => {
            ("Options of the node and its cluster", cluster(&|it| CONTROLD.contains(&it)))
        }
        "pacemaker-fenced" => {
            ("Parameters that every fencing device understands", FENCING_PARAMETERS.iter().collect())
        }
        _ => (
            "Options of decisions about resources",
            cluster(&|it| !BASED.contains(&it) && !CONTROLD.contains(&it)),
        ),
    };
    let mut xml = Markup::new();
    let english = [("lang", "en")];
    xml.open("resource-agent", &[("name", name), ("version", "2.1.5")]);
    xml.text("version", &[], "1.1");
    xml.text("longdesc", &english, title);
    xml.text("shortdesc", &english, title);
    xml.open("parameters", &[]);
    for option in options {
        parameter(&mut xml, option, option.name, None);
        // clients of today know the names of yesterday
        option.legacy.iter().for_each(|old| parameter(&mut xml, option, old, Some(option.name)));
    }
    xml.close();
    xml.close();
    format!("<?xml version=\"1.0\"?>\n{}", xml.finish())
}

fn parameter(xml: &mut Markup, option: &OptionInfo, name: &str, successor: Option<&str>) {
    let english = [("lang", "en")];
    xml.open("parameter", &[("name", name)]);
    if let Some(successor) = successor {
        xml.open("deprecated", &[]);
        xml.leaf("replaced-with", &[("name", successor)]);
        xml.close();
    } else if option.deprecated {
        xml.leaf("deprecated", &[]);
    }
    let details = if option.details.is_empty() { option.description } else { option.details };
    xml.text("longdesc", &english, details);
    // these words are how clients tell options that are rarely of use
    let mark = if option.advanced { "Advanced use only: " } else { "" };
    xml.text("shortdesc", &english, &format!("{mark}{}", option.description));
    content(xml, option);
    xml.close();
}

fn content(xml: &mut Markup, option: &OptionInfo) {
    let mut attributes = vec![("type", kind(option.kind))];
    attributes.extend(option.default.map(|default| ("default", default)));
    let words = option.kind.words();
    if words.is_empty() {
        return xml.leaf("content", &attributes);
    }
    xml.open("content", &attributes);
    words.iter().for_each(|word| xml.leaf("option", &[("value", word)]));
    xml.close();
}

/// Type names that clients of daemon metadata know.
fn kind(kind: OptionKind) -> &'static str {
    match kind {
        OptionKind::Boolean => "boolean",
        OptionKind::Duration | OptionKind::Timeout => "time",
        OptionKind::Integer | OptionKind::NonNegative | OptionKind::Positive | OptionKind::Score => "integer",
        OptionKind::Percentage => "percentage",
        OptionKind::Text | OptionKind::Version => "string",
        OptionKind::Select(_) | OptionKind::SelectIgnoringCase(_) => "select",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_told_by_one_daemon_with_its_old_names() {
        let texts: Vec<String> = METADATA.iter().map(|name| metadata(name)).collect();
        for option in CLUSTER_OPTIONS.iter().chain(FENCING_PARAMETERS) {
            for name in std::iter::once(&option.name).chain(option.legacy) {
                let told = texts.iter().filter(|text| text.contains(&format!("<parameter name=\"{name}\">")));
                assert_eq!(told.count(), 1, "{name}");
            }
        }
    }
}
