//! Who is at the other end of a connection.
//!
//! Owns what the kernel knows about it; refuses to judge it (`access`). Plain data, made once per connection.

use std::fmt;
use std::net::SocketAddr;

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// Over the unix socket: its user, by `SO_PEERCRED`. None when the kernel did not say, and over TCP.
    pub(super) uid: Option<u32>,
    /// Over TCP: from where to where.
    pub(super) link: Option<Link>,
}

/// The two ends of a TCP connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// The client's.
    pub(super) from: SocketAddr,
    /// Ours, as the client reached it.
    pub(super) to: SocketAddr,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.link, self.uid) {
            (Some(link), _) => link.from.fmt(f),
            (None, Some(uid)) => write!(f, "uid {uid}"),
            (None, None) => f.write_str("somebody on this machine"),
        }
    }
}
