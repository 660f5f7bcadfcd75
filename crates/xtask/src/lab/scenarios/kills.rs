//! Processes of the manager that are killed one after the other: what runs must not notice.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant, SystemTime};

use super::super::cluster::{Cluster, Stack, wait};
use super::load;
use super::{Figure, place_with_fencing};
use crate::live::client::now;
use crate::live::hosts::run;

/// A fence may come when all seemed normal already.
const AFTERMATH: Duration = Duration::from_secs(3);

/// What the deaths of a node's processes have done, counted.
#[derive(Default)]
struct Harm {
    killed: f64,
    disturbed: f64,
    fenced: f64,
    second_copies: f64,
    /// Seconds until all was normal again, at worst.
    slowest: f64,
}

/// Kills each process of the manager of one node that is not the DC.
pub fn each_process(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let victim = cluster.bystander()?;
    let mut harm = Harm::default();
    for (kind, _) in processes(cluster, &victim) {
        place_with_fencing(cluster, &victim, "")?;
        kill(cluster, &victim, &kind, &mut harm)?;
    }
    if harm.killed == 0.0 {
        return Err(io::Error::other(format!("there is no process of the manager on {victim}")));
    }
    if cluster.stack == Stack::Systole && harm.disturbed + harm.fenced + harm.second_copies > 0.0 {
        return Err(io::Error::other(format!(
            "a killed process of the manager: {} disturbed the resource, {} had the node fenced, {} made a \
             second copy",
            harm.disturbed, harm.fenced, harm.second_copies
        )));
    }
    Ok(vec![
        ("a process of the manager killed to all normal again, at worst", harm.slowest),
        ("  processes killed, one after the other (count)", harm.killed),
        ("  of those: resource restarted or moved (count)", harm.disturbed),
        ("  of those: node fenced (count)", harm.fenced),
        ("  of those: second copy seen (count)", harm.second_copies),
    ])
}

/// The manager's processes on a host: what each is, by its command line without the numbers in it, and its own.
fn processes(cluster: &Cluster, host: &str) -> BTreeMap<String, u32> {
    let kind = |pid: u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&line).replace('\0', " ");
        // the program may be called by its path or by its name
        let program = words.split(' ').next().unwrap_or_default();
        let words = &words[program.rfind('/').map_or(0, |slash| slash + 1)..];
        (words.trim().replace(|letter: char| letter.is_ascii_digit(), ""), pid)
    };
    load::processes(cluster, host, load::prefix(cluster.stack)).into_iter().map(kind).collect()
}

fn kill(cluster: &mut Cluster, victim: &str, kind: &str, harm: &mut Harm) -> io::Result<()> {
    let (mark, before) = (started(cluster, "d1", victim), processes(cluster, victim));
    let pid = before.get(kind).ok_or_else(|| io::Error::other(format!("there is no process {kind:?}")))?;
    let (begun, since) = (Instant::now(), now());
    run("kill", &["-KILL", &pid.to_string()])?;
    harm.killed += 1.0;
    if kind == "pacemakerd" {
        // systemd would start it again
        cluster.start_manager(victim)?;
    }
    let fenced = || cluster.agents.noted(&cluster.hosts, "fence-ended", since).is_some();
    let again = || processes(cluster, victim).get(kind).is_some_and(|now| now != pid);
    wait("the process again, or the node fenced", || fenced() || again())?;
    let mut normal = Instant::now();
    if cluster.wait_online_unless(fenced).is_ok() && !fenced() && cluster.settle().is_ok() {
        normal = Instant::now();
        std::thread::sleep(AFTERMATH);
    }
    let fenced = fenced();
    let disturbed = fenced || started(cluster, "d1", victim) != mark;
    if fenced {
        cluster.bring_back(victim)?;
        normal = Instant::now();
    }
    let second_copy = !cluster.violations().is_empty();
    println!(
        "    {}: {} killed: normal again after {:.2} s{}{}{}",
        cluster.stack.name(),
        kind,
        (normal - begun).as_secs_f64(),
        if disturbed { ", resource disturbed" } else { "" },
        if fenced { ", node fenced" } else { "" },
        if second_copy { ", second copy" } else { "" },
    );
    let count = |yes: bool| f64::from(u8::from(yes));
    harm.disturbed += count(disturbed);
    harm.fenced += count(fenced);
    harm.second_copies += count(second_copy);
    harm.slowest = harm.slowest.max((normal - begun).as_secs_f64());
    Ok(())
}

/// When a Dummy was started on a host; none if it does not run there.
pub fn started(cluster: &Cluster, resource: &str, host: &str) -> Option<SystemTime> {
    let file = cluster.hosts.inside(host, &format!("/run/Dummy-{resource}.state")).ok()?;
    std::fs::metadata(file).and_then(|data| data.modified()).ok()
}
