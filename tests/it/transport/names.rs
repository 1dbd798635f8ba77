//! Names that lead nowhere, and boxes without a way out, each in a network of its own.

use std::sync::atomic::Ordering;
use std::time::Duration;

use stakeout::delivery::{Attempt, Outcome};

use super::namespace::{LOOPBACK, ONLINE, Reply, inside, name_server};
use super::{AMPLE, OK, answer, client, post, request, serve, status};

const URL: &str = "http://hook.test/";

#[tokio::test]
async fn a_name_that_does_not_exist() {
    if inside("transport::names::a_name_that_does_not_exist", ONLINE) {
        name_server(|_| Reply::NoSuchName);
        let attempt = post(URL).await;
        assert_eq!(attempt.outcome, Outcome::NoSuchHost);
        assert_eq!(error(&attempt), "there is no host `hook.test`: is the URL right?");
    }
}

#[tokio::test]
async fn a_name_without_an_address() {
    if inside("transport::names::a_name_without_an_address", ONLINE) {
        name_server(|_| Reply::Addresses(Vec::new()));
        assert_eq!(post(URL).await.outcome, Outcome::NoSuchHost);
    }
}

#[tokio::test]
async fn a_name_server_that_cannot_say() {
    if inside("transport::names::a_name_server_that_cannot_say", ONLINE) {
        name_server(|_| Reply::ServerFailure);
        let attempt = post(URL).await;
        assert_eq!(attempt.outcome, Outcome::Unreachable, "{attempt:?}");
        assert!(error(&attempt).starts_with("the address of `hook.test` could not be looked up: "), "{attempt:?}");
    }
}

#[tokio::test]
async fn a_name_server_that_is_not_there() {
    if inside("transport::names::a_name_server_that_is_not_there", ONLINE) {
        let attempt = post(URL).await;
        assert_eq!(attempt.outcome, Outcome::Offline, "{attempt:?}");
        assert!(error(&attempt).ends_with(": this box is offline"), "{attempt:?}");
    }
}

#[tokio::test]
async fn a_name_server_that_is_silent() {
    if inside("transport::names::a_name_server_that_is_silent", ONLINE) {
        name_server(|_| Reply::Silence);
        let attempt = post(URL).await;
        assert_eq!(attempt.outcome, Outcome::Offline, "{attempt:?}");
        assert!(error(&attempt).contains("no answer in time"), "{attempt:?}");
    }
}

/// As systemd-resolved does it: the stub on the loopback answers, but there is no way out.
#[tokio::test]
async fn a_local_name_server_of_a_box_without_a_route() {
    if inside("transport::names::a_local_name_server_of_a_box_without_a_route", LOOPBACK) {
        name_server(|_| Reply::ServerFailure);
        assert_eq!(post(URL).await.outcome, Outcome::Offline);
    }
}

#[tokio::test]
async fn a_box_without_a_network() {
    if inside("transport::names::a_box_without_a_network", "") {
        assert_eq!(post(URL).await.outcome, Outcome::Offline);
        assert_eq!(post("http://10.1.2.3/").await.outcome, Outcome::Offline, "ENETUNREACH");
    }
}

#[tokio::test]
async fn a_host_that_is_gone() {
    let setup = format!("{ONLINE}\nip route add unreachable 10.1.2.0/24");
    if inside("transport::names::a_host_that_is_gone", &setup) {
        let attempt = post("http://10.1.2.3/").await;
        assert_eq!(attempt.outcome, Outcome::Unreachable, "EHOSTUNREACH is the host's trouble: {attempt:?}");
    }
}

/// A name with two addresses, on a box that has a route for one family only: the other one has no say.
#[tokio::test]
async fn the_family_without_a_route_has_no_say() {
    if inside("transport::names::the_family_without_a_route_has_no_say", ONLINE) {
        let both = ["127.0.0.1", "2001:db8::1"];
        name_server(move |_| Reply::Addresses(both.map(|ip| ip.parse().unwrap()).to_vec()));
        let (attempt, way) = client(AMPLE).trace(request("http://hook.test:1/")).await;
        assert_eq!(attempt.outcome, Outcome::Unreachable, "refused, not offline: {attempt:?}");
        assert_eq!(way.addresses, [both[0].parse::<std::net::IpAddr>().unwrap()]);
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_forbidden_address() {
    if inside("transport::names::a_name_that_leads_to_a_forbidden_address", ONLINE) {
        name_server(|_| Reply::Addresses(vec!["169.254.169.254".parse().unwrap(), "fd00:ec2::254".parse().unwrap()]));
        let attempt = post(URL).await;
        assert_eq!(attempt.outcome, Outcome::Forbidden, "{attempt:?}");
        assert!(error(&attempt).starts_with("`hook.test` leads to "), "{attempt:?}");
    }
}

/// The name leads to a receiver when it is checked, and to the metadata service from then on.
#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_used() {
    if inside("transport::names::the_address_that_was_checked_is_the_one_that_is_used", ONLINE) {
        let address = serve(|_, mut stream| {
            answer(&mut stream, OK);
        });
        let asked = name_server(|number| {
            let address = if number == 0 { "127.0.0.1" } else { "169.254.169.254" };
            Reply::Addresses(vec![address.parse().unwrap()])
        });
        let client = client(Duration::from_secs(10));
        let fresh = || {
            let mut request = request(&format!("http://hook.test:{}/", address.port()));
            request.fresh_connection = true;
            request
        };
        assert_eq!(client.send(fresh()).await.outcome, status(200));
        assert_eq!(asked.load(Ordering::SeqCst), 1, "one lookup for an attempt");
        assert_eq!(client.send(fresh()).await.outcome, Outcome::Forbidden);
    }
}

fn error(attempt: &Attempt) -> &str {
    attempt.error.as_deref().unwrap()
}
