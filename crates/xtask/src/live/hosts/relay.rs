//! A bad cable: hands frames on between two TAP devices, late, not all of them, some twice, some in pieces.
//!
//! A process of its own in the namespace of the hosts' bridge, since kernels often come without `netem`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// TUNSETIFF, which makes an open `/dev/net/tun` one end of a device.
const ATTACH: rustix::ioctl::Opcode = 0x4004_54ca;

/// IFF_TAP and IFF_NO_PI: whole Ethernet frames, nothing before them.
const WHOLE_FRAMES: i16 = 0x0002 | 0x1000;

/// After this time a replayed frame comes again.
const AGAIN: Duration = Duration::from_secs(2);

/// Frames under way in one direction; more are dropped, as a real queue does.
const MOST: usize = 10_000;

/// How bad a cable is, in each of its directions.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cable {
    /// Milliseconds that every frame takes.
    pub delay: u64,
    /// Milliseconds that it may take longer, evenly spread: frames overtake each other.
    pub jitter: u64,
    /// Of a hundred frames, so many are lost.
    pub loss: u64,
    /// Of a hundred frames, so many come a second time, and a third time cut off somewhere.
    pub replay: u64,
}

impl Cable {
    /// Words of a command line.
    pub fn words(self) -> [String; 4] {
        [self.delay, self.jitter, self.loss, self.replay].map(|number| number.to_string())
    }

    fn parse(words: &[&str]) -> Option<Cable> {
        let numbers: Option<Vec<u64>> = words.iter().map(|word| word.parse().ok()).collect();
        let [delay, jitter, loss, replay] = numbers?[..] else { return None };
        Some(Cable { delay, jitter, loss, replay })
    }
}

/// Relays between two TAP devices until it is killed.
pub fn run(words: &[&str]) -> Result<(), String> {
    let [one, other, cable @ ..] = words else {
        return Err("relay needs two devices and a cable".to_owned());
    };
    let cable = Cable::parse(cable).ok_or("relay needs delay, jitter, loss and replay as numbers")?;
    let open = |name: &str| attach(name).map_err(|error| format!("{name}: {error}"));
    let (one, other) = (open(one)?, open(other)?);
    let copy = |file: &File| file.try_clone().map_err(|error| error.to_string());
    let there = [(copy(&one)?, copy(&other)?), (other, one)];
    let both = there.map(|(from, to)| {
        let (sender, receiver) = channel();
        thread::spawn(move || deliver(to, &receiver));
        thread::spawn(move || read(from, cable, &sender))
    });
    both.into_iter().try_for_each(|direction| match direction.join() {
        Ok(ended) => ended.map_err(|error| error.to_string()),
        Err(_) => Err("a direction of the relay broke off".to_owned()),
    })
}

#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

/// One end of a TAP device that exists.
fn attach(name: &str) -> io::Result<File> {
    let mut request = Request { name: [0; 16], flags: WHOLE_FRAMES, rest: [0; 22] };
    for (to, from) in request.name[..15].iter_mut().zip(name.bytes()) {
        *to = from;
    }
    let file = File::options().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, whose size and layout `Request` has.
    unsafe { rustix::ioctl::ioctl(&file, rustix::ioctl::Updater::<ATTACH, Request>::new(&mut request))? };
    Ok(file)
}

/// A frame and when it is to arrive.
type Due = (Instant, Vec<u8>);

fn read(mut from: File, cable: Cable, to: &Sender<Due>) -> io::Result<()> {
    let mut chance = Chance::new()?;
    let mut buffer = vec![0; 65_536];
    loop {
        let length = from.read(&mut buffer)?;
        if chance.percent() < cable.loss {
            continue;
        }
        let frame = buffer[..length].to_vec();
        let now = Instant::now();
        let arrives = now + Duration::from_millis(cable.delay + chance.below(cable.jitter + 1));
        let mut all = vec![(arrives, frame.clone())];
        if chance.percent() < cable.replay {
            all.extend(shortened(&frame, &mut chance).map(|short| (arrives, short)));
            all.push((now + AGAIN, frame));
        }
        if all.into_iter().any(|due| to.send(due).is_err()) {
            return Ok(());
        }
    }
}

fn deliver(mut to: File, from: &Receiver<Due>) {
    let mut waiting: BTreeMap<(Instant, u64), Vec<u8>> = BTreeMap::new();
    let mut count = 0;
    loop {
        let now = Instant::now();
        while let Some(first) = waiting.first_entry().filter(|entry| entry.key().0 <= now) {
            // a device that is down loses what is sent to it
            let _ = to.write(&first.remove());
        }
        let rest = waiting.keys().next().map_or(Duration::from_secs(60), |(due, _)| *due - now);
        match from.recv_timeout(rest) {
            Ok((due, frame)) if waiting.len() < MOST => {
                count += 1;
                waiting.insert((due, count), frame);
            }
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Where the parts of a frame begin that an IPv4 header without options leads.
const IP: usize = 14;
const UDP: usize = IP + 20;
const PAYLOAD: usize = UDP + 8;

/// An UDP datagram of which the end is missing, with headers that fit: the kernel takes it, its receiver must not.
fn shortened(frame: &[u8], chance: &mut Chance) -> Option<Vec<u8>> {
    let is_udp = frame.len() > PAYLOAD + 1 && frame[12..15] == [0x08, 0x00, 0x45] && frame[IP + 9] == 17;
    if !is_udp {
        return None;
    }
    let cut = PAYLOAD + usize::try_from(chance.below((frame.len() - PAYLOAD) as u64)).unwrap_or_default();
    let mut short = frame[..cut].to_vec();
    let length = |begin: usize| u16::try_from(cut - begin).unwrap_or_default().to_be_bytes();
    short[IP + 2..IP + 4].copy_from_slice(&length(IP));
    short[UDP + 4..UDP + 6].copy_from_slice(&length(UDP));
    // over IPv4 no checksum is as good as a right one
    short[UDP + 6..PAYLOAD].fill(0);
    short[IP + 10..IP + 12].fill(0);
    let sum = checksum(&short[IP..UDP]);
    short[IP + 10..IP + 12].copy_from_slice(&sum.to_be_bytes());
    Some(short)
}

/// The Internet's checksum.
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

/// Numbers that nobody foresees, well enough for a bad cable (xorshift).
struct Chance(u64);

impl Chance {
    fn new() -> io::Result<Chance> {
        let mut seed = [0; 8];
        File::open("/dev/urandom")?.read_exact(&mut seed)?;
        Ok(Chance(u64::from_ne_bytes(seed) | 1))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn percent(&mut self) -> u64 {
        self.below(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_datagram_has_headers_that_fit() {
        let mut frame = vec![0; PAYLOAD + 100];
        frame[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
        frame[IP + 9] = 17;
        let mut chance = Chance(7);
        for _ in 0..100 {
            let short = shortened(&frame, &mut chance).expect("it is a datagram");
            assert!((PAYLOAD..frame.len()).contains(&short.len()));
            assert_eq!(usize::from(u16::from_be_bytes([short[IP + 2], short[IP + 3]])), short.len() - IP);
            assert_eq!(usize::from(u16::from_be_bytes([short[UDP + 4], short[UDP + 5]])), short.len() - UDP);
            assert_eq!(checksum(&short[IP..UDP]), 0);
        }
        frame[IP + 9] = 6;
        assert_eq!(shortened(&frame, &mut chance), None);
    }

    #[test]
    fn a_cable_is_told_in_words() {
        let cable = Cable { delay: 20, jitter: 5, loss: 1, replay: 0 };
        let words = cable.words();
        assert_eq!(Cable::parse(&words.each_ref().map(String::as_str)), Some(cable));
        assert_eq!(Cable::parse(&["1", "2", "3"]), None);
        assert_eq!(Cable::parse(&["1", "2", "3", "many"]), None);
    }
}
