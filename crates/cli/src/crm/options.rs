//! Command lines of the classic tools: one table a tool, read the way they always were (rule 5a.1.1).
//!
//! What was given is kept in order, because for these tools a later command replaces an earlier one.

use std::process::ExitCode;

use crate::tool::exit;

/// Whether an option takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Nothing,
    /// A value, by the name that the help shows.
    Value(&'static str),
    /// A value if attached (`-xV`, `--long=V`), or if the next word is no option.
    Maybe(&'static str),
}

/// One option. Without help text it is understood but not listed.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    pub short: char,
    pub long: &'static str,
    pub takes: Takes,
    pub help: &'static str,
    /// Another option's long name that this is an old spelling of.
    pub means: &'static str,
}

/// No short form.
pub const NO_SHORT: char = '\0';

pub const fn flag(short: char, long: &'static str, help: &'static str) -> Opt {
    Opt { short, long, takes: Takes::Nothing, help, means: "" }
}

pub const fn value(short: char, long: &'static str, name: &'static str, help: &'static str) -> Opt {
    Opt { short, long, takes: Takes::Value(name), help, means: "" }
}

pub const fn maybe(short: char, long: &'static str, name: &'static str, help: &'static str) -> Opt {
    Opt { short, long, takes: Takes::Maybe(name), help, means: "" }
}

/// An old spelling without a value.
pub const fn old_flag(short: char, long: &'static str, means: &'static str) -> Opt {
    Opt { short, long, takes: Takes::Nothing, help: "", means }
}

/// An old spelling with a value.
pub const fn old_value(short: char, long: &'static str, means: &'static str) -> Opt {
    Opt { short, long, takes: Takes::Value(""), help: "", means }
}

/// A tool's name, purpose, options and examples.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    pub tool: &'static str,
    pub about: &'static str,
    pub options: &'static [Opt],
    pub examples: &'static [&'static str],
}

/// What every tool understands.
const COMMON: [Opt; 7] = [
    flag('V', "verbose", "Say more (may be given several times)"),
    value(NO_SHORT, "output-as", "FORMAT", "Format of the answer: text or xml"),
    value(NO_SHORT, "output-to", "DEST", "File for the answer, '-' for standard output"),
    old_flag(NO_SHORT, "text-fancy", "text-fancy"),
    flag('$', "version", "Show the version and exit"),
    flag('h', "help", "Show this help and exit"),
    old_flag('?', "help", "help"),
];

/// A command line, understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// Long names and values in the order given.
    options: Vec<(&'static str, Option<String>)>,
    /// Words that belong to no option.
    pub words: Vec<String>,
}

impl Given {
    pub fn has(&self, long: &str) -> bool {
        self.options.iter().any(|(name, _)| *name == long)
    }

    /// The last value given.
    pub fn value(&self, long: &str) -> Option<&str> {
        self.options.iter().rev().find(|(name, _)| *name == long)?.1.as_deref()
    }

    /// The given ones of several options with their values, in order.
    pub fn sequence<'g>(&'g self, longs: &'g [&str]) -> impl Iterator<Item = (&'static str, &'g str)> + 'g {
        let asked = self.options.iter().filter(move |(name, _)| longs.contains(name));
        asked.filter_map(|(name, value)| Some((*name, value.as_deref()?)))
    }

    /// All values given.
    pub fn values<'g>(&'g self, long: &'g str) -> impl Iterator<Item = &'g str> + 'g {
        self.options.iter().filter(move |(name, _)| *name == long).filter_map(|(_, value)| value.as_deref())
    }

    /// The last given of several.
    pub fn last_of(&self, longs: &[&'static str]) -> Option<&'static str> {
        self.options.iter().rev().map(|(name, _)| *name).find(|name| longs.contains(name))
    }
}

/// Reads a command line. Help, version and mistakes end the tool here.
pub fn read(table: &Table, words: &[String]) -> Result<Given, ExitCode> {
    let given = understand(table, words).map_err(|message| {
        eprintln!("{}: {message}\n  '{} --help' lists the options", table.tool, table.tool);
        ExitCode::from(exit::USAGE)
    })?;
    if given.has("version") {
        crate::tool::print_version();
        return Err(ExitCode::SUCCESS);
    }
    if given.has("help") {
        print!("{}", help(table));
        return Err(ExitCode::SUCCESS);
    }
    Ok(given)
}

fn understand(table: &Table, words: &[String]) -> Result<Given, String> {
    let mut given = Given::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            given.words.extend(words.by_ref().cloned());
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, attached) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            if name.starts_with("help-") {
                given.options.push(("help", None));
                continue;
            }
            let option = find(table, |option| option.long == name)
                .ok_or_else(|| format!("Unknown option --{name}{}", meant(table, name)))?;
            let value = match (option.takes, attached) {
                (Takes::Nothing, Some(_)) => return Err(format!("Option --{name} takes no value")),
                (Takes::Nothing, None) => None,
                (Takes::Maybe(_), Some(value)) => Some(value),
                (Takes::Maybe(_), None) => optional_value(&mut words),
                (Takes::Value(_), Some(value)) => Some(value),
                (Takes::Value(_), None) => {
                    Some(words.next().cloned().ok_or_else(|| format!("Missing argument for --{name}"))?)
                }
            };
            note(&mut given, option, value);
        } else if word.len() > 1 && word.starts_with('-') {
            bundle(table, &word[1..], &mut words, &mut given)?;
        } else {
            given.words.push(word.clone());
        }
    }
    Ok(given)
}

/// ` (did you mean --name?)`, or nothing.
fn meant(table: &Table, name: &str) -> String {
    let known = table.options.iter().chain(&COMMON).map(|option| option.long);
    match cib::options::closest(known, name) {
        Some(near) => format!(" (did you mean --{near}?)"),
        None => String::new(),
    }
}

/// `-1rfn`, `-Nnode1`, `-N node1`.
fn bundle(
    table: &Table,
    letters: &str,
    words: &mut std::slice::Iter<'_, String>,
    given: &mut Given,
) -> Result<(), String> {
    for (at, letter) in letters.char_indices() {
        let option = find(table, |option| option.short == letter)
            .ok_or_else(|| format!("Unknown option -{letter}"))?;
        let rest = &letters[at + letter.len_utf8()..];
        let attached = (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest).to_owned());
        match option.takes {
            Takes::Nothing => note(given, option, None),
            Takes::Maybe(_) => {
                let value = attached.or_else(|| optional_value(words));
                note(given, option, value);
                return Ok(());
            }
            Takes::Value(_) => {
                let value = attached
                    .or_else(|| words.next().cloned())
                    .ok_or_else(|| format!("Missing argument for -{letter}"))?;
                note(given, option, Some(value));
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The next word, if it is no option: a value may stand apart even where it may be missing.
fn optional_value(words: &mut std::slice::Iter<'_, String>) -> Option<String> {
    let next = words.as_slice().first().filter(|next| !next.starts_with('-'))?;
    words.next();
    Some(next.clone())
}

fn note(given: &mut Given, option: &'static Opt, value: Option<String>) {
    given.options.push((if option.means.is_empty() { option.long } else { option.means }, value));
}

fn find(table: &Table, is: impl Fn(&Opt) -> bool) -> Option<&'static Opt> {
    // a tool's own letters go before the common ones (`stonith_admin -h`)
    table.options.iter().chain(COMMON.iter()).find(|option| is(option))
}

fn help(table: &Table) -> String {
    let mut text =
        format!("{} - {}\n\nUsage:\n  {} [OPTION...]\n\nOptions:\n", table.tool, table.about, table.tool);
    for option in table.options.iter().chain(COMMON.iter()).filter(|option| !option.help.is_empty()) {
        let mut names = match option.short {
            NO_SHORT => format!("      --{}", option.long),
            short => format!("  -{short}, --{}", option.long),
        };
        match option.takes {
            Takes::Nothing => {}
            Takes::Value(name) => names.push_str(&format!("={name}")),
            Takes::Maybe(name) => names.push_str(&format!("[={name}]")),
        }
        text.push_str(&format!("{names:<32} {}\n", option.help));
    }
    if !table.examples.is_empty() {
        text.push_str("\nExamples:\n");
        for example in table.examples {
            text.push_str(&format!("  {example}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table {
        tool: "t",
        about: "test",
        options: &[
            flag('a', "all", "all"),
            value('N', "node", "NODE", "node"),
            old_value('U', "uname", "node"),
            maybe('p', "promotion", "RSC", "promotion"),
        ],
        examples: &[],
    };

    fn words(text: &str) -> Result<Given, String> {
        understand(&TABLE, &text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn all_spellings() {
        let given = words("-aNx --node=y -U z -p q -p --promotion=r w -- -a").unwrap();
        assert_eq!(given.values("node").collect::<Vec<_>>(), ["x", "y", "z"]);
        assert_eq!(given.values("promotion").collect::<Vec<_>>(), ["q", "r"]);
        assert_eq!(given.words, ["w", "-a"]);
        assert!(given.has("all"));
    }

    #[test]
    fn mistakes() {
        assert_eq!(words("-x").unwrap_err(), "Unknown option -x");
        assert_eq!(words("--nod x").unwrap_err(), "Unknown option --nod (did you mean --node?)");
        assert_eq!(words("--nonsense").unwrap_err(), "Unknown option --nonsense");
        assert_eq!(words("-N").unwrap_err(), "Missing argument for -N");
    }
}
