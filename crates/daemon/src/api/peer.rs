//! Who is on the other end of a connection.

use std::fs;

use tokio::net::UnixStream;
use view::api::Problem;

/// Members may use the cluster's tools.
const GROUP: &str = "haclient";

/// A connection's other end, as the kernel knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    /// May read and change everything.
    privileged: bool,
    /// May read and change what access control allows.
    member: bool,
    user: Option<String>,
    /// Names of the groups the user is in.
    groups: Vec<String>,
}

/// May do what root may.
const CLUSTER_USER: &str = "hacluster";

impl Peer {
    pub(super) fn of(stream: &UnixStream) -> Peer {
        match stream.peer_cred() {
            Ok(peer) => Peer::from_ids(peer.uid(), peer.gid(), rustix::process::getuid().as_raw()),
            Err(_) => Peer { privileged: false, member: false, user: None, groups: Vec::new() },
        }
    }

    fn from_ids(uid: u32, gid: u32, own: u32) -> Peer {
        if uid == 0 || uid == own {
            // the frequent case must not cost reading the user tables
            let user = (uid == 0).then(|| "root".to_owned());
            return Peer { privileged: true, member: true, user, groups: Vec::new() };
        }
        let user = user_name(&fs::read_to_string("/etc/passwd").unwrap_or_default(), uid);
        let privileged = user.as_deref() == Some(CLUSTER_USER);
        let groups = groups_of(&fs::read_to_string("/etc/group").unwrap_or_default(), gid, user.as_deref());
        let member = privileged || groups.iter().any(|group| group == GROUP);
        Peer { privileged, member, user, groups }
    }

    /// Whether this peer may use the interface at all.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.member {
            return Ok(());
        }
        let mut problem = Problem::new(
            "permission-denied",
            4,
            "only root and members of group haclient may use the cluster",
        );
        problem
            .details
            .push(format!("add the user to the group: usermod -aG {GROUP} USER, then log in again"));
        Err(problem)
    }

    /// Whether it may do what root may.
    pub(super) fn is_privileged(&self) -> bool {
        self.privileged
    }

    /// Who may do everything may act as another user, by that one's rights (rule 5c.10.1). What others say of
    /// themselves counts for nothing.
    pub(super) fn on_behalf_of(self, name: Option<&str>) -> Peer {
        let name = name.filter(|name| !name.is_empty() && !["root", CLUSTER_USER].contains(name));
        let Some(name) = name.filter(|_| self.privileged) else { return self };
        let groups = fs::read_to_string("/etc/group").unwrap_or_default();
        let primary = primary_group(&fs::read_to_string("/etc/passwd").unwrap_or_default(), name);
        let groups = groups_of(&groups, primary.unwrap_or(u32::MAX), Some(name));
        Peer { privileged: false, member: true, user: Some(name.to_owned()), groups }
    }

    /// As what the cluster knows this peer, using this program.
    pub(super) fn client(&self, program: &str) -> cluster::Client {
        let program = if program.is_empty() { "api" } else { program };
        cluster::Client {
            program: program.to_owned(),
            user: self.user.clone(),
            groups: self.groups.clone(),
            restricted: !self.privileged,
        }
    }
}

/// Numbers of the cluster's user and its group, if this host has it.
pub(crate) fn cluster_user() -> Option<(u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let line = passwd.lines().find(|line| line.split(':').next() == Some(CLUSTER_USER))?;
    Some((line.split(':').nth(2)?.parse().ok()?, primary_group(&passwd, CLUSTER_USER)?))
}

/// Name of a user in the text of `/etc/passwd`.
fn user_name(passwd: &str, uid: u32) -> Option<String> {
    let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found =
        fields.into_iter().find(|fields| fields.get(2).and_then(|id| id.parse().ok()) == Some(uid))?;
    found.first().map(|name| (*name).to_owned())
}

/// Number of a user's primary group in the text of `/etc/passwd`.
fn primary_group(passwd: &str, user: &str) -> Option<u32> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(user))?;
    line.split(':').nth(3)?.parse().ok()
}

/// Names of the groups in the text of `/etc/group` that are the primary one or list this user.
fn groups_of(groups: &str, gid: u32, user: Option<&str>) -> Vec<String> {
    let is_in = |fields: &[&str]| {
        let primary = fields.get(2).and_then(|id| id.parse().ok()) == Some(gid);
        let listed =
            fields.get(3).is_some_and(|names| names.split(',').any(|name| Some(name.trim()) == user));
        primary || listed
    };
    let lines = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines.filter(|fields| is_in(fields)).map(|fields| fields[0].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "root:x:0:\nhaclient:x:189:alice,bob\nusers:x:100:carol";

    #[test]
    fn membership_is_by_primary_or_listed_group() {
        assert_eq!(groups_of(GROUPS, 189, None), ["haclient"]);
        assert_eq!(groups_of(GROUPS, 100, Some("bob")), ["haclient", "users"]);
        assert_eq!(groups_of(GROUPS, 100, Some("dave")), ["users"]);
        assert!(groups_of("", 189, Some("bob")).is_empty());
        assert_eq!(user_name("a:x:1:1::/:\nalice:x:1001:1::/:", 1001).as_deref(), Some("alice"));
    }

    #[test]
    fn only_the_privileged_act_as_another() {
        let root = Peer::from_ids(0, 0, 500).on_behalf_of(Some("nobody-here")).client("x");
        assert!(root.restricted && root.user.as_deref() == Some("nobody-here"));
        assert!(!Peer::from_ids(0, 0, 500).on_behalf_of(None).client("x").restricted);
        let stranger = Peer::from_ids(4_000_000, 4_000_000, 500);
        assert_eq!(stranger.clone().on_behalf_of(Some("root")), stranger);
        assert_eq!(stranger.clone().on_behalf_of(Some("alice")), stranger);
    }

    #[test]
    fn root_and_the_daemons_user_are_privileged() {
        assert!(Peer::from_ids(0, 0, 500).privileged && Peer::from_ids(500, 1, 500).privileged);
        assert!(Peer::from_ids(4_000_000, 4_000_000, 500).check().is_err());
    }
}
