//! A camera's URL that is itself a secret: what `url_file` holds.
//!
//! Owns which URLs are accepted there, and that the login is taken out of them; refuses to read the file. No message here
//! quotes any of it.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Position, Url};

use crate::secret::Secret;

/// As redaction writes it, which knows this module.
const STARS: &str = "***";

/// A URL that may have credentials in its path and query. Only its origin is ever shown.
#[derive(Clone)]
pub struct SecretUrl {
    /// `rtsp://` or `rtsps://`, without user information.
    pub url: Url,
    /// The user information, decoded: user name and password.
    pub login: Option<(String, Secret)>,
}

/// Why a text is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSecretUrl {
    /// More than one line, or blanks around it.
    #[error("it holds more than a URL; write the URL alone into one line")]
    NotAlone,
    /// The grammar.
    #[error(
        "it holds no URL ({0}); write `rtsp://user:password@host/path`, and `@`, `:`, `/`, `?` or `#` in a password as %40, %3A, %2F, %3F or %23"
    )]
    Grammar(url::ParseError),
    /// Recordings are no secrets.
    #[error("its URL starts with neither `rtsp://` nor `rtsps://`; a clip goes into `url`")]
    Scheme,
    /// Nothing to connect to.
    #[error("its URL names no host; a host or an address follows `://` or `@`")]
    NoHost,
    /// What follows would be lost: it may be the rest of a password.
    #[error("there is a `#` in its URL; write it as %23")]
    Fragment,
    /// It decodes to no text.
    #[error("the login in its URL is not UTF-8; check every %XX in it")]
    Login,
}

impl SecretUrl {
    /// Reads what the file holds.
    ///
    /// # Errors
    /// [`NoSecretUrl`].
    pub fn parse(text: &str) -> Result<SecretUrl, NoSecretUrl> {
        // The parser would drop some of these silently.
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(NoSecretUrl::NotAlone);
        }
        let mut url = Url::parse(text).map_err(NoSecretUrl::Grammar)?;
        if !matches!(url.scheme(), "rtsp" | "rtsps") {
            return Err(NoSecretUrl::Scheme);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(NoSecretUrl::NoHost);
        }
        if url.fragment().is_some() {
            return Err(NoSecretUrl::Fragment);
        }
        let decoded = |part: &str| percent_decode_str(part).decode_utf8().map(String::from);
        let (username, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
        let (Ok(username), Ok(password)) = (username, password) else { return Err(NoSecretUrl::Login) };
        let login = (!username.is_empty() || url.password().is_some()).then(|| (username, Secret::new(password)));
        // There is a host, so that both are possible.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        Ok(SecretUrl { url, login })
    }

    /// What may be shown: scheme, host and port, and that there is more.
    pub fn shown(url: &Url) -> String {
        format!("{}://{}/{STARS}", url.scheme(), &url[Position::BeforeHost..Position::AfterPort])
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&SecretUrl::shown(&self.url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_is_taken_out_and_decoded() {
        let read = |text| SecretUrl::parse(text).unwrap();
        let whole = read("rtsp://vie%77er:p%40ss%3Aw%2F%C3%B6%25@10.0.0.21:8554/live?token=t%20k");
        let (username, password) = whole.login.as_ref().unwrap();
        assert_eq!((username.as_str(), password.expose()), ("viewer", "p@ss:w/ö%"));
        assert_eq!(whole.url.as_str(), "rtsp://10.0.0.21:8554/live?token=t%20k");
        assert_eq!(SecretUrl::shown(&whole.url), "rtsp://10.0.0.21:8554/***");
        assert_eq!(format!("{whole:?}"), "rtsp://10.0.0.21:8554/***");
        assert!(read("rtsps://cam.local/key").login.is_none());
        let (token, empty) = read("rtsp://t0ken@cam.local/").login.unwrap();
        assert_eq!((token.as_str(), empty.expose()), ("t0ken", ""));
        assert_eq!(read("rtsp://v:a@b@[fd00::1]/").login.unwrap().1.expose(), "a@b", "what a browser takes, too");
        assert_eq!(SecretUrl::shown(&read("rtsp://v:a@[fd00::1]:8554/x").url), "rtsp://[fd00::1]:8554/***");
    }

    #[test]
    fn what_is_no_such_url_says_what_to_do_and_quotes_nothing() {
        for (text, told) in [
            ("rtsp://h/x\nrtsp://h/y", "it holds more than a URL; write the URL alone into one line"),
            (" rtsp://h/x", "it holds more than a URL; write the URL alone into one line"),
            ("http://h/x", "its URL starts with neither `rtsp://` nor `rtsps://`; a clip goes into `url`"),
            ("file:///srv/hunter2.mp4", "its URL starts with neither `rtsp://` nor `rtsps://`; a clip goes into `url`"),
            ("rtsp:///hunter2", "its URL names no host; a host or an address follows `://` or `@`"),
            ("rtsp://v:1#hunter2@h/x", "there is a `#` in its URL; write it as %23"),
            ("rtsp://v:%ff@h/x", "the login in its URL is not UTF-8; check every %XX in it"),
        ] {
            assert_eq!(SecretUrl::parse(text).unwrap_err().to_string(), told, "{text}");
        }
        let told = SecretUrl::parse("rtsp://v:hunter2/x@h/x").unwrap_err().to_string();
        assert!(told.starts_with("it holds no URL (invalid port number); write `rtsp://user:"), "{told}");
    }
}
