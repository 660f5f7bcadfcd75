//! Clusters made up at random: valid for schema 3.9, with everything that a configuration can say and a
//! status that could have come about.

mod constraints;
mod histories;
mod injections;
mod nodes;
mod options;
mod resources;
mod status;

use super::random::Random;

/// The moment of all made-up clusters, seconds since the epoch.
pub const NOW: i64 = 1_700_000_000;

/// Values that people write by mistake, and some that are right but rare.
const ODD: &[&str] = &[
    "",
    " 7",
    "7x",
    "-1",
    "+3",
    "0x10",
    "1.5",
    "1e3",
    "+INFINITY",
    "infinity",
    "INFINITY ",
    "99999999999999999999",
    "-99999999999999999999",
    "2147483648",
    "yes",
    "Y",
    "OFF",
    "TRUE",
    "maybe",
    "#default",
    "#Default",
    "PT5M",
    "P1DT2H",
    "10 min",
    "5 ms",
    "7us",
    "1h30m",
    "red",
    "STARTED",
    "default",
    "BLOCK",
    "Nothing",
];

/// Moments, as they may be written.
const MOMENTS: &[&str] = &[
    "2023-11-01",
    "2023-11-14T22:14:00Z",
    "2024-01-01",
    "2023-11-14 22:14",
    "20231114T221300Z",
    "2023-W46-2T23:14:00+01:00",
    "2023-318 19:45:00 -02:30",
    "2023-11-14T24:00:00Z",
    "2023-11-31",
    "2023-11-14T22:13:20",
    "2023-W53-1",
    "2023-11",
    "20231114",
    "2023-11-14T22:13:20.5Z",
    "epoch",
    "never",
];

/// A primitive as the status must know it.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The configured id.
    pub id: String,
    pub class: &'static str,
    pub provider: &'static str,
    pub kind: &'static str,
    /// Recurring monitors: interval in milliseconds, and whether of the promoted role.
    pub monitors: Vec<(u32, bool)>,
    /// Number of instances, 0 outside of clones.
    pub instances: usize,
    pub unique: bool,
    pub promotable: bool,
    /// The digest of its start.
    pub digest: &'static str,
    /// Runs inside of a bundle's containers: the names of those nodes.
    pub inside: Vec<String>,
}

/// What constraints can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Primitive,
    Member,
    Group,
    Clone,
    Promotable,
    Bundle,
    Fencing,
    Remote,
}

/// A cluster while it is being made.
pub struct Maker {
    random: Random,
    /// Cluster nodes' names; ids are 1, 2, ….
    nodes: Vec<String>,
    /// Names of remote and guest nodes.
    remotes: Vec<String>,
    guests: Vec<String>,
    leaves: Vec<Leaf>,
    named: Vec<(String, Kind)>,
    templates: Vec<String>,
    /// A resource is made from the template.
    derived: bool,
    tags: Vec<String>,
    fencing: bool,
    /// Whether there may be colocations: versions differ in how they weigh them.
    colocations: bool,
    next_id: usize,
}

impl Maker {
    /// A number for ids.
    fn number(&mut self) -> usize {
        self.next_id += 1;
        self.next_id
    }

    fn pair(&mut self, name: &str, value: &str) -> String {
        let names_something = matches!(name, "remote-node" | "pcmk_host_list" | "container");
        if !names_something && self.random.chance(2) {
            let odd = self.random.word(ODD);
            // the first of one name in a block counts
            let again = if self.random.chance(30) { self.pair(name, value) } else { String::new() };
            return format!("<nvpair id=\"n{}\" name=\"{name}\" value=\"{odd}\"/>{again}", self.number());
        }
        self.plain_pair(name, value)
    }

    fn plain_pair(&mut self, name: &str, value: &str) -> String {
        format!("<nvpair id=\"n{}\" name=\"{name}\" value=\"{value}\"/>", self.number())
    }

    /// Meta-attributes; sometimes in two blocks, of which the first has a score or holds at some times only.
    fn meta_block(&mut self, pairs: &[(String, String)]) -> String {
        if pairs.len() < 2 || !self.random.chance(15) {
            return self.block("meta_attributes", pairs);
        }
        let (one, other) = pairs.split_at(self.random.between(1, pairs.len() - 1));
        let number = self.number();
        let rule = if self.random.chance(60) {
            format!("<rule id=\"r{number}\" score=\"0\">{}</rule>", self.date_condition())
        } else {
            String::new()
        };
        let score = if self.random.chance(40) { " score=\"5\"" } else { "" };
        let mut body: String = one.iter().map(|(name, value)| self.pair(name, value)).collect();
        if self.random.chance(30) {
            // said in both blocks
            body += &self.pair(&other[0].0, self.random.clone().word(&["1", "0", "Stopped"]));
        }
        let first = format!("<meta_attributes id=\"b{number}\"{score}>{rule}{body}</meta_attributes>\n");
        first + &self.block("meta_attributes", other)
    }

    /// A block of name/value pairs; nothing if there are none.
    fn block(&mut self, element: &str, pairs: &[(String, String)]) -> String {
        if pairs.is_empty() {
            return String::new();
        }
        let body: String =
            (pairs.iter())
                .map(|(name, value)| {
                    if element == "utilization" {
                        self.plain_pair(name, value)
                    } else {
                        self.pair(name, value)
                    }
                })
                .collect();
        format!("<{element} id=\"b{}\">{body}</{element}>\n", self.number())
    }
}

/// The document of a seed, with or without colocations, and what the tool is told to change before or during the
/// run.
pub fn document(seed: u64, colocations: bool) -> (String, Vec<String>) {
    let mut random = Random::new(seed);
    let count = *random.pick(&[1, 2, 2, 3, 3, 3, 4, 5]);
    let nodes = (1..=count).map(|number| format!("node{number}")).collect();
    let fencing = random.chance(60);
    let mut maker = Maker {
        random,
        nodes,
        fencing,
        colocations,
        remotes: Vec::new(),
        guests: Vec::new(),
        leaves: Vec::new(),
        named: Vec::new(),
        templates: Vec::new(),
        derived: false,
        tags: Vec::new(),
        next_id: 0,
    };
    let text = if seed.is_multiple_of(4) { maker.wild() } else { maker.whole() };
    let words = maker.injections();
    (text, words)
}

impl Maker {
    fn whole(&mut self) -> String {
        let quorum = usize::from(!self.random.chance(12));
        let options = self.options();
        let resources = self.resources();
        let nodes = self.nodes_section();
        let defaults = self.defaults();
        let constraints = self.constraints();
        let tags = self.tags_section();
        let topology = self.topology();
        let status = self.status();
        format!(
            "<cib crm_feature_set=\"3.16.1\" validate-with=\"pacemaker-3.9\" epoch=\"1\" num_updates=\"1\" admin_epoch=\"0\" have-quorum=\"{quorum}\" dc-uuid=\"1\" execution-date=\"{NOW}\">\n<configuration>\n<crm_config>\n{options}</crm_config>\n<nodes>\n{nodes}</nodes>\n<resources>\n{resources}</resources>\n<constraints>\n{constraints}</constraints>\n{topology}{defaults}{tags}</configuration>\n<status>\n{status}</status>\n</cib>\n"
        )
    }

    fn tags_section(&mut self) -> String {
        let tags = std::mem::take(&mut self.tags);
        if tags.is_empty() { String::new() } else { format!("<tags>\n{}</tags>\n", tags.concat()) }
    }
}
