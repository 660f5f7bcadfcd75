//! What must always hold, whatever happens. That nothing exclusive is active twice and that everything has
//! a cause is checked by the world itself as it happens.

use std::collections::BTreeMap;

use crate::world::World;

/// Replicas of nodes that share a view are equal if their versions are equal.
pub fn replicas_agree(world: &World) -> Result<(), String> {
    let mut seen = BTreeMap::new();
    for host in world.hosts.values() {
        let Some(node) = host.node.as_ref().filter(|node| node.phase() == cluster::Phase::Joined) else {
            continue;
        };
        let (version, digest) = node.cib_version();
        let key = (node.status().view.id, version);
        let (first, known) = seen.entry(key).or_insert_with(|| (host.name.clone(), digest.clone()));
        if *known != digest {
            return Err(format!("{first} and {} have different CIBs of version {version}", host.name));
        }
    }
    Ok(())
}

/// In a settled whole cluster each of these resources is active exactly once, all on the same host.
pub fn group_runs_once(world: &World, resources: &[&str]) -> Result<(), String> {
    let mut place = None;
    for resource in resources {
        let on = world.active_on(resource);
        if on.len() != 1 {
            return Err(format!("{resource} is active on {on:?}"));
        }
        if place.get_or_insert_with(|| on[0].clone()) != &on[0] {
            return Err(format!("{resource} is on {}, not with the others", on[0]));
        }
    }
    Ok(())
}

/// In a settled whole cluster the clone runs everywhere and is promoted once.
pub fn promoted_once(world: &World, resource: &str) -> Result<(), String> {
    let running = world.active_on(resource).len();
    let promoted: Vec<&str> = (world.hosts.values())
        .filter(|host| host.promoted.iter().any(|one| one == resource))
        .map(|host| host.name.as_str())
        .collect();
    if running == world.hosts.len() && promoted.len() == 1 {
        return Ok(());
    }
    Err(format!("{resource} runs on {running} nodes and is promoted on {promoted:?}"))
}

/// In a settled cluster time changes nothing: no plan, no version of the CIB, no start.
pub fn stays_at_rest(world: &mut World, milliseconds: u64) -> Result<(), String> {
    let state = |world: &World| {
        let versions: Vec<_> = world
            .hosts
            .values()
            .filter_map(|host| host.node.as_ref())
            .map(|node| node.cib_version().0)
            .collect();
        (versions, world.started)
    };
    let before = state(world);
    let events = world.events.len();
    world.run(milliseconds);
    if !world.violations.is_empty() {
        return Err(world.violations.join("; "));
    }
    if state(world) != before || world.events.len() != events {
        let more: Vec<String> = world.timeline.iter().rev().take(5).rev().cloned().collect();
        return Err(format!("the settled cluster did something:\n{}", more.join("\n")));
    }
    Ok(())
}
