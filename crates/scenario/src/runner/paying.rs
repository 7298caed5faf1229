//! `pay`: the payer goes through the checkout without a browser.

use serde::Deserialize;
use serde_json::{Value, json};
use wire::card::Brand;
use wire::test_cards;

use super::calling::read;
use super::challenging::Challenge;
use super::{Run, Trouble};
use crate::client::http::NoAnswer;
use crate::client::page::Page;
use crate::client::payer::Payer;
use crate::world::World;

/// Looks at the status page before the payment counts as undecided.
const LOOKS_MAX: u32 = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PayBody {
    checkout: String,
    card: String,
    expiry: Option<String>,
    cvv: Option<String>,
    holder: Option<String>,
    #[serde(default)]
    save: bool,
    idempotency_key: Option<String>,
    challenge: Option<Challenge>,
    #[serde(rename = "via")]
    _via: Option<String>,
}

/// What is typed into the form.
struct Typed {
    number: String,
    expiry: String,
    code: String,
}

impl Typed {
    fn new(pay: &PayBody) -> Self {
        let card = test_cards::by_alias(&pay.card);
        let number = card.map_or_else(|| pay.card.clone(), |card| card.number.digits().to_owned());
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let amex = card.map_or_else(
            || digits.starts_with("34") || digits.starts_with("37"),
            |card| card.brand == Brand::Amex,
        );
        let code = if amex { "1234" } else { "123" };
        Self {
            number,
            expiry: pay.expiry.clone().unwrap_or_else(|| "12 / 30".to_owned()),
            code: pay.cvv.clone().unwrap_or_else(|| code.to_owned()),
        }
    }
}

impl<W: World> Run<'_, W> {
    pub(super) async fn pay(&self, body: &Value) -> Result<Value, Trouble> {
        let pay: PayBody = read(body)?;
        let mut payer = Payer::new(self.http.clone());
        let payment = payment_of(&pay.checkout);
        match self.walk(&mut payer, &pay).await? {
            Ok(page) => Ok(json!({
                "outcome": outcome(&page),
                "payment_id": payment,
                "page": { "text": page.text(), "status": page.status },
            })),
            Err(failure) => Ok(json!({
                "outcome": "no_answer", "payment_id": payment, "reason": failure.reason,
                "page": { "text": "", "status": 0 },
            })),
        }
    }

    /// Opens the page, types the card, and looks until something is decided.
    async fn walk(
        &self,
        payer: &mut Payer,
        pay: &PayBody,
    ) -> Result<Result<Page, NoAnswer>, Trouble> {
        let page = match self.page_in_time(payer.open(&pay.checkout)).await? {
            Ok(page) => page,
            Err(failure) => return Ok(Err(failure)),
        };
        let Some(form) = page.form("data-testid=\"card-form\"") else {
            return self.watch(payer, page, pay).await;
        };
        let typed = Typed::new(pay);
        let mut fields = form.fields;
        let mut set =
            |name: &str, value: &str| match fields.iter_mut().find(|(field, _)| field == name) {
                Some((_, old)) => value.clone_into(old),
                None => fields.push((name.to_owned(), value.to_owned())),
            };
        set("cc-number", &typed.number);
        set("cc-exp", &typed.expiry);
        set("cc-csc", &typed.code);
        if pay.save {
            set("save-card", "yes");
        }
        if let Some(holder) = &pay.holder {
            set("cc-name", holder);
        }
        if let Some(key) = &pay.idempotency_key {
            set("key", key);
        }
        match self.submit(payer, &page, &form.action, &fields).await? {
            Ok(page) => self.watch(payer, page, pay).await,
            Err(failure) => Ok(Err(failure)),
        }
    }

    /// Sends a form, and goes where that leads: what the page shows then is no matter of speed.
    pub(super) async fn submit(
        &self,
        payer: &mut Payer,
        page: &Page,
        action: &str,
        fields: &[(String, String)],
    ) -> Result<Result<Page, NoAnswer>, Trouble> {
        let sent = self.page_in_time(payer.post(page, action, fields)).await?;
        match sent {
            Ok(led) if led.leads_on() => {
                self.settle().await?;
                self.page_in_time(payer.open(&led.url)).await
            }
            seen => Ok(seen),
        }
    }

    /// Looks until something is decided, and goes to the bank where the page leads there.
    async fn watch(
        &self,
        payer: &mut Payer,
        mut seen: Page,
        pay: &PayBody,
    ) -> Result<Result<Page, NoAnswer>, Trouble> {
        let (mut rested, mut checked, mut asked) = (false, false, false);
        for _ in 0..LOOKS_MAX {
            let check = seen.has("method-form") && !checked;
            let ask = seen.has("challenge-form") && !asked;
            let looked = if check || ask {
                (checked, asked, rested) = (checked || check, asked || ask, false);
                self.at_the_bank(payer, seen, pay.challenge.as_ref()).await?
            } else if outcome(&seen) != "pending" || rested {
                break;
            } else {
                self.settle().await?;
                rested = true;
                let url = seen.url.clone();
                self.page_in_time(payer.open(&url)).await?
            };
            seen = match looked {
                Ok(page) => page,
                Err(failure) => return Ok(Err(failure)),
            };
            if seen.has("challenge") || seen.has("challenge-over") {
                // The payer stays at the bank.
                break;
            }
        }
        Ok(Ok(seen))
    }
}

/// What the page says.
fn outcome(page: &Page) -> &'static str {
    let shown = page.attribute("outcome", "data-outcome");
    match shown.as_deref() {
        Some("paid" | "already_paid" | "verified") => "paid",
        Some("processing" | "unknown" | "completing" | "requires_action") => "pending",
        None if page.has("challenge") || page.has("challenge-over") => "pending",
        Some("expired") => "expired",
        Some("canceled") => "canceled",
        Some("failed") => "failed",
        None if page.has("decline") => "declined",
        Some(_) | None => "refused",
    }
}

/// The payment that a checkout address is about.
fn payment_of(checkout: &str) -> Option<String> {
    let path = checkout.split('?').next().unwrap_or_default();
    path.split('/').find(|part| part.starts_with("pay_")).map(str::to_owned)
}
