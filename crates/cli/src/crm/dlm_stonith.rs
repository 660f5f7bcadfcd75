//! `dlm_stonith`: how the DLM, which knows nodes by number only, has one fenced, unless it was since it failed
//! (rule 4.62.4).

use std::io::BufRead;
use std::process::ExitCode;
use std::time::Duration;

use client::Client;
use view::api::{CibQuery, Fencing, Operation};

use super::stonith_admin::connect;
use super::target;
use crate::session::{Problem, parse};
use crate::tool::exit;

/// How long one request may take, in milliseconds.
const TIMEOUT_MS: u64 = 300_000;

const HELP: &str = "dlm_stonith: fence a node for the DLM, unless it was fenced since it failed

  -n NODEID      number of the node (on standard input: node=NODEID)
  -t FAIL_TIME   second since the epoch at which it failed (fail_time=SECONDS)

Without options both are read from standard input, as dlm_controld gives them.";

/// Which node, and when it failed, in seconds since the epoch.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    node: Option<u32>,
    fail_time: Option<i64>,
}

impl Asked {
    fn take(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        let wrong = |_| Problem::new(exit::USAGE, format!("{name}={value}: this is no number"));
        match name {
            "node" => self.node = Some(value.trim().parse().map_err(wrong)?),
            "fail_time" => self.fail_time = Some(value.trim().parse().map_err(wrong)?),
            // what else the DLM tells is of no use here
            _ => {}
        }
        Ok(())
    }

    fn from_words(words: &[String]) -> Result<Asked, Problem> {
        let mut asked = Asked::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let name = match word.get(..2) {
                Some("-n") => "node",
                Some("-t") => "fail_time",
                _ => return Err(Problem::new(exit::USAGE, format!("unknown option '{word}'\n{HELP}"))),
            };
            let rest = &word[2..];
            let value = if rest.is_empty() { words.next().map_or("", String::as_str) } else { rest };
            asked.take(name, value)?;
        }
        Ok(asked)
    }

    fn from_lines(lines: impl BufRead) -> Result<Asked, Problem> {
        let mut asked = Asked::default();
        for line in lines.lines().map_while(Result::ok) {
            if let Some((name, value)) = line.split_once('=') {
                asked.take(name.trim(), value)?;
            }
        }
        Ok(asked)
    }
}

pub fn run(words: &[String]) -> ExitCode {
    if words.iter().any(|word| word == "-h" || word == "--help") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let asked = match words.is_empty() {
        true => Asked::from_lines(std::io::stdin().lock()),
        false => Asked::from_words(words),
    };
    match asked.and_then(|asked| fence(&asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("dlm_stonith: {problem}");
            ExitCode::from(problem.code)
        }
    }
}

fn fence(asked: &Asked) -> Result<(), Problem> {
    let id = asked.node.ok_or_else(|| Problem::new(exit::USAGE, format!("no node is given\n{HELP}")))?;
    let mut client = connect()?;
    let node = name_of(&mut client, id)?;
    let last = last_fenced(&client.status()?.fencing, &node);
    if asked.fail_time.is_some_and(|failed| last.is_some_and(|last| last >= failed)) {
        return Ok(());
    }
    client.set_timeout(Duration::from_millis(2 * TIMEOUT_MS));
    client.operate(&Operation::Fence {
        node,
        action: "reboot".to_owned(),
        timeout_ms: Some(TIMEOUT_MS),
        delay_ms: Some(0),
        tolerance_s: 0,
        client: "dlm_stonith".to_owned(),
    })?;
    Ok(())
}

/// A node's name by its number; the number itself if no node has it.
pub fn name_of(client: &mut Client, id: u32) -> Result<String, Problem> {
    let xpath = Some(format!("/cib/configuration/nodes/node[@id='{id}']"));
    match client.cib(&CibQuery { xpath, no_children: true, ..CibQuery::default() }) {
        Ok(text) => {
            let found = parse(text)?;
            let nodes = target::elements(&found);
            let name = nodes.first().and_then(|node| node.attr("uname").map(str::to_owned));
            Ok(name.unwrap_or_else(|| id.to_string()))
        }
        Err(error) if error.exit_code() == exit::NO_SUCH => Ok(id.to_string()),
        Err(error) => Err(error.into()),
    }
}

/// When a node was last taken down, in seconds since the epoch.
pub fn last_fenced(all: &[Fencing], node: &str) -> Option<i64> {
    let down =
        |one: &&Fencing| one.target.eq_ignore_ascii_case(node) && one.state == "done" && one.action != "on";
    all.iter().filter(down).map(|one| one.at).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_ask_mean_the_same() {
        let words = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            Asked::from_words(&words)
        };
        let asked = Asked { node: Some(2), fail_time: Some(1_700_000_000) };
        assert_eq!(words("-n 2 -t 1700000000").ok().as_ref(), Some(&asked));
        assert_eq!(words("-n2 -t1700000000").ok().as_ref(), Some(&asked));
        let lines = "fence_type=x\nnode=2\nfail_time=1700000000\n";
        assert_eq!(Asked::from_lines(lines.as_bytes()).ok().as_ref(), Some(&asked));
        for wrong in ["-n two", "-n", "--node 2"] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
    }
}
