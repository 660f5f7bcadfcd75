//! `pcs stonith …`, as far as it is not like `pcs resource …` (rule 5d.4).

use std::process::ExitCode;

use view::api;

use super::constraint::Told;
use super::words::Result;
use crate::configuration::Configuration;
use crate::session::{Problem, Session};

/// Refuses to take the last means to fence anything away, unless forced.
pub fn leaves_means(configuration: &Configuration, going: &[String], force: bool) -> Result<()> {
    let devices: Vec<String> = (configuration.resources().into_iter())
        .filter(|element| configuration.is_fence_device(*element))
        .filter(|element| {
            configuration
                .meta(*element, "target-role")
                .is_none_or(|role| !role.eq_ignore_ascii_case("stopped"))
        })
        .map(|element| configuration.id(element).to_owned())
        .collect();
    let touches = devices.iter().any(|device| going.contains(device));
    let nothing_stays = devices.iter().all(|device| going.contains(device));
    let watchdog = super::configured_properties(configuration).into_iter().any(|(name, value)| {
        matches!(name.as_str(), "stonith-watchdog-timeout" | "fencing-watchdog-timeout") && value != "0"
    });
    if !touches || !nothing_stays || watchdog {
        return Ok(());
    }
    let text = "Requested action leaves the cluster with no enabled means to fence nodes, resulting in the \
                cluster not being able to recover from certain failure conditions";
    if !force {
        return Err(format!("{text}, use --force to override").into());
    }
    eprintln!("Warning: {text}");
    Ok(())
}

/// Which fencing levels are meant.
pub struct LevelFilter {
    level: Option<String>,
    /// Attribute names of the element with their values.
    target: Vec<(&'static str, String)>,
    devices: Option<String>,
}

impl LevelFilter {
    /// `[target T] [stonith F…]`, or only `T`.
    pub fn read(level: Option<&str>, rest: &[&str]) -> Result<LevelFilter> {
        let mut filter = LevelFilter { level: level.map(str::to_owned), target: Vec::new(), devices: None };
        let rest = match rest {
            ["target", target, rest @ ..] => {
                filter.target = target_attributes(target)?;
                rest
            }
            [target] if *target != "stonith" => {
                filter.target = target_attributes(target)?;
                &[]
            }
            other => other,
        };
        match rest {
            [] => {}
            ["stonith", devices @ ..] if !devices.is_empty() => filter.devices = Some(devices.join(",")),
            _ => {
                return Err(
                    "expected: stonith level delete <level> [target <target>] [stonith <id>...]".into()
                );
            }
        }
        Ok(filter)
    }

    fn fits(&self, configuration: &Configuration, element: xml::NodeId) -> bool {
        let is = |name: &str, value: &String| configuration.attribute(element, name) == value;
        self.level.as_ref().is_none_or(|level| is("index", level))
            && self.target.iter().all(|(name, value)| is(name, value))
            && self.devices.as_ref().is_none_or(|devices| is("devices", devices))
    }
}

/// `N`, `regexp%RE` or `attrib%NAME=VALUE`.
fn target_attributes(target: &str) -> Result<Vec<(&'static str, String)>> {
    Ok(match target.split_once('%') {
        Some(("regexp", pattern)) => vec![("target-pattern", pattern.to_owned())],
        Some(("attrib", pair)) => {
            let (name, value) =
                pair.split_once('=').ok_or_else(|| format!("'{pair}' is not attribute=value"))?;
            vec![("target-attribute", name.to_owned()), ("target-value", value.to_owned())]
        }
        _ => vec![("target", target.to_owned())],
    })
}

/// `stonith level delete …` and `stonith level clear …`.
pub fn level_delete(configuration: &mut Configuration, filter: &LevelFilter) -> Result<Told> {
    let section = configuration.section_or_new("fencing-topology");
    let meant: Vec<xml::NodeId> = (configuration.children(section).into_iter())
        .filter(|element| filter.fits(configuration, *element))
        .collect();
    if let (true, Some(level)) = (meant.is_empty(), &filter.level) {
        return Err(format!("Fencing level at level '{level}' does not exist").into());
    }
    for element in meant {
        configuration.document.remove(element);
    }
    Ok(Told::default())
}

/// `stonith level verify`: all devices and nodes exist.
pub fn verify_levels(configuration: &Configuration) -> Result<ExitCode> {
    let mut problems = Vec::new();
    let nodes = configuration.node_names();
    let levels = configuration.section("fencing-topology").map(|section| configuration.children(section));
    for element in levels.unwrap_or_default() {
        let devices = configuration.attribute(element, "devices").split(',').map(str::trim);
        let is_device = |id: &&str| {
            *id == "watchdog"
                || configuration.resource(id).is_some_and(|found| configuration.is_fence_device(found))
        };
        let missing: Vec<String> = devices.filter(|id| !is_device(id)).map(|id| format!("'{id}'")).collect();
        if !missing.is_empty() {
            problems.push(format!("Stonith resource(s) {} do not exist", missing.join(", ")));
        }
        let target = configuration.attribute(element, "target");
        if !target.is_empty() && !nodes.iter().any(|node| node.eq_ignore_ascii_case(target)) {
            problems.push(format!("Node '{target}' does not appear to exist in configuration"));
        }
    }
    if let Some((last, others)) = problems.split_last() {
        for text in others {
            eprintln!("Error: {text}");
        }
        return Err(last.clone().into());
    }
    Ok(ExitCode::SUCCESS)
}

/// `stonith history [show [N]]`, `cleanup [N]`, `update`.
pub fn history(session: &mut Session, words: &[&str]) -> Result<ExitCode> {
    use crate::fencing::history::{line, selected};
    match words {
        [] | ["show"] | ["show", _] => {
            let target = words.get(1).copied();
            let all = session.client()?.status().map_err(Problem::from)?.fencing;
            let shown = selected(&all, target, true);
            for one in &shown {
                println!("{}", line(one, true));
            }
            println!("{} event{} found", shown.len(), if shown.len() == 1 { "" } else { "s" });
        }
        ["cleanup"] | ["cleanup", _] => {
            let node = words.get(1).map(|node| (*node).to_owned());
            let of = node.as_ref().map(|node| format!(" for node {node}")).unwrap_or_default();
            session.client()?.operate(&api::Operation::ForgetFencing { node }).map_err(Problem::from)?;
            println!("cleaning up fencing-history{of}");
        }
        // every node has the whole history already
        ["update"] => println!("gather fencing-history from all nodes"),
        [other, ..] => {
            return Err(format!(
                "unknown command 'stonith history {other}'; there are: show, cleanup, update"
            )
            .into());
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(devices: &[&str], levels: &str) -> Configuration {
        let device = |id: &&str| format!("<primitive id='{id}' class='stonith' type='fence_x'/>");
        let text = format!(
            "<cib><configuration><crm_config/><nodes><node id='1' uname='n1'/></nodes><resources>{}</resources>\
             <constraints/><fencing-topology>{levels}</fencing-topology></configuration><status/></cib>",
            devices.iter().map(device).collect::<String>()
        );
        Configuration::new(xml::Document::parse(&text).unwrap())
    }

    #[test]
    fn the_last_device_goes_only_by_force() {
        let both = configuration(&["a", "b"], "");
        assert!(leaves_means(&both, &["a".to_owned()], false).is_ok());
        let all = ["a".to_owned(), "b".to_owned()];
        assert!(leaves_means(&both, &all, false).is_err());
        assert!(leaves_means(&both, &all, true).is_ok());
        assert!(leaves_means(&both, &["other".to_owned()], false).is_ok());
    }

    #[test]
    fn levels_are_deleted_by_number_target_and_devices() {
        let levels = "<fencing-level id='l1' target='n1' index='1' devices='a,b'/>\
                      <fencing-level id='l2' target-pattern='n.' index='1' devices='a'/>\
                      <fencing-level id='l3' target='n1' index='2' devices='c'/>";
        let left = |level: Option<&str>, rest: &[&str]| {
            let mut configuration = configuration(&["a", "b"], levels);
            let filter = LevelFilter::read(level, rest).unwrap_or_else(|_| panic!("{rest:?}"));
            level_delete(&mut configuration, &filter).unwrap_or_else(|_| panic!("{rest:?}"));
            let section = configuration.section("fencing-topology").unwrap();
            let ids = configuration.children(section).into_iter().map(|id| configuration.id(id).to_owned());
            ids.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(left(Some("1"), &[]), "l3");
        assert_eq!(left(Some("1"), &["target", "regexp%n."]), "l1 l3");
        assert_eq!(left(Some("1"), &["target", "n1", "stonith", "a", "b"]), "l2 l3");
        assert_eq!(left(None, &["n1"]), "l2");
        assert!(LevelFilter::read(Some("1"), &["stonith"]).is_err());
    }

    #[test]
    fn levels_with_what_is_not_there_are_told() {
        assert!(
            verify_levels(&configuration(
                &["a"],
                "<fencing-level id='l' target='n1' index='1' devices='a'/>"
            ))
            .is_ok()
        );
        let bad = configuration(&["a"], "<fencing-level id='l' target='n9' index='1' devices='a,zz'/>");
        assert!(verify_levels(&bad).is_err());
    }
}
