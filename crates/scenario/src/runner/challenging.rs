//! The way through the payer's bank: the 3DS Method, and the challenge.

use serde::Deserialize;
use wire::three_ds::{ChallengeResponse, TransStatus, from_browser, to_browser};

use super::{Run, Trouble};
use crate::client::http::NoAnswer;
use crate::client::page::Page;
use crate::client::payer::Payer;
use crate::world::World;

/// How often the same code is typed while the bank still asks.
const CODES_MAX: usize = 3;

/// What the payer does when the bank asks.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Challenge {
    /// One word: approve, fail, cancel or abandon.
    Word(String),
    /// More than one word.
    Details(Details),
}

/// What the payer does at the bank and afterwards.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Details {
    otp: Option<String>,
    answer: Option<String>,
    afterwards: Option<String>,
}

impl Challenge {
    fn details(&self) -> Details {
        match self {
            Self::Word(word) => Details { otp: None, answer: Some(word.clone()), afterwards: None },
            Self::Details(it) => Details {
                otp: it.otp.clone(),
                answer: it.answer.clone(),
                afterwards: it.afterwards.clone(),
            },
        }
    }
}

/// A page, or nobody answered.
type Seen = Result<Page, NoAnswer>;

impl<W: World> Run<'_, W> {
    /// Does what a browser with scripts does by itself, and what the payer does at the bank. The
    /// page is then the payment's own, or the bank's where the payer stays there.
    pub(super) async fn at_the_bank(
        &self,
        payer: &mut Payer,
        page: Page,
        challenge: Option<&Challenge>,
    ) -> Result<Seen, Trouble> {
        if page.has("method-form") {
            // In a hidden frame: the page itself stays.
            let seen = self.send(payer, &page, "method-form", &[]).await?;
            if let Ok(frame) = &seen
                && frame.has("method-return-form")
            {
                let _ = self.send(payer, frame, "method-return-form", &[]).await?;
            }
            self.settle().await?;
            return self.page_in_time(payer.open(&page.url)).await;
        }
        let details = challenge.map(Challenge::details);
        let Some(details) = details else { return Ok(Ok(page)) };
        let opened = self.send(payer, &page, "challenge-form", &[]).await?;
        match opened {
            Ok(asked) if asked.has("challenge") => self.answer(payer, &page, asked, &details).await,
            other => Ok(other),
        }
    }

    /// One form of a page, with what is typed into it.
    async fn send(
        &self,
        payer: &mut Payer,
        page: &Page,
        testid: &str,
        typed: &[(&str, &str)],
    ) -> Result<Seen, Trouble> {
        let Some(form) = page.form(&format!("data-testid=\"{testid}\"")) else {
            return Ok(Ok(page.clone()));
        };
        let mut fields = form.fields;
        for (name, value) in typed {
            match fields.iter_mut().find(|(field, _)| field == name) {
                Some((_, old)) => (*value).clone_into(old),
                None => fields.push(((*name).to_owned(), (*value).to_owned())),
            }
        }
        self.submit(payer, page, &form.action, &fields).await
    }

    async fn answer(
        &self,
        payer: &mut Payer,
        before: &Page,
        asked: Page,
        details: &Details,
    ) -> Result<Seen, Trouble> {
        let mut seen = asked;
        let typed: Vec<(&str, &str)> = match (&details.otp, details.answer.as_deref()) {
            (Some(code), _) => vec![("answer", "code"), ("code", code)],
            (None, Some("abandon") | None) => return Ok(Ok(seen)),
            (None, Some(answer)) => vec![("answer", answer)],
        };
        for _ in 0..CODES_MAX {
            if !seen.has("challenge-form") {
                break;
            }
            seen = match self.send(payer, &seen, "challenge-form", &typed).await? {
                Ok(page) => page,
                Err(failure) => return Ok(Err(failure)),
            };
        }
        match details.afterwards.as_deref() {
            Some("close") => Ok(Ok(seen)),
            Some("back") => {
                // Back to where the CReq was sent from: the browser offers to send it again.
                let again = self.send(payer, before, "challenge-form", &[]).await?;
                match again {
                    Ok(over) => self.send(payer, &over, "return-form", &[]).await,
                    Err(failure) => Ok(Err(failure)),
                }
            }
            Some("forge") => {
                let told = seen.form("data-testid=\"return-form\"");
                let told = told.and_then(|form| {
                    let (_, text) = form.fields.into_iter().find(|(name, _)| name == "cres")?;
                    from_browser::<ChallengeResponse>(&text)
                });
                let forged =
                    told.map(|it| ChallengeResponse { trans_status: TransStatus::Y, ..it });
                let text = forged.map(|it| to_browser(&it)).unwrap_or_default();
                self.send(payer, &seen, "return-form", &[("cres", &text)]).await
            }
            Some(_) | None => self.send(payer, &seen, "return-form", &[]).await,
        }
    }
}
