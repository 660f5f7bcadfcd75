//! An HTTP client that polls, as a user of the service would, and tells outages from what it saw.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One answer, or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Seconds since 1970.
    pub time: f64,
    /// The page, if there was a good answer.
    pub page: Option<String>,
}

/// What a polling client wrote so far.
pub struct Log {
    path: PathBuf,
}

impl Log {
    pub fn new(path: &Path) -> Log {
        Log { path: path.to_path_buf() }
    }

    pub fn samples(&self) -> Vec<Sample> {
        fs::read_to_string(&self.path)
            .unwrap_or_default()
            .lines()
            .filter_map(|line| {
                let (time, page) = line.split_once('\t')?;
                let page = page.strip_prefix("ok\t").map(str::to_owned);
                Some(Sample { time: time.parse().ok()?, page })
            })
            .collect()
    }

    /// The newest page that was served after `since`.
    pub fn served_after(&self, since: f64) -> Option<String> {
        self.samples().into_iter().rev().find(|sample| sample.time > since && sample.page.is_some())?.page
    }

    /// The longest time without a good answer since `since`, in seconds.
    pub fn outage_since(&self, since: f64) -> f64 {
        let good: Vec<f64> = self
            .samples()
            .into_iter()
            .filter(|sample| sample.page.is_some() && sample.time > since - 1.0)
            .map(|sample| sample.time)
            .collect();
        good.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
    }
}

pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

/// Has the apache of a host with this disk serve a page that names the host.
pub fn prepare_website(disk: &Path, host: &str) -> io::Result<()> {
    fs::create_dir_all(disk.join("var/www/html"))?;
    fs::write(disk.join("var/www/html/index.html"), format!("Hello from {host}\n"))?;
    fs::write(disk.join("etc/apache2/conf-enabled/servername.conf"), "ServerName localhost\n")
}

/// Polls `address` every 20 ms and writes a line a poll, until it is killed or `limit` has passed.
pub fn poll(address: SocketAddr, path: &Path, limit: Duration) -> io::Result<()> {
    let mut out = fs::File::create(path)?;
    let end = Instant::now() + limit;
    while Instant::now() < end {
        let begun = Instant::now();
        let line = match get(address) {
            Some(page) => format!("{:.4}\tok\t{}\n", now(), page.trim().replace(['\n', '\t'], " ")),
            None => format!("{:.4}\t-\n", now()),
        };
        out.write_all(line.as_bytes())?;
        std::thread::sleep(Duration::from_millis(20).saturating_sub(begun.elapsed()));
    }
    Ok(())
}

fn get(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.lines().next()?.contains(" 200 ").then(|| body.to_owned())
}
