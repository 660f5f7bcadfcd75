//! The CIB as a replicated document: one owner of the tree, its version, and the only way to change it.
//!
//! A request is applied completely or not at all. The result depends only on the document, the request and
//! its [`Origin`]: replicas that apply the same requests in the same order stay equal.

use std::borrow::Cow;

use xml::Document;

use crate::acl;
use crate::digest;
use crate::edit::{self, Touched};
use crate::iso8601::DateTime;
use crate::operation::{Operation, Prepared, section};
use crate::patchset::Patchset;
use crate::refusal::{Refusal, RefusalCode};
use crate::schema;
use crate::upgrade;
use crate::value::Timestamp;
use crate::version::{MAX_COUNTER, Version};

/// The CIB of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CibDocument {
    document: Document,
}

/// Who asks for a change, and when: written into the document and used for access control.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Name of the node where the request came in.
    pub node: String,
    /// The program, for example `cibadmin`.
    pub client: String,
    /// The user's name, if known.
    pub user: Option<String>,
    /// Subject to access control with these names; `None` for root, the cluster's user and the cluster
    /// itself.
    pub restricted: Option<acl::User>,
    /// Seconds since the epoch, for `cib-last-written`.
    pub at: Timestamp,
    /// The feature set of those who have to live with the result: it must not need more (rule 4.23.3). Empty: any.
    pub feature_set: String,
}

/// What an accepted request did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub before: Version,
    pub after: Version,
    /// What was really changed. Nothing: there is no new version and nothing to tell anybody.
    pub touched: Touched,
    /// Warnings about the new configuration.
    pub warnings: Vec<schema::Finding>,
}

impl Applied {
    pub fn changed(&self) -> bool {
        self.before != self.after
    }
}

/// Which part of the CIB is wanted. An XPath goes before the scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pub scope: Option<String>,
    pub xpath: Option<String>,
    /// With `xpath`: only the paths of what matches, one a line.
    pub paths_only: bool,
    /// Leave out everything below what matches.
    pub no_children: bool,
    /// Subject to access control with these names.
    pub restricted: Option<acl::User>,
}

impl CibDocument {
    /// A CIB without any configuration (rule 5c.2.3), version 0.1.0.
    pub fn empty(schema: &str, feature_set: &str) -> CibDocument {
        let mut document = Document::new("cib");
        let root = document.root();
        document.set_attribute(root, "crm_feature_set", feature_set);
        document.set_attribute(root, "validate-with", schema);
        Version::new(0, 1, 0).write_to(&mut document);
        edit::fill_sections(&mut document);
        CibDocument { document }
    }

    /// Reads a whole CIB. Missing sections are added; nothing else is checked.
    pub fn parse(text: &str) -> Result<CibDocument, Refusal> {
        CibDocument::from_document(Document::parse(text)?)
    }

    /// As [`CibDocument::parse`] for what is parsed already.
    pub fn from_document(mut document: Document) -> Result<CibDocument, Refusal> {
        let root = document.root();
        if document.name(root) != "cib" {
            let message =
                format!("Input is not a CIB (outermost element is {} not cib)", document.name(root));
            return Err(
                Refusal::new(RefusalCode::Schema, message).at(document.line(root), document.column(root))
            );
        }
        let configuration = match document.child(root, "configuration") {
            Some(configuration) => configuration,
            None => document.insert_element(root, 0, "configuration"),
        };
        for section in ["crm_config", "nodes", "resources", "constraints"] {
            if document.child(configuration, section).is_none() {
                document.append_element(configuration, section);
            }
        }
        if document.child(root, "status").is_none() {
            document.append_element(root, "status");
        }
        Ok(CibDocument { document })
    }

    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The tree for changes that keep it a CIB and its version in step.
    pub(crate) fn tree_mut(&mut self) -> &mut Document {
        &mut self.document
    }

    pub fn into_document(self) -> Document {
        self.document
    }

    pub fn version(&self) -> Version {
        Version::of(&self.document)
    }

    /// The declared schema; empty if there is none.
    pub fn schema(&self) -> &str {
        self.document.attribute(self.document.root(), "validate-with").unwrap_or("")
    }

    /// Digest by which replicas are compared ([`digest::versioned`]).
    pub fn digest(&self) -> String {
        digest::versioned(&self.document)
    }

    /// Content of `cib.xml.sig` for the text that [`to_file`](Self::to_file) returns.
    pub fn signature(&self) -> String {
        digest::on_disk(&self.document)
    }

    /// The text stored on disk.
    pub fn to_file(&self) -> String {
        self.document.to_pretty()
    }

    /// The document as a file keeps it: with an empty `status` (rule 4.23.5).
    pub fn without_status(&self) -> CibDocument {
        let mut document = self.document.clone();
        if let Some(status) = document.child(document.root(), "status") {
            document.clear_children(status);
        }
        document.compact();
        CibDocument { document }
    }

    /// Applies a request, completely or not at all (rule 5c.9.2).
    pub fn apply(&mut self, operation: &Operation, origin: &Origin) -> Result<Applied, Refusal> {
        let prepared = Prepared::new(operation)?;
        if origin.restricted.is_none() && prepared.is_safe_in_place() {
            return self.apply_in_place(&prepared);
        }
        let mut next = self.clone();
        let applied = next.carry_out(&self.document, &prepared, origin)?;
        if applied.changed() {
            *self = next;
        }
        Ok(applied)
    }

    /// [`apply`](Self::apply), together with the patch set that tells others what changed; none if nothing
    /// did. Costs a copy and a comparison of the whole document.
    pub fn apply_with_patchset(
        &mut self,
        operation: &Operation,
        origin: &Origin,
    ) -> Result<(Applied, Option<Patchset>), Refusal> {
        let before = self.document.clone();
        let applied = self.apply(operation, origin)?;
        let patchset = applied.changed().then(|| Patchset::between(&before, &self.document));
        Ok((applied, patchset))
    }

    /// For requests that touch only `status` and cannot fail half-way: no copy of a large document.
    fn apply_in_place(&mut self, prepared: &Prepared) -> Result<Applied, Refusal> {
        let before = self.version();
        let touched = edit::perform(&mut self.document, prepared, None)?;
        let after = if touched.any() { before.next_update() } else { before };
        if touched.any() {
            after.write_to(&mut self.document);
        }
        if self.document.is_sparse() {
            self.document.compact();
        }
        Ok(Applied { before, after, touched, warnings: Vec::new() })
    }

    /// The coordinator writes `have-quorum` often and rightly; of others it is checked.
    fn quorum_is_boolean(&self) -> bool {
        let value = self.document.attribute(self.document.root(), "have-quorum");
        matches!(value, None | Some("0" | "1" | "true" | "false"))
    }

    fn carry_out(
        &mut self,
        old: &Document,
        prepared: &Prepared,
        origin: &Origin,
    ) -> Result<Applied, Refusal> {
        let before = Version::of(old);
        // places told to the client are places in what it sent
        self.document.forget_places();
        let touched = edit::perform(&mut self.document, prepared, origin.restricted.as_ref())?;
        self.has_its_parts()?;
        self.has_known_features(old, &origin.feature_set)?;
        let wanted = Version::of(&self.document);
        if !touched.any() && !prepared.forces_epoch() {
            return Ok(Applied { before, after: before, touched, warnings: Vec::new() });
        }
        if let Some(user) = &origin.restricted {
            let exempt = acl::Exempt { system_attributes: prepared.patch_version().is_some() };
            acl::check_change(old, &self.document, user, exempt)?;
            if prepared.forces_epoch() {
                acl::check_root(old, user)?;
            }
        }
        let after = next_version(before, wanted, touched, prepared)?;
        after.write_to(&mut self.document);
        let mut warnings = Vec::new();
        if after.epoch != before.epoch || after.admin_epoch != before.admin_epoch {
            // a patch brings the origin's words along, so that all documents are equal
            if prepared.patch_version().is_none() {
                self.write_origin(origin);
            }
            warnings = self.validated()?;
        } else if touched.root || touched.version && !self.quorum_is_boolean() {
            warnings = self.validated()?;
        }
        if self.document.is_sparse() {
            self.document.compact();
        }
        Ok(Applied { before, after, touched, warnings })
    }

    /// Whatever a request does, configuration and status stay: nothing else checks changes of status.
    fn has_its_parts(&self) -> Result<(), Refusal> {
        let root = self.document.root();
        for part in ["configuration", "status"] {
            if self.document.child(root, part).is_none() {
                return Err(Refusal::new(RefusalCode::Schema, format!("cib needs an element {part}")));
            }
        }
        Ok(())
    }

    /// A document from a newer cluster may mean what this one does not understand.
    fn has_known_features(&self, old: &Document, own: &str) -> Result<(), Refusal> {
        let of = |document: &Document| {
            document.attribute(document.root(), "crm_feature_set").unwrap_or_default().to_owned()
        };
        let needed = of(&self.document);
        if own.is_empty() || needed == of(old) || feature_numbers(&needed) <= feature_numbers(own) {
            return Ok(());
        }
        let message = format!(
            "crm_feature_set='{needed}' is of a newer cluster than this one, whose feature set is {own}: upgrade it first"
        );
        Err(Refusal::new(RefusalCode::Schema, message))
    }

    fn write_origin(&mut self, origin: &Origin) {
        let root = self.document.root();
        self.document.set_attribute(root, "cib-last-written", &ctime(origin.at));
        if upgrade::schema_rank(self.schema()) < upgrade::schema_rank("pacemaker-1.2") {
            return;
        }
        let user = origin.user.as_deref().unwrap_or("");
        for (name, value) in
            [("update-origin", &*origin.node), ("update-client", &*origin.client), ("update-user", user)]
        {
            if value.is_empty() {
                self.document.remove_attribute(root, name);
            } else {
                self.document.set_attribute(root, name, value);
            }
        }
    }

    /// Refuses a document that does not conform to its schema; the rest of the findings are warnings.
    fn validated(&self) -> Result<Vec<schema::Finding>, Refusal> {
        let findings = schema::validate(&self.document);
        let is_error = |finding: &&schema::Finding| finding.severity == crate::Severity::Error;
        let Some(first) = findings.iter().find(is_error) else { return Ok(findings) };
        let mut refusal = Refusal::new(RefusalCode::Schema, first.message.clone())
            .at(first.line, first.column)
            .at_path(first.path.clone());
        refusal.details = findings.iter().filter(is_error).skip(1).map(ToString::to_string).collect();
        Err(refusal)
    }

    /// Answers a query as indented XML (or as paths). `xpath` with several matches wraps them in
    /// `<xpath-query>`; without a match the query is refused.
    pub fn query(&self, query: &Query) -> Result<String, Refusal> {
        let document = match &query.restricted {
            Some(user) => Cow::Owned(acl::readable(&self.document, user)?),
            None => Cow::Borrowed(&self.document),
        };
        let found = match &query.xpath {
            Some(xpath) => xml::xpath::select(&document, xpath)?,
            None => match section(query.scope.as_deref())? {
                None => vec![document.root()],
                Some(section) => edit::find_section(&document, &section).into_iter().collect(),
            },
        };
        if found.is_empty() {
            return Err(Refusal::new(RefusalCode::NotFound, "nothing in the CIB matches"));
        }
        if query.paths_only {
            let paths = found.iter().map(|node| xml::diff::path_of(&document, *node) + "\n");
            return Ok(paths.collect());
        }
        if query.no_children {
            let bare = found.iter().map(|node| document.start_tag_to_string(*node));
            return wrapped(bare.collect());
        }
        if let [only] = found[..] {
            return Ok(document.element_to_pretty(only));
        }
        let mut answer = Document::new("xpath-query");
        for node in found {
            answer.import(answer.root(), None, &document, node);
        }
        Ok(answer.to_pretty())
    }
}

/// The numbers of a feature set, for comparing (rules 4.21.3 and 4.23.3); what is no number counts as 0.
#[must_use]
pub fn feature_numbers(text: &str) -> Vec<u64> {
    text.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

fn wrapped(elements: Vec<String>) -> Result<String, Refusal> {
    match &elements[..] {
        [only] => Ok(format!("{only}\n")),
        _ => {
            let lines: String = elements.iter().map(|element| format!("  {element}\n")).collect();
            Ok(format!("<xpath-query>\n{lines}</xpath-query>\n"))
        }
    }
}

/// The version after an accepted request (rules 4.23.2, 5c.9.2). One given explicitly counts if it is later.
fn next_version(
    before: Version,
    wanted: Version,
    touched: Touched,
    prepared: &Prepared,
) -> Result<Version, Refusal> {
    let wanted = prepared.patch_version().unwrap_or(wanted);
    if let Some((name, value)) = wanted.attributes().into_iter().find(|(_, value)| *value > MAX_COUNTER) {
        let message = format!("{name}='{value}' is too large: at most {MAX_COUNTER} can be set");
        return Err(Refusal::new(RefusalCode::Invalid, message));
    }
    if prepared.patch_version().is_some() && wanted > before {
        return Ok(wanted);
    }
    if (wanted.admin_epoch, wanted.epoch) < (before.admin_epoch, before.epoch) {
        let message = format!("the request would take the version back from {before} to {wanted}");
        return Err(Refusal::new(RefusalCode::OldVersion, message));
    }
    let is_configuration = touched.configuration || prepared.forces_epoch();
    let automatic = if is_configuration { before.next_epoch() } else { before.next_update() };
    Ok(automatic.max(wanted))
}

/// `Tue Nov 24 03:02:00 2026`, in UTC, because all replicas must write the same.
pub fn ctime(seconds: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let moment = DateTime::from_timestamp(seconds, 0);
    let (month, day) = moment.month_and_day();
    let (hour, minute, second) = moment.time_of_day();
    let weekday = DAYS[seconds.div_euclid(86_400).rem_euclid(7) as usize];
    let month = MONTHS[usize::from(month.clamp(1, 12)) - 1];
    format!("{weekday} {month} {day:2} {hour:02}:{minute:02}:{second:02} {}", moment.year)
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
