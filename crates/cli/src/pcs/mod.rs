//! The `pcs` way of working: the same words, effects and messages, on this cluster.

mod acl;
mod alert;
mod bundle;
mod catalog;
mod cluster;
mod constraint;
mod live;
pub(crate) mod local_agents;
mod property;
mod quorum;
mod recreate;
mod resource;
mod rule;
mod sbd;
mod show;
mod stonith;
mod words;

use std::process::ExitCode;

use catalog::Catalog;
use constraint::Told;
use local_agents::LocalAgents;
use words::{Failure, Options, Result};

use crate::configuration::Configuration;
use crate::session::{Problem, Session};

/// The properties that are set, for others that need one.
pub fn configured_properties(configuration: &Configuration) -> Vec<(String, String)> {
    property::configured(configuration)
}

/// Sets or deletes attributes of a node: `NODE name=value…`.
pub fn set_node_attribute(
    configuration: &mut Configuration,
    words: &[String],
) -> std::result::Result<(), Problem> {
    property::node_attribute(configuration, words)
        .map(drop)
        .map_err(|failure| Problem::new(1, failure.message))
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure { message: problem.message, code: 1, usage: false }
    }
}

const USAGE: &str = "\
Usage: pcs [-f file] [--force] [--wait[=n]] <command> ...
Control and configure a cluster in the words of pcs.

Commands:
  status        resources, nodes, failures: pcs status [--full]; pcs status nodes|resources|cluster
  config        the whole configuration
  cluster       start, stop, status, cib, cib-push, verify, node states
  resource      create, update, delete, enable, disable, move, clear, cleanup, group, clone, defaults, ...
  stonith       create, config, level, fence, confirm, history
  constraint    location, order, colocation, ticket, config, delete
  property      set, unset, config, describe
  node          standby, unstandby, maintenance, unmaintenance, attribute, utilization
  tag           create, update, config, delete
  alert         create, update, delete, config, recipient add|delete
  quorum        config, status, device status, expected-votes, unblock
  acl           enable, disable, role, user, group, permission, config

Examples:
  pcs resource create VIP ocf:heartbeat:IPaddr2 ip=192.168.0.120 cidr_netmask=24 op monitor interval=30s
  pcs constraint location VIP prefers node1=60
  pcs constraint location VIP rule score=-INFINITY 'not_defined pingd or pingd lt 1'
  pcs -f /tmp/cib.xml resource create A ocf:pacemaker:Dummy     # work on a file
";

/// Runs one pcs command line (without the word `pcs`).
pub fn run(arguments: &[String]) -> ExitCode {
    match words::split(arguments).and_then(|(options, words)| dispatch(&options, &words)) {
        Ok(code) => code,
        Err(failure) if failure.usage => {
            eprintln!("{}", failure.message);
            ExitCode::from(failure.code)
        }
        Err(failure) => {
            eprintln!("Error: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

fn dispatch(options: &Options, words: &[String]) -> Result<ExitCode> {
    if options.flag("--version") {
        println!("0.11.4");
        return Ok(ExitCode::SUCCESS);
    }
    let Some((group, rest)) = words.split_first() else {
        if options.flag("--help") {
            print!("{USAGE}");
            return Ok(ExitCode::SUCCESS);
        }
        return Err(Failure::usage(USAGE));
    };
    if options.flag("--help") {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    let context = Context { options };
    check_format(options, words)?;
    match group.as_str() {
        "resource" => context.resource(rest),
        "stonith" => context.stonith(rest),
        "constraint" => context.constraint(rest),
        "property" => context.property(rest),
        "node" => context.node(rest),
        "tag" => context.tag(rest),
        "cluster" => context.cluster(rest),
        "status" => context.status(rest),
        "config" => context.config(rest),
        "acl" => context.acl(rest),
        "alert" => context.alert(rest),
        "quorum" => quorum::run(&strs(rest), options),
        "booth" | "host" | "qdevice" | "pcsd" | "client" | "dr" => Err(format!(
            "'pcs {group}' is not part of Systole yet; what it configures can be set in the CIB with 'cibadmin' where the CIB holds it"
        )
        .into()),
        other => Err(Failure::usage(format!("Error: unknown command '{other}'\n\n{USAGE}"))),
    }
}

/// Only some commands have other forms than text.
fn check_format(options: &Options, words: &[String]) -> Result<()> {
    let Some(format) = options.output_format.as_deref() else { return Ok(()) };
    if !["cmd", "json", "text"].contains(&format) {
        return Err(format!(
            "Unknown value '{format}' for '--output-format' option. Supported values are: 'cmd', 'json', 'text'"
        )
        .into());
    }
    if format != "text" && !matches!(strs(words).as_slice(), ["resource" | "stonith", "config", ..]) {
        return Err(format!(
            "'--output-format {format}' is there for 'pcs resource config' and 'pcs stonith config' only"
        )
        .into());
    }
    Ok(())
}

/// One command line being carried out.
struct Context<'a> {
    options: &'a Options,
}

fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn print_told(told: &Told) {
    for line in &told.stderr {
        eprintln!("{line}");
    }
    for line in &told.stdout {
        println!("{line}");
    }
}

fn print_lines(lines: &[String]) -> Result<ExitCode> {
    for line in lines {
        println!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

impl Context<'_> {
    fn session(&self) -> Result<Session> {
        Ok(Session::open(self.options.file.as_deref())?)
    }

    fn configuration(&self) -> Result<Configuration> {
        Ok(Configuration::new(self.session()?.cib()?))
    }

    /// Changes the configuration, prints what the command tells, and waits if asked to.
    fn change(&self, edit: impl Fn(&mut Configuration) -> Result<Told>) -> Result<ExitCode> {
        let mut session = self.session()?;
        if self.options.wait.is_some() && !session.is_live() {
            return Err("Cannot use '-f' together with '--wait'".into());
        }
        let told = session.edit("pcs", edit)?;
        print_told(&told);
        if let Some(limit) = self.options.wait {
            live::wait_until_settled(&mut session, limit)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn catalog(&self) -> LocalAgents {
        LocalAgents::default()
    }

    fn resource(&self, words: &[String]) -> Result<ExitCode> {
        let options = self.options;
        match strs(words).as_slice() {
            ["create", ..] => {
                let catalog = self.catalog();
                self.change(|configuration| {
                    resource::create(configuration, &catalog, &words[1..], options, false)
                })
            }
            ["update", ..] => {
                let catalog = self.catalog();
                self.change(|configuration| resource::update(configuration, &catalog, &words[1..], options))
            }
            ["meta", ..] => self.change(|configuration| resource::meta(configuration, &words[1..])),
            ["op", "defaults", ..] => self.defaults("op_defaults", &words[2..]),
            ["op", verb, ..] => self
                .change(|configuration| resource::operation(configuration, verb, &words[2..], options.force)),
            ["defaults", ..] => self.defaults("rsc_defaults", &words[1..]),
            ["delete" | "remove", _, ..] => self.delete_resources(&words[1..]),
            ["enable", ..] => {
                self.change(|configuration| resource::set_enabled(configuration, &words[1..], true))
            }
            ["disable", ..] => {
                self.change(|configuration| resource::set_enabled(configuration, &words[1..], false))
            }
            ["manage", ..] => {
                self.change(|configuration| resource::set_managed(configuration, &words[1..], true))
            }
            ["unmanage", ..] => {
                self.change(|configuration| resource::set_managed(configuration, &words[1..], false))
            }
            ["clone", ..] => self.change(|configuration| resource::clone(configuration, &words[1..], false)),
            ["promotable", ..] => {
                let catalog = self.catalog();
                self.change(|configuration| {
                    resource::check_promotable(configuration, &catalog, &words[1..], options.force)?;
                    resource::clone(configuration, &words[1..], true)
                })
            }
            ["unclone", id] => self.change(|configuration| resource::unclone(configuration, id)),
            ["group", "add", ..] => {
                self.change(|configuration| resource::group_add(configuration, &words[2..], options))
            }
            ["group", "remove" | "delete", ..] => {
                self.change(|configuration| resource::group_remove(configuration, &words[2..]))
            }
            ["ungroup", ..] => {
                self.change(|configuration| resource::group_remove(configuration, &words[1..]))
            }
            ["bundle", "create", ..] => {
                self.change(|configuration| bundle::create(configuration, &words[2..], options))
            }
            ["bundle", "update", ..] => {
                self.change(|configuration| bundle::update(configuration, &words[2..]))
            }
            ["group", "list"] | ["group"] => print_lines(&resource::group_list(&self.configuration()?)),
            ["show", ..] if options.flag("--groups") => {
                print_lines(&resource::group_list(&self.configuration()?))
            }
            ["config", ..] => self.show_resources(&words[1..], false),
            ["show", _, ..] => self.show_resources(&words[1..], false),
            ["show"] if options.flag("--full") => self.show_resources(&[], false),
            [] | ["status" | "show", ..] => live::print_resource_status(&mut self.session()?, false),
            ["move" | "move-with-constraint", id, rest @ ..] => live::move_resource(
                &mut self.session()?,
                options,
                id,
                rest.first().copied(),
                words[0] == "move",
            ),
            ["ban", id, rest @ ..] => live::ban(&mut self.session()?, options, id, rest),
            ["clear", id, rest @ ..] => live::clear(&mut self.session()?, id, rest.first().copied()),
            ["cleanup" | "refresh", ..] => {
                live::cleanup(&mut self.session()?, options, &words[0], &words[1..])
            }
            ["failcount", ..] => live::failcount(&mut self.session()?, &words[1..]),
            ["utilization", rest @ ..] if rest.len() < 2 => {
                let only = rest.first().copied();
                print_lines(&property::show_resource_utilization(&self.configuration()?, only)?)
            }
            ["utilization", ..] => {
                self.change(|configuration| property::resource_utilization(configuration, &words[1..]))
            }
            ["restart", id, ..] => live::restart(&mut self.session()?, options, id),
            [verb, id, ..] if verb.starts_with("debug-") => live::debug(
                &mut self.session()?,
                &self.catalog(),
                &verb["debug-".len()..],
                id,
                options.flag("--full"),
            ),
            ["list", ..] => self.list_agents(words.get(1).map(String::as_str), false),
            ["describe", agent] => self.describe(agent, false),
            ["standards"] => {
                let mut names: Vec<String> =
                    self.catalog().list().into_iter().map(|agent| agent.class).collect();
                names.dedup();
                print_lines(&names)
            }
            [other, ..] => Err(Failure::usage(format!(
                "Error: unknown or incomplete command 'pcs resource {other}'\n\n{USAGE}"
            ))),
        }
    }

    fn delete_resources(&self, ids: &[String]) -> Result<ExitCode> {
        let mut session = self.session()?;
        if session.is_live() {
            live::stop_before_delete(&mut session, ids)?;
        }
        let told =
            session.edit("pcs", |configuration: &mut Configuration| resource::delete(configuration, ids))?;
        print_told(&told);
        Ok(ExitCode::SUCCESS)
    }

    fn defaults(&self, section: &str, words: &[String]) -> Result<ExitCode> {
        match strs(words).as_slice() {
            [] | ["config"] => print_lines(&property::show_defaults(&self.configuration()?, section)),
            ["update", ..] => {
                self.change(|configuration| property::set_defaults(configuration, section, &words[1..]))
            }
            [first, ..] if first.contains('=') => {
                let kind = if section == "op_defaults" { "op defaults" } else { "defaults" };
                eprintln!(
                    "Deprecation Warning: This command is deprecated and will be removed. Please use 'pcs resource {kind} update' instead."
                );
                self.change(|configuration| property::set_defaults(configuration, section, words))
            }
            [other, ..] => {
                Err(format!("unknown command 'defaults {other}'; there are: config, update").into())
            }
        }
    }

    fn show_resources(&self, ids: &[String], fence_devices: bool) -> Result<ExitCode> {
        let configuration = self.configuration()?;
        let what = if fence_devices { "stonith device" } else { "resource" };
        let mut missing = false;
        for id in ids {
            let found = configuration.resource(id);
            if found.is_none_or(|found| configuration.is_fence_device(found) != fence_devices) {
                eprintln!("Warning: Unable to find {what} '{id}'");
                missing = true;
            }
        }
        if missing && show::chosen(&configuration, ids, fence_devices).is_empty() {
            return Err(format!("No {what} found").into());
        }
        let levels = if fence_devices { show::level_section(&configuration) } else { Vec::new() };
        match self.options.output_format.as_deref() {
            Some(format @ ("cmd" | "json")) => {
                if !levels.is_empty() {
                    eprintln!("Warning: Only 'text' output format is supported for stonith levels");
                }
                if format == "json" {
                    println!("{}", recreate::object(&configuration, ids, fence_devices));
                    return Ok(ExitCode::SUCCESS);
                }
                print_lines(&recreate::commands(&configuration, ids, fence_devices))
            }
            _ => {
                let mut lines = show::resources(&configuration, ids, fence_devices);
                lines.extend(levels);
                print_lines(&lines)
            }
        }
    }

    fn list_agents(&self, filter: Option<&str>, fence_devices: bool) -> Result<ExitCode> {
        let catalog = self.catalog();
        for agent in catalog.list() {
            if (agent.class == "stonith") != fence_devices {
                continue;
            }
            let name = if fence_devices { agent.kind.clone() } else { agent.to_string() };
            if filter.is_some_and(|filter| !name.to_lowercase().contains(&filter.to_lowercase())) {
                continue;
            }
            match catalog.metadata(&agent) {
                Ok(metadata) if !self.options.flag("--nodesc") && !metadata.short.is_empty() => {
                    println!("{name} - {}", metadata.short);
                }
                _ => println!("{name}"),
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// `resource describe` and `stonith describe` (rule 5d.3.2).
    fn describe(&self, name: &str, fence_device: bool) -> Result<ExitCode> {
        let agent = if fence_device {
            catalog::AgentName { class: "stonith".into(), provider: None, kind: name.to_owned() }
        } else {
            catalog::AgentName::parse(name).map_or_else(
                || {
                    let found = self.catalog().find(name);
                    match found.as_slice() {
                        [one] => Ok(one.clone()),
                        [] => Err(Failure::from(format!(
                            "Unable to find agent '{name}', try specifying its full name"
                        ))),
                        _ => Err(Failure::from(format!(
                            "Multiple agents match '{name}', please specify full name"
                        ))),
                    }
                },
                Ok,
            )?
        };
        let metadata = self.catalog().metadata(&agent).map_err(|why| {
            format!("Agent '{agent}' is not installed or does not provide valid metadata: {why}")
        })?;
        println!("{} - {}\n\n{}\n", name, metadata.short, metadata.long.trim());
        println!("{}", if fence_device { "Stonith options:" } else { "Resource options:" });
        for parameter in &metadata.parameters {
            let required = if parameter.required { " (required)" } else { "" };
            let unique = parameter
                .unique_group
                .as_ref()
                .map(|group| format!(" (unique group: {group})"))
                .unwrap_or_default();
            println!("  {}{required}{unique}", parameter.name);
            let text: Vec<&str> = parameter.long.split_whitespace().collect();
            println!("    Description: {}", text.join(" "));
            println!("    Type: {}", parameter.kind);
            if let Some(default) = &parameter.default {
                println!("    Default: {default}");
            }
        }
        println!("\nDefault operations:");
        for action in &metadata.actions {
            let options: Vec<String> =
                action.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
            println!("  {}:\n    {}", action.name, options.join(" "));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn stonith(&self, words: &[String]) -> Result<ExitCode> {
        let options = self.options;
        match strs(words).as_slice() {
            ["create", ..] => {
                let catalog = self.catalog();
                self.change(|configuration| {
                    resource::create(configuration, &catalog, &words[1..], options, true)
                })
            }
            ["update", ..] => {
                let catalog = self.catalog();
                self.change(|configuration| resource::update(configuration, &catalog, &words[1..], options))
            }
            ["delete" | "remove", _, ..] => {
                stonith::leaves_means(&self.configuration()?, &words[1..], options.force)?;
                self.delete_resources(&words[1..])
            }
            ["enable", ..] => {
                self.change(|configuration| resource::set_enabled(configuration, &words[1..], true))
            }
            ["disable", ..] => {
                stonith::leaves_means(&self.configuration()?, &words[1..], options.force)?;
                self.change(|configuration| resource::set_enabled(configuration, &words[1..], false))
            }
            ["meta", ..] => self.change(|configuration| resource::meta(configuration, &words[1..])),
            ["op", "defaults", ..] => self.defaults("op_defaults", &words[2..]),
            ["op", verb, ..] => {
                self.change(|configuration| resource::operation(configuration, verb, &words[2..], options.force))
            }
            ["defaults", ..] => self.defaults("rsc_defaults", &words[1..]),
            ["failcount", ..] => live::failcount(&mut self.session()?, &words[1..]),
            ["history", rest @ ..] => stonith::history(&mut self.session()?, rest),
            ["sbd", rest @ ..] => sbd::run(rest, options),
            ["level", "verify"] => stonith::verify_levels(&self.configuration()?),
            ["config", ..] => self.show_resources(&words[1..], true),
            ["show", ..] if options.flag("--full") => self.show_resources(&[], true),
            ["show", _, ..] => self.show_resources(&words[1..], true),
            ["level", "add", ..] => {
                self.change(|configuration| property::level_add(configuration, &words[2..], options.force))
            }
            ["level", "delete" | "remove", level, rest @ ..] => {
                let filter = stonith::LevelFilter::read(Some(level), rest)?;
                self.change(|configuration| stonith::level_delete(configuration, &filter))
            }
            ["level", "clear", rest @ ..] => {
                let filter = stonith::LevelFilter::read(None, rest)?;
                self.change(|configuration| stonith::level_delete(configuration, &filter))
            }
            ["level"] | ["level", "config"] => print_lines(&show::levels(&self.configuration()?)),
            ["fence", node] => live::fence(&mut self.session()?, node, options.flag("--off")),
            ["confirm", node] => live::confirm_fenced(&mut self.session()?, options, node),
            ["cleanup" | "refresh", ..] => {
                live::cleanup(&mut self.session()?, options, &words[0], &words[1..])
            }
            ["list", ..] => self.list_agents(words.get(1).map(String::as_str), true),
            ["describe", agent] => self.describe(agent, true),
            [] | ["status" | "show"] => {
                let code = live::print_resource_status(&mut self.session()?, true)?;
                print_lines(&show::level_section(&self.configuration()?))?;
                Ok(code)
            }
            ["update-scsi-devices", ..] => Err(
                "'pcs stonith update-scsi-devices' is not part of Systole yet: it changes devices without a restart of \
                 what runs; 'pcs stonith update' changes them with one"
                    .into(),
            ),
            [other, ..] => Err(Failure::usage(format!(
                "Error: unknown or incomplete command 'pcs stonith {other}'\n\n{USAGE}"
            ))),
        }
    }

    fn constraint(&self, words: &[String]) -> Result<ExitCode> {
        let force = self.options.force;
        match strs(words).as_slice() {
            ["location", "add", ..] => {
                self.change(|configuration| constraint::location_add(configuration, &words[2..], force))
            }
            ["location", resource, verb @ ("prefers" | "avoids"), ..] => {
                let live = self.options.file.is_none();
                self.change(|configuration| {
                    constraint::location_preference(configuration, resource, verb, &words[3..], force, live)
                })
            }
            ["location", resource, "rule", ..] => self.change(|configuration| {
                constraint::location_rule(configuration, resource, &words[3..], force)
            }),
            ["order", "set", ..] => {
                self.change(|configuration| constraint::set_constraint(configuration, "order", &words[1..]))
            }
            ["order", "remove" | "delete", ..] => {
                self.change(|configuration| constraint::remove_for(configuration, "rsc_order", &words[2..]))
            }
            ["order", _, ..] if words.iter().any(|word| word == "then") => {
                self.change(|configuration| constraint::order(configuration, &words[1..], force))
            }
            ["colocation", "add", ..] => {
                self.change(|configuration| constraint::colocation(configuration, &words[2..], force))
            }
            ["colocation", "set", ..] => self
                .change(|configuration| constraint::set_constraint(configuration, "colocation", &words[1..])),
            ["colocation", "remove" | "delete", ..] => self
                .change(|configuration| constraint::remove_for(configuration, "rsc_colocation", &words[2..])),
            ["ticket", "add", ..] => {
                self.change(|configuration| constraint::ticket(configuration, &words[2..]))
            }
            ["ticket", "set", ..] => {
                self.change(|configuration| constraint::set_constraint(configuration, "ticket", &words[1..]))
            }
            ["ref", _, ..] => print_lines(&constraint::references(&self.configuration()?, &words[1..])),
            ["delete" | "remove", _, ..] | ["location", "delete" | "remove", _, ..] => {
                let ids = if words[0] == "location" { &words[2..] } else { &words[1..] };
                self.change(|configuration| constraint::delete(configuration, ids))
            }
            [] | ["config" | "list" | "show", ..] | [_] | [_, "config" | "show", ..] => {
                print_lines(&show::constraints(&self.configuration()?, self.options.flag("--full")))
            }
            [other, ..] => Err(Failure::usage(format!(
                "Error: unknown or incomplete command 'pcs constraint {other}'\n\n{USAGE}"
            ))),
        }
    }

    fn property(&self, words: &[String]) -> Result<ExitCode> {
        let force = self.options.force;
        match strs(words).as_slice() {
            ["set", ..] => self.change(|configuration| property::set(configuration, &words[1..], force)),
            ["unset", _, ..] => {
                self.change(|configuration| property::unset(configuration, &words[1..], force))
            }
            ["defaults"] => print_lines(&property_defaults()),
            ["config" | "show" | "list"] if self.options.flag("--defaults") => {
                print_lines(&property_defaults())
            }
            [] | ["config" | "show" | "list"] => print_lines(&show::properties(&self.configuration()?)),
            ["config" | "show" | "list", names @ ..] => {
                let configuration = self.configuration()?;
                let lines: Vec<String> = property::configured(&configuration)
                    .into_iter()
                    .filter(|(name, _)| names.contains(&name.as_str()))
                    .map(|(name, value)| format!("  {name}={value}"))
                    .collect();
                println!("Cluster Properties: cib-bootstrap-options");
                print_lines(&lines)
            }
            ["describe", names @ ..] => {
                for option in cib::options::CLUSTER_OPTIONS
                    .iter()
                    .filter(|option| names.is_empty() || names.contains(&option.name))
                {
                    let kind = match option.kind.words() {
                        [] => format!("Type: {}", option.kind.name()),
                        words => format!("Allowed values: {}", words.join(", ")),
                    };
                    println!(
                        "{}\n  Description: {}\n  {kind}\n  Default: {}",
                        option.name,
                        option.description,
                        option.default.unwrap_or("")
                    );
                }
                Ok(ExitCode::SUCCESS)
            }
            [other, ..] => {
                Err(Failure::usage(format!("Error: unknown command 'pcs property {other}'\n\n{USAGE}")))
            }
        }
    }

    fn node(&self, words: &[String]) -> Result<ExitCode> {
        match strs(words).as_slice() {
            [verb @ ("standby" | "unstandby" | "maintenance" | "unmaintenance"), nodes @ ..] => {
                self.node_mode(verb, nodes)
            }
            [what @ ("attribute" | "utilization"), rest @ ..] if rest.len() < 2 => {
                let (tag, title) = match *what {
                    "attribute" => ("instance_attributes", "Attributes"),
                    _ => ("utilization", "Utilization"),
                };
                let only = rest.first().copied();
                print_lines(&property::show_node_sets(&self.configuration()?, tag, title, only)?)
            }
            ["attribute", ..] => {
                self.change(|configuration| property::node_attribute(configuration, &words[1..]))
            }
            ["utilization", ..] => {
                self.change(|configuration| property::node_utilization(configuration, &words[1..]))
            }
            _ => Err(Failure::usage(format!(
                "Error: expected: pcs node standby|unstandby|maintenance|unmaintenance|attribute|utilization ...\n\n{USAGE}"
            ))),
        }
    }

    /// `node standby` and the like, for the named nodes, all, or the local one.
    fn node_mode(&self, verb: &str, nodes: &[&str]) -> Result<ExitCode> {
        let mut session = self.session()?;
        let nodes: Vec<String> = if self.options.flag("--all") {
            Configuration::new(session.cib()?).node_names()
        } else if nodes.is_empty() {
            vec![session.client()?.status().map_err(Problem::from)?.node]
        } else {
            nodes.iter().map(|node| (*node).to_owned()).collect()
        };
        let name = if verb.ends_with("standby") { "standby" } else { "maintenance" };
        let value = if verb.starts_with("un") { "" } else { "on" };
        self.change(|configuration| property::set_node_mode(configuration, &nodes, name, value))
    }

    fn tag(&self, words: &[String]) -> Result<ExitCode> {
        match strs(words).as_slice() {
            ["create", id, members @ ..] => {
                self.change(|configuration| cluster::tag_create(configuration, id, members))
            }
            ["delete" | "remove", ids @ ..] => {
                self.change(|configuration| cluster::tag_delete(configuration, ids))
            }
            ["update", ..] => {
                self.change(|configuration| cluster::tag_update(configuration, &words[1..], self.options))
            }
            [] | ["config" | "list", ..] => print_lines(&cluster::tag_list(&self.configuration()?)),
            [other, ..] => {
                Err(Failure::usage(format!("Error: unknown command 'pcs tag {other}'\n\n{USAGE}")))
            }
        }
    }

    fn alert(&self, words: &[String]) -> Result<ExitCode> {
        let force = self.options.force;
        match strs(words).as_slice() {
            ["create", ..] => self.change(|configuration| alert::create(configuration, &words[1..])),
            ["update", ..] => self.change(|configuration| alert::update(configuration, &words[1..])),
            ["delete" | "remove", _, ..] => {
                self.change(|configuration| alert::delete(configuration, &words[1..]))
            }
            ["recipient", "add", ..] => {
                self.change(|configuration| alert::recipient_add(configuration, &words[2..], force))
            }
            ["recipient", "delete" | "remove", _, ..] => {
                self.change(|configuration| alert::recipient_delete(configuration, &words[2..]))
            }
            [] | ["config" | "show", ..] => print_lines(&alert::config(&self.configuration()?)),
            [other, ..] => Err(Failure::usage(format!(
                "Error: unknown or incomplete command 'pcs alert {other}'\n\n{USAGE}"
            ))),
        }
    }

    fn acl(&self, words: &[String]) -> Result<ExitCode> {
        let with_empty = self.options.flag("--autodelete");
        match strs(words).as_slice() {
            ["enable"] => self.property(&["set".to_owned(), "enable-acl=true".to_owned()]),
            ["disable"] => self.property(&["set".to_owned(), "enable-acl=false".to_owned()]),
            ["role", "create", ..] => {
                self.change(|configuration| acl::role_create(configuration, &words[2..]))
            }
            ["role", "delete" | "remove", id] => {
                self.change(|configuration| acl::role_delete(configuration, id, with_empty))
            }
            ["role", "assign", rest @ ..] => self.change(|configuration| acl::assign(configuration, rest)),
            ["role", "unassign", rest @ ..] => {
                self.change(|configuration| acl::unassign(configuration, rest, with_empty))
            }
            [kind @ ("user" | "group"), "create", rest @ ..] => {
                self.change(|configuration| acl::target_create(configuration, kind, rest))
            }
            [kind @ ("user" | "group"), "delete" | "remove", id] => {
                self.change(|configuration| acl::target_delete(configuration, kind, id))
            }
            ["permission", "add", ..] => {
                self.change(|configuration| acl::permission_add(configuration, &words[2..]))
            }
            ["permission", "delete" | "remove", id] => {
                self.change(|configuration| acl::permission_delete(configuration, id))
            }
            [] | ["config" | "show", ..] => {
                let configuration = self.configuration()?;
                let is_on = |(name, value): &(String, String)| {
                    name == "enable-acl" && matches!(value.as_str(), "true" | "yes" | "on" | "1" | "y")
                };
                let enabled = property::configured(&configuration).iter().any(is_on);
                print_lines(&acl::config(&configuration, enabled))
            }
            [other, ..] => Err(Failure::usage(format!(
                "Error: unknown or incomplete command 'pcs acl {other}'\n\n{USAGE}"
            ))),
        }
    }

    fn cluster(&self, words: &[String]) -> Result<ExitCode> {
        match strs(words).as_slice() {
            [verb @ ("standby" | "unstandby"), nodes @ ..] => {
                eprintln!("Deprecation Warning: 'pcs cluster {verb}' is now 'pcs node {verb}'");
                self.node_mode(verb, nodes)
            }
            ["start", nodes @ ..] => cluster::start(self.options, nodes),
            ["stop", nodes @ ..] => cluster::stop(&mut self.session()?, self.options, nodes),
            ["status"] => live::print_cluster_status(&mut self.session()?),
            ["cib", rest @ ..] => cluster::cib(&mut self.session()?, rest),
            ["cib-push", file, rest @ ..] => {
                cluster::cib_push(&mut self.session()?, file, rest, self.options)
            }
            ["verify", ..] => cluster::verify(&mut self.session()?),
            [other, ..] => Err(format!("'pcs cluster {other}' is not part of Systole yet").into()),
            [] => Err(Failure::usage(USAGE)),
        }
    }

    fn status(&self, words: &[String]) -> Result<ExitCode> {
        let mut session = self.session()?;
        match strs(words).as_slice() {
            [] => live::print_status(&mut session, self.options),
            ["resources"] => live::print_resource_status(&mut session, false),
            ["cluster"] => live::print_cluster_status(&mut session),
            ["nodes", ..] => live::print_nodes(&mut session),
            ["groups"] => print_lines(&resource::group_list(&Configuration::new(session.cib()?))),
            ["xml"] => live::print_status_xml(&mut session),
            ["wait", limit @ ..] => {
                let limit = limit.first().and_then(|text| text.parse().ok());
                live::wait_until_settled(&mut session, limit)?;
                Ok(ExitCode::SUCCESS)
            }
            [other, ..] => Err(format!("'pcs status {other}' is not part of Systole yet").into()),
        }
    }

    fn config(&self, words: &[String]) -> Result<ExitCode> {
        if let [other, ..] = words {
            return Err(format!("'pcs config {other}' is not part of Systole yet").into());
        }
        let mut session = self.session()?;
        let configuration = Configuration::new(session.cib()?);
        let (name, members) = match session.client() {
            Ok(client) => {
                let status = client.status().map_err(Problem::from)?;
                (
                    status.cluster.unwrap_or_default(),
                    status.members.into_iter().map(|member| member.name).collect(),
                )
            }
            Err(_) => (String::new(), configuration.node_names()),
        };
        print_lines(&show::config(&configuration, &name, &members))
    }
}

fn property_defaults() -> Vec<String> {
    let mut lines: Vec<String> = cib::options::CLUSTER_OPTIONS
        .iter()
        .filter_map(|option| option.default.map(|default| format!("{}={default}", option.name)))
        .collect();
    lines.sort();
    lines
}
