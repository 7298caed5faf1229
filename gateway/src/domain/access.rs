//! What a client may do: scopes, and the addresses it may send payers back to.

use std::fmt;
use std::net::IpAddr;

use super::webhooks::target::{Host, TargetUrl};

/// One thing that a token may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Read payments, refunds and events.
    PaymentsRead,
    /// Create, confirm, capture, void and cancel payments.
    PaymentsWrite,
    /// Refund.
    RefundsWrite,
    /// Stored cards.
    CardsWrite,
    /// Disputes.
    DisputesWrite,
    /// Reports and settlements.
    ReportsRead,
    /// Webhook endpoints, and sending events again.
    WebhooksWrite,
    /// Customers.
    CustomersWrite,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 8] = [
        Self::PaymentsRead,
        Self::PaymentsWrite,
        Self::RefundsWrite,
        Self::CardsWrite,
        Self::DisputesWrite,
        Self::ReportsRead,
        Self::WebhooksWrite,
        Self::CustomersWrite,
    ];

    /// The scope as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PaymentsRead => "payments:read",
            Self::PaymentsWrite => "payments:write",
            Self::RefundsWrite => "refunds:write",
            Self::CardsWrite => "cards:write",
            Self::DisputesWrite => "disputes:write",
            Self::ReportsRead => "reports:read",
            Self::WebhooksWrite => "webhooks:write",
            Self::CustomersWrite => "customers:write",
        }
    }

    const fn bit(self) -> u16 {
        match self {
            Self::PaymentsRead => 1,
            Self::PaymentsWrite => 1 << 1,
            Self::RefundsWrite => 1 << 2,
            Self::CardsWrite => 1 << 3,
            Self::DisputesWrite => 1 << 4,
            Self::ReportsRead => 1 << 5,
            Self::WebhooksWrite => 1 << 6,
            Self::CustomersWrite => 1 << 7,
        }
    }
}

/// The text names a scope that does not exist, or one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a list of scopes separated by single spaces")]
pub struct ScopeError;

/// Some scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u16);

impl Scopes {
    /// Every scope.
    pub const ALL: Self = Self(0xff);

    /// Reads scopes separated by single spaces (RFC 6749 section 3.3).
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut scopes = Self::default();
        for word in text.split(' ') {
            let scope = Scope::ALL.into_iter().find(|scope| scope.as_str() == word);
            let scope = scope.ok_or(ScopeError)?;
            if scopes.contains(scope) {
                return Err(ScopeError);
            }
            scopes.0 |= scope.bit();
        }
        Ok(scopes)
    }

    /// Whether a scope is among them.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether all of these are among `others`.
    pub const fn is_subset_of(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// Those that are among both.
    pub const fn intersection(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for scope in Scope::ALL.into_iter().filter(|scope| self.contains(*scope)) {
            if !first {
                formatter.write_str(" ")?;
            }
            first = false;
            formatter.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

/// Stands for every loopback origin.
pub const LOOPBACK: &str = "loopback";

/// Origins that return and cancel addresses may have, each with an optional path prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReturnOrigins(Vec<String>);

/// The text is neither an http origin nor `loopback`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a return origin is https, or http on loopback, or the word `loopback`")]
pub struct ReturnOriginError;

impl ReturnOrigins {
    /// The given origins; every one must be https or on loopback.
    pub fn new(origins: Vec<String>) -> Result<Self, ReturnOriginError> {
        for origin in origins.iter().filter(|origin| *origin != LOOPBACK) {
            let url = TargetUrl::parse(origin).map_err(|_| ReturnOriginError)?;
            if !url.query.is_empty() || !(url.secure || is_loopback(&url)) {
                return Err(ReturnOriginError);
            }
        }
        Ok(Self(origins))
    }

    /// The origins as they were given.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Whether a payer may be sent to this address.
    pub fn allow(&self, address: &str) -> bool {
        let Ok(url) = TargetUrl::parse(address) else { return false };
        if !url.secure && !is_loopback(&url) {
            return false;
        }
        self.0.iter().any(|origin| {
            if origin == LOOPBACK {
                return is_loopback(&url);
            }
            TargetUrl::parse(origin).is_ok_and(|origin| lies_under(&url, &origin))
        })
    }
}

fn is_loopback(url: &TargetUrl) -> bool {
    match &url.host {
        Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Address(IpAddr::V4(address)) => address.is_loopback(),
        Host::Address(IpAddr::V6(address)) => address.is_loopback(),
    }
}

fn lies_under(url: &TargetUrl, origin: &TargetUrl) -> bool {
    let prefix = origin.path.strip_suffix('/').unwrap_or(&origin.path);
    let below = url.path.strip_prefix(prefix);
    url.secure == origin.secure
        && url.host == origin.host
        && url.port == origin.port
        && below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_written_in_one_order() {
        let scopes = Scopes::parse("refunds:write payments:read").unwrap();
        assert_eq!(scopes.to_string(), "payments:read refunds:write");
        assert!(scopes.contains(Scope::RefundsWrite) && !scopes.contains(Scope::CardsWrite));
        assert!(scopes.is_subset_of(Scopes::ALL) && !Scopes::ALL.is_subset_of(scopes));
        assert_eq!(Scopes::parse(&Scopes::ALL.to_string()), Ok(Scopes::ALL));
        for text in ["", " ", "payments:read ", "payments:read  refunds:write", "payments:all"] {
            assert_eq!(Scopes::parse(text), Err(ScopeError), "{text:?}");
        }
        assert_eq!(Scopes::parse("payments:read payments:read"), Err(ScopeError));
    }

    #[test]
    fn a_return_address_lies_under_a_registered_origin() {
        let origins = ReturnOrigins::new(vec![
            "http://127.0.0.1:7071".into(),
            "https://shop.example/pay/".into(),
        ]);
        let origins = origins.unwrap();
        for good in [
            "http://127.0.0.1:7071",
            "http://127.0.0.1:7071/orders/1?x=1",
            "https://shop.example/pay",
            "https://shop.example:443/pay/done",
        ] {
            assert!(origins.allow(good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:7072/",
            "https://127.0.0.1:7071/",
            "http://127.0.0.1:7071@evil.test/",
            "http://127.0.0.1:7071.evil.test/",
            "https://shop.example/payment",
            "https://shop.example/pay/../admin",
            "https://shop.example/",
            "http://shop.example/pay/",
            "//shop.example/pay/",
            "https:\\\\shop.example/pay/",
            "javascript:alert(1)",
            "data:text/html,x",
            "",
        ] {
            assert!(!origins.allow(bad), "{bad}");
        }
    }

    #[test]
    fn any_loopback_origin_can_be_registered_at_once() {
        let origins = ReturnOrigins::new(vec![LOOPBACK.into()]).unwrap();
        for good in ["http://localhost:3000/x", "http://shop.localhost/", "http://[::1]:9/"] {
            assert!(origins.allow(good), "{good}");
        }
        for bad in ["http://localhost.evil.test/", "https://shop.example/", "http://10.0.0.1/"] {
            assert!(!origins.allow(bad), "{bad}");
        }
        assert!(!ReturnOrigins::default().allow("http://localhost/"));
    }

    #[test]
    fn a_plain_public_origin_is_refused() {
        for bad in ["http://shop.example", "shop.example", "https://a/?x=1", "ftp://localhost"] {
            assert!(ReturnOrigins::new(vec![bad.into()]).is_err(), "{bad}");
        }
    }
}
