//! Whether the names of cameras and endpoints lead anywhere.
//!
//! Owns whom is asked, the system's resolver, and for how long; refuses to connect.

use std::collections::BTreeSet;
use std::io;
use std::net::ToSocketAddrs;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use url::{Host, Url};

use super::report::{Finding, Report};
use crate::config::{CameraUrl, Config, EndpointUrl};
use crate::time;

/// A resolver that takes longer is of no use to a delivery either.
const PATIENCE: Duration = Duration::from_secs(5);

const CHECK: &str = "dns";

pub(super) fn examine(config: &Config, report: &mut Report) -> io::Result<()> {
    let names = names(config);
    if names.is_empty() {
        return report.tell(Finding::ok(CHECK, "there are no names to look up"));
    }
    names.into_iter().try_for_each(|name| report.tell(look_up(&name).of(&name)))
}

/// Hosts that are no addresses. Those of secret URLs the check of their endpoint looks up.
fn names(config: &Config) -> BTreeSet<String> {
    let cameras = config.cameras.iter().filter_map(|camera| match &camera.url {
        CameraUrl::Open(url) => name(&url.value),
        CameraUrl::Secret(_) => None,
    });
    let endpoints = config.endpoints.iter().filter_map(|endpoint| match &endpoint.url {
        EndpointUrl::Open(url) => name(&url.value),
        EndpointUrl::Secret(_) => None,
    });
    cameras.chain(endpoints).collect()
}

/// Of schemes that the URL grammar doesn't know (`rtsp`, `smtp`) a host is text, whatever it is.
fn name(url: &Url) -> Option<String> {
    match url.host()? {
        Host::Domain(name) if name.parse::<std::net::Ipv4Addr>().is_err() && !name.is_empty() => Some(name.to_owned()),
        _ => None,
    }
}

fn look_up(name: &str) -> Finding {
    let (tell, told) = mpsc::channel();
    let asked = name.to_owned();
    let began = time::now().mono;
    // A lookup can't be ended: its thread is left to the end of the process.
    let started = thread::Builder::new().spawn(move || {
        let found = (asked.as_str(), 0).to_socket_addrs().map(|all| all.map(|one| one.ip()).collect::<BTreeSet<_>>());
        drop(tell.send(found));
    });
    let remedy = "check the name, `/etc/resolv.conf` and the network (`getent hosts NAME`)";
    if let Err(error) = started {
        return Finding::fail(CHECK, format!("cannot start a thread: {error}"), "free some memory");
    }
    let took = || time::now().mono.since(began).as_millis();
    match told.recv_timeout(PATIENCE) {
        Ok(Ok(addresses)) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            Finding::ok(CHECK, format!("{} (looked up in {} ms)", addresses.join(", "), took()))
        }
        Ok(Err(error)) => Finding::fail(CHECK, format!("it can't be looked up: {error}"), remedy),
        Err(_) => Finding::fail(CHECK, format!("nobody answered within {} s", PATIENCE.as_secs()), remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_no_names() {
        let name = |url: &str| name(&url.parse().unwrap());
        assert_eq!(name("https://ops.example/x").as_deref(), Some("ops.example"));
        assert_eq!(name("rtsp://cam.lan/x").as_deref(), Some("cam.lan"));
        for url in ["https://10.0.0.1/", "rtsp://10.0.0.1/x", "rtsp://[::1]/x", "file:///x"] {
            assert_eq!(name(url), None, "{url}");
        }
    }
}
