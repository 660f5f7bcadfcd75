//! Runs alert agents (rule 4.11.3), beside everything else: nobody waits for them but the end of the daemon.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use agents::{Agents, Status};
use cluster::AlertRun;
use tokio::sync::watch;

use crate::api::cluster_user;

/// Most agents at once; what comes beyond that is dropped and said.
const MOST: usize = 256;

/// Added to the longest time limit when the daemon waits for them at its end.
const GRACE: Duration = Duration::from_secs(5);

/// Agents that run or are about to.
#[derive(Debug)]
pub(crate) struct Alerts {
    under_way: watch::Sender<usize>,
    /// Longest time limit of all so far, in milliseconds.
    longest: AtomicU64,
}

impl Alerts {
    pub(crate) fn new() -> Arc<Alerts> {
        Arc::new(Alerts { under_way: watch::Sender::new(0), longest: AtomicU64::new(0) })
    }

    /// Makes room for a run that will be started; none if there are too many.
    pub(crate) fn admit(self: &Arc<Alerts>, run: AlertRun) -> Option<Admitted> {
        if *self.under_way.borrow() >= MOST {
            tracing::warn!(alert = run.alert, "not run: {MOST} alert agents are running already");
            return None;
        }
        self.longest.fetch_max(run.timeout, Ordering::Relaxed);
        self.under_way.send_modify(|count| *count += 1);
        Some(Admitted { run, of: self.clone() })
    }

    /// Waits for all of them, but no longer than they may take.
    pub(crate) async fn end(&self) {
        let limit = Duration::from_millis(self.longest.load(Ordering::Relaxed)) + GRACE;
        let mut count = self.under_way.subscribe();
        if tokio::time::timeout(limit, count.wait_for(|count| *count == 0)).await.is_err() {
            tracing::warn!("alert agents that do not end are left behind");
        }
    }
}

/// A run for which there is room.
#[derive(Debug)]
pub(crate) struct Admitted {
    run: AlertRun,
    of: Arc<Alerts>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.of.under_way.send_modify(|count| *count -= 1);
    }
}

impl Admitted {
    /// Runs the agent to its end; what it says is only logged.
    pub(crate) async fn execute(self, agents: Arc<Agents>) {
        let AlertRun { alert, path, environment, timeout, timestamp_format, at } = &self.run;
        let mut environment = environment.clone();
        let stamp = timestamp(timestamp_format, *at);
        // the administrator's own settings go last
        environment.splice(0..0, stamp.map(|text| ("CRM_alert_timestamp".to_owned(), text)));
        let identity = match rustix::process::geteuid().is_root() {
            true => match cluster_user() {
                Some(identity) => Some(identity),
                None => {
                    tracing::error!(alert, "not run: there is no user hacluster to run alert agents as");
                    return;
                }
            },
            false => None,
        };
        let limit = Duration::from_millis(*timeout);
        let outcome = agents.alert(PathBuf::from(path), &environment, limit, identity).await;
        if (outcome.status, outcome.exit_code) == (Status::Done, 0) {
            tracing::debug!(alert, path, "alert agent ended");
        } else {
            let (code, reason) = (outcome.exit_code, &outcome.exit_reason);
            let stderr = outcome.stderr.trim_end();
            tracing::warn!(alert, path, status = ?outcome.status, code, reason, stderr, "alert agent failed");
        }
    }
}

/// A moment in the form of `strftime`, in this host's time zone, with `%xN` for `x` digits of the fraction of a
/// second, cut off (rule 4.11.1). Nothing if that gives nothing.
fn timestamp(format: &str, at_ms: i64) -> Option<String> {
    let moment = jiff::Timestamp::from_millisecond(at_ms).ok()?.to_zoned(crate::zone::local());
    let format = with_fraction(format, u32::try_from(at_ms.rem_euclid(1000)).unwrap_or(0) * 1000);
    jiff::fmt::strtime::format(&format, &moment).ok().filter(|text| !text.is_empty())
}

/// Puts digits of the fraction into a format.
fn with_fraction(format: &str, microseconds: u32) -> String {
    let digits = format!("{microseconds:06}");
    let mut parts = format.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    // the part behind a literal percent sign begins with no directive
    let mut is_literal = false;
    for part in parts {
        let count = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(count);
        match rest.strip_prefix('N').filter(|_| !is_literal) {
            Some(rest) => {
                let width = number.parse().unwrap_or(6).clamp(1, 6);
                text.push_str(&digits[..width]);
                text.push_str(rest);
            }
            None => {
                text.push('%');
                text.push_str(part);
            }
        }
        is_literal = !is_literal && part.is_empty();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_4_11_1_fractions_of_a_second_have_the_digits_that_are_asked_for() {
        for (format, text) in [
            ("%H:%M:%S.%06N", "%H:%M:%S.012345"),
            ("%S.%3N|%1N", "%S.012|0"),
            ("%S.%02N %Z", "%S.01 %Z"),
            ("%%06N %9N", "%%06N 012345"),
            ("", ""),
        ] {
            assert_eq!(with_fraction(format, 12_345), text);
        }
        assert_eq!(timestamp("%s.%3N", 1_700_000_000_012).as_deref(), Some("1700000000.012"));
        assert_eq!(timestamp("", 0), None);
    }

    #[test]
    fn what_is_too_much_is_refused_until_others_have_ended() {
        let alerts = Alerts::new();
        let run = || AlertRun {
            alert: "a".to_owned(),
            path: "/bin/true".to_owned(),
            environment: Vec::new(),
            timeout: 1000,
            timestamp_format: String::new(),
            at: 0,
        };
        let mut admitted: Vec<_> = (0..MOST).map(|_| alerts.admit(run()).unwrap()).collect();
        assert!(alerts.admit(run()).is_none());
        admitted.pop();
        assert!(alerts.admit(run()).is_some());
    }
}
