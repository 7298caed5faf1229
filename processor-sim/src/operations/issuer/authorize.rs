//! 0100 and 0101 at a bank: the checks, the decision, the hold; answered at the card's own pace.

use std::sync::Arc;
use std::time::Duration;

use kit::facts::TraceId;
use kit::link::Call;
use wire::card::Brand;
use wire::codes::ResponseCode;
use wire::processor_api::{FUNCTION_ESTIMATED, Message};
use wire::three_ds::TransId;
use wire::time::Timestamp;

use crate::domain::account::{AccountKind, AccountTerms};
use crate::domain::acs::{Exemption, ValueCheck};
use crate::domain::answer::{Answer, AuthCode, NetworkTransactionId, Results};
use crate::domain::behaviour::{Behaviour, IssuerTiming, PLAIN};
use crate::domain::business_day::{local_day, local_time};
use crate::domain::checks::{self, Card, Case, Decision, Purpose, Request};
use crate::domain::identity::Identity;
use crate::domain::network_profile::NetworkProfile;
use crate::domain::outcome::OutcomeSource;
use crate::domain::parties::Issuer;
use crate::operations::card_table::{CardState, IssuedCard};
use crate::operations::network::Hop;
use crate::operations::translate::{self, Fault, RequestFields, TakeError};
use crate::operations::{Context, card_lives, network, three_ds};
use crate::store::{Authorized, ClaimedValue, IssuerIncrement, IssuerRequest, Loaded, Ruling};

/// How long after the network's deadline a silent or late bank comes back.
const LATE_AFTER: Duration = Duration::from_secs(1);

const DAY: Duration = Duration::from_hours(24);

/// What an account that does not exist is opened with.
const NO_TERMS: AccountTerms =
    AccountTerms { kind: AccountKind::Credit, whole_units: 0, pays_its_debt: false };

/// Takes an authorization or refund from a network.
pub(super) async fn authorize(
    context: &Context,
    issuer: &'static Issuer,
    message: &Message,
    trace: TraceId,
) -> Result<Hop, TakeError> {
    let fields = translate::request_fields(context, message).await?;
    let asked = context.cards.find(&fields.number).filter(|card| card.issuer == issuer);
    let card = match &asked {
        Some(asked) if fields.purpose == Purpose::Refund => {
            // The money goes to the card that took the place of this one: same account reference.
            Some(card_lives::latest(context, asked, message.par.as_deref()))
        }
        _ => asked.clone(),
    };
    let wish = translate::directive(message);
    let by_wish = wish.as_ref().and_then(|(wish, _)| translate::behaviour_of_wish(context, wish));
    let of_card = card.as_ref().map(|card| card.behaviour);
    let mut behaviour = by_wish.or(of_card).unwrap_or(PLAIN);
    if context.planted("bank_approves_everything") {
        behaviour.decision =
            crate::domain::behaviour::DecisionRule::Approve(ResponseCode::APPROVED);
    }
    let late = context.timers.network.saturating_add(LATE_AFTER);
    if behaviour.timing == IssuerTiming::Silent {
        pause(context, late).await;
        return Ok(Hop::Silence);
    }
    let deciding = Deciding {
        context,
        issuer,
        message,
        card,
        behaviour,
        forced_by: wish.map(|(_, source)| source),
        brand: fields.number.brand(),
        fields,
    };
    let mut answer = deciding.decide().await?;
    card_lives::after(context, &deciding.happened(&answer)).await?;
    answer.results.moved_to = deciding.moved_from(asked.as_deref(), &answer);
    let answered = translate::answer_message(message, &answer)
        .ok_or_else(|| Fault::format("an answer cannot be answered"))?;
    match behaviour.timing {
        IssuerTiming::Prompt | IssuerTiming::Silent => {}
        IssuerTiming::JustInTime => {
            pause(context, context.timers.issuer.saturating_sub(Duration::from_millis(1))).await;
        }
        IssuerTiming::Late => {
            pause(context, late).await;
            send_unasked(context, issuer, deciding.brand, &answered, trace).await;
        }
        IssuerTiming::Twice => {
            let (context, answered) = (context.clone(), answered.clone());
            let (activity, brand) = (context.plumbing.activity.clone(), deciding.brand);
            tokio::spawn(activity.track(async move {
                send_unasked(&context, issuer, brand, &answered, trace).await;
            }));
        }
    }
    Ok(Hop::Answer(Box::new(answered)))
}

async fn pause(context: &Context, time: Duration) {
    let _waiting = context.plumbing.activity.waiting();
    context.clock().sleep(time).await;
}

/// Sends an answer on its own: late, or a second time.
async fn send_unasked(
    context: &Context,
    issuer: &Issuer,
    brand: Brand,
    answered: &Message,
    trace: TraceId,
) {
    let mut facts = translate::facts(context, answered, trace);
    facts.network = Some(brand.as_str().to_owned());
    facts.issuer = Some(issuer.id.to_owned());
    let call = Call::post(network::path(brand), translate::encode(answered))
        .facts(facts)
        .deadline(context.timers.network);
    if let Err(failure) = context.hops.issuer_to_network(context, brand, call).await {
        tracing::debug!(%failure, "an answer that nobody waited for was lost");
    }
}

/// One request at a bank.
struct Deciding<'d> {
    context: &'d Context,
    issuer: &'static Issuer,
    message: &'d Message,
    card: Option<Arc<IssuedCard>>,
    behaviour: Behaviour,
    forced_by: Option<OutcomeSource>,
    brand: Brand,
    fields: RequestFields,
}

impl Deciding<'_> {
    /// What follows from an answer for the card.
    fn happened<'h>(&'h self, answer: &Answer) -> card_lives::Happened<'h> {
        card_lives::Happened {
            card: self.card.as_deref(),
            paid: answer.code.approves() && self.fields.purpose == Purpose::Purchase,
            code: answer.code,
            merchant: self.message.card_acceptor_id.as_deref(),
            by_merchant: self
                .message
                .stored_credential
                .as_ref()
                .is_some_and(|credential| credential.initiator == "MIT"),
            saved_with: self.fields.expiry,
        }
    }

    /// The card that money went to, where it is not the one that was named.
    fn moved_from(&self, asked: Option<&IssuedCard>, answer: &Answer) -> Option<String> {
        let (asked, card) = asked.zip(self.card.as_deref())?;
        let moved = asked.number != card.number && answer.code.approves();
        moved.then(|| card.number.masked().to_string())
    }

    async fn decide(&self) -> Result<Answer, TakeError> {
        let state = self.card.as_ref().map(|card| card.state());
        let request = self.request(state.as_ref());
        let release = request.release_at;
        let rule = self.rule(state);
        let authorized = match self.original().await? {
            Some(original) => {
                let extends = NetworkProfile::of(self.brand).increment_extends();
                let increment = IssuerIncrement { request, original, extends };
                self.context.store.raise_hold(increment, rule).await?
            }
            None => self.context.store.authorize(request, rule).await?,
        };
        Ok(match authorized {
            Authorized::Conflict => Answer::refusal(ResponseCode::DUPLICATE),
            Authorized::Buried => Answer::refusal(ResponseCode::ALREADY_CLEARED),
            Authorized::Known(answer) => *answer,
            Authorized::Decided(answer, rows) => {
                if let (Some(card), Some((row, account))) = (&self.card, rows)
                    && card.state().stored.is_none()
                {
                    card.remember_rows(row, account);
                }
                self.context.releases.note(Some(release));
                *answer
            }
        })
    }

    /// The request that an increment raises.
    async fn original(&self) -> Result<Option<Identity>, TakeError> {
        if !translate::is_increment(self.message) {
            return Ok(None);
        }
        let original = self.message.original.as_ref();
        let original = original.ok_or_else(|| translate::missing("original"))?;
        Ok(Some(translate::original_identity(self.context, original).await?))
    }

    fn request(&self, state: Option<&CardState>) -> IssuerRequest {
        let now = self.context.clock().now();
        let rows =
            self.card.as_ref().zip(state).map(|(card, state)| card.rows(self.context, state));
        let counts = state.is_some_and(|state| state.controls.counts());
        let counts = counts && !self.context.planted("bank_counts_no_payments");
        let id = self.message.network_transaction_id.as_deref();
        IssuerRequest {
            identity: self.fields.identity,
            digest: self.fields.digest,
            issuer: self.issuer,
            card: rows,
            terms: state.map_or(NO_TERMS, |state| state.terms),
            purpose: self.fields.purpose,
            currency: self.fields.currency,
            remembers: self.behaviour.remembers(),
            counts_day: counts.then(|| local_day(now, self.issuer.offset_minutes)),
            release_at: release_at(self.context, self.message, &self.behaviour, self.brand),
            network_transaction_id: id.and_then(NetworkTransactionId::parse),
            claimed: self.claimed(),
            at: now,
        }
    }

    /// The authentication that the request claims, and the value that it would have to be.
    fn claimed(&self) -> Option<ClaimedValue> {
        let threeds = self.message.threeds.as_ref()?;
        let ds_trans_id: Option<TransId> =
            threeds.ds_trans_id.as_deref().and_then(|id| id.parse().ok());
        let expected = ds_trans_id.map(|ds_trans_id| {
            three_ds::value(
                self.context,
                &three_ds::Bound {
                    card: self.context.card_digest(&self.fields.number),
                    amount: self.fields.amount,
                    currency: self.fields.currency,
                    card_acceptor_id: self.message.card_acceptor_id.as_deref().unwrap_or_default(),
                    ds_trans_id,
                },
            )
        });
        let value = threeds.cavv.clone();
        Some(ClaimedValue { ds_trans_id, value, expected: expected.unwrap_or_default() })
    }

    /// The decision as a pure function of what its unit of work loads.
    fn rule(&self, state: Option<CardState>) -> impl FnOnce(Loaded) -> Ruling + Send + 'static {
        let (card, issuer, fields) = (self.card.clone(), self.issuer, self.fields.clone());
        let (behaviour, forced_by) = (self.behaviour, self.forced_by);
        let given = Given::of(self.message);
        let now = self.context.clock().now();
        let auth_code = self.context.auth_code();
        let id = self.message.network_transaction_id.as_deref();
        let id = id.and_then(NetworkTransactionId::parse);
        move |loaded| {
            let request = given.request(&fields, loaded.value);
            let card = card.as_ref().zip(state.as_ref()).map(|(card, state)| Card {
                status: state.status,
                expiry: state.expiry,
                security_code: card.security_code,
                brand: card.brand(),
                behaviour,
                forced_by,
                controls: &state.controls,
            });
            let case = Case {
                request: &request,
                card: card.as_ref(),
                balance: loaded.balance,
                pays_its_debt: state.as_ref().is_some_and(|state| state.terms.pays_its_debt),
                history: loaded.history,
                embargoed: issuer.embargoed,
                local_now: local_time(now, issuer.offset_minutes),
                now,
            };
            let decision = checks::decide(&case);
            Ruling {
                pays_first: decision.pays_first,
                history: checks::history_after(&case, &decision),
                wrong_security_code: decision.wrong_security_code,
                answer: answer_of(&decision, auth_code, id),
            }
        }
    }
}

/// The parts of a message that the checks look at, without the rest of it.
struct Given {
    security_code: Option<wire::card::SecurityCode>,
    address: (bool, bool),
    by_merchant: bool,
    merchant: Option<String>,
    raises: bool,
    indicator: Option<String>,
    exemption: Option<Exemption>,
    category: String,
    country: Option<String>,
    accepts_partial: bool,
}

impl Given {
    fn of(message: &Message) -> Self {
        let avs = message.avs.as_ref();
        let credential = message.stored_credential.as_ref();
        Self {
            security_code: message.cvv.clone(),
            address: (
                avs.is_some_and(|avs| avs.address.is_some()),
                avs.is_some_and(|avs| avs.postal.is_some()),
            ),
            by_merchant: credential.is_some_and(|credential| credential.initiator == "MIT"),
            merchant: message.card_acceptor_id.clone(),
            raises: translate::is_increment(message),
            indicator: message.threeds.as_ref().and_then(|threeds| threeds.eci.clone()),
            exemption: message
                .threeds
                .as_ref()
                .and_then(|threeds| threeds.exemption.as_deref())
                .and_then(Exemption::parse),
            category: message.mcc.clone().unwrap_or_default(),
            country: message.acceptor.as_ref().map(|acceptor| acceptor.country.clone()),
            accepts_partial: message.accept_partial.unwrap_or(false),
        }
    }

    fn request<'r>(&'r self, fields: &RequestFields, value: ValueCheck) -> Request<'r> {
        Request {
            purpose: fields.purpose,
            amount: fields.amount,
            expiry: fields.expiry,
            security_code: self.security_code.as_ref(),
            address: self.address,
            by_merchant: self.by_merchant,
            merchant: self.merchant.as_deref(),
            raises: self.raises,
            indicator: self.indicator.as_deref(),
            value,
            exempt: self
                .exemption
                .is_some_and(|exemption| exemption.is_accepted(fields.amount, fields.currency)),
            category: &self.category,
            country: self.country.as_deref(),
            accepts_partial: self.accepts_partial,
        }
    }
}

fn answer_of(decision: &Decision, auth_code: AuthCode, id: Option<NetworkTransactionId>) -> Answer {
    let text = |code: [u8; 2]| std::str::from_utf8(&code).map(str::to_owned).ok();
    Answer {
        code: decision.code,
        approved: decision.approved,
        auth_code: decision.code.approves().then_some(auth_code),
        network_transaction_id: id,
        settlement_date: None,
        results: Results {
            security_code: Some(decision.security_code_result.to_owned()),
            address: decision.address_result.map(str::to_owned),
            advice: decision.advice.and_then(text),
            category: None,
            stand_in: None,
            authentication: decision.authentication_result.map(str::to_owned),
            indicator: decision.indicator.map(str::to_owned),
            account: None,
            moved_to: None,
        },
        source: Some(decision.source),
        note: decision.note.map(str::to_owned),
    }
}

/// When the bank releases a hold: after the card's own time, else after the network's window.
pub(super) fn release_at(
    context: &Context,
    message: &Message,
    behaviour: &Behaviour,
    brand: Brand,
) -> Timestamp {
    // Only estimates are raised, so an increment is part of one.
    let estimated = message.function_code.as_deref() == Some(FUNCTION_ESTIMATED)
        || translate::is_increment(message);
    let credential = message.stored_credential.as_ref();
    let by_merchant = credential.is_some_and(|credential| credential.initiator == "MIT");
    let window = NetworkProfile::of(brand).window_days(estimated, by_merchant);
    let days = behaviour.hold_days.unwrap_or(window);
    context.clock().now().plus(DAY.saturating_mul(u32::from(days)))
}
