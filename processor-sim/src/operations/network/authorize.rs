//! 0100 at a network: route, wait for the bank, stand in or refuse, record, answer.

use kit::facts::TraceId;
use kit::link::{Call, LinkFailure, Reply, UnknownCause};
use wire::card::{Brand, Expiry};
use wire::codes::ResponseCode;
use wire::processor_api::Message;

use super::Hop;
use crate::domain::answer::{Answer, NetworkTransactionId, Results};
use crate::domain::behaviour::{Behaviour, NetworkRule, PLAIN};
use crate::domain::business_day::{local_time, settlement_date};
use crate::domain::checks::{CardStatus, Purpose};
use crate::domain::network_profile::NetworkProfile;
use crate::domain::obligation::{Obligation, ObligationKind};
use crate::domain::outcome::OutcomeSource;
use crate::domain::parties::{Issuer, route_of};
use crate::domain::stand_in::{self, StandInCase, StandInReason};
use crate::operations::translate::{self, Fault, RequestFields, TakeError};
use crate::operations::{Context, card_lives, issuer, network_tokens};
use crate::store::{NetworkState, NewNetworkTransaction, NewObligation, Recorded};

/// How long after the processor's deadline a silent network lets its message go.
const SILENT_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// What the sandbox says of a payment that a merchant starts without naming the first one.
const NO_ORIGINAL_NOTE: &str =
    "the merchant names no first payment: taken as an agreement from before such numbers";

/// Who answered, and what the network owes for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AnsweredBy {
    /// The bank.
    Issuer,
    /// The network, approving in the bank's place.
    StandIn(StandInReason),
    /// The network, refusing; the bank was not asked.
    Network,
    /// The network, refusing; the bank may have acted.
    NetworkInDoubt,
}

/// One request on its way through a network.
struct Passage<'p> {
    context: &'p Context,
    brand: Brand,
    message: &'p Message,
    fields: RequestFields,
    issuer: Option<&'static Issuer>,
    behaviour: Behaviour,
    source: Option<OutcomeSource>,
    id: NetworkTransactionId,
    /// Why the network token of the request does not pay.
    refused_token: Option<network_tokens::Refusal>,
    trace: TraceId,
}

/// Takes an authorization or refund from the processor.
pub(super) async fn authorize(
    context: &Context,
    brand: Brand,
    message: &Message,
    trace: TraceId,
) -> Result<Hop, TakeError> {
    let fields = translate::request_fields(context, message).await?;
    let wish = translate::directive(message);
    let by_wish = wish.as_ref().and_then(|(wish, _)| translate::behaviour_of_wish(context, wish));
    let by_card = || context.cards.find(&fields.card).map(|card| card.behaviour);
    let behaviour = by_wish.or_else(by_card).unwrap_or(PLAIN);
    if behaviour.network == NetworkRule::Silent {
        let until = context.timers.processor.saturating_add(SILENT_AFTER);
        let _waiting = context.plumbing.activity.waiting();
        context.clock().sleep(until).await;
        return Ok(Hop::Silence);
    }
    let route = route_of(brand, fields.card.expose());
    let passage = Passage {
        context,
        brand,
        message,
        issuer: route.and_then(|route| Issuer::by_id(route.issuer)),
        behaviour,
        source: wish.map(|(_, source)| source),
        id: transaction_id(context, brand, message).await?,
        refused_token: network_tokens::check(context, message, &fields).await?,
        fields,
        trace,
    };
    let (answer, by) = passage.decide().await;
    passage.record(answer, by).await
}

/// An id that the request brings along stays; else a new one of today.
async fn transaction_id(
    context: &Context,
    brand: Brand,
    message: &Message,
) -> Result<NetworkTransactionId, TakeError> {
    let given = message.network_transaction_id.as_deref().and_then(NetworkTransactionId::parse);
    if let Some(given) = given {
        return Ok(given);
    }
    let today = context.clock().now().utc();
    let count = context.next_transaction_count().await?;
    let digit = NetworkProfile::of(brand).id_digit;
    Ok(NetworkTransactionId::new(digit, today.year, today.day_of_year(), count))
}

impl Passage<'_> {
    /// The answer, and who gave it.
    async fn decide(&self) -> (Answer, AnsweredBy) {
        let Some(issuer) = self.issuer else {
            return (self.refusal(ResponseCode::NO_SUCH_ISSUER), AnsweredBy::Network);
        };
        if let NetworkRule::Answer(code) = self.behaviour.network {
            return (self.refusal(code), AnsweredBy::Network);
        }
        if let Some((code, note)) = self.refused_token {
            let source = Some(OutcomeSource::Account);
            let note = Some(note.to_owned());
            return (Answer { source, note, ..Answer::refusal(code) }, AnsweredBy::Network);
        }
        if translate::is_increment(self.message) && !self.takes_increments() {
            return (self.refusal(ResponseCode::INVALID_TRANSACTION), AnsweredBy::Network);
        }
        if let Some(code) = self.without_original() {
            return (self.refusal(code), AnsweredBy::Network);
        }
        let asks_all = self.context.planted("ask_banks_that_signed_off");
        if !asks_all && !self.context.sign_on.is_signed_on(issuer, self.brand) {
            return self.stand_in(issuer, StandInReason::SignedOff);
        }
        match self.ask(issuer).await {
            Ok(answer) if answer.code == ResponseCode::FORCE_STAND_IN => {
                self.stand_in(issuer, StandInReason::IssuersOption)
            }
            Ok(answer) => (answer, AnsweredBy::Issuer),
            Err(reason) => self.stand_in(issuer, reason),
        }
    }

    /// How this network refuses a payment of a merchant that names no first one.
    fn without_original(&self) -> Option<ResponseCode> {
        let nameless = translate::lacks_original(self.message);
        NetworkProfile::of(self.brand).without_original.filter(|_| nameless)
    }

    fn takes_increments(&self) -> bool {
        let category = self.message.mcc.as_deref().unwrap_or_default();
        let country = self.message.acceptor.as_ref().map(|acceptor| acceptor.country.as_str());
        NetworkProfile::of(self.brand).takes_increments(category, country)
    }

    /// Asks the bank.
    async fn ask(&self, issuer: &'static Issuer) -> Result<Answer, StandInReason> {
        let mut forwarded = self.message.clone();
        forwarded.network_transaction_id = Some(self.id.to_string());
        if forwarded.token_pan.take().is_some() {
            // The bank sees the card, with its own date.
            forwarded.pan = Some(self.fields.card.clone());
            forwarded.cryptogram = None;
            let card = self.context.cards.find(&self.fields.card);
            let date = card.and_then(|card| card.state().expiry).or(self.fields.expiry);
            forwarded.expiry = date.map(Expiry::yymm);
        }
        if self.fields.purpose == Purpose::Refund {
            // By this reference the bank finds the card that took the place of this one.
            let reference = card_lives::reference_of(self.context, &self.fields.card);
            forwarded.par = Some(reference);
        }
        let mut facts = translate::facts(self.context, &forwarded, self.trace);
        facts.issuer = Some(issuer.id.to_owned());
        let call = Call::post(issuer::path(issuer), translate::encode(&forwarded))
            .facts(facts)
            .deadline(self.context.timers.network)
            .fabricate(super::fabricate);
        read_reply(self.context.hops.to_issuer(self.context, issuer, call).await)
    }

    /// Approves in the bank's place, or refuses.
    fn stand_in(&self, issuer: &Issuer, reason: StandInReason) -> (Answer, AnsweredBy) {
        let card = self.context.cards.find(&self.fields.card);
        let now = local_time(self.context.clock().now(), issuer.offset_minutes);
        let is_good = card.is_some_and(|card| {
            let not_past = self.fields.expiry.is_some_and(|expiry| !expiry.is_past(now));
            card.issuer == issuer && card.state().status == CardStatus::Active && not_past
        });
        let approves = stand_in::approves(&StandInCase {
            amount: self.fields.amount,
            card_is_good: is_good,
            // Only the bank knows what an increment raises.
            switched_on: self.behaviour.network != NetworkRule::NoStandIn
                && !translate::is_increment(self.message),
            is_purchase: self.fields.purpose == Purpose::Purchase,
            minor_units_max: NetworkProfile::of(self.brand).stand_in_minor_units,
        });
        let approves = (approves || self.context.planted("stand_in_for_everything"))
            && !self.context.planted("never_stand_in");
        if !approves {
            let by = if reason.leaves_doubt() {
                AnsweredBy::NetworkInDoubt
            } else {
                AnsweredBy::Network
            };
            return (self.refusal(ResponseCode::ISSUER_UNAVAILABLE), by);
        }
        let answer = Answer {
            code: ResponseCode::APPROVED,
            approved: self.fields.amount,
            auth_code: Some(self.context.auth_code()),
            results: Results {
                security_code: Some("P".to_owned()),
                stand_in: Some(reason.code().to_owned()),
                ..Results::default()
            },
            source: Some(self.own_source()),
            ..Answer::refusal(ResponseCode::APPROVED)
        };
        (answer, AnsweredBy::StandIn(reason))
    }

    fn refusal(&self, code: ResponseCode) -> Answer {
        Answer { source: Some(self.own_source()), ..Answer::refusal(code) }
    }

    /// Whose doing the network's own answer is: a wish, the card, or the state of the bank.
    fn own_source(&self) -> OutcomeSource {
        match self.source {
            Some(source) => source,
            None if self.behaviour.is_plain() => OutcomeSource::Account,
            None => OutcomeSource::Card,
        }
    }

    /// Completes the answer, records it with what is owed, and gives it.
    async fn record(&self, mut answer: Answer, by: AnsweredBy) -> Result<Hop, TakeError> {
        let now = self.context.clock().now();
        // A bank that has seen the request before names the id of then.
        let id = answer.network_transaction_id.unwrap_or(self.id);
        answer.network_transaction_id = Some(id);
        answer.settlement_date = Some(settlement_date(now));
        if translate::lacks_original(self.message) && answer.note.is_none() {
            answer.note = Some(NO_ORIGINAL_NOTE.to_owned());
        }
        if self.message.stored_credential.is_some() && answer.code.approves() {
            let reference = card_lives::reference_of(self.context, &self.fields.card);
            answer.results.account = Some(reference);
        }
        if self.brand == Brand::Visa {
            answer.results.category = answer.code.info().and_then(|info| info.visa_category);
        }
        let obligations: Vec<NewObligation> = self.obligation(&answer, by).into_iter().collect();
        let owes = !obligations.is_empty();
        let new = NewNetworkTransaction {
            identity: self.fields.identity,
            digest: self.fields.digest,
            network: self.brand.as_str(),
            issuer: self.issuer.map(|issuer| issuer.id),
            pan_masked: self.fields.card.masked(),
            card_digest: self.context.card_digest(&self.fields.card),
            amount: self.fields.amount,
            currency: self.fields.currency,
            answered_at: now,
            state: match by {
                AnsweredBy::Issuer => NetworkState::Answered,
                AnsweredBy::StandIn(_) => NetworkState::StoodIn,
                AnsweredBy::Network | AnsweredBy::NetworkInDoubt => NetworkState::Refused,
            },
            answer: answer.clone(),
            network_transaction_id: id,
            obligations,
        };
        let answer = match self.context.store.record_network_transaction(new).await? {
            Recorded::New => answer,
            Recorded::Known(known) if known.digest != self.fields.digest => {
                Answer::refusal(ResponseCode::DUPLICATE)
            }
            Recorded::Known(known) => known.answer,
        };
        if owes {
            self.context.obligations.wake();
        }
        let message = translate::answer_message(self.message, &answer)
            .ok_or_else(|| Fault::format("an answer cannot be answered"))?;
        Ok(Hop::Answer(Box::new(message)))
    }

    /// The advice about an approval in the bank's place, or the reversal of what is in doubt.
    fn obligation(&self, answer: &Answer, by: AnsweredBy) -> Option<NewObligation> {
        let (kind, reason_code) = match by {
            AnsweredBy::StandIn(_) if self.context.planted("tell_no_bank_of_stand_in") => {
                return None;
            }
            AnsweredBy::NetworkInDoubt if self.context.planted("network_forgets_doubt") => {
                return None;
            }
            AnsweredBy::StandIn(reason) => (ObligationKind::StandInAdvice, reason.code()),
            AnsweredBy::NetworkInDoubt => (ObligationKind::NetworkReversal, "4021"),
            AnsweredBy::Issuer | AnsweredBy::Network => return None,
        };
        let card = self.context.cards.find(&self.fields.card);
        Some(NewObligation {
            obligation: Obligation::new(kind, self.context.clock().now()),
            original: self.fields.identity,
            network: self.brand.as_str().to_owned(),
            issuer: self.issuer.map(|issuer| issuer.id.to_owned()),
            pan_masked: self.fields.card.masked(),
            card_digest: self.context.card_digest(&self.fields.card),
            card_alias: card.and_then(|card| card.alias.clone()),
            amount: self.fields.amount,
            currency: self.fields.currency,
            category: self.message.mcc.clone(),
            card_acceptor_id: self.message.card_acceptor_id.clone(),
            reason_code: reason_code.to_owned(),
            rrn: translate::retrieval_reference(self.message).ok().flatten(),
            auth_code: answer.auth_code,
            network_transaction_id: answer.network_transaction_id,
            reversal_id: translate::reversal_bytes(self.message),
            payment: translate::payment_bytes(self.message),
            trace: *self.trace.bytes(),
        })
    }
}

fn read_reply(reply: Result<Reply, LinkFailure>) -> Result<Answer, StandInReason> {
    match reply {
        Ok(reply) if reply.is_success() => {
            let message = serde_json::from_slice::<Message>(&reply.body).ok();
            let answer = message.as_ref().and_then(translate::answer_of);
            answer.ok_or(StandInReason::Unavailable)
        }
        Err(LinkFailure::Unknown(UnknownCause::Deadline)) => Err(StandInReason::TimedOut),
        Ok(_) | Err(LinkFailure::NotSent(_) | LinkFailure::Unknown(_)) => {
            Err(StandInReason::Unavailable)
        }
    }
}
