//! Real services with their real agents, and clients that use them all the time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::super::cluster::{Cluster, wait};
use super::super::writer;
use super::Figure;
use crate::live::client::{Log, now, prepare_website};

const WEBSITE: &str = "10.77.0.100";
/// Parameters of the web server and of its address.
const SITE: [(&str, &str); 2] =
    [("configfile", "/etc/apache2/apache2.conf"), ("statusurl", "http://127.0.0.1/server-status")];
const ADDRESS: [(&str, &str); 2] = [("ip", WEBSITE), ("cidr_netmask", "24")];
const DATABASE: &str = "10.77.0.101";

/// Apache's monitor on the website.
const MONITOR: Duration = Duration::from_secs(1);

/// How often apache is killed in one run.
const KILLS: usize = 4;

/// How often the database's master loses power.
const FAILOVERS: usize = 3;

fn parameters(id: &str, pairs: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| {
        format!("<nvpair id=\"{id}-{name}\" name=\"{name}\" value=\"{value}\"/>")
    };
    let pairs: String = pairs.iter().map(pair).collect();
    format!("<instance_attributes id=\"{id}-i\">{pairs}</instance_attributes>")
}

fn operations(id: &str, list: &[&str]) -> String {
    let one = |(number, words): (usize, &&str)| format!("<op id=\"{id}-o{number}\" {words}/>");
    let list: String = list.iter().enumerate().map(one).collect();
    format!("<operations>{list}</operations>")
}

fn address(id: &str, address: &str) -> String {
    let own = parameters(id, &[("ip", address), ("cidr_netmask", "24")]);
    let monitor = operations(id, &["name=\"monitor\" interval=\"10s\""]);
    format!(
        "<primitive id=\"{id}\" class=\"ocf\" provider=\"heartbeat\" type=\"IPaddr2\">{own}{monitor}</primitive>"
    )
}

/// A client that uses a service from outside, until the cluster's end.
fn start_client(cluster: &mut Cluster, command: &str, address: &str) -> io::Result<PathBuf> {
    let path = cluster.hosts.folder().join(format!("{command}.log"));
    let own = std::env::current_exe()?;
    let mut client = cluster.hosts.client_command(&own);
    let child = client.args([command, address]).arg(&path).stdout(Stdio::null()).spawn()?;
    cluster.hosts.keep(child);
    Ok(path)
}

/// The tutorial's floating address and web server, with a client that polls every 20 ms.
pub fn website(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    for name in cluster.names() {
        prepare_website(&cluster.hosts.disk(&name), &name)?;
    }
    let group = format!(
        "<group id=\"web\"><meta_attributes id=\"web-m\"><nvpair id=\"web-s\" name=\"resource-stickiness\" \
         value=\"1000\"/></meta_attributes>{}<primitive id=\"site\" class=\"ocf\" provider=\"heartbeat\" \
         type=\"apache\">{}{}</primitive></group>",
        address("vip", WEBSITE),
        parameters("site", &SITE),
        operations("site", &["name=\"monitor\" interval=\"1s\" timeout=\"20s\""]),
    );
    cluster.replace("resources", &format!("{group}{}", cluster.fence_device("")))?;
    let log = Log::new(&start_client(cluster, "poll", &format!("{WEBSITE}:80"))?);
    let begun = now();
    served(&log, begun, "the website", |_| true)?;
    cluster.settle()?;
    let killed = killed(cluster, &log)?;
    let standby = put_in_standby(cluster, &log)?;
    let moved = moved(cluster, &log)?;
    let by_hand = moved_by_hand(cluster, &log)?;
    Ok(vec![
        ("apache killed at any moment, monitor 1 s: mean outage", killed),
        ("standby of the serving node: outage", standby),
        ("move of address and apache: outage", moved),
        ("  the same with the agents run by hand: outage", by_hand),
        ("serving node loses power, fencing on, token 1 s: outage", power_lost(cluster, &log)?),
    ])
}

/// Waits until a page that fits was served after `since`; gives its host.
fn served(log: &Log, since: f64, what: &str, wanted: impl Fn(&str) -> bool) -> io::Result<String> {
    let host = || log.served_after(since)?.strip_prefix("Hello from ").map(str::to_owned);
    wait(what, || host().is_some_and(|host| wanted(&host)))?;
    host().ok_or_else(|| io::Error::other(format!("{what} went away")))
}

/// Apache dies several times, at moments spread over the interval of its monitor; mean of the outages.
fn killed(cluster: &Cluster, log: &Log) -> io::Result<f64> {
    // the golden section spreads the moments of any number of runs evenly
    let offset = (cluster.run as f64 * 0.618_034).fract();
    let outages = (0..KILLS).map(|kill| {
        std::thread::sleep(MONITOR.mul_f64((kill as f64 + offset) / KILLS as f64));
        killed_once(cluster, log)
    });
    let sum = outages.sum::<io::Result<f64>>()?;
    cluster.ask(&["crm_resource", "--cleanup", "-r", "site"])?;
    cluster.settle()?;
    Ok(sum / KILLS as f64)
}

fn killed_once(cluster: &Cluster, log: &Log) -> io::Result<f64> {
    let begun = now();
    let host = served(log, begun, "the website", |_| true)?;
    cluster.hosts.signal(&host, "apache2", "-KILL")?;
    let down = || log.samples().into_iter().find(|sample| sample.time > begun && sample.page.is_none());
    wait("the outage", || down().is_some())?;
    let since = down().map_or(begun, |sample| sample.time);
    served(log, since, "the website again", |_| true)?;
    cluster.settle()?;
    Ok(log.outage_since(begun))
}

fn put_in_standby(cluster: &Cluster, log: &Log) -> io::Result<f64> {
    let begun = now();
    let host = served(log, begun, "the website", |_| true)?;
    cluster.ask(&["crm_attribute", "-N", &host, "-n", "standby", "-v", "on"])?;
    served(log, begun, "the website elsewhere", |now| now != host)?;
    cluster.settle()?;
    let outage = log.outage_since(begun);
    cluster.ask(&["crm_attribute", "-N", &host, "-n", "standby", "-D"])?;
    cluster.settle()?;
    Ok(outage)
}

fn moved(cluster: &Cluster, log: &Log) -> io::Result<f64> {
    let begun = now();
    let host = served(log, begun, "the website", |_| true)?;
    let target = other_than(cluster, &host);
    cluster.ask(&["crm_resource", "--move", "-r", "web", "-N", &target])?;
    served(log, begun, "the website elsewhere", |now| now == target)?;
    cluster.settle()?;
    let outage = log.outage_since(begun);
    cluster.ask(&["crm_resource", "--clear", "-r", "web"])?;
    cluster.settle()?;
    Ok(outage)
}

fn other_than(cluster: &Cluster, host: &str) -> String {
    cluster.names().into_iter().find(|name| name != host).unwrap_or_default()
}

/// The same move with the agents run by hand one after the other, there and back, while the manager looks away:
/// mean of both outages.
fn moved_by_hand(cluster: &Cluster, log: &Log) -> io::Result<f64> {
    let host = served(log, now(), "the website", |_| true)?;
    let target = other_than(cluster, &host);
    cluster.property("maintenance-mode", "true")?;
    cluster.settle()?;
    let mut sum = 0.0;
    for (from, to) in [(&host, &target), (&target, &host)] {
        let begun = now();
        agent(cluster, from, "apache", &SITE, "stop")?;
        agent(cluster, from, "IPaddr2", &ADDRESS, "stop")?;
        agent(cluster, to, "IPaddr2", &ADDRESS, "start")?;
        agent(cluster, to, "apache", &SITE, "start")?;
        served(log, begun, "the website elsewhere", |now| now == to)?;
        sum += log.outage_since(begun);
    }
    cluster.property("maintenance-mode", "false")?;
    cluster.settle()?;
    Ok(sum / 2.0)
}

/// Runs an agent as a manager would.
fn agent(
    cluster: &Cluster,
    host: &str,
    kind: &str,
    parameters: &[(&str, &str)],
    action: &str,
) -> io::Result<()> {
    let mut command = cluster.hosts.command(host, &format!("/usr/lib/ocf/resource.d/heartbeat/{kind}"))?;
    command.arg(action).env("OCF_ROOT", "/usr/lib/ocf").env("OCF_RESOURCE_TYPE", kind);
    command.env("OCF_RESOURCE_INSTANCE", if kind == "apache" { "site" } else { "vip" });
    command.env("OCF_RESOURCE_PROVIDER", "heartbeat").env("OCF_RA_VERSION_MAJOR", "1");
    command.env("OCF_RESKEY_CRM_meta_timeout", "20000");
    for (name, value) in parameters {
        command.env(format!("OCF_RESKEY_{name}"), value);
    }
    // what an agent leaves behind keeps its output open: only its own end is waited for
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{kind} {action} on {host}: {status}"))),
    }
}

fn power_lost(cluster: &mut Cluster, log: &Log) -> io::Result<f64> {
    cluster.fencing(true)?;
    cluster.settle()?;
    let begun = now();
    let host = served(log, begun, "the website", |_| true)?;
    cluster.power_off(&host)?;
    served(log, begun, "the website elsewhere", |now| now != host)?;
    let outage = log.outage_since(begun);
    cluster.bring_back(&host)?;
    Ok(outage)
}

/// Redis with a master and a replica behind a floating address; the third host only votes. (An instance started
/// anew on it would be as good a master to the agent as the replica with the data.) A client writes all the
/// time and counts a write only when the replica has it too: none of those is lost however often the master's
/// host loses power.
pub fn database(cluster: &mut Cluster) -> io::Result<Vec<Figure>> {
    if !Path::new("/usr/bin/redis-server").exists() {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "redis-server is not installed"));
    }
    for name in cluster.names() {
        let file = cluster.hosts.disk(&name).join("etc/redis/redis.conf");
        fs::write(file, "bind 0.0.0.0\nprotected-mode no\nport 6379\ndir /var/lib/redis\n")?;
    }
    cluster.replace("resources", &format!("{}{}", redis(), cluster.fence_device("")))?;
    cluster.replace("constraints", PLACES)?;
    cluster.fencing(true)?;
    cluster.settle()?;
    let log = start_client(cluster, "write", &format!("{DATABASE}:6379"))?;
    wait("writes", || writer::acknowledged(&log).len() > 100)?;
    let mut outages = Vec::new();
    for _ in 0..FAILOVERS {
        let host = master(cluster)?;
        let before = writer::acknowledged(&log).len();
        let begun = Instant::now();
        cluster.power_off(&host)?;
        let elsewhere = || cluster.holder(DATABASE).is_some_and(|now| now != host);
        outages.push((wait("the next master", elsewhere)? - begun).as_secs_f64());
        cluster.bring_back(&host)?;
        wait("writes again", || writer::acknowledged(&log).len() > before + 100)?;
    }
    let acknowledged = writer::acknowledged(&log);
    let host = master(cluster)?;
    let output =
        cluster.hosts.command(&host, "redis-cli")?.args(["lrange", writer::LIST, "0", "-1"]).output()?;
    let kept: std::collections::BTreeSet<u64> =
        String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.trim().parse().ok()).collect();
    let lost: Vec<u64> = acknowledged.iter().copied().filter(|number| !kept.contains(number)).collect();
    if !lost.is_empty() {
        let (count, all, first) = (lost.len(), acknowledged.len(), lost[0]);
        return Err(io::Error::other(format!(
            "{count} of {all} acknowledged writes are lost, the first {first}"
        )));
    }
    outages.sort_by(f64::total_cmp);
    Ok(vec![
        (
            "redis: the master's node loses power to the replica promoted, with the address",
            outages[FAILOVERS / 2],
        ),
        ("redis: acknowledged writes, of which none was lost (count)", acknowledged.len() as f64),
    ])
}

const PLACES: &str = "<rsc_location id=\"db-n\" rsc=\"dbs\" node=\"node3\" score=\"-INFINITY\"/><rsc_colocation id=\"db-c\" rsc=\"db-ip\" with-rsc=\"dbs\" with-rsc-role=\"Master\" \
     score=\"INFINITY\"/><rsc_order id=\"db-o\" first=\"dbs\" first-action=\"promote\" then=\"db-ip\" then-action=\"start\"/>";

fn redis() -> String {
    let meta: String =
        [("promotable", "true"), ("notify", "true"), ("clone-max", "2"), ("interleave", "true")]
            .map(|(name, value)| format!("<nvpair id=\"dbs-{name}\" name=\"{name}\" value=\"{value}\"/>"))
            .concat();
    let actions = operations(
        "db",
        &[
            "name=\"monitor\" interval=\"3s\" timeout=\"60s\"",
            "name=\"monitor\" interval=\"2s\" role=\"Master\" timeout=\"60s\"",
            "name=\"start\" interval=\"0\" timeout=\"120s\"",
            "name=\"promote\" interval=\"0\" timeout=\"120s\"",
        ],
    );
    format!(
        "<clone id=\"dbs\"><meta_attributes id=\"dbs-m\">{meta}</meta_attributes><primitive id=\"db\" class=\"ocf\" \
         provider=\"heartbeat\" type=\"redis\">{actions}</primitive></clone>{}",
        address("db-ip", DATABASE)
    )
}

/// The host of the master, which has the address.
fn master(cluster: &Cluster) -> io::Result<String> {
    wait("a master", || cluster.holder(DATABASE).is_some())?;
    cluster.holder(DATABASE).ok_or_else(|| io::Error::other("there is no master"))
}
