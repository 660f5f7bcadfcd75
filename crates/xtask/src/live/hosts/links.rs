//! What can be done to the cables of hosts.

use std::io;
use std::process::Stdio;

use super::Hosts;
use super::relay::Cable;

impl Hosts {
    /// Takes a host's cable out: nothing gets through in either direction, and the carrier stays up.
    pub fn cut(&self, name: &str) -> io::Result<()> {
        let port = self.port(name)?;
        self.in_lan(&["ip", "link", "set", &port, "nomaster"])
    }

    /// Undoes [`Hosts::cut`].
    pub fn heal(&self, name: &str) -> io::Result<()> {
        self.in_lan(&["ip", "link", "set", &self.port(name)?, "master", &self.bridge(name)?])
    }

    /// From now on nothing reaches a host, and what it sends gets through: its port of the bridge forgets
    /// that the host is there, and gets no frames for hosts that are nowhere.
    pub fn deafen(&self, name: &str) -> io::Result<()> {
        let port = self.port(name)?;
        let mut words = vec!["ip", "link", "set", "dev", port.as_str(), "type", "bridge_slave"];
        words.extend(["learning", "off", "flood", "off", "mcast_flood", "off", "bcast_flood", "off"]);
        self.in_lan(&words)?;
        self.in_lan(&["ip", "link", "set", "dev", &port, "type", "bridge_slave", "fdb_flush"])
    }

    /// Gives a host a bad cable, also after it was powered off and on: its port gets a bridge of its own, from
    /// which only a relay leads on.
    pub fn worsen(&mut self, name: &str, cable: Cable) -> io::Result<()> {
        self.mend(name)?;
        let index = self.index(name)?;
        let number = self.hosts[index].number;
        let (own, near, far) = (format!("bad{number}"), format!("near{number}"), format!("far{number}"));
        self.in_lan(&["ip", "link", "add", &own, "type", "bridge", "forward_delay", "0"])?;
        self.in_lan(&["ip", "link", "set", &own, "up"])?;
        for (tap, bridge) in [(&near, own.as_str()), (&far, "br0")] {
            self.in_lan(&["ip", "tuntap", "add", tap, "mode", "tap"])?;
            self.in_lan(&["ip", "link", "set", tap, "master", bridge, "up"])?;
        }
        let mut relay = self.client_command(&std::env::current_exe()?);
        let relay = relay.args(["relay", &near, &far]).args(cable.words()).stdout(Stdio::null());
        self.hosts[index].relay = Some(relay.spawn()?);
        self.heal(name)
    }

    /// Undoes [`Hosts::worsen`].
    pub fn mend(&mut self, name: &str) -> io::Result<()> {
        let index = self.index(name)?;
        let Some(mut relay) = self.hosts[index].relay.take() else { return Ok(()) };
        relay.kill()?;
        relay.wait()?;
        self.heal(name)?;
        let number = self.hosts[index].number;
        for device in ["near", "far", "bad"] {
            self.in_lan(&["ip", "link", "del", &format!("{device}{number}")])?;
        }
        Ok(())
    }

    pub(super) fn port(&self, name: &str) -> io::Result<String> {
        Ok(format!("p{}", self.hosts[self.index(name)?].number))
    }

    /// The bridge that a host's port belongs to.
    pub(super) fn bridge(&self, name: &str) -> io::Result<String> {
        let host = &self.hosts[self.index(name)?];
        Ok(host.relay.as_ref().map_or_else(|| "br0".to_owned(), |_| format!("bad{}", host.number)))
    }
}
