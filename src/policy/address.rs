//! Which addresses are not of the public Internet, by IANA's registries of special-purpose addresses.
//!
//! <https://www.iana.org/assignments/iana-ipv4-special-registry> and
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>, column "Globally Reachable": what is not `True` there is
//! special. On the safe side of them, because no website is lost by it: a block counts as a whole, also where single service
//! addresses in it are reachable (192.0.0.9 is answered by the nearest gateway); multicast and whatever of IPv6 is not global
//! unicast (RFC 4291, section 2.4) count too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The special purpose that `address` has, with the block that says so: `loopback, 127.0.0.0/8`; `None` if it is public.
///
/// An IPv6 address that stands for an IPv4 address, which is where its packets go in the end, is what that one is: mapped
/// (`::ffff:0:0/96`, RFC 4291) and NAT64's well-known prefix (`64:ff9b::/96`, RFC 6052). 6to4 and Teredo are never public:
/// both are given up, and their relays could be anyone.
pub fn special_purpose(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_purpose_v4(address),
        IpAddr::V6(address) => special_purpose_v6(address),
    }
}

fn special_purpose_v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [0, ..] => "this network, 0.0.0.0/8",
        [10, ..] => "private use, 10.0.0.0/8",
        [100, 64..=127, ..] => "shared address space, 100.64.0.0/10",
        [127, ..] => "loopback, 127.0.0.0/8",
        [169, 254, ..] => "link-local, 169.254.0.0/16",
        [172, 16..=31, ..] => "private use, 172.16.0.0/12",
        [192, 0, 0, _] => "IETF protocol assignments, 192.0.0.0/24",
        [192, 0, 2, _] => "documentation, 192.0.2.0/24",
        [192, 88, 99, _] => "6to4 relays, 192.88.99.0/24",
        [192, 168, ..] => "private use, 192.168.0.0/16",
        [198, 18 | 19, ..] => "benchmarking, 198.18.0.0/15",
        [198, 51, 100, _] => "documentation, 198.51.100.0/24",
        [203, 0, 113, _] => "documentation, 203.0.113.0/24",
        [224..=239, ..] => "multicast, 224.0.0.0/4",
        [255, 255, 255, 255] => "limited broadcast, 255.255.255.255/32",
        [240..=255, ..] => "reserved, 240.0.0.0/4",
        _ => return None,
    })
}

fn special_purpose_v6(address: Ipv6Addr) -> Option<&'static str> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified, ::/128",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback, ::1/128",
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            return special_purpose_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
        }
        [0, 0, 0, 0, 0, 0, ..] => "IPv4-compatible, ::/96",
        [0x64, 0xff9b, 1, ..] => "local translation to IPv4, 64:ff9b:1::/48",
        [0x100, 0, 0, 0, ..] => "discard, 100::/64",
        [0x2001, 0, ..] => "Teredo, 2001::/32",
        [0x2001, 0..=0x1ff, ..] => "IETF protocol assignments, 2001::/23",
        [0x2001, 0xdb8, ..] => "documentation, 2001:db8::/32",
        [0x2002, ..] => "6to4, 2002::/16",
        [0x3fff, 0..=0xfff, ..] => "documentation, 3fff::/20",
        [0x2000..=0x3fff, ..] => return None,
        [0x5f00, ..] => "segment routing, 5f00::/16",
        [0xfc00..=0xfdff, ..] => "unique local, fc00::/7",
        [0xfe80..=0xfebf, ..] => "link-local, fe80::/10",
        [0xfec0..=0xfeff, ..] => "site-local, fec0::/10",
        [0xff00..=0xffff, ..] => "multicast, ff00::/8",
        _ => "no global unicast, outside 2000::/3",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each block by its first and last address, and its neighbours where they are public.
    const TABLE: &[(&str, &[&str])] = &[
        ("this network", &["0.0.0.0", "0.0.0.1", "0.255.255.255"]),
        (
            "private use",
            &["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"],
        ),
        ("shared", &["100.64.0.0", "100.100.100.200", "100.127.255.255"]),
        ("loopback", &["127.0.0.0", "127.0.0.1", "127.255.255.255", "::1"]),
        ("link-local", &["169.254.0.0", "169.254.169.254", "169.254.255.255", "fe80::", "fe80::1", "febf:ffff::1"]),
        (
            "IETF protocol",
            &["192.0.0.0", "192.0.0.9", "192.0.0.192", "192.0.0.255", "2001:1::1", "2001:2::", "2001:1ff::"],
        ),
        ("documentation", &["192.0.2.0", "192.0.2.255", "198.51.100.7", "203.0.113.0", "203.0.113.255"]),
        ("documentation", &["2001:db8::", "2001:db8:ffff::1", "3fff::", "3fff:fff:ffff::"]),
        ("6to4", &["192.88.99.0", "192.88.99.255", "2002::", "2002:7f00:1::", "2002:808:808::1"]),
        ("benchmarking", &["198.18.0.0", "198.19.255.255"]),
        ("multicast", &["224.0.0.0", "224.0.0.251", "239.255.255.255", "ff00::", "ff02::1", "ffff::"]),
        ("reserved", &["240.0.0.0", "255.255.255.254"]),
        ("limited broadcast", &["255.255.255.255"]),
        ("unspecified", &["::"]),
        ("IPv4-compatible", &["::2", "::7f00:1", "::8.8.8.8"]),
        ("loopback", &["::ffff:127.0.0.1", "::ffff:7fff:ffff", "64:ff9b::127.0.0.1"]),
        ("private use", &["::ffff:10.0.0.1", "64:ff9b::10.1.2.3", "64:ff9b::c0a8:1"]),
        ("link-local", &["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]),
        ("this network", &["::ffff:0.0.0.0", "64:ff9b::"]),
        ("local translation", &["64:ff9b:1::", "64:ff9b:1::8.8.8.8", "64:ff9b:1:ffff::"]),
        ("discard", &["100::", "100::ffff:ffff:ffff:ffff"]),
        ("Teredo", &["2001::", "2001:0:7f00:1::", "2001:0:ffff::"]),
        ("segment routing", &["5f00::", "5f00:ffff::"]),
        ("unique local", &["fc00::", "fd00:ec2::254", "fdff:ffff::"]),
        ("site-local", &["fec0::", "feff:ffff::"]),
        ("no global unicast", &["64:ff9b:0:1::", "64:ff9b:2::", "100:0:0:1::", "1fff::", "4000::", "5eff::", "fe00::"]),
        ("no global unicast", &["0:0:0:0:1::", "::fffe:8.8.8.8", "::ffff:0:127.0.0.1"]),
    ];

    #[test]
    fn every_special_block_is_told_from_end_to_end() {
        for (purpose, addresses) in TABLE {
            for text in *addresses {
                let found = special_purpose(text.parse().expect("an address"));
                assert!(found.is_some_and(|found| found.starts_with(purpose)), "{text}: {found:?} and not {purpose}");
            }
        }
    }

    #[test]
    fn the_neighbours_of_special_blocks_are_public() {
        let public = "1.0.0.0 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 \
            169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.31.196.1 \
            192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 \
            203.0.112.255 203.0.114.0 223.255.255.255 2000:: 2001:200:: 2001:4860:4860::8888 2001:db7:: 2001:db9:: \
            2003:: 2606:4700::1 2620:4f:8000::1 3ffe:: 3fff:1000:: ::ffff:8.8.8.8 64:ff9b::8.8.8.8 64:ff9b::101:101";
        for text in public.split_whitespace() {
            assert_eq!(special_purpose(text.parse().expect("an address")), None, "{text}");
        }
    }
}
