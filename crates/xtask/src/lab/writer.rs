//! A client that writes to redis all the time, and notes what was acknowledged.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// The list that the writes append to.
pub const LIST: &str = "journal";

/// Appends one number after the other until `limit` has passed, each once, and writes a line for each that the master and one replica have.
pub fn write(address: SocketAddr, path: &Path, limit: Duration) -> io::Result<()> {
    let mut out = fs::File::create(path)?;
    let end = Instant::now() + limit;
    let mut number = 0_u64;
    while Instant::now() < end {
        // a connection lasts until something goes wrong on it
        if let Ok(mut connection) = Connection::open(address) {
            while Instant::now() < end {
                number += 1;
                if !connection.append(number).unwrap_or(false) {
                    break;
                }
                out.write_all(format!("{number}\n").as_bytes())?;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_millis(200))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.set_nodelay(true)?;
        Ok(Connection(BufReader::new(stream)))
    }

    /// Whether the master took it and a replica confirmed it.
    fn append(&mut self, number: u64) -> io::Result<bool> {
        let command = format!("RPUSH {LIST} {number}\r\nWAIT 1 1000\r\n");
        self.0.get_mut().write_all(command.as_bytes())?;
        let (taken, copies) = (self.integer()?, self.integer()?);
        Ok(taken.is_some() && copies.is_some_and(|copies| copies >= 1))
    }

    /// One answer; none if it is an error.
    fn integer(&mut self) -> io::Result<Option<u64>> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim().strip_prefix(':').and_then(|number| number.parse().ok()))
    }
}

/// Numbers that were acknowledged so far.
pub fn acknowledged(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    // the last line may be half written
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().filter_map(|line| line.parse().ok()).collect()
}
