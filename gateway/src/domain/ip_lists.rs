//! From which addresses the API may be called: ranges that are denied, ranges that are allowed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Bits by which an IPv4 address is longer as an IPv6 one (`::ffff:a.b.c.d`).
const MAPPED_BITS: u8 = 96;

/// A range of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpRange {
    first: IpAddr,
    bits: u8,
}

/// A text that is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IpRangeError {
    /// Not an address.
    #[error("expected an address or a range such as 10.0.0.0/8 or 2001:db8::/32")]
    Malformed,
    /// More bits than the address has.
    #[error("expected at most {0} bits after the slash")]
    TooManyBits(u8),
    /// The address is not the first of the range.
    #[error("the range begins at another address: write {0}")]
    NotTheFirst(IpRange),
}

fn mask_v4(bits: u8) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0)
}

fn mask_v6(bits: u8) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0)
}

/// The first address of the range of this one.
fn first_of(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(it) => IpAddr::V4(Ipv4Addr::from(u32::from(it) & mask_v4(bits))),
        IpAddr::V6(it) => IpAddr::V6(Ipv6Addr::from(u128::from(it) & mask_v6(bits))),
    }
}

impl IpRange {
    /// Whether an address lies in the range; a mapped one as what it stands for.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && first_of(address, self.bits) == self.first
    }
}

impl FromStr for IpRange {
    type Err = IpRangeError;

    fn from_str(text: &str) -> Result<Self, IpRangeError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| IpRangeError::Malformed)?;
        let length = if address.is_ipv4() { 32 } else { 128 };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        let bits = match bits.map(str::trim) {
            None => length,
            Some(text) if is_number(text) => text.parse().unwrap_or(u8::MAX),
            Some(_) => return Err(IpRangeError::Malformed),
        };
        if bits > length {
            return Err(IpRangeError::TooManyBits(length));
        }
        let canonical = address.to_canonical();
        let (address, bits) = match bits.checked_sub(MAPPED_BITS) {
            Some(bits) if canonical.is_ipv4() && address.is_ipv6() => (canonical, bits),
            _ => (address, bits),
        };
        let range = Self { first: first_of(address, bits), bits };
        if range.first == address { Ok(range) } else { Err(IpRangeError::NotTheFirst(range)) }
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.first, self.bits)
    }
}

/// Who may call, and whose word about others is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpLists {
    /// These may not.
    pub deny: Vec<IpRange>,
    /// Of the rest only these may; all of it when empty.
    pub allow: Vec<IpRange>,
    /// What these say of whom they call for is believed.
    pub trusted_proxies: Vec<IpRange>,
}

fn holds(list: &[IpRange], address: IpAddr) -> bool {
    list.iter().any(|range| range.contains(address))
}

impl IpLists {
    /// Whether this address may call: first the denied, then the allowed.
    pub fn admit(&self, address: IpAddr) -> bool {
        !holds(&self.deny, address) && (self.allow.is_empty() || holds(&self.allow, address))
    }

    /// Who calls: the peer, or whom trusted proxies name in `X-Forwarded-For`. Each proxy adds to
    /// the end, so the last one that is not trusted is believed, and nothing that it said itself.
    pub fn caller(&self, peer: IpAddr, forwarded: &[&str]) -> IpAddr {
        let mut caller = peer.to_canonical();
        let mut named = forwarded.iter().rev().flat_map(|line| line.rsplit(','));
        while holds(&self.trusted_proxies, caller) {
            match named.next().and_then(|text| text.trim().parse::<IpAddr>().ok()) {
                Some(address) => caller = address.to_canonical(),
                None => break,
            }
        }
        caller
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn ranges(list: &[&str]) -> Vec<IpRange> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn ranges_are_read_and_what_is_none_is_explained() {
        let texts = [
            "10.0.0.0/8",
            "10.1.2.3",
            "0.0.0.0/0",
            "::/0",
            "2001:db8::/32",
            "::1",
            "::ffff:10.0.0.0/104",
            "::ffff:10.1.2.3",
            "10.1.2.3/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/999",
            "10.0.0",
            "localhost",
            "",
        ];
        let said = texts.map(|text| match text.parse::<IpRange>() {
            Ok(range) => format!("{text:20} {range}"),
            Err(error) => format!("{text:20} {error}"),
        });
        insta::assert_snapshot!(said.join("\n"), @"
        10.0.0.0/8           10.0.0.0/8
        10.1.2.3             10.1.2.3/32
        0.0.0.0/0            0.0.0.0/0
        ::/0                 ::/0
        2001:db8::/32        2001:db8::/32
        ::1                  ::1/128
        ::ffff:10.0.0.0/104  10.0.0.0/8
        ::ffff:10.1.2.3      10.1.2.3/32
        10.1.2.3/8           the range begins at another address: write 10.0.0.0/8
        10.0.0.0/33          expected at most 32 bits after the slash
        ::/129               expected at most 128 bits after the slash
        10.0.0.0/            expected an address or a range such as 10.0.0.0/8 or 2001:db8::/32
        10.0.0.0/+8          expected an address or a range such as 10.0.0.0/8 or 2001:db8::/32
        10.0.0.0/999         expected at most 32 bits after the slash
        10.0.0               expected an address or a range such as 10.0.0.0/8 or 2001:db8::/32
        localhost            expected an address or a range such as 10.0.0.0/8 or 2001:db8::/32
                             expected an address or a range such as 10.0.0.0/8 or 2001:db8::/32
        ");
    }

    #[test]
    fn denied_comes_before_allowed_and_mapped_addresses_are_what_they_stand_for() {
        let lists = IpLists {
            deny: ranges(&["10.0.0.7"]),
            allow: ranges(&["10.0.0.0/24", "2001:db8::/32"]),
            trusted_proxies: Vec::new(),
        };
        for (address, admitted) in [
            ("10.0.0.1", true),
            ("::ffff:10.0.0.1", true),
            ("10.0.0.7", false),
            ("::ffff:10.0.0.7", false),
            ("10.0.1.1", false),
            ("2001:db8::7", true),
            ("2001:db9::7", false),
        ] {
            assert_eq!(lists.admit(ip(address)), admitted, "{address}");
        }
        assert!(IpLists::default().admit(ip("203.0.113.9")));
        let denies = IpLists { allow: Vec::new(), ..lists };
        assert!(denies.admit(ip("203.0.113.9")) && !denies.admit(ip("10.0.0.7")));
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let nobody = IpLists::default();
        assert_eq!(nobody.caller(ip("127.0.0.1"), &["203.0.113.9"]), ip("127.0.0.1"));
        let trusted_proxies = ranges(&["127.0.0.1", "10.0.0.0/8"]);
        let lists = IpLists { trusted_proxies, ..IpLists::default() };
        for (peer, forwarded, caller) in [
            ("127.0.0.1", vec!["203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", vec![], "127.0.0.1"),
            ("127.0.0.1", vec!["garbage"], "127.0.0.1"),
            ("127.0.0.1", vec!["198.51.100.1, 203.0.113.9, 10.1.1.1"], "203.0.113.9"),
            ("127.0.0.1", vec!["198.51.100.1, 203.0.113.9", "10.1.1.1"], "203.0.113.9"),
            ("127.0.0.1", vec!["::ffff:203.0.113.9"], "203.0.113.9"),
            ("203.0.113.8", vec!["198.51.100.1"], "203.0.113.8"),
        ] {
            assert_eq!(lists.caller(ip(peer), &forwarded), ip(caller), "{peer} {forwarded:?}");
        }
    }

    proptest! {
        #[test]
        fn a_range_holds_its_first_and_last_and_nothing_beside(address in any::<u32>(), bits in 1_u8..=32) {
            let first = address & mask_v4(bits);
            let last = first | !mask_v4(bits);
            let text = format!("{}/{bits}", Ipv4Addr::from(first));
            let range: IpRange = text.parse().unwrap();
            prop_assert_eq!(range.to_string(), text);
            let holds = |it: u32| range.contains(Ipv4Addr::from(it).into());
            prop_assert!(holds(first) && holds(last) && holds(address));
            prop_assert!(first == 0 || !holds(first - 1));
            prop_assert!(last == u32::MAX || !holds(last + 1));
        }
    }
}
