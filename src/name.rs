//! Names of cameras, models, monitors and endpoints.
//!
//! Owns what a name may look like; refuses to know what it names.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest name that is accepted, in bytes.
pub const MAX_LEN: usize = 64;

/// An operator-given name: 1 to 64 ASCII letters, digits, `-`, `_` or `.`, starting with a letter or digit.
///
/// Cheap to clone. It is safe in a path, a URL segment, a metric label and a log line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

/// Why a string is not a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing was given.
    #[error("a name must not be empty")]
    Empty,
    /// More than [`MAX_LEN`] bytes.
    #[error("a name has at most {MAX_LEN} characters")]
    TooLong,
    /// A character that a path, a URL or a metric label would not take as it is.
    #[error("a name has only letters, digits, `-`, `_` and `.`, and starts with a letter or digit")]
    Character,
}

impl Name {
    /// Checks `text` and makes a name of it.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() {
            return Err(InvalidName::Empty);
        }
        if text.len() > MAX_LEN {
            return Err(InvalidName::TooLong);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !text.chars().all(allowed) || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(InvalidName::Character);
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::new(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_may_look_like() {
        for good in ["a", "dock-box-01", "Cam_3.left", "9"] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
        assert_eq!(Name::new(""), Err(InvalidName::Empty));
        assert_eq!(Name::new(&"x".repeat(65)), Err(InvalidName::TooLong));
        for bad in ["-a", ".a", "a b", "a/b", "ä", "a\n"] {
            assert_eq!(Name::new(bad), Err(InvalidName::Character), "{bad:?}");
        }
    }
}
