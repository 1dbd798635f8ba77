//! Tests in a network of their own: `unshare -n -m`, and a name server that says what it is told to.

use std::net::{IpAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::shared::skip;

const INSIDE: &str = "STAKEOUT_TEST_INSIDE";

/// Whether the test with that path runs inside of its namespace, prepared by `setup`, a shell script. If not, it is run there
/// as a process of its own, and what called this has nothing left to do. `$RESOLV` is a file that `/etc/resolv.conf` is
/// replaced by.
pub fn inside(test: &str, setup: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !Command::new("unshare").args(["-n", "-m", "true"]).status().is_ok_and(|status| status.success()) {
        skip("no network namespace can be made here (`unshare -n -m` needs root)");
        return false;
    }
    let folder = tempfile::tempdir().unwrap();
    let resolv = folder.path().join("resolv.conf");
    std::fs::write(&resolv, "").unwrap();
    let script = format!("set -e\n{setup}\nmount --bind \"$RESOLV\" /etc/resolv.conf\nexec \"$@\"");
    let output = Command::new("unshare")
        .args(["-n", "-m", "sh", "-c", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .env("RESOLV", &resolv)
        .output()
        .unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.contains("1 passed"), "inside the namespace:\n{told}");
    false
}

/// Only the loopback, and a name server on it.
pub const LOOPBACK: &str = "ip link set lo up\necho 'nameserver 127.0.0.1' > \"$RESOLV\"";

/// The same with a default route: the box takes itself for online.
pub const ONLINE: &str = "ip link set lo up\nip route add default dev lo\necho 'nameserver 127.0.0.1' > \"$RESOLV\"";

/// What a name server says.
pub enum Reply {
    Addresses(Vec<IpAddr>),
    NoSuchName,
    ServerFailure,
    Silence,
}

/// A name server at 127.0.0.1, which answers the n-th question for IPv4 addresses (from 0) with `script`; for IPv6 ones it
/// says the same, as if they were one question. Counts the questions for IPv4 addresses.
pub fn name_server(script: impl Fn(usize) -> Reply + Send + 'static) -> Arc<AtomicUsize> {
    const A: u16 = 1;
    let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            let question_end = 12 + packet[12..length].iter().position(|byte| *byte == 0).unwrap() + 5;
            let kind = u16::from_be_bytes([packet[question_end - 4], packet[question_end - 3]]);
            let number =
                if kind == A { count.fetch_add(1, Ordering::SeqCst) } else { count.load(Ordering::SeqCst).max(1) - 1 };
            let (code, addresses) = match script(number) {
                Reply::Addresses(addresses) => (0, addresses),
                Reply::NoSuchName => (3, Vec::new()),
                Reply::ServerFailure => (2, Vec::new()),
                Reply::Silence => continue,
            };
            let addresses: Vec<IpAddr> = addresses.into_iter().filter(|ip| ip.is_ipv4() == (kind == A)).collect();
            let count = u8::try_from(addresses.len()).unwrap();
            let mut reply = [&packet[..2], &[0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]].concat();
            reply.extend(&packet[12..question_end]);
            for address in addresses {
                let bytes = match address {
                    IpAddr::V4(address) => address.octets().to_vec(),
                    IpAddr::V6(address) => address.octets().to_vec(),
                };
                reply.extend([0xc0, 12, 0, kind as u8, 0, 1, 0, 0, 0, 0, 0, bytes.len() as u8]);
                reply.extend(bytes);
            }
            socket.send_to(&reply, from).unwrap();
        }
    });
    asked
}
