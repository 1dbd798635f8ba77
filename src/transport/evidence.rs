//! Whether this box is offline, by local evidence.
//!
//! Owns what counts as such: no default route, or no name server that says a word. The system's resolver has one error for
//! all of it, also for a name server that answers that it doesn't know; those must be told apart, because waiting for the
//! network of the box is no verdict about an endpoint. Refuses to ask anybody outside (but the box's own name servers).
//! Runs in tasks of tokio.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use rustix::io::Errno;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Documentation networks (RFC 5737, RFC 3849): nobody's, so only a default route leads there. Nothing is sent.
const OUTSIDE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 1))];

/// A question for the name servers of the root: every name server can answer it, if only with an error.
const QUESTION: [u8; 17] = [0x51, 0xa0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];

/// Whether the kernel knows a way to `address`. Nothing is sent.
pub(super) fn has_route(address: IpAddr) -> bool {
    match udp_to(SocketAddr::new(address, 9)) {
        Ok(_) => true,
        Err(error) if error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error()) => false,
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkDown
                | io::ErrorKind::AddrNotAvailable
        ),
    }
}

/// Whether a lookup failed because the box is offline. Takes `patience` at most.
pub(super) async fn is_offline(patience: Duration) -> bool {
    if !OUTSIDE.into_iter().any(has_route) {
        return true;
    }
    let servers = std::fs::read_to_string("/etc/resolv.conf").map(|text| name_servers(&text)).unwrap_or_default();
    // Without a name server to ask, nothing is known.
    !servers.is_empty() && !any_answers(servers, patience).await
}

fn name_servers(resolv_conf: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let is_one = words.next()? == "nameserver";
        words.next().filter(|_| is_one)?.parse().ok()
    };
    resolv_conf.lines().filter_map(address).collect()
}

async fn any_answers(servers: Vec<IpAddr>, patience: Duration) -> bool {
    let mut asked: JoinSet<_> = servers.into_iter().map(|server| timeout(patience, answers(server))).collect();
    while let Some(told) = asked.join_next().await {
        if matches!(told, Ok(Ok(Ok(())))) {
            return true;
        }
    }
    false
}

/// Completes when the name server at `address` says anything.
async fn answers(address: IpAddr) -> io::Result<()> {
    let socket = udp_to(SocketAddr::new(address, 53))?;
    socket.set_nonblocking(true)?;
    let socket = tokio::net::UdpSocket::from_std(socket)?;
    socket.send(&QUESTION).await?;
    socket.recv(&mut [0; 512]).await.map(drop)
}

fn udp_to(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read() {
        let text = "# nameserver 10.0.0.1\nsearch lan\nnameserver 10.0.0.53\n nameserver\t2001:db8::53 # second\nnameserver x\n";
        assert_eq!(name_servers(text), ["10.0.0.53", "2001:db8::53"].map(|ip| ip.parse::<IpAddr>().unwrap()));
    }

    #[test]
    fn there_is_always_a_way_to_oneself() {
        assert!(has_route(Ipv4Addr::LOCALHOST.into()));
    }

    #[tokio::test]
    async fn a_name_server_that_is_not_there_does_not_answer() {
        assert!(!any_answers(vec!["127.213.7.1".parse().unwrap()], Duration::from_secs(5)).await);
    }
}
