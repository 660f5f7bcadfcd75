//! What benches and labs measure and how they sum it up.

use std::fs;

/// The value in the middle; the upper of two.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// MiB of memory of a process, shared pages counted in part.
pub fn memory(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0.0) / 1024.0
}

/// CPU seconds that the threads of a process which live now have used, to the nanosecond: what is shown of the whole
/// process has steps of 10 ms, which is much for one that does nothing.
pub fn threads_cpu(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let text = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("schedstat")).ok();
    let used =
        threads.filter_map(text).filter_map(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    used.sum::<f64>() / 1e9
}

/// Part of the processors' time since boot, in seconds, in which a virtual machine's host gave them to others, with the
/// whole of it.
pub fn stolen() -> (f64, f64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let parts: Vec<f64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    // what guests used is in the others
    let whole: f64 = parts.iter().take(8).sum();
    (parts.get(7).copied().unwrap_or(0.0) / 100.0, whole / 100.0)
}

/// User and system seconds of the children that a process (its number, or `self`) has waited for, and of theirs.
pub fn children_cpu(process: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // behind the name, which may contain anything, come the fields from the third on
    let behind: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let value = |field: usize| behind.get(field - 3).and_then(|word| word.parse::<f64>().ok());
    // in hundredths of a second
    [16, 17].into_iter().filter_map(value).sum::<f64>() / 100.0
}
