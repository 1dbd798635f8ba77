//! A connection and not a word on it: whether somebody is there, and may be believed.
//!
//! Owns that it goes the way of a request (the lookup within the egress rules, every address in turn, TLS with the
//! certificate judged) and sends nothing of one: some receivers act on whatever comes. Refuses to know what follows. Runs in
//! the task of whoever asks.

use tokio::time::{Instant, timeout_at};
use url::Url;

use super::connect::{NoConnection, Server};
use super::way::{self, Way};
use super::{ClientError, Settings, failure};
use crate::delivery::Outcome;

/// Why a request would not even have left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreached {
    /// Its class.
    pub outcome: Outcome,
    /// For people.
    pub error: String,
}

/// Connects to where `url` (`http`, `https`) leads and closes the connection; and what was seen on the way. Takes the timeout
/// at most.
///
/// # Errors
/// The URL names no host, or TLS can't be set up.
pub async fn reach(url: &Url, settings: &Settings) -> Result<(Result<(), Unreached>, Way), ClientError> {
    let secure = url.scheme() == "https";
    let server = Server::new(url, secure, if secure { 443 } else { 80 }, settings)?;
    let started = Instant::now();
    Ok(way::noting(started, async {
        match timeout_at(started + settings.timeout, shake_hands(&server)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                Err(Unreached { outcome: failure::before_sending(&*error), error: failure::chain(&*error) })
            }
            Err(_) => {
                let error = format!("no connection within {} s", settings.timeout.as_secs_f64());
                Err(Unreached { outcome: Outcome::Unreachable, error })
            }
        }
    })
    .await)
}

async fn shake_hands(server: &Server) -> Result<(), NoConnection> {
    let tcp = server.connect().await?;
    if server.tls_first {
        server.encrypt(Box::new(tcp)).await?;
    }
    Ok(())
}
