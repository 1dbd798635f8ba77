//! Looking up host names: errors that can be told apart, addresses that are checked.
//!
//! Owns the difference between a name that does not exist, a lookup that failed and a box that is offline, and that no
//! address gets past the egress rules: what is handed out here is what is connected to, nothing looks the name up again.
//! Refuses to know who asks. Runs in tasks of tokio (the lookup itself on its blocking threads).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::timeout;

use super::{evidence, way};
use crate::egress::{Egress, Refused};

/// The system's resolver (`getaddrinfo`), within the egress rules.
#[derive(Clone, Debug)]
pub(super) struct SystemResolver {
    egress: Arc<Egress>,
    /// For the lookup, …
    patience: Duration,
    /// … and for finding out why there was no answer.
    afterthought: Duration,
}

/// Why there is no address.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupError {
    /// The name does not exist, or has no address.
    #[error("there is no host `{0}`: is the URL right?")]
    NoSuchHost(String),
    /// Nobody could say.
    #[error("the address of `{host}` could not be looked up: {why}")]
    Failed {
        /// Whose.
        host: String,
        /// What the system says.
        why: String,
    },
    /// Nobody could be asked.
    #[error("the address of `{host}` could not be looked up ({why}): this box is offline")]
    Offline {
        /// Whose.
        host: String,
        /// What the system says.
        why: String,
    },
    /// There are addresses, but none may be used.
    #[error("`{host}` leads to {address}, a {} address: correct the URL, or name it in `[egress] allow`", why.as_str())]
    Forbidden {
        /// Whose.
        host: String,
        /// The first of them.
        address: IpAddr,
        /// Why.
        why: Refused,
    },
}

impl SystemResolver {
    /// A resolver that is done within `limit`, whatever happens.
    pub(super) fn new(egress: Arc<Egress>, limit: Duration) -> SystemResolver {
        SystemResolver { egress, patience: limit.mul_f64(0.75), afterthought: limit.mul_f64(0.2) }
    }

    /// What `host` leads to, as far as it may be used; with port 0.
    pub(super) async fn look_up(self, host: String) -> Result<Vec<SocketAddr>, LookupError> {
        let why = match timeout(self.patience, tokio::net::lookup_host((host.as_str(), 0))).await {
            Ok(Ok(addresses)) => return self.usable(&host, addresses.collect()),
            Ok(Err(error)) => told_apart(&error).ok_or_else(|| LookupError::NoSuchHost(host.clone()))?,
            Err(_) => "no answer in time".to_owned(),
        };
        let offline = evidence::is_offline(self.afterthought).await;
        Err(if offline { LookupError::Offline { host, why } } else { LookupError::Failed { host, why } })
    }

    /// What may be used of `addresses`, and of that what can be reached, if anything can. An address of a family that this
    /// box has no route for would otherwise have the last word about why there is no connection.
    fn usable(&self, host: &str, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, LookupError> {
        let (mut allowed, mut refused) = (Vec::new(), None);
        for address in addresses {
            match self.egress.check(address.ip()) {
                Ok(()) => allowed.push(address),
                Err(why) => refused = refused.or(Some((address.ip(), why))),
            }
        }
        match refused {
            Some((address, why)) if allowed.is_empty() => {
                return Err(LookupError::Forbidden { host: host.to_owned(), address, why });
            }
            None if allowed.is_empty() => return Err(LookupError::NoSuchHost(host.to_owned())),
            _ => {}
        }
        let reachable: Vec<_> = allowed.iter().copied().filter(|address| evidence::has_route(address.ip())).collect();
        let usable = if reachable.is_empty() { allowed } else { reachable };
        way::note(|way, since_start| {
            way.addresses = usable.iter().map(SocketAddr::ip).collect();
            way.looked_up = Some(since_start);
        });
        Ok(usable)
    }
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.clone().look_up(name.as_str().to_owned());
        Box::pin(async move { Ok(Box::new(lookup.await?.into_iter()) as Addrs) })
    }
}

/// Why a lookup failed; None: because there is no such host. The standard library passes on only the text of
/// `getaddrinfo`'s error: EAI_NONAME and EAI_NODATA, in the words of glibc and of musl.
fn told_apart(error: &io::Error) -> Option<String> {
    const NO_SUCH_HOST: [&str; 3] =
        ["Name or service not known", "No address associated with hostname", "Name does not resolve"];
    let why = error.to_string();
    let why = why.strip_prefix("failed to lookup address information: ").unwrap_or(&why);
    (!NO_SUCH_HOST.iter().any(|text| why.contains(text))).then(|| why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver() -> SystemResolver {
        SystemResolver::new(Arc::default(), Duration::from_secs(2))
    }

    fn usable(addresses: &[&str]) -> Result<Vec<String>, String> {
        let addresses = addresses.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
        let usable = resolver().usable("hook.example", addresses);
        usable.map(|list| list.iter().map(|a| a.ip().to_string()).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_that_does_not_exist_is_not_a_lookup_that_failed() {
        let told = |why: &str| told_apart(&io::Error::other(format!("failed to lookup address information: {why}")));
        assert_eq!(told("Name or service not known"), None);
        assert_eq!(told("Temporary failure in name resolution").unwrap(), "Temporary failure in name resolution");
    }

    #[test]
    fn forbidden_addresses_are_left_out_and_told_when_none_is_left() {
        assert_eq!(usable(&["169.254.169.254", "127.0.0.1", "64:ff9b::a9fe:a9fe"]), Ok(vec!["127.0.0.1".into()]));
        assert_eq!(
            usable(&["::ffff:169.254.169.254", "fe80::1"]).unwrap_err(),
            "`hook.example` leads to ::ffff:169.254.169.254, a link-local address: correct the URL, or name it in \
             `[egress] allow`"
        );
        assert_eq!(usable(&[]).unwrap_err(), "there is no host `hook.example`: is the URL right?");
    }
}
