//! The format of scenario files, key by key.

use crate::shape::{Field, Object, Shape};

/// Every directed link.
pub const LINKS: &[&str] = &[
    "browser->merchant",
    "browser->gateway",
    "merchant->gateway",
    "gateway->merchant",
    "browser->acs",
    "gateway->processor",
    "gateway->directory",
    "directory->acs",
    "acs->directory",
    "directory->gateway",
    "processor->gateway",
    "processor->network",
    "network->issuer",
];

/// Kinds of messages.
pub const MESSAGE_TYPES: &[&str] = &[
    "page",
    "card_form",
    "api",
    "webhook",
    "authorization",
    "authorization_advice",
    "capture",
    "reversal",
    "refund",
    "inquiry",
    "file_action",
    "presentment",
    "settlement",
    "chargeback",
    "areq",
    "rreq",
    "challenge",
];

/// The programs that can be called.
pub const PROGRAMS: &[&str] = &["merchant", "gateway", "processor-sim"];

/// What a step can do.
pub const VERBS: &[&str] = &[
    "call",
    "pay",
    "issuer",
    "fault",
    "clock",
    "parallel",
    "eventually",
    "never",
    "query",
    "messages",
    "webhooks",
    "process",
    "use",
];

/// Settings of the programs that a world can be given, as in their settings files.
pub const SETTINGS: &[&str] = &[
    "gateway.processor_deadline",
    "gateway.checkout_session",
    "gateway.inquiry_after",
    "gateway.resolve_limit",
    "gateway.reversal_age_max",
    "gateway.refund_window",
    "gateway.duplicate_window",
    "gateway.limits",
    "gateway.attempts_max",
    "gateway.cards_per_address",
    "gateway.cards_per_range",
    "gateway.cap_payment",
    "gateway.cap_card_day",
    "gateway.cap_merchant_day",
    "gateway.over_cap",
    "gateway.api_rate",
    "gateway.api_burst",
    "gateway.token_rate",
    "gateway.timeout_policy",
    "gateway.accept_partial",
    "gateway.network_tokens",
    "gateway.webhook_in_flight",
    "merchant.refund_alone_max",
    "merchant.gateway_deadline",
    "merchant.session_lives",
    "merchant.inbox_lives",
    "processor-sim.issuer_deadline",
    "processor-sim.network_deadline",
    "processor-sim.processor_deadline",
    "processor-sim.gateway_deadline",
];

/// Where a program can be killed, in the life of a message.
pub const BOUNDARIES: &[&str] =
    &["prepared", "sent", "answer_received", "answer_stored", "received", "stored", "answered"];

/// What `query` reads.
pub const SOURCES: &[&str] = &[
    "gateway.payments",
    "gateway.attempts",
    "gateway.captures",
    "gateway.refunds",
    "merchant.orders",
    "issuer.accounts",
    "issuer.holds",
    "issuer.cards",
    "issuer.ledger",
    "network.ledger",
    "acquirer.ledger",
    "clearing.records",
    "links.held",
];

/// What may be asked again and again without moving money.
pub const READING_VERBS: &[&str] = &["call", "query", "messages", "webhooks"];

const fn field(key: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { key, shape, required: false, about }
}

const fn required(key: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { key, shape, required: true, about }
}

const TEXT: Shape = Shape::Text;
const MATCHER_OR_VALUE: Shape = Shape::Either(&[Shape::Object(&MATCHER), Shape::Any]);

/// A whole file.
pub static FILE: Object = Object {
    name: "a scenario",
    one_of: None,
    fields: &[
        required("version", Shape::Whole(1), "the version of the format: 1"),
        required("name", TEXT, "a sentence that says what happens"),
        field("description", TEXT, "why it matters"),
        field("tags", Shape::List(&TEXT), "words to choose scenarios by"),
        field("covers", Shape::List(&TEXT), "the edge cases that this file plays"),
        field(
            "requires",
            Shape::List(&Shape::Word(
                "requirement",
                &["faults", "virtual-clock", "processes", "issuer", "trace", "browser"],
            )),
            "what the world must offer; derived from the verbs, may be extended",
        ),
        field("clock", Shape::Object(&CLOCK_SETTING), "where time begins"),
        field("seed", Shape::Whole(0), "everything that is left to chance follows from it"),
        field("settings", Shape::Map(&Shape::Any), "settings of the programs: program.key: value"),
        field(
            "violates",
            Shape::List(&TEXT),
            "built-in rules that are broken on purpose, such as I4; each must break",
        ),
        field("vars", Shape::Map(&Shape::Any), "named values"),
        field("secrets", Shape::Map(&Shape::Object(&SECRET)), "values that are masked everywhere"),
        field("matrix", Shape::List(&Shape::Map(&Shape::Any)), "one run per row"),
        field("invariants", Shape::List(&Shape::Object(&INVARIANT)), "checked after every step"),
        required("steps", Shape::Steps, "what happens, in order"),
    ],
};

static CLOCK_SETTING: Object = Object {
    name: "the clock",
    one_of: None,
    fields: &[
        field("mode", Shape::Word("clock mode", &["virtual"]), "virtual time stands until moved"),
        field("start", Shape::Time, "when the world begins"),
    ],
};

static SECRET: Object = Object {
    name: "a secret",
    one_of: None,
    fields: &[required("env", TEXT, "the environment variable that holds it")],
};

static INVARIANT: Object = Object {
    name: "an invariant",
    one_of: None,
    fields: &[
        required("name", TEXT, "what must always be true"),
        required("query", Shape::Word("source", SOURCES), "where to look"),
        field("where", Shape::Map(&Shape::Any), "which items"),
        required("expect", Shape::Expect, "what must be true of them"),
    ],
};

/// A fragment.
pub static FRAGMENT: Object = Object {
    name: "a fragment",
    one_of: None,
    fields: &[
        required("version", Shape::Whole(1), "the version of the format: 1"),
        field("description", TEXT, "what it is for"),
        field("params", Shape::Map(&PARAM_SHAPE), "what it takes"),
        required("steps", Shape::Steps, "what happens, in order"),
        field("returns", Shape::Map(&TEXT), "what it gives: a name and a reference"),
    ],
};

static PARAM_SHAPE: Shape =
    Shape::Either(&[Shape::Object(&PARAM), Shape::Word("parameter", &["required"])]);

static PARAM: Object = Object {
    name: "a parameter",
    one_of: None,
    fields: &[
        field("default", Shape::Any, "what it is unless given"),
        field("about", TEXT, "what it means"),
    ],
};

/// One step.
pub static STEP: Object = Object {
    name: "a step",
    one_of: Some(("verb", VERBS)),
    fields: &[
        field("id", TEXT, "a name for its results"),
        field("name", TEXT, "what happens, for people"),
        field("if", Shape::Map(&MATCHER_OR_VALUE), "the step is skipped unless this holds"),
        field("expect", Shape::Expect, "what must be true of the result"),
        field("capture", Shape::Map(&TEXT), "names for parts of the result"),
        field("call", Shape::Object(&CALL), "one HTTP request to a program"),
        field("pay", Shape::Object(&PAY), "the payer goes through the checkout"),
        field("issuer", Shape::Object(&ISSUER), "changes a card or its account at the bank"),
        field("fault", FAULTS, "arms, clears or releases faults on links"),
        field("clock", Shape::Object(&CLOCK), "moves time"),
        field("parallel", Shape::Object(&PARALLEL), "runs branches at once"),
        field("eventually", Shape::Object(&EVENTUALLY), "asks until it holds"),
        field("never", Shape::Object(&NEVER), "fails as soon as it holds"),
        field("query", Shape::Object(&QUERY), "reads the state of a program"),
        field("messages", Shape::Object(&MESSAGES), "reads what was sent on the links"),
        field("webhooks", Shape::Object(&WEBHOOKS), "reads deliveries and what came of them"),
        field("process", Shape::Object(&PROCESS), "kills, stops and starts a program"),
        field("use", Shape::Object(&USE), "runs a fragment"),
    ],
};

/// The methods of `call`.
pub const METHODS: &[&str] = &["get", "post", "put", "patch", "delete"];

static CALL: Object = Object {
    name: "a call",
    one_of: Some(("method", METHODS)),
    fields: &[
        required("to", Shape::Word("program", PROGRAMS), "which program is called"),
        field("get", TEXT, "the path"),
        field("post", TEXT, "the path"),
        field("put", TEXT, "the path"),
        field("patch", TEXT, "the path"),
        field("delete", TEXT, "the path"),
        field("json", Shape::Any, "the body as JSON"),
        field("form", Shape::Map(&TEXT), "the body as a form"),
        field("body", TEXT, "the body as it is"),
        field("headers", Shape::Map(&TEXT), "further headers"),
        field("as", TEXT, "who calls: merchant, anonymous, operator, or a client by its name"),
        field("client", Shape::Object(&CLIENT), "who calls: a client that the scenario registered"),
        field("idempotency_key", TEXT, "a fresh one unless given; empty sends none"),
        field("tamper", Shape::Object(&TAMPER), "what is wrong with the request, on purpose"),
    ],
};

static CLIENT: Object = Object {
    name: "a client",
    one_of: None,
    fields: &[
        required("client_id", TEXT, "its id for the token endpoint"),
        required("client_secret", TEXT, "its secret for the token endpoint"),
        required("key_id", TEXT, "the id of the key it signs with"),
        required("signing_key", TEXT, "the key it signs with, base64"),
    ],
};

static TAMPER: Object = Object {
    name: "tamper",
    one_of: None,
    fields: &[
        field("body", TEXT, "these bytes are sent although others were signed"),
        field("signature", Shape::Word("change", &["corrupt", "missing"]), "of the signature"),
        field("digest", Shape::Word("change", &["corrupt", "missing"]), "of the content digest"),
        field("timestamp", TEXT, "signed so much earlier or later: -10m, +10m"),
        field("nonce", Shape::Word("change", &["reuse"]), "the nonce of the call before"),
        field("key", Shape::Word("change", &["other"]), "signed with a key nobody knows"),
        field("missing", TEXT, "this header is left out"),
    ],
};

static PAY: Object = Object {
    name: "pay",
    one_of: None,
    fields: &[
        required("checkout", TEXT, "the address of the payment page"),
        required("card", Shape::Card, "a test card by its alias, or a number in quotes"),
        field("expiry", Shape::Digits, "MM/YY; a fitting one unless given"),
        field("cvv", Shape::Digits, "a fitting one unless given"),
        field("holder", TEXT, "the name on the card"),
        field("save", Shape::Boolean, "the payer lets the card be saved"),
        field("idempotency_key", TEXT, "the key in the form unless given"),
        field(
            "challenge",
            CHALLENGE,
            "what the payer does when the bank asks; nothing unless given",
        ),
        field("via", Shape::Word("way to pay", &["hosted"]), "which form is filled"),
    ],
};

/// What the payer may answer in one word.
pub const CHALLENGE_ANSWERS: &[&str] = &["approve", "fail", "cancel", "abandon"];

const CHALLENGE: Shape = Shape::Either(&[
    Shape::Word("answer to a challenge", CHALLENGE_ANSWERS),
    Shape::Object(&CHALLENGE_DETAILS),
]);

static CHALLENGE_DETAILS: Object = Object {
    name: "challenge",
    one_of: None,
    fields: &[
        field("otp", Shape::Digits, "the code that is typed, up to three times"),
        field(
            "answer",
            Shape::Word("answer to a challenge", CHALLENGE_ANSWERS),
            "the button that is pressed, without a code",
        ),
        field(
            "afterwards",
            Shape::Word("end of a challenge", &["return", "close", "back", "forge"]),
            "goes back to the payment; closes the browser; sends the CReq again; returns with a yes",
        ),
    ],
};

static ISSUER: Object = Object {
    name: "issuer",
    one_of: Some(("change", &["set", "behave", "dispute"])),
    fields: &[
        field("set", Shape::Object(&ISSUER_SET), "changes a card or its account"),
        field("behave", Shape::Object(&BEHAVE), "how the bank decides from now on"),
        field("dispute", Shape::Object(&DISPUTE), "a cardholder disputes a payment"),
        field("id", TEXT, "a name to clear the behaviour by"),
        field("match", Shape::Object(&FAULT_MATCH), "which authorizations; all unless given"),
        field("times", Shape::Whole(1), "how many; until cleared unless given"),
        field("skip", Shape::Whole(0), "how many pass first"),
        field("optional", Shape::Boolean, "the run may end without its having been asked"),
    ],
};

static BEHAVE: Object = Object {
    name: "behave",
    one_of: None,
    fields: &[
        required(
            "decide",
            Shape::Word("decision", &["approve", "decline", "partial", "hang"]),
            "approve whatever the account says, decline, approve a part, or never answer",
        ),
        field("code", Shape::Digits, "the response code of a decline; 05 unless given"),
        field("after", Shape::Duration, "the answer comes so much later"),
    ],
};

static DISPUTE: Object = Object {
    name: "dispute",
    one_of: None,
    fields: &[
        required("payment", TEXT, "the payment, once it was presented"),
        required("reason", Shape::Digits, "a reason code of its network"),
        field("amount", Shape::Whole(1), "minor units; all unless given"),
        field(
            "stage",
            Shape::Word("stage", &["chargeback", "alert", "inquiry"]),
            "how it begins; chargeback unless given",
        ),
        field(
            "story",
            Shape::Word("story", &["silent", "winning", "losing", "insisting", "withdrawing"]),
            "how the bank goes on; silent unless given",
        ),
    ],
};

static PROCESS: Object = Object {
    name: "process",
    one_of: Some(("order", ORDERS)),
    fields: &[
        field("kill", PROGRAM, "as a power switch would"),
        field("stop", PROGRAM, "it stands still and keeps its connections"),
        field("continue", PROGRAM, "a stopped one goes on"),
        field("start", PROGRAM, "a killed one, on the same data"),
        field("restart", PROGRAM, "killed and started"),
        field("skew", Shape::Object(&SKEW), "how far clocks are ahead: +7m, -30s, 0s"),
        field("when", Shape::Object(&WHEN), "kills at this moment, not now"),
    ],
};

/// What can be done to a program's process.
pub const ORDERS: &[&str] = &["kill", "stop", "continue", "start", "restart", "skew"];

static SKEW: Object = Object {
    name: "skew",
    one_of: None,
    fields: &[
        field("merchant", Shape::Shift, "of the shop"),
        field("gateway", Shape::Shift, "of the gateway"),
        field("processor-sim", Shape::Shift, "of processor, networks and banks"),
    ],
};

const PROGRAM: Shape = Shape::Word("program", PROGRAMS);

static WHEN: Object = Object {
    name: "when",
    one_of: None,
    fields: &[
        required("message", Shape::Word("message type", MESSAGE_TYPES), "the kind of message"),
        required("at", Shape::Word("boundary", BOUNDARIES), "where in its life"),
        field("nth", Shape::Whole(1), "at which occurrence; the first unless given"),
    ],
};

static USE: Object = Object {
    name: "use",
    one_of: None,
    fields: &[
        required("fragment", TEXT, "its name: fragments/NAME.fragment.yaml"),
        field("with", Shape::Map(&Shape::Any), "its parameters"),
    ],
};

static ISSUER_SET: Object = Object {
    name: "set",
    one_of: None,
    fields: &[
        required("card", Shape::Card, "which card"),
        field("status", TEXT, "active, blocked, closed …"),
        field("available", Shape::Whole(0), "what the account can spend, in minor units"),
        field("currency", TEXT, "of `available`; EUR unless given"),
        field("suspected_fraud", Shape::Boolean, "the bank suspects fraud"),
        field("daily_count", Shape::Whole(0), "payments per day"),
        field("daily_amount", Shape::Whole(0), "minor units per day"),
        field("downgrades_indicator", Shape::Boolean, "the bank takes no liability for fraud"),
        field("expiry", TEXT, "a new date, MM/YY; `status: replaced` sends a new card"),
        field("contact_wanted", Shape::Boolean, "the bank wants to speak to the cardholder"),
        field("updater_opt_out", Shape::Boolean, "merchants do not hear of changes"),
        field("stop", TEXT, "a stop order: R0, R1, R3, or none"),
        field("token", TEXT, "its network tokens: active, suspended, deactivated"),
        field("restore", Shape::Boolean, "back to what the catalogue says"),
    ],
};

const FAULTS: Shape = Shape::Either(&[Shape::List(&FAULT_ITEM), FAULT_ITEM]);
const FAULT_ITEM: Shape = Shape::Object(&FAULT);

static FAULT: Object = Object {
    name: "a fault",
    one_of: Some(("of `do`, `clear` and `release`", &["do", "clear", "release"])),
    fields: &[
        field("id", TEXT, "a name to clear it by"),
        field("on", Shape::Link, "the link"),
        field("match", Shape::Object(&FAULT_MATCH), "which messages; all unless given"),
        field("times", Shape::Whole(1), "how many messages suffer; until cleared unless given"),
        field("skip", Shape::Whole(0), "how many pass first"),
        field("probability", Shape::Chance, "with which a message suffers"),
        field("optional", Shape::Boolean, "the run may end without its having struck"),
        field("do", Shape::Either(&[ACTION, ACTION_WORD]), "what happens to the message"),
        field("clear", TEXT, "the id of a fault, or all"),
        field("release", TEXT, "the label of held messages"),
        field("with", ACTION, "what happens to the released messages: { answer: … }"),
    ],
};

static FAULT_MATCH: Object = Object {
    name: "match",
    one_of: None,
    fields: &[
        field("type", Shape::Word("message type", MESSAGE_TYPES), "the kind of message"),
        field("event", TEXT, "the event type of a webhook"),
        field("path", TEXT, "the request path; `*` at the end stands for any rest"),
        field("payment", TEXT, "a payment"),
        field("order", TEXT, "an order"),
        field("card", Shape::Card, "a test card"),
        field("issuer", TEXT, "an issuer"),
        field("network", TEXT, "a network"),
        field("amount", Shape::Whole(0), "minor units"),
        field("attempt", Shape::Whole(1), "the number of the attempt"),
    ],
};

const ACTION_WORD: Shape = Shape::Word(
    "fault",
    &["drop_request", "drop_response", "garbage", "corrupt_signature", "wrong_key", "down"],
);
const ACTION: Shape = Shape::Object(&ACTION_OBJECT);

/// Actions that say more than one word.
pub const ACTIONS_WITH_VALUE: &[&str] = &[
    "delay_request",
    "delay_response",
    "duplicate",
    "reorder",
    "status",
    "answer",
    "reset",
    "truncate",
    "stale_timestamp",
    "hold",
    "replay",
    "alter",
    "alter_signed",
];

static ACTION_OBJECT: Object = Object {
    name: "`do`",
    one_of: Some(("action", ACTIONS_WITH_VALUE)),
    fields: &[
        field("delay_request", DELAY, "the request is late"),
        field("delay_response", DELAY, "the answer is late"),
        field("duplicate", Shape::Whole(2), "delivered so often"),
        field("reorder", Shape::Object(&REORDER), "held in groups, released in another order"),
        field("status", STATUS, "a made-up answer; the peer does not act"),
        field("answer", Shape::Map(&Shape::Any), "a made-up business answer"),
        field("reset", Shape::Word("side", &["request", "response"]), "the connection breaks"),
        field("truncate", Shape::Whole(0), "the answer is cut after so many bytes"),
        field("stale_timestamp", Shape::Duration, "signed so long ago"),
        field("hold", TEXT, "parked until this label is released"),
        field("replay", Shape::Object(&REPLAY), "the same bytes once more, later"),
        field("alter", Shape::Map(&Shape::Any), "changed after it was signed"),
        field("alter_signed", Shape::Map(&Shape::Any), "changed before it is signed"),
    ],
};

const DELAY: Shape = Shape::Either(&[Shape::Object(&DRAWN), Shape::Duration]);
const STATUS: Shape = Shape::Either(&[Shape::Object(&STATUS_OBJECT), Shape::Whole(200)]);

static DRAWN: Object = Object {
    name: "a drawn delay",
    one_of: None,
    fields: &[
        required("median", Shape::Duration, "half of the delays are shorter"),
        required("sigma", Shape::Any, "how much they vary, from 0 to 3"),
    ],
};

static STATUS_OBJECT: Object = Object {
    name: "status",
    one_of: None,
    fields: &[
        required("code", Shape::Whole(200), "the HTTP status"),
        field("retry_after", Shape::Duration, "the header of this name"),
    ],
};

static REORDER: Object = Object {
    name: "reorder",
    one_of: None,
    fields: &[
        required("window", Shape::Whole(2), "messages in a group"),
        required("order", Shape::Word("order", &["reverse", "shuffle"]), "of their release"),
    ],
};

static REPLAY: Object = Object {
    name: "replay",
    one_of: None,
    fields: &[required("after", Shape::Duration, "how much later")],
};

static CLOCK: Object = Object {
    name: "clock",
    one_of: Some(("of its ways to move", &["advance", "advance_to", "until_idle"])),
    fields: &[
        field("advance", Shape::Duration, "how far"),
        field("advance_to", Shape::Time, "until when"),
        field("until_idle", Shape::Boolean, "until no work is left"),
        field("max", Shape::Duration, "the furthest that `until_idle` goes"),
    ],
};

static PARALLEL: Object = Object {
    name: "parallel",
    one_of: None,
    fields: &[
        field("barrier", Shape::Boolean, "all branches begin together"),
        required("branches", Shape::List(&Shape::Steps), "lists of steps"),
    ],
};

static EVENTUALLY: Object = Object {
    name: "eventually",
    one_of: Some(("verb that only reads", READING_VERBS)),
    fields: &[
        field("within", Shape::Duration, "of real time; 5s unless given"),
        field("every", Shape::Duration, "of real time; grows from 100ms unless given"),
        field("call", Shape::Object(&CALL), "a request with `get`"),
        field("query", Shape::Object(&QUERY), "the state of a program"),
        field("messages", Shape::Object(&MESSAGES), "what was sent"),
        field("webhooks", Shape::Object(&WEBHOOKS), "what was delivered"),
        required("expect", Shape::Expect, "what must become true"),
    ],
};

static NEVER: Object = Object {
    name: "never",
    one_of: Some(("verb that only reads", READING_VERBS)),
    fields: &[
        required("for", Shape::Duration, "how long, on the world's clock"),
        field("call", Shape::Object(&CALL), "a request with `get`"),
        field("query", Shape::Object(&QUERY), "the state of a program"),
        field("messages", Shape::Object(&MESSAGES), "what was sent"),
        field("webhooks", Shape::Object(&WEBHOOKS), "what was delivered"),
        required("expect", Shape::Expect, "what must not become true"),
    ],
};

static QUERY: Object = Object {
    name: "query",
    one_of: None,
    fields: &[
        required("from", Shape::Word("source", SOURCES), "where to look"),
        field("where", Shape::Map(&Shape::Any), "which items"),
    ],
};

static MESSAGES: Object = Object {
    name: "messages",
    one_of: None,
    fields: &[
        required("on", Shape::Link, "the link"),
        field("type", Shape::Word("message type", MESSAGE_TYPES), "the kind of message"),
        field("payment", TEXT, "a payment"),
        field("order", TEXT, "an order"),
        field("since", TEXT, "the id of a step: only what was sent after it"),
    ],
};

static WEBHOOKS: Object = Object {
    name: "webhooks",
    one_of: None,
    fields: &[
        field("to", Shape::Word("receiver", &["merchant"]), "who receives them"),
        field("order", TEXT, "of an order"),
        field("payment", TEXT, "of a payment"),
        field("event", TEXT, "of an event type"),
    ],
};

/// Statics may refer to each other, constants may not.
static NUMBER_OR_MATCHER: [Shape; 2] = [Shape::Object(&MATCHER), Shape::Whole(0)];

/// A matcher object: all that is given must hold.
pub static MATCHER: Object = Object {
    name: "a matcher",
    one_of: None,
    fields: &[
        field("eq", Shape::Any, "equal"),
        field("ne", Shape::Any, "not equal"),
        field("gt", Shape::Any, "more than"),
        field("gte", Shape::Any, "at least"),
        field("lt", Shape::Any, "less than"),
        field("lte", Shape::Any, "at most"),
        field("contains", Shape::Any, "a text within, or an item"),
        field("matches", Shape::Pattern, "a regular expression"),
        field("one_of", Shape::List(&Shape::Any), "one of these"),
        field("exists", Shape::Boolean, "whether it is there"),
        field("length", Shape::Either(&NUMBER_OR_MATCHER), "of a text or a list"),
        field("count", Shape::Either(&NUMBER_OR_MATCHER), "of a list"),
        field(
            "type",
            Shape::Word("type", &["text", "number", "boolean", "list", "mapping", "null"]),
            "what kind of value",
        ),
        field("between", Shape::List(&Shape::Any), "two ends, both included"),
        field("same_as", Shape::Any, "equal to another result"),
        field("not", Shape::Object(&MATCHER), "the opposite"),
    ],
};

/// What a verb gives: the first words of its targets.
pub fn outputs(verb: &str) -> &'static [&'static str] {
    match verb {
        "call" => &["status", "header", "body", "duration", "outcome"],
        "pay" => &["outcome", "page", "payment_id"],
        "issuer" => &["body"],
        "clock" => &["now", "fired"],
        "query" => &["count", "items", "sum"],
        "messages" => &["count", "items"],
        _ => &[],
    }
}
