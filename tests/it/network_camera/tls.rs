//! RTSPS: only cameras that prove who they are.

use std::path::{Path, PathBuf};

use rcgen::date_time_ymd;
use stakeout::camera::{Address, Distrust, Problem, Settings};
use stakeout::config::Transport;
use tempfile::TempDir;
use url::Url;

use super::{frame, loss};
use crate::camera::small_clip;
use crate::certificates::{Authority, Identity, serve_tls};
use crate::rtsp::Server;

const HOST: &str = "127.0.0.1";

fn trusting(url: &Url, ca_file: &Path) -> Settings {
    // UDP would go in the clear: it isn't even tried.
    let transport = Transport::Auto;
    Settings { ca_file: Some(ca_file.to_owned()), transport, ..Settings::at(Address::Rtsp(url.clone(), None)) }
}

fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn serve(folder: &TempDir, identity: &Identity) -> Server {
    let (certificate, key) = (write(folder, "cert.pem", &identity.pem), write(folder, "key.pem", &identity.key_pem));
    let tls = ["--tls", certificate.to_str().unwrap(), key.to_str().unwrap()];
    Server::start(&small_clip(folder), 0, &tls)
}

#[test]
fn a_camera_whose_authority_is_known_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("site");
    let server = serve(&folder, &authority.issue(HOST, |_| {}));
    assert_eq!(server.url.scheme(), "rtsps");
    let ca_file = write(&folder, "ca.pem", &authority.pem);
    assert_eq!(frame(trusting(&server.url, &ca_file)).width, 320);
    // The control: the same camera, to somebody who trusts only the system's authorities.
    let untrusting = Settings { ca_file: None, ..trusting(&server.url, &ca_file) };
    assert_eq!(loss(untrusting), Problem::Tls(Distrust::UnknownIssuer));
}

/// Most cameras make their own certificate: its owner may hand it out as `ca_file`.
#[test]
fn a_cameras_own_certificate_can_be_the_authority() {
    let folder = tempfile::tempdir().unwrap();
    let own = Identity::self_signed(HOST);
    let server = serve(&folder, &own);
    let ca_file = write(&folder, "ca.pem", &own.pem);
    assert_eq!(frame(trusting(&server.url, &ca_file)).width, 320);
    for (another, expected) in [("another.example", Distrust::UnknownIssuer), (HOST, Distrust::Unverifiable)] {
        let other = write(&folder, "other.pem", &Identity::self_signed(another).pem);
        assert_eq!(loss(trusting(&server.url, &other)), Problem::Tls(expected), "the one of {another}");
    }
}

#[test]
fn every_certificate_that_is_wrong_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new("site"), Authority::new("stranger"));
    let ca_file = write(&folder, "ca.pem", &authority.pem);
    let cases = [
        (stranger.issue(HOST, |_| {}), Distrust::UnknownIssuer),
        (Identity::self_signed(HOST), Distrust::UnknownIssuer),
        (authority.issue("another.example", |_| {}), Distrust::WrongName),
        (authority.issue(HOST, |it| it.not_after = date_time_ymd(2020, 1, 1)), Distrust::Expired),
        (authority.issue(HOST, |it| it.not_before = date_time_ymd(2098, 1, 1)), Distrust::NotYetValid),
    ];
    for (identity, expected) in cases {
        let address = serve_tls(&identity, None, |_| {});
        let url: Url = format!("rtsps://{address}/cam").parse().unwrap();
        let problem = loss(trusting(&url, &ca_file));
        assert_eq!((problem.code(), problem), ("tls", Problem::Tls(expected)));
    }
}

#[test]
fn plain_rtsp_behind_an_rtsps_url_is_never_used() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&small_clip(&folder), 0, &[]);
    let mut url = server.url.to_string().replace("rtsp://", "rtsps://").parse::<Url>().unwrap();
    let ca_file = write(&folder, "ca.pem", &Authority::new("site").pem);
    assert_eq!(loss(trusting(&url, &ca_file)), Problem::Tls(Distrust::NotTls));
    url.set_port(Some(1)).unwrap();
    assert_eq!(loss(trusting(&url, &ca_file)), Problem::Refused);
}

#[test]
fn a_ca_file_that_is_gone_or_nonsense_stops_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let url: Url = "rtsps://127.0.0.1:1/cam".parse().unwrap();
    for ca_file in [folder.path().join("absent.pem"), write(&folder, "nonsense.pem", "no certificate")] {
        assert_eq!(loss(trusting(&url, &ca_file)), Problem::Tls(Distrust::CaFile));
    }
}
