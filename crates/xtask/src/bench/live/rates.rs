//! Changes in sequence, and attribute updates from all nodes at once with a proof that every node saw all of
//! them in the same order.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Row;
use super::cluster::{Cluster, NODES};

/// Changes through one connection, and with one process for each.
const CHANGES: usize = 1000;
const PROCESSES: usize = 200;

/// Updates of all nodes together.
const UPDATES: usize = 10_000;

/// A journal that brings nothing for so long has nothing more to bring.
const SILENCE: Duration = Duration::from_secs(20);

/// One change of the CIB.
fn xml(value: impl std::fmt::Display) -> String {
    format!(
        "<crm_config><cluster_property_set id='cib-bootstrap-options'><nvpair id='bench' name='bench' \
         value='{value}'/></cluster_property_set></crm_config>"
    )
}

/// The changes with one process each, for a shell.
pub fn shell_loop() -> String {
    format!(
        "n=0; while [ $n -lt {PROCESSES} ]; do cibadmin -M -c -o crm_config -X \"{}\" || exit 1; n=$((n+1)); done",
        xml("$n")
    )
}

/// Rates of changes of the CIB; `reference`: the seconds that the reference took for [`shell_loop`] in this run.
pub fn changes(cluster: &Cluster, reference: Option<f64>) -> Result<Vec<Row>, String> {
    let mut api = cluster.api(1)?;
    let begun = Instant::now();
    for number in 0..CHANGES {
        let body = json!({"operation": "modify", "section": "crm_config", "xml": xml(number), "client": "bench",
                          "allow_create": true});
        api.post("/v1/cib", &body)?;
    }
    let single = CHANGES as f64 / begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    for number in 0..PROCESSES {
        let words = ["cibadmin", "-M", "-o", "crm_config", "-X", &xml(CHANGES + number)];
        let status = cluster.command(&words).status().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("cibadmin -M: {status}"));
        }
    }
    let processes = PROCESSES as f64 / begun.elapsed().as_secs_f64();
    let mut rows = vec![
        Row::new(&format!("{CHANGES} CIB changes in sequence, one connection"), per_second(single), None),
        Row::new(&format!("{PROCESSES} CIB changes, one `cibadmin` each"), per_second(processes), None),
    ];
    if let Some(seconds) = reference {
        let rate = PROCESSES as f64 / seconds;
        let times = |own: f64| format!("{:.1} times", own / rate);
        let what = format!("{PROCESSES} CIB changes, the reference's `cibadmin` on three hosts");
        rows.push(Row::new(&what, format!("{rate:.1}/s"), None));
        rows.push(Row::new("- one connection against it", times(single), Some("10 times")));
        rows.push(Row::new("- one process each against it", times(processes), None));
    }
    Ok(rows)
}

fn per_second(rate: f64) -> String {
    format!("{rate:.0}/s")
}

/// An update as a node's journal tells it: attribute and value.
type Seen = (String, String);

/// The rate of attribute updates; an error if one is missing, out of order or different on a node.
pub fn attributes(cluster: &Cluster) -> Result<Vec<Row>, String> {
    let each = UPDATES.div_ceil(NODES.len());
    let total = each * NODES.len();
    let (told, seen) = mpsc::channel::<(usize, Seen)>();
    for node in NODES {
        let newest = cluster.newest_event(node)?;
        let events = cluster.events(node, newest)?;
        let told = told.clone();
        // ends with the daemon
        std::thread::spawn(move || {
            events.filter_map(|event| update(&event)).for_each(|update| drop(told.send((node, update))));
        });
    }
    drop(told);
    let begun = Instant::now();
    let sent = std::thread::scope(|scope| {
        let writers: Vec<_> = NODES.iter().map(|node| scope.spawn(|| write(cluster, *node, each))).collect();
        writers.into_iter().try_for_each(|writer| writer.join().map_err(|_| "a writer ended badly")?)
    });
    sent?;
    let answered = begun.elapsed();
    let mut orders: BTreeMap<usize, Vec<Seen>> = BTreeMap::new();
    while orders.values().map(Vec::len).sum::<usize>() < total * NODES.len() {
        let (node, update) = seen.recv_timeout(SILENCE).map_err(|_| lost(&orders, total))?;
        orders.entry(node).or_default().push(update);
    }
    let everywhere = begun.elapsed();
    verify(cluster, &orders, each)?;
    Ok(vec![
        Row::new(
            &format!("{total} attribute updates from three nodes at once, answered"),
            per_second(total as f64 / answered.as_secs_f64()),
            None,
        ),
        Row::new(
            "- seen on all nodes, each in the same order, none lost (verified)",
            per_second(total as f64 / everywhere.as_secs_f64()),
            None,
        ),
    ])
}

/// The bench's updates among a journal's entries.
fn update(event: &Value) -> Option<Seen> {
    let (name, value) = (event["fields"]["name"].as_str()?, event["fields"]["value"].as_str()?);
    (event["kind"] == "attribute" && name.starts_with("bench-")).then(|| (name.to_owned(), value.to_owned()))
}

fn write(cluster: &Cluster, node: usize, count: usize) -> Result<(), String> {
    let mut api = cluster.api(node)?;
    (1..=count).try_for_each(|number| {
        let body = json!({"name": format!("bench-{node}"), "value": number.to_string()});
        api.post("/v1/attributes", &body)
    })
}

fn lost(orders: &BTreeMap<usize, Vec<Seen>>, total: usize) -> String {
    let counts: Vec<String> =
        orders.iter().map(|(node, seen)| format!("node{node} saw {} of {total}", seen.len())).collect();
    format!("attribute updates were lost: {}", counts.join(", "))
}

fn verify(cluster: &Cluster, orders: &BTreeMap<usize, Vec<Seen>>, each: usize) -> Result<(), String> {
    let first = &orders[&1];
    if let Some(node) = NODES.into_iter().find(|node| orders.get(node) != Some(first)) {
        return Err(format!("node{node} saw the attribute updates in another order than node1"));
    }
    for writer in NODES {
        let name = format!("bench-{writer}");
        let values = first.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.clone());
        if !values.eq((1..=each).map(|number| number.to_string())) {
            return Err(format!("the updates of {name} were not seen in the order they were made"));
        }
        for node in NODES {
            let shown = cluster.api(node)?.get_json(&format!("/v1/attributes?name={name}"))?;
            if shown[0]["value"].as_str() != Some(&each.to_string()) {
                return Err(format!("node{node} shows {shown} for {name} instead of {each}"));
            }
        }
    }
    Ok(())
}
