//! Colours for what commands print: only on a terminal, and never where `NO_COLOR` is set.

use std::io::IsTerminal;

/// Marks of the terminal for a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Red,
    Green,
    Yellow,
    Bold,
    Dim,
}

/// Whether standard output takes colours.
pub fn wanted() -> bool {
    std::io::stdout().is_terminal() && allowed()
}

/// Whether the user allows colours at all (no-color.org; a terminal that can do nothing).
pub fn allowed() -> bool {
    let forbids = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !forbids && !dumb
}

/// The text with a colour around it.
pub fn paint(colour: Colour, text: &str) -> String {
    let code = match colour {
        Colour::Red => "31",
        Colour::Green => "32",
        Colour::Yellow => "33",
        Colour::Bold => "1",
        Colour::Dim => "2",
    };
    if text.is_empty() { String::new() } else { format!("\x1b[{code}m{text}\x1b[0m") }
}

/// Colours the lines of a status text for people: titles, what is wrong, what is well.
pub fn status(text: &str) -> String {
    let lines = text.lines().map(|line| match status_colour(line) {
        Some(colour) => paint(colour, line),
        None => line.to_owned(),
    });
    let mut painted: String = lines.collect::<Vec<_>>().join("\n");
    if text.ends_with('\n') {
        painted.push('\n');
    }
    painted
}

fn status_colour(line: &str) -> Option<Colour> {
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if !line.starts_with([' ', '*']) && line.trim_end().ends_with(':') {
        return Some(Colour::Bold);
    }
    if has(&["UNCLEAN", "FAILED", "OFFLINE", "BLOCKED", "WITHOUT quorum", "NONE", " failed", "'error'"]) {
        return Some(Colour::Red);
    }
    if has(&["standby", "maintenance", "unmanaged", "disabled", "Stopped", "Starting", "Stopping", "***"]) {
        return Some(Colour::Yellow);
    }
    has(&["Started", "Promoted", "Online: ["]).then_some(Colour::Green)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_coloured_by_line() {
        let text = "Node List:\n  * Online: [ a ]\n  * OFFLINE: [ b ]\n  * x\n";
        assert_eq!(
            status(text),
            "\x1b[1mNode List:\x1b[0m\n\x1b[32m  * Online: [ a ]\x1b[0m\n\x1b[31m  * OFFLINE: [ b ]\x1b[0m\n  * x\n"
        );
    }
}
