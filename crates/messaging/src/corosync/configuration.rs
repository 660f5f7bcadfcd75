//! Nodes and names as Corosync has them in force (rule 4.20.2).

use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_int};

use cluster::{NodeId, Peer};

use super::ffi::{self, Code, Handle};

/// Longest name of a key, with its end.
const KEY: usize = 256;

/// What a node must know of Corosync's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Configuration {
    pub local: Peer,
    pub peers: Vec<Peer>,
    pub cluster_name: Option<String>,
}

/// Reads the configuration that is in force; `local` is this node's id.
pub(super) fn read(cmap: &'static ffi::Cmap, local: u32) -> Result<Configuration, Code> {
    let mut handle = 0;
    // SAFETY: the pointer lives through the call
    unsafe { (cmap.initialize)(&mut handle) }.result()?;
    let keys = Keys { cmap, handle };
    let mut entries: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for key in keys.below("nodelist.node.")? {
        let mut words = key.splitn(4, '.').skip(2);
        if let (Some(index), Some(name), Some(value)) = (words.next(), words.next(), keys.text(&key)) {
            entries.entry(index.to_owned()).or_default().insert(name.to_owned(), value);
        }
    }
    let cluster_name = keys.text("totem.cluster_name").filter(|name| !name.is_empty());
    Ok(assemble(entries.into_values().collect(), local, cluster_name, &host_name()))
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// A node is called by its `name`; else by its address, if that is a name; the own one else as its host.
fn assemble(
    entries: Vec<BTreeMap<String, String>>,
    local: u32,
    cluster_name: Option<String>,
    host_name: &str,
) -> Configuration {
    let mut peers: Vec<Peer> = Vec::new();
    for entry in entries {
        let Some(id) = entry.get("nodeid").and_then(|id| id.parse().ok()) else { continue };
        let name = entry.get("name").cloned().or_else(|| {
            let address = entry.get("ring0_addr")?;
            let is_name = address.parse::<std::net::IpAddr>().is_err();
            is_name.then(|| address.clone())
        });
        let name = name.or_else(|| (id == local).then(|| host_name.to_owned()));
        if let Some(name) = name {
            peers.push(Peer { id: NodeId(id), name });
        }
    }
    let own = peers.iter().find(|peer| peer.id.0 == local).cloned();
    let own = own.unwrap_or_else(|| {
        let own = Peer { id: NodeId(local), name: host_name.to_owned() };
        peers.push(own.clone());
        own
    });
    peers.sort_by_key(|peer| peer.id);
    Configuration { local: own, peers, cluster_name }
}

/// An open connection to the keys.
struct Keys {
    cmap: &'static ffi::Cmap,
    handle: Handle,
}

impl Keys {
    fn below(&self, prefix: &str) -> Result<Vec<String>, Code> {
        let prefix = CString::new(prefix).map_err(|_| Code::NOT_EXIST)?;
        let mut iterator = 0;
        // SAFETY: all pointers live through the call
        unsafe { (self.cmap.iter_init)(self.handle, prefix.as_ptr(), &mut iterator) }.result()?;
        let mut found = Vec::new();
        loop {
            let mut name: [c_char; KEY] = [0; KEY];
            let (mut length, mut kind): (usize, c_int) = (0, 0);
            // SAFETY: a key's name fits into the buffer by the library's own limit
            let code = unsafe {
                (self.cmap.iter_next)(self.handle, iterator, name.as_mut_ptr(), &mut length, &mut kind)
            };
            if code.result().is_err() {
                break;
            }
            let bytes = name.iter().take_while(|byte| **byte != 0).map(|byte| byte.cast_unsigned());
            found.push(String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned());
        }
        // SAFETY: both handles are open
        unsafe { (self.cmap.iter_finalize)(self.handle, iterator) };
        Ok(found)
    }

    /// A text or a whole number, as text.
    fn text(&self, key: &str) -> Option<String> {
        const UNSIGNED_32: c_int = 6;
        const TEXT: c_int = 11;
        let key = CString::new(key).ok()?;
        let (mut buffer, mut length, mut kind) = ([0u8; 1024], 1024usize, 0);
        let value = buffer.as_mut_ptr().cast();
        // SAFETY: the buffer has the length that is passed
        let code = unsafe { (self.cmap.get)(self.handle, key.as_ptr(), value, &mut length, &mut kind) };
        code.result().ok()?;
        match kind {
            TEXT => {
                let bytes = buffer.iter().copied().take_while(|byte| *byte != 0).collect::<Vec<u8>>();
                String::from_utf8(bytes).ok()
            }
            UNSIGNED_32 => Some(u32::from_ne_bytes(buffer[..4].try_into().ok()?).to_string()),
            _ => None,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // SAFETY: the handle is open
        unsafe { (self.cmap.finalize)(self.handle) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn names_come_from_name_then_address_then_host() {
        let entries = vec![
            entry(&[("nodeid", "3"), ("ring0_addr", "10.0.0.3"), ("name", "c")]),
            entry(&[("nodeid", "1"), ("ring0_addr", "10.0.0.1")]),
            entry(&[("nodeid", "2"), ("ring0_addr", "b.example.org")]),
            entry(&[("nodeid", "4"), ("ring0_addr", "fd00::4")]),
        ];
        let read = assemble(entries, 1, None, "here");
        let names: Vec<(u32, &str)> = read.peers.iter().map(|peer| (peer.id.0, &*peer.name)).collect();
        assert_eq!(names, [(1, "here"), (2, "b.example.org"), (3, "c")]);
        assert_eq!(read.local.name, "here");
    }

    #[test]
    fn without_a_node_list_the_host_stands_for_itself() {
        let read = assemble(Vec::new(), 7, Some("x".into()), "here");
        assert_eq!(read.peers, [Peer { id: NodeId(7), name: "here".into() }]);
    }
}
