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
        }
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
        self.options &= shown;
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
        ] {
            *part = shown;
        }
        self.bans = shown.then(String::new);
    }

    fn restore(&mut self) {
        let (inactive, detail, by_node, brief, timing) =
            (self.inactive, self.detail, self.by_node, self.brief, self.timing);
        *self = Sections { inactive, detail, by_node, brief, timing, ..Sections::default() };
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
            // this program keeps fencing in its events
            "fencing" | "fencing-failed" | "fencing-pending" | "fencing-succeeded" => return Some(()),
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
