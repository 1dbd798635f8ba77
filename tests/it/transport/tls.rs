//! Certificates that are right and wrong, and ends of handshakes, with a real TLS receiver.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{CertificateParams, date_time_ymd};
use stakeout::delivery::{Attempt, Outcome};
use stakeout::transport::{Client, PemError, Settings, Tls, certificates};

use super::{AMPLE, OK, answer, request, serve, status};
use crate::certificates::{Authority, Identity, serve_tls};

fn client_with(tls: Tls) -> Client {
    Client::new(&Settings { tls, ..Settings::new(AMPLE) }).unwrap()
}

fn trusting(authority: &Authority) -> Tls {
    Tls::default().trusting(authority.pem.as_bytes()).unwrap()
}

async fn post(tls: Tls, address: SocketAddr) -> Attempt {
    client_with(tls).send(request(&format!("https://localhost:{}/", address.port()))).await
}

/// What a client that believes the authority makes of a certificate for `host`.
async fn against(host: &str, change: impl FnOnce(&mut CertificateParams)) -> Attempt {
    let authority = Authority::new("Yard CA");
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let address = serve_tls(&authority.issue(host, change), None, move |stream| {
        if answer(stream, OK).is_some() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let attempt = post(trusting(&authority), address).await;
    let expected = usize::from(attempt.outcome.is_success());
    // The answer is here before the other thread has counted it.
    for _ in 0..500 {
        if requests.load(Ordering::SeqCst) == expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(requests.load(Ordering::SeqCst), expected, "only a verified receiver gets the request");
    attempt
}

#[tokio::test]
async fn a_private_authority() {
    assert_eq!(against("localhost", |_| {}).await.outcome, status(200));
}

#[tokio::test]
async fn the_systems_authorities_do_not_know_it() {
    let address = serve_tls(&Authority::new("Yard CA").issue("localhost", |_| {}), None, |_| {});
    assert_eq!(post(Tls::default(), address).await.outcome, Outcome::Tls);
}

#[tokio::test]
async fn another_authority_of_the_same_name() {
    let address = serve_tls(&Authority::new("Yard CA").issue("localhost", |_| {}), None, |_| {});
    assert_eq!(post(trusting(&Authority::new("Yard CA")), address).await.outcome, Outcome::Tls);
}

#[tokio::test]
async fn a_self_signed_certificate() {
    let address = serve_tls(&Identity::self_signed("localhost"), None, |_| {});
    let attempt = post(trusting(&Authority::new("Yard CA")), address).await;
    assert_eq!(attempt.outcome, Outcome::Tls, "{attempt:?}");
}

#[tokio::test]
async fn a_certificate_for_another_name() {
    let attempt = against("hook.example", |_| {}).await;
    assert_eq!(attempt.outcome, Outcome::Tls);
    assert!(attempt.error.unwrap().contains("not valid for name"), "the error says so");
}

#[tokio::test]
async fn certificates_out_of_their_time() {
    let expired = against("localhost", |params| params.not_after = date_time_ymd(2001, 1, 1)).await;
    assert_eq!(expired.outcome, Outcome::CertificateDates, "{expired:?}");
    let not_yet = against("localhost", |params| params.not_before = date_time_ymd(2098, 1, 1)).await;
    assert_eq!(not_yet.outcome, Outcome::CertificateDates, "{not_yet:?}");
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_certificate() {
    let (receivers, boxes) = (Authority::new("Receivers"), Authority::new("Boxes"));
    let address = serve_tls(&receivers.issue("localhost", |_| {}), Some(&boxes), |stream| {
        answer(stream, OK);
    });
    let presenting = |identity: &Identity| {
        let chain = certificates(identity.pem.as_bytes()).unwrap();
        trusting(&receivers).presenting(chain, identity.key_pem.as_bytes()).unwrap()
    };
    assert_eq!(post(presenting(&boxes.issue("dock-box-01", |_| {})), address).await.outcome, status(200));
    let without = post(trusting(&receivers), address).await;
    assert_eq!(without.outcome, Outcome::Tls, "{without:?}");
    let foreign = post(presenting(&Identity::self_signed("dock-box-01")), address).await;
    assert_eq!(foreign.outcome, Outcome::Tls, "{foreign:?}");
}

/// A receiver of TLS 1.1 only: it says so with an alert, or it answers in its own version.
#[tokio::test]
async fn handshakes_that_come_to_nothing() {
    const PROTOCOL_VERSION: &[u8] = b"\x15\x03\x01\x00\x02\x02\x46";
    const HANDSHAKE_FAILURE: &[u8] = b"\x15\x03\x03\x00\x02\x02\x28";
    let hello = [&b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02"[..], &[7; 32], b"\x00\x00\x2f\x00"].concat();
    for words in [PROTOCOL_VERSION.to_vec(), HANDSHAKE_FAILURE.to_vec(), hello] {
        let address = serve(move |_, mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&words);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let attempt = post(Tls::default(), address).await;
        assert_eq!(attempt.outcome, Outcome::Tls, "{attempt:?}");
    }
}

#[tokio::test]
async fn a_certificate_is_described_even_if_it_is_refused() {
    let authority = Authority::new("Yard CA");
    let address = serve_tls(&authority.issue("hook.example", |_| {}), None, |_| {});
    let url = format!("https://localhost:{}/", address.port());
    let (attempt, way) = client_with(trusting(&authority)).trace(request(&url)).await;
    assert_eq!(attempt.outcome, Outcome::Tls);
    let shown = way.certificate.unwrap();
    assert_eq!((&*shown.subject, &*shown.issuer), ("CN=hook.example", "CN=Yard CA"));
    assert_eq!(shown.not_after.to_string(), "2099-12-31T00:00:00Z");
    assert_eq!(way.connected, None);
    assert!(!way.addresses.is_empty() && way.looked_up.is_some());
}

#[test]
fn files_that_cannot_be_used() {
    let (one, other) = (Identity::self_signed("a"), Identity::self_signed("b"));
    let chain = || certificates(one.pem.as_bytes()).unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let wrong_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let trusting = |pem: &str| Tls::default().trusting(pem.as_bytes()).map(drop);
    let presenting = |key: &str| Tls::default().presenting(chain(), key.as_bytes()).map(drop);
    assert_eq!(trusting(""), Err(PemError::NoCertificate));
    assert_eq!(trusting(&one.key_pem), Err(PemError::NoCertificate));
    assert_eq!(trusting(broken), Err(PemError::BadCertificate));
    assert_eq!(presenting(&one.pem), Err(PemError::NoKey));
    assert_eq!(presenting(wrong_key), Err(PemError::BadKey));
    assert_eq!(presenting(&other.key_pem), Err(PemError::OtherKey));
    assert_eq!(presenting(&one.key_pem), Ok(()));
    let tls = Tls::default().presenting(chain(), one.key_pem.as_bytes()).unwrap();
    assert_eq!(format!("{tls:?}"), "Tls { own_authorities: false, own_certificate: true }");
}
