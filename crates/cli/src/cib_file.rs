//! The CIB as a file: what the cluster does with a request, done here (`CIB_file`, `-f`, shadow copies).

use std::path::Path;

use cib::acl::User;
use cib::document::{CibDocument, Origin, Query};
use cib::operation::Operation;
use cib::refusal::Refusal;
use view::api::{CibChange, CibChanged, CibOperation, CibQuery, Version};

use crate::session::{Problem, read_cib_file, replace_file};

fn refused(refusal: Refusal) -> Problem {
    let lines = std::iter::once(refusal.to_string()).chain(refusal.details.iter().cloned());
    Problem::new(refusal.code.exit_status(), lines.collect::<Vec<_>>().join("\n  "))
}

/// The user that access control is evaluated for, if it is one that it binds (rule 5c.10.1).
fn restricted() -> Option<User> {
    let name = std::env::var("CIB_user").ok().filter(|name| !name.is_empty())?;
    if ["root", "hacluster"].contains(&name.as_str()) {
        return None;
    }
    let groups = groups_of(&name);
    Some(User { name, groups })
}

/// Where the change is made: this host.
fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

/// The system's groups that a user belongs to.
pub fn groups_of(user: &str) -> Vec<String> {
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let has_member =
        |line: &&str| line.rsplit(':').next().is_some_and(|members| members.split(',').any(|it| it == user));
    groups.lines().filter(has_member).filter_map(|line| line.split(':').next()).map(str::to_owned).collect()
}

/// Answers a query from a CIB's text.
pub fn query(text: &str, query: &CibQuery) -> Result<String, Problem> {
    let document = CibDocument::parse(text).map_err(refused)?;
    let query = Query {
        scope: query.section.clone(),
        xpath: query.xpath.clone(),
        paths_only: query.paths_only,
        no_children: query.no_children,
        restricted: restricted(),
    };
    document.query(&query).map_err(refused)
}

/// Carries out a change on a file, completely or not at all.
pub fn change(path: &Path, change: &CibChange) -> Result<CibChanged, Problem> {
    let mut document = CibDocument::parse(&read_cib_file(path)?).map_err(refused)?;
    let origin = Origin {
        node: host(),
        client: change.client.clone(),
        user: std::env::var("CIB_user").or_else(|_| std::env::var("USER")).ok(),
        restricted: restricted(),
        at: jiff::Timestamp::now().as_second(),
        // what a file needs is known to whoever loads it
        feature_set: String::new(),
    };
    let slips_before = crate::verify::slips(document.document());
    let applied = document.apply(&operation(change)?, &origin).map_err(refused)?;
    if applied.changed() && !change.dry_run {
        replace_file(path, &document.to_file())?;
    }
    let version = Version {
        admin_epoch: applied.after.admin_epoch.into(),
        epoch: applied.after.epoch.into(),
        num_updates: applied.after.num_updates.into(),
    };
    let mut warnings: Vec<String> = applied.warnings.iter().map(ToString::to_string).collect();
    let configuration = applied.after.epoch != applied.before.epoch
        || applied.after.admin_epoch != applied.before.admin_epoch;
    if configuration && !change.dry_run {
        // what was there before is no news
        warnings.extend(crate::verify::slips(document.document()).since(&slips_before));
    }
    let xml = change.dry_run.then(|| document.to_file());
    Ok(CibChanged { version, configuration, xml, warnings })
}

fn operation(change: &CibChange) -> Result<Operation, Problem> {
    let (scope, xpath) = (change.section.clone(), change.xpath.clone());
    let xml = || change.xml.clone().ok_or_else(|| Problem::new(64, "the request has no XML"));
    Ok(match change.operation {
        CibOperation::Create => Operation::Create { scope, xpath, xml: xml()? },
        CibOperation::Modify => Operation::Modify {
            scope,
            xpath,
            xml: xml()?,
            allow_create: change.allow_create,
            score: change.score_arithmetic,
        },
        CibOperation::Replace => Operation::Replace { scope, xpath, xml: xml()? },
        CibOperation::Delete => match xpath {
            Some(xpath) => Operation::DeleteXpath { xpath, all: change.delete_all },
            None => Operation::Delete { scope, xml: xml()? },
        },
        CibOperation::Patch => Operation::Patch { xml: xml()? },
        CibOperation::Bump => Operation::Bump,
        CibOperation::Upgrade => Operation::Upgrade,
        CibOperation::Erase => Operation::Erase,
        CibOperation::Commit => {
            Operation::Transaction(change.steps.iter().map(operation).collect::<Result<_, _>>()?)
        }
    })
}
