//! `crm_ticket`: tickets of a geo cluster (rule 5a.14.3). Their state is in the CIB's status section.

use std::process::ExitCode;

use view::api::{CibChange, CibOperation};
use xml::{Document, Element};

use super::options::{Given, NO_SHORT, Table, flag, old_flag, old_value, value};
use super::output::Output;
use super::{target, tool, usage};
use crate::session::{Problem, Session};

const TABLE: Table = Table {
    tool: "crm_ticket",
    about: "show, grant and revoke tickets of a geo cluster",
    options: &[
        flag('l', "info", "Show tickets and their state"),
        flag('L', "details", "Show tickets with all their attributes"),
        flag('w', "raw", "Show the ids of tickets"),
        flag('q', "query-xml", "Show the state of tickets as XML"),
        flag('c', "constraints", "Show the constraints that depend on tickets"),
        flag('g', "grant", "Grant the ticket to this cluster (needs --force)"),
        flag('r', "revoke", "Revoke the ticket from this cluster (needs --force)"),
        flag('s', "standby", "Hold the ticket back: what depends on it stops or demotes in order"),
        flag('a', "activate", "No longer hold the ticket back"),
        value('G', "get-attr", "ATTR", "Show an attribute of the ticket"),
        value('S', "set-attr", "ATTR", "Set an attribute of the ticket (with -v)"),
        value('D', "delete-attr", "ATTR", "Delete an attribute of the ticket"),
        flag('C', "cleanup", "Forget all state of the ticket in this cluster"),
        value('v', "attr-value", "VALUE", "Value for --set-attr"),
        value('d', "default", "VALUE", "With --get-attr: what to show if the attribute is not set"),
        flag('f', "force", "Do what would else be refused"),
        value('t', "ticket", "ID", "The ticket"),
        old_value('n', "set-name", "set-name"),
        old_value('i', "nvpair", "nvpair"),
        old_flag('Q', "quiet", "quiet"),
        old_value(NO_SHORT, "get-value", "get-attr"),
    ],
    examples: &[
        "crm_ticket --details",
        "crm_ticket --ticket T --grant --force",
        "crm_ticket --ticket T --standby",
        "crm_ticket --ticket T --get-attr granted",
    ],
};

const COMMANDS: [&str; 13] = [
    "info",
    "details",
    "raw",
    "query-xml",
    "constraints",
    "grant",
    "revoke",
    "standby",
    "activate",
    "get-attr",
    "set-attr",
    "delete-attr",
    "cleanup",
];

/// Refused without `--force`.
const UNSAFE: u8 = 107;

/// Attributes that hold the moment of something.
const MOMENTS: [&str; 2] = ["last-granted", "expires"];

pub fn run(words: &[String]) -> ExitCode {
    tool(&TABLE, words, carry_out)
}

fn carry_out(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let Some(command) = given.last_of(&COMMANDS) else {
        return Err(usage(
            "Must supply a command: such as --info, --details, --grant or --revoke (see --help)",
        ));
    };
    let mut session = Session::open(None)?;
    let ticket = given.value("ticket");
    match command {
        "constraints" => return constraints(&mut session, ticket, out),
        "info" | "details" | "raw" => return list(command, &mut session, ticket, out),
        "query-xml" => return query_xml(&mut session, ticket, out),
        _ => {}
    }
    let ticket =
        ticket.ok_or_else(|| Problem::new(target::NO_SUCH, "Must supply ticket ID with -t/--ticket"))?;
    match command {
        "get-attr" => return get(&mut session, ticket, given, out),
        "cleanup" => return clean_up(&mut session, ticket, given, out),
        _ => {}
    }
    let sets = changes(command, ticket, given)?;
    let removes = given.value("delete-attr").filter(|_| command == "delete-attr");
    let touches_grant = sets.iter().any(|(name, _)| *name == "granted") || removes == Some("granted");
    if touches_grant && !given.has("force") {
        let grants = sets.iter().any(|(name, value)| *name == "granted" && is_true(value));
        return Err(refused(ticket, grants, UNSAFE));
    }
    match removes {
        Some(name) => remove(&mut session, ticket, name)?,
        None => modify(&mut session, ticket, &sets)?,
    }
    Ok(0)
}

/// The attributes that a command sets.
fn changes<'g>(command: &str, ticket: &str, given: &'g Given) -> Result<Vec<(&'g str, &'g str)>, Problem> {
    Ok(match command {
        "grant" => vec![("granted", "true")],
        "revoke" => vec![("granted", "false")],
        "standby" => vec![("standby", "true")],
        "activate" => vec![("standby", "false")],
        "set-attr" => {
            let name = given.value("set-attr").unwrap_or_default();
            let value = given
                .value("attr-value")
                .ok_or_else(|| usage(format!("Must supply value with -v for -S {name} (ticket {ticket})")))?;
            if matches!(name, "granted" | "standby") && cib::value::parse_boolean(value).is_none() {
                return Err(usage(format!("Invalid value '{value}' for {name}: true or false is needed")));
            }
            vec![(name, value)]
        }
        _ => Vec::new(),
    })
}

fn is_true(value: &str) -> bool {
    cib::value::parse_boolean(value) == Some(true)
}

/// The elements `ticket_state`, of one ticket or of all.
fn states(session: &mut Session, ticket: Option<&str>) -> Result<Option<Document>, Problem> {
    let which = ticket.map(|id| format!("[@id={}]", xml::xpath::literal(id))).unwrap_or_default();
    target::select(session, &format!("/cib/status/tickets/ticket_state{which}"), false)
}

/// The state of one ticket, which must be known.
fn state(session: &mut Session, ticket: &str) -> Result<Document, Problem> {
    states(session, Some(ticket))?.ok_or_else(|| no_such(ticket))
}

fn no_such(ticket: &str) -> Problem {
    Problem::new(target::NO_SUCH, format!("No such ticket '{ticket}'"))
}

fn is_granted(state: Element<'_>) -> bool {
    state.attr("granted").is_some_and(is_true)
}

/// `--info`, `--details`, `--raw`.
fn list(command: &str, session: &mut Session, ticket: Option<&str>, out: &mut Output) -> Result<u8, Problem> {
    let found = states(session, ticket)?;
    let found = found.as_ref().map(target::elements).unwrap_or_default();
    let named = only_named(session, ticket, &found)?;
    if let Some(ticket) = ticket.filter(|_| found.is_empty() && named.is_empty()) {
        return Err(no_such(ticket));
    }
    out.xml.open("tickets", &[]);
    for state in found.into_iter().chain(named.iter().map(Document::root_element)) {
        let id = state.attr("id").unwrap_or_default();
        out.line(match command {
            "raw" => id.to_owned(),
            "details" => format!("{id}\t{}{}", words(state), details(state)),
            _ => format!("{id}\t{}{}", words(state), last_granted(state)),
        });
        answer(id, state, out);
    }
    out.xml.close();
    Ok(0)
}

/// States, without any attribute, of the tickets that only constraints name: nobody granted them yet.
fn only_named(
    session: &mut Session,
    ticket: Option<&str>,
    known: &[Element<'_>],
) -> Result<Vec<Document>, Problem> {
    let constraints = target::select(session, &constraints_with(ticket), false)?;
    let constraints = constraints.as_ref().map(target::elements).unwrap_or_default();
    let mut ids: Vec<&str> = constraints.iter().filter_map(|it| it.attr("ticket")).collect();
    let mut seen: Vec<&str> = known.iter().filter_map(|it| it.attr("id")).collect();
    ids.retain(|id| {
        let is_new = !seen.contains(id);
        seen.push(id);
        is_new
    });
    Ok(ids
        .into_iter()
        .map(|id| {
            let mut state = Document::new("ticket_state");
            state.set_attribute(state.root(), "id", id);
            state
        })
        .collect())
}

/// The constraints that depend on one ticket, or on any.
fn constraints_with(ticket: Option<&str>) -> String {
    let which = ticket.map(|id| format!("[@ticket={}]", xml::xpath::literal(id))).unwrap_or_default();
    format!("/cib/configuration/constraints//rsc_ticket{which}")
}

/// `granted` or `revoked`, and whether the ticket is held back.
fn words(state: Element<'_>) -> &'static str {
    let standby = state.attr("standby").is_some_and(is_true);
    match (is_granted(state), standby) {
        (true, true) => "granted [standby] ",
        (true, false) => "granted",
        (false, true) => "revoked [standby]",
        (false, false) => "revoked",
    }
}

fn last_granted(state: Element<'_>) -> String {
    let moment = state.attr("last-granted").and_then(|text| text.parse().ok());
    moment.map(|at| format!(" last-granted=\"{}\"", crate::mon::ctime(at))).unwrap_or_default()
}

/// All attributes but the id, in parentheses.
fn details(state: Element<'_>) -> String {
    let shown: Vec<String> = state
        .attributes()
        .filter(|(name, _)| *name != "id")
        .map(|(name, value)| match value.parse() {
            Ok(at) if MOMENTS.contains(&name) => format!("{name}={}", crate::mon::ctime(at)),
            _ => format!("{name}={value}"),
        })
        .collect();
    if shown.is_empty() { String::new() } else { format!("\t({})", shown.join(", ")) }
}

fn answer(id: &str, state: Element<'_>, out: &mut Output) {
    let standby = view::markup::boolean(state.attr("standby").is_some_and(is_true));
    let status = if is_granted(state) { "granted" } else { "revoked" };
    let moment = state.attr("last-granted").and_then(|text| text.parse().ok()).map(crate::mon::ctime);
    let mut attributes = vec![("id", id), ("status", status), ("standby", standby)];
    for (name, value) in state.attributes() {
        match name {
            "id" | "standby" => {}
            "last-granted" => attributes.push((name, moment.as_deref().unwrap_or(value))),
            _ => attributes.push((name, value)),
        }
    }
    out.xml.leaf("ticket", &attributes);
}

fn query_xml(session: &mut Session, ticket: Option<&str>, out: &mut Output) -> Result<u8, Problem> {
    let text = match ticket {
        Some(ticket) => states(session, Some(ticket))?.map(|document| document.to_pretty()),
        None => target::select(session, "/cib/status/tickets", false)?.map(|document| document.to_pretty()),
    };
    let text = text.ok_or_else(|| match ticket {
        Some(ticket) => no_such(ticket),
        None => Problem::new(target::NO_SUCH, "Could not query ticket XML: there are no tickets"),
    })?;
    out.line("State XML:\n");
    out.block(&text);
    out.xml.append_text(&text);
    Ok(0)
}

fn constraints(session: &mut Session, ticket: Option<&str>, out: &mut Output) -> Result<u8, Problem> {
    let found = target::select(session, &constraints_with(ticket), false)?.ok_or_else(|| {
        let about = ticket.map(|ticket| format!(" with ticket '{ticket}'")).unwrap_or_default();
        Problem::new(
            target::NO_SUCH,
            format!("Could not show ticket constraints: there is no rsc_ticket{about}"),
        )
    })?;
    out.line("Constraints XML:\n");
    out.xml.open("constraints", &[]);
    for constraint in target::elements(&found) {
        let text = found.element_to_pretty(constraint.id());
        out.block(&text);
        out.xml.append_text(&text);
    }
    out.xml.close();
    Ok(0)
}

/// `--get-attr`.
fn get(session: &mut Session, ticket: &str, given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let name = given.value("get-attr").unwrap_or_default();
    let document = state(session, ticket)?;
    let state = target::elements(&document).into_iter().next();
    let value = state.and_then(|state| match name {
        "granted" => Some(view::markup::boolean(is_granted(state)).to_owned()),
        "standby" => Some(view::markup::boolean(state.attr("standby").is_some_and(is_true)).to_owned()),
        // when it was granted makes sense only once it was
        _ => state.attr(name).map(str::to_owned),
    });
    let value = value.or_else(|| given.value("default").map(str::to_owned));
    let Some(value) = value else {
        let message = format!(
            "Attribute '{name}' is not set on ticket '{ticket}' (--default VALUE shows a value then)"
        );
        return Err(Problem::new(target::NO_SUCH, message));
    };
    out.line(&value);
    out.xml.open("tickets", &[]);
    out.xml.open("ticket", &[("id", ticket)]);
    out.xml.leaf("attribute", &[("name", name), ("value", &value)]);
    out.xml.close();
    out.xml.close();
    Ok(0)
}

/// Why a ticket is not just granted or revoked, and what to do.
fn refused(ticket: &str, grants: bool, code: u8) -> Problem {
    let why = if grants {
        format!(
            "Nobody here can tell whether another site still has '{ticket}'; if one has, both run what depends on it.\n\
             If you are sure that no other site has it,"
        )
    } else {
        format!(
            "Without '{ticket}', what depends on it stops, demotes or is fenced, as its loss-policy says.\n\
             See what that is:\n\
             crm_ticket --ticket {ticket} --constraints\n\
             Let it stop or demote in order first:\n\
             crm_ticket --ticket {ticket} --standby\n\
             If you are sure,"
        )
    };
    let end = if code == UNSAFE {
        "\ncrm_ticket: Ticket modification not allowed without --force"
    } else {
        "\ncrm_ticket: Ticket clean-up not allowed without --force"
    };
    Problem::new(code, format!("{why}\nplease specify --force.{end}"))
}

fn clean_up(session: &mut Session, ticket: &str, given: &Given, out: &mut Output) -> Result<u8, Problem> {
    const NO_PERMISSION: u8 = 4;
    let document = state(session, ticket)?;
    let granted = target::elements(&document).into_iter().any(is_granted);
    if granted && !given.has("force") {
        return Err(refused(ticket, false, NO_PERMISSION));
    }
    let mut change = CibChange::new(CibOperation::Delete);
    change.section = Some("status".to_owned());
    change.xml = Some(element(ticket, &[]));
    send(session, change)?;
    out.info(format!("Cleaned up {ticket}"));
    Ok(0)
}

/// A `ticket_state` as text.
fn element(ticket: &str, attributes: &[(&str, &str)]) -> String {
    let mut document = Document::new("ticket_state");
    let root = document.root();
    document.set_attribute(root, "id", ticket);
    for (name, value) in attributes {
        document.set_attribute(root, name, value);
    }
    document.element_to_string(root)
}

/// Sets attributes; the ticket is made if nobody has heard of it.
fn modify(session: &mut Session, ticket: &str, sets: &[(&str, &str)]) -> Result<(), Problem> {
    let now = jiff::Timestamp::now().as_second().to_string();
    let mut sets = sets.to_vec();
    if sets.iter().any(|(name, value)| *name == "granted" && is_true(value)) {
        sets.push(("last-granted", &now));
    }
    let mut change = CibChange::new(CibOperation::Modify);
    change.section = Some("status".to_owned());
    change.allow_create = true;
    change.xml = Some(format!("<tickets>{}</tickets>", element(ticket, &sets)));
    send(session, change)
}

fn remove(session: &mut Session, ticket: &str, name: &str) -> Result<(), Problem> {
    let Some(mut document) = states(session, Some(ticket))? else { return Ok(()) };
    let root = document.root();
    if !document.remove_attribute(root, name) {
        return Ok(());
    }
    let mut change = CibChange::new(CibOperation::Replace);
    change.xpath = Some(format!("/cib/status/tickets/ticket_state[@id={}]", xml::xpath::literal(ticket)));
    change.xml = Some(document.element_to_string(root));
    send(session, change)
}

fn send(session: &mut Session, mut change: CibChange) -> Result<(), Problem> {
    change.client = TABLE.tool.to_owned();
    session
        .change_cib(&change)
        .map(drop)
        .map_err(|problem| Problem::new(problem.code, format!("Could not modify ticket: {problem}")))
}
