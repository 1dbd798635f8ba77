//! A secret: text that is used and never shown.
//!
//! Owns that it is wiped from memory when it is dropped and that `Debug` does not show it; refuses `Display` and
//! serialisation, and to know where it came from. Plain data.

use std::fmt;

use zeroize::Zeroizing;

/// A password, a signing key, a URL that grants access. Whoever wants to use it has to say so: [`Secret::expose`].
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret that is already in memory.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// The secret itself: for signing and for logging in, never for showing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?} {:#?}", Some(Secret::new("hunter2")), Secret::default()), "Some(***) ***");
        assert_eq!(Secret::from("hunter2".to_owned()).expose(), "hunter2");
    }
}
