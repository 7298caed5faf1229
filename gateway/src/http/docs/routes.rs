//! Every operation of the API, in the order in which people meet them.

use utoipa::openapi::path::HttpMethod::{Delete, Get, Patch, Post};
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::{OpenApi, Required};
use wire::events::Event;
use wire::gateway_api::{
    AccessToken, CapturePayment, ConfirmPayment, CreateCustomer, CreateEndpoint, CreatePayment,
    CreateQuote, CreateRefund, CreateStoredCard, CreateToken, CustomerExport, CustomerView,
    Deleted, DeliveryView, Empty, EndpointView, IncrementPayment, PaymentView, QuoteView,
    RefundView, ResendEvent, ResendFailed, Resent, StoredCardView, Timeline, TokenView,
    UpdateEndpoint, VoidPayment,
};
use wire::settlement::{DisputeView, SettlementReport, SettlementSummary, SubmitEvidence};

use super::document::{Access, Document};

const TAGS: [(&str, &str); 9] = [
    ("access", "OAuth 2.0 client credentials (RFC 6749, 7009, 7662, 8414)."),
    ("tokens", "Card data to single-use tokens, from a browser."),
    ("payments", "Payments and everything that happens to them."),
    ("refunds", "Money back."),
    ("customers", "Customers, their saved cards, and what they agreed to."),
    ("disputes", "Money that a cardholder's bank wants back."),
    ("settlements", "What was paid out, and for what."),
    ("webhooks", "Where events go, what was sent, and sending it again."),
    ("documents", "This document and its pages."),
];

/// Refusals that every signed call can meet.
const UNSIGNED: (&str, &str) = (
    "401",
    "`token_missing`, `token_invalid`, `token_expired`, `signature_invalid` (see `reason`).",
);
const FORBIDDEN: (&str, &str) = ("403", "`scope_missing`, `token_key_mismatch`.");
const REPLAYED: (&str, &str) =
    ("409", "`idempotency_key_in_use`, `signature_replayed`, or the state forbids it.");
const ABSENT: (&str, &str) = ("404", "`not_found`: absent, or somebody else's.");
const BAD_BODY: (&str, &str) = (
    "400",
    "`json_malformed`, `json_duplicate_key`, `field_unknown`, `field_missing`, `field_invalid`, \
     `idempotency_key_missing`.",
);
const RULES: (&str, &str) = ("422", "`idempotency_key_reused`, or a rule forbids it.");

/// The document.
pub fn document() -> OpenApi {
    let mut document = Document::new();
    access(&mut document);
    tokens(&mut document);
    payments(&mut document);
    payment_changes(&mut document);
    refunds(&mut document);
    customers(&mut document);
    stored_cards(&mut document);
    disputes(&mut document);
    settlements(&mut document);
    endpoints(&mut document);
    events(&mut document);
    documents(&mut document);
    document.finish(&TAGS)
}

fn access(document: &mut Document) {
    document
        .route(Post, "/api/oauth/token", "access", "createAccessToken", Access::Client)
        .summary("Get an access token")
        .description("Client authentication by HTTP Basic only. The token lives 900 seconds.")
        .form(&[
            ("grant_type", "`client_credentials`"),
            ("scope", "Scopes separated by spaces; all of the client's when absent."),
        ])
        .answers::<AccessToken>("200", "The token.")
        .refuses(&[
            ("400", "`invalid_request`, `unsupported_grant_type`, `invalid_scope`."),
            ("401", "`invalid_client`."),
        ]);
    document
        .route(Post, "/api/oauth/revoke", "access", "revokeAccessToken", Access::Client)
        .summary("Revoke an access token")
        .form(&[("token", "The token.")])
        .answers_plainly("200", "application/json", "Revoked, or never known.")
        .refuses(&[("401", "`invalid_client`.")]);
    document
        .route(Post, "/api/oauth/introspect", "access", "introspectAccessToken", Access::Client)
        .summary("Look at an access token")
        .form(&[("token", "The token.")])
        .answers_plainly("200", "application/json", "`active`, and if so scope, client and end.")
        .refuses(&[("401", "`invalid_client`.")]);
    document
        .route(
            Get,
            "/.well-known/oauth-authorization-server",
            "access",
            "authorizationServer",
            Access::Open,
        )
        .summary("Metadata of the authorization server")
        .answers_plainly("200", "application/json", "RFC 8414 metadata.")
        .refuses(&[]);
}

fn tokens(document: &mut Document) {
    document
        .route(Post, "/api/tokens", "tokens", "createToken", Access::Publishable)
        .summary("Turn card data into a single-use token")
        .description(
            "The token lives 15 minutes and pays once. With `payment` and `client_secret` it fits \
             that payment only. Numbers other than test cards are refused and never stored.",
        )
        .body::<CreateToken>()
        .answers::<TokenView>("201", "The token.")
        .refuses(&[
            BAD_BODY,
            ("401", "`publishable_key_invalid`."),
            ("403", "`client_secret_invalid`."),
            (
                "422",
                "`not_a_test_card`, `number_…`, `expiry_…`, `cvv_…`, `name_…`; `errors` has all.",
            ),
        ]);
}

fn payments(document: &mut Document) {
    document
        .route(Post, "/api/payments", "payments", "createPayment", Access::Api("payments:write"))
        .summary("Create a payment")
        .description(
            "Send the payer to `checkout_url`. With `card_token` and `\"confirm\": true` it pays at \
             once. So it does with `card`, a saved card: by its customer, or with `\"initiator\": \
             \"merchant\"` under the customer's agreement.",
        )
        .idempotent()
        .body::<CreatePayment>()
        .answers::<PaymentView>("201", "The payment.")
        .refuses(&[BAD_BODY, UNSIGNED, FORBIDDEN, REPLAYED, RULES]);
    document
        .route(Get, "/api/payments", "payments", "listPayments", Access::Api("payments:read"))
        .summary("List payments, newest first")
        .paged()
        .filter("status", "A payment status.")
        .filter("order_reference", "The merchant's reference.")
        .filter("created_after", "RFC 3339.")
        .filter("created_before", "RFC 3339.")
        .filter("amount_min", "Minor units.")
        .filter("amount_max", "Minor units.")
        .filter("card_last4", "Last four digits of the card.")
        .filter("decline_code", "Decline code of the last attempt.")
        .answers_page::<PaymentView>("200", "A page of payments.")
        .refuses(&[("400", "`parameter_unknown`, `parameter_invalid`."), UNSIGNED, FORBIDDEN]);
    document
        .route(Get, "/api/payments/{id}", "payments", "readPayment", Access::Api("payments:read"))
        .summary("Read a payment")
        .answers::<PaymentView>("200", "The payment.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT]);
    document
        .route(
            Get,
            "/api/payments/{id}/timeline",
            "payments",
            "readTimeline",
            Access::Api("payments:read"),
        )
        .summary("Read a payment's timeline")
        .answers::<Timeline>("200", "Every attempt, message, state change and event, in order.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT]);
}

fn payment_changes(document: &mut Document) {
    const WRITE: Access = Access::Api("payments:write");
    let refusals = [BAD_BODY, UNSIGNED, FORBIDDEN, ABSENT, REPLAYED, RULES];
    document
        .route(Post, "/api/payments/{id}/conversion_quotes", "payments", "createQuote", WRITE)
        .summary("Offer the payer the currency of the card")
        .description(
            "Conversion at the till, for a card that is billed in another currency and a payment \
             that is captured at once. Show the payer both amounts, the rate and the markup, and \
             let the payer choose. Who takes the offer is charged `converted`; you get `amount` \
             either way. The token is not used up: pay with it, and with `currency_conversion` if \
             the offer was taken.",
        )
        .idempotent()
        .body::<CreateQuote>()
        .answers::<QuoteView>("201", "The offer. It can be taken once, until `expires_at`.")
        .refuses(&refusals);
    document
        .route(Post, "/api/payments/{id}/confirm", "payments", "confirmPayment", WRITE)
        .summary("Pay with a token")
        .description(
            "Answers with the outcome, or with `processing` and `outcome_unknown` when the bank did \
             not answer in time.",
        )
        .idempotent()
        .body::<ConfirmPayment>()
        .answers::<PaymentView>("200", "The payment.")
        .refuses(&refusals);
    document
        .route(Post, "/api/payments/{id}/increment", "payments", "incrementPayment", WRITE)
        .summary("Raise an estimate")
        .description(
            "Only while nothing is captured, and only where the payment was created with \
             `\"estimated\": true`. A decline leaves the authorization as it was.",
        )
        .idempotent()
        .body::<IncrementPayment>()
        .answers::<PaymentView>("200", "The payment.")
        .refuses(&refusals);
    document
        .route(Post, "/api/payments/{id}/capture", "payments", "capturePayment", WRITE)
        .summary("Take authorized money")
        .description(
            "All of it, or parts until `\"final\": true` gives the rest back. `capturable` says how \
             much it may be: some networks let some trades take more than was authorized.",
        )
        .idempotent()
        .body::<CapturePayment>()
        .answers::<PaymentView>("200", "The payment.")
        .refuses(&refusals);
    document
        .route(Post, "/api/payments/{id}/void", "payments", "voidPayment", WRITE)
        .summary("Give authorized money back")
        .description(
            "Captured money too, until its capture has left for clearing: then `already_submitted`, \
             and a refund gives it back.",
        )
        .idempotent()
        .body::<VoidPayment>()
        .answers::<PaymentView>("200", "The payment.")
        .refuses(&refusals);
    document
        .route(Post, "/api/payments/{id}/cancel", "payments", "cancelPayment", WRITE)
        .summary("Give up a payment that is not paid")
        .idempotent()
        .body::<Empty>()
        .answers::<PaymentView>("200", "The payment.")
        .refuses(&refusals);
}

fn refunds(document: &mut Document) {
    const WRITE: Access = Access::Api("refunds:write");
    let refusals = [BAD_BODY, UNSIGNED, FORBIDDEN, ABSENT, REPLAYED, RULES];
    document
        .route(Post, "/api/payments/{id}/refunds", "refunds", "createRefund", WRITE)
        .summary("Refund all or a part")
        .idempotent()
        .body::<CreateRefund>()
        .answers::<RefundView>("201", "The refund.")
        .refuses(&refusals);
    document
        .route(Get, "/api/refunds/{id}", "refunds", "readRefund", Access::Api("payments:read"))
        .summary("Read a refund")
        .answers::<RefundView>("200", "The refund.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT]);
    document
        .route(Post, "/api/refunds/{id}/cancel", "refunds", "cancelRefund", WRITE)
        .summary("Take a refund back before cut-off")
        .idempotent()
        .body::<Empty>()
        .answers::<RefundView>("200", "The refund.")
        .refuses(&refusals);
}

fn disputes(document: &mut Document) {
    const READ: Access = Access::Api("payments:read");
    const WRITE: Access = Access::Api("disputes:write");
    let refusals = [
        BAD_BODY,
        UNSIGNED,
        FORBIDDEN,
        ABSENT,
        ("409", "`dispute_state_refused`, `signature_replayed`."),
        ("503", "`processor_unavailable`: the same call may be made again."),
    ];
    document
        .route(Get, "/api/disputes", "disputes", "listDisputes", READ)
        .summary("List disputes, newest first")
        .filter("payment", "Disputes of one payment.")
        .answers_page::<DisputeView>("200", "The newest 100 disputes.")
        .refuses(&[("400", "`parameter_unknown`, `parameter_invalid`."), UNSIGNED, FORBIDDEN]);
    document
        .route(Get, "/api/disputes/{id}", "disputes", "readDispute", READ)
        .summary("Read a dispute")
        .answers::<DisputeView>("200", "The dispute.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT]);
    document
        .route(Post, "/api/disputes/{id}/accept", "disputes", "acceptDispute", WRITE)
        .summary("Give in")
        .description("The same call a second time changes nothing.")
        .idempotent()
        .body::<Empty>()
        .answers::<DisputeView>("200", "The dispute.")
        .refuses(&refusals);
    document
        .route(Post, "/api/disputes/{id}/evidence", "disputes", "submitEvidence", WRITE)
        .summary("Answer with evidence")
        .description(
            "Answers an inquiry or a chargeback, or declines a pre-arbitration. Evidence with \
             `winning_evidence` or `losing_evidence` decides the case at once.",
        )
        .idempotent()
        .body::<SubmitEvidence>()
        .answers::<DisputeView>("200", "The dispute.")
        .refuses(&refusals);
}

fn settlements(document: &mut Document) {
    const READ: Access = Access::Api("reports:read");
    document
        .route(Get, "/api/settlements", "settlements", "listSettlements", READ)
        .summary("List settlements, newest first")
        .answers_page::<SettlementSummary>("200", "The newest 100 settlements.")
        .refuses(&[UNSIGNED, FORBIDDEN]);
    document
        .route(Get, "/api/settlements/{id}", "settlements", "readSettlement", READ)
        .summary("Read a settlement report")
        .answers::<SettlementReport>("200", "Sums and lines.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT]);
    document
        .route(Get, "/api/settlements/{id}/lines.csv", "settlements", "downloadSettlement", READ)
        .summary("Read the lines of a settlement as CSV")
        .answers_plainly("200", "text/csv", "RFC 4180, a header first.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT]);
}

fn customers(document: &mut Document) {
    const READ: Access = Access::Api("payments:read");
    const WRITE: Access = Access::Api("customers:write");
    document
        .route(Post, "/api/customers", "customers", "createCustomer", WRITE)
        .summary("Add a customer")
        .idempotent()
        .body::<CreateCustomer>()
        .answers::<CustomerView>("201", "The customer.")
        .refuses(&[BAD_BODY, UNSIGNED, FORBIDDEN, REPLAYED, RULES]);
    document
        .route(Get, "/api/customers", "customers", "listCustomers", READ)
        .summary("List customers, newest first")
        .filter("limit", "1 to 100.")
        .filter("after", "The last customer of the page before.")
        .answers_page::<CustomerView>("200", "A page of customers.")
        .refuses(&[("400", "`parameter_unknown`, `parameter_invalid`."), UNSIGNED, FORBIDDEN]);
    document
        .route(Get, "/api/customers/{id}", "customers", "readCustomer", READ)
        .summary("Read a customer")
        .answers::<CustomerView>("200", "The customer.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT]);
    document
        .route(Delete, "/api/customers/{id}", "customers", "eraseCustomer", WRITE)
        .summary("Erase a customer")
        .description(
            "Erases saved cards, the cards of payments, name and address. Amounts, references and \
             dates stay. The customer's payments cannot be refunded to the card afterwards.",
        )
        .idempotent()
        .answers::<Deleted>("200", "Erased.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT, REPLAYED]);
    document
        .route(Get, "/api/customers/{id}/export", "customers", "exportCustomer", WRITE)
        .summary("Everything that is known of a customer")
        .answers::<CustomerExport>("200", "Customer, cards with consents, payments.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT]);
}

fn stored_cards(document: &mut Document) {
    const READ: Access = Access::Api("payments:read");
    const WRITE: Access = Access::Api("cards:write");
    document
        .route(Post, "/api/customers/{id}/cards", "customers", "createStoredCard", WRITE)
        .summary("Save a card that the customer gave in your pages")
        .description(
            "Nothing is asked of the bank. Until the customer has paid with it, the merchant starts \
             no payment with it: `no_agreement`.",
        )
        .idempotent()
        .body::<CreateStoredCard>()
        .answers::<StoredCardView>("201", "The saved card.")
        .refuses(&[BAD_BODY, UNSIGNED, FORBIDDEN, ABSENT, REPLAYED, RULES]);
    document
        .route(Get, "/api/customers/{id}/cards", "customers", "listStoredCards", READ)
        .summary("List a customer's saved cards")
        .answers_page::<StoredCardView>("200", "The cards, oldest first.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT]);
    document
        .route(Get, "/api/customers/{id}/cards/{card}", "customers", "readStoredCard", READ)
        .summary("Read a saved card")
        .answers::<StoredCardView>("200", "The card.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT]);
    document
        .route(Delete, "/api/customers/{id}/cards/{card}", "customers", "deleteStoredCard", WRITE)
        .summary("Forget a saved card")
        .idempotent()
        .answers::<Deleted>("200", "Its record of the vault is erased.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT, REPLAYED]);
}

fn endpoints(document: &mut Document) {
    const WRITE: Access = Access::Api("webhooks:write");
    document
        .route(Post, "/api/webhook-endpoints", "webhooks", "createEndpoint", WRITE)
        .summary("Register a webhook endpoint")
        .description("The secret is shown once, in this answer.")
        .idempotent()
        .body::<CreateEndpoint>()
        .answers::<EndpointView>("201", "The endpoint with its secret.")
        .refuses(&[BAD_BODY, UNSIGNED, FORBIDDEN, REPLAYED, RULES]);
    document
        .route(Get, "/api/webhook-endpoints", "webhooks", "listEndpoints", WRITE)
        .summary("List webhook endpoints")
        .answers_page::<EndpointView>("200", "The endpoints.")
        .refuses(&[UNSIGNED, FORBIDDEN]);
    document
        .route(Get, "/api/webhook-endpoints/{id}", "webhooks", "readEndpoint", WRITE)
        .summary("Read a webhook endpoint")
        .answers::<EndpointView>("200", "The endpoint.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT]);
    document
        .route(Patch, "/api/webhook-endpoints/{id}", "webhooks", "updateEndpoint", WRITE)
        .summary("Change a webhook endpoint")
        .description("What is absent stays as it is. Events wait while an endpoint is disabled.")
        .idempotent()
        .body::<UpdateEndpoint>()
        .answers::<EndpointView>("200", "The endpoint.")
        .refuses(&[BAD_BODY, UNSIGNED, FORBIDDEN, ABSENT, REPLAYED, RULES]);
    document
        .route(Delete, "/api/webhook-endpoints/{id}", "webhooks", "deleteEndpoint", WRITE)
        .summary("Remove a webhook endpoint")
        .idempotent()
        .answers_plainly("200", "application/json", "`id`, `object` and `\"deleted\": true`.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT, REPLAYED]);
    document
        .route(Post, "/api/webhook-endpoints/{id}/rotate-secret", "webhooks", "rotateSecret", WRITE)
        .summary("Replace an endpoint's secret")
        .description("Old and new secret both sign for 24 hours. The new one is shown once.")
        .idempotent()
        .body::<Empty>()
        .answers::<EndpointView>("200", "The endpoint with its new secret.")
        .refuses(&[BAD_BODY, UNSIGNED, FORBIDDEN, ABSENT, REPLAYED]);
    document
        .route(Post, "/api/webhook-endpoints/{id}/resend", "webhooks", "resendFailed", WRITE)
        .summary("Send everything that failed since a time again")
        .idempotent()
        .body::<ResendFailed>()
        .answers::<Resent>("202", "How many deliveries are due again.")
        .refuses(&[BAD_BODY, UNSIGNED, FORBIDDEN, ABSENT, REPLAYED]);
}

fn events(document: &mut Document) {
    const READ: Access = Access::Api("payments:read");
    document
        .route(Get, "/api/events", "webhooks", "listEvents", READ)
        .summary("List events, newest first")
        .paged()
        .filter("type", "An event type.")
        .filter("payment", "Events of one payment.")
        .answers_page::<Event>("200", "A page of events.")
        .refuses(&[("400", "`parameter_unknown`, `parameter_invalid`."), UNSIGNED, FORBIDDEN]);
    document
        .route(Get, "/api/events/{id}", "webhooks", "readEvent", READ)
        .summary("Read an event")
        .answers::<Event>("200", "The event, as it is delivered.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT]);
    document
        .route(Get, "/api/events/{id}/deliveries", "webhooks", "listDeliveries", READ)
        .summary("What was sent where, and what was answered")
        .answers_page::<DeliveryView>("200", "One row per endpoint.")
        .refuses(&[UNSIGNED, FORBIDDEN, ABSENT]);
    document
        .route(
            Post,
            "/api/events/{id}/resend",
            "webhooks",
            "resendEvent",
            Access::Api("webhooks:write"),
        )
        .summary("Send an event again")
        .idempotent()
        .body::<ResendEvent>()
        .answers::<Resent>("202", "How many deliveries are due again.")
        .refuses(&[BAD_BODY, UNSIGNED, FORBIDDEN, ABSENT, REPLAYED]);
}

fn documents(document: &mut Document) {
    document
        .route(Get, "/api/openapi.json", "documents", "openApi", Access::Open)
        .summary("This document")
        .answers_plainly("200", "application/json", "OpenAPI 3.1.")
        .refuses(&[]);
    document
        .route(Get, "/api/docs", "documents", "docs", Access::Open)
        .summary("This document as a page")
        .parameter(ParameterIn::Header, "Accept", Required::False, "`text/html`")
        .answers_plainly("200", "text/html", "A page.")
        .refuses(&[]);
}
