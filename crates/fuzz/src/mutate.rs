//! Makes new inputs of known ones: by edits of the tree, which stay well-formed and find what hides behind
//! the parser, and by edits of the bytes.

use xml::{Document, NodeId};

use crate::random::Random;
use crate::target::Target;

/// A changed copy of one of `parents`.
pub fn mutate(target: Target, parents: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let parent = random.one(parents).cloned().unwrap_or_default();
    let tree_edits = if target == Target::Xml { random.below(4) == 0 } else { random.below(40) != 0 };
    match std::str::from_utf8(&parent).ok().and_then(|text| Document::parse(text).ok()) {
        Some(document) if tree_edits => {
            let other = random.one(parents).and_then(|other| Document::parse_bytes(other).ok());
            mutate_tree(document, other.as_ref(), random).to_string().into_bytes()
        }
        _ => mutate_bytes(parent, parents, random),
    }
}

// ---- trees

/// Values that mean something to somebody, or are at an extreme.
const VALUES: [&str; 44] = [
    "",
    "0",
    "1",
    "2",
    "-1",
    "INFINITY",
    "-INFINITY",
    "+INFINITY",
    "99999999999999999999",
    "-9223372036854775808",
    "2147483647",
    "2147483648",
    "4294967296",
    "true",
    "false",
    "yes",
    "Master",
    "Promoted",
    "Started",
    "Stopped",
    "Mandatory",
    "Optional",
    "Serialize",
    "stop",
    "start",
    "promote",
    "block",
    "fence",
    "restart",
    "restart-container",
    "demote",
    "ignore",
    "never",
    "exclusive",
    "unfencing",
    "1000000",
    "abc",
    "PT1M",
    "P99999999999Y",
    "2024-02-30",
    "0:7;3:0:7:x",
    "%",
    "10s",
    "#uname",
];

fn mutate_tree(mut document: Document, other: Option<&Document>, random: &mut Random) -> Document {
    for _ in 0..=random.below(6) {
        edit(&mut document, other, random);
    }
    document
}

fn edit(document: &mut Document, other: Option<&Document>, random: &mut Random) {
    let all: Vec<NodeId> = document.descendants(document.root()).collect();
    let (Some(&id), Some(&place)) = (random.one(&all), random.one(&all)) else { return };
    let names: Vec<String> = document.attributes(id).map(|(name, _)| name.to_owned()).collect();
    let name = random.one(&names).map(String::as_str);
    match (random.below(14), name) {
        (0, Some(name)) => {
            document.remove_attribute(id, name);
        }
        (1 | 2, Some(name)) => {
            document.set_attribute(id, name, VALUES[random.below(VALUES.len())]);
        }
        (3 | 4, Some(name)) => borrow_value(document, &all, id, name, random),
        (5, _) => document.remove(id),
        (6, _) => {
            let parent = document.parent(id).unwrap_or(document.root());
            document.duplicate(parent, Some(random.below(5)), id);
        }
        (7, _) => {
            document.move_to(id, place, Some(random.below(4)));
        }
        (8, _) => {
            let name = document.name(place).to_owned();
            document.set_name(id, &name);
        }
        (9, _) if document.subtree(id).count() < 50 => {
            document.duplicate(place, None, id);
        }
        (10, _) => graft(document, other, place, random),
        (11, _) => swap_ids(document, id, place),
        (12, _) if random.below(10) == 0 => nest(document, id, random),
        _ => configure(document, &all, random),
    }
}

/// Gives an attribute the value that the same attribute (or, rarely, any) has elsewhere.
fn borrow_value(document: &mut Document, all: &[NodeId], id: NodeId, name: &str, random: &mut Random) {
    let any = random.below(4) == 0;
    let values: Vec<String> = (all.iter())
        .flat_map(|id| document.attributes(*id))
        .filter(|(other, _)| any || *other == name || (is_reference(name) && *other == "id"))
        .map(|(_, value)| value.to_owned())
        .collect();
    if let Some(value) = random.one(&values) {
        document.set_attribute(id, name, value);
    }
}

fn is_reference(name: &str) -> bool {
    ["rsc", "with-rsc", "first", "then", "node", "id-ref", "template", "container"].contains(&name)
}

/// Puts a part of another document in.
fn graft(document: &mut Document, other: Option<&Document>, place: NodeId, random: &mut Random) {
    let Some(other) = other else { return };
    let parts: Vec<NodeId> = other.descendants(other.root()).collect();
    let Some(part) = random.one(&parts).filter(|part| other.subtree(**part).count() < 200) else { return };
    document.import(place, None, other, *part);
}

fn swap_ids(document: &mut Document, one: NodeId, other: NodeId) {
    let id = |document: &Document, node| document.attribute(node, "id").unwrap_or_default().to_owned();
    let (first, second) = (id(document, one), id(document, other));
    document.set_attribute(one, "id", &second);
    document.set_attribute(other, "id", &first);
}

/// An element in itself, some times or very often.
fn nest(document: &mut Document, id: NodeId, random: &mut Random) {
    let depth = if random.below(3) == 0 { 400 } else { random.below(6) };
    let name = document.name(id).to_owned();
    let mut at = id;
    for level in 0..depth {
        at = document.append_element(at, &name);
        document.set_attribute(at, "id", &format!("deep-{level}"));
    }
}

/// Options that change much, with the values that do.
const OPTIONS: [(&str, &[&str]); 40] = [
    ("symmetric-cluster", &["false", "true"]),
    ("stonith-enabled", &["false", "true"]),
    ("no-quorum-policy", &["stop", "freeze", "ignore", "demote", "suicide", "fence"]),
    ("maintenance-mode", &["true", "false"]),
    ("stop-all-resources", &["true"]),
    ("start-failure-is-fatal", &["false"]),
    ("enable-startup-probes", &["false"]),
    ("concurrent-fencing", &["false", "true"]),
    ("placement-strategy", &["utilization", "balanced", "minimal"]),
    ("shutdown-lock", &["true"]),
    ("node-health-strategy", &["only-green", "progressive", "custom", "migrate-on-red"]),
    ("stop-orphan-resources", &["false"]),
    ("remove-after-stop", &["true"]),
    ("priority-fencing-delay", &["10s"]),
    ("clone-max", &["0", "1", "3", "100", "100000", "2147483647"]),
    ("clone-node-max", &["2", "0", "5"]),
    ("clone-min", &["1", "2", "100"]),
    ("promoted-max", &["0", "2", "100000"]),
    ("promoted-node-max", &["2"]),
    ("promotable", &["true", "false"]),
    ("notify", &["true"]),
    ("ordered", &["true", "false"]),
    ("interleave", &["true", "false"]),
    ("globally-unique", &["true", "false"]),
    ("is-managed", &["false", "true"]),
    ("maintenance", &["true"]),
    ("target-role", &["Stopped", "Started", "Unpromoted", "Promoted"]),
    ("allow-migrate", &["true", "false"]),
    ("migration-threshold", &["1", "3", "INFINITY"]),
    ("failure-timeout", &["1", "60s"]),
    ("multiple-active", &["block", "stop_only", "stop_unexpected", "stop_start"]),
    ("requires", &["nothing", "quorum", "fencing", "unfencing"]),
    ("resource-stickiness", &["INFINITY", "-INFINITY", "0", "100"]),
    ("remote-node", &["guest1", "guest2"]),
    ("critical", &["false"]),
    ("priority", &["10", "INFINITY"]),
    ("standby", &["on", "true"]),
    ("terminate", &["true", "on"]),
    ("shutdown", &["1", "1700000000"]),
    ("container-attribute-target", &["host"]),
];

/// Sets an option where one of its kind is, in a valid way more often than not.
fn configure(document: &mut Document, all: &[NodeId], random: &mut Random) {
    let Some((name, values)) = random.one(&OPTIONS) else { return };
    let value = random.one(values).copied().unwrap_or_default();
    let hosts: Vec<NodeId> = (all.iter().copied())
        .filter(|id| {
            let kind = document.name(*id);
            ["cluster_property_set", "meta_attributes", "instance_attributes"].contains(&kind)
        })
        .collect();
    let host = match random.one(&hosts) {
        Some(host) if random.below(3) > 0 => *host,
        _ => {
            let owners = ["primitive", "clone", "group", "master", "node", "bundle"];
            let owners: Vec<NodeId> =
                all.iter().copied().filter(|id| owners.contains(&document.name(*id))).collect();
            let Some(&owner) = random.one(&owners) else { return };
            let kind = if document.name(owner) == "node" { "instance_attributes" } else { "meta_attributes" };
            let block = document.insert_element(owner, 0, kind);
            document.set_attribute(block, "id", &format!("made-{}", random.below(1 << 30)));
            block
        }
    };
    let known = document.children(host).find(|pair| document.attribute(*pair, "name") == Some(name));
    let pair = known.unwrap_or_else(|| {
        let pair = document.append_element(host, "nvpair");
        document.set_attribute(pair, "id", &format!("made-{}", random.below(1 << 30)));
        document.set_attribute(pair, "name", name);
        pair
    });
    document.set_attribute(pair, "value", value);
}

// ---- bytes

/// Pieces of syntax that parsers stumble over.
const PIECES: [&str; 30] = [
    "<",
    ">",
    "/>",
    "</",
    "&",
    ";",
    "&#0;",
    "&#x110000;",
    "&#xD800;",
    "&amp;",
    "&undefined;",
    "<!--",
    "-->",
    "--",
    "<![CDATA[",
    "]]>",
    "<?xml version='1.0' encoding='UTF-16'?>",
    "<?x",
    "?>",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>",
    "\"",
    "'",
    "=",
    "\0",
    "\u{FEFF}",
    "\u{FFFE}",
    "\u{1F600}",
    "\r\n",
    "xmlns:a='b'",
    " id='a' id='b'",
];

fn mutate_bytes(mut input: Vec<u8>, parents: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        let end = (at + random.below(40)).min(input.len());
        match random.below(9) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 => drop(input.drain(at..end)),
            2 => input.truncate(at),
            3 => {
                let piece = input[at..end].to_vec();
                let target = random.below(input.len() + 1);
                input.splice(target..target, piece);
            }
            4 => {
                let other = random.one(parents).cloned().unwrap_or_default();
                let from = random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            5 if random.below(20) == 0 => {
                let deep = "<a>".repeat(1 + random.below(5_000));
                input.splice(at..at, deep.into_bytes());
            }
            6 if random.below(20) == 0 => {
                let long = "x".repeat(random.below(100_000));
                input.splice(at..at, long.into_bytes());
            }
            _ => {
                let piece = PIECES[random.below(PIECES.len())];
                input.splice(at..at, piece.bytes());
            }
        }
    }
    input
}
