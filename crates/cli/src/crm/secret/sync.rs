//! Copying secrets to the other nodes with ssh. A node that cannot be reached is a warning: it gets them later.

use std::path::Path;
use std::process::{Command, Stdio};

use client::Client;

use super::super::output::Output;
use super::store::Store;
use crate::session::{Problem, Session};

/// No program to reach other nodes with.
const NOT_INSTALLED: u8 = 5;

const SSH_OPTIONS: [&str; 6] =
    ["-T", "-oBatchMode=yes", "-oConnectTimeout=10", "-oStrictHostKeyChecking=no", "-l", "root"];

/// Copies one secret, or its absence. A command on a file has no other nodes.
pub fn one(store: &Store, resource: &str, parameter: &str, session: Option<&Session>, out: &mut Output) {
    if session.is_some_and(|session| !session.is_live()) {
        return;
    }
    let folder = store.directory.join(resource);
    let names = [parameter.to_owned(), format!("{parameter}.sign")];
    let present: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| folder.join(name).exists()).collect();
    let result = peers().and_then(|peers| {
        installed()?;
        for peer in peers {
            let done = if present.is_empty() {
                delete(&peer, &folder, &names)
            } else {
                copy(&peer, &folder, &present)
            };
            report(&peer, done, out);
        }
        Ok(())
    });
    if let Err(problem) = result {
        out.error(format!(
            "cibsecret: warning: other nodes are not updated: {problem}; use 'cibsecret sync' later"
        ));
    }
}

/// Copies the whole directory.
pub fn all(store: &Store, out: &mut Output) -> Result<(), Problem> {
    if !store.directory.is_dir() {
        out.info(format!("there are no secrets in {}", store.directory.display()));
        return Ok(());
    }
    let peers = peers()?;
    installed()?;
    if peers.is_empty() {
        out.info("there are no other nodes");
    }
    for peer in peers {
        report(&peer, copy(&peer, &store.directory, &["."]), out);
    }
    Ok(())
}

/// The other nodes of the cluster.
fn peers() -> Result<Vec<String>, Problem> {
    let status = Client::connect(Client::default_socket())?.status()?;
    let others =
        status.members.into_iter().filter(|member| member.name != status.node && !member.name.is_empty());
    Ok(others.map(|member| member.name).collect())
}

fn installed() -> Result<(), Problem> {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|it| it.join("ssh").exists());
    if found { Ok(()) } else { Err(Problem::new(NOT_INSTALLED, "please install ssh")) }
}

fn report(peer: &str, done: Result<(), String>, out: &mut Output) {
    match done {
        Ok(()) => out.info(format!("updated node {peer}")),
        Err(why) => out.error(format!(
            "cibsecret: warning: node {peer} is not updated ({why}); use 'cibsecret sync' when it is up"
        )),
    }
}

fn copy(peer: &str, folder: &Path, names: &[&str]) -> Result<(), String> {
    let mut pack = Command::new("tar")
        .arg("-C")
        .arg(folder)
        .args(["-cf", "-"])
        .args(names)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("tar: {error}"))?;
    let quoted = quote(&folder.to_string_lossy());
    let unpack = format!("umask 077 && mkdir -p {quoted} && tar -C {quoted} -xpf -");
    let input = pack.stdout.take().map_or_else(Stdio::null, Stdio::from);
    let done = remote(peer, &unpack, input);
    let packed = pack.wait().map_err(|error| format!("tar: {error}"))?;
    done?;
    if packed.success() { Ok(()) } else { Err(format!("tar ended with {packed}")) }
}

fn delete(peer: &str, folder: &Path, names: &[String]) -> Result<(), String> {
    let files: Vec<String> = names.iter().map(|name| quote(&folder.join(name).to_string_lossy())).collect();
    remote(peer, &format!("rm -f {}", files.join(" ")), Stdio::null())
}

fn remote(peer: &str, command: &str, input: Stdio) -> Result<(), String> {
    let run = Command::new("ssh").args(SSH_OPTIONS).arg(peer).arg("--").arg(command).stdin(input).output();
    let run = run.map_err(|error| format!("ssh: {error}"))?;
    if run.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&run.stderr);
    Err(text.trim().lines().last().unwrap_or("ssh failed").to_owned())
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
