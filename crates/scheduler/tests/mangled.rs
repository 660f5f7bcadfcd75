//! Configurations nobody would write, made from real ones by random edits: whatever they say, they are typed,
//! judged and planned for without panic. The recorded inputs are optional data; without them a small sample
//! serves.
//!
//! A short fixed run belongs to every test run. A longer one with fresh edits:
//! `SYSTOLE_FUZZ_SECONDS=900 SYSTOLE_FUZZ_SEED=7 cargo test --release -p scheduler --test mangled -- --nocapture`

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use xml::{Document, NodeId};

/// Runs without [`SECONDS`].
const RUNS: usize = 250;
const SECONDS: &str = "SYSTOLE_FUZZ_SECONDS";
const SEED: &str = "SYSTOLE_FUZZ_SEED";
/// Larger inputs are left out: many small ones find more.
const MOST_BYTES: usize = 60_000;

#[test]
fn mangled_configurations_are_planned_without_panic() {
    let inputs = inputs();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let deadline = number(SECONDS).map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let seed = number(SEED).unwrap_or(1);
    let mut run = 0;
    while deadline.map_or(run < RUNS, |deadline| Instant::now() < deadline) {
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(run as u64));
        let mut document = inputs[random.below(inputs.len())].clone();
        mangle(&mut document, &mut random);
        if catch_unwind(AssertUnwindSafe(|| survive(&document))).is_err() {
            let file = std::env::temp_dir().join(format!("mangled-{seed}-{run}.xml"));
            std::fs::write(&file, document.to_pretty()).expect("the temporary folder is writable");
            panic!("seed {seed}, run {run}: {} makes the scheduler panic", file.display());
        }
        run += 1;
    }
    println!("{run} configurations survived");
}

fn survive(document: &Document) {
    cib::schema::validate(document);
    let (cib, _) = cib::Cib::from_document(document);
    let now = 1_700_000_000;
    cib::verify::verify(&cib, cib::iso8601::DateTime::from_timestamp(now, 0));
    let plan = scheduler::plan(&cib, now, scheduler::model::PlanOptions::default());
    plan.violations();
}

// ---- inputs

fn inputs() -> Vec<Document> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders =
        ["../../../shared", "../../../../shared"].map(|up| here.join(up).join("conformance/scheduler/xml"));
    let mut files: Vec<PathBuf> = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .collect();
    files.sort();
    let texts = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    let mut inputs: Vec<Document> =
        texts.filter(|text| text.len() < MOST_BYTES).filter_map(|text| Document::parse(&text).ok()).collect();
    if inputs.is_empty() {
        inputs.push(Document::parse(SAMPLE).expect("the sample is XML"));
    }
    inputs
}

const SAMPLE: &str = r#"<cib admin_epoch="0" epoch="1" num_updates="0" validate-with="pacemaker-4.0" have-quorum="1">
<configuration><crm_config><cluster_property_set id="o"><nvpair id="o-f" name="stonith-enabled" value="false"/>
</cluster_property_set></crm_config><nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes><resources>
<group id="g"><primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><operations>
<op id="a-m" name="monitor" interval="10s"/></operations></primitive>
<primitive id="b" class="ocf" provider="pacemaker" type="Dummy"/></group>
<clone id="c"><meta_attributes id="c-m"><nvpair id="c-m-p" name="promotable" value="true"/></meta_attributes>
<primitive id="s" class="ocf" provider="pacemaker" type="Stateful"/></clone></resources><constraints>
<rsc_location id="l" rsc="g" node="n1" score="50"/><rsc_order id="o1" first="c" first-action="promote" then="g"/>
<rsc_colocation id="co" rsc="g" with-rsc="c" with-rsc-role="Promoted" score="INFINITY"/></constraints></configuration>
<status><node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1">
<lrm_resources><lrm_resource id="a" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="a_last_0"
operation_key="a_start_0" operation="start" transition-key="1:1:0:x" transition-magic="0:0;1:1:0:x" call-id="3"
rc-code="0" op-status="0" interval="0"/></lrm_resource></lrm_resources></lrm></node_state></status></cib>"#;

// ---- edits

/// A small generator: the same seed must give the same edits everywhere.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % bound.max(1) as u64) as usize
    }
}

const VALUES: [&str; 26] = [
    "",
    "0",
    "1",
    "-1",
    "INFINITY",
    "-INFINITY",
    "99999999999999999999",
    "-9223372036854775808",
    "2147483647",
    "true",
    "false",
    "yes",
    "Master",
    "Promoted",
    "stop",
    "block",
    "fence",
    "never",
    "1000000",
    "abc",
    "PT1M",
    "2024-02-30",
    "0:7;3:0:7:x",
    "%",
    "10s",
    "stonith",
];

/// Numbers of instances, which cost time; how many are too many is tested elsewhere.
const COUNTS: [&str; 4] = ["replicas", "replicas-per-host", "promoted-max", "masters"];
const COUNT_OPTIONS: [&str; 3] = ["clone-max", "clone-node-max", "promoted-max"];

fn mangle(document: &mut Document, random: &mut Random) {
    for _ in 0..=random.below(5) {
        edit(document, random);
    }
    for id in document.descendants(document.root()).collect::<Vec<_>>() {
        for name in COUNTS {
            tame(document, id, name);
        }
        if document.attribute(id, "name").is_some_and(|name| COUNT_OPTIONS.contains(&name)) {
            tame(document, id, "value");
        }
    }
}

fn tame(document: &mut Document, id: NodeId, name: &str) {
    let number = document.attribute(id, name).and_then(|text| text.parse::<f64>().ok());
    if number.is_some_and(|number| number > 50.0) {
        document.set_attribute(id, name, "50");
    }
}

fn edit(document: &mut Document, random: &mut Random) {
    let all: Vec<NodeId> = document.descendants(document.root()).collect();
    let (id, other) = (all[random.below(all.len())], all[random.below(all.len())]);
    let Some(parent) = document.parent(id) else { return };
    let names: Vec<String> = document.attributes(id).map(|(name, _)| name.to_owned()).collect();
    let name = names.get(random.below(names.len()));
    match (random.below(9), name) {
        (0, Some(name)) => {
            document.remove_attribute(id, name);
        }
        (1 | 2, Some(name)) => document.set_attribute(id, name, VALUES[random.below(VALUES.len())]),
        (3, Some(name)) => {
            let values: Vec<String> = document.attributes(other).map(|(_, value)| value.to_owned()).collect();
            let value = values.get(random.below(values.len())).cloned().unwrap_or_default();
            document.set_attribute(id, name, &value);
        }
        (4, _) => document.remove(id),
        (5, _) => {
            document.duplicate(parent, Some(random.below(5)), id);
        }
        (6, _) => {
            document.move_to(id, other, Some(random.below(4)));
        }
        (7, _) => {
            let name = document.name(other).to_owned();
            document.set_name(id, &name);
        }
        _ if document.subtree(id).count() < 50 => {
            document.duplicate(other, None, id);
        }
        _ => {}
    }
}
