//! Connections of our own: to a mail server, or only to see whether somebody is there.
//!
//! Owns the lookup within the egress rules, the order in which addresses are tried and the handshake; refuses to know what
//! is said over them. Runs in the task of the attempt.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::resolver::{LookupError, SystemResolver};
use super::{CONNECT, ClientError, Settings, way};
use crate::egress::Egress;

/// A connection, with TLS or without.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// Why there is no connection: an error that [`super::failure`] knows how to read.
pub(super) type NoConnection = Box<dyn Error + Send + Sync>;

/// A server as it is connected to.
pub(super) struct Server {
    host: Host<String>,
    port: u16,
    /// Whether TLS comes before the first word.
    pub(super) tls_first: bool,
    name: ServerName<'static>,
    egress: Arc<Egress>,
    tls: TlsConnector,
    /// Lookup and connecting take so long at most.
    patience: Duration,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Server {
    /// The host of `url`, at its port or the usual one of its scheme.
    ///
    /// # Errors
    /// It names no host; or TLS can't be set up.
    pub(super) fn new(url: &Url, tls_first: bool, usual_port: u16, settings: &Settings) -> Result<Server, ClientError> {
        // To the URL standard the hosts of most schemes are any text.
        let host = Host::parse(url.host_str().ok_or(ClientError::NoHost)?).map_err(|_| ClientError::NoHost)?;
        let name = match &host {
            Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| ClientError::NoHost)?,
            Host::Ipv4(address) => ServerName::from(IpAddr::V4(*address)),
            Host::Ipv6(address) => ServerName::from(IpAddr::V6(*address)),
        };
        let tls = settings.tls.config().map_err(|error| ClientError::Setup(error.to_string()))?;
        Ok(Server {
            host,
            port: url.port().unwrap_or(usual_port),
            tls_first,
            name,
            egress: Arc::clone(&settings.egress),
            tls: TlsConnector::from(Arc::new(tls)),
            patience: CONNECT.min(settings.timeout.mul_f64(0.9)),
        })
    }

    /// Connects to the first address that answers.
    pub(super) async fn connect(&self) -> Result<TcpStream, NoConnection> {
        let deadline = Instant::now() + self.patience;
        let addresses = self.addresses().await?;
        let mut failure = std::io::Error::from(std::io::ErrorKind::TimedOut);
        for (tried, address) in addresses.iter().enumerate() {
            // An address that swallows everything leaves time for the others.
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left.div_f64((addresses.len() - tried) as f64);
            match timeout(share, TcpStream::connect((address.ip(), self.port))).await {
                Ok(Ok(tcp)) => {
                    way::note(|way, since_start| {
                        way.peer = tcp.peer_addr().ok();
                        way.connected = Some(since_start);
                    });
                    return Ok(tcp);
                }
                Ok(Err(error)) => failure = error,
                Err(_) => {}
            }
        }
        Err(failure.into())
    }

    /// Agrees on TLS over `wire`.
    pub(super) async fn encrypt(&self, wire: Box<dyn Wire>) -> Result<Box<dyn Wire>, NoConnection> {
        let tls = self.tls.connect(self.name.clone(), wire).await?;
        way::note(|way, since_start| way.connected = Some(since_start));
        Ok(Box::new(tls))
    }

    /// What is connected to; nothing looks the name up again.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, LookupError> {
        let literal = match &self.host {
            Host::Domain(name) => {
                return SystemResolver::new(Arc::clone(&self.egress), self.patience).look_up(name.clone()).await;
            }
            Host::Ipv4(address) => IpAddr::V4(*address),
            Host::Ipv6(address) => IpAddr::V6(*address),
        };
        match self.egress.check(literal) {
            Ok(()) => Ok(vec![SocketAddr::new(literal, self.port)]),
            Err(why) => Err(LookupError::Forbidden { host: self.host.to_string(), address: literal, why }),
        }
    }
}
