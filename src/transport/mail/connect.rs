//! Connections to a mail server.
//!
//! Owns the lookup within the egress rules, the order in which addresses are tried and the handshake; refuses to know what
//! is said over them. Runs in the task of the attempt.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::extension::ClientId;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::dialogue::Wire;
use super::problem::Problem;
use crate::egress::Egress;
use crate::transport::resolver::{LookupError, SystemResolver};
use crate::transport::{CONNECT, ClientError, Settings, way};

/// A mail server as it is connected to.
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
    /// Of `smtp://` or `smtps://`.
    ///
    /// # Errors
    /// It is neither, or names no host; or TLS can't be set up.
    pub(super) fn new(url: &Url, settings: &Settings) -> Result<Server, ClientError> {
        let (tls_first, usual_port) = match url.scheme() {
            "smtps" => (true, 465),
            "smtp" => (false, 587),
            other => {
                return Err(ClientError::Mail(format!("`{other}` is no scheme for letters; use `smtps` or `smtp`")));
            }
        };
        let no_host = || ClientError::Mail("the URL names no host; a host follows `://`".to_owned());
        // To the URL standard this scheme's hosts are any text.
        let host = Host::parse(url.host_str().ok_or_else(no_host)?).map_err(|_| no_host())?;
        let name = match &host {
            Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| no_host())?,
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
    pub(super) async fn connect(&self) -> Result<TcpStream, Problem> {
        let deadline = Instant::now() + self.patience;
        let addresses = self.addresses().await.map_err(|error| Problem::Connecting(error.into()))?;
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
        Err(Problem::Connecting(failure.into()))
    }

    /// Agrees on TLS over `wire`.
    pub(super) async fn encrypt(&self, wire: Box<dyn Wire>) -> Result<Box<dyn Wire>, Problem> {
        let shaken = self.tls.connect(self.name.clone(), wire).await;
        let tls = shaken.map_err(|error| Problem::Connecting(error.into()))?;
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

/// Who we say we are: the host's name where it is a whole one, and otherwise our address (RFC 5321, 4.1.3).
pub(super) fn name_of(tcp: &TcpStream) -> ClientId {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_whole = name.contains('.') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    match tcp.local_addr().map(|here| here.ip()) {
        _ if is_whole => ClientId::Domain(name),
        Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::default(),
    }
}
