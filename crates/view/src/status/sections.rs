//! Which parts of the status a screen shows (rules 5b.1.1–5b.1.4).

/// The parts that are shown, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sections {
    pub stack: bool,
    pub dc: bool,
    pub times: bool,
    pub counts: bool,
    pub options: bool,
    pub maintenance: bool,
    pub nodes: bool,
    pub resources: bool,
    pub attributes: bool,
    pub fail_counts: bool,
    pub operations: bool,
    pub failures: bool,
    pub tickets: bool,
    /// Constraints whose id starts with this.
    pub bans: Option<String>,
    /// Also resources that are not active.
    pub inactive: bool,
    /// Instances one by one, ids, technical words.
    pub detail: bool,
    /// Resources below their nodes.
    pub by_node: bool,
    /// Primitives gathered by agent.
    pub brief: bool,
    /// Operations with their times.
    pub timing: bool,
    /// Descriptions of resources.
    pub descriptions: bool,
    /// Fencing that failed, is under way, or was done.
    pub fencing_failed: bool,
    pub fencing_pending: bool,
    pub fencing_succeeded: bool,
    /// Each fencing operation instead of the newest of those alike.
    pub fencing_full: bool,
    /// Options are part of the summary unless told otherwise: so in pages and in XML.
    pub options_by_default: bool,
}

impl Default for Sections {
    fn default() -> Sections {
        Sections {
            stack: true,
            dc: true,
            times: true,
            counts: true,
            options: false,
            maintenance: true,
            nodes: true,
            resources: true,
            failures: true,
            fencing_failed: true,
            fencing_pending: true,
            ..Sections::none()
        }
    }
}

/// Every name that can be included or excluded, in the order in which usage lists them.
const NAMES: [&str; 22] = [
    "all",
    "attributes",
    "bans",
    "counts",
    "dc",
    "default",
    "failcounts",
    "failures",
    "fencing",
    "fencing-failed",
    "fencing-pending",
    "fencing-succeeded",
    "maint-mode",
    "nodes",
    "none",
    "operations",
    "options",
    "resources",
    "stack",
    "summary",
    "tickets",
    "times",
];

impl Sections {
    /// Nothing at all.
    pub fn none() -> Sections {
        Sections {
            stack: false,
            dc: false,
            times: false,
            counts: false,
            options: false,
            maintenance: false,
            nodes: false,
            resources: false,
            attributes: false,
            fail_counts: false,
            operations: false,
            failures: false,
            tickets: false,
            bans: None,
            inactive: false,
            detail: false,
            by_node: false,
            brief: false,
            timing: false,
            descriptions: false,
            fencing_failed: false,
            fencing_pending: false,
            fencing_succeeded: false,
            fencing_full: false,
            options_by_default: false,
        }
    }

    /// Everything, as XML shows it.
    pub fn everything() -> Sections {
        let mut all = Sections { options_by_default: true, fencing_full: true, ..Sections::none() };
        all.set_all(true);
        all
    }

    /// How much fencing is shown: 0 none, 1 failed and pending, 2 also successful, 3 each one.
    ///
    /// # Errors
    /// There is no such level.
    pub fn set_fencing_level(&mut self, level: &str) -> Result<(), String> {
        let number = match level {
            "0" => 0,
            "1" => 1,
            "2" => 2,
            "3" => 3,
            other => return Err(format!("Fence history must be 0-3: '{other}' is no such level")),
        };
        self.fencing_level(number);
        Ok(())
    }

    fn fencing_level(&mut self, level: u8) {
        self.fencing_failed = level > 0;
        self.fencing_pending = level > 0;
        self.fencing_succeeded = level > 1;
        self.fencing_full = level > 2;
    }

    /// From no fencing to more and more, and back to none.
    pub fn next_fencing_level(&mut self) {
        let level = match (self.fencing_failed, self.fencing_succeeded, self.fencing_full) {
            (_, _, true) => 0,
            (_, true, false) => 3,
            (true, false, false) => 2,
            (false, false, false) => 1,
        };
        self.fencing_level(level);
    }

    /// Whether any line of the summary is shown.
    pub fn has_summary(&self) -> bool {
        self.stack || self.dc || self.times || self.counts || self.options
    }

    /// Shows or hides the summary; options are part of it only where they are asked for.
    pub fn set_summary(&mut self, shown: bool) {
        for part in [&mut self.stack, &mut self.dc, &mut self.times, &mut self.counts, &mut self.maintenance]
        {
            *part = shown;
        }
        self.options = shown && (self.options || self.options_by_default);
    }

    fn set_all(&mut self, shown: bool) {
        self.set_summary(shown);
        for part in [
            &mut self.nodes,
            &mut self.resources,
            &mut self.attributes,
            &mut self.fail_counts,
            &mut self.operations,
            &mut self.failures,
            &mut self.tickets,
            &mut self.fencing_failed,
            &mut self.fencing_pending,
            &mut self.fencing_succeeded,
        ] {
            *part = shown;
        }
        self.bans = shown.then(String::new);
    }

    fn restore(&mut self) {
        let kept = self.clone();
        *self = Sections {
            inactive: kept.inactive,
            detail: kept.detail,
            by_node: kept.by_node,
            brief: kept.brief,
            timing: kept.timing,
            descriptions: kept.descriptions,
            fencing_full: kept.fencing_full,
            options_by_default: kept.options_by_default,
            ..Sections::default()
        };
    }

    /// Adds the parts of a comma list.
    ///
    /// # Errors
    /// What can be included, if a word is not known.
    pub fn include(&mut self, list: &str) -> Result<(), String> {
        list.split(',').try_for_each(|word| match word {
            "all" => {
                self.set_all(true);
                Ok(())
            }
            "none" => {
                self.set_all(false);
                Ok(())
            }
            "default" => {
                self.restore();
                Ok(())
            }
            word => self.change(word, true).ok_or_else(|| usage("include", &["bans"])),
        })
    }

    /// Takes away the parts of a comma list.
    ///
    /// # Errors
    /// What can be excluded, if a word is not known.
    pub fn exclude(&mut self, list: &str) -> Result<(), String> {
        list.split(',').try_for_each(|word| match word {
            "all" => {
                self.set_all(false);
                Ok(())
            }
            "none" => {
                self.set_all(true);
                Ok(())
            }
            word => self.change(word, false).ok_or_else(|| usage("exclude", &["default"])),
        })
    }

    fn change(&mut self, word: &str, shown: bool) -> Option<()> {
        if let Some(prefix) = word.strip_prefix("bans:") {
            self.bans = shown.then(|| prefix.to_owned());
            return Some(());
        }
        let part = match word {
            "summary" => {
                self.set_summary(shown);
                return Some(());
            }
            "bans" => {
                self.bans = shown.then(String::new);
                return Some(());
            }
            "fencing" => {
                self.fencing_failed = shown;
                self.fencing_pending = shown;
                self.fencing_succeeded = shown;
                return Some(());
            }
            "fencing-failed" => &mut self.fencing_failed,
            "fencing-pending" => &mut self.fencing_pending,
            "fencing-succeeded" => &mut self.fencing_succeeded,
            "stack" => &mut self.stack,
            "dc" => &mut self.dc,
            "times" => &mut self.times,
            "counts" => &mut self.counts,
            "options" => &mut self.options,
            "maint-mode" => &mut self.maintenance,
            "nodes" => &mut self.nodes,
            "resources" => &mut self.resources,
            "attributes" => &mut self.attributes,
            "failcounts" => &mut self.fail_counts,
            "operations" => &mut self.operations,
            "failures" => &mut self.failures,
            "tickets" => &mut self.tickets,
            _ => return None,
        };
        *part = shown;
        Some(())
    }
}

/// `--include options: all, attributes, bans[:PREFIX], …`; for exclusion without prefix and `default`.
fn usage(option: &str, special: &[&str]) -> String {
    let including = option == "include";
    let names = NAMES.iter().filter(|name| including || !special.contains(name));
    let names: Vec<String> = names
        .map(|name| {
            if including && special.contains(name) { format!("{name}[:PREFIX]") } else { (*name).to_owned() }
        })
        .collect();
    format!("--{option} options: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_applied_from_left_to_right() {
        let mut sections = Sections::default();
        assert_eq!(sections.include("none,nodes,bans:cli-"), Ok(()));
        assert!(sections.nodes && !sections.resources && !sections.has_summary());
        assert_eq!(sections.bans.as_deref(), Some("cli-"));
        assert_eq!(sections.exclude("bans"), Ok(()));
        assert_eq!(sections.bans, None);
    }

    #[test]
    fn unknown_words_are_answered_with_the_known_ones() {
        let error = Sections::default().include("list").expect_err("no such section");
        assert!(
            error.starts_with("--include options: all, attributes, bans[:PREFIX], counts, dc, default,"),
            "{error}"
        );
        let error = Sections::default().exclude("default").expect_err("not for exclusion");
        assert!(
            error.starts_with("--exclude options: all, attributes, bans, counts, dc, failcounts,"),
            "{error}"
        );
    }
}
