//! The daemon's own connections: what an endpoint's settings say is what its sender does.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::{OK, answer, header};
use crate::appliance::Appliance;
use crate::certificates::{Authority, serve_tls};

/// Mutual TLS under two private authorities, with a proxy in the environment; and a second endpoint to the same receiver
/// that lacks the certificates, and gets nothing.
#[test]
fn a_daemon_presents_its_certificate_to_a_receiver_of_a_private_authority() {
    let (receivers, boxes) = (Authority::new("Receivers"), Authority::new("Boxes"));
    let (told, arrived) = mpsc::channel();
    let address = serve_tls(&receivers.issue("localhost", |_| {}), Some(&boxes), move |stream| {
        while let Some(head) = answer(stream, OK) {
            let _ = told.send(head);
        }
    });
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    let url = format!("https://localhost:{}/", address.port());
    let mut appliance = Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\nloop = true\n\
         [[monitor]]\nname = \"person\"\ncamera = \"yard\"\nmodel = \"yard-classifier\"\nlabels = [\"person\"]\n\
         [[endpoint]]\nname = \"ops\"\nurl = \"{url}\"\nheaders = {{ \"X-Endpoint\" = \"ops\" }}\n\
         ca_file = \"HERE/ca.pem\"\nclient_cert = \"HERE/box.pem\"\nclient_key = \"HERE/box.key\"\n\
         [[endpoint]]\nname = \"bare\"\nurl = \"{url}\"\nheaders = {{ \"X-Endpoint\" = \"bare\" }}\n",
        clip.display()
    ));
    let identity = boxes.issue("dock-box-01", |_| {});
    let files = [("ca.pem", &receivers.pem), ("box.pem", &identity.pem), ("box.key", &identity.key_pem)];
    files.iter().for_each(|(name, pem)| fs::write(appliance.folder.path().join(name), pem).unwrap());
    let proxy_url = format!("http://{}", proxy.local_addr().unwrap());
    appliance.start_with(&[("HTTPS_PROXY", &proxy_url), ("ALL_PROXY", &proxy_url)]);

    let head = arrived.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(header(&head, "x-endpoint"), "ops");
    let held = appliance.until("the other endpoint is held", |it| {
        let rows = it.json(&["deliveries", "--json", "--endpoint", "bare"]);
        rows.into_iter().find(|row| row["state"] == "held")
    });
    assert_eq!((&held["reason"], &held["attempts"]), (&"endpoint_down".into(), &0.into()), "{held}");
    appliance.stop();
    assert!(arrived.try_iter().all(|head| header(&head, "x-endpoint") == "ops"));
    assert!(proxy.accept().is_err(), "nobody went to the proxy");
}
