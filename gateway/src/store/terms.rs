//! What was agreed beside the amount, as one column; null when it is what most agree on.

use kit::sqlite::DatabaseError;
use rusqlite::Row;
use serde::{Deserialize, Serialize};
use wire::ids::{CardId, CustomerId, PaymentId};
use wire::stored_credential::{CheckRule, Initiator, MitReason, PaymentPurpose};
use wire::three_ds::TransId;

use super::rows::corrupt;
use crate::domain::check_rules::CheckRules;
use crate::domain::stored_card::UseOfCard;
use crate::domain::terms::{Previous, SavingTerms, Terms};
use crate::domain::three_ds::{Exemption, Mode, OnUnavailable, OwnResult, ThreeDsTerms};

#[derive(Default, PartialEq, Serialize, Deserialize)]
struct Stored {
    #[serde(rename = "p", default, skip_serializing_if = "std::ops::Not::not")]
    accept_partial: bool,
    #[serde(rename = "e", default, skip_serializing_if = "std::ops::Not::not")]
    estimated: bool,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    previous: Option<(PaymentId, Option<String>)>,
    /// Mode, exemption, what happens when it cannot be performed.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    three_ds: Option<(char, Option<String>, char)>,
    /// Version, indicator, value and id of an authentication of the merchant's own.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    own: Option<(String, String, Option<String>, TransId)>,
    #[serde(rename = "v", default, skip_serializing_if = "std::ops::Not::not")]
    verification: bool,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    rules: Option<[CheckRule; 3]>,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    customer: Option<CustomerId>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    saving: Option<(MitReason, bool, Option<String>)>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    used: Option<Used>,
}

fn encode_three_ds(terms: &ThreeDsTerms) -> (char, Option<String>, char) {
    let mode = match terms.mode {
        Mode::Automatic => 'a',
        Mode::Force => 'f',
        Mode::Skip => 's',
    };
    let policy = match terms.on_unavailable {
        OnUnavailable::Authorize => 'a',
        OnUnavailable::Stop => 's',
    };
    (mode, terms.exemption.map(|it| it.as_str().to_owned()), policy)
}

fn decode_three_ds(stored: &mut Stored) -> Result<ThreeDsTerms, DatabaseError> {
    let own = stored.own.take().map(|(version, eci, value, ds_trans_id)| OwnResult {
        version,
        eci,
        value,
        ds_trans_id,
    });
    let Some((mode, exemption, policy)) = stored.three_ds.take() else {
        return Ok(ThreeDsTerms { own, ..ThreeDsTerms::default() });
    };
    let of_word = |word: &String| Exemption::ALL.into_iter().find(|it| it.as_str() == word);
    Ok(ThreeDsTerms {
        mode: match mode {
            'a' => Mode::Automatic,
            'f' => Mode::Force,
            's' => Mode::Skip,
            other => return Err(corrupt("terms", other)),
        },
        exemption: exemption.as_ref().and_then(of_word),
        on_unavailable: match policy {
            'a' => OnUnavailable::Authorize,
            's' => OnUnavailable::Stop,
            other => return Err(corrupt("terms", other)),
        },
        own,
    })
}

#[derive(PartialEq, Serialize, Deserialize)]
struct Used {
    #[serde(rename = "c")]
    card: CardId,
    #[serde(rename = "i")]
    initiator: Initiator,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    reason: Option<MitReason>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    agreement: Option<PaymentId>,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    original: Option<String>,
    #[serde(rename = "g", default, skip_serializing_if = "std::ops::Not::not")]
    grandfathered: bool,
}

impl Used {
    fn of(used: &UseOfCard) -> Self {
        Self {
            card: used.card,
            initiator: used.initiator,
            reason: used.reason,
            agreement: used.agreement,
            original: used.original.clone(),
            grandfathered: used.grandfathered,
        }
    }

    fn read(self) -> UseOfCard {
        UseOfCard {
            card: self.card,
            initiator: self.initiator,
            reason: self.reason,
            agreement: self.agreement,
            original: self.original,
            grandfathered: self.grandfathered,
        }
    }
}

pub(super) fn encode(terms: &Terms) -> Result<Option<String>, DatabaseError> {
    if *terms == Terms::default() {
        return Ok(None);
    }
    let previous = terms.previous.as_ref();
    let stored =
        Stored {
            accept_partial: terms.accept_partial,
            estimated: terms.estimated,
            category: terms.category.clone(),
            previous: previous.map(|it| (it.payment, it.network_transaction_id.clone())),
            verification: terms.is_verification(),
            rules: Some([terms.rules.cvv, terms.rules.avs, terms.rules.avs_unavailable])
                .filter(|_| terms.rules != CheckRules::default()),
            customer: terms.customer,
            saving: terms.saving.as_ref().map(|it| (it.reason, it.required, it.text.clone())),
            used: terms.stored.as_ref().map(Used::of),
            three_ds: Some(encode_three_ds(&terms.three_ds)),
            own: terms.three_ds.own.as_ref().map(|own| {
                (own.version.clone(), own.eci.clone(), own.value.clone(), own.ds_trans_id)
            }),
        };
    serde_json::to_string(&stored).map(Some).map_err(|error| corrupt("terms", error))
}

pub(super) fn decode(row: &Row<'_>, column: usize) -> Result<Terms, DatabaseError> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(|error| corrupt("terms", error))?;
    let Some(text) = text else { return Ok(Terms::default()) };
    let mut stored: Stored = serde_json::from_str(text).map_err(|error| corrupt("terms", error))?;
    let three_ds = decode_three_ds(&mut stored)?;
    Ok(Terms {
        three_ds,
        accept_partial: stored.accept_partial,
        estimated: stored.estimated,
        category: stored.category,
        previous: stored
            .previous
            .map(|(payment, network_transaction_id)| Previous { payment, network_transaction_id }),
        purpose: if stored.verification {
            PaymentPurpose::Verification
        } else {
            PaymentPurpose::Purchase
        },
        rules: stored.rules.map_or(CheckRules::default(), |[cvv, avs, avs_unavailable]| {
            CheckRules { cvv, avs, avs_unavailable }
        }),
        customer: stored.customer,
        saving: stored.saving.map(|(reason, required, text)| SavingTerms {
            reason,
            required,
            text,
        }),
        stored: stored.used.map(Used::read),
    })
}
