//! Random runs: faults from a seed, then peace, and what must hold at the end.

use std::collections::BTreeMap;

use cluster::{AttributeUpdate, CibChange, CibOperation, Client, FenceRequest, Input, Request};

use crate::demo;
use crate::invariants::{group_runs_once, promoted_once, replicas_agree, stays_at_rest};
use crate::random::Random;
use crate::world::{AgentRules, MakePlanner, World};

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    pub hosts: u32,
    /// How many faults.
    pub faults: u32,
    /// Longest pause between two faults, in milliseconds.
    pub pause: u64,
    /// With a promotable clone beside the demonstration's group.
    pub database: bool,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan { hosts: 3, faults: 15, pause: 8000, database: false }
    }
}

/// Runs the demonstration cluster through the faults of a seed. The error is what was broken, with the
/// timeline of the run.
pub fn run(seed: u64, plan: &Plan, planner: MakePlanner) -> Result<World, String> {
    let mut world = World::new(plan.hosts, seed, planner);
    let outcome = disturb(&mut world, seed, plan);
    match outcome {
        Ok(()) => Ok(world),
        Err(problem) => {
            Err(format!("seed {seed}: {problem}\n\ntimeline of seed {seed}:\n{}", world.timeline_text()))
        }
    }
}

fn disturb(world: &mut World, seed: u64, plan: &Plan) -> Result<(), String> {
    let mut random = Random::new(seed ^ 0x5eed);
    world.reboot_after = Some(random.between(2000, 20_000));
    world.losses_noticed_after = if random.chance(50) { random.between(0, 10_000) } else { 0 };
    world.bus.delay = random.between(1, 40);
    let fence_lag = if random.chance(50) { random.between(0, 15_000) } else { 0 };
    world.agents = AgentRules { longest: random.between(20, 3000), fence_lag, ..AgentRules::default() };
    let names: Vec<String> = world.hosts.values().map(|host| host.name.clone()).collect();
    for name in &names {
        world.start(name);
        world.run(random.between(0, 500));
    }
    settle(world, 120_000)?;
    let configuration = if plan.database { demo::with_database() } else { demo::CONFIGURATION.to_owned() };
    world.request("node1", demo::load(&configuration));
    prefer(world, "node1", "10");
    settle(world, 120_000)?;
    group_runs_once(world, &demo::RESOURCES)?;
    for _ in 0..plan.faults {
        fault(world, &names, &mut random);
        world.run(random.between(0, plan.pause));
        check(world)?;
    }
    make_peace(world, &names);
    settle(world, 1_800_000)?;
    group_runs_once(world, &demo::RESOURCES)?;
    if plan.database {
        prefer(world, "node1", "10");
        settle(world, 120_000)?;
        promoted_once(world, "db")?;
    }
    stays_at_rest(world, 600_000)
}

fn check(world: &World) -> Result<(), String> {
    if !world.violations.is_empty() {
        return Err(world.violations.join("; "));
    }
    replicas_agree(world)
}

fn settle(world: &mut World, most: u64) -> Result<(), String> {
    let settled = world.run_while(most, World::is_settled);
    check(world)?;
    if settled { Ok(()) } else { Err(format!("not settled after {most} ms")) }
}

fn fault(world: &mut World, names: &[String], random: &mut Random) {
    let Some(name) = random.pick(names).cloned() else { return };
    match random.between(0, 18) {
        0 | 1 => world.kill(&name),
        2 | 3 => world.start(&name),
        4 => {
            world.power_off(&name);
            world.power_on(&name);
        }
        5 => world.split(&[&[&name]]),
        6 => {
            let parts: BTreeMap<_, _> =
                world.hosts.keys().map(|id| (*id, u32::from(random.chance(50)))).collect();
            world.note("net", &format!("split {parts:?}"));
            let time = world.time;
            let mut own = random.clone();
            world.bus.split(parts, time, &mut own);
        }
        7 => world.heal(),
        8 => {
            let broken = random.pick(&demo::RESOURCES).copied().unwrap_or("WEB");
            world.break_resource(&name, broken);
        }
        9 => {
            world.agents.hangs = random.between(0, 3);
            world.agents.fence_fails = random.between(0, 40);
            world.agents.fails = random.between(0, 5);
            world.note(
                "agents",
                &format!("hang {} %, fences fail {} %", world.agents.hangs, world.agents.fence_fails),
            );
        }
        10 => {
            let on = random.chance(50);
            world.request(
                &name,
                Request::Standby { node: name.clone(), on, until_restart: random.chance(30) },
            );
        }
        11 => {
            let id = world.id(&name);
            world.note(&name, "told to shut down");
            world.step(id, Input::Shutdown { escalate: random.chance(10) });
        }
        12 => {
            world.kill(&name);
            world.start(&name);
        }
        13 => change(world, &name, random),
        14 if random.chance(30) => world.thaw(&name),
        14 => world.freeze(&name),
        15 => {
            let target = random.pick(names).cloned().unwrap_or_default();
            let action = if random.chance(50) { "off" } else { "reboot" };
            world.note(&name, &format!("asked to fence {target}"));
            let request = FenceRequest {
                target,
                action: action.to_owned(),
                timeout: 60_000,
                delay: Some(0),
                tolerance: 0,
                client: "stonith_admin".to_owned(),
            };
            world.request(&name, Request::Fence(request));
        }
        16 => {
            let update = AttributeUpdate {
                dampening: Some(random.between(0, 3000)),
                ..AttributeUpdate::set(&name, "pingd", &random.between(0, 100).to_string())
            };
            world.request(&name, Request::UpdateAttribute(update));
            prefer(world, &name, &random.between(1, 20).to_string());
        }
        _ => {
            world.request(
                &name,
                Request::Cleanup {
                    resource: None,
                    node: None,
                    operation: None,
                    interval: None,
                    only_failed: random.chance(50),
                },
            );
        }
    }
}

/// The database's agent says how much it wants to be promoted on a node.
fn prefer(world: &mut World, name: &str, score: &str) {
    let update = AttributeUpdate::set(name, "master-db", score);
    world.request(name, Request::UpdateAttribute(update));
    world.run(100);
}

/// An administrator changes the configuration somewhere, split or not.
fn change(world: &mut World, name: &str, random: &mut Random) {
    let score = random.between(0, 200);
    let xml = format!(
        "<constraints><rsc_location id='moved' rsc='site' node='node{}' score='{score}'/></constraints>",
        random.between(1, 3)
    );
    let operation = CibOperation::Modify { scope: None, xpath: None, xml, allow_create: true, score: false };
    let client = Client { program: "cibadmin".to_owned(), ..Client::default() };
    world.note(name, "the configuration is changed");
    world.request(name, Request::Change(CibChange { operation, client, dry_run: false }));
}

/// Ends all faults: agents work, the network is whole, every daemon runs, nobody is in standby, failures
/// are forgotten.
fn make_peace(world: &mut World, names: &[String]) {
    world.agents.hangs = 0;
    world.agents.fence_fails = 0;
    world.agents.fails = 0;
    world.heal();
    world.note("peace", "no more faults");
    for _ in 0..40 {
        for name in names {
            world.thaw(name);
            let host = world.host(name);
            if host.returns_at.is_none() && host.node.is_none() {
                world.power_on(name);
                world.start(name);
            }
        }
        world.run(30_000);
    }
    for name in names {
        for until_restart in [true, false] {
            world.request(name, Request::Standby { node: name.clone(), on: false, until_restart });
        }
    }
    world.run(1000);
    if let Some(name) = names.first() {
        world.request(
            name,
            Request::Cleanup {
                resource: None,
                node: None,
                operation: None,
                interval: None,
                only_failed: true,
            },
        );
    }
    world.run(1000);
}
