//! Which node and which nvpair a tool means (rules 5a.1.7, 5a.1.8, 5a.6.1).

use view::api::CibQuery;
use xml::Document;
use xml::xpath::literal;

use crate::session::{Problem, Session, parse};

pub use crate::tool::exit::NO_SUCH;

/// The node that an agent runs for, as the executor told it.
pub fn node_of_environment() -> Option<String> {
    let get = |name: &str| {
        std::env::var(format!("OCF_RESKEY_CRM_meta_{name}")).ok().filter(|value| !value.is_empty())
    };
    if get("container_attribute_target").as_deref() == Some("host") {
        if let Some(host) = get("physical_host") {
            return Some(host);
        }
    }
    get("on_node")
}

/// A node as given, if it is one: `localhost` and `auto` mean the usual one.
pub fn named_node(given: Option<&str>) -> Option<String> {
    given
        .filter(|name| !name.eq_ignore_ascii_case("localhost") && !name.eq_ignore_ascii_case("auto"))
        .map(str::to_owned)
        .or_else(node_of_environment)
}

/// The node given, else the agent's, else the local one.
pub fn node_name(session: &mut Session, given: Option<&str>) -> Result<String, Problem> {
    match named_node(given) {
        Some(name) => Ok(name),
        None if session.is_live() => Ok(session.client()?.status()?.node),
        None => std::fs::read_to_string("/proc/sys/kernel/hostname")
            .map(|name| name.trim().to_owned())
            .map_err(|error| Problem::new(1, format!("cannot tell this host's name: {error}"))),
    }
}

/// A node's id and whether the configuration lists it; by its name, or by its id.
pub fn node_id(session: &mut Session, name: &str) -> Result<Option<(String, bool)>, Problem> {
    let quoted = literal(name);
    let xpath = format!(
        "/cib/configuration/nodes/node[@uname={quoted}]|/cib/configuration/nodes/node[@id={quoted}]\
         |/cib/status/node_state[@uname={quoted}]\
         |/cib/configuration/resources//primitive[@type='remote'][@provider='pacemaker'][@id={quoted}]\
         |/cib/configuration/resources//nvpair[@name='remote-node'][@value={quoted}]"
    );
    let Some(found) = select(session, &xpath, true)? else { return Ok(None) };
    let element = elements(&found).into_iter().next();
    Ok(element.map(|element| match element.name() {
        "node" => (element.attr("id").unwrap_or(name).to_owned(), true),
        "node_state" => (element.attr("id").unwrap_or(name).to_owned(), false),
        _ => (name.to_owned(), false),
    }))
}

/// What an XPath selects; none if nothing matches.
pub fn select(session: &mut Session, xpath: &str, no_children: bool) -> Result<Option<Document>, Problem> {
    let query = CibQuery { xpath: Some(xpath.to_owned()), no_children, ..CibQuery::default() };
    match session.query_cib(&query) {
        Ok(text) => parse(text).map(Some),
        Err(problem) if problem.code == NO_SUCH => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// The elements of an answer: several come in a wrapper.
pub fn elements(answer: &Document) -> Vec<xml::Element<'_>> {
    let root = answer.root_element();
    if root.name() == "xpath-query" { root.children().collect() } else { vec![root] }
}

/// An id: characters that an id cannot have become `_`.
pub fn clean_id(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}
