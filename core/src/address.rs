//! Which internet addresses a fetch may connect to.
//!
//! Source: the IANA special-purpose address registries (RFC 6890) as of 2026, design decision D11. The host resolves a
//! name once, asks [`permits`] about every address, and connects to an address that was asked about.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses a fetch may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressRule {
    /// Addresses of the public internet only.
    Public,
    /// Those, and loopback (`127.0.0.0/8` and `::1`): for development on one machine.
    PublicOrLoopback,
}

/// Whether `rule` lets a fetch connect to `address`.
///
/// Forms of IPv6 that carry an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) are refused whatever they
/// carry: a resolver of public names has no reason to answer with one.
pub fn permits(rule: AddressRule, address: IpAddr) -> bool {
    if address.is_loopback() {
        return rule == AddressRule::PublicOrLoopback;
    }
    match address {
        IpAddr::V4(address) => !within_v4(address),
        IpAddr::V6(address) => is_global_unicast(address) && !within_v6(address) && !is_isatap(address),
    }
}

/// Reads a host as an address: dotted decimal, or IPv6 with or without brackets; `None` for a name.
///
/// Short, octal, hexadecimal and single-number spellings of IPv4 are `None` too, although some resolvers read them:
/// [`crate::uri::Uri`] has no such hosts, and other text must pass through it first.
pub fn literal(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

/// A block of IPv4: first address and prefix length.
type Block4 = ([u8; 4], u32);
/// A block of IPv6: its first four groups and prefix length, at most 64.
type Block6 = ([u16; 4], u32);

const SPECIAL_V4: [Block4; 16] = [
    ([0, 0, 0, 0], 8),        // this network
    ([10, 0, 0, 0], 8),       // private use
    ([100, 64, 0, 0], 10),    // shared by carriers
    ([127, 0, 0, 0], 8),      // loopback
    ([169, 254, 0, 0], 16),   // link local, cloud metadata
    ([172, 16, 0, 0], 12),    // private use
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 88, 99, 0], 24),   // 6to4 relays
    ([192, 168, 0, 0], 16),   // private use
    ([198, 18, 0, 0], 15),    // benchmarks
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, broadcast
    ([168, 63, 129, 16], 32), // the virtual host of one large cloud: public on paper, never on the internet
];

/// The special blocks inside `2000::/3`.
const SPECIAL_V6: [Block6; 4] = [
    ([0x2001, 0, 0, 0], 23),     // protocol assignments: Teredo, ORCHID, benchmarks
    ([0x2001, 0xdb8, 0, 0], 32), // documentation
    ([0x2002, 0, 0, 0], 16),     // 6to4
    ([0x3fff, 0, 0, 0], 20),     // documentation
];

fn within_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    SPECIAL_V4.iter().any(|&(first, length)| (bits ^ u32::from_be_bytes(first)).leading_zeros() >= length)
}

/// `2000::/3` is all that IANA has given out. What this leaves out: unspecified, loopback, compatible, mapped,
/// `64:ff9b::/96` and `64:ff9b:1::/48` (NAT64), `100::/64`, `5f00::/16`, `fc00::/7`, `fe80::/10`, `fec0::/10`, `ff00::/8`.
fn is_global_unicast(address: Ipv6Addr) -> bool {
    address.to_bits() >> 125 == 1
}

fn within_v6(address: Ipv6Addr) -> bool {
    let bits = address.to_bits();
    SPECIAL_V6.iter().any(|&([a, b, c, d], length)| {
        (bits ^ Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_bits()).leading_zeros() >= length
    })
}

/// An interface identifier that carries an IPv4 address (RFC 5214 §6.1).
fn is_isatap(address: Ipv6Addr) -> bool {
    let [_, _, _, _, high, low, _, _] = address.segments();
    low == 0x5efe && (high == 0 || high == 0x0200)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> bool {
        permits(AddressRule::Public, literal(text).unwrap())
    }

    #[test]
    #[rustfmt::skip]
    fn no_special_use_address_is_public() {
        for address in [
            "127.0.0.1", "127.255.255.255", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1",
            "169.254.169.254", "100.64.0.1", "100.127.255.255", "0.0.0.0", "0.255.255.255", "192.0.0.192", "192.0.2.1",
            "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1",
            "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
        ] {
            assert!(!public(address), "{address}");
        }
        for address in [
            "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a00:1",
            "64:ff9b::808:808", "64:ff9b:1::a00:1", "100::1", "100:0:0:1::1", "2001::1", "2001:0:a00:1::",
            "2001:1ff:ffff::", "2001:db8::1", "2002:a00:1::", "2002:808:808::1", "3fff::1", "3fff:fff:ffff::",
            "5f00::1", "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "4000::1", "1fff::1",
            "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:10.0.0.1",
        ] {
            assert!(!public(address), "{address}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn the_neighbours_of_special_blocks_are_public() {
        for address in [
            "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
            "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.88.98.255",
            "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "203.0.112.255",
            "223.255.255.255", "168.63.129.15", "168.63.129.17", "8.8.8.8",
        ] {
            assert!(public(address), "{address}");
        }
        for address in [
            "2001:200::1", "2001:db7:ffff::", "2001:db9::1", "2003::1", "2606:4700::6810:84e5", "2a00:1450::1",
            "3fff:1000::1", "3ffe:ffff::", "2606:4700::1:5efe:808:808", "2606:4700::5eff:808:808",
        ] {
            assert!(public(address), "{address}");
        }
    }

    #[test]
    fn loopback_is_permitted_only_by_the_rule_that_names_it() {
        for address in ["127.0.0.1", "127.0.0.53", "[::1]", "::1"] {
            assert!(permits(AddressRule::PublicOrLoopback, literal(address).unwrap()), "{address}");
            assert!(!public(address), "{address}");
        }
        for address in ["10.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1", "169.254.169.254", "64:ff9b::7f00:1"] {
            assert!(!permits(AddressRule::PublicOrLoopback, literal(address).unwrap()), "{address}");
        }
        assert!(permits(AddressRule::PublicOrLoopback, literal("8.8.8.8").unwrap()));
    }

    #[test]
    #[rustfmt::skip]
    fn a_name_or_a_trick_spelling_is_no_literal() {
        for host in [
            "localhost", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.1.", "", "[]", "[::1", "::1]",
            "[127.0.0.1]", "[fe80::1%1]", "fe80::1%eth0", " 127.0.0.1", "[[::1]]",
        ] {
            assert_eq!(literal(host), None, "{host}");
        }
    }
}
