//! Power switches that hang, fail or lie.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::super::cluster::{Cluster, Stack, dummy, wait};
use super::{Figure, fail_and_restart};

/// For so long nothing may happen while a host is lost and not fenced.
const STILL: Duration = Duration::from_secs(4);

/// t1 on a host that can be fenced only by what is given, and d1 on another. Starts of d1 do not wait until all
/// lost hosts are fenced.
fn place(cluster: &Cluster, victim: &str, other: &str, devices: &[String]) -> io::Result<()> {
    let quorum = "<meta_attributes id=\"d1-meta\"><nvpair id=\"d1-r\" name=\"requires\" value=\"quorum\"/>\
                  </meta_attributes><operations>";
    let alone = dummy("d1", "10s").replace("<operations>", quorum);
    let all = [cluster.agents.timed("t1"), alone, devices.concat()].concat();
    cluster.replace("resources", &all)?;
    let location = |resource: &str, node: &str| {
        format!("<rsc_location id=\"l-{resource}\" rsc=\"{resource}\" node=\"{node}\" score=\"100\"/>")
    };
    cluster.replace("constraints", &[location("t1", victim), location("d1", other)].concat())?;
    cluster.fencing(true)?;
    cluster.wait_place("t1", |place| place == victim)?;
    cluster.wait_place("d1", |place| place == other)?;
    cluster.settle()
}

/// A host that is to be lost, and one that is neither it nor the DC.
fn cast(cluster: &Cluster) -> io::Result<(String, String)> {
    let (victim, dc) = (cluster.bystander()?, cluster.dc()?);
    let other = cluster.names().into_iter().find(|name| *name != victim && *name != dc);
    Ok((victim, other.unwrap_or(dc)))
}

/// The first level hangs until its time is over, and the second does it; meanwhile others recover.
pub fn hangs(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let (victim, other) = cast(cluster)?;
    let hanging = cluster.fence_device_with("hanging", &[("manner", "hang"), ("pcmk_off_timeout", "3s")]);
    let sound = cluster.fence_device_with("sound", &[]);
    let levels = format!(
        "<fencing-level id=\"l1\" target=\"{victim}\" index=\"1\" devices=\"hanging\"/><fencing-level id=\"l2\" \
         target=\"{victim}\" index=\"2\" devices=\"sound\"/>"
    );
    // the reference replaces only what is there
    let empty = "<configuration><fencing-topology/></configuration>";
    cluster.ask(&["cibadmin", "--modify", "-o", "configuration", "--xml-text", empty])?;
    cluster.replace("fencing-topology", &levels)?;
    place(cluster, &victim, &other, &[hanging, sound])?;
    let begun = Instant::now();
    cluster.power_off(&victim)?;
    cluster.wait_online_on(&other, cluster.names().len() - 1)?;
    let meanwhile = fail_and_restart(cluster, &other)?;
    let before = !cluster.places("t1").iter().any(|place| *place != victim);
    if !before && cluster.stack == Stack::Systole {
        return Err(io::Error::other("the recovery of another resource waited for the fencing"));
    }
    let fenced = cluster.wait_place("t1", |place| place != victim)?;
    cluster.replace("fencing-topology", "")?;
    cluster.bring_back(&victim)?;
    Ok(vec![
        ("first fencing level hangs 3 s, to running elsewhere", (fenced - begun).as_secs_f64()),
        ("  meanwhile: another resource failed to restarted", meanwhile),
    ])
}

/// Every attempt fails: what ran on the host is started nowhere, it is told why, and a human's word that the host
/// is down ends it.
pub fn fails(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let (victim, other) = cast(cluster)?;
    place(cluster, &victim, &other, &[cluster.fence_device_with("failing", &[("manner", "fail")])])?;
    cluster.power_off(&victim)?;
    let status = || cluster.tool(&other, &["crm_mon", "-1"]).map(|output| output.stdout).unwrap_or_default();
    wait("the failed fencing in the status", || {
        String::from_utf8_lossy(&status()).contains("Failed Fencing Actions")
    })?;
    let begun = Instant::now();
    while begun.elapsed() < STILL {
        match &cluster.places("t1")[..] {
            [] => sleep(Duration::from_millis(50)),
            places => {
                return Err(io::Error::other(format!("t1 runs on {places:?}, {victim} was not fenced")));
            }
        }
    }
    cluster.check_place("d1", &other)?;
    if cluster.stack == Stack::Systole {
        let told = cluster.tool(&other, &["status"])?;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        if !told.contains("the power switch does not answer") {
            return Err(io::Error::other(format!("nobody says that {victim} cannot be fenced:\n{told}")));
        }
    }
    let confirmed = cluster.timed(&other, &["stonith_admin", "--confirm", &victim])?;
    let moved = cluster.wait_place("t1", |place| place != victim)?;
    cluster.bring_back(&victim)?;
    cluster.ask(&["stonith_admin", "--cleanup", "--history", &victim])?;
    Ok(vec![("a lost host confirmed by hand to running elsewhere", (moved - confirmed).as_secs_f64())])
}

/// A device that says it did it, and did not: the host that hears of its own fencing steps down, the others are
/// told, and what runs elsewhere goes on.
pub fn lies(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    let (victim, other) = cast(cluster)?;
    place(cluster, &other, &other, &[cluster.fence_device_with("lying", &[("manner", "lie")])])?;
    let manager = if cluster.stack == Stack::Systole { "systole" } else { "pacemaker-contro" };
    cluster.tool(&other, &["stonith_admin", "--fence", &victim])?;
    wait("the end of a manager whose host is said to be fenced", || {
        !cluster.hosts.processes(&victim).iter().any(|(_, process)| process == manager)
    })?;
    if cluster.stack == Stack::Systole {
        let told = || cluster.tool(&other, &["status"]).map(|output| output.stdout).unwrap_or_default();
        wait("the device that lied in the status", || {
            String::from_utf8_lossy(&told()).contains("must not be trusted")
        })?;
    }
    for resource in ["t1", "d1"] {
        cluster.check_place(resource, &other)?;
    }
    cluster.bring_back(&victim)?;
    Ok(Vec::new())
}
