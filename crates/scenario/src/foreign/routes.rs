//! What a call of our shop's API means to a merchant that is not ours.

/// Where our shop receives events.
const WEBHOOKS: &str = "/webhooks/payments";

/// A wish that a merchant file may have a hook for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route<'p> {
    /// An order is made.
    Order,
    /// An order is read.
    State(&'p str),
    /// The customer gets another payment page.
    Again(&'p str),
    /// Money is given back.
    Refund(&'p str),
    /// An order is given up.
    Cancel(&'p str),
    /// An event arrives, or what pretends to be one.
    Webhook,
    /// Something that only our shop knows.
    Other,
}

impl<'p> Route<'p> {
    pub(crate) fn of(method: &str, path: &'p str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        let below = path.strip_prefix("/api/orders/").unwrap_or_default();
        let (id, rest) = below.split_once('/').unwrap_or((below, ""));
        match (method, rest) {
            ("POST", _) if path == "/api/orders" => Self::Order,
            ("POST", _) if path == WEBHOOKS => Self::Webhook,
            _ if id.is_empty() => Self::Other,
            ("GET", "") => Self::State(id),
            ("POST", "payments") => Self::Again(id),
            ("POST", "refunds") => Self::Refund(id),
            ("POST", "cancel") => Self::Cancel(id),
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_of_scenarios_are_told_apart() {
        assert_eq!(Route::of("POST", "/api/orders"), Route::Order);
        assert_eq!(Route::of("GET", "/api/orders/${order.id}"), Route::State("${order.id}"));
        assert_eq!(Route::of("POST", "/api/orders/o1/payments"), Route::Again("o1"));
        assert_eq!(Route::of("POST", "/api/orders/o1/refunds"), Route::Refund("o1"));
        assert_eq!(Route::of("POST", "/api/orders/o1/cancel"), Route::Cancel("o1"));
        assert_eq!(Route::of("POST", "/webhooks/payments"), Route::Webhook);
        assert_eq!(Route::of("GET", "/api/orders"), Route::Other);
        assert_eq!(Route::of("POST", "/api/subscriptions"), Route::Other);
        assert_eq!(Route::of("GET", "/_sandbox/reconciliation"), Route::Other);
    }
}
