//! URLs of cameras, and what is looked at in any URL.
//!
//! Owns which ones are accepted for cameras and that none carries a secret; refuses to resolve or open them. No message here quotes a
//! URL: what is wrong with it may be the password in it.

use std::net::IpAddr;
use std::ops::Range;

use url::{Host, Url};

use super::mask;
use super::value::{self, Problem, Read, Value};
use crate::egress;

/// `rtsp://`, `rtsps://` or `file://`.
pub(super) fn camera(value: &Value<'_>) -> Read<Url> {
    let url = parse(value, "\"rtsp://10.0.0.21/stream1\"")?;
    match url.scheme() {
        "file" => match url.to_file_path() {
            Ok(_) => return Ok(url),
            Err(()) => {
                let label = "an absolute path follows `file://`: `\"file:///srv/clips/dock.mp4\"`";
                return Err(Problem::new(value.span(), " does not name a file", label).into());
            }
        },
        "rtsp" | "rtsps" => {}
        scheme => {
            let predicate = format!(" can't start with `{scheme}://`");
            return Err(Problem::new(value.span(), predicate, "use `rtsp://`, `rtsps://` or `file://`").into());
        }
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(no_host(value.span()));
    }
    if has_userinfo(&url) {
        let help = "write `username = \"viewer\"` and `password_file = \"/etc/stakeout/cam.pass\"` beside it";
        return Err(credentials(value.span(), help));
    }
    let help = "otherwise put the whole URL into a file of its own, and name that as `url_file`";
    no_telling_parameter(value, &url, "`username` and `password_file`, if the camera takes them", help)?;
    Ok(url)
}

fn parse(value: &Value<'_>, example: &'static str) -> Read<Url> {
    let text = value::text_like("a URL", example)(value)?;
    Url::parse(&text).map_err(|why| {
        Problem::new(value.span(), format!(" is not a URL: {why}"), format!("for example `{example}`")).into()
    })
}

pub(super) fn no_host(at: Range<usize>) -> Vec<Problem> {
    Problem::new(at, " names no host", "a host or an address follows `://`").into()
}

pub(super) fn credentials(at: Range<usize>, help: &str) -> Vec<Problem> {
    let label = "leave out what stands before the `@`";
    Problem::new(at, " must not contain credentials", label).help(help).into()
}

pub(super) fn has_userinfo(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// `?token=…` and `/user=a&password=b/` are credentials too.
pub(super) fn no_telling_parameter(value: &Value<'_>, url: &Url, instead: &str, help: &str) -> Read<()> {
    let mut parts = url[url::Position::BeforePath..].split(['/', '?', '&', ';', '#']);
    let Some(name) = parts.find_map(login_name) else { return Ok(()) };
    let predicate = format!(" must not contain credentials (`{name}=`)");
    Err(Problem::new(value.span(), predicate, format!("use {instead}")).help(help).into())
}

/// The name in `password=x`, if it is one of a login. Some cameras want `user=a_password=x_channel=1` in one piece: then it
/// is the first name, as what stands before the others is a value.
fn login_name(part: &str) -> Option<&str> {
    let (names, value) = part.rsplit_once('=')?;
    let first = names.split('=').next()?;
    (!value.is_empty() && names.split('=').any(mask::is_login)).then_some(first)
}

/// The host, also of a URL whose scheme the URL standard gives no rules for: there an address is a name like any other.
pub(super) fn host(url: &Url) -> Option<Host<String>> {
    match url.host()? {
        Host::Domain("") => None,
        Host::Domain(name) => Host::parse(name).ok().filter(|host| literal(host).is_some() || is_host_name(name)),
        Host::Ipv4(address) => Some(Host::Ipv4(address)),
        Host::Ipv6(address) => Some(Host::Ipv6(address)),
    }
}

/// Whether it can be the name of a host: labels of letters, digits, `_` and `-` (RFC 1123), which TLS insists on.
fn is_host_name(name: &str) -> bool {
    let may = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(may) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.strip_suffix('.').unwrap_or(name).split('.').all(label)
}

/// The address, where the host is written as one.
pub(super) fn literal(host: &Host<String>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
    }
}

/// Whether traffic to it stays on the premises.
pub(super) fn is_private(host: &Host<String>) -> bool {
    let Host::Domain(name) = host else { return literal(host).is_some_and(egress::is_private) };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let reserved = ["localhost", "local", "internal", "home.arpa"];
    !name.contains('.') || reserved.iter().any(|zone| name.ends_with(&format!(".{zone}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn private(host_written: &str) -> bool {
        let url = Url::parse(&format!("http://{host_written}/x")).unwrap();
        is_private(&host(&url).unwrap())
    }

    #[test]
    fn private_hosts() {
        for there in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.1.4",
            "[::1]",
            "[fd12::1]",
            "[::ffff:10.0.0.1]",
            "localhost",
            "nas",
            "hub.local",
        ] {
            assert!(private(there), "{there}");
        }
        for public in ["8.8.8.8", "172.32.0.1", "[2001:db8::1]", "example.com", "localhost.example.com", "mylocal.com"]
        {
            assert!(!private(public), "{public}");
        }
    }
}
