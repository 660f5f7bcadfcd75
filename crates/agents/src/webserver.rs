//! The web server of agent `ocf:systole:web`: a page that says who serves it, and a status page.
//!
//! It is there to be killed: small, without any state, and gone at once.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Connections at a time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 64;

/// Time for a request and for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest request head that is read, in bytes.
const MAX_HEAD: u64 = 16 << 10;

/// Serves for ever: `Hello from NODE` on every path, `OK` and the process id on `/server-status`.
/// Returns only if it cannot listen.
pub fn run(address: IpAddr, port: u16, node: &str) -> io::Result<()> {
    let listener = TcpListener::bind(SocketAddr::new(address, port))?;
    let busy = Arc::new(AtomicUsize::new(0));
    loop {
        let (stream, _) = match listener.accept() {
            Ok(accepted) => accepted,
            // out of descriptors or a connection that is gone already: neither ends the service
            Err(_) => {
                std::thread::sleep(Duration::from_millis(10));
                continue;
            }
        };
        if busy.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
            answer(stream, node);
            busy.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (node, done) = (node.to_owned(), busy.clone());
        let spawned = std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
            answer(stream, &node);
            done.fetch_sub(1, Ordering::Relaxed);
        });
        if spawned.is_err() {
            busy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// One request, one answer; a client that misbehaves is left.
fn answer(stream: TcpStream, node: &str) {
    let _ = exchange(&stream, node);
}

fn exchange(mut stream: &TcpStream, node: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.take(MAX_HEAD)).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let body = match request.split(' ').nth(1) {
        Some("/server-status") => format!("OK {node} {}\n", std::process::id()),
        _ => format!("Hello from {node}\n"),
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Whether a page of [`run`] answers: `http://ADDRESS:PORT/PATH` with an address, not a name.
pub fn check(url: &str) -> io::Result<()> {
    let bad =
        || io::Error::new(io::ErrorKind::InvalidInput, format!("'{url}' is not http://ADDRESS:PORT/PATH"));
    let (place, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).ok_or_else(bad)?;
    let place: SocketAddr = place.parse().map_err(|_| bad())?;
    let mut stream = TcpStream::connect_timeout(&place, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: {place}\r\nconnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    if head.ends_with(b" 200") {
        return Ok(());
    }
    Err(io::Error::other(format!("it answered '{}'", String::from_utf8_lossy(&head))))
}

/// Holds an address for agent `ocf:systole:address`: as long as this runs, no other process on this machine
/// can hold the same address. Says `held` on standard output when it does. Returns only if the address is
/// held elsewhere or is not of this machine.
pub fn hold_address(address: IpAddr) -> io::Result<()> {
    let _held = std::net::UdpSocket::bind(SocketAddr::new(address, ADDRESS_PORT))?;
    let mut out = io::stdout();
    writeln!(out, "held")?;
    out.flush()?;
    loop {
        std::thread::park();
    }
}

/// UDP port by which an address is held.
pub const ADDRESS_PORT: u16 = 40_007;

/// The binary's hidden words behind `systole internal`: `web-server ADDRESS PORT NODE`, `web-check URL`,
/// `hold-address ADDRESS`. Gives the process's exit code; an error is told on standard output or error.
pub fn internal(words: &[String]) -> u8 {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["web-server", address, port, node] => match (address.parse(), port.parse()) {
            (Ok(address), Ok(port)) => run(address, port, node),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "ADDRESS PORT NODE are needed")),
        },
        ["web-check", url] => check(url),
        ["hold-address", address] => match address.parse() {
            Ok(address) => hold_address(address),
            Err(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "an address is needed")),
        },
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "web-server, web-check or hold-address is needed",
        )),
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            // the caller may have closed both
            let _ = writeln!(io::stderr(), "{error}");
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_hello_and_its_status() {
        let address = IpAddr::from([127, 0, 0, 1]);
        let port = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
        std::thread::spawn(move || run(address, port, "node7"));
        let get = |path: &str| {
            let mut stream = loop {
                match TcpStream::connect((address, port)) {
                    Ok(stream) => break stream,
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            };
            write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        };
        assert!(get("/").ends_with("Hello from node7\n"));
        assert!(get("/server-status").contains("OK node7"));
        assert!(check(&format!("http://127.0.0.1:{port}/server-status")).is_ok());
        assert!(check("ftp://x").is_err());
    }
}
