//! The TCP listener: bound before anything else runs, and to other machines only where there is a token.
//!
//! An address that the box does not have yet is bound all the same (`IP_FREEBIND`): cameras are watched before a network
//! comes, and once the address does, clients get through without anybody's doing.
//!
//! Owns the listener; refuses to know HTTP and who may call (`access`). [`Tcp::bind`] runs on the thread that starts the
//! daemon, before tokio.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use tokio::net::TcpListener;

use super::access::{Access, is_loopback};
use super::socket::BindError;
use crate::secret::Secret;

/// Connections that may wait to be accepted, as the standard library has it.
const BACKLOG: i32 = 128;

/// A listener that is bound, and who may call there.
pub struct Tcp {
    listener: StdListener,
    access: Access,
}

impl Tcp {
    /// Listens at `wanted`; port 0 means any that is free, which the log tells.
    ///
    /// # Errors
    /// The address is taken, or other machines could call without a token.
    pub fn bind(wanted: SocketAddr, token: Option<&Secret>) -> Result<Tcp, BindError> {
        let failed = |source| BindError::Tcp { address: wanted, source };
        let listener = match StdListener::bind(wanted) {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => ahead(wanted).map_err(failed)?,
            listener => listener.map_err(failed)?,
        };
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        if token.is_none() && !is_loopback(address.ip()) {
            return Err(BindError::Open(address));
        }
        tracing::info!(%address, "the API listens");
        Ok(Tcp { listener, access: Access::new(token) })
    }

    /// Hands the listener to tokio.
    pub(super) fn listen(self) -> io::Result<(TcpListener, Access)> {
        Ok((TcpListener::from_std(self.listener)?, self.access))
    }
}

/// Listens at an address that is not ours, and may become it.
fn ahead(wanted: SocketAddr) -> io::Result<StdListener> {
    let family = if wanted.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    match wanted {
        SocketAddr::V4(_) => sockopt::set_ip_freebind(&socket, true)?,
        SocketAddr::V6(_) => sockopt::set_ipv6_freebind(&socket, true)?,
    }
    bind(&socket, &wanted)?;
    listen(&socket, BACKLOG)?;
    let advice = "nobody gets through until it has; check `[api] listen` if it never will";
    tracing::warn!(address = %wanted, "the API listens at an address that this box does not have: {advice}");
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_elsewhere_may_call_where_there_is_no_token() {
        for open in ["0.0.0.0:0", "[::]:0"] {
            let told = Tcp::bind(open.parse().unwrap(), None).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(told.contains("without a token"), "{told}");
            assert!(Tcp::bind(open.parse().unwrap(), Some(&Secret::new("t"))).is_ok());
        }
        assert!(Tcp::bind("127.0.0.1:0".parse().unwrap(), None).is_ok());
        let taken = StdListener::bind("127.0.0.1:0").unwrap();
        let told = Tcp::bind(taken.local_addr().unwrap(), None).err().unwrap().to_string();
        assert!(told.starts_with("the API can't listen at `127.0.0.1:"), "{told}");
    }

    #[test]
    fn an_address_that_may_still_come_is_bound_and_a_port_that_is_taken_is_not() {
        // For documentation (RFC 5737, RFC 3849): no box has them.
        for missing in ["192.0.2.7:0", "[2001:db8::7]:0"] {
            let missing = missing.parse().unwrap();
            let Err(plain) = StdListener::bind(missing) else { panic!("{missing} is ours") };
            let tcp = match Tcp::bind(missing, Some(&Secret::new("t"))) {
                // A machine without IPv6.
                Err(_) if plain.kind() != io::ErrorKind::AddrNotAvailable => continue,
                tcp => tcp.unwrap(),
            };
            let bound = tcp.listener.local_addr().unwrap();
            assert_eq!(bound.ip(), missing.ip());
            let again = Tcp::bind(bound, Some(&Secret::new("t"))).err().map(|error| error.to_string());
            assert!(again.unwrap_or_default().contains("in use"), "a port that is taken is an error");
            assert!(matches!(Tcp::bind(missing, None), Err(BindError::Open(_))), "it needs a token all the same");
        }
    }
}
