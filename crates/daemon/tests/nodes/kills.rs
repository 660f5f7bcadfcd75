//! Daemons that are killed in the middle of writes.

use daemon::storage::Storage;

use super::*;

/// How often a daemon is killed, and how many of them at a time.
const KILLS: usize = 200;
const CLUSTERS: usize = 4;

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A change that writes one number in two places.
fn pair(number: usize) -> CibChange {
    let nvpair = |name: &str| format!("<nvpair id='w-{name}' name='{name}' value='{number}'/>");
    let mut change = CibChange::new(CibOperation::Modify);
    change.section = Some("crm_config".into());
    change.xml = Some(format!(
        "<crm_config><cluster_property_set id='w'>{}{}</cluster_property_set></crm_config>",
        nvpair("left"),
        nvpair("right")
    ));
    change.allow_create = true;
    change
}

/// The two numbers in a configuration; none if it has neither.
fn numbers(text: &str) -> Option<(usize, usize)> {
    let document = xml::Document::parse(text).expect("a stored configuration is well-formed");
    let value = |name: &str| {
        let id = format!("w-{name}");
        let mut all = document.root_element().descendants();
        all.find(|element| element.attr("id") == Some(&id))?.attr("value")?.parse().ok()
    };
    match (value("left"), value("right")) {
        (None, None) => None,
        (left, right) => Some((left.expect("both or none"), right.expect("both or none"))),
    }
}

/// At any moment, also while the daemon starts: what is stored is the old state or the new one.
pub fn killed_at_any_moment_the_old_or_the_new_state_is_there() {
    std::thread::scope(|scope| {
        for seed in 0..CLUSTERS {
            scope.spawn(move || kill_again_and_again(seed as u64, KILLS / CLUSTERS));
        }
    });
}

fn kill_again_and_again(seed: u64, kills: usize) {
    let mut cluster = Cluster::new(1);
    cluster.settle(&[1]);
    let mut random = Numbers(seed);
    let (mut next, mut seen) = (1, 0);
    for kill in 0..kills {
        write_for(&cluster, Duration::from_millis(random.below(120)), &mut next);
        cluster.kill(1);
        let found = Storage::new(&cluster.state(1).join("cib")).read();
        if let Some((left, right)) = found.text.as_deref().and_then(numbers) {
            assert_eq!(left, right, "half a change after kill {kill}");
            assert!((seen..next).contains(&left), "kill {kill}: {left} after {seen} and before {next}");
            seen = left;
        }
        cluster.start(1);
    }
    let text = cluster.client(1).cib(&CibQuery::default()).unwrap();
    assert!(numbers(&text).is_some_and(|(left, right)| left == right && left >= seen), "{text}");
    assert!(seen > 10, "hardly anything was written: {seen}");
}

/// Changes one after the other, for so long, over one connection as long as it bears.
fn write_for(cluster: &Cluster, time: Duration, next: &mut usize) {
    let socket = cluster.state(1).join("api.sock");
    let end = Instant::now() + time;
    let mut client = None;
    while Instant::now() < end {
        match client.take().or_else(|| Client::connect(&socket).ok()) {
            None => std::thread::sleep(Duration::from_millis(1)),
            Some(mut open) => {
                if open.change_cib(&pair(*next)).is_ok() {
                    client = Some(open);
                }
                *next += 1;
            }
        }
    }
}
