//! The keys of a world: made once, all together, and the same after every restart.
//!
//! Each program gets a file of its own with what it may know, and no more. The passwords of the
//! people who sign in stand in clear in `world.json` only; the programs get argon2id hashes.

mod files;
mod passwords;

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::BASE64;
use kit::random::Secrets;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wire::ids::MerchantId;
use wire::order_code::OrderCodeKey;
use wire::time::Timestamp;
use wire::webhook::{WebhookSecret, WebhookSigningKey};

pub use files::{create_if_absent, forget_client, read_registered, read_world, remember_client};

/// A key could not be made from fresh random bytes.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The order code key was refused.
    #[error("the order code key could not be derived")]
    OrderCode,
    /// The webhook secret was refused.
    #[error("the webhook secret could not be made")]
    Webhook,
    /// A password could not be hashed.
    #[error("a password could not be hashed")]
    Password,
}

/// The client of a merchant that is not ours.
pub const FOREIGN_CLIENT: &str = "foreign";

/// Every key of one world.
pub struct WorldKeys {
    /// What the gateway knows: `keys/gateway.json`.
    pub gateway: Value,
    /// What the shop knows: `keys/merchant.json`.
    pub merchant: Value,
    /// What processor, networks and issuers know: `keys/processor-sim.json`.
    pub processor_sim: Value,
    /// What the owner of the world knows: `keys/world.json`.
    pub world: World,
}

impl WorldKeys {
    /// Adds the client of a merchant that is not ours, which sends payers back to `origin`.
    pub fn with_foreign_client(mut self, secrets: &Secrets, origin: &str) -> Self {
        let client = client(secrets, "required");
        let row = gateway_client(FOREIGN_CLIENT, &client, &[origin, "loopback"]);
        if let Some(clients) = self.gateway.get_mut("clients").and_then(Value::as_array_mut) {
            clients.push(row);
        }
        self.world.clients.insert(FOREIGN_CLIENT.to_owned(), client);
        self
    }
}

/// What the owner of the world knows: all that `payrig env` prints, and the passwords.
#[derive(Clone, Serialize, Deserialize)]
pub struct World {
    /// Key of the control plane of all programs.
    pub sandbox_key: String,
    /// The merchant account.
    pub merchant_id: String,
    /// API clients by name: shop, playground, bench.
    pub clients: BTreeMap<String, Client>,
    /// Lets a browser make card tokens.
    pub publishable_key: String,
    /// Base64: seals the classic signed form.
    pub order_code_key: String,
    /// `whsec_…`: signs the notifications to the demo shop.
    pub webhook_secret: String,
    /// Who may sign in, and where.
    pub accounts: Vec<Account>,
}

impl fmt::Debug for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "World({}, ***)", self.merchant_id)
    }
}

/// Credentials of an API client.
#[derive(Clone, Serialize, Deserialize)]
pub struct Client {
    /// OAuth client id.
    pub client_id: String,
    /// OAuth client secret.
    pub client_secret: String,
    /// Id of the signing key.
    pub key_id: String,
    /// Base64 of 32 bytes.
    pub signing_key: String,
    /// Whether its calls must be signed: `required` or `optional`.
    pub signatures: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Client({}, ***)", self.client_id)
    }
}

/// A person who may sign in.
#[derive(Clone, Serialize, Deserialize)]
pub struct Account {
    /// `gateway` or `merchant`.
    pub program: String,
    /// Name to sign in with.
    pub name: String,
    /// `operator`, `administrator` …
    pub role: String,
    /// In clear: this file only.
    pub password: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Account({}: {}, ***)", self.program, self.name)
    }
}

/// Program, name and role of the people of a new world.
const PEOPLE: [(&str, &str, &str); 3] = [
    ("gateway", "admin", "administrator"),
    ("merchant", "ada", "operator"),
    ("merchant", "grace", "administrator"),
];

/// Name, rule for signatures and return origins of the API clients of a new world. The origin of
/// the demo shop is added by the gateway, which is told where the shop listens.
const CLIENTS: [(&str, &str, &[&str]); 3] = [
    ("shop", "required", &[]),
    ("playground", "optional", &["loopback"]),
    ("bench", "required", &[]),
];

/// The hops between the roles inside processor-sim; each signs with a key of its own.
const HOPS: [&str; 4] =
    ["processor->network", "network->issuer", "issuer->network", "network->processor"];

/// Makes every key of a new world.
pub fn generate(secrets: &Secrets, now: Timestamp) -> Result<WorldKeys, KeysError> {
    let sandbox_key = secrets.token("sbx_", 24);
    let merchant_id = MerchantId::new(now, secrets.bytes()).to_string();
    let master_secret = secrets.bytes::<32>();
    let order_code =
        OrderCodeKey::derive_from_master(&master_secret).map_err(|_| KeysError::OrderCode)?;
    let webhook = Webhook::generate(secrets)?;
    let publishable_key = secrets.token("pk_", 18);
    let processor = json!({"key_id": "gateway-processor-1", "signing_key": base64_key(secrets)});
    let clients: BTreeMap<String, Client> =
        CLIENTS.iter().map(|(name, rule, _)| ((*name).to_owned(), client(secrets, rule))).collect();
    let people = passwords::generate(secrets, &PEOPLE)?;

    let gateway = json!({
        "sandbox_key": sandbox_key,
        "merchant": merchant_account(&merchant_id, &master_secret),
        "kek": {"version": 1, "key": base64_key(secrets)},
        "session_key": base64_key(secrets),
        "publishable_key": publishable_key,
        "webhook": {"secret": webhook.secret, "signing_key": webhook.signing_key},
        "clients": gateway_clients(&clients),
        "processor": processor,
        "operators": passwords::operators(&people, "gateway"),
    });
    let shop = clients.get("shop").map(|client| {
        json!({
            "client_id": client.client_id, "client_secret": client.client_secret,
            "key_id": client.key_id, "signing_key": client.signing_key,
        })
    });
    let merchant = json!({
        "sandbox_key": sandbox_key,
        "merchant_id": merchant_id,
        "client": shop,
        "webhook": {"secret": webhook.secret, "public_key": webhook.public_key},
        "session_key": base64_key(secrets),
        "publishable_key": publishable_key,
        "order_code_key": order_code.base64(),
        "operators": passwords::operators(&people, "merchant"),
    });
    let hops: BTreeMap<&str, String> = HOPS.iter().map(|hop| (*hop, base64_key(secrets))).collect();
    let processor_sim = json!({
        "sandbox_key": sandbox_key,
        "gateway": processor,
        "hops": hops,
        "pan_key": base64_key(secrets),
    });
    let world = World {
        sandbox_key,
        merchant_id,
        clients,
        publishable_key,
        order_code_key: order_code.base64(),
        webhook_secret: webhook.secret,
        accounts: people.into_iter().map(|person| person.account).collect(),
    };
    Ok(WorldKeys { gateway, merchant, processor_sim, world })
}

fn base64_key(secrets: &Secrets) -> String {
    BASE64.encode(&secrets.bytes::<32>())
}

fn client(secrets: &Secrets, signatures: &str) -> Client {
    Client {
        client_id: secrets.token("cli_", 12),
        client_secret: secrets.token("", 32),
        key_id: secrets.token("key_", 12),
        signing_key: base64_key(secrets),
        signatures: signatures.to_owned(),
    }
}

fn gateway_clients(clients: &BTreeMap<String, Client>) -> Vec<Value> {
    let row = |(name, _, origins): &(&str, &str, &[&str])| {
        clients.get(*name).map(|client| gateway_client(name, client, origins))
    };
    CLIENTS.iter().filter_map(row).collect()
}

fn gateway_client(name: &str, client: &Client, origins: &[&str]) -> Value {
    json!({
        "name": name,
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "key_id": client.key_id,
        "signing_key": client.signing_key,
        "signatures": client.signatures,
        "return_origins": origins,
    })
}

fn merchant_account(id: &str, master_secret: &[u8; 32]) -> Value {
    json!({
        "id": id,
        "name": "Kettle & Kiln",
        "master_secret": BASE64.encode(master_secret),
        "acquirer_id": "00000912345",
        "terminal_id": "ECOM0001",
        "card_acceptor_id": "MERCH0000000001",
        "mcc": "5732",
        "country": "FR",
        "city": "Paris",
    })
}

/// Both ways of signing a notification.
struct Webhook {
    secret: String,
    signing_key: String,
    public_key: String,
}

impl Webhook {
    fn generate(secrets: &Secrets) -> Result<Self, KeysError> {
        let secret =
            WebhookSecret::new(&secrets.bytes::<32>()).map_err(|_| KeysError::Webhook)?.encode();
        let pair = WebhookSigningKey::from_seed(&secrets.bytes::<32>());
        Ok(Self { secret, signing_key: pair.encode(), public_key: pair.public().encode() })
    }
}

#[cfg(test)]
mod tests;
