//! Hosts that are taken away from a cluster with fencing, and how long each part of the way back takes.

use std::fs;
use std::io::{self, Write};
use std::process::Command;
use std::time::Duration;

use super::super::cluster::{Cluster, Stack, wait_up_to};
use super::{Figure, place_with_fencing};
use crate::live::client::now;
use crate::live::hosts::Hosts;

/// Words for what is measured: the whole, Corosync's part of it, and what is neither Corosync's nor the agents'.
struct Words {
    whole: &'static str,
    membership: &'static str,
    manager: &'static str,
}

const NODE: Words = Words {
    whole: "node power loss to running elsewhere, fencing on, token 1 s",
    membership: "  of that: until Corosync's new membership",
    manager: "  of that: neither Corosync's nor the agents'",
};

const DC: Words = Words {
    whole: "DC power loss to running elsewhere, fencing on, token 1 s",
    membership: "  of that: until Corosync's new membership without the DC",
    manager: "  of that: neither Corosync's nor the agents', without the DC",
};

/// Moments of a loss, in seconds since it happened.
struct Timeline {
    membership: f64,
    fence_begun: f64,
    fenced: f64,
    start_begun: f64,
    running: f64,
}

impl Timeline {
    /// What the hosts' logs and the agents' notes say; all by the clock of this machine.
    fn read(cluster: &Cluster, victim: &str, lost: f64) -> Option<Timeline> {
        let survivors = cluster.names().into_iter().filter(|name| name != victim);
        let seen = survivors.flat_map(|name| memberships(&cluster.hosts, &name, ""));
        let noted = |what: &str| Some(cluster.agents.noted(&cluster.hosts, what, lost)? - lost);
        Some(Timeline {
            membership: seen.filter(|time| *time > lost).min_by(f64::total_cmp)? - lost,
            fence_begun: noted("fence-begun")?,
            fenced: noted("fence-ended")?,
            start_begun: noted("start-begun")?,
            running: noted("start-ended")?,
        })
    }

    fn start(&self) -> f64 {
        self.running - self.start_begun
    }

    /// Seconds from what the start had to wait for, without the start itself.
    fn after_fence(&self) -> f64 {
        self.running - self.start() - self.membership.max(self.fenced)
    }

    /// Seconds that neither Corosync nor an agent worked.
    fn manager(&self) -> f64 {
        self.after_fence() + (self.fence_begun - self.membership).max(0.0)
    }

    fn print(&self, stack: Stack, victim: &str) {
        let Timeline { membership, fence_begun, fenced, start_begun, running } = self;
        println!(
            "    {}: {victim} lost; +{membership:.3} s new membership; +{fence_begun:.3} fencing; +{fenced:.3} \
             fenced; +{start_begun:.3} starting; +{running:.3} running; from the later of membership and fence, \
             without the start: {:.0} ms; neither Corosync's nor agents': {:.0} ms",
            stack.name(),
            self.after_fence() * 1e3,
            self.manager() * 1e3,
        );
    }
}

/// Takes a host away from the cluster in some way while d1 runs on it, with fencing; d1 goes elsewhere.
fn lose(
    cluster: &mut Cluster,
    victim: &str,
    take_away: impl FnOnce(&mut Cluster, &str) -> io::Result<()>,
) -> io::Result<Timeline> {
    place_with_fencing(cluster, victim, "")?;
    let lost = now();
    take_away(cluster, victim)?;
    cluster.wait_place("d1", |place| place != victim)?;
    let read = || Timeline::read(cluster, victim, lost);
    // logs and notes are there a moment after what they tell of
    wait_up_to(Duration::from_secs(5), "the hosts' notes of the loss", || read().is_some())?;
    let timeline = read().ok_or_else(|| io::Error::other("the hosts' notes of the loss went away"))?;
    timeline.print(cluster.stack, victim);
    cluster.bring_back(victim)?;
    Ok(timeline)
}

fn in_parts(timeline: &Timeline, words: &Words) -> Vec<Figure> {
    vec![
        (words.whole, timeline.running),
        (words.membership, timeline.membership),
        (words.manager, timeline.manager()),
    ]
}

pub fn node(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let victim = cluster.bystander()?;
    Ok(in_parts(&lose(cluster, &victim, Cluster::power_off)?, &NODE))
}

pub fn dc(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let victim = cluster.dc()?;
    Ok(in_parts(&lose(cluster, &victim, Cluster::power_off)?, &DC))
}

/// The majority fences the host that is cut off before it runs anything of it.
pub fn minority(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let victim = cluster.bystander()?;
    let timeline = lose(cluster, &victim, |cluster, victim| cluster.hosts.cut(victim))?;
    Ok(vec![("minority cut off to running in the majority", timeline.running)])
}

/// A host that hears nothing but is heard.
pub fn one_way(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let victim = cluster.bystander()?;
    let timeline = lose(cluster, &victim, |cluster, victim| cluster.hosts.deafen(victim))?;
    Ok(vec![("one-way loss to running elsewhere", timeline.running)])
}

/// A host that loses its Corosync is fenced.
fn corosync_lost(cluster: &mut Cluster, signal: &str, what: &'static str) -> io::Result<Vec<Figure>> {
    let victim = cluster.bystander()?;
    let timeline =
        lose(cluster, &victim, |cluster, victim| cluster.hosts.signal(victim, "corosync", signal).map(drop))?;
    Ok(vec![(what, timeline.running)])
}

pub fn corosync_killed(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    corosync_lost(cluster, "-KILL", "Corosync killed to running elsewhere")
}

pub fn corosync_frozen(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    corosync_lost(cluster, "-STOP", "Corosync frozen to running elsewhere")
}

/// When a host's Corosync formed memberships, of which it says `what`, by its log: seconds since 1970.
pub(super) fn memberships(hosts: &Hosts, name: &str, what: &str) -> Vec<f64> {
    let log = fs::read_to_string(hosts.disk(name).join("var/log/corosync/corosync.log")).unwrap_or_default();
    // Nov 27 12:47:10.123 [4711] node1 corosync notice  [TOTEM ] A new membership (1.23) was formed.
    let times = log.lines().filter(|line| line.contains("A new membership") && line.contains(what));
    let times: Vec<&str> = times.filter_map(|line| Some(line.split_once(" [")?.0)).collect();
    seconds_of(&times).unwrap_or_default()
}

/// Local times in seconds since 1970, as `date` reads them.
fn seconds_of(times: &[&str]) -> io::Result<Vec<f64>> {
    let mut list = tempfile::NamedTempFile::new()?;
    list.write_all(times.join("\n").as_bytes())?;
    let told = Command::new("date").arg("-f").arg(list.path()).arg("+%s.%N").output()?;
    Ok(String::from_utf8_lossy(&told.stdout).lines().filter_map(|line| line.parse().ok()).collect())
}
