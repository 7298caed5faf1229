//! Where events may go: a sandbox inverts the production rule, local targets are normal.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest address, in bytes.
const URL_BYTES_MAX: usize = 2048;

/// Paths of our own programs that no event may reach, wherever they listen.
const OWN_PATHS: [&str; 2] = ["_sandbox", "metrics"];

/// An address that events can be sent to, taken apart once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetUrl {
    text: String,
    /// Whether the scheme is https.
    pub secure: bool,
    /// Name or address.
    pub host: Host,
    /// The port, also when it is the scheme's default.
    pub port: u16,
    /// Path as it is sent, at least `/`.
    pub path: String,
    /// Query without the question mark, empty if none.
    pub query: String,
}

/// The host of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// To be resolved.
    Name(String),
    /// An address as such.
    Address(IpAddr),
}

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetRefusal {
    /// Empty, too long, or with characters that no address has.
    #[error("the address is not a plain http URL of at most 2,048 characters")]
    Malformed,
    /// Neither http nor https.
    #[error("only http and https addresses are called")]
    Scheme,
    /// A user name or password stands before the host.
    #[error("a user name or password in the address is refused")]
    UserInfo,
    /// A `#` part.
    #[error("a fragment in the address is refused")]
    Fragment,
    /// No host, or one that is read differently by different programs.
    #[error("the host is neither a name nor a plain address")]
    Host,
    /// Not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// The path leads into our own control plane or metrics, or holds dot segments.
    #[error("the path is reserved")]
    Path,
    /// One of our own ports.
    #[error("the port belongs to one of our own programs")]
    OwnPort,
    /// Loopback, under the production rule.
    #[error("loopback addresses are not called")]
    Loopback,
    /// A private address that is not listed.
    #[error("private addresses are called only when the host is listed with --allow-private")]
    Private,
    /// A public address that is not listed.
    #[error("public addresses are called only when the host is listed with --allow-public")]
    Public,
    /// Public over plain http, under the production rule.
    #[error("public addresses are called over https only")]
    Plain,
    /// Link-local, multicast, carrier-grade NAT, unspecified, reserved.
    #[error("addresses of this kind are never called")]
    Special,
}

impl TargetRefusal {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Scheme => "scheme",
            Self::UserInfo => "userinfo",
            Self::Fragment => "fragment",
            Self::Host => "host",
            Self::Port => "port",
            Self::Path => "path_reserved",
            Self::OwnPort => "port_reserved",
            Self::Loopback => "loopback",
            Self::Private => "private_address",
            Self::Public => "public_address",
            Self::Plain => "not_https",
            Self::Special => "special_address",
        }
    }
}

impl TargetUrl {
    /// Takes an address apart; whatever two programs could read differently is refused.
    pub fn parse(text: &str) -> Result<Self, TargetRefusal> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte);
        if text.is_empty() || text.len() > URL_BYTES_MAX || !text.bytes().all(plain) {
            return Err(TargetRefusal::Malformed);
        }
        let (scheme, rest) = text.split_once("://").ok_or(TargetRefusal::Scheme)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(TargetRefusal::Scheme),
        };
        if rest.contains('#') {
            return Err(TargetRefusal::Fragment);
        }
        let authority_ends = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(authority_ends).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(TargetRefusal::UserInfo);
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            None => {
                if secure {
                    443
                } else {
                    80
                }
            }
            Some(digits) => parse_port(digits)?,
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = if path.is_empty() { "/" } else { path };
        check_path(path)?;
        Ok(Self {
            text: text.to_owned(),
            secure,
            host: Host::parse(host)?,
            port,
            path: path.to_owned(),
            query: query.to_owned(),
        })
    }

    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The value of the `Host` header.
    pub fn authority(&self) -> String {
        let host = match &self.host {
            Host::Name(name) => name.clone(),
            Host::Address(IpAddr::V4(address)) => address.to_string(),
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
        };
        let default = if self.secure { 443 } else { 80 };
        if self.port == default { host } else { format!("{host}:{}", self.port) }
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), TargetRefusal> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (inside, after) = rest.split_once(']').ok_or(TargetRefusal::Host)?;
        // With its brackets, so that only this form is read as an IPv6 address.
        let host = authority.get(..inside.len().saturating_add(2)).ok_or(TargetRefusal::Host)?;
        return match after.strip_prefix(':') {
            None if after.is_empty() => Ok((host, None)),
            Some(port) => Ok((host, Some(port))),
            None => Err(TargetRefusal::Host),
        };
    }
    match authority.split_once(':') {
        None => Ok((authority, None)),
        Some((host, port)) => Ok((host, Some(port))),
    }
}

fn parse_port(digits: &str) -> Result<u16, TargetRefusal> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let port: u16 = if plain { digits.parse().unwrap_or(0) } else { 0 };
    if port == 0 { Err(TargetRefusal::Port) } else { Ok(port) }
}

impl Host {
    fn parse(text: &str) -> Result<Self, TargetRefusal> {
        if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let address: Ipv6Addr = inside.parse().map_err(|_| TargetRefusal::Host)?;
            return Ok(Self::Address(IpAddr::V6(address)));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(IpAddr::V4(address)));
        }
        let name = text.to_ascii_lowercase();
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        let labels = name.strip_suffix('.').unwrap_or(&name).split('.');
        let mut last = "";
        for label in labels {
            if label.is_empty() || label.len() > 63 {
                return Err(TargetRefusal::Host);
            }
            last = label;
        }
        // A last label that begins with a digit is read by resolvers as an old-style address.
        let numeric = last.starts_with(|first: char| first.is_ascii_digit());
        if name.len() > 253 || !name.bytes().all(letters) || numeric {
            return Err(TargetRefusal::Host);
        }
        Ok(Self::Name(name))
    }
}

/// Decodes percent signs before it looks, so that `%5Fsandbox` is seen.
fn check_path(path: &str) -> Result<(), TargetRefusal> {
    for segment in path.split('/') {
        let segment = percent_decoded(segment).ok_or(TargetRefusal::Malformed)?;
        let reserved = OWN_PATHS.iter().any(|own| own.as_bytes() == segment.as_slice());
        if reserved || segment == b"." || segment == b".." || segment.contains(&b'/') {
            return Err(TargetRefusal::Path);
        }
    }
    Ok(())
}

fn percent_decoded(segment: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte.to_ascii_lowercase());
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        decoded.push(u8::try_from(high * 16 + low).ok()?.to_ascii_lowercase());
    }
    Some(decoded)
}

/// Which addresses are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetPolicy {
    /// The production rule instead of the sandbox's.
    pub strict: bool,
    /// Hosts with a private address that may be called.
    pub allow_private: Vec<String>,
    /// Hosts with a public address that may be called.
    pub allow_public: Vec<String>,
    /// Ports of our own programs on loopback that may not be called.
    pub own_ports: Vec<u16>,
}

enum Kind {
    Loopback,
    Private,
    Public,
    Special,
}

impl TargetPolicy {
    /// Judges the address that a connection is about to be made to. A name is judged by what it
    /// was resolved to, so the same address must then be connected to.
    pub fn judge(&self, target: &TargetUrl, address: IpAddr) -> Result<(), TargetRefusal> {
        let listed = |hosts: &[String]| {
            let name = match &target.host {
                Host::Name(name) => name.clone(),
                Host::Address(address) => address.to_string(),
            };
            hosts.iter().any(|host| host.eq_ignore_ascii_case(&name))
        };
        match kind_of(inner(address)) {
            Kind::Special => Err(TargetRefusal::Special),
            Kind::Loopback if self.strict => Err(TargetRefusal::Loopback),
            Kind::Loopback if self.own_ports.contains(&target.port) => Err(TargetRefusal::OwnPort),
            Kind::Loopback => Ok(()),
            Kind::Private if !self.strict && listed(&self.allow_private) => Ok(()),
            Kind::Private => Err(TargetRefusal::Private),
            Kind::Public if self.strict && target.secure => Ok(()),
            Kind::Public if self.strict => Err(TargetRefusal::Plain),
            Kind::Public if listed(&self.allow_public) => Ok(()),
            Kind::Public => Err(TargetRefusal::Public),
        }
    }

    /// Judges an address before anything is resolved; a name may still turn out to be refused.
    pub fn judge_literal(&self, target: &TargetUrl) -> Result<(), TargetRefusal> {
        match target.host {
            Host::Address(address) => self.judge(target, address),
            Host::Name(_) => Ok(()),
        }
    }
}

/// The IPv4 address inside an IPv4-mapped, IPv4-compatible, NAT64 or 6to4 address.
fn inner(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let [first, second, third, rest @ ..] = six.segments();
    let [_, _, _, high, low] = rest;
    let four = |high: u16, low: u16| {
        let [one, two] = high.to_be_bytes();
        let [three, four] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(one, two, three, four))
    };
    let plain = six.is_loopback() || six.is_unspecified();
    match (first, second, rest) {
        (0, 0, [0, 0, 0xffff, ..]) | (0x64, 0xff9b, [0, 0, 0, ..]) if third == 0 => four(high, low),
        (0x2002, _, _) => four(second, third),
        (0, 0, [0, 0, 0, ..]) if third == 0 && !plain => four(high, low),
        _ => address,
    }
}

fn kind_of(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(four) => kind_of_four(four),
        IpAddr::V6(six) => kind_of_six(six),
    }
}

fn kind_of_four(address: Ipv4Addr) -> Kind {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (127, _, _) => Kind::Loopback,
        (10, _, _) | (172, 16..=31, _) | (192, 168, _) => Kind::Private,
        // "This network", carrier-grade NAT, link-local, protocol assignments, documentation,
        // benchmarking, multicast, reserved and broadcast (RFC 6890).
        (0 | 224..=255, _, _)
        | (100, 64..=127, _)
        | (169, 254, _)
        | (192, 0, 0 | 2)
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113) => Kind::Special,
        _ => Kind::Public,
    }
}

fn kind_of_six(address: Ipv6Addr) -> Kind {
    let [first, second, ..] = address.segments();
    if address.is_loopback() {
        Kind::Loopback
    } else if first & 0xfe00 == 0xfc00 {
        Kind::Private
    } else if address.is_unspecified()
        || first & 0xffc0 == 0xfe80
        || first & 0xffc0 == 0xfec0
        || first & 0xff00 == 0xff00
        || (first == 0x64 && second == 0xff9b)
        || first == 0x0100
        || (first == 0x2001 && (second == 0 || second == 0x0db8))
    {
        // Link-local, site-local, multicast, local NAT64, discard-only, Teredo, documentation.
        Kind::Special
    } else {
        Kind::Public
    }
}

#[cfg(test)]
mod tests;
