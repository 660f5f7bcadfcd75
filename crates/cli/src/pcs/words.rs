//! The words of a pcs command line: global options anywhere, keywords, `name=value` (rule 5d.1.1).

use std::collections::BTreeMap;

/// A command that failed: what pcs prints after `Error: ` on stderr, with exit code 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub message: String,
    /// 0 suppresses nothing; the code to exit with.
    pub code: u8,
    /// Usage to print instead of an error line.
    pub usage: bool,
}

impl Failure {
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), code: 1, usage: true }
    }
}

impl<T: Into<String>> From<T> for Failure {
    fn from(message: T) -> Failure {
        Failure { message: message.into(), code: 1, usage: false }
    }
}

pub type Result<T> = std::result::Result<T, Failure>;

/// The global options, taken out of the words wherever they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    pub file: Option<String>,
    pub corosync_conf: Option<String>,
    pub force: bool,
    /// `--wait` with its number of seconds, if given.
    pub wait: Option<Option<u64>>,
    pub output_format: Option<String>,
    pub flags: Vec<String>,
    /// Long options with a value that one command or another knows.
    pub values: BTreeMap<String, String>,
}

impl Options {
    /// Has a dangerous thing confirmed: by `--force` or `--yes`, else by an answer.
    ///
    /// # Errors
    /// Somebody says no, or there is nobody to answer.
    pub fn confirm(&self, warning: &str) -> Result<()> {
        if self.force || self.flag("--yes") {
            eprintln!("Warning: {warning}");
            return Ok(());
        }
        eprintln!("WARNING: {warning}");
        eprint!("Are you sure you want to continue? [y/N] ");
        let mut answer = String::new();
        let length =
            std::io::stdin().read_line(&mut answer).map_err(|error| format!("no answer: {error}"))?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ if length == 0 => Err(format!("{warning}, use --force to override").into()),
            _ => Err("Canceled".into()),
        }
    }
}

const FLAGS: [&str; 28] = [
    "--autodelete",
    "--all",
    "--full",
    "--force",
    "--skip-offline",
    "--yes",
    "--debug",
    "--future",
    "--disabled",
    "--no-default-ops",
    "--agent-validation",
    "--enable",
    "--start",
    "--local",
    "--hide-inactive",
    "--strict",
    "--monitor",
    "--off",
    "--clone",
    "--promoted",
    "--master",
    "--defaults",
    "--nodesc",
    "--groups",
    "--expired",
    "--config",
    "--simulate",
    "--safe",
];

const VALUES: [&str; 10] = [
    "--group",
    "--before",
    "--after",
    "--name",
    "--node",
    "--request-timeout",
    "--from",
    "--to",
    "--operation",
    "--interval",
];

/// Splits a command line into global options and the remaining words.
pub fn split(arguments: &[String]) -> Result<(Options, Vec<String>)> {
    let mut options = Options::default();
    let mut words = Vec::new();
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            words.extend(rest.by_ref().cloned());
            break;
        }
        // a negative score such as -INFINITY or -5 is a word
        if !word.starts_with('-') || word == "-" || is_negative_score(word) {
            words.push(word.clone());
            continue;
        }
        let (name, inline) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        let mut value = |what: &str| -> Result<String> {
            inline
                .clone()
                .or_else(|| rest.next().cloned())
                .ok_or_else(|| format!("option {what} requires argument").into())
        };
        match name {
            "-f" => options.file = Some(value(name)?),
            "--corosync_conf" => options.corosync_conf = Some(value(name)?),
            "--output-format" => options.output_format = Some(value(name)?),
            "--wait" => options.wait = Some(inline.as_deref().map(seconds).transpose()?),
            "--force" => options.force = true,
            "-h" | "--help" => options.flags.push("--help".to_owned()),
            "--version" => options.flags.push("--version".to_owned()),
            known if FLAGS.contains(&known) => options.flags.push(known.to_owned()),
            known if VALUES.contains(&known) => {
                let text = value(known)?;
                options.values.insert(known.trim_start_matches('-').to_owned(), text);
            }
            unknown => return Err(format!("option {unknown} not recognized").into()),
        }
    }
    Ok((options, words))
}

fn is_negative_score(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|rest| {
        rest.eq_ignore_ascii_case("infinity") || rest.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn seconds(text: &str) -> Result<u64> {
    let (number, factor) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) if text.ends_with('m') => (number, 60),
        Some(number) if text.ends_with('h') => (number, 3600),
        Some(number) => (number, 1),
        None => (text, 1),
    };
    number
        .parse::<u64>()
        .map(|number| number.saturating_mul(factor))
        .map_err(|_| format!("'{text}' is not a valid number of seconds to wait").into())
}

impl Options {
    pub fn flag(&self, name: &str) -> bool {
        self.flags.iter().any(|flag| flag == name)
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

/// Reads `name=value` words into pairs sorted by name; a name given twice with different values is refused.
pub fn pairs(words: &[String]) -> Result<Vec<(String, String)>> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for word in words {
        let Some((name, value)) = word.split_once('=') else {
            return Err(format!("missing value of '{word}' option").into());
        };
        if name.is_empty() {
            return Err(format!("missing key in '{word}' option").into());
        }
        match found.insert(name.to_owned(), value.to_owned()) {
            Some(old) if old != value => {
                return Err(
                    format!("duplicate option '{name}' with different values '{old}' and '{value}'").into()
                );
            }
            _ => {}
        }
    }
    Ok(found.into_iter().collect())
}

/// Splits words at keywords: what stands before the first, then each keyword with what follows it.
pub fn sections<'a>(words: &'a [String], keywords: &[&str]) -> (&'a [String], Vec<(&'a str, &'a [String])>) {
    let starts: Vec<usize> = words
        .iter()
        .enumerate()
        .filter(|(_, word)| keywords.contains(&word.as_str()))
        .map(|(index, _)| index)
        .collect();
    let head = &words[..starts.first().copied().unwrap_or(words.len())];
    let parts = starts
        .iter()
        .enumerate()
        .map(|(number, start)| {
            let end = starts.get(number + 1).copied().unwrap_or(words.len());
            (words[*start].as_str(), &words[*start + 1..end])
        })
        .collect();
    (head, parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_may_stand_anywhere() {
        let (options, words) =
            split(&line("resource --force create A Dummy --group G x=1 --wait=2m -f /tmp/c")).expect("fine");
        assert_eq!(words, line("resource create A Dummy x=1"));
        assert!(options.force);
        assert_eq!(options.value("group"), Some("G"));
        assert_eq!(options.wait, Some(Some(120)));
        assert_eq!(options.file.as_deref(), Some("/tmp/c"));
    }

    #[test]
    fn negative_scores_are_words() {
        let (_, words) = split(&line("constraint colocation add A with B -INFINITY")).expect("fine");
        assert_eq!(words.last().map(String::as_str), Some("-INFINITY"));
        assert_eq!(split(&line("status --nope")).unwrap_err().message, "option --nope not recognized");
    }

    #[test]
    fn a_name_given_twice_is_refused() {
        assert_eq!(
            pairs(&line("x=a x=b")).unwrap_err().message,
            "duplicate option 'x' with different values 'a' and 'b'"
        );
        assert_eq!(pairs(&line("b=2 a=1")).expect("fine")[0].0, "a");
    }

    #[test]
    fn keywords_start_sections() {
        let words = line("a=1 op monitor interval=10s meta x=y op stop timeout=5s");
        let (head, parts) = sections(&words, &["op", "meta"]);
        assert_eq!(head.len(), 1);
        assert_eq!(parts.iter().map(|part| part.0).collect::<Vec<_>>(), ["op", "meta", "op"]);
    }
}
