//! Answers of the classic tools: text as it comes, or one XML document at the end (rules 5a.1.4, 5a.1.5).

use std::io::Write;
use std::process::ExitCode;

use view::markup::Markup;
use view::status::html::{self, Page};

use super::codes;
use super::options::Given;
use crate::session::Problem;
use crate::tool::exit;

/// Version of the XML answers.
pub const API_VERSION: &str = "2.42";

/// Where a tool's answer goes.
pub struct Output {
    tool: &'static str,
    request: String,
    pub is_xml: bool,
    /// The answer is a page (`stonith_admin`; `crm_mon` makes its own).
    page: Option<Page>,
    pub quiet: bool,
    destination: Option<String>,
    text: String,
    /// The payload of an XML answer.
    pub xml: Markup,
    errors: Vec<String>,
}

impl Output {
    /// For a command line; an unknown format ends the tool.
    pub fn new(tool: &'static str, words: &[String], given: &Given) -> Result<Output, ExitCode> {
        let request = request(tool, words);
        let (is_xml, page) = match given.value("output-as") {
            None | Some("text") => (false, None),
            Some("xml") => (true, None),
            Some("html") if tool == "stonith_admin" => {
                let page = page(given);
                let title = page.title.or_else(|| Some(request.clone()));
                (false, Some(Page { title, ..page }))
            }
            Some(other) => {
                eprintln!("{tool}: Error creating output format {other}: Unknown output format");
                return Err(ExitCode::from(exit::ERROR));
            }
        };
        let destination = given.value("output-to").filter(|to| *to != "-").map(str::to_owned);
        Ok(Output {
            tool,
            request,
            is_xml,
            page,
            quiet: given.has("quiet"),
            destination,
            text: String::new(),
            xml: Markup::new(),
            errors: Vec::new(),
        })
    }

    /// A line of the result, in text only.
    pub fn line(&mut self, line: impl AsRef<str>) {
        if self.is_xml {
            return;
        }
        if self.destination.is_some() || self.page.is_some() {
            self.text.push_str(line.as_ref());
            self.text.push('\n');
        } else {
            // who reads may have gone away, which is no failure of the tool
            let _ = writeln!(std::io::stdout(), "{}", line.as_ref());
        }
    }

    /// Whole text of a result, which ends with its own newline.
    pub fn block(&mut self, text: &str) {
        for line in text.lines() {
            self.line(line);
        }
    }

    /// A line for people that is no result.
    pub fn info(&mut self, line: impl AsRef<str>) {
        if !self.quiet {
            self.line(line);
        }
    }

    /// An error as it stands.
    pub fn error(&mut self, message: impl Into<String>) {
        let message = message.into();
        if self.is_xml {
            self.errors.push(message);
        } else {
            eprintln!("{message}");
        }
    }

    /// An error with the tool's name before it.
    pub fn fail(&mut self, message: impl std::fmt::Display) {
        self.error(format!("{}: {message}", self.tool));
    }

    /// The end of the tool: a code, or the problem that stopped it.
    pub fn end(mut self, outcome: Result<u8, Problem>) -> ExitCode {
        let code = match outcome {
            Ok(code) => code,
            Err(problem) => {
                if !problem.message.is_empty() {
                    self.fail(&problem.message);
                }
                problem.code
            }
        };
        let made_at_the_end = match &self.page {
            _ if self.is_xml => Some(self.document(code)),
            Some(page) => Some(html::lines(&self.text, page)),
            None => None,
        };
        if let Some(text) = made_at_the_end {
            self.text = text;
            if self.destination.is_none() {
                let _ = std::io::stdout().write_all(self.text.as_bytes());
            }
        }
        if let Some(path) = &self.destination {
            if let Err(problem) = crate::session::replace_file(path.as_ref(), &self.text) {
                eprintln!("{}: {problem}", self.tool);
                return ExitCode::from(73);
            }
        }
        ExitCode::from(code)
    }

    fn document(&self, code: u8) -> String {
        let mut markup = Markup::new();
        markup.open("pacemaker-result", &[("api-version", API_VERSION), ("request", &self.request)]);
        // an error may have come while elements were open
        markup.append_text(&self.xml.clone().finish());
        status(&mut markup, code, &self.errors);
        markup.finish()
    }
}

/// What the options say of a page.
pub fn page(given: &Given) -> Page {
    Page {
        title: given.value("html-title").map(str::to_owned),
        style_sheet: given.value("html-stylesheet").map(str::to_owned),
        refresh: None,
        cgi: given.has("html-cgi"),
    }
}

/// The last child of an XML answer.
pub fn status(markup: &mut Markup, code: u8, errors: &[String]) {
    let attributes = [("code", &*code.to_string()), ("message", codes::exit_text(code.into()))];
    if errors.is_empty() {
        markup.leaf("status", &attributes);
        return;
    }
    markup.open("status", &attributes);
    markup.open("errors", &[]);
    for error in errors {
        markup.text("error", &[], error);
    }
    markup.close();
    markup.close();
}

/// The command line as one text; words that a shell would not take as they are are quoted.
pub fn request(tool: &str, words: &[String]) -> String {
    let mut text = tool.to_owned();
    for word in words {
        text.push(' ');
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:@%+,#".contains(c) || !c.is_ascii();
        if !word.is_empty() && word.chars().all(plain) {
            text.push_str(word);
        } else {
            text.push_str(&format!("'{}'", word.replace('\'', "'\\''")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_quoted() {
        let words = ["-n", "a b", "it's", ""].map(str::to_owned);
        assert_eq!(request("t", &words), r"t -n 'a b' 'it'\''s' ''");
    }
}
