//! What each message to the processor says (ISO 8583 by name).

use data_encoding::BASE64URL_NOPAD;
use wire::processor_api::{
    Acceptor, AddressCheck, CurrencyConversion, EntryMode, FUNCTION_ACCURATE,
    FUNCTION_CAPTURE_OTHER, FUNCTION_CAPTURE_SAME, FUNCTION_ESTIMATED, FUNCTION_FILE_ADD,
    FUNCTION_FILE_INQUIRY, FUNCTION_INCREMENTAL, FUNCTION_REVERSAL_FULL, FUNCTION_REVERSAL_PARTIAL,
    FUNCTION_STATUS_INQUIRY, FUNCTION_VERIFICATION, FileName, FileRecord, INQUIRY, Message, Mti,
    Original, PURCHASE, REFUND, SandboxData, StoredCredential, ThreeDsData,
};
use wire::stored_credential::Initiator;
use wire::three_ds::{TransStatus, VERSION};
use wire::time::Timestamp;

use super::{About, CaptureMessage, CardForMessage, Processor};
use crate::domain::attempt::{Attempt, AttemptKind};
use crate::domain::descriptor::on_statement;
use crate::domain::identity::Identity;
use crate::domain::payment::Payment;
use crate::domain::refund::Refund;
use crate::domain::reversal::{Form, Original as Reversed, Reversal};
use crate::domain::stored_card::UseOfCard;
use crate::vault::CardData;

impl Processor {
    fn message(&self, mti: Mti, identity: Identity, about: &About) -> Message {
        let merchant = &self.merchant;
        let mut message = Message::new(
            mti,
            identity.stan_text(),
            identity.transmission_at,
            merchant.acquirer_id.as_str(),
            identity.terminal_text(&merchant.terminal_id),
        );
        message.rrn = Some(identity.rrn_text());
        message.local_at = Some(local_time(identity.transmission_at));
        message.card_acceptor_id = Some(merchant.card_acceptor_id.clone());
        let (amount, currency) = about.carried();
        message.amount = Some(amount);
        message.currency = Some(currency);
        message.conversion = about
            .conversion
            .as_ref()
            .map(|it| CurrencyConversion { amount: about.amount, ..it.agreed.clone() });
        message.payment_reference = Some(about.payment.to_string());
        message
    }

    fn original(&self, mti: Mti, identity: Identity) -> Original {
        Original {
            mti,
            stan: identity.stan_text(),
            transmission_at: identity.transmission_at,
            terminal_id: identity.terminal_text(&self.merchant.terminal_id),
            acquirer_id: self.merchant.acquirer_id.clone(),
            forwarder_id: None,
        }
    }

    fn with_card(&self, message: &mut Message, payment: &Payment, card: CardForMessage) {
        let merchant = &self.merchant;
        let name = payment.details.descriptor.as_ref().unwrap_or(&merchant.name);
        message.mcc = Some(merchant.mcc.clone());
        message.acceptor = Some(Acceptor {
            name: on_statement(name, card.data.number.brand()),
            country: merchant.country.clone(),
            city: Some(merchant.city.clone()),
            url: None,
            support: None,
        });
        message.entry_mode = Some(EntryMode::Ecommerce);
        message.expiry = Some(card.data.expiry.yymm());
        message.cardholder_name = card.data.holder_name.map(|name| name.to_string());
        message.avs = card
            .data
            .postal_code
            .map(|postal| AddressCheck { address: None, postal: Some(postal.to_string()) });
        match card.token {
            Some(token) => {
                message.expiry = Some(token.expiry.yymm());
                message.token_pan = Some(token.number);
                message.cryptogram = token.cryptogram;
            }
            None => message.pan = Some(card.data.number),
        }
        message.cvv = card.code;
        message.blind = Some(BASE64URL_NOPAD.encode(&self.secrets.bytes::<16>()));
    }

    pub(super) fn authorization(
        &self,
        about: &About,
        payment: &Payment,
        attempt: &Attempt,
        card: CardForMessage,
        sandbox_outcome: Option<String>,
    ) -> Message {
        let mut message = self.message(Mti::AuthorizationRequest, attempt.identity, about);
        message.processing_code = Some(PURCHASE.to_owned());
        let in_parts = payment.terms.accept_partial && attempt.conversion.is_none();
        message.accept_partial = Some(in_parts);
        message.reversal_id = Some(attempt.reversal_id);
        message.sandbox = sandbox_outcome
            .map(|outcome| SandboxData { outcome: Some(outcome), ..SandboxData::default() });
        self.with_card(&mut message, payment, card);
        if let Some(category) = &payment.terms.category {
            message.mcc = Some(category.clone());
        }
        self.with_function(&mut message, payment, attempt);
        message.threeds = three_ds_data(payment, attempt);
        message
    }

    /// Whether the amount is final, an estimate, or more on an estimate; and who asks for it.
    fn with_function(&self, message: &mut Message, payment: &Payment, attempt: &Attempt) {
        let function = match (attempt.kind, payment.terms.estimated) {
            (AttemptKind::Payment, _) if payment.terms.is_verification() => FUNCTION_VERIFICATION,
            (AttemptKind::Increment, _) => FUNCTION_INCREMENTAL,
            (AttemptKind::Payment, true) => FUNCTION_ESTIMATED,
            (AttemptKind::Payment, false) => FUNCTION_ACCURATE,
        };
        message.function_code = Some(function.to_owned());
        let by_merchant = |reason: &str, original_ntid: Option<String>| StoredCredential {
            initiator: "MIT".to_owned(),
            sequence: "subsequent".to_owned(),
            reason: Some(reason.to_owned()),
            original_ntid,
        };
        if attempt.kind == AttemptKind::Increment {
            let base = payment.authorizations().next();
            message.original = base.map(|it| self.original(Mti::AuthorizationRequest, it.identity));
            message.network_transaction_id.clone_from(&payment.network_transaction_id);
            message.accept_partial = Some(false);
            message.entry_mode = Some(EntryMode::Cof);
            let id = payment.network_transaction_id.clone();
            message.stored_credential = Some(by_merchant("incremental", id));
        } else if let Some(previous) = &payment.terms.previous {
            let id = previous.network_transaction_id.clone();
            message.network_transaction_id.clone_from(&id);
            message.entry_mode = Some(EntryMode::Cof);
            message.stored_credential = Some(by_merchant("reauth", id));
        } else if let Some(used) = &payment.terms.stored {
            with_stored_card(message, used);
        } else if let Some(saving) = &attempt.saving {
            message.stored_credential = Some(StoredCredential {
                initiator: "CIT".to_owned(),
                sequence: "first".to_owned(),
                reason: Some(saving.consent.reason.as_str().to_owned()),
                original_ntid: None,
            });
        }
    }

    pub(super) fn refund_message(
        &self,
        about: &About,
        payment: &Payment,
        refund: &Refund,
        card: CardForMessage,
    ) -> Message {
        let mti =
            if refund.tries == 0 { Mti::AuthorizationRequest } else { Mti::AuthorizationRepeat };
        let mut message = self.message(mti, refund.identity, about);
        message.repeat_no = refund.tries;
        message.processing_code = Some(REFUND.to_owned());
        message.function_code = Some(FUNCTION_ACCURATE.to_owned());
        message.reversal_id = Some(refund.reversal_id);
        let paid = payment.attempts.iter().find(|attempt| attempt.id == refund.attempt);
        message.original =
            paid.map(|attempt| self.original(Mti::AuthorizationRequest, attempt.identity));
        message.network_transaction_id = paid.and_then(|attempt| payment.network_id_of(attempt));
        self.with_card(&mut message, payment, card);
        message
    }

    /// 0302: what became of a card.
    pub(super) fn updater_message(&self, card: &CardData, identity: Identity) -> Message {
        let record = FileRecord::of(FileName::Updater);
        let mut message = self.file_action(FUNCTION_FILE_INQUIRY, record, identity);
        message.pan = Some(card.number.clone());
        message.expiry = Some(card.expiry.yymm());
        message
    }

    /// 0302: what a payment would be in the currency of its card.
    pub(super) fn conversion_message(
        &self,
        payment: &Payment,
        card: &CardData,
        identity: Identity,
    ) -> Message {
        let record = FileRecord::of(FileName::Conversion);
        let mut message = self.file_action(FUNCTION_FILE_INQUIRY, record, identity);
        message.pan = Some(card.number.clone());
        message.expiry = Some(card.expiry.yymm());
        message.amount = Some(payment.amounts.requested);
        message.currency = Some(payment.currency);
        message.payment_reference = Some(payment.id.to_string());
        message
    }

    /// 0302: a network token is asked for, asked about, or ended.
    pub(super) fn token_message(
        &self,
        function: &str,
        card: &CardData,
        identity: Identity,
    ) -> Message {
        let record = FileRecord::of(FileName::Token);
        let mut message = self.file_action(function, record, identity);
        let number = Some(card.number.clone());
        if function == FUNCTION_FILE_ADD {
            message.pan = number;
        } else {
            message.token_pan = number;
        }
        message.expiry = Some(card.expiry.yymm());
        message
    }

    fn file_action(&self, function: &str, record: FileRecord, identity: Identity) -> Message {
        let merchant = &self.merchant;
        let mut message = Message::new(
            Mti::FileAction,
            identity.stan_text(),
            identity.transmission_at,
            merchant.acquirer_id.as_str(),
            identity.terminal_text(&merchant.terminal_id),
        );
        message.rrn = Some(identity.rrn_text());
        message.card_acceptor_id = Some(merchant.card_acceptor_id.clone());
        message.function_code = Some(function.to_owned());
        message.file = Some(record);
        message.blind = Some(BASE64URL_NOPAD.encode(&self.secrets.bytes::<16>()));
        message
    }

    pub(super) fn capture_message(&self, capture: &CaptureMessage) -> Message {
        let mti = if capture.tries == 0 { Mti::CaptureAdvice } else { Mti::CaptureAdviceRepeat };
        let mut message = self.message(mti, capture.identity, &capture.about);
        message.repeat_no = capture.tries;
        message.processing_code = Some(PURCHASE.to_owned());
        let same = capture.about.amount == capture.authorized;
        let function = if same { FUNCTION_CAPTURE_SAME } else { FUNCTION_CAPTURE_OTHER };
        message.function_code = Some(function.to_owned());
        message.auth_code.clone_from(&capture.auth_code);
        message.network_transaction_id.clone_from(&capture.network_transaction_id);
        message.original = Some(self.original(Mti::AuthorizationRequest, capture.original));
        message
    }

    pub(super) fn reversal_message(
        &self,
        about: &About,
        payment: &Payment,
        reversal: &Reversal,
        original: Identity,
    ) -> Message {
        let mti = match reversal.form() {
            Form::Request => Mti::ReversalRequest,
            Form::RequestRepeat => Mti::ReversalRepeat,
            Form::Advice => Mti::ReversalAdvice,
            Form::AdviceRepeat => Mti::ReversalAdviceRepeat,
        };
        let identity = Identity { transmission_at: reversal.transmission_at, ..original };
        let mut message = self.message(mti, identity, about);
        // A reversal is found by the reference number of what it reverses.
        message.rrn = Some(original.rrn_text());
        message.repeat_no = reversal.tries;
        let (processing_code, full) = match reversal.original {
            Reversed::Attempt(_) => (PURCHASE, reversal.remains.is_zero()),
            Reversed::Refund(_) => (REFUND, true),
        };
        message.processing_code = Some(processing_code.to_owned());
        let function = if full { FUNCTION_REVERSAL_FULL } else { FUNCTION_REVERSAL_PARTIAL };
        message.function_code = Some(function.to_owned());
        message.reason_code = Some(reversal.reason.as_str().to_owned());
        message.replacement_amount = Some(about.on_card(reversal.remains));
        message.reversal_id = Some(reversal.id);
        message.network_transaction_id.clone_from(&payment.network_transaction_id);
        if let Reversed::Attempt(id) = reversal.original {
            let attempt = payment.attempts.iter().find(|it| it.id == id);
            message.network_transaction_id = attempt.and_then(|it| payment.network_id_of(it));
        }
        message.original = Some(self.original(Mti::AuthorizationRequest, original));
        message
    }

    pub(super) fn inquiry_message(
        &self,
        about: &About,
        identity: Identity,
        original: Identity,
    ) -> Message {
        self.inquiry(about, identity, (Mti::AuthorizationRequest, original))
    }

    pub(super) fn capture_inquiry(
        &self,
        about: &About,
        identity: Identity,
        original: Identity,
    ) -> Message {
        self.inquiry(about, identity, (Mti::CaptureAdvice, original))
    }

    fn inquiry(
        &self,
        about: &About,
        identity: Identity,
        (mti, original): (Mti, Identity),
    ) -> Message {
        let mut message = self.message(Mti::AdministrativeRequest, identity, about);
        message.processing_code = Some(INQUIRY.to_owned());
        message.function_code = Some(FUNCTION_STATUS_INQUIRY.to_owned());
        message.original = Some(self.original(mti, original));
        message
    }
}

/// Fields 48.42 and 48.43: what the authentication came to, and the exemption that is claimed.
fn three_ds_data(payment: &Payment, attempt: &Attempt) -> Option<ThreeDsData> {
    if attempt.kind == AttemptKind::Increment || payment.terms.by_merchant() {
        return None;
    }
    let terms = &payment.terms.three_ds;
    let exemption = terms.exemption.map(|it| it.as_str().to_owned());
    if let Some(own) = &terms.own {
        return Some(ThreeDsData {
            version: Some(own.version.clone()),
            eci: Some(own.eci.clone()),
            cavv: own.value.clone(),
            ds_trans_id: Some(own.ds_trans_id.to_string()),
            exemption,
            ..ThreeDsData::default()
        });
    }
    let Some(authentication) = payment.authentication_of(attempt) else {
        return exemption.map(|it| ThreeDsData { exemption: Some(it), ..ThreeDsData::default() });
    };
    // An exemption that led to a challenge is no exemption any more.
    let exempt = authentication.status() == Some(TransStatus::I);
    Some(ThreeDsData {
        version: Some(VERSION.to_owned()),
        eci: authentication.values.eci.clone(),
        cavv: authentication.values.value.clone(),
        ds_trans_id: authentication.ds_trans_id.map(|id| id.to_string()),
        acs_trans_id: authentication.acs_trans_id.map(|id| id.to_string()),
        exemption: exemption.filter(|_| exempt),
    })
}

/// A saved card pays: by its customer, or by the merchant under the customer's agreement.
fn with_stored_card(message: &mut Message, used: &UseOfCard) {
    message.entry_mode = Some(EntryMode::Cof);
    let by_merchant = used.initiator == Initiator::Merchant;
    let original_ntid = used.original.clone().filter(|_| by_merchant);
    // Later payments of an agreement keep the number of the first one.
    message.network_transaction_id.clone_from(&original_ntid);
    message.stored_credential = Some(StoredCredential {
        initiator: if by_merchant { "MIT" } else { "CIT" }.to_owned(),
        sequence: "subsequent".to_owned(),
        reason: used.reason.map(|reason| reason.as_str().to_owned()),
        original_ntid,
    });
}

/// Field 12 and 13. The merchant keeps its books in UTC.
fn local_time(at: Timestamp) -> String {
    let at = at.utc();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        at.year, at.month, at.day, at.hour, at.minute, at.second
    )
}
