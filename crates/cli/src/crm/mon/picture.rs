//! One look at the cluster: everything that a status display may show.

use view::status::Status;
use view::status::fencing::{FenceEvent, Outcome};
use view::status::filter::{Filter, Shown};
use view::status::history::NodeHistory;
use view::status::html::{self, Page};
use view::status::monitor::{self, Facts, FailCount, Sections, Sources};
use view::status::xml::{self, Input};

use crate::configuration::Configuration;
use crate::mon::{ctime, facts, precise, universal_time};
use crate::outlook::Outlook;
use crate::session::{Problem, Session};

/// What `--node` and `--resource` ask for: names or tags.
#[derive(Clone, Default)]
pub struct Asked {
    pub node: Option<String>,
    pub resource: Option<String>,
}

/// The state at one moment.
pub struct Picture {
    status: Status,
    facts: Facts,
    fail_counts: Vec<FailCount>,
    history: Vec<NodeHistory>,
    /// Known only from a live cluster.
    fencing: Option<Vec<FenceEvent>>,
}

impl Picture {
    pub fn take(asked: &Asked) -> Result<Picture, Problem> {
        let mut session = Session::open(None)?;
        let document = session.cib()?;
        let live = if session.is_live() { session.client()?.status().ok() } else { None };
        let host = live.as_ref().map(|status| status.node.clone());
        let (outlook, history) = Outlook::with_history(&document);
        let mut facts = facts(&Configuration::new(document.clone()), host);
        if live.is_some() {
            facts.state = "Pacemaker is running".to_owned();
        }
        let fencing = live.map(|status| status.fencing.into_iter().map(fence_event).collect());
        let mut picture =
            Picture { status: outlook.status, facts, fail_counts: outlook.fail_counts, history, fencing };
        picture.filter(&document, asked);
        Ok(picture)
    }

    fn filter(&mut self, document: &::xml::Document, asked: &Asked) {
        let filter = Filter {
            nodes: asked.node.as_deref().map(|name| name_or_tagged(document, name)),
            resources: asked.resource.as_deref().map(|name| name_or_tagged(document, name)),
        };
        if filter.is_empty() {
            return;
        }
        let mut none = Vec::new();
        filter.apply(Shown {
            status: &mut self.status,
            fail_counts: &mut self.fail_counts,
            history: &mut self.history,
            fencing: self.fencing.as_mut().unwrap_or(&mut none),
        });
    }

    fn sources<'p>(&'p self) -> Sources<'p> {
        Sources {
            status: &self.status,
            facts: &self.facts,
            fail_counts: &self.fail_counts,
            history: &self.history,
            fencing: self.fencing.as_deref(),
            clock: &ctime,
        }
    }

    pub fn text(&self, sections: &Sections) -> String {
        monitor::text(&monitor::parts(&self.sources(), sections))
    }

    pub fn html(&self, sections: &Sections, page: &Page) -> String {
        html::page(&monitor::parts(&self.sources(), sections), &self.status, page)
    }

    pub fn xml(&self, sections: &Sections, request: &str, legacy: bool) -> String {
        let input = Input {
            status: &self.status,
            facts: &self.facts,
            fail_counts: &self.fail_counts,
            history: &self.history,
            fencing: self.fencing.as_deref(),
            sections,
            request,
            local: &ctime,
            universal: &universal_time,
        };
        let document = if legacy {
            xml::legacy_monitor(&input, crate::tool::COMPATIBLE_VERSION)
        } else {
            xml::monitor(&input)
        };
        document.to_pretty()
    }
}

/// The members of a tag, or the name itself.
fn name_or_tagged(document: &::xml::Document, name: &str) -> Vec<String> {
    let tags = document.root_element().child("configuration").and_then(|it| it.child("tags"));
    let tag = tags.and_then(|tags| tags.children_named("tag").find(|tag| tag.attr("id") == Some(name)));
    match tag {
        Some(tag) => {
            tag.children_named("obj_ref").filter_map(|it| it.attr("id")).map(str::to_owned).collect()
        }
        None => vec![name.to_owned()],
    }
}

fn fence_event(record: view::api::Fencing) -> FenceEvent {
    let outcome = match record.state.as_str() {
        "done" => Outcome::Success,
        "failed" => Outcome::Failed,
        _ => Outcome::Pending,
    };
    let ended = outcome != Outcome::Pending;
    let reason = Some(record.reason).filter(|reason| outcome == Outcome::Failed && !reason.is_empty());
    FenceEvent {
        action: record.action,
        target: record.target,
        client: record.client,
        origin: record.origin,
        delegate: record.executor,
        outcome,
        reason,
        completed: if ended { precise(record.at.saturating_mul(1000)) } else { String::new() },
        at: record.at,
    }
}
