//! Bad cables that Corosync bears: nobody is lost, nothing moves, every change is made.

use std::io;
use std::time::{Duration, Instant};

use super::super::cluster::{Cluster, dummy, wait};
use super::{Figure, loss, place_with_fencing};
use crate::live::client::now;
use crate::live::hosts::relay::Cable;

/// Changes that are made over bad cables.
const CHANGES: usize = 5;

/// Every host on such a cable; between two hosts a frame takes two of them.
fn on_cables(
    cluster: &mut Cluster,
    cable: Cable,
    play: impl FnOnce(&mut Cluster) -> io::Result<()>,
) -> io::Result<()> {
    place_with_fencing(cluster, "node2", "")?;
    let names = cluster.names();
    names.iter().try_for_each(|name| cluster.hosts.worsen(name, cable))?;
    let played = play(cluster);
    names.iter().try_for_each(|name| cluster.hosts.mend(name))?;
    played
}

/// Nobody is lost and nothing moves meanwhile.
fn on_bad_cables(
    cluster: &mut Cluster,
    cable: Cable,
    play: impl FnOnce(&mut Cluster) -> io::Result<()>,
) -> io::Result<()> {
    on_cables(cluster, cable, play)?;
    cluster.check_place("d1", "node2")
}

/// Hosts without power.
fn off(cluster: &Cluster) -> Vec<String> {
    cluster.names().into_iter().filter(|name| cluster.hosts.processes(name).is_empty()).collect()
}

/// Adds resources one after the other; gives the seconds that each took to rest.
fn change(cluster: &Cluster) -> io::Result<f64> {
    let begun = Instant::now();
    for round in 0..CHANGES {
        let another = dummy(&format!("x{round}"), "10s");
        let all = [cluster.agents.timed("d1"), another, cluster.fence_device("")].concat();
        cluster.replace("resources", &all)?;
        cluster.settle()?;
    }
    cluster.wait_online_unless(|| !off(cluster).is_empty())?;
    match &off(cluster)[..] {
        [] => {}
        fenced => return Err(io::Error::other(format!("fenced: {}", fenced.join(", ")))),
    }
    Ok(begun.elapsed().as_secs_f64() / CHANGES as f64)
}

fn changes_on(cluster: &mut Cluster, cable: Cable, what: &'static str) -> io::Result<Vec<Figure>> {
    let mut taken = 0.0;
    on_bad_cables(cluster, cable, |cluster| {
        taken = change(cluster)?;
        Ok(())
    })?;
    Ok(vec![(what, taken)])
}

pub fn slow(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let cable = Cable { delay: 10, jitter: 5, ..Cable::default() };
    changes_on(cluster, cable, "a change with 20 to 30 ms of delay between hosts, to rest")
}

/// At this loss Corosync itself gives a host up every now and then. Whoever it gave up may be fenced, and nobody
/// else; afterwards all is as it was.
pub fn lossy(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let cable = Cable { loss: 3, ..Cable::default() };
    let begun = now();
    let mut taken = None;
    let played = on_cables(cluster, cable, |cluster| {
        taken = Some(change(cluster)?);
        Ok(())
    });
    let left = |name: &String| loss::memberships(&cluster.hosts, name, "Members left");
    let given_up = cluster.names().iter().any(|name| left(name).iter().any(|formed| *formed > begun));
    if !given_up {
        played?;
        cluster.check_place("d1", "node2")?;
        let what = "a change with 6 % of frames lost between hosts, to rest";
        return Ok(taken.map(|seconds| (what, seconds)).into_iter().collect());
    }
    println!("    Corosync gave a host up meanwhile");
    wait("every host in the membership, or fenced", || {
        let online = cluster.online();
        online > 0 && online + off(cluster).len() == cluster.names().len()
    })?;
    let fenced = off(cluster);
    cluster.bring_all_back(&fenced.iter().map(String::as_str).collect::<Vec<_>>())?;
    change(cluster)?;
    cluster.check_place("d1", "node2")?;
    Ok(Vec::new())
}

/// Frames that come once more two seconds later, also to a host that was started anew meanwhile, and cut off
/// copies of them: Corosync keeps them out, or the manager does.
pub fn replayed(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let cable = Cable { replay: 50, ..Cable::default() };
    on_bad_cables(cluster, cable, |cluster| {
        change(cluster)?;
        cluster.power_off("node3")?;
        cluster.wait_online_on("node1", 2)?;
        cluster.settle()?;
        cluster.bring_back("node3")?;
        // what was sent before and while it came back
        std::thread::sleep(Duration::from_secs(3));
        change(cluster)?;
        Ok(())
    })?;
    Ok(Vec::new())
}
