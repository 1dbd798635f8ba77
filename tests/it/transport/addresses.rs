//! Where requests do not go: forbidden addresses, redirects, proxies; and that nothing is carried from one to the next.

use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, mpsc};

use stakeout::delivery::Outcome;
use stakeout::egress::{Egress, network};
use stakeout::transport::{Client, Settings};

use super::{AMPLE, OK, answer, client, post, request, serve, status};

#[tokio::test]
async fn forbidden_addresses_in_every_spelling_of_a_url() {
    for host in [
        "169.254.169.254",
        "0xa9fea9fe",
        "0xA9.0xFE.0xA9.0xFE",
        "0251.0376.0251.0376",
        "2852039166",
        "169.254.43518",
        "169.0xfe.43518",
        "１６９.254.169.254",
        "169。254。169。254",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[::]",
        "0.0.0.0",
        "0",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        for scheme in ["http", "https"] {
            let attempt = post(&format!("{scheme}://{host}/latest/meta-data/")).await;
            assert_eq!(attempt.outcome, Outcome::Forbidden, "{host}");
            assert!(attempt.error.unwrap().ends_with("correct the URL, or name the address in `[egress] allow`"));
        }
    }
}

/// The rule is what refuses, not the network: an address that answers is let through only by `allow`.
#[tokio::test]
async fn what_is_allowed_is_connected_to() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            answer(&mut stream, OK);
        }
    });
    // Linux takes 0.0.0.0 for the loopback.
    let url = format!("http://0.0.0.0:{port}/");
    assert_eq!(post(&url).await.outcome, Outcome::Forbidden);
    let egress = Arc::new(Egress::allowing([network("0.0.0.0").unwrap()]));
    let client = Client::new(&Settings { egress, ..Settings::new(AMPLE) }).unwrap();
    assert_eq!(client.send(request(&url)).await.outcome, status(200));
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    for target in ["http://169.254.169.254/latest/meta-data/", &format!("http://{}/", elsewhere.local_addr().unwrap())]
    {
        for code in [301, 302, 303, 307, 308] {
            let moved = format!("HTTP/1.1 {code} x\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n");
            let address = serve(move |_, mut stream| {
                answer(&mut stream, moved.as_bytes());
            });
            assert_eq!(post(&format!("http://{address}/")).await.outcome, status(code));
        }
    }
    assert!(elsewhere.accept().is_err(), "nobody went there");
}

#[tokio::test]
async fn cookies_are_not_kept() {
    let (told, heads) = mpsc::channel();
    let address = serve(move |_, mut stream| {
        let baked = b"HTTP/1.1 200 OK\r\nSet-Cookie: session=1; Path=/\r\nContent-Length: 0\r\n\r\n";
        while let Some(head) = answer(&mut stream, baked) {
            told.send(head).unwrap();
        }
    });
    let client = client(AMPLE);
    for _ in 0..2 {
        assert_eq!(client.send(request(&format!("http://{address}/"))).await.outcome, status(200));
        assert!(!heads.recv().unwrap().contains("cookie"));
    }
}

/// In a process of its own, because the environment is the process's.
#[tokio::test]
async fn proxies_of_the_environment_are_not_used() {
    const RECEIVER: &str = "STAKEOUT_TEST_RECEIVER";
    if let Ok(url) = std::env::var(RECEIVER) {
        assert_eq!(post(&url).await.outcome, status(200));
        return;
    }
    let receiver = serve(|_, mut stream| {
        answer(&mut stream, OK);
    });
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let proxy_url = format!("http://{}", proxy.local_addr().unwrap());
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "transport::addresses::proxies_of_the_environment_are_not_used"]);
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(variable, &proxy_url);
    }
    let output = child.env_remove("NO_PROXY").env(RECEIVER, format!("http://{receiver}/")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
    assert!(proxy.accept().is_err(), "nobody went there");
}
