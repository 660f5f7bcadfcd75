//! Fence devices and topology levels that were registered with this node and are not in the CIB (rules
//! 4.50.2, 5a.13). They are gone when the daemon ends; other nodes use them through this node's offers.

use std::collections::BTreeMap;
use std::fmt;

use cib::config::FencingTarget;
use cib::pattern::Pattern;
use serde::{Deserialize, Serialize};

use super::device::Device;
use super::devices::{Devices, Level, watchdog_problem};

/// Topology has levels 1 to 9 (rule 4.52.1).
const HIGHEST_LEVEL: u32 = 9;

/// A device as it was registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredDevice {
    pub id: String,
    /// File name of the agent.
    pub agent: String,
    pub parameters: BTreeMap<String, String>,
}

impl RegisteredDevice {
    /// As it is used: by any node that hears of it, for whatever its parameters say.
    #[must_use]
    pub fn device(&self) -> Device {
        Device::new(&self.id, &self.agent, self.parameters.clone(), Vec::new(), false)
    }
}

/// A change of what is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RegistryChange {
    /// Register a device; one with the same id is replaced.
    Device(RegisteredDevice),
    /// Forget the registration of a device; what the CIB says of it holds again.
    NoDevice { id: String },
    /// Add devices to a level of a target (`NAME`, `@PATTERN` or `ATTRIBUTE=VALUE`).
    Level { target: String, index: u32, devices: Vec<String> },
    /// Forget what was registered for a level of a target; index 0: for all its levels.
    NoLevel { target: String, index: u32 },
}

impl fmt::Display for RegistryChange {
    /// For the journal; without parameters, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(RegisteredDevice { id, agent, .. }) => {
                write!(f, "fence device {id} ({agent}) was registered with this node")
            }
            Self::NoDevice { id } => write!(f, "fence device {id} is not registered with this node any more"),
            Self::Level { target, index, devices } => {
                let devices = devices.join(", ");
                write!(f, "{devices} registered with this node for fencing level {index} of {target}")
            }
            Self::NoLevel { target, index: 0 } => {
                write!(f, "no fencing level of {target} is registered with this node any more")
            }
            Self::NoLevel { target, index } => {
                write!(f, "fencing level {index} of {target} is not registered with this node any more")
            }
        }
    }
}

/// What is registered, on top of what is configured.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    configured: Devices,
    devices: BTreeMap<String, Device>,
    levels: Vec<Level>,
}

impl Registry {
    /// Takes what the CIB says now. A device that it newly defines, or defines in another way than before,
    /// is from now on registered as the CIB has it.
    pub fn configure(&mut self, configured: Devices) {
        for (id, device) in &mut self.devices {
            match configured.get(id) {
                Some(new) if self.configured.get(id) != Some(new) => device.clone_from(new),
                _ => {}
            }
        }
        self.configured = configured;
    }

    /// Makes a change. Unknown names to forget are no error: nothing is registered under them then.
    ///
    /// # Errors
    /// What is wrong with the device or level, and what to do.
    pub fn change(&mut self, change: RegistryChange) -> Result<(), String> {
        match change {
            RegistryChange::Device(new) => {
                if let Some(problem) = watchdog_problem(&new.id, &new.agent, self.configured.watchdog) {
                    return Err(problem);
                }
                if new.id.is_empty() || new.agent.is_empty() {
                    return Err("a fence device needs a name and an agent".to_owned());
                }
                let device = new.device();
                self.devices.insert(new.id, device);
            }
            RegistryChange::NoDevice { id } => {
                self.devices.remove(&id);
            }
            RegistryChange::Level { target, index, devices } => {
                let level = Level { target: parse_target(&target)?, index: level_index(index, 1)?, devices };
                if level.devices.is_empty() {
                    return Err(format!("level {index} of {target} needs a device"));
                }
                add_level(&mut self.levels, level);
            }
            RegistryChange::NoLevel { target, index } => {
                let target = parse_target(&target)?;
                let index = level_index(index, 0)?;
                self.levels.retain(|level| level.target != target || index != 0 && level.index != index);
            }
        }
        Ok(())
    }

    /// The registered devices.
    pub fn devices(&self) -> impl Iterator<Item = RegisteredDevice> {
        self.devices.values().map(|device| RegisteredDevice {
            id: device.id.clone(),
            agent: device.agent.clone(),
            parameters: device.parameters.clone(),
        })
    }

    /// All that can be used: what is configured, with what is registered put over it or added to it.
    #[must_use]
    pub fn effective(&self) -> Devices {
        let mut all = self.configured.clone();
        for device in self.devices.values() {
            all.put(device.clone());
        }
        for level in &self.levels {
            add_level(&mut all.levels, level.clone());
        }
        all
    }
}

/// Devices are added to a level that is there.
fn add_level(levels: &mut Vec<Level>, new: Level) {
    // of two configured for one index the last counts (rule 4.52.2)
    let same = |level: &&mut Level| level.target == new.target && level.index == new.index;
    match levels.iter_mut().rev().find(same) {
        Some(level) => level.devices.extend(new.devices),
        None => levels.push(new),
    }
}

fn level_index(index: u32, lowest: u32) -> Result<u8, String> {
    let valid = u8::try_from(index).ok().filter(|_| (lowest..=HIGHEST_LEVEL).contains(&index));
    valid.ok_or_else(|| format!("there is no topology level {index}: use --index with 1 to {HIGHEST_LEVEL}"))
}

/// `NAME`, `@PATTERN` or `ATTRIBUTE=VALUE` (rule 5a.13).
fn parse_target(text: &str) -> Result<FencingTarget, String> {
    if let Some(pattern) = text.strip_prefix('@') {
        return match Pattern::expression(pattern) {
            Ok(_) if !pattern.is_empty() => Ok(FencingTarget::Pattern(pattern.into())),
            _ => Err(format!("'{pattern}' is no regular expression for names of nodes")),
        };
    }
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok(FencingTarget::Attribute { name: name.into(), value: value.into() })
        }
        None if !text.is_empty() => Ok(FencingTarget::Node(text.into())),
        _ => Err(format!("'{text}' is no target: use NAME, @PATTERN or ATTRIBUTE=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::Replica;

    fn configured(timeout: &str, level: &str) -> Devices {
        let text = format!(
            "<cib validate-with='pacemaker-4.0'><configuration><crm_config/>\
             <nodes><node id='1' uname='node1'><instance_attributes id='n1'>\
             <nvpair id='n1-r' name='rack' value='1'/></instance_attributes></node></nodes><resources>\
             <primitive id='a' class='stonith' type='fence_a'><instance_attributes id='p'>\
             <nvpair id='p-t' name='pcmk_off_timeout' value='{timeout}'/></instance_attributes></primitive>\
             </resources><constraints/><fencing-topology>\
             <fencing-level id='l' target='node1' index='1' devices='{level}'/></fencing-topology>\
             </configuration><status/></cib>"
        );
        let (replica, problems) = Replica::load(Some(&text));
        assert!(problems.is_empty(), "{problems:?}");
        replica.devices(cib::iso8601::DateTime::EPOCH)
    }

    fn device(id: &str, agent: &str) -> RegistryChange {
        let (id, agent) = (id.to_owned(), agent.to_owned());
        RegistryChange::Device(RegisteredDevice { id, agent, parameters: BTreeMap::new() })
    }

    fn level(target: &str, index: u32, device: &str) -> RegistryChange {
        RegistryChange::Level { target: target.to_owned(), index, devices: vec![device.to_owned()] }
    }

    fn shown(registry: &Registry) -> Vec<String> {
        let all = registry.effective();
        all.devices.iter().map(|device| format!("{} {}", device.id, device.agent)).collect()
    }

    #[test]
    fn rule_5a_13_a_registered_device_lies_over_the_configured_one_and_is_added_to_the_others() {
        let mut registry = Registry::default();
        registry.configure(configured("1s", "a"));
        registry.change(device("b", "fence_b")).unwrap();
        registry.change(device("b", "fence_c")).unwrap();
        registry.change(device("a", "fence_x")).unwrap();
        assert_eq!(shown(&registry), ["a fence_x", "b fence_c"]);
        // what the CIB said before changes nothing, something new does
        registry.configure(configured("1s", "b"));
        assert_eq!(shown(&registry), ["a fence_x", "b fence_c"]);
        registry.configure(configured("2s", "b"));
        assert_eq!(shown(&registry), ["a fence_a", "b fence_c"]);
        // still registered, as the CIB had it
        registry.configure(Devices::default());
        assert_eq!(shown(&registry), ["a fence_a", "b fence_c"]);
        registry.change(RegistryChange::NoDevice { id: "a".to_owned() }).unwrap();
        registry.change(RegistryChange::NoDevice { id: "unknown".to_owned() }).unwrap();
        assert_eq!(shown(&registry), ["b fence_c"]);
        registry.configure(configured("2s", "b"));
        registry.change(RegistryChange::NoDevice { id: "a".to_owned() }).unwrap();
        assert_eq!(shown(&registry), ["a fence_a", "b fence_c"], "the CIB's own stays");
    }

    #[test]
    fn rule_5a_13_registered_levels_are_added_to_those_of_the_configuration() {
        let mut registry = Registry::default();
        registry.configure(configured("1s", "a"));
        registry.change(level("node1", 1, "b")).unwrap();
        registry.change(level("node1", 3, "c")).unwrap();
        registry.change(level("node1", 2, "d")).unwrap();
        registry.change(level("@^virt", 1, "e")).unwrap();
        registry.change(level("rack=2", 1, "f")).unwrap();
        let levels = |registry: &Registry, node: &str| -> Vec<String> {
            registry.effective().topology(node).iter().map(|level| level.join("+")).collect()
        };
        assert_eq!(levels(&registry, "NODE1"), ["a+b", "d", "c"]);
        assert_eq!(levels(&registry, "virtual"), ["e"]);
        assert!(levels(&registry, "node2").is_empty());
        registry.change(RegistryChange::NoLevel { target: "node1".to_owned(), index: 3 }).unwrap();
        assert_eq!(levels(&registry, "node1"), ["a+b", "d"]);
        registry.change(RegistryChange::NoLevel { target: "node1".to_owned(), index: 0 }).unwrap();
        registry.change(RegistryChange::NoLevel { target: "@^virt".to_owned(), index: 1 }).unwrap();
        assert_eq!(levels(&registry, "node1"), ["a"], "the CIB's own stays");
        assert!(levels(&registry, "virtual").is_empty());
    }

    #[test]
    fn rule_5a_13_a_target_may_be_given_by_a_permanent_attribute() {
        let mut registry = Registry::default();
        registry.configure(configured("1s", "a"));
        registry.change(level("rack=1", 1, "b")).unwrap();
        assert_eq!(registry.effective().topology("node1"), [["a"]], "its own name goes first");
        let mut without_levels = configured("1s", "a");
        without_levels.levels.clear();
        registry.configure(without_levels);
        assert_eq!(registry.effective().topology("node1"), [["b"]]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_changes_nothing() {
        let mut registry = Registry::default();
        for (change, problem) in [
            (level("node1", 0, "a"), "no topology level 0"),
            (level("node1", 10, "a"), "1 to 9"),
            (level("", 1, "a"), "no target"),
            (level("=1", 1, "a"), "no target"),
            (level("@(", 1, "a"), "no regular expression"),
            (RegistryChange::Level { target: "n".into(), index: 1, devices: Vec::new() }, "needs a device"),
            (RegistryChange::NoLevel { target: "n".into(), index: 12 }, "no topology level 12"),
            (device("watchdog", "fence_x"), "kept for a device"),
            (device("w", "fence_watchdog"), "must have the name watchdog"),
            (device("a", ""), "needs a name and an agent"),
        ] {
            let told = registry.change(change).unwrap_err();
            assert!(told.contains(problem), "{told}");
        }
        assert_eq!(registry.effective(), Devices::default());
    }
}
