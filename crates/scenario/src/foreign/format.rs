//! The keys of a merchant file.

use crate::shape::{Field, Object, Shape};

/// What our scenarios call the states of an order.
pub(super) const STATES: &[&str] = &[
    "awaiting_payment",
    "checking",
    "paid",
    "declined",
    "canceled",
    "partially_refunded",
    "refunded",
];

/// What can become of a notification.
pub(super) const EFFECTS: &[&str] = &["applied", "duplicate", "ignored"];

/// How a hook may be called.
pub(super) const METHODS: &[&str] = &["get", "post", "put", "patch", "delete"];

const fn field(key: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { key, shape, required: false, about }
}

const fn required(key: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { key, shape, required: true, about }
}

const TEXT: Shape = Shape::Text;
/// Exactly one of these is given.
const fn method(known: &'static [&'static str]) -> (&'static str, &'static [&'static str]) {
    ("method", known)
}

const GET: Field = field("get", TEXT, "path of a GET");
const POST: Field = field("post", TEXT, "path of a POST");
const PUT: Field = field("put", TEXT, "path of a PUT");
const PATCH: Field = field("patch", TEXT, "path of a PATCH");
const DELETE: Field = field("delete", TEXT, "path of a DELETE");
const JSON: Field = field("json", Shape::Any, "what is sent, with ${…} in it");

pub(crate) static FILE: Object = Object {
    name: "a merchant file",
    one_of: None,
    fields: &[
        required("version", Shape::Whole(1), "the version of the format: 1"),
        required("url", TEXT, "where your merchant listens, such as http://127.0.0.1:8500"),
        required("webhook", TEXT, "where it receives events: a path below `url`"),
        field("headers", Shape::Map(&TEXT), "headers of every hook"),
        field("grace", Shape::Duration, "how long it is silent before it counts as idle: 50ms"),
        required(
            "configure",
            Shape::Object(&CONFIGURE),
            "how it is given its credentials: configure: { post: /configure }",
        ),
        required(
            "order",
            Shape::Object(&ORDER),
            "how a scenario orders: order: { post: /orders, json: …, id: /id, checkout_url: /url }",
        ),
        field("state", Shape::Object(&STATE), "how a scenario reads an order"),
        field("again", Shape::Object(&AGAIN), "how a customer gets another payment page"),
        field("refund", Shape::Object(&REFUND), "how an order is refunded"),
        field("cancel", Shape::Object(&CANCEL), "how an order is canceled"),
        field("events", Shape::Object(&EVENTS), "what its answer to an event says"),
    ],
};

static CONFIGURE: Object = Object {
    name: "the hook `configure`",
    one_of: Some(method(&["post", "put", "patch"])),
    fields: &[POST, PUT, PATCH, JSON],
};

static ORDER: Object = Object {
    name: "the hook `order`",
    one_of: Some(method(&["post", "put"])),
    fields: &[
        POST,
        PUT,
        JSON,
        required("id", TEXT, "where in the answer the order's id stands, such as /id"),
        required(
            "checkout_url",
            TEXT,
            "where in the answer the address of the payment page stands, such as /payment/url",
        ),
        field("payment_id", TEXT, "where in the answer the payment's id stands"),
    ],
};

static STATE: Object = Object {
    name: "the hook `state`",
    one_of: Some(method(&["get", "post"])),
    fields: &[
        GET,
        POST,
        JSON,
        required("status", TEXT, "where in the answer the state of the order stands: /state"),
        required(
            "states",
            Shape::Map(&Shape::Word("state of an order", STATES)),
            "its words for states and ours: states: { open: awaiting_payment, paid: paid }",
        ),
        field(
            "also",
            Shape::Map(&TEXT),
            "further parts of an order and where they stand: also: { fulfilments: /shipments }",
        ),
    ],
};

static AGAIN: Object = Object {
    name: "the hook `again`",
    one_of: Some(method(&["post", "put"])),
    fields: &[
        POST,
        PUT,
        JSON,
        required("checkout_url", TEXT, "where in the answer the address of the page stands"),
    ],
};

static REFUND: Object = Object {
    name: "the hook `refund`",
    one_of: Some(method(&["post", "put", "patch"])),
    fields: &[POST, PUT, PATCH, JSON],
};

static CANCEL: Object = Object {
    name: "the hook `cancel`",
    one_of: Some(method(&["post", "put", "patch", "delete"])),
    fields: &[POST, PUT, PATCH, DELETE, JSON],
};

static EVENTS: Object = Object {
    name: "`events`",
    one_of: None,
    fields: &[
        required("effect", TEXT, "where in its answer to an event stands what it did: /effect"),
        required(
            "effects",
            Shape::Map(&Shape::Word("effect", EFFECTS)),
            "its words and ours: effects: { shipped: applied, seen: duplicate }",
        ),
    ],
};
