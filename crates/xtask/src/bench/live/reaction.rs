//! From the news to the first action that follows from it, by the DC's own journal (whole milliseconds).

use serde_json::{Value, json};

use super::cluster::{Cluster, NODES};
use super::{Row, Spread};

/// How often each is measured.
const FAILURES: usize = 9;
const LOSSES: usize = 3;

/// Of a cluster with resources that has nothing to do.
pub fn measure(cluster: &mut Cluster) -> Result<Vec<Row>, String> {
    let mut failures = Vec::new();
    for number in 1..=FAILURES {
        failures.push(fail(cluster, &format!("D{number}"))?);
    }
    let mut losses = Vec::new();
    for _ in 0..LOSSES {
        losses.push(lose(cluster)?);
    }
    Ok(vec![
        Row::new("failure known → its recovery starts", Spread::of(failures).text("ms"), Some("20 ms")),
        Row::new("node lost → first action of the new plan", Spread::of(losses).text("ms"), Some("20 ms")),
    ])
}

fn fail(cluster: &Cluster, resource: &str) -> Result<f64, String> {
    let dc = cluster.wait_online()?;
    let host = NODES
        .into_iter()
        .find(|node| cluster.state(*node).join(format!("scratch/Dummy-{resource}.state")).exists());
    let host = host.ok_or_else(|| format!("{resource} runs nowhere"))?;
    let newest = cluster.newest_event(dc)?;
    let events = cluster.events(dc, newest)?;
    let body = json!({"operation": "fail", "resource": resource, "node": format!("node{host}")});
    cluster.api(dc)?.post("/v1/operations", &body)?;
    let taken =
        first_action(events, |event| event["kind"] == "operation" && event["fields"]["failed"] == "true")?;
    cluster.settle()?;
    Ok(taken)
}

fn lose(cluster: &mut Cluster) -> Result<f64, String> {
    let dc = cluster.wait_online()?;
    let newest = cluster.newest_event(dc)?;
    let events = cluster.events(dc, newest)?;
    let lost = if dc == 3 { 2 } else { 3 };
    cluster.kill_daemon(lost);
    let taken =
        first_action(events, |event| event["message"].as_str().is_some_and(|text| text.contains("lost: ")))?;
    cluster.start_daemon(lost)?;
    cluster.wait_online()?;
    cluster.settle()?;
    Ok(taken)
}

/// Milliseconds from the first event of the kind to the next action.
fn first_action(
    events: impl Iterator<Item = Value>,
    is_news: impl Fn(&Value) -> bool,
) -> Result<f64, String> {
    let mut known = None;
    for event in events {
        let at = event["time_ms"].as_f64().unwrap_or(0.0);
        match known {
            None if is_news(&event) => known = Some(at),
            Some(known) if event["kind"] == "action" => return Ok(at - known),
            _ => {}
        }
    }
    Err("the journal ended before the first action".to_owned())
}
