//! What a run of `crm_simulate` came to, in a form in which two implementations can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use xml::{Document, NodeId};

/// The aspects that are compared, the gravest first.
pub const ASPECTS: &[&str] = &[
    "exit",
    "header",
    "actions",
    "inputs",
    "attributes",
    "order",
    "drawing",
    "scores",
    "status",
    "summary",
    "execution",
    "revised",
];

/// Everything one run said, aspect by aspect, as lines without what differs between versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    pub aspects: BTreeMap<&'static str, Vec<String>>,
    /// The tool could not be used on this input at all (it aborted, or refused it).
    pub unusable: Option<String>,
    /// Actions on nodes that cannot execute them were left out of the plan, and that was told.
    pub spares_offline: bool,
    /// What could never be carried out was left out of the plan, and that was told.
    pub spares: bool,
}

impl Outcome {
    /// Whether the plan could not be carried out to its end.
    pub fn failed(&self) -> bool {
        self.aspects.get("exit").is_some_and(|lines| lines.iter().any(|line| line != "exit status: 0"))
    }
}

/// Runs the tool on the input; `words` come before the options, `more` behind them. `exact` keeps what an older
/// version says otherwise about fencing.
pub fn run(
    program: &Path,
    words: &[&str],
    input: &Path,
    more: &[String],
    folder: &Path,
    exact: bool,
) -> Result<Outcome, String> {
    let (graph, drawing) = (folder.join("graph.xml"), folder.join("drawing.dot"));
    let _ = fs::remove_file(&graph);
    let _ = fs::remove_file(&drawing);
    let output = Command::new("timeout")
        .arg("60")
        .arg(program)
        .args(words)
        .arg("-x")
        .arg(input)
        .args(["-S", "-s", "-U", "-G"])
        .arg(&graph)
        .arg("-D")
        .arg(&drawing)
        .args(more)
        .env("CIB_shadow_dir", folder)
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let mut outcome = Outcome::default();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let spares = |line: &str| line.contains("Left out of the plan") && line.contains("which is offline");
    outcome.spares_offline = errors.lines().any(spares);
    outcome.spares = errors.contains("Left out of the plan");
    let Ok(graph) = fs::read_to_string(&graph) else {
        let last = errors.lines().last().unwrap_or_default();
        outcome.unusable = Some(format!("{}: {last}", output.status));
        return Ok(outcome);
    };
    outcome.aspects.insert("exit", vec![output.status.to_string()]);
    read_graph(&graph, exact, &mut outcome.aspects)?;
    let drawing: BTreeSet<String> =
        fs::read_to_string(&drawing).unwrap_or_default().lines().map(squeeze).collect();
    outcome.aspects.insert("drawing", drawing.into_iter().collect());
    read_text(&text, &mut outcome.aspects);
    Ok(outcome)
}

/// The aspects in which the two differ.
pub fn differing(one: &Outcome, other: &Outcome) -> Vec<&'static str> {
    ASPECTS.iter().copied().filter(|aspect| one.aspects.get(aspect) != other.aspects.get(aspect)).collect()
}

/// Lines that only one side has, as `-ours` and `+reference`.
pub fn difference(aspect: &str, ours: &Outcome, reference: &Outcome) -> Vec<String> {
    let empty = Vec::new();
    let own = ours.aspects.get(aspect).unwrap_or(&empty);
    let other = reference.aspects.get(aspect).unwrap_or(&empty);
    let mut lines: Vec<String> = missing(own, other).map(|line| format!("-{line}")).collect();
    lines.extend(missing(other, own).map(|line| format!("+{line}")));
    if lines.is_empty() {
        lines.push("the same lines in another order".to_owned());
    }
    lines
}

/// Lines of `one` that `other` has not, or not as often.
fn missing<'l>(one: &'l [String], other: &'l [String]) -> impl Iterator<Item = &'l String> {
    let mut left: BTreeMap<&String, usize> = BTreeMap::new();
    for line in other {
        *left.entry(line).or_default() += 1;
    }
    one.iter().filter(move |line| match left.get_mut(line) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    })
}

fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Names of one thing in the two versions.
const RENAMED: &[(&str, &str)] = &[
    ("pcmk__primitive_allocate", "pcmk__primitive_assign"),
    ("pcmk__native_allocate", "pcmk__primitive_assign"),
    ("pcmk__group_allocate", "pcmk__group_assign"),
    ("pcmk__clone_allocate", "pcmk__clone_assign"),
    ("pcmk__bundle_allocate", "pcmk__bundle_assign"),
    ("pcmk__assign_primitive", "pcmk__primitive_assign"),
    ("(maintenance)", "(unmanaged)"),
    (", maintenance)", ", unmanaged)"),
    ("(maintenance,", "(unmanaged,"),
    ("pcmk__finalize_assignment", "pcmk__assign_resource"),
];

fn modern(line: &str) -> String {
    // a moment of the run itself
    if let Some((start, _)) = line.split_once("Injecting attribute last-failure-") {
        return format!("{start}Injecting the time of a failure");
    }
    // the score of an instance without node
    if let Some((start, _)) =
        line.split_once("promotion score on none").or(line.split_once("promotion score (inactive)"))
    {
        return format!("{start}promotion score (inactive)");
    }
    RENAMED.iter().fold(line.to_owned(), |line, (old, new)| line.replace(old, new))
}

/// The title of each part of the text, and its aspect.
const PARTS: &[(&str, &str)] = &[
    ("Assignment Scores", "scores"),
    ("Allocation Scores", "scores"),
    ("Transition Summary", "summary"),
    ("Executing Cluster Transition", "execution"),
    ("Revised Cluster Status", "revised"),
];

fn read_text(text: &str, aspects: &mut BTreeMap<&'static str, Vec<String>>) {
    let mut part = "status";
    let mut defined = BTreeSet::new();
    for line in text.lines() {
        if let Some((_, aspect)) = PARTS.iter().find(|(title, _)| line.starts_with(title)) {
            part = aspect;
            continue;
        }
        let line = modern(&squeeze(line));
        if line.is_empty() || line.starts_with("Using the original execution date") {
            continue;
        }
        aspects.entry(part).or_default().extend(sorted_capacities(line, &mut defined));
    }
    if let Some(scores) = aspects.get_mut("scores") {
        scores.sort();
    }
}

/// Capacities come in the order of a hash table: here sorted. `defined` collects what the nodes define: what
/// is used of anything else is counted differently by the versions, and nodes without any are not always told.
fn sorted_capacities(line: String, defined: &mut BTreeSet<(String, String)>) -> Option<String> {
    if !line.contains(" capacity:") && !line.contains(" utilization on ") {
        return Some(line);
    }
    let (mut pairs, words): (Vec<&str>, Vec<&str>) = line.split(' ').partition(|word| word.contains('='));
    pairs.sort_unstable();
    if line.contains(" capacity:") {
        let node = words.get(2).copied().unwrap_or_default().to_owned();
        let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        if line.contains("Original:") {
            defined.extend(pairs.iter().map(|pair| (node.clone(), name(pair))));
        }
        pairs.retain(|pair| defined.contains(&(node.clone(), name(pair))));
        if pairs.is_empty() {
            return None;
        }
    }
    Some(format!("{} {}", words.join(" "), pairs.join(" ")))
}

fn read_graph(
    text: &str,
    exact: bool,
    aspects: &mut BTreeMap<&'static str, Vec<String>>,
) -> Result<(), String> {
    let document = Document::parse(text).map_err(|error| format!("the graph: {error}"))?;
    let (mut actions, mut inputs, mut attributes, mut order) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for synapse in document.children(document.root()) {
        let Some(set) = document.child(synapse, "action_set") else { continue };
        let Some(action) = document.children(set).next() else { continue };
        let key = key(&document, action);
        order.push(format!("{} {key}", document.attribute(action, "id").unwrap_or_default()));
        let priority = document.attribute(synapse, "priority").unwrap_or("0");
        attributes.extend(attribute_lines(&document, action, &key, exact));
        attributes.push(format!("{key} priority={priority}"));
        if let Some(list) = document.child(synapse, "inputs") {
            for trigger in document.children(list) {
                for input in document.children(trigger) {
                    inputs.push(format!("{key} <- {}", self::key(&document, input)));
                }
            }
        }
        actions.push(key);
    }
    // an older version counts transitions and calls fencing otherwise
    let differs = |name: &str| name == "crm_feature_set" || (!exact && name == "transition_id");
    let header = document.attributes(document.root()).filter(|(name, _)| !differs(name));
    let header = header.map(|(name, value)| format!("{}={value}", name.replace("stonith-", "fencing-")));
    aspects.insert("header", header.collect());
    actions.sort();
    inputs.sort();
    attributes.sort();
    aspects.insert("actions", actions);
    aspects.insert("inputs", inputs);
    aspects.insert("attributes", attributes);
    aspects.insert("order", order);
    Ok(())
}

fn key(document: &Document, action: NodeId) -> String {
    let name = document
        .attribute(action, "internal_operation_key")
        .or_else(|| document.attribute(action, "operation_key"))
        .unwrap_or_default();
    let node = document.attribute(action, "on_node").map(|node| format!(" on {node}")).unwrap_or_default();
    format!("{} {name}{node}", document.name(action))
}

/// Attributes of the action and of what is in it, one a line.
fn attribute_lines(document: &Document, action: NodeId, key: &str, exact: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let is_fencing = document.attribute(action, "operation") == Some("stonith");
    for part in document.subtree(action) {
        let name = if part == action { "" } else { document.name(part) };
        for (attribute, value) in document.attributes(part) {
            // its own aspect, or a version's number
            if (part == action && attribute == "id") || attribute == "crm_feature_set" {
                continue;
            }
            if !exact && is_fencing && differs_in_fencing(attribute) {
                continue;
            }
            lines.push(format!("{key} {name}.{attribute}={value}"));
        }
    }
    lines
}

/// Older versions copy the node's attributes into its fencing, and count other parameters of devices as secret.
fn differs_in_fencing(attribute: &str) -> bool {
    const SAME: &[&str] = &["CRM_meta_on_node", "CRM_meta_on_node_uuid", "CRM_meta_stonith_action"];
    attribute.starts_with("CRM_meta_") && !SAME.contains(&attribute)
}
