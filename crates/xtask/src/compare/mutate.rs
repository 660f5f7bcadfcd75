//! Changed copies of recorded inputs: an attribute's value, an element less, a node gone.

use std::fs;
use std::path::{Path, PathBuf};

use xml::{Document, NodeId};

use super::random::Random;

/// New names of options that older versions of the reference do not know.
const OLDER: &[(&str, &str)] = &[
    ("name=\"fencing-enabled\"", "name=\"stonith-enabled\""),
    ("name=\"fencing-action\"", "name=\"stonith-action\""),
    ("name=\"fencing-timeout\"", "name=\"stonith-timeout\""),
    ("name=\"fencing-watchdog-timeout\"", "name=\"stonith-watchdog-timeout\""),
    ("name=\"stop-removed-resources\"", "name=\"stop-orphan-resources\""),
    ("name=\"cancel-removed-actions\"", "name=\"stop-orphan-actions\""),
];

/// A changed copy of one of the folder's inputs, chosen by the seed, and its name.
pub fn document(folder: &Path, only: Option<&str>, seed: u64) -> Result<Option<(String, String)>, String> {
    let mut random = Random::new(seed);
    let files = inputs(folder, only)?;
    if files.is_empty() {
        return Ok(None);
    }
    let file = &files[seed as usize % files.len()];
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let name = format!("{}-{seed}", file.file_stem().unwrap_or_default().to_string_lossy());
    let text = OLDER.iter().fold(text, |text, (new, old)| text.replace(new, old));
    let Ok(mut document) = Document::parse(&text) else { return Ok(None) };
    let root = document.root();
    document.set_attribute(root, "validate-with", "pacemaker-3.9");
    if document.attribute(root, "execution-date").is_none() {
        document.set_attribute(root, "execution-date", "1700000000");
    }
    // seeds of the first round leave the inputs as they are
    if seed as usize >= files.len() {
        for _ in 0..random.between(1, 3) {
            change(&mut document, &mut random);
        }
    }
    Ok(Some((name, document.to_pretty())))
}

fn inputs(folder: &Path, only: Option<&str>) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .filter(|path| only.is_none_or(|only| path.to_string_lossy().contains(only)))
        .collect();
    files.sort();
    Ok(files)
}

fn change(document: &mut Document, random: &mut Random) {
    match random.below(10) {
        0 => lose_node(document, random),
        1 => {
            let root = document.root();
            let quorum = *random.pick(&["0", "1"]);
            document.set_attribute(root, "have-quorum", quorum);
        }
        2 => set_option(document, random),
        3 | 4 => remove_one(document, random, &["lrm_rsc_op"]),
        5 => remove_one(document, random, &["lrm_resource", "rsc_order", "rsc_colocation", "rsc_location"]),
        6 => remove_one(document, random, &["nvpair", "op", "meta_attributes"]),
        7 => node_attribute(document, random),
        8 => meta(document, random),
        _ => fail_operation(document, random),
    }
}

fn all(document: &Document, names: &[&str]) -> Vec<NodeId> {
    document.subtree(document.root()).filter(|node| names.contains(&document.name(*node))).collect()
}

fn remove_one(document: &mut Document, random: &mut Random, names: &[&str]) {
    let found = all(document, names);
    if !found.is_empty() {
        document.remove(*random.pick(&found));
    }
}

fn lose_node(document: &mut Document, random: &mut Random) {
    let states = all(document, &["node_state"]);
    if states.is_empty() {
        return;
    }
    let state = *random.pick(&states);
    if random.chance(30) {
        document.remove(state);
        return;
    }
    let clean = random.chance(50);
    document.set_attribute(state, "in_ccm", "false");
    document.set_attribute(state, "crmd", "offline");
    document.set_attribute(state, "join", "down");
    document.set_attribute(state, "expected", if clean { "down" } else { "member" });
}

fn set_option(document: &mut Document, random: &mut Random) {
    const OPTIONS: &[(&str, &[&str])] = &[
        ("no-quorum-policy", &["stop", "freeze", "ignore", "demote", "suicide"]),
        ("stonith-enabled", &["true", "false"]),
        ("placement-strategy", &["default", "utilization", "minimal", "balanced"]),
        ("stop-all-resources", &["true"]),
        ("maintenance-mode", &["true"]),
        ("start-failure-is-fatal", &["true", "false"]),
        ("enable-startup-probes", &["false"]),
        ("concurrent-fencing", &["true", "false"]),
        ("symmetric-cluster", &["true", "false"]),
        ("stop-orphan-resources", &["true", "false"]),
    ];
    let (name, values) = *random.pick(OPTIONS);
    let value = *random.pick(values);
    let pairs = all(document, &["nvpair"]);
    if let Some(pair) = pairs.into_iter().find(|pair| document.attribute(*pair, "name") == Some(name)) {
        document.set_attribute(pair, "value", value);
    } else if let Some(set) = all(document, &["cluster_property_set"]).first() {
        add_pair(document, *set, name, value);
    }
}

fn add_pair(document: &mut Document, block: NodeId, name: &str, value: &str) {
    let pair = document.append_element(block, "nvpair");
    let id = format!("added-{}", document.subtree(document.root()).count());
    document.set_attribute(pair, "id", &id);
    document.set_attribute(pair, "name", name);
    document.set_attribute(pair, "value", value);
}

fn node_attribute(document: &mut Document, random: &mut Random) {
    let nodes = all(document, &["node"]);
    let nodes: Vec<NodeId> =
        nodes.into_iter().filter(|node| document.attribute(*node, "uname").is_some()).collect();
    if nodes.is_empty() {
        return;
    }
    let node = *random.pick(&nodes);
    let name = *random.pick(&["standby", "maintenance"]);
    let block = match document.child(node, "instance_attributes") {
        Some(block) => block,
        None => {
            let block = document.append_element(node, "instance_attributes");
            let id = format!("added-{}", document.subtree(document.root()).count());
            document.set_attribute(block, "id", &id);
            block
        }
    };
    add_pair(document, block, name, "true");
}

fn meta(document: &mut Document, random: &mut Random) {
    const META: &[(&str, &[&str])] = &[
        ("target-role", &["Stopped", "Started", "Unpromoted", "Promoted"]),
        ("is-managed", &["false"]),
        ("priority", &["10", "-1"]),
        ("resource-stickiness", &["0", "100", "INFINITY"]),
        ("migration-threshold", &["1"]),
        ("multiple-active", &["block", "stop_only", "stop_unexpected"]),
        ("allow-migrate", &["true"]),
        ("clone-max", &["1", "2", "3"]),
        ("interleave", &["true", "false"]),
        ("notify", &["true"]),
        ("ordered", &["true", "false"]),
        ("globally-unique", &["true"]),
        ("clone-min", &["1", "2"]),
        ("critical", &["false"]),
    ];
    let resources = all(document, &["primitive", "group", "clone", "master", "bundle"]);
    let resources: Vec<NodeId> =
        resources.into_iter().filter(|resource| document.attribute(*resource, "id").is_some()).collect();
    if resources.is_empty() {
        return;
    }
    let resource = *random.pick(&resources);
    let (name, values) = *random.pick(META);
    let value = *random.pick(values);
    let block = match document.child(resource, "meta_attributes") {
        Some(block) => block,
        None => {
            let block = document.insert_element(resource, 0, "meta_attributes");
            let id = format!("added-{}", document.subtree(document.root()).count());
            document.set_attribute(block, "id", &id);
            block
        }
    };
    if document.attribute(block, "id-ref").is_none() {
        add_pair(document, block, name, value);
    }
}

/// An operation of the history that went well has failed, or the other way round.
fn fail_operation(document: &mut Document, random: &mut Random) {
    let operations = all(document, &["lrm_rsc_op"]);
    if operations.is_empty() {
        return;
    }
    let operation = *random.pick(&operations);
    let code = *random.pick(&["0", "1", "7", "5", "8", "9"]);
    document.set_attribute(operation, "rc-code", code);
    let key = document.attribute(operation, "transition-key").unwrap_or_default().to_owned();
    document.set_attribute(operation, "transition-magic", &format!("0:{code};{key}"));
    document.set_attribute(operation, "op-status", "0");
}
