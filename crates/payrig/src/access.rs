//! The way to a running world: its control planes, and its API as any client calls it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use http::Method;
use kit::clock::Clock;
use kit::link::{Call, Link, LinkFailure, LinkName, Reply, Signing};
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;
use wire::gateway_api::AccessToken;
use wire::signature::{SigningKey, Wire};
use wire::time::Timestamp;

use crate::commands::read_environment;
use crate::failure::{Failure, Outcome};
use crate::keys::{Client, World, read_registered, read_world};
use crate::program::{Addresses, Program};
use crate::state::StateDirectory;

/// How long a program may take to answer a person.
const DEADLINE: Duration = Duration::from_secs(30);
/// Largest answer that is read: a wire log may be long.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// An access token is fetched anew this long before it ends.
const TOKEN_MARGIN: Duration = Duration::from_secs(30);

/// A world that runs, seen from outside.
pub struct Access {
    /// Where it listens.
    pub addresses: Addresses,
    /// What its owner knows.
    pub world: World,
    /// Clock, chance and logs of this process.
    pub plumbing: Plumbing,
    merchant: Link,
    gateway: Link,
    processor_sim: Link,
    console: Link,
}

impl Access {
    /// The world of a state directory, wherever it listens now.
    pub fn open(state: &Path) -> Outcome<Self> {
        let state = StateDirectory::at(state);
        let plumbing = Plumbing::new("payrig", Clock::real(), 0, Secrets::system());
        let mut world = read_world(state.path())?;
        world.clients.extend(read_registered(state.path())?);
        Self::new(world, state.addresses(), plumbing)
    }

    /// The world that a console tells of at this address: its own, or a further one by its path.
    pub async fn at_console(url: &str, sandbox_key: &str) -> Outcome<Self> {
        let plumbing = Plumbing::new("payrig", Clock::real(), 0, Secrets::system());
        let (origin, path) = split_address(url);
        let console = Link::new(LinkName("payrig->console"), origin, Signing::Already, &plumbing)
            .map_err(|error| {
            Failure::usage(error.to_string()).help("write http://127.0.0.1:7070")
        })?;
        let call = Call::new(Method::GET, path).deadline(DEADLINE);
        let reply = console.send(call.header("sandbox-key", sandbox_key)).await.map_err(|_| {
            Failure::could_not_run(format!("no console answers at {origin}"))
                .help("start the sandbox with `payrig up`")
        })?;
        if !reply.is_success() {
            return Err(refused(&reply));
        }
        let told = serde_json::from_slice(&reply.body).ok();
        let known = told.and_then(|document: Value| read_environment(&document));
        let (world, addresses) = known.ok_or_else(|| {
            Failure::could_not_run(format!("{url} tells of no world"))
                .help("name the console of `payrig up`, or one of its worlds: CONSOLE/worlds/ID")
        })?;
        Self::new(world, addresses, plumbing)
    }

    /// A world whose keys and addresses are at hand.
    pub fn new(world: World, addresses: Addresses, plumbing: Plumbing) -> Outcome<Self> {
        let link_to = |name, address: &str| {
            Link::new(LinkName(name), address, Signing::Already, &plumbing)
                .map_err(|error| Failure::could_not_run(error.to_string()))
        };
        let link = |name, program| link_to(name, &addresses.of(program));
        Ok(Self {
            merchant: link("payrig->merchant", Program::Merchant)?,
            gateway: link("payrig->gateway", Program::Gateway)?,
            processor_sim: link("payrig->processor", Program::ProcessorSim)?,
            console: link_to("payrig->console", &addresses.console())?,
            addresses,
            world,
            plumbing,
        })
    }

    const fn link(&self, program: Program) -> &Link {
        match program {
            Program::Merchant => &self.merchant,
            Program::Gateway => &self.gateway,
            Program::ProcessorSim => &self.processor_sim,
        }
    }

    /// One question to a program's control plane.
    pub async fn ask<T: DeserializeOwned>(&self, program: Program, path: &str) -> Outcome<T> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let reply = self.control(program, Method::GET, path, query, None).await?;
        decode(program, &reply)
    }

    /// One order to a program's control plane; its answer in full, when it is a success.
    pub async fn tell(
        &self,
        program: Program,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Outcome<Reply> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        self.control(program, method, path, query, body).await
    }

    async fn control(
        &self,
        program: Program,
        method: Method,
        path: &str,
        query: &str,
        body: Option<&Value>,
    ) -> Outcome<Reply> {
        let mut call = Call::new(method, format!("/_sandbox/{path}"))
            .query(query)
            .deadline(DEADLINE)
            .header("sandbox-key", &self.world.sandbox_key);
        call.answer_bytes_max = ANSWER_BYTES_MAX;
        call.body = body.map(|body| Bytes::from(body.to_string()));
        let sent = self.link(program).send(call).await;
        let reply = sent.map_err(|failure| unreachable_peer(program, self.addresses, &failure))?;
        if reply.is_success() { Ok(reply) } else { Err(refused(&reply)) }
    }

    /// An order as the shop's API tells it; none when there is none of this id.
    pub async fn shop_order(&self, id: &str) -> Outcome<Option<Value>> {
        let call = Call::new(Method::GET, format!("/api/orders/{id}"))
            .deadline(DEADLINE)
            .header("sandbox-key", &self.world.sandbox_key);
        let sent = self.merchant.send(call).await;
        let reply =
            sent.map_err(|failure| unreachable_peer(Program::Merchant, self.addresses, &failure))?;
        if reply.is_success() { decode(Program::Merchant, &reply).map(Some) } else { Ok(None) }
    }

    /// One order to the console of `payrig up`; its answer in full, when it is a success.
    pub async fn tell_console(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Outcome<Reply> {
        let mut call = Call::new(method, path)
            .deadline(DEADLINE)
            .header("sandbox-key", &self.world.sandbox_key);
        call.body = body.map(|body| Bytes::from(body.to_string()));
        let reply = self.console.send(call).await.map_err(|_| {
            let address = self.addresses.console();
            Failure::could_not_run(format!("no console answers at {address}"))
                .help("start the sandbox with `payrig up`, or name another one with `--state DIR`")
        })?;
        if reply.is_success() { Ok(reply) } else { Err(refused(&reply)) }
    }

    /// A client of the API by its name in the key file.
    pub fn client(&self, name: &str) -> Outcome<ApiClient> {
        let known = || self.world.clients.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let client = self.world.clients.get(name).cloned().ok_or_else(|| {
            Failure::usage(format!("there is no API client `{name}`"))
                .help(format!("known clients: {}", known()))
        })?;
        ApiClient::new(client, self)
    }
}

/// Origin and path; a console without a path tells of its own world.
fn split_address(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |at| at.saturating_add(3));
    let path = url.get(host..).and_then(|rest| rest.find('/')).map(|at| host.saturating_add(at));
    let (origin, path) = path.and_then(|at| url.split_at_checked(at)).unwrap_or((url, ""));
    (origin, if path.len() > 1 { path } else { "/env" })
}

/// What a program says about its clock, as far as it matters here.
#[derive(Deserialize)]
struct Present {
    now: Timestamp,
}

/// A client of the gateway's API: fetches its token, signs, verifies the answers.
pub struct ApiClient {
    client: Client,
    signed: Link,
    plain: Link,
    addresses: Addresses,
    sandbox_key: String,
    /// Follows the clock of the world, by which signatures are judged.
    clock: Clock,
    token: Mutex<Option<(String, Timestamp)>>,
}

impl ApiClient {
    fn new(client: Client, access: &Access) -> Outcome<Self> {
        let key = signing_key(&client)?;
        let signing = Signing::HttpSignature { key: Arc::new(key), wire: Wire::Api };
        let base = access.addresses.of(Program::Gateway);
        let mut plumbing = access.plumbing.clone();
        plumbing.clock = Clock::real();
        let signed = Link::new(LinkName("payrig->gateway"), &base, signing, &plumbing)
            .map_err(|error| Failure::could_not_run(error.to_string()))?;
        Ok(Self {
            client,
            signed,
            plain: access.gateway.clone(),
            addresses: access.addresses,
            sandbox_key: access.world.sandbox_key.clone(),
            clock: plumbing.clock,
            token: Mutex::new(None),
        })
    }

    /// Its credentials.
    pub const fn credentials(&self) -> &Client {
        &self.client
    }

    /// Its signing key.
    pub fn signing_key(&self) -> Outcome<SigningKey> {
        signing_key(&self.client)
    }

    /// A call of the API; `path` begins with `/api/`. Any answer with a valid signature is `Ok`.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        idempotency_key: Option<String>,
    ) -> Outcome<Reply> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut call = Call::new(method, path).query(query).deadline(DEADLINE);
        call.body = body;
        call.idempotency_key = idempotency_key;
        call.answer_bytes_max = ANSWER_BYTES_MAX;
        call.bearer = Some(self.token().await?);
        let sent = self.signed.send(call).await;
        sent.map_err(|failure| unreachable_peer(Program::Gateway, self.addresses, &failure))
    }

    /// Reads something; a refusal is a failure.
    pub async fn read<T: DeserializeOwned>(&self, path: &str) -> Outcome<T> {
        let reply = self.call(Method::GET, path, None, None).await?;
        if reply.is_success() { decode(Program::Gateway, &reply) } else { Err(refused(&reply)) }
    }

    /// The present of the world, whose clock may have been moved or may stand.
    pub async fn now(&self) -> Outcome<Timestamp> {
        let call = Call::new(Method::GET, "/_sandbox/clock")
            .deadline(DEADLINE)
            .header("sandbox-key", &self.sandbox_key);
        let sent = self.plain.send(call).await;
        let reply =
            sent.map_err(|failure| unreachable_peer(Program::Gateway, self.addresses, &failure))?;
        if !reply.is_success() {
            return Err(refused(&reply));
        }
        let present: Present = decode(Program::Gateway, &reply)?;
        self.clock.follow(present.now);
        Ok(present.now)
    }

    /// An access token that is still good for a while.
    pub async fn token(&self) -> Outcome<String> {
        let mut kept = self.token.lock().await;
        let now = self.now().await?;
        if let Some((token, ends)) = &*kept
            && now < ends.minus(TOKEN_MARGIN)
        {
            return Ok(token.clone());
        }
        let fresh = self.fetch_token().await?;
        let ends = now.plus(Duration::from_secs(fresh.expires_in));
        *kept = Some((fresh.access_token.clone(), ends));
        Ok(fresh.access_token)
    }

    async fn fetch_token(&self) -> Outcome<AccessToken> {
        let credentials = format!("{}:{}", self.client.client_id, self.client.client_secret);
        let mut call = Call::post("/api/oauth/token", "grant_type=client_credentials")
            .deadline(DEADLINE)
            .header("authorization", format!("Basic {}", BASE64.encode(credentials.as_bytes())));
        call.content_type = "application/x-www-form-urlencoded";
        let sent = self.plain.send(call).await;
        let reply =
            sent.map_err(|failure| unreachable_peer(Program::Gateway, self.addresses, &failure))?;
        if !reply.is_success() {
            return Err(refused_token(&reply));
        }
        decode(Program::Gateway, &reply)
    }
}

fn signing_key(client: &Client) -> Outcome<SigningKey> {
    SigningKey::from_base64(client.key_id.clone(), &client.signing_key)
        .map_err(|error| Failure::unreadable(format!("keys/world.json: {error}")))
}

/// A world that does not answer.
fn unreachable_peer(program: Program, addresses: Addresses, failure: &LinkFailure) -> Failure {
    let address = addresses.of(program);
    match failure {
        LinkFailure::NotSent(_) => {
            Failure::could_not_run(format!("{} does not answer at {address}", program.spoken()))
                .help("start the world with `payrig up`, or name another one with `--state DIR`")
        }
        LinkFailure::Unknown(cause) => {
            Failure::could_not_run(format!("{} at {address}: {cause}", program.spoken()))
        }
    }
}

fn decode<T: DeserializeOwned>(program: Program, reply: &Reply) -> Outcome<T> {
    serde_json::from_slice(&reply.body).map_err(|error| {
        Failure::could_not_run(format!("{} answered in an unknown form: {error}", program.spoken()))
            .help("is it the same version as this `payrig`?")
    })
}

/// Problem details (RFC 9457) as far as people need them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProblemDetails {
    title: String,
    detail: String,
    code: String,
    param: Option<String>,
    reason: Option<String>,
    request_id: Option<String>,
    doc_url: Option<String>,
    trace: Option<String>,
}

/// What a refusal reads like.
pub fn refused(reply: &Reply) -> Failure {
    let Ok(problem) = serde_json::from_slice::<ProblemDetails>(&reply.body) else {
        return Failure::check(format!("the answer was {}", reply.status));
    };
    let said = if problem.detail.is_empty() { &problem.title } else { &problem.detail };
    let mut facts = vec![reply.status.to_string()];
    facts.extend(Some(problem.code).filter(|code| !code.is_empty()));
    facts.extend(problem.reason.map(|reason| format!("reason {reason}")));
    facts.extend(problem.param.map(|param| format!("in {param}")));
    facts.extend(problem.request_id);
    let mut failure = Failure::check(format!("{said} ({})", facts.join(", ")));
    if let Some(address) = problem.doc_url {
        failure = failure.help(format!("read {address}"));
    }
    if let Some(trace) = problem.trace {
        failure = failure.help(format!("look at {trace}"));
    }
    failure
}

/// The token endpoint speaks RFC 6749.
fn refused_token(reply: &Reply) -> Failure {
    let error = serde_json::from_slice::<Value>(&reply.body).ok();
    let word = error.as_ref().and_then(|error| error.get("error")?.as_str()).unwrap_or("unknown");
    let detail = error.as_ref().and_then(|error| error.get("error_description")?.as_str());
    let detail = detail.map_or(String::new(), |detail| format!(": {detail}"));
    Failure::check(format!("no access token was given: {word}{detail}"))
        .help("do the keys of this state directory belong to the world that is running?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            headers: http::HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn problem_details_become_an_error_that_people_can_read() {
        let body = r#"{"type":"about:blank","title":"Amount too small","status":422,
            "detail":"an amount must be more than zero","code":"amount_invalid",
            "param":"amount.value","request_id":"req_1",
            "doc_url":"http://127.0.0.1:7072/api/docs/errors#amount_invalid"}"#;
        let failure = refused(&reply(422, body));
        assert_eq!(failure.exit, crate::failure::Exit::CheckFailed);
        insta::assert_snapshot!(failure, @r"
        error: an amount must be more than zero (422, amount_invalid, in amount.value, req_1)
        help: read http://127.0.0.1:7072/api/docs/errors#amount_invalid
        ");
        insta::assert_snapshot!(refused(&reply(502, "<html>")), @"error: the answer was 502");
    }

    #[test]
    fn a_world_that_is_down_says_how_to_start_it() {
        let addresses = Addresses::from_base(7070);
        let failure =
            unreachable_peer(Program::Gateway, addresses, &LinkFailure::NotSent("refused".into()));
        insta::assert_snapshot!(failure, @r"
        error: the gateway does not answer at http://127.0.0.1:7072
        help: start the world with `payrig up`, or name another one with `--state DIR`
        ");
        let refused = reply(401, r#"{"error":"invalid_client"}"#);
        insta::assert_snapshot!(refused_token(&refused), @r"
        error: no access token was given: invalid_client
        help: do the keys of this state directory belong to the world that is running?
        ");
    }
}
