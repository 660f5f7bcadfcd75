//! `crm_shadow`: copies of the configuration to try changes on (rule 5a.14.2).

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use cib::document::CibDocument;
use cib::patchset::{Options, Patchset};
use view::api::{CibChange, CibOperation};

use super::options::{Given, Table, flag, value};
use super::output::Output;
use super::{tool, usage};
use crate::session::{Problem, Session, parse, replace_file, shadow_file};
use crate::tool::exit::NO_SUCH;

const TABLE: Table = Table {
    tool: "crm_shadow",
    about: "try changes on a copy of the configuration",
    options: &[
        flag('w', "which", "Show the name of the active shadow copy"),
        flag('p', "display", "Show the content of the active shadow copy"),
        flag('d', "diff", "Show what the active shadow copy changes (exit code 1: something)"),
        flag('F', "file", "Show where the active shadow copy is"),
        flag('E', "edit", "Edit the active shadow copy with $EDITOR"),
        value('c', "create", "NAME", "Make a shadow copy of the configuration"),
        value('e', "create-empty", "NAME", "Make a shadow copy without any configuration"),
        value('C', "commit", "NAME", "Put the shadow copy in the place of the configuration (needs --force)"),
        value('D', "delete", "NAME", "Delete the shadow copy (needs --force)"),
        value('r', "reset", "NAME", "Make the shadow copy anew from the configuration (needs --force)"),
        value('s', "switch", "NAME", "Make the shadow copy the active one"),
        flag('f', "force", "Do what would else be refused"),
        flag('b', "batch", "Start no shell: show what makes the shadow copy active"),
        flag('a', "all", "With --commit: the status section too"),
        value('v', "validate-with", "SCHEMA", "With --create-empty: an older schema"),
    ],
    examples: &[
        "crm_shadow --batch --create trial; export CIB_shadow=trial",
        "crm_resource -r A -p NAME -v VALUE; crm_simulate -L -S     (in the trial)",
        "crm_shadow --diff",
        "crm_shadow --commit trial --force; unset CIB_shadow",
    ],
};

const COMMANDS: [&str; 11] = [
    "which",
    "display",
    "diff",
    "file",
    "edit",
    "create",
    "create-empty",
    "commit",
    "delete",
    "reset",
    "switch",
];

/// A variable is missing.
const NOT_CONFIGURED: u8 = 6;

/// It exists already.
const CANNOT_CREATE: u8 = 73;

pub fn run(words: &[String]) -> ExitCode {
    tool(&TABLE, words, carry_out)
}

fn carry_out(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    match given.last_of(&COMMANDS) {
        Some("which") => which(out),
        Some("file") => file(out),
        Some("display") => display(out),
        Some("diff") => difference(out),
        Some("edit") => edit(),
        Some("commit") => commit(given, out),
        Some("delete") => delete(given, out),
        Some(command @ ("create" | "create-empty" | "reset" | "switch")) => begin(command, given, out),
        _ => {
            Err(usage("Must specify a query or command option: such as --create NAME or --diff (see --help)"))
        }
    }
}

/// Name and file of the active shadow copy.
fn active() -> Result<(String, PathBuf), Problem> {
    let name = std::env::var("CIB_shadow").ok().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Problem::new(NO_SUCH, "No active shadow configuration defined"))?;
    let path = shadow_file(&name);
    Ok((name, path))
}

fn read(name: &str, path: &Path) -> Result<String, Problem> {
    std::fs::read_to_string(path).map_err(|error| missing(name, path, &error))
}

fn missing(name: &str, path: &Path, error: &std::io::Error) -> Problem {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => format!("No such file or directory ({})", path.display()),
        _ => format!("{error} ({})", path.display()),
    };
    Problem::new(NO_SUCH, format!("Could not access shadow instance '{name}': {reason}"))
}

fn which(out: &mut Output) -> Result<u8, Problem> {
    let (name, _) = active()?;
    out.line(&name);
    out.xml.leaf("shadow", &[("instance", &name)]);
    Ok(0)
}

fn file(out: &mut Output) -> Result<u8, Problem> {
    let (name, path) = active()?;
    let path = path.to_string_lossy();
    out.line(&path);
    out.xml.leaf("shadow", &[("instance", &name), ("file", &path)]);
    Ok(0)
}

fn display(out: &mut Output) -> Result<u8, Problem> {
    let (name, path) = active()?;
    let text = parse(read(&name, &path)?)?.to_pretty();
    out.block(&text);
    out.xml.open("shadow", &[("instance", &name), ("file", &path.to_string_lossy())]);
    out.xml.literal("content", &[], &text);
    out.xml.close();
    Ok(0)
}

fn difference(out: &mut Output) -> Result<u8, Problem> {
    let (name, path) = active()?;
    let shadow = parse(read(&name, &path)?)?;
    let original = Session::original()?.cib()?;
    let versions = Options { versions: true, digest: false };
    let Some(patch) = Patchset::compare(&original, &shadow, versions) else { return Ok(0) };
    out.block(&patch.to_text());
    out.xml.open("shadow", &[("instance", &name)]);
    out.xml.literal("xml-patchset", &[], &patch.to_document().to_pretty());
    out.xml.close();
    Ok(1)
}

fn edit() -> Result<u8, Problem> {
    let (name, path) = active()?;
    read(&name, &path)?;
    let editor = std::env::var("EDITOR").ok().filter(|editor| !editor.is_empty());
    let editor = editor
        .ok_or_else(|| Problem::new(NOT_CONFIGURED, "No value for EDITOR defined: set it to your editor"))?;
    let status =
        Command::new("/bin/sh").args(["-c", &format!("{editor} \"$1\""), "editor"]).arg(&path).status();
    match status {
        Ok(status) if status.success() => Ok(0),
        Ok(status) => Err(Problem::new(1, format!("the editor '{editor}' ended with {status}"))),
        Err(error) => Err(Problem::new(1, format!("Could not invoke EDITOR ({editor}): {error}"))),
    }
}

/// `--create`, `--create-empty`, `--reset`, `--switch`.
fn begin(command: &'static str, given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let name = given.value(command).unwrap_or_default();
    let path = checked_file(name)?;
    match command {
        "switch" => {
            read(name, &path)?;
            return activate(name, "To switch to the named shadow instance", given, out);
        }
        "reset" => {
            forced(name, given)?;
            read(name, &path)?;
        }
        _ if path.exists() && !given.has("force") => {
            return Err(Problem::new(
                CANNOT_CREATE,
                format!(
                    "A shadow instance '{name}' already exists.\nUse --force to replace it, or --switch {name} to go on with it."
                ),
            ));
        }
        _ => {}
    }
    let text =
        if command == "create-empty" { empty(given, out)? } else { Session::original()?.cib_text()? };
    replace_file(&path, &text)?;
    activate(name, "A new shadow instance was created. To begin using it", given, out)
}

/// The file of a shadow copy that is named by the user.
fn checked_file(name: &str) -> Result<PathBuf, Problem> {
    if name.is_empty() || name.contains('/') {
        return Err(usage(format!(
            "'{name}' cannot be the name of a shadow instance: it becomes part of a file name"
        )));
    }
    Ok(shadow_file(name))
}

fn empty(given: &Given, out: &mut Output) -> Result<String, Problem> {
    let schema = given.value("validate-with").unwrap_or(cib::upgrade::NEWEST);
    if cib::upgrade::schema_rank(schema).is_none() {
        return Err(Problem::new(
            78,
            format!("the schema '{schema}' is not known; '{}' is the newest", cib::upgrade::NEWEST),
        ));
    }
    out.info(format!("Created new {schema} configuration"));
    Ok(CibDocument::empty(schema, scheduler::graph::FEATURE_SET).to_file())
}

/// Starts a shell that uses the shadow copy, or says what makes it the active one.
fn activate(name: &str, what: &str, given: &Given, out: &mut Output) -> Result<u8, Problem> {
    if given.has("batch") || out.is_xml {
        let export = format!("export CIB_shadow={name}");
        out.info(format!("{what}, enter the following into your shell:\n\t{export}"));
        out.xml.text("instruction", &[], &format!("{what}, enter the following into your shell: {export}"));
        return Ok(0);
    }
    let shell = std::env::var("SHELL").ok().filter(|shell| !shell.is_empty());
    let shell = shell.ok_or_else(|| {
        Problem::new(69, "SHELL is not set: use --batch and set CIB_shadow in the environment yourself")
    })?;
    out.info("Type Ctrl-D to exit the crm_shadow shell");
    let mut command = Command::new(&shell);
    if shell.ends_with("/bash") {
        command.args(["--norc", "--noprofile"]);
    }
    // the shell works on the copy even where a file was the original
    let status = command
        .env("PS1", format!("shadow[{name}] # "))
        .env("CIB_shadow", name)
        .env_remove("CIB_file")
        .status();
    status.map(|_| 0).map_err(|error| Problem::new(69, format!("Could not start shell {shell}: {error}")))
}

/// What replaces or deletes something needs `--force`.
fn forced(name: &str, given: &Given) -> Result<(), Problem> {
    if given.has("force") {
        return Ok(());
    }
    let active = std::env::var("CIB_shadow").ok().filter(|active| !active.is_empty());
    let reason = match active {
        Some(active) if active != name => {
            format!("The supplied shadow instance ({name}) is not the same as the active one ({active}).")
        }
        _ => "The supplied command is considered dangerous.".to_owned(),
    };
    Err(usage(format!(
        "{reason}\nTo prevent accidental destruction of the cluster, the --force flag is required in order to proceed."
    )))
}

fn commit(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let name = given.value("commit").unwrap_or_default();
    forced(name, given)?;
    let path = checked_file(name)?;
    let shadow = parse(read(name, &path)?)?;
    let mut change = CibChange::new(CibOperation::Replace);
    change.client = TABLE.tool.to_owned();
    if given.has("all") {
        change.xml = Some(shadow.to_string());
    } else {
        let configuration = shadow.child(shadow.root(), "configuration");
        let configuration = configuration
            .ok_or_else(|| Problem::new(78, format!("{} has no configuration element", path.display())))?;
        change.section = Some("configuration".to_owned());
        change.xml = Some(shadow.element_to_string(configuration));
    }
    Session::original()?.change_and_tell(&change).map_err(|problem| {
        Problem::new(problem.code, format!("Could not commit shadow instance '{name}' to the CIB: {problem}"))
    })?;
    leave(name, out);
    Ok(0)
}

fn delete(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let name = given.value("delete").unwrap_or_default();
    forced(name, given)?;
    let path = checked_file(name)?;
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(Problem::new(
                1,
                format!("Could not remove shadow instance '{name}': {error} ({})", path.display()),
            ));
        }
    }
    leave(name, out);
    Ok(0)
}

/// Reminds of the variable that names the shadow copy.
fn leave(name: &str, out: &mut Output) {
    if std::env::var("CIB_shadow").is_ok_and(|active| active == name) {
        const WHAT: &str =
            "Please remember to unset the CIB_shadow variable by entering the following into your shell:";
        out.info(format!("{WHAT}\n\tunset CIB_shadow"));
        out.xml.text("instruction", &[], &format!("{WHAT} unset CIB_shadow"));
    }
}
