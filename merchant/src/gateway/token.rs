//! The access token: fetched when needed, kept until shortly before its end.

use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use kit::facts::{Facts, TraceId};
use kit::link::Call;
use wire::time::Timestamp;

use super::{ANSWER_BYTES_MAX, Failure, Gateway, decode, judge, unknown};

/// Renewed this long before its end.
const RENEW_BEFORE: Duration = Duration::from_mins(1);

/// A token in use.
pub(super) struct AccessToken {
    value: String,
    renew_at: Timestamp,
}

impl Gateway {
    /// The token in use, or a new one. Callers that come together fetch it once.
    pub(super) async fn token(
        &self,
        trace: TraceId,
        give_up_at: Timestamp,
    ) -> Result<String, Failure> {
        let waiting = self.0.activity.waiting();
        let mut kept = self.0.token.lock().await;
        drop(waiting);
        let now = self.0.clock.now();
        if let Some(token) = kept.as_ref().filter(|token| now < token.renew_at) {
            return Ok(token.value.clone());
        }
        let token = self.fetch_token(trace, now, give_up_at).await?;
        let value = token.value.clone();
        *kept = Some(token);
        Ok(value)
    }

    /// Drops a token that was refused, unless another one has taken its place already.
    pub(super) async fn forget_token(&self, value: &str) {
        let waiting = self.0.activity.waiting();
        let mut kept = self.0.token.lock().await;
        drop(waiting);
        if kept.as_ref().is_some_and(|token| token.value == value) {
            *kept = None;
        }
    }

    async fn fetch_token(
        &self,
        trace: TraceId,
        now: Timestamp,
        give_up_at: Timestamp,
    ) -> Result<AccessToken, Failure> {
        let client = &self.0.client;
        let pair = format!("{}:{}", client.client_id, client.client_secret);
        let form = Bytes::from_static(b"grant_type=client_credentials");
        let mut call = Call::post("/api/oauth/token", form);
        call.content_type = "application/x-www-form-urlencoded";
        let basic = format!("Basic {}", BASE64.encode(pair.as_bytes()));
        call.headers.push(("authorization".to_owned(), basic));
        call.deadline = give_up_at.since(now);
        call.answer_bytes_max = ANSWER_BYTES_MAX;
        call.facts = Facts::new("api", trace);
        let reply = self.0.open.send(call).await.map_err(|failure| unknown(&failure))?;
        let token: wire::gateway_api::AccessToken = decode(&judge(reply)?)?;
        let lives = Duration::from_secs(token.expires_in);
        let renew_at = now.plus(lives.saturating_sub(RENEW_BEFORE));
        Ok(AccessToken { value: token.access_token, renew_at })
    }
}
