//! Egress rules: which addresses a request may go to (contracts/delivery.md, "Egress").
//!
//! Owns what an address means, in all its spellings; refuses to know names, URLs and sockets. Receivers on the premises are
//! legitimate, so private networks are open. What is refused is where no receiver can be and where a cloud keeps its
//! instances' secrets: link-local and metadata addresses, and those that are no single host's. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The clouds' metadata service over IPv6.
const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);

/// The rules of a box: what `[egress] allow` adds to those that always hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    allow: Vec<IpNet>,
}

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It counts on one cable only; clouds answer questions about an instance there.
    LinkLocal,
    /// Clouds answer questions about an instance there.
    Metadata,
    /// It means "this host" or "any address".
    Unspecified,
    /// It is a group's.
    Multicast,
    /// It is everybody's.
    Broadcast,
}

impl Refused {
    /// For messages: a … address.
    pub fn as_str(self) -> &'static str {
        match self {
            Refused::LinkLocal => "link-local",
            Refused::Metadata => "metadata",
            Refused::Unspecified => "unspecified",
            Refused::Multicast => "multicast",
            Refused::Broadcast => "broadcast",
        }
    }
}

impl Egress {
    /// Rules that let through what is in one of these networks, whatever else holds.
    pub fn allowing(allow: impl IntoIterator<Item = IpNet>) -> Egress {
        Egress { allow: allow.into_iter().collect() }
    }

    /// Whether a request may go there, and if not, why.
    pub fn check(&self, address: IpAddr) -> Result<(), Refused> {
        let inner = embedded(address);
        let is_allowed = |address| self.allow.iter().any(|network| network.contains(&address));
        if is_allowed(address) || inner.is_some_and(|inner| is_allowed(IpAddr::V4(inner))) {
            return Ok(());
        }
        let refused = match address {
            IpAddr::V4(address) => refused_v4(address),
            IpAddr::V6(address) => refused_v6(address).or_else(|| inner.and_then(refused_v4)),
        };
        refused.map_or(Ok(()), Err)
    }
}

/// An address (`169.254.169.254`) or a network (`169.254.0.0/16`) of `[egress] allow`.
pub fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Whether traffic to it stays on the premises.
pub fn is_private(address: IpAddr) -> bool {
    match (address.to_canonical(), embedded(address)) {
        (IpAddr::V4(address), _) | (_, Some(address)) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        (IpAddr::V6(address), None) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

fn refused_v4(address: Ipv4Addr) -> Option<Refused> {
    match address.octets() {
        [169, 254, ..] => Some(Refused::LinkLocal),
        [0, ..] => Some(Refused::Unspecified),
        [224..=239, ..] => Some(Refused::Multicast),
        [255, 255, 255, 255] => Some(Refused::Broadcast),
        _ => None,
    }
}

fn refused_v6(address: Ipv6Addr) -> Option<Refused> {
    match address {
        METADATA => Some(Refused::Metadata),
        _ if address.is_unspecified() => Some(Refused::Unspecified),
        _ if address.is_unicast_link_local() => Some(Refused::LinkLocal),
        _ if address.is_multicast() => Some(Refused::Multicast),
        _ => None,
    }
}

/// The IPv4 address that an IPv6 address stands for, where a translator, a tunnel or the kernel would turn it into one.
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let from = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // `::` and `::1` are addresses of their own, not 0.0.0.0 and 0.0.0.1.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Mapped and translated (RFC 4291 2.5.5.2, RFC 2765), and the older "compatible" form.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0, 0, 0, 0, 0, 0, high, low]
        // NAT64: the well-known prefix (RFC 6052) and the one for local use with its /96 (RFC 8215).
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        // ISATAP (RFC 5214).
        | [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] => from(high, low),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => from(high, low),
        // Teredo: the client's address, inverted (RFC 4380).
        [0x2001, 0, _, _, _, _, high, low] => from(!high, !low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(address: &str) -> Result<(), Refused> {
        Egress::default().check(address.parse().unwrap())
    }

    /// Spellings from the lists of Svix and Hook0, and what a kernel, a translator or a tunnel would make of them.
    #[test]
    fn every_spelling_of_a_forbidden_address() {
        for (address, refused) in [
            ("169.254.169.254", Refused::LinkLocal),
            ("169.254.0.0", Refused::LinkLocal),
            ("169.254.255.255", Refused::LinkLocal),
            ("169.254.170.2", Refused::LinkLocal),
            ("::ffff:169.254.169.254", Refused::LinkLocal),
            ("::ffff:a9fe:a9fe", Refused::LinkLocal),
            ("::ffff:0:a9fe:a9fe", Refused::LinkLocal),
            ("::a9fe:a9fe", Refused::LinkLocal),
            ("64:ff9b::a9fe:a9fe", Refused::LinkLocal),
            ("64:ff9b::169.254.169.254", Refused::LinkLocal),
            ("64:ff9b:1::169.254.169.254", Refused::LinkLocal),
            ("64:ff9b:1:fffe::169.254.169.254", Refused::LinkLocal),
            ("2002:a9fe:a9fe::1", Refused::LinkLocal),
            ("2002:a9fe:a9fe::", Refused::LinkLocal),
            ("2001::5601:5601", Refused::LinkLocal),
            ("2001:0:4136:e378:8000:63bf:5601:5601", Refused::LinkLocal),
            ("2001:db8::5efe:169.254.169.254", Refused::LinkLocal),
            ("fe80::1", Refused::LinkLocal),
            ("fe80::5efe:192.168.1.1", Refused::LinkLocal),
            ("febf:ffff::1", Refused::LinkLocal),
            ("fd00:ec2::254", Refused::Metadata),
            ("0.0.0.0", Refused::Unspecified),
            ("0.1.2.3", Refused::Unspecified),
            ("::", Refused::Unspecified),
            ("::ffff:0.0.0.0", Refused::Unspecified),
            ("64:ff9b::", Refused::Unspecified),
            ("224.0.0.1", Refused::Multicast),
            ("239.255.255.250", Refused::Multicast),
            ("ff02::1", Refused::Multicast),
            ("::ffff:224.0.0.251", Refused::Multicast),
            ("255.255.255.255", Refused::Broadcast),
            ("::ffff:255.255.255.255", Refused::Broadcast),
        ] {
            assert_eq!(check(address), Err(refused), "{address}");
        }
    }

    #[test]
    fn receivers_on_the_premises_and_in_the_world() {
        for address in [
            "127.0.0.1",
            "::1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.178.20",
            "100.64.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "1.0.0.0",
            "223.255.255.255",
            "8.8.8.8",
            "fd00::1",
            "fd00:ec2::253",
            "fec0::1",
            "2001:db8::1",
            "2606:4700::1111",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
    }

    #[test]
    fn what_is_allowed_is_allowed_in_every_spelling() {
        let one = Egress::allowing([network("169.254.10.1").unwrap()]);
        for address in ["169.254.10.1", "::ffff:169.254.10.1", "64:ff9b::169.254.10.1"] {
            assert_eq!(one.check(address.parse().unwrap()), Ok(()), "{address}");
        }
        assert_eq!(one.check("169.254.10.2".parse().unwrap()), Err(Refused::LinkLocal));
        let many = Egress::allowing([network("fe80::/10").unwrap(), network("169.254.0.0/16").unwrap()]);
        for address in ["fe80::abcd", "169.254.169.254"] {
            assert_eq!(many.check(address.parse().unwrap()), Ok(()), "{address}");
        }
        assert_eq!(many.check("fd00:ec2::254".parse().unwrap()), Err(Refused::Metadata));
        for wrong in ["", "169.254", "169.254.0.0/33", "hook.example", "169.254.0.0/16 "] {
            assert_eq!(network(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn private_addresses() {
        for private in
            ["127.0.0.1", "10.1.2.3", "192.168.1.4", "169.254.1.1", "::1", "fd12::1", "fe80::1", "::ffff:10.0.0.1"]
        {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in ["8.8.8.8", "172.32.0.1", "100.64.0.1", "2001:db8::1", "64:ff9b::8.8.8.8", "2002:808:808::1"] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }

    proptest! {
        /// Whatever IPv4 address is refused is refused behind every prefix, and no other.
        #[test]
        fn a_disguise_changes_nothing(bits: u32, local: bool) {
            let bits = if local { 0xa9fe_0000 | bits & 0xffff } else { bits };
            let plain = Ipv4Addr::from(bits);
            prop_assume!(plain.octets()[0] != 0, "`::` and `::1` are no disguises");
            let bare = u128::from(bits);
            let disguises = [
                0xffff_0000_0000 | bare,
                bare,
                0x0064_ff9b << 96 | bare,
                0x0064_ff9b_0001 << 80 | bare,
                0x2002 << 112 | bare << 80 | 1,
                0x2001_0000 << 96 | u128::from(!bits),
            ];
            let expected = Egress::default().check(plain.into());
            for disguise in disguises.map(Ipv6Addr::from) {
                prop_assert_eq!(Egress::default().check(disguise.into()), expected, "{}", disguise);
            }
        }
    }
}
