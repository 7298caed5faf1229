//! Every issued card in memory: the catalogue, and what the control plane has issued.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use wire::card::{Brand, CardNumber, Expiry};
use wire::ids::{AccountId, CardId};
use wire::test_cards::{self, SANDBOX_BINS, TestCard};

use super::{ByDigest, Context, ContextError};
use crate::domain::account::AccountTerms;
use crate::domain::behaviour::{self, Behaviour, CatalogueRow, PLAIN};
use crate::domain::checks::{CardControls, CardStatus};
use crate::domain::identity::CardDigest;
use crate::domain::parties::{Issuer, route_of};
use crate::store::{CardRows, NewCard, Store, StoredCard};

/// Cards that the control plane can issue carry this digit behind the eighth.
pub const ISSUED_FAMILY: char = '9';

/// A card that a bank has issued.
#[derive(Debug)]
pub struct IssuedCard {
    /// The number.
    pub number: CardNumber,
    /// Its name in the catalogue.
    pub alias: Option<String>,
    /// The bank.
    pub issuer: &'static Issuer,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// Its security code; `None`: any.
    pub security_code: Option<&'static str>,
    state: RwLock<CardState>,
}

/// What may change about a card.
#[derive(Clone, Debug)]
pub struct CardState {
    /// Rows and ids, once it is in the database.
    pub stored: Option<StoredRows>,
    /// Its state.
    pub status: CardStatus,
    /// Its date; `None`: any month that is not past.
    pub expiry: Option<Expiry>,
    /// Row of the card that took its place.
    pub replaced_by: Option<i64>,
    /// Payment account reference, where it has that of a card before it.
    pub account_reference: Option<Arc<str>>,
    /// What its account was opened with.
    pub terms: AccountTerms,
    /// What the bank has set.
    pub controls: Arc<CardControls>,
}

/// Where a card is in the database.
#[derive(Clone, Copy, Debug)]
pub struct StoredRows {
    /// Row of the card.
    pub card: i64,
    /// Row of its account.
    pub account: i64,
}

impl IssuedCard {
    /// What may change, as it is now.
    pub fn state(&self) -> CardState {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The brand of its number.
    pub const fn brand(&self) -> Brand {
        self.number.brand()
    }

    /// Takes over the rows that its first use has made.
    pub fn remember_rows(&self, card: i64, account: i64) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.stored = Some(StoredRows { card, account });
    }

    fn remember(&self, stored: &StoredCard) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        *state = CardState {
            stored: Some(StoredRows { card: stored.id, account: stored.account }),
            status: stored.status,
            expiry: stored.expiry,
            replaced_by: stored.replaced_by,
            account_reference: stored.account_reference.as_deref().map(Arc::from),
            terms: stored.terms,
            controls: Arc::new(stored.controls.clone()),
        };
    }

    /// Takes over the terms of an account that another card draws on too.
    fn share_terms(&self, stored: &StoredCard) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.stored.is_some_and(|rows| rows.account == stored.account) {
            state.terms = stored.terms;
        }
    }

    /// Its rows, or what they will be.
    pub fn rows(&self, context: &Context, state: &CardState) -> CardRows {
        match state.stored {
            Some(StoredRows { card, account }) => CardRows::Stored { card, account },
            None => CardRows::Missing(Box::new(NewCard {
                card_id: context.plumbing.ids.with(CardId::new),
                account_id: context.plumbing.ids.with(AccountId::new),
                account: None,
                number: self.number.clone(),
                alias: self.alias.clone(),
                issuer: self.issuer.id,
                expiry: state.expiry,
                status: state.status,
                terms: state.terms,
                at: context.clock().now(),
            })),
        }
    }
}

/// All cards by number and by alias.
pub struct CardTable {
    cards: RwLock<Cards>,
    /// Built when it is first needed: by advices, not by payments.
    by_digest: OnceLock<ByDigest>,
}

#[derive(Default)]
struct Cards {
    by_number: HashMap<String, Arc<IssuedCard>>,
    by_alias: HashMap<String, Arc<IssuedCard>>,
}

impl CardTable {
    /// The catalogue, then what the database knows better.
    pub async fn load(store: &Store) -> Result<Self, ContextError> {
        let table = Self { cards: RwLock::default(), by_digest: OnceLock::new() };
        for card in test_cards::all() {
            if let Some(issued) = of_catalogue(card) {
                table.insert(Arc::new(issued));
            }
        }
        for stored in store.cards().await? {
            table.take_over(&stored)?;
        }
        Ok(table)
    }

    /// The card of a number.
    pub fn find(&self, number: &CardNumber) -> Option<Arc<IssuedCard>> {
        let cards = self.cards.read().unwrap_or_else(PoisonError::into_inner);
        cards.by_number.get(number.expose()).cloned()
    }

    /// The card of an alias.
    pub fn by_alias(&self, alias: &str) -> Option<Arc<IssuedCard>> {
        let cards = self.cards.read().unwrap_or_else(PoisonError::into_inner);
        cards.by_alias.get(alias).cloned()
    }

    /// The card of a row.
    pub fn by_row(&self, row: i64) -> Option<Arc<IssuedCard>> {
        let cards = self.cards.read().unwrap_or_else(PoisonError::into_inner);
        let of_row =
            |card: &&Arc<IssuedCard>| card.state().stored.is_some_and(|stored| stored.card == row);
        cards.by_number.values().find(of_row).cloned()
    }

    /// Every card, by alias, then by number.
    pub fn all(&self) -> Vec<Arc<IssuedCard>> {
        let cards = self.cards.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = cards.by_number.values().cloned().collect();
        all.sort_by(|one, two| {
            (one.alias.is_none(), &one.alias, one.number.expose()).cmp(&(
                two.alias.is_none(),
                &two.alias,
                two.number.expose(),
            ))
        });
        all
    }

    /// The number behind a keyed digest: what a network's card file tells it.
    pub fn number_of(&self, context: &Context, digest: CardDigest) -> Option<CardNumber> {
        let build = || {
            let digest_of =
                |card: &Arc<IssuedCard>| (context.card_digest(&card.number).0, card.number.clone());
            self.all().iter().map(digest_of).collect()
        };
        if let Some(number) = self.by_digest.get_or_init(build).get(&digest.0) {
            return Some(number.clone());
        }
        // Issued after the index was built.
        let all = self.all();
        let found = all.iter().find(|card| context.card_digest(&card.number) == digest);
        found.map(|card| card.number.clone())
    }

    /// Takes over a card as it is now in the database.
    pub fn take_over(&self, stored: &StoredCard) -> Result<Arc<IssuedCard>, ContextError> {
        let card = if let Some(card) = self.find(&stored.number) {
            card
        } else {
            let card = Arc::new(of_row(stored)?);
            self.insert(card.clone());
            card
        };
        card.remember(stored);
        Ok(card)
    }

    /// Lets every card that draws on the same account know of its terms.
    pub fn share_terms(&self, stored: &StoredCard) {
        for card in self.all() {
            card.share_terms(stored);
        }
    }

    fn insert(&self, card: Arc<IssuedCard>) {
        let mut cards = self.cards.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(alias) = &card.alias {
            cards.by_alias.insert(alias.clone(), card.clone());
        }
        cards.by_number.insert(card.number.expose().to_owned(), card);
    }
}

/// Security codes of the sandbox's own cards.
pub const fn own_security_code(brand: Brand) -> &'static str {
    if matches!(brand, Brand::Amex) { "1234" } else { "123" }
}

fn of_catalogue(card: &TestCard) -> Option<IssuedCard> {
    let number = card.number.card()?.clone();
    let behaviour = Behaviour::of_row(&CatalogueRow {
        outcome: &card.outcome,
        response_code: card.response_code,
        decline_code: card.decline_code,
        notes: &card.notes,
    })?;
    let issuer = Issuer::by_id(route_of(number.brand(), number.expose())?.issuer)?;
    let family = number.expose().as_bytes().get(8).copied();
    let terms =
        behaviour::account_terms(&card.alias, &behaviour, card.is_famous() || family == Some(b'0'));
    Some(IssuedCard {
        alias: Some(card.alias.clone()),
        issuer,
        behaviour,
        security_code: (card.cvv != "any").then(|| own_security_code(number.brand())),
        number,
        state: RwLock::new(CardState {
            stored: None,
            status: CardStatus::Active,
            expiry: None,
            replaced_by: None,
            account_reference: None,
            terms,
            controls: Arc::default(),
        }),
    })
}

fn of_row(stored: &StoredCard) -> Result<IssuedCard, ContextError> {
    let issuer = Issuer::by_id(&stored.issuer)
        .ok_or_else(|| ContextError::Card(format!("unknown bank {}", stored.issuer)))?;
    let own = SANDBOX_BINS.iter().any(|(bin, _)| *bin == stored.number.bin8());
    Ok(IssuedCard {
        number: stored.number.clone(),
        alias: stored.alias.clone(),
        issuer,
        behaviour: PLAIN,
        security_code: own.then(|| own_security_code(stored.number.brand())),
        state: RwLock::new(CardState {
            stored: None,
            status: stored.status,
            expiry: stored.expiry,
            replaced_by: stored.replaced_by,
            account_reference: None,
            terms: stored.terms,
            controls: Arc::default(),
        }),
    })
}
