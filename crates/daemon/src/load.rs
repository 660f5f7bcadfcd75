//! How busy this host is (rule 4.32.3): measured every half minute, and told to the node.

use std::fs;
use std::time::{Duration, Instant};

use cluster::{Input, LoadSample};
use tokio::sync::mpsc;

use crate::pulse;

/// Between two samples.
const PERIOD: Duration = Duration::from_secs(30);

/// Ticks of the kernel's clock of processor time, in a second.
const TICKS: u128 = 100;

/// Measures until nobody wants to know any more. Where the kernel does not tell, nothing is told to the node.
pub(crate) async fn report(results: mpsc::Sender<Input>) {
    let mut last = (Instant::now(), 0);
    loop {
        let now = (Instant::now(), pulse::node_ticks(std::process::id()).unwrap_or(0));
        let average = fs::read_to_string("/proc/loadavg").ok().and_then(|text| hundredths(&text));
        let manager = percent(now.1.saturating_sub(last.1), now.0 - last.0);
        last = now;
        if let Some(average) = average
            && results.send(Input::Load(LoadSample { average, manager })).await.is_err()
        {
            return;
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Processor time as a share of one core.
fn percent(ticks: u64, time: Duration) -> u64 {
    let share = u128::from(ticks) * 1_000_000 / TICKS * 100 / time.as_micros().max(1);
    // at the start there is nothing to compare with
    if time < Duration::from_secs(1) { 0 } else { u64::try_from(share).unwrap_or(u64::MAX) }
}

/// The first number, with its two decimals.
fn hundredths(text: &str) -> Option<u64> {
    let (whole, rest) = text.split_whitespace().next()?.split_once('.')?;
    Some(whole.parse::<u64>().ok()? * 100 + rest.get(..2)?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says() {
        assert_eq!(hundredths("12.05 1.51 1.31 2/345 999\n"), Some(1205));
        assert_eq!(hundredths("12"), None);
        assert!(fs::read_to_string("/proc/loadavg").is_ok_and(|text| hundredths(&text).is_some()));
        assert_eq!(percent(2850, Duration::from_secs(30)), 95);
        assert_eq!(percent(2850, Duration::ZERO), 0);
    }
}
