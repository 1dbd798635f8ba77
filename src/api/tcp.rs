//! The TCP listener: bound before anything else runs, and to other machines only where there is a token.
//!
//! Owns the listener; refuses to know HTTP and who may call (`access`). [`Tcp::bind`] runs on the thread that starts the
//! daemon, before tokio.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use tokio::net::TcpListener;

use super::access::{Access, is_loopback};
use super::socket::BindError;
use crate::secret::Secret;

/// A listener that is bound, and who may call there.
pub struct Tcp {
    listener: StdListener,
    access: Access,
}

impl Tcp {
    /// Listens at `wanted`; port 0 means any that is free, which the log tells.
    ///
    /// # Errors
    /// The address is taken or not ours, or other machines could call without a token.
    pub fn bind(wanted: SocketAddr, token: Option<&Secret>) -> Result<Tcp, BindError> {
        let failed = |source| BindError::Tcp { address: wanted, source };
        let listener = StdListener::bind(wanted).map_err(failed)?;
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
}
