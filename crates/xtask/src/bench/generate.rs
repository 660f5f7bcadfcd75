//! Clusters of any size as CIB documents: the inputs of the scheduler's benchmark.

use std::fmt::Write;

/// Digest of an operation without parameters.
const NO_PARAMETERS: &str = "f2317cad3d54cec5d7d7aa7d0bf35cf8";
/// Digest of a recurring operation that has only a timeout of 20 s.
const ONLY_TIMEOUT: &str = "4811cef7f7f94e3a35a70be7916cb2fd";

/// What the cluster consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Independent primitives.
    Primitives,
    /// Interleaved clones, each ordered after and colocated with the one before.
    ChainedClones,
    /// Primitives, each ordered after and colocated with the one before.
    Chain,
    /// Groups of five.
    Groups,
}

/// One cluster to be made.
#[derive(Debug, Clone, Copy)]
pub struct Cluster {
    pub shape: Shape,
    pub nodes: usize,
    pub remotes: usize,
    /// Number of primitives, clones or groups.
    pub count: usize,
    /// With the full history of a cluster that has settled, or just started.
    pub steady: bool,
}

impl Cluster {
    /// A name for tables.
    pub fn name(&self) -> String {
        let remotes = if self.remotes > 0 { format!("+{}", self.remotes) } else { String::new() };
        let shape = match self.shape {
            Shape::Primitives => "primitives",
            Shape::ChainedClones => "chained clones",
            Shape::Chain => "chain",
            Shape::Groups => "groups of 5",
        };
        let state = if self.steady { "steady" } else { "cold" };
        format!("{}{remotes} nodes x {} {shape}, {state}", self.nodes, self.count)
    }

    fn all_nodes(&self) -> Vec<String> {
        let cluster = (1..=self.nodes).map(|number| format!("node{number}"));
        cluster.chain((1..=self.remotes).map(|number| format!("remote{number}"))).collect()
    }

    /// The document's text.
    pub fn document(&self) -> String {
        let mut out = String::new();
        out.push_str("<cib crm_feature_set=\"3.16.2\" validate-with=\"pacemaker-3.9\" epoch=\"1\" num_updates=\"1\" admin_epoch=\"0\" have-quorum=\"1\" dc-uuid=\"1\">\n <configuration>\n");
        out.push_str("  <crm_config><cluster_property_set id=\"opts\"><nvpair id=\"opts-stonith\" name=\"stonith-enabled\" value=\"false\"/></cluster_property_set></crm_config>\n  <nodes>\n");
        for number in 1..=self.nodes {
            let _ = writeln!(out, "   <node id=\"{number}\" uname=\"node{number}\"/>");
        }
        for number in 1..=self.remotes {
            let _ =
                writeln!(out, "   <node id=\"remote{number}\" uname=\"remote{number}\" type=\"remote\"/>");
        }
        out.push_str("  </nodes>\n  <resources>\n");
        for number in 1..=self.remotes {
            let _ = writeln!(
                out,
                "   <primitive id=\"remote{number}\" class=\"ocf\" provider=\"pacemaker\" type=\"remote\"><operations><op id=\"remote{number}-m\" name=\"monitor\" interval=\"10s\" timeout=\"20s\"/></operations></primitive>"
            );
        }
        for number in 0..self.count {
            self.write_resource(number, &mut out);
        }
        out.push_str("  </resources>\n  <constraints>\n");
        self.write_constraints(&mut out);
        out.push_str("  </constraints>\n </configuration>\n <status>\n");
        self.write_status(&mut out);
        out.push_str(" </status>\n</cib>\n");
        out
    }

    fn write_resource(&self, number: usize, out: &mut String) {
        match self.shape {
            Shape::Primitives | Shape::Chain => write_primitive(&format!("r{number}"), out),
            Shape::ChainedClones => {
                let _ = writeln!(
                    out,
                    "   <clone id=\"c{number}\"><meta_attributes id=\"c{number}-meta\"><nvpair id=\"c{number}-i\" name=\"interleave\" value=\"true\"/></meta_attributes>"
                );
                write_primitive(&format!("r{number}"), out);
                out.push_str("   </clone>\n");
            }
            Shape::Groups => {
                let _ = writeln!(out, "   <group id=\"g{number}\">");
                for member in 0..5 {
                    write_primitive(&format!("r{number}m{member}"), out);
                }
                out.push_str("   </group>\n");
            }
        }
    }

    fn write_constraints(&self, out: &mut String) {
        let prefix = match self.shape {
            Shape::ChainedClones => "c",
            Shape::Chain => "r",
            Shape::Primitives | Shape::Groups => return,
        };
        for number in 1..self.count {
            let before = number - 1;
            let _ = writeln!(
                out,
                "   <rsc_order id=\"o{number}\" first=\"{prefix}{before}\" then=\"{prefix}{number}\"/>"
            );
            let _ = writeln!(
                out,
                "   <rsc_colocation id=\"l{number}\" rsc=\"{prefix}{number}\" with-rsc=\"{prefix}{before}\" score=\"INFINITY\"/>"
            );
        }
    }

    fn write_status(&self, out: &mut String) {
        let all = self.all_nodes();
        for (index, node) in all.iter().enumerate() {
            let remote = index >= self.nodes;
            if remote && !self.steady {
                continue;
            }
            if remote {
                let _ = writeln!(
                    out,
                    "  <node_state remote_node=\"true\" id=\"{node}\" uname=\"{node}\" in_ccm=\"true\" crm-debug-origin=\"x\" node_fenced=\"0\">"
                );
            } else {
                let _ = writeln!(
                    out,
                    "  <node_state id=\"{}\" uname=\"{node}\" in_ccm=\"true\" crmd=\"online\" join=\"member\" expected=\"member\" crm-debug-origin=\"x\">",
                    index + 1
                );
            }
            let id = if remote { node.clone() } else { (index + 1).to_string() };
            let _ = writeln!(out, "   <lrm id=\"{id}\"><lrm_resources>");
            if self.steady {
                self.write_history(index, node, all.len(), out);
            }
            out.push_str("   </lrm_resources></lrm></node_state>\n");
        }
    }

    fn write_history(&self, index: usize, node: &str, nodes: usize, out: &mut String) {
        let mut call = 1;
        if index < self.nodes {
            for number in 1..=self.remotes {
                let host = (number - 1) % self.nodes;
                write_entries(&format!("remote{number}"), "remote", node, host == index, &mut call, out);
            }
        }
        for number in 0..self.count {
            match self.shape {
                Shape::Primitives => {
                    write_entries(
                        &format!("r{number}"),
                        "Dummy",
                        node,
                        number % nodes == index,
                        &mut call,
                        out,
                    );
                }
                Shape::Chain => {
                    write_entries(&format!("r{number}"), "Dummy", node, index == 0, &mut call, out)
                }
                Shape::ChainedClones => {
                    write_entries(&format!("r{number}"), "Dummy", node, true, &mut call, out)
                }
                Shape::Groups => {
                    for member in 0..5 {
                        write_entries(
                            &format!("r{number}m{member}"),
                            "Dummy",
                            node,
                            number % nodes == index,
                            &mut call,
                            out,
                        );
                    }
                }
            }
        }
    }
}

fn write_primitive(id: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "   <primitive id=\"{id}\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\"><operations><op id=\"{id}-m\" name=\"monitor\" interval=\"10s\" timeout=\"20s\"/></operations></primitive>"
    );
}

/// The history of one resource on one node: a probe, and where it runs a start and a monitor.
fn write_entries(id: &str, kind: &str, node: &str, active: bool, call: &mut u32, out: &mut String) {
    let _ =
        writeln!(out, "    <lrm_resource id=\"{id}\" type=\"{kind}\" class=\"ocf\" provider=\"pacemaker\">");
    let mut entry = |key: &str, operation: &str, interval: u32, rc: u32, expected: u32, digest: &str| {
        let _ = writeln!(
            out,
            "     <lrm_rsc_op id=\"{id}_{key}\" operation_key=\"{id}_{operation}_{interval}\" operation=\"{operation}\" crm-debug-origin=\"x\" crm_feature_set=\"3.16.2\" transition-key=\"{call}:1:{expected}:b7a7d1a6-0000-4000-8000-000000000000\" transition-magic=\"0:{rc};{call}:1:{expected}:b7a7d1a6-0000-4000-8000-000000000000\" exit-reason=\"\" on_node=\"{node}\" call-id=\"{call}\" rc-code=\"{rc}\" op-status=\"0\" interval=\"{interval}\" last-rc-change=\"1700000000\" exec-time=\"10\" queue-time=\"0\" op-digest=\"{digest}\"/>"
        );
        *call += 1;
    };
    if active {
        entry("last_0", "start", 0, 0, 0, NO_PARAMETERS);
        entry("monitor_10000", "monitor", 10_000, 0, 0, ONLY_TIMEOUT);
    } else {
        entry("last_0", "monitor", 0, 7, 7, NO_PARAMETERS);
    }
    out.push_str("    </lrm_resource>\n");
}
