//! Who may call: the token, and whom a request without one may come from.
//!
//! Owns the rules (contracts/api.md): over the unix socket the file's mode decides; over TCP this machine needs no token
//! and everybody else does; web pages of others get nothing. Refuses to know routes and responses. Pure.
//!
//! A browser on this machine is this machine, too. What a page of another site asks carries a foreign `Origin`; and where
//! its name was made to lead here (DNS rebinding), its origin is the same, but `Host` is that name: without the token only
//! addresses of ours and `localhost` are answered.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::peer::{Link, Peer};
use crate::secret::Secret;

/// A proxy that says so speaks for somebody else, wherever it runs.
const FORWARDED: [HeaderName; 2] = [header::FORWARDED, HeaderName::from_static("x-forwarded-for")];

/// What clients of AIOZ Stream show their secret in, beside or instead of `Authorization`; empty where they have none.
const SECRET_KEY: HeaderName = HeaderName::from_static("stream-secret-key");

/// Browsers say in it where a request comes from, for pictures and links too, which carry no `Origin`.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What has to be shown, and who need not.
pub(super) struct Access {
    /// Only its digest is kept: digests are of one length, so comparing them tells nothing of the token's.
    token: Option<[u8; 32]>,
}

/// Why somebody may not call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// A web page of this origin.
    Origin(String),
    /// A web page of another site, by `Sec-Fetch-Site`.
    Site(String),
    /// It comes from elsewhere, and shows no token.
    NoToken,
    /// What it shows is not the token.
    WrongToken,
    /// It calls us by this name, and shows no token.
    Host(String),
}

impl Access {
    /// `token`: None where there is none.
    pub(super) fn new(token: Option<&Secret>) -> Access {
        Access { token: token.map(|token| digest(token.expose().as_bytes())) }
    }

    /// Whether `peer` may make a request with these headers.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn admits(&self, peer: &Peer, headers: &HeaderMap) -> Result<(), Denied> {
        of_own_pages(headers)?;
        let Some(link) = peer.link else { return Ok(()) };
        if let Some(token) = self.token {
            let shown: Vec<_> = [authorization(headers), secret_key(headers)].into_iter().flatten().collect();
            if shown.iter().any(|shown| digest(shown).ct_eq(&token).into()) {
                return Ok(());
            }
            // On this machine, too: who shows a token means to be let in by it.
            if !shown.is_empty() {
                return Err(Denied::WrongToken);
            }
        }
        let forwarded = FORWARDED.iter().any(|name| headers.contains_key(name));
        if forwarded || !is_loopback(link.from.ip()) {
            return Err(Denied::NoToken);
        }
        by_own_name(link, headers)
    }
}

/// Whether `address` is this machine, however it is written.
pub(super) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The bearer token, or the password of HTTP Basic.
fn authorization(headers: &HeaderMap) -> Option<Zeroizing<Vec<u8>>> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, rest) = value.split_at(value.iter().position(|byte| *byte == b' ')?);
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(Zeroizing::new(rest.to_vec()));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let login = Zeroizing::new(STANDARD.decode(rest).ok()?);
    let colon = login.iter().position(|byte| *byte == b':')?;
    Some(Zeroizing::new(login[colon + 1..].to_vec()))
}

fn secret_key(headers: &HeaderMap) -> Option<Zeroizing<Vec<u8>>> {
    let key = headers.get(SECRET_KEY)?.as_bytes().trim_ascii();
    (!key.is_empty()).then(|| Zeroizing::new(key.to_vec()))
}

/// Only browsers send `Origin` and `Sec-Fetch-Site`.
fn of_own_pages(headers: &HeaderMap) -> Result<(), Denied> {
    let sites = headers.get_all(SITE).iter().map(|site| String::from_utf8_lossy(site.as_bytes()));
    // `none`: typed into the address line.
    if let Some(other) = sites.into_iter().find(|site| !["same-origin", "none"].contains(&&**site)) {
        return Err(Denied::Site(other.into_owned()));
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = String::from_utf8_lossy(origin.as_bytes());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let named = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    match (named, host) {
        (Some(named), Some(host)) if named.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Denied::Origin(origin.into_owned())),
    }
}

fn by_own_name(link: Link, headers: &HeaderMap) -> Result<(), Denied> {
    let Some(host) = headers.get(header::HOST) else { return Ok(()) };
    let text = String::from_utf8_lossy(host.as_bytes());
    let named: Option<Authority> = text.parse().ok();
    let name = named.as_ref().map_or(&*text, Authority::host);
    let address: Option<IpAddr> = name.trim_matches(['[', ']']).parse().ok();
    let is_ours = match address {
        Some(address) => is_loopback(address) || address.to_canonical() == link.to.ip().to_canonical(),
        None => name.is_empty() || name.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
    };
    if is_ours { Ok(()) } else { Err(Denied::Host(text.into_owned())) }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const TOKEN: &str = "s3cret:with colon";

    fn tcp(from: &str) -> Peer {
        let from: IpAddr = from.parse().unwrap();
        let to: IpAddr = if is_loopback(from) { from } else { "10.0.0.5".parse().unwrap() };
        let link = Link { from: SocketAddr::new(from, 4242), to: SocketAddr::new(to, 8787) };
        Peer { uid: None, link: Some(link) }
    }

    fn asks(peer: Peer, token: Option<&str>, headers: &[(HeaderName, &str)]) -> Result<(), Denied> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        Access::new(token.map(Secret::new).as_ref()).admits(&peer, &headers)
    }

    fn basic(password: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("x:{password}")))
    }

    #[test]
    fn who_is_not_on_this_machine_needs_the_token() {
        let of = |from, value: &str| asks(tcp(from), Some(TOKEN), &[(header::AUTHORIZATION, value)]);
        for from in ["10.0.0.9", "::ffff:10.0.0.9", "fd00::9"] {
            assert_eq!(asks(tcp(from), Some(TOKEN), &[]), Err(Denied::NoToken), "{from}");
            assert_eq!(asks(tcp(from), None, &[]), Err(Denied::NoToken), "{from}: not even where there is none");
            assert_eq!(of(from, &format!("Bearer {TOKEN}")), Ok(()));
            assert_eq!(of(from, &format!("bEARER  {TOKEN} ")), Ok(()));
            assert_eq!(of(from, &basic(TOKEN)), Ok(()), "a colon in the password");
            for wrong in ["", "s3cret", "S3cret:with colon", "s3cret:with colon2"] {
                assert_eq!(of(from, &format!("Bearer {wrong}")), Err(Denied::WrongToken), "{wrong}");
                assert_eq!(of(from, &basic(wrong)), Err(Denied::WrongToken), "{wrong}");
            }
            for nonsense in ["Bearer", TOKEN, "Basic !", "Basic eA==", "Digest x"] {
                assert!(of(from, nonsense).is_err(), "{nonsense}");
            }
        }
    }

    #[test]
    fn clients_of_aioz_show_it_as_their_secret_key() {
        let shows = |from, headers: &[(HeaderName, &str)]| asks(tcp(from), Some(TOKEN), headers);
        let other = [(header::AUTHORIZATION, "Bearer of-somebody"), (SECRET_KEY, TOKEN)];
        assert_eq!([shows("10.0.0.9", &[(SECRET_KEY, TOKEN)]), shows("10.0.0.9", &other)], [Ok(()), Ok(())]);
        let bearer = format!("Bearer {TOKEN}");
        let without_keys = [(header::AUTHORIZATION, bearer.as_str()), (SECRET_KEY, "")];
        assert_eq!(shows("10.0.0.9", &without_keys), Ok(()), "they send the header whether they have a key or not");
        let neither = [(header::AUTHORIZATION, ""), (SECRET_KEY, "")];
        assert_eq!(shows("10.0.0.9", &neither), Err(Denied::NoToken));
        let public = HeaderName::from_static("stream-public-key");
        assert_eq!(shows("10.0.0.9", &[(public, TOKEN)]), Err(Denied::NoToken), "it is no secret");
        for from in ["10.0.0.9", "127.0.0.1"] {
            assert_eq!(shows(from, &[(SECRET_KEY, "wrong")]), Err(Denied::WrongToken), "{from}");
        }
    }

    #[test]
    fn this_machine_needs_none_unless_it_speaks_for_others() {
        for from in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(asks(tcp(from), Some(TOKEN), &[]), Ok(()), "{from}");
            assert_eq!(asks(tcp(from), None, &[]), Ok(()));
            for name in FORWARDED {
                assert_eq!(asks(tcp(from), Some(TOKEN), &[(name, "for=10.0.0.9")]), Err(Denied::NoToken));
            }
            let wrong = [(header::AUTHORIZATION, "Bearer x")];
            assert_eq!(asks(tcp(from), Some(TOKEN), &wrong), Err(Denied::WrongToken));
            assert_eq!(asks(tcp(from), None, &wrong), Ok(()), "no token is no wrong one");
        }
    }

    #[test]
    fn a_name_that_was_made_to_lead_here_is_none_of_ours() {
        let called = |host| asks(tcp("127.0.0.1"), Some(TOKEN), &[(header::HOST, host)]);
        for ours in ["", "127.0.0.1", "127.0.0.1:8787", "[::1]:8787", "::1", "localhost", "LOCALHOST.:1", "localhost:9"]
        {
            assert_eq!(called(ours), Ok(()), "{ours}");
        }
        for other in
            ["evil.example", "evil.example:8787", "localhost.evil.example", "10.0.0.5:8787", "a b", "127.0.0.1.nip"]
        {
            assert_eq!(called(other), Err(Denied::Host(other.to_owned())));
        }
        let bearer = format!("Bearer {TOKEN}");
        let with_token = [(header::HOST, "box.example"), (header::AUTHORIZATION, bearer.as_str())];
        assert_eq!(asks(tcp("127.0.0.1"), Some(TOKEN), &with_token), Ok(()));
        assert_eq!(asks(tcp("10.0.0.9"), Some(TOKEN), &with_token), Ok(()));
    }

    #[test]
    fn pages_of_others_get_nothing_whatever_they_show() {
        let unix = Peer { uid: Some(0), link: None };
        let bearer = format!("Bearer {TOKEN}");
        let from = |peer, origin: &str, host| {
            let headers = [(header::ORIGIN, origin), (header::HOST, host), (header::AUTHORIZATION, bearer.as_str())];
            asks(peer, Some(TOKEN), &headers)
        };
        for peer in [unix, tcp("127.0.0.1"), tcp("10.0.0.9")] {
            for foreign in ["https://evil.example", "null", "", "http://10.0.0.5:80", "box:8787", "file://box:8787"] {
                assert_eq!(from(peer, foreign, "box:8787"), Err(Denied::Origin(foreign.to_owned())));
            }
            assert_eq!(from(peer, "http://box:8787", "box:8787"), Ok(()), "a page of our own");
            assert_eq!(from(peer, "https://BOX", "box"), Ok(()), "behind a proxy with TLS");
        }
        assert_eq!(asks(unix, Some(TOKEN), &[(header::HOST, "anything")]), Ok(()));
    }

    #[test]
    fn pictures_and_links_in_pages_of_others_get_nothing_either() {
        let bearer = format!("Bearer {TOKEN}");
        for peer in [Peer { uid: Some(0), link: None }, tcp("127.0.0.1"), tcp("10.0.0.9")] {
            let from = |site: &str| asks(peer, Some(TOKEN), &[(SITE, site), (header::AUTHORIZATION, bearer.as_str())]);
            for foreign in ["cross-site", "same-site", ""] {
                assert_eq!(from(foreign), Err(Denied::Site(foreign.to_owned())));
            }
            assert_eq!([from("same-origin"), from("none")], [Ok(()), Ok(())]);
        }
    }
}
