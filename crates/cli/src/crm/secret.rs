//! `cibsecret`: parameters whose value is kept out of the CIB, in a file that only root reads (rule 5a.16).

mod store;
mod sync;

use std::process::ExitCode;

use super::options::{Given, Table, flag};
use super::output::Output;
use super::{target, tool, usage};
use crate::configuration::Configuration;
use crate::session::{Problem, Session};
pub use store::Store;

const TABLE: Table = Table {
    tool: "cibsecret",
    about: "keep sensitive parameters of resources out of the configuration",
    options: &[flag('C', "no-cib", "Do not look at the configuration: only at the files")],
    examples: &[
        "cibsecret set ipmi1 password VALUE      keep a value as a secret",
        "cibsecret stash ipmi1 password          make a secret of the configured value",
        "cibsecret unstash ipmi1 password        put the value back into the configuration",
        "cibsecret get ipmi1 password            show it (as root)",
        "cibsecret check ipmi1 password          does the file still fit its digest?",
        "cibsecret delete ipmi1 password         forget it",
        "cibsecret sync                          copy all secrets to the other nodes",
    ],
};

const NAMES: &str = "check, delete, get, set, stash, sync or unstash";

/// What stands in the configuration in the place of a secret.
const MARK: &str = "lrm://";

mod code {
    pub const OS_FILE: u8 = 72;
    pub const CONFIG: u8 = 78;
    pub const DIGEST: u8 = 104;
    pub const EXISTS: u8 = 108;
}

pub fn run(words: &[String]) -> ExitCode {
    // its options were always these two spellings only
    tool(&TABLE, words, carry_out)
}

fn carry_out(given: &Given, out: &mut Output) -> Result<u8, Problem> {
    let Some((command, rest)) = given.words.split_first() else {
        return Err(usage(format!("a command is needed: {NAMES} (see --help)")));
    };
    let store = Store::of_this_host();
    if command == "sync" {
        if !rest.is_empty() {
            return Err(usage("sync takes no parameters"));
        }
        sync::all(&store, out)?;
        return Ok(0);
    }
    if !["check", "delete", "get", "set", "stash", "unstash"].contains(&command.as_str()) {
        return Err(usage(format!("there is no command '{command}': use {NAMES}")));
    }
    let (resource, parameter, value) = match (command.as_str(), rest) {
        ("set", [resource, parameter, value]) => (resource, parameter, Some(value.as_str())),
        ("set", _) => return Err(usage("set needs a resource, a parameter and a value")),
        (_, [resource, parameter]) => (resource, parameter, None),
        _ => return Err(usage(format!("{command} needs a resource and a parameter"))),
    };
    let secret = Secret::open(&store, resource, parameter, given.has("no-cib"))?;
    secret.carry_out(command, value, out)
}

/// One parameter that is, or becomes, a secret.
struct Secret<'s> {
    store: &'s Store,
    resource: &'s str,
    parameter: &'s str,
    /// The configuration, unless it is not to be looked at, and what it has for the parameter.
    session: Option<Session>,
    configured: Option<String>,
}

impl<'s> Secret<'s> {
    fn open(
        store: &'s Store,
        resource: &'s str,
        parameter: &'s str,
        alone: bool,
    ) -> Result<Secret<'s>, Problem> {
        if [resource, parameter]
            .iter()
            .any(|part| part.contains('/') || part.starts_with('.') || part.is_empty())
        {
            return Err(usage(format!(
                "'{resource}' and '{parameter}' must be names: they become names of files"
            )));
        }
        let mut secret = Secret { store, resource, parameter, session: None, configured: None };
        if !alone {
            let mut session = Session::open(None)?;
            let configuration = Configuration::new(session.cib()?);
            let element = configuration
                .resource(resource)
                .ok_or_else(|| Problem::new(target::NO_SUCH, format!("Resource '{resource}' not found")))?;
            secret.configured = configuration.parameter(element, parameter);
            secret.session = Some(session);
        }
        Ok(secret)
    }

    fn carry_out(mut self, command: &str, value: Option<&str>, out: &mut Output) -> Result<u8, Problem> {
        match (command, value) {
            ("set", Some(value)) => self.set(value, out)?,
            ("get", _) => {
                self.must_be_secret("show")?;
                out.line(self.stored()?);
            }
            ("check", _) => self.check()?,
            ("stash", _) => self.stash(out)?,
            ("unstash", _) => self.unstash(out)?,
            _ => self.delete(out)?,
        }
        Ok(0)
    }

    fn name(&self) -> String {
        format!("resource {} parameter {}", self.resource, self.parameter)
    }

    fn problem(&self, code: u8, what: &str) -> Problem {
        Problem::new(code, format!("{}: {what}", self.name()))
    }

    /// The parameter must be a secret in the configuration; unseen, it is believed to be one.
    fn must_be_secret(&self, what: &str) -> Result<(), Problem> {
        if self.session.is_none() || self.configured.as_deref() == Some(MARK) {
            return Ok(());
        }
        Err(self.problem(
            code::CONFIG,
            &format!("not set as secret, nothing to {what} (make it one with 'set' or 'stash')"),
        ))
    }

    fn stored(&self) -> Result<String, Problem> {
        self.store.value(self.resource, self.parameter)
    }

    fn check(&self) -> Result<(), Problem> {
        self.must_be_secret("check")?;
        let value = self.stored()?;
        let digest = self.store.digest(self.resource, self.parameter).map_err(|_| {
            self.problem(code::OS_FILE, "no MD5 hash (set the value again, or sync from another node)")
        })?;
        if store::digest_of(&value) == digest {
            return Ok(());
        }
        Err(self.problem(code::DIGEST, "MD5 hash mismatch: the file was changed (set the value again)"))
    }

    fn set(&mut self, value: &str, out: &mut Output) -> Result<(), Problem> {
        match self.configured.as_deref() {
            None | Some("" | MARK) => {}
            Some(other) if other == value => {}
            Some(_) => {
                return Err(self.problem(
                    code::CONFIG,
                    "the configuration has a different value; please delete it first, or make it a secret with 'stash'",
                ));
            }
        }
        self.keep(value, out)?;
        self.configure(Some(MARK))
    }

    /// Writes the value here and on the other nodes.
    fn keep(&self, value: &str, out: &mut Output) -> Result<(), Problem> {
        self.store.set(self.resource, self.parameter, value)?;
        sync::one(self.store, self.resource, self.parameter, self.session.as_ref(), out);
        Ok(())
    }

    fn forget(&self, out: &mut Output) -> Result<(), Problem> {
        self.store.remove(self.resource, self.parameter)?;
        sync::one(self.store, self.resource, self.parameter, self.session.as_ref(), out);
        Ok(())
    }

    fn stash(&mut self, out: &mut Output) -> Result<(), Problem> {
        self.must_see_configuration("stash")?;
        let value = match self.configured.take() {
            None => return Err(self.problem(target::NO_SUCH, "not configured, nothing to stash")),
            Some(value) if value == MARK => {
                return Err(self.problem(code::EXISTS, "already set as secret, nothing to stash"));
            }
            Some(value) => value,
        };
        self.keep(&value, out)?;
        self.configure(Some(MARK))
    }

    fn unstash(&mut self, out: &mut Output) -> Result<(), Problem> {
        self.must_see_configuration("unstash")?;
        self.must_be_secret("unstash")?;
        let value = self.stored()?;
        self.configure(Some(&value))?;
        self.forget(out)
    }

    fn delete(&mut self, out: &mut Output) -> Result<(), Problem> {
        self.must_be_secret("delete")?;
        self.configure(None)?;
        self.forget(out)
    }

    fn must_see_configuration(&self, command: &str) -> Result<(), Problem> {
        if self.session.is_some() {
            return Ok(());
        }
        Err(usage(format!("{command} changes the configuration: it cannot be used with -C/--no-cib")))
    }

    fn configure(&mut self, value: Option<&str>) -> Result<(), Problem> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let (resource, parameter) = (self.resource, self.parameter);
        session.edit(TABLE.tool, |configuration| {
            let element = configuration
                .resource(resource)
                .ok_or_else(|| Problem::new(target::NO_SUCH, format!("Resource '{resource}' not found")))?;
            // an empty value removes the pair
            let value = value.unwrap_or_default().to_owned();
            configuration.set_parameters(element, &[(parameter.to_owned(), value)]);
            Ok::<(), Problem>(())
        })
    }
}
