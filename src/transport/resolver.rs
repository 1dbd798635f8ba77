//! Looking up host names, with errors that can be told apart.
//!
//! Owns the difference between a name that does not exist and a lookup that failed; refuses to know who asks. It is also
//! the place where addresses will be checked and pinned. Runs in tasks of tokio (the lookup itself on its blocking threads).

use std::io;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver (`getaddrinfo`).
pub(super) struct SystemResolver;

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
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            match tokio::net::lookup_host((host.as_str(), 0)).await {
                Ok(addresses) => Ok(Box::new(addresses.collect::<Vec<_>>().into_iter()) as Addrs),
                Err(error) => Err(told_apart(&host, &error).into()),
            }
        })
    }
}

/// The standard library passes on only the text of `getaddrinfo`'s error: EAI_NONAME and EAI_NODATA, in the words of glibc
/// and of musl.
fn told_apart(host: &str, error: &io::Error) -> LookupError {
    const NO_SUCH_HOST: [&str; 3] =
        ["Name or service not known", "No address associated with hostname", "Name does not resolve"];
    let why = error.to_string();
    let why = why.strip_prefix("failed to lookup address information: ").unwrap_or(&why).to_owned();
    if NO_SUCH_HOST.iter().any(|text| why.contains(text)) {
        LookupError::NoSuchHost(host.to_owned())
    } else {
        LookupError::Failed { host: host.to_owned(), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_exist_is_not_a_lookup_that_failed() {
        let text = |why: &str| {
            let error = io::Error::other(format!("failed to lookup address information: {why}"));
            told_apart("hook.example", &error).to_string()
        };
        assert_eq!(text("Name or service not known"), "there is no host `hook.example`: is the URL right?");
        assert_eq!(
            text("Temporary failure in name resolution"),
            "the address of `hook.example` could not be looked up: Temporary failure in name resolution"
        );
    }
}
