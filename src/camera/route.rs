//! Which way a camera's pictures come: over UDP, or within its TCP connection.
//!
//! Owns the choice and what is remembered of it; refuses to know sockets. Pure.

use crate::config::Transport;

/// How RTP packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// On ports of their own: quick, but packets can be lost, and firewalls in between don't know them.
    Udp,
    /// Interleaved with what is said on the RTSP connection.
    Tcp,
}

impl Way {
    /// As operators know it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Way::Udp => "UDP",
            Way::Tcp => "TCP",
        }
    }

    fn other(self) -> Way {
        match self {
            Way::Udp => Way::Tcp,
            Way::Tcp => Way::Udp,
        }
    }
}

/// The way of one camera, over all of its connections.
#[derive(Debug)]
pub(super) struct Route {
    way: Way,
    /// Both ways may be tried.
    free: bool,
    /// This attempt has tried both.
    turned: bool,
}

impl Route {
    /// As configured. What TLS protects stays within the TLS connection: RTP over UDP would go in the clear.
    pub(super) fn new(transport: Transport, secure: bool) -> Route {
        let free = transport == Transport::Auto && !secure;
        let way = if transport == Transport::Tcp || secure { Way::Tcp } else { Way::Udp };
        Route { way, free, turned: false }
    }

    /// A new attempt begins, on the way of the latest one: it worked, or the other one didn't either.
    pub(super) fn begin(&mut self) -> Way {
        self.turned = false;
        self.way
    }

    /// The way of this attempt.
    pub(super) fn way(&self) -> Way {
        self.way
    }

    /// The camera is there, but nothing comes this way. False: there is no other one to try.
    pub(super) fn turn(&mut self) -> bool {
        if !self.free || self.turned {
            return false;
        }
        (self.way, self.turned) = (self.way.other(), true);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_that_was_configured_is_the_only_one() {
        for (transport, way) in [(Transport::Tcp, Way::Tcp), (Transport::Udp, Way::Udp)] {
            let mut route = Route::new(transport, false);
            assert_eq!((route.begin(), route.turn(), route.way()), (way, false, way));
        }
    }

    #[test]
    fn auto_tries_udp_first_each_way_once_and_remembers_where_it_ended() {
        let mut route = Route::new(Transport::Auto, false);
        assert_eq!((route.begin(), route.turn(), route.way()), (Way::Udp, true, Way::Tcp));
        assert!(!route.turn(), "both were tried");
        assert_eq!((route.begin(), route.way()), (Way::Tcp, Way::Tcp), "it worked, or neither did");
        assert_eq!((route.turn(), route.way()), (true, Way::Udp), "a camera can be set anew");
    }

    #[test]
    fn what_tls_protects_never_goes_in_the_clear() {
        for transport in [Transport::Auto, Transport::Udp, Transport::Tcp] {
            let mut route = Route::new(transport, true);
            assert_eq!((route.begin(), route.turn(), route.way()), (Way::Tcp, false, Way::Tcp), "{transport:?}");
        }
    }
}
