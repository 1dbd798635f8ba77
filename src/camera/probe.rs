//! Why a camera could not be connected to.
//!
//! `rtspsrc` reports a closed port, a dead host and a name that nobody knows with the same words. This asks the network
//! once more, after the fact, for the cause. Runs on the camera's thread and takes half a second at most.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use url::Url;

use super::problem::Problem;

const PATIENCE: Duration = Duration::from_millis(500);

/// The likely reason why there was no connection to `url`.
pub(super) fn why_not(url: &Url) -> Problem {
    // A name would have to be looked up, which can't be bounded in time.
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let Ok(address) = host.parse::<IpAddr>() else { return Problem::Unreachable };
    let secure = url.scheme() == "rtsps";
    let port = url.port().unwrap_or(if secure { 322 } else { 554 });
    match TcpStream::connect_timeout(&SocketAddr::new(address, port), PATIENCE) {
        Ok(_) if secure => Problem::Tls,
        Ok(_) => Problem::Disconnected,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Problem::Refused,
        Err(_) => Problem::Unreachable,
    }
}
