//! Resources of every kind.

use super::{Kind, Leaf, MOMENTS, Maker};

/// Digest of an operation without parameters.
const NO_PARAMETERS: &str = "f2317cad3d54cec5d7d7aa7d0bf35cf8";

const META: &[(&str, &[&str], usize)] = &[
    ("priority", &["1", "10", "-3", "2.0"], 12),
    ("resource-stickiness", &["0", "1", "50", "INFINITY", "-10"], 15),
    ("migration-threshold", &["1", "2", "0", "INFINITY"], 15),
    ("failure-timeout", &["30s", "10min", "2h"], 12),
    ("target-role", &["Stopped", "Started", "Promoted", "Unpromoted", "Master", "Slave"], 10),
    ("is-managed", &["false", "true"], 7),
    ("maintenance", &["true", "false"], 4),
    ("multiple-active", &["stop_only", "block", "stop_start", "stop_unexpected"], 12),
    ("allow-migrate", &["true", "false"], 18),
    ("requires", &["nothing", "quorum", "fencing"], 9),
    ("critical", &["false", "true"], 8),
    ("allow-unhealthy-nodes", &["true"], 5),
];

impl Maker {
    pub(super) fn resources(&mut self) -> String {
        let mut out = String::new();
        if self.random.chance(15) {
            out += &self.template();
        }
        if self.fencing {
            for number in 0..self.random.between(0, 2) {
                out += &self.fence_device(number);
            }
        }
        for number in 0..self.random.between(1, 6) {
            out += &match self.random.below(20) {
                0..=6 => self.lone_primitive(number),
                7..=10 => self.group(number),
                11..=13 => self.clone_of(number, false),
                14..=15 => self.clone_of(number, true),
                16..=17 => self.bundle(number),
                18 if self.random.chance(30) => self.fencing_clone(number),
                18 => self.remote(number),
                _ => self.guest(number),
            };
        }
        if self.random.chance(12) {
            self.tag();
        }
        out
    }

    pub(super) fn meta(&mut self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for (name, values, percent) in META {
            if self.random.chance(*percent) {
                pairs.push(((*name).to_owned(), (*self.random.pick(values)).to_owned()));
            }
        }
        pairs
    }

    fn utilization(&mut self) -> String {
        if !self.random.chance(35) {
            return String::new();
        }
        let mut pairs = vec![("cpu".to_owned(), self.random.word(&["1", "2", "3"]).to_string())];
        if self.random.chance(50) {
            pairs.push(("memory".to_owned(), self.random.word(&["5", "10", "15"]).to_string()));
        }
        self.block("utilization", &pairs)
    }

    pub(super) fn operations(&mut self, id: &str, promotable: bool) -> (String, Vec<(u32, bool)>) {
        let mut out = String::new();
        let mut monitors = Vec::new();
        let failure = |maker: &mut Maker, choices: &[&str]| {
            if maker.random.chance(22) {
                format!(" on-fail=\"{}\"", maker.random.pick(choices))
            } else {
                String::new()
            }
        };
        let general = ["ignore", "block", "stop", "restart", "standby", "fence"];
        let general: &[&str] = if self.fencing { &general } else { &general[..5] };
        if self.random.chance(75) {
            let on_fail = failure(self, general);
            let role = if promotable { " role=\"Unpromoted\"" } else { "" };
            let timing = self.timing(true);
            out += &format!(
                "<op id=\"{id}-m10\" name=\"monitor\" interval=\"10s\" timeout=\"20s\"{on_fail}{role}{timing}/>"
            );
            monitors.push((10_000, false));
        }
        if promotable && self.random.chance(70) {
            let on_fail = failure(self, &["demote", "restart", "ignore", "block"]);
            let role = self.random.word(&["Promoted", "Master"]);
            let timing = self.timing(true);
            out += &format!(
                "<op id=\"{id}-m9\" name=\"monitor\" interval=\"9s\" timeout=\"20s\" role=\"{role}\"{on_fail}{timing}/>"
            );
            monitors.push((9_000, true));
        }
        if self.random.chance(8) {
            out += &format!("<op id=\"{id}-ms\" name=\"monitor\" interval=\"17s\" role=\"Stopped\"/>");
        }
        if self.random.chance(15) {
            let on_fail = failure(self, general);
            let timing = self.timing(false);
            out += &format!(
                "<op id=\"{id}-start\" name=\"start\" interval=\"0\" timeout=\"40s\"{on_fail}{timing}/>"
            );
        }
        if self.random.chance(15) {
            let choices: &[&str] =
                if self.fencing { &["block", "ignore", "fence"] } else { &["block", "ignore"] };
            let on_fail = failure(self, choices);
            let timing = self.timing(false);
            out += &format!(
                "<op id=\"{id}-stop\" name=\"stop\" interval=\"0\" timeout=\"50s\"{on_fail}{timing}/>"
            );
        }
        if promotable && self.random.chance(15) {
            let on_fail = failure(self, &["demote", "block", "stop", "ignore"]);
            let timing = self.timing(false);
            out += &format!("<op id=\"{id}-promote\" name=\"promote\" interval=\"0\"{on_fail}{timing}/>");
        }
        if self.random.chance(25) {
            out += &self.further_operation(id, promotable, &mut monitors);
        }
        (if out.is_empty() { out } else { format!("<operations>{out}</operations>\n") }, monitors)
    }

    /// When an operation is to begin: rarely anything.
    fn timing(&mut self, recurring: bool) -> String {
        match self.random.below(if recurring { 24 } else { 16 }) {
            0 => format!(
                " start-delay=\"{}\"",
                self.random.word(&["5s", "1min", "0", "-2s", "1500ms", "PT30S", "soon", "30d"])
            ),
            1 | 2 => format!(
                " interval-origin=\"{}\"",
                self.random.word(&[
                    "2023-11-14T22:13:13Z",
                    "2023-11-14T22:13:20Z",
                    "2023-11-14 22:13:27Z",
                    "2024-02-30",
                    "2023-318",
                    self.random.clone().word(MOMENTS),
                ])
            ),
            _ => String::new(),
        }
    }

    /// An operation that few resources configure.
    fn further_operation(&mut self, id: &str, promotable: bool, monitors: &mut Vec<(u32, bool)>) -> String {
        let on_fail = if self.random.chance(35) {
            format!(" on-fail=\"{}\"", self.random.word(&["ignore", "restart", "stop", "demote"]))
        } else {
            String::new()
        };
        match self.random.below(10) {
            0 => {
                let timing = self.timing(true);
                if !promotable {
                    monitors.push((23_000, false));
                }
                let enabled = if self.random.chance(40) { " enabled=\"false\"" } else { "" };
                format!(
                    "<op id=\"{id}-m23\" name=\"monitor\" interval=\"PT23S\"{on_fail}{timing}{enabled}>{}</op>",
                    self.block("instance_attributes", &[("OCF_CHECK_LEVEL".into(), "10".into())])
                )
            }
            1 => format!("<op id=\"{id}-probe\" name=\"monitor\" interval=\"0\" timeout=\"70s\"{on_fail}/>"),
            2 => {
                let timing = self.timing(false);
                format!(
                    "<op id=\"{id}-to\" name=\"migrate_to\" interval=\"0s\" timeout=\"2min\"{on_fail}{timing}/>"
                )
            }
            3 => {
                let timing = self.timing(false);
                format!(
                    "<op id=\"{id}-mig\" name=\"migrate\" interval=\"0\" timeout=\"80\"{on_fail}{timing}/>"
                )
            }
            4 => {
                let on_fail = if on_fail.contains("demote") { "" } else { on_fail.as_str() };
                let timing = self.timing(false);
                format!(
                    "<op id=\"{id}-demote\" name=\"demote\" interval=\"0\" timeout=\"1m\"{on_fail}{timing}/>"
                )
            }
            5 => {
                let timing = self.timing(false);
                format!("<op id=\"{id}-notify\" name=\"notify\" interval=\"0\" timeout=\"12s\"{timing}/>")
            }
            6 => format!(
                "<op id=\"{id}-mx\" name=\"monitor\" interval=\"10000ms\" timeout=\"21s\"{on_fail} role=\"{}\"/>",
                self.random.word(&["Started", "Slave", "Stopped"])
            ),
            7 => {
                let pairs = [
                    ("timeout".to_owned(), "77s".to_owned()),
                    ("on-fail".to_owned(), "ignore".to_owned()),
                    ("start-delay".to_owned(), "7s".to_owned()),
                ];
                let block = self.meta_block(&pairs);
                let task = self.random.word(&["start", "stop", "monitor", "promote"]);
                let interval = if task == "monitor" { "41s" } else { "0" };
                format!("<op id=\"{id}-x\" name=\"{task}\" interval=\"{interval}\">{block}</op>")
            }
            8 => format!("<op id=\"{id}-reload\" name=\"reload-agent\" interval=\"0\" timeout=\"9s\"/>"),
            _ => {
                let timing = self.timing(true);
                format!(
                    "<op id=\"{id}-ms2\" name=\"monitor\" interval=\"19s\" role=\"Stopped\" timeout=\"3s\"{on_fail}{timing}/>"
                )
            }
        }
    }

    /// Instance attributes of a primitive; sometimes others on some nodes.
    fn parameters(&mut self) -> String {
        if !self.random.chance(12) {
            return String::new();
        }
        let pairs = [("fake".to_owned(), self.random.word(&["1", "2"]).to_owned())];
        let mut out = String::new();
        if self.random.chance(40) {
            let number = self.number();
            let condition = self.node_condition();
            let pair = self.pair("fake", "3");
            out += &format!(
                "<instance_attributes id=\"b{number}\"><rule id=\"r{number}\" score=\"0\">{condition}</rule>{pair}</instance_attributes>\n"
            );
        }
        out + &self.block("instance_attributes", &pairs)
    }

    /// A primitive of an ordinary agent; extra meta-attributes go first.
    fn primitive(&mut self, id: &str, meta: Vec<(String, String)>, promotable: bool, known: Known) -> String {
        let agents: &[(&str, &str, &str)] = if promotable {
            &[("ocf", "pacemaker", "Stateful")]
        } else if known.unique {
            &[("ocf", "pacemaker", "Dummy"), ("ocf", "heartbeat", "apache")]
        } else {
            &[
                ("ocf", "pacemaker", "Dummy"),
                ("ocf", "heartbeat", "apache"),
                ("lsb", "", "thing"),
                ("systemd", "", "httpd"),
            ]
        };
        let weight = if known.unique { 2 } else { 6 };
        let (class, provider, kind) = agents[match self.random.below(weight) {
            0 | 3 | 4 => 0,
            other => other.min(agents.len() - 1) % agents.len(),
        }
        .min(agents.len() - 1)];
        let provided = if provider.is_empty() { String::new() } else { format!(" provider=\"{provider}\"") };
        let (operations, monitors) = self.operations(id, promotable);
        let meta = self.meta_block(&meta);
        let parameters = self.parameters();
        let utilization = self.utilization();
        self.leaves.push(Leaf {
            id: id.to_owned(),
            class,
            provider,
            kind,
            monitors,
            instances: known.instances,
            unique: known.unique,
            promotable,
            digest: if self.random.chance(6) { "00000000000000000000000000000000" } else { NO_PARAMETERS },
            inside: known.inside,
        });
        format!(
            "<primitive id=\"{id}\" class=\"{class}\"{provided} type=\"{kind}\">\n{meta}{parameters}{utilization}{operations}</primitive>\n"
        )
    }

    fn lone_primitive(&mut self, number: usize) -> String {
        let id = format!("p{number}");
        self.named.push((id.clone(), Kind::Primitive));
        if let Some(template) = self.templates.first().cloned().filter(|_| self.random.chance(50)) {
            self.derived = true;
            let meta = self.meta();
            let meta = self.meta_block(&meta);
            self.leaves.push(Leaf {
                id: id.clone(),
                class: "ocf",
                provider: "pacemaker",
                kind: "Dummy",
                monitors: vec![(10_000, false)],
                instances: 0,
                unique: false,
                promotable: false,
                digest: NO_PARAMETERS,
                inside: Vec::new(),
            });
            return format!("<primitive id=\"{id}\" template=\"{template}\">{meta}</primitive>\n");
        }
        let meta = self.meta();
        self.primitive(&id, meta, false, Known::default())
    }

    fn template(&mut self) -> String {
        let id = "tmpl".to_owned();
        self.templates.push(id.clone());
        let meta = self.meta();
        let meta = self.meta_block(&meta);
        let utilization = self.utilization();
        format!(
            "<template id=\"{id}\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\">{meta}{utilization}<operations><op id=\"{id}-m\" name=\"monitor\" interval=\"10s\" timeout=\"20s\"/></operations></template>\n"
        )
    }

    fn group(&mut self, number: usize) -> String {
        let id = format!("g{number}");
        self.named.push((id.clone(), Kind::Group));
        let mut meta = self.meta();
        self.group_meta(&mut meta);
        let block = self.meta_block(&meta);
        let mut members = self.members(&id, Known::default(), false);
        if self.random.chance(6) {
            // a member is the host of a guest node
            members += &self.guest(number);
        }
        format!("<group id=\"{id}\">\n{block}{members}</group>\n")
    }

    fn group_meta(&mut self, meta: &mut Vec<(String, String)>) {
        for name in ["ordered", "collocated"] {
            if self.random.chance(6) {
                meta.push((name.into(), "false".into()));
            }
        }
    }

    fn members(&mut self, group: &str, known: Known, promotable: bool) -> String {
        let mut out = String::new();
        for member in 0..self.random.between(1, 3) {
            let id = format!("{group}m{member}");
            if known.instances == 0 {
                self.named.push((id.clone(), Kind::Member));
            }
            let meta = if self.random.chance(30) { self.meta() } else { Vec::new() };
            out += &self.primitive(&id, meta, promotable, known.clone());
        }
        out
    }

    fn clone_of(&mut self, number: usize, promotable: bool) -> String {
        let id = format!("c{number}");
        self.named.push((id.clone(), if promotable { Kind::Promotable } else { Kind::Clone }));
        let mut meta = self.meta();
        let mut add = |name: &str, value: &str| meta.push((name.to_owned(), value.to_owned()));
        let mut known = Known { instances: self.nodes.len(), ..Known::default() };
        if self.random.chance(25) {
            let most = self.random.between(0, 4);
            known.instances = most.max(1);
            add("clone-max", &most.to_string());
        }
        // versions differ in what more than one instance on a node means for uniqueness: it is always said
        if self.random.chance(15) {
            add("globally-unique", "true");
            known.unique = true;
            if self.random.chance(40) {
                add("clone-node-max", "2");
            }
        }
        for (name, percent) in [("interleave", 40), ("ordered", 20), ("notify", 30)] {
            if self.random.chance(percent) {
                add(name, "true");
            }
        }
        if self.random.chance(12) {
            add("clone-min", self.random.word(&["1", "2"]));
        }
        if promotable {
            add("promotable", "true");
            if self.random.chance(25) {
                add(self.random.word(&["promoted-max", "master-max"]), self.random.word(&["0", "1", "2"]));
            }
            if self.random.chance(10) {
                add("promoted-node-max", "2");
            }
        }
        let block = self.meta_block(&meta);
        let child = if self.random.chance(if promotable { 15 } else { 35 }) {
            let members = self.members(&format!("{id}g"), known, promotable);
            format!("<group id=\"{id}g\">\n{members}</group>\n")
        } else {
            let meta = if self.random.chance(15) { self.meta() } else { Vec::new() };
            self.primitive(&format!("{id}p"), meta, promotable, known)
        };
        format!("<clone id=\"{id}\">\n{block}{child}</clone>\n")
    }

    fn bundle(&mut self, number: usize) -> String {
        let id = format!("u{number}");
        self.named.push((id.clone(), Kind::Bundle));
        let replicas = self.random.between(1, 3);
        let promoted = if self.random.chance(40) { 1 } else { 0 };
        let container = self.random.word(&["docker", "podman"]);
        let promoted_max = if promoted > 0 { " promoted-max=\"1\"" } else { "" };
        let per_host = if self.random.chance(15) { " replicas-per-host=\"2\"" } else { "" };
        let more = if self.random.chance(12) {
            self.random.word(&[" run-command=\"/bin/x\"", " options=\"--y z\"", " network=\"host\""])
        } else {
            ""
        };
        let network = if self.random.chance(70) {
            format!(
                "<network ip-range-start=\"192.168.{number}.10\"{}/>",
                match self.random.below(12) {
                    0 => " host-interface=\"eth0\" host-netmask=\"24\"",
                    1 => " add-host=\"false\"",
                    2 => " control-port=\"9999\"",
                    _ => "",
                }
            )
        } else {
            "<network control-port=\"3121\"/>".to_owned()
        };
        let storage = if self.random.chance(10) {
            format!(
                "<storage><storage-mapping id=\"{id}-s\" source-dir-root=\"/srv\" target-dir=\"{}\" options=\"rw\"/></storage>",
                self.random.word(&["/data", "/var/log"])
            )
        } else {
            String::new()
        };
        let primitive = if self.random.chance(75) {
            let known = Known {
                instances: replicas,
                unique: false,
                inside: (0..replicas).map(|replica| format!("{id}-{replica}")).collect(),
            };
            let mut meta = if self.random.chance(15) { self.meta() } else { Vec::new() };
            if self.random.chance(25) {
                meta.push(("notify".to_owned(), "true".to_owned()));
            }
            if self.random.chance(8) {
                meta.push(("container-attribute-target".to_owned(), "host".to_owned()));
            }
            self.primitive(&format!("{id}p"), meta, promoted > 0, known)
        } else {
            String::new()
        };
        for replica in 0..replicas {
            let kind = if container == "docker" { "docker" } else { "podman" };
            self.leaves.push(implicit(&format!("{id}-{container}-{replica}"), "heartbeat", kind, 60_000));
            if !primitive.is_empty() {
                self.leaves.push(implicit(&format!("{id}-{replica}"), "pacemaker", "remote", 30_000));
            }
            if network.contains("ip-range") {
                self.leaves.push(implicit(
                    &format!("{id}-ip-192.168.{number}.{}", 10 + replica),
                    "heartbeat",
                    "IPaddr2",
                    60_000,
                ));
            }
        }
        let meta = self.meta();
        let meta = self.meta_block(&meta);
        format!(
            "<bundle id=\"{id}\">\n{meta}<{container} image=\"img:latest\" replicas=\"{replicas}\"{promoted_max}{per_host}{more}/>{network}{storage}{primitive}</bundle>\n"
        )
    }

    fn remote(&mut self, number: usize) -> String {
        let id = format!("remote{number}");
        self.named.push((id.clone(), Kind::Remote));
        self.remotes.push(id.clone());
        let mut leaf = implicit(&id, "pacemaker", "remote", 10_000);
        leaf.digest = NO_PARAMETERS;
        self.leaves.push(leaf);
        let meta = self.meta();
        let meta = self.meta_block(&meta);
        let reconnect = if self.random.chance(25) {
            self.block("instance_attributes", &[("reconnect_interval".into(), "60s".into())])
        } else {
            String::new()
        };
        format!(
            "<primitive id=\"{id}\" class=\"ocf\" provider=\"pacemaker\" type=\"remote\">{meta}{reconnect}<operations><op id=\"{id}-m\" name=\"monitor\" interval=\"10s\" timeout=\"20s\"/></operations></primitive>\n"
        )
    }

    fn guest(&mut self, number: usize) -> String {
        let id = format!("vm{number}");
        self.named.push((id.clone(), Kind::Primitive));
        let guest = format!("guest{number}");
        self.guests.push(guest.clone());
        self.leaves.push(implicit(&guest, "pacemaker", "remote", 30_000));
        let mut meta = self.meta();
        meta.push(("remote-node".into(), guest));
        if self.random.chance(20) {
            meta.push(("remote-allow-migrate".into(), "false".into()));
        }
        self.primitive(&id, meta, false, Known::default())
    }

    /// A clone of a fence device.
    fn fencing_clone(&mut self, number: usize) -> String {
        let id = format!("c{number}");
        self.named.push((id.clone(), Kind::Clone));
        let device = self.fence_device(90 + number);
        self.named.pop();
        if let Some(leaf) = self.leaves.last_mut() {
            leaf.instances = self.nodes.len();
        }
        let meta = self.meta();
        let block = self.meta_block(&meta);
        format!("<clone id=\"{id}\">\n{block}{device}</clone>\n")
    }

    pub(super) fn fence_device(&mut self, number: usize) -> String {
        let id = format!("fence{number}");
        self.named.push((id.clone(), Kind::Fencing));
        self.leaves.push(Leaf {
            class: "stonith",
            provider: "",
            kind: "fence_xvm",
            ..implicit(&id, "", "", 120_000)
        });
        let provides = if self.random.chance(12) {
            self.block("meta_attributes", &[("provides".into(), "unfencing".into())])
        } else {
            String::new()
        };
        let hosts = self.nodes.join(" ");
        let attributes = self.block("instance_attributes", &[("pcmk_host_list".into(), hosts)]);
        format!(
            "<primitive id=\"{id}\" class=\"stonith\" type=\"fence_xvm\">{provides}{attributes}<operations><op id=\"{id}-m\" name=\"monitor\" interval=\"120s\"/></operations></primitive>\n"
        )
    }

    fn tag(&mut self) {
        let members: Vec<String> = self
            .named
            .clone()
            .into_iter()
            .filter(|(_, kind)| {
                matches!(kind, Kind::Primitive | Kind::Group | Kind::Clone | Kind::Promotable | Kind::Bundle)
            })
            .map(|(id, _)| format!("<obj_ref id=\"{id}\"/>"))
            .take(self.random.between(1, 3))
            .collect();
        if !members.is_empty() {
            self.tags.push(format!("<tag id=\"tag1\">{}</tag>\n", members.concat()));
        }
    }

    pub(super) fn topology(&mut self) -> String {
        if !self.random.chance(10) || !self.named.iter().any(|(_, kind)| *kind == Kind::Fencing) {
            return String::new();
        }
        format!(
            "<fencing-topology><fencing-level id=\"fl\" target=\"{}\" index=\"1\" devices=\"fence0\"/></fencing-topology>\n",
            self.nodes[0]
        )
    }
}

/// What a primitive inherits from where it is.
#[derive(Debug, Clone, Default)]
struct Known {
    instances: usize,
    unique: bool,
    inside: Vec<String>,
}

fn implicit(id: &str, provider: &'static str, kind: &'static str, interval: u32) -> Leaf {
    Leaf {
        id: id.to_owned(),
        class: "ocf",
        provider,
        kind,
        monitors: vec![(interval, false)],
        instances: 0,
        unique: false,
        promotable: false,
        digest: NO_PARAMETERS,
        inside: Vec::new(),
    }
}
