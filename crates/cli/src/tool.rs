//! What the classic tools have in common: option errors, exit codes, version lines (rules 5a.1 and 5a.2).

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ErrorKind};

/// Exit codes of the field.
pub mod exit {
    pub const ERROR: u8 = 1;
    pub const USAGE: u8 = 64;
    pub const DATA: u8 = 65;
    pub const NO_INPUT: u8 = 66;
    pub const CANNOT_CREATE: u8 = 73;
    pub const IO: u8 = 74;
    pub const CONFIG: u8 = 78;
    pub const NOT_CONNECTED: u8 = 102;
    pub const NO_SUCH: u8 = 105;
    pub const UNSAFE: u8 = 107;
}

/// The reference's version that clients are told, because they choose what they use by it.
pub const COMPATIBLE_VERSION: &str = "2.1.5";

/// Reads the words of a classic tool; prints help, version or the error as the field expects.
pub fn parse<T: Parser>(tool: &str, words: &[String]) -> Result<T, ExitCode> {
    if words.iter().take_while(|word| *word != "--").any(|word| matches!(word.as_str(), "--version" | "-$")) {
        print_version();
        return Err(ExitCode::SUCCESS);
    }
    let words = std::iter::once(OsString::from(tool)).chain(words.iter().map(OsString::from).map(help_alias));
    T::try_parse_from(words).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            print!("{error}");
            ExitCode::SUCCESS
        }
        kind => {
            let unknown = error.get(ContextKind::InvalidArg).filter(|_| kind == ErrorKind::UnknownArgument);
            match unknown.map(ToString::to_string) {
                // the words of the field
                Some(option) if option.starts_with('-') => {
                    let near = error.get(ContextKind::SuggestedArg);
                    let near = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
                    eprintln!("{tool}: Unknown option {option}{near}");
                }
                _ => {
                    let text = error.to_string();
                    let first = text.lines().next().unwrap_or_default();
                    eprintln!("{tool}: {}", first.trim_start_matches("error: "));
                }
            }
            eprintln!("  '{tool} --help' lists the options");
            ExitCode::from(exit::USAGE)
        }
    })
}

/// The two lines of `--version` (rule 5a.1.2): other tools read the second word of the first.
pub fn print_version() {
    println!("Pacemaker {COMPATIBLE_VERSION} (Systole {})", env!("CARGO_PKG_VERSION"));
    println!("Written by the Systole project");
}

/// The command line as XML results repeat it: words with characters that a shell minds are quoted.
pub fn request(tool: &str, words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    let quoted = words.iter().map(|word| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    });
    std::iter::once(tool.to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

fn help_alias(word: OsString) -> OsString {
    if word.to_str().is_some_and(|word| word.starts_with("--help-")) { "--help".into() } else { word }
}
