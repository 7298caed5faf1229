//! The components that a signature covers, and sets of them.

/// A component of a message, as it is named in `Signature-Input`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Component {
    Method,
    Authority,
    Path,
    Query,
    ContentDigest,
    ContentType,
    IdempotencyKey,
    TraceId,
    Status,
    RequestMethod,
    RequestPath,
    RequestSignature,
}

/// How the request's signature is named in an answer, before and after the label.
pub(super) const REQUEST_SIGNATURE: (&str, &str) = ("\"signature\";req;key=\"", "\"");

impl Component {
    /// Every component, in the order in which we sign.
    pub(super) const ALL: [Self; 12] = [
        Self::Method,
        Self::Authority,
        Self::Path,
        Self::Query,
        Self::Status,
        Self::ContentDigest,
        Self::ContentType,
        Self::IdempotencyKey,
        Self::TraceId,
        Self::RequestMethod,
        Self::RequestPath,
        Self::RequestSignature,
    ];

    /// The identifier with its parameters; that of the request's signature lacks the label.
    pub(super) const fn identifier(self) -> &'static str {
        match self {
            Self::Method => "\"@method\"",
            Self::Authority => "\"@authority\"",
            Self::Path => "\"@path\"",
            Self::Query => "\"@query\"",
            Self::ContentDigest => "\"content-digest\"",
            Self::ContentType => "\"content-type\"",
            Self::IdempotencyKey => "\"idempotency-key\"",
            Self::TraceId => "\"payrig-trace-id\"",
            Self::Status => "\"@status\"",
            Self::RequestMethod => "\"@method\";req",
            Self::RequestPath => "\"@path\";req",
            Self::RequestSignature => "\"signature\";req",
        }
    }

    /// The component with this identifier, and the label inside it if there is one.
    pub(super) fn parse(identifier: &str) -> Option<(Self, Option<&str>)> {
        let plain = match identifier {
            "\"@method\"" => Self::Method,
            "\"@authority\"" => Self::Authority,
            "\"@path\"" => Self::Path,
            "\"@query\"" => Self::Query,
            "\"content-digest\"" => Self::ContentDigest,
            "\"content-type\"" => Self::ContentType,
            "\"idempotency-key\"" => Self::IdempotencyKey,
            "\"payrig-trace-id\"" => Self::TraceId,
            "\"@status\"" => Self::Status,
            "\"@method\";req" => Self::RequestMethod,
            "\"@path\";req" => Self::RequestPath,
            _ => {
                let label = identifier
                    .strip_prefix(REQUEST_SIGNATURE.0)
                    .and_then(|rest| rest.strip_suffix(REQUEST_SIGNATURE.1))?;
                return Some((Self::RequestSignature, Some(label)));
            }
        };
        Some((plain, None))
    }

    const fn bit(self) -> u16 {
        match self {
            Self::Method => 1,
            Self::Authority => 1 << 1,
            Self::Path => 1 << 2,
            Self::Query => 1 << 3,
            Self::ContentDigest => 1 << 4,
            Self::ContentType => 1 << 5,
            Self::IdempotencyKey => 1 << 6,
            Self::TraceId => 1 << 7,
            Self::Status => 1 << 8,
            Self::RequestMethod => 1 << 9,
            Self::RequestPath => 1 << 10,
            Self::RequestSignature => 1 << 11,
        }
    }
}

/// A set of components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ComponentSet(u16);

impl ComponentSet {
    pub(super) const EMPTY: Self = Self(0);

    pub(super) const fn with(self, component: Component) -> Self {
        Self(self.0 | component.bit())
    }

    pub(super) const fn with_if(self, component: Component, condition: bool) -> Self {
        if condition { self.with(component) } else { self }
    }

    pub(super) const fn contains(self, component: Component) -> bool {
        self.0 & component.bit() != 0
    }

    /// A member of this set that is not in the other.
    pub(super) fn member_outside(self, other: Self) -> Option<Component> {
        if self.0 & !other.0 == 0 {
            return None;
        }
        let outside =
            |component: &Component| self.contains(*component) && !other.contains(*component);
        Component::ALL.into_iter().find(outside)
    }

    /// The members, in the order in which we sign.
    pub(super) fn in_order(self) -> impl Iterator<Item = Component> {
        Component::ALL.into_iter().filter(move |component| self.contains(*component))
    }
}
