//! `crm_resource`: everything about one resource or all (rule 5a.5).

mod agents;
mod cluster;
mod moves;
mod parameters;
mod queries;

use std::process::ExitCode;

use view::status::{PrimitiveStatus, ResourceStatus, Status};
use xml::Document;

use super::options::{Given, NO_SHORT, Opt, Table, flag, maybe, old_flag, old_value, value};
use super::output::Output;
use super::{tool, usage};
use crate::outlook::Outlook;
use crate::session::{Problem, Session};

const OPTIONS: &[Opt] = &[
    flag('L', "list", "List all resources and their state (the default)"),
    flag('l', "list-raw", "List the ids of all instantiated primitives"),
    flag('O', "list-operations", "List the operations of active resources"),
    flag('o', "list-all-operations", "List all recorded operations"),
    flag(NO_SHORT, "list-standards", "List the kinds of agents"),
    flag(NO_SHORT, "list-ocf-providers", "List the providers of OCF agents"),
    value(NO_SHORT, "list-ocf-alternatives", "AGENT", "List the providers of an OCF agent"),
    value(NO_SHORT, "list-agents", "STD[:PROV]", "List the agents of a kind"),
    value(NO_SHORT, "list-options", "TYPE", "List options: primitive or fencing"),
    flag(NO_SHORT, "all", "With --list-options: advanced and deprecated ones too"),
    value(NO_SHORT, "show-metadata", "STD:PROV:TYPE", "Show an agent's metadata"),
    flag('q', "query-xml", "Show a resource's XML, templates expanded"),
    flag('w', "query-xml-raw", "Show a resource's XML as it is configured"),
    flag('W', "locate", "Show where a resource runs"),
    flag('a', "constraints", "Show the constraints of a resource"),
    flag('A', "stack", "Show the constraints of a resource and of what it depends on"),
    flag('Y', "why", "Show why resources run or not"),
    flag(NO_SHORT, "digests", "Show the digests of a resource's parameters (with -r and -N)"),
    value('g', "get-parameter", "NAME", "Show a parameter's value"),
    value('p', "set-parameter", "NAME", "Set a parameter (with -v)"),
    value('d', "delete-parameter", "NAME", "Delete a parameter"),
    value('v', "parameter-value", "VALUE", "Value to set"),
    flag('m', "meta", "About a meta-attribute instead of a parameter"),
    flag('z', "utilization", "About a utilization attribute instead of a parameter"),
    flag(NO_SHORT, "element", "About an attribute of the XML element itself"),
    value('s', "set-name", "SET", "Id of the set of attributes"),
    value('i', "nvpair", "ID", "Id of the attribute"),
    flag(NO_SHORT, "recursive", "Also for resources that are colocated with this one"),
    flag('M', "move", "Move a resource (to --node, or away from where it is)"),
    flag('B', "ban", "Keep a resource away from a node"),
    flag('U', "clear", "Remove what --move and --ban made"),
    value('u', "lifetime", "DURATION", "How long --move or --ban shall hold"),
    flag(NO_SHORT, "promoted", "Only the promoted role"),
    flag('e', "expired", "With --clear: only what is over"),
    flag('C', "cleanup", "Forget failures and probe again"),
    flag('R', "refresh", "Forget the whole history and probe again"),
    value('n', "operation", "OP", "With --cleanup: only failures of this operation"),
    value('I', "interval", "TIME", "With --cleanup: and of this interval"),
    flag('F', "fail", "Pretend that a resource failed (with -r and -N)"),
    flag('D', "delete", "Delete a resource from the configuration (with -r and -t)"),
    value('t', "resource-type", "TYPE", "With --delete: primitive, group, clone, bundle or template"),
    flag(NO_SHORT, "restart", "Stop and start a resource"),
    flag(NO_SHORT, "wait", "Wait until the cluster has nothing to do"),
    value('T', "timeout", "TIME", "How long to wait"),
    flag(NO_SHORT, "force-start", "Start the resource here, past the cluster"),
    flag(NO_SHORT, "force-stop", "Stop the resource here, past the cluster"),
    flag(NO_SHORT, "force-promote", "Promote the resource here, past the cluster"),
    flag(NO_SHORT, "force-demote", "Demote the resource here, past the cluster"),
    maybe(NO_SHORT, "force-check", "LEVEL", "Check the resource here, past the cluster"),
    maybe(NO_SHORT, "validate", "LEVEL", "Let the agent check the parameters"),
    value(NO_SHORT, "class", "CLASS", "Kind of agent, instead of a resource"),
    value(NO_SHORT, "provider", "PROVIDER", "Provider of the agent"),
    value(NO_SHORT, "agent", "AGENT", "Type of the agent"),
    value(NO_SHORT, "option", "NAME=VALUE", "A parameter for the agent"),
    value('r', "resource", "ID", "The resource"),
    value('N', "node", "NODE", "The node"),
    flag('f', "force", "Do what would else be refused"),
    flag('Q', "quiet", "Say less"),
    old_value('H', "host-uname", "node"),
    old_flag(NO_SHORT, "master", "promoted"),
    old_flag('P', "reprobe", "refresh"),
    old_flag(NO_SHORT, "un-move", "clear"),
    old_flag(NO_SHORT, "un-ban", "clear"),
    old_flag(NO_SHORT, "unmove", "clear"),
    old_flag(NO_SHORT, "migrate", "move"),
    old_flag(NO_SHORT, "un-migrate", "clear"),
];

const TABLE: Table = Table {
    tool: "crm_resource",
    about: "query and change resources",
    options: OPTIONS,
    examples: &[
        "crm_resource --list",
        "crm_resource --resource A --locate",
        "crm_resource --resource A --meta --set-parameter target-role --parameter-value Stopped",
        "crm_resource --resource A --move --node node2",
    ],
};

/// The commands; the last one given counts.
const COMMANDS: [&str; 33] = [
    "list",
    "list-raw",
    "list-operations",
    "list-all-operations",
    "list-standards",
    "list-ocf-providers",
    "list-ocf-alternatives",
    "list-agents",
    "list-options",
    "show-metadata",
    "query-xml",
    "query-xml-raw",
    "locate",
    "constraints",
    "stack",
    "why",
    "digests",
    "get-parameter",
    "set-parameter",
    "delete-parameter",
    "move",
    "ban",
    "clear",
    "cleanup",
    "refresh",
    "fail",
    "delete",
    "restart",
    "wait",
    "force-start",
    "force-stop",
    "force-promote",
    "force-demote",
];

pub fn run(words: &[String]) -> ExitCode {
    tool(&TABLE, words, carry_out)
}

fn carry_out(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let local = ["force-check", "validate"];
    let commands: Vec<&'static str> = COMMANDS.into_iter().chain(local).collect();
    let command = given.last_of(&commands).unwrap_or("list");
    let takes_words = command.starts_with("force-") || matches!(command, "validate" | "digests");
    if !takes_words && !given.words.is_empty() {
        return Err(usage(excess(&given.words)));
    }
    match command {
        "list-options" => return super::listing::resource_options(given, out),
        "list-standards"
        | "list-ocf-providers"
        | "list-ocf-alternatives"
        | "list-agents"
        | "show-metadata" => return agents::list(command, given, out),
        "wait" => return cluster::wait(given, out),
        "validate" if !given.has("resource") => return agents::run_here("validate", given, None, out),
        _ => {}
    }
    let mut call = Call::open(given)?;
    match command {
        "list" => queries::list(&call, out),
        "list-raw" => queries::list_raw(&call, out),
        "list-operations" | "list-all-operations" => queries::operations(&call, command, out),
        "query-xml" | "query-xml-raw" => queries::xml(&call, command == "query-xml", out),
        "locate" => queries::locate(&call, out),
        "constraints" | "stack" => queries::constraints(&call, command == "stack", out),
        "why" => queries::why(&call, out),
        "digests" => queries::digests(&call, out),
        "get-parameter" => parameters::get(&call, out),
        "set-parameter" => parameters::set(&mut call, out),
        "delete-parameter" => parameters::delete(&mut call, out),
        "move" | "ban" => moves::move_or_ban(&mut call, command == "ban", out),
        "clear" => moves::clear(&mut call, out),
        "cleanup" | "refresh" => cluster::clean(&mut call, command == "refresh", out),
        "fail" => cluster::fail(&mut call),
        "delete" => parameters::delete_resource(&mut call),
        "restart" => cluster::restart(&mut call, out),
        local => agents::run_here(local, given, Some(&call), out),
    }
}

fn excess(words: &[String]) -> String {
    let mut text = "non-option ARGV-elements:".to_owned();
    for (index, word) in words.iter().enumerate() {
        text.push_str(&format!("\n[{} of {}] {word}", index + 1, words.len()));
    }
    text
}

/// A command line together with the CIB that it is about.
struct Call<'g> {
    given: &'g Given,
    session: Session,
    document: Document,
    outlook: Outlook,
}

impl<'g> Call<'g> {
    fn open(given: &'g Given) -> Result<Call<'g>, Problem> {
        let mut session = Session::open(None)?;
        let document = session.cib()?;
        let outlook = Outlook::of(&document)?;
        let call = Call { given, session, document, outlook };
        if let Some(id) = given.value("resource") {
            if !call.is_known(id) {
                return Err(Problem::new(
                    105,
                    format!("Resource '{id}' not found\nError performing operation: No such object"),
                ));
            }
        }
        if let Some(node) = given.value("node") {
            if !call.status().nodes.iter().any(|known| known.name == node) {
                return Err(Problem::new(
                    105,
                    format!("Node '{node}' not found\nError performing operation: No such object"),
                ));
            }
        }
        Ok(call)
    }

    fn status(&self) -> &Status {
        &self.outlook.status
    }

    /// The resource that the command needs.
    fn resource(&self) -> Result<&'g str, Problem> {
        self.given.value("resource").ok_or_else(|| usage("Must supply a resource ID with -r/--resource"))
    }

    /// The same for a command that changes something: an instance of a clone cannot be meant.
    fn changed_resource(&self) -> Result<&'g str, Problem> {
        let id = self.resource()?;
        if id.contains(':') && self.element(id).is_none() {
            return Err(Problem::new(2, format!("Cannot operate on clone resource instance '{id}'")));
        }
        Ok(id)
    }

    fn node(&self) -> Result<&'g str, Problem> {
        self.given.value("node").ok_or_else(|| usage("Must supply a node name with -N/--node"))
    }

    fn is_known(&self, id: &str) -> bool {
        self.element(id).is_some() || !self.parts(id).is_empty() || find(self.status(), id).is_some()
    }

    /// The resource's element in the configuration; tickets and templates have none here.
    fn element(&self, id: &str) -> Option<xml::Element<'_>> {
        let tags = ["primitive", "group", "clone", "master", "bundle", "template"];
        let resources = self.document.root_element().child("configuration")?.child("resources")?;
        resources.descendants().find(|it| tags.contains(&it.name()) && it.attr("id") == Some(id))
    }

    /// The innermost collective around a resource, and the outermost.
    fn parent(&self, id: &str) -> Option<xml::Element<'_>> {
        self.element(id)?.parent().filter(|parent| parent.name() != "resources")
    }

    fn top(&self, id: &str) -> String {
        let mut top = id.to_owned();
        while let Some(parent) = self.parent(&top).and_then(|parent| parent.attr("id")) {
            top = parent.to_owned();
        }
        top
    }

    /// The primitives (or instances of primitives) that an id means.
    fn parts(&self, id: &str) -> Vec<&PrimitiveStatus> {
        let mut found = Vec::new();
        for resource in &self.status().resources {
            gather(resource, id, false, &mut found);
        }
        found
    }
}

/// A resource, or a part of one, by its id.
fn find<'s>(status: &'s Status, id: &str) -> Option<&'s ResourceStatus> {
    fn within<'s>(resource: &'s ResourceStatus, id: &str) -> Option<&'s ResourceStatus> {
        if resource.common().id == id || resource.common().name == id {
            return Some(resource);
        }
        match resource {
            ResourceStatus::Clone(it) => {
                it.instances.iter().find_map(|instance| within(&instance.resource, id))
            }
            _ => None,
        }
    }
    status.resources.iter().find_map(|resource| within(resource, id))
}

fn gather<'s>(resource: &'s ResourceStatus, id: &str, inside: bool, found: &mut Vec<&'s PrimitiveStatus>) {
    let base = |full: &str| full.split_once(':').map_or(full, |(base, _)| base).to_owned();
    let common = resource.common();
    let is_it =
        |common: &view::status::Common| common.id == id || common.name == id || base(&common.id) == id;
    let inside = inside || is_it(common);
    let mut take = |it: &'s PrimitiveStatus| {
        if inside || is_it(&it.common) {
            found.push(it);
        }
    };
    match resource {
        ResourceStatus::Primitive(it) => take(it),
        ResourceStatus::Group(it) => it.members.iter().for_each(take),
        ResourceStatus::Clone(it) => {
            it.instances.iter().for_each(|instance| gather(&instance.resource, id, inside, found));
        }
        ResourceStatus::Bundle(it) => {
            for replica in &it.replicas {
                let parts = [
                    replica.ip.as_ref(),
                    replica.child.as_ref(),
                    Some(&replica.container),
                    replica.connection.as_ref(),
                ];
                parts.into_iter().flatten().for_each(&mut take);
            }
        }
    }
}
