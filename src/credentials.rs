//! What opens the way to an endpoint: where it is, which may be a secret, and who we are there.
//!
//! Owns their shape; refuses to know where they were read (`preflight`) and how they are used (`sender/`, `transport/`).
//! Plain data, shown nowhere.

use std::fmt;

use url::Url;

use crate::secret::Secret;
use crate::sign::Key;

/// What the secrets of one endpoint said.
pub struct Credentials {
    /// Where it goes. May be a secret itself.
    pub url: Url,
    /// What signs, newest first; none: unsigned.
    pub keys: Vec<Key>,
    /// What PagerDuty knows us by; Some with that format.
    pub routing_key: Option<Secret>,
    /// Who logs in to a mail server; None: nobody does.
    pub login: Option<Login>,
}

/// A name and its password.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

impl Credentials {
    /// An endpoint that nobody logs in to. `keys` newest first; none: unsigned.
    pub fn signing(url: Url, keys: Vec<Key>) -> Credentials {
        Credentials { url, keys, routing_key: None, login: None }
    }
}

/// Shows which there are.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Credentials { url, keys, routing_key, login } = self;
        f.debug_struct("Credentials")
            .field("url", &format_args!("{}://…", url.scheme()))
            .field("keys", keys)
            .field("routing_key", routing_key)
            .field("login", login)
            .finish()
    }
}
