//! `payrig env`: what another program needs to connect. The same after every restart.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cli::EnvFlags;
use crate::failure::Outcome;
use crate::keys::{Client, World, read_world};
use crate::program::{Addresses, Program};
use crate::state::StateDirectory;
use crate::supervisor::banner::sign_in_place;
use crate::terminal::print;

pub(super) fn run(flags: &EnvFlags) -> Outcome {
    let state = StateDirectory::at(&flags.state.state);
    let world = read_world(state.path())?;
    let addresses = state.addresses();
    if flags.json {
        print(&format!("{:#}", document(&world, addresses)));
    } else {
        print(&exports(&world, addresses));
    }
    Ok(())
}

/// What `payrig env --json` prints.
pub fn document(world: &World, addresses: Addresses) -> Value {
    let client = |name: &str| world.clients.get(name).map(credentials);
    json!({
        "console": addresses.console(),
        "shop": addresses.of(Program::Merchant),
        "api": addresses.api(),
        "processor": addresses.of(Program::ProcessorSim),
        "sandbox_key": world.sandbox_key,
        "merchant_id": world.merchant_id,
        "clients": {"shop": client("shop"), "playground": client("playground")},
        "publishable_key": world.publishable_key,
        "order_code_key": world.order_code_key,
        "webhook": {
            "url": webhook_url(addresses),
            "secret": world.webhook_secret,
        },
    })
}

/// What [`document`] tells; none when something is missing or not on this machine.
pub fn read(document: &Value) -> Option<(World, Addresses)> {
    let text = |key: &str| document.get(key)?.as_str().map(str::to_owned);
    let port = |key: &str| {
        let text = text(key)?;
        text.strip_prefix("http://127.0.0.1:")?.split('/').next()?.parse::<u16>().ok()
    };
    let programs = [port("shop")?, port("api")?, port("processor")?];
    let clients = document.get("clients")?.as_object()?.iter();
    let clients = clients.filter(|(_, client)| !client.is_null());
    let client = |(name, client): (&String, &Value)| {
        Some((name.clone(), serde_json::from_value(client.clone()).ok()?))
    };
    let world = World {
        sandbox_key: text("sandbox_key")?,
        merchant_id: text("merchant_id")?,
        clients: clients.map(client).collect::<Option<_>>()?,
        publishable_key: text("publishable_key")?,
        order_code_key: text("order_code_key")?,
        webhook_secret: document.get("webhook")?.get("secret")?.as_str()?.to_owned(),
        accounts: Vec::new(),
    };
    Some((world, Addresses::scattered(port("console")?, programs)))
}

fn credentials(client: &Client) -> Value {
    json!({
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "key_id": client.key_id,
        "signing_key": client.signing_key,
        "signatures": client.signatures,
    })
}

fn webhook_url(addresses: Addresses) -> String {
    format!("{}/webhooks/payments", addresses.of(Program::Merchant))
}

/// For `eval "$(payrig env)"`: connects as the playground client, which may return anywhere on
/// the loopback interface.
fn exports(world: &World, addresses: Addresses) -> String {
    let mut text = String::from("# eval \"$(payrig env)\"\n");
    let mut export = |name: &str, value: &str| {
        writeln!(text, "export {name}={}", quoted(value)).ok();
    };
    export("PAY_API", &addresses.api());
    if let Some(client) = world.clients.get("playground") {
        export("PAY_CLIENT_ID", &client.client_id);
        export("PAY_CLIENT_SECRET", &client.client_secret);
        export("PAY_KEY_ID", &client.key_id);
        export("PAY_SIGNING_KEY", &client.signing_key);
    }
    export("PAY_WEBHOOK_SECRET", &world.webhook_secret);
    export("PAY_PUBLISHABLE_KEY", &world.publishable_key);
    export("PAY_ORDER_CODE_KEY", &world.order_code_key);
    export("PAY_MERCHANT_ID", &world.merchant_id);
    for account in &world.accounts {
        let place = sign_in_place(&account.program, addresses);
        writeln!(text, "# sign in at {place} as {}: {}", account.name, account.password).ok();
    }
    text
}

/// Single quotes: nothing inside is special to a shell.
pub(super) fn quoted(value: &str) -> String {
    let plain =
        value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:+=".contains(&byte));
    if plain { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::generate;
    use kit::random::Secrets;
    use wire::time::Timestamp;

    fn world() -> World {
        generate(&Secrets::seeded(1), Timestamp::from_seconds(1_767_225_600)).unwrap().world
    }

    #[test]
    fn the_document_has_the_promised_shape() {
        let document = document(&world(), Addresses::from_base(7070));
        let mut shape = document.clone();
        for pointer in [
            "/sandbox_key",
            "/merchant_id",
            "/publishable_key",
            "/order_code_key",
            "/webhook/secret",
        ] {
            *shape.pointer_mut(pointer).unwrap() = "…".into();
        }
        for client in ["shop", "playground"] {
            for field in ["client_id", "client_secret", "key_id", "signing_key"] {
                *shape.pointer_mut(&format!("/clients/{client}/{field}")).unwrap() = "…".into();
            }
        }
        insta::assert_json_snapshot!(shape, @r#"
        {
          "api": "http://127.0.0.1:7072/api",
          "clients": {
            "playground": {
              "client_id": "…",
              "client_secret": "…",
              "key_id": "…",
              "signatures": "optional",
              "signing_key": "…"
            },
            "shop": {
              "client_id": "…",
              "client_secret": "…",
              "key_id": "…",
              "signatures": "required",
              "signing_key": "…"
            }
          },
          "console": "http://127.0.0.1:7070",
          "merchant_id": "…",
          "order_code_key": "…",
          "processor": "http://127.0.0.1:7073",
          "publishable_key": "…",
          "sandbox_key": "…",
          "shop": "http://127.0.0.1:7071",
          "webhook": {
            "secret": "…",
            "url": "http://127.0.0.1:7071/webhooks/payments"
          }
        }
        "#);
    }

    #[test]
    fn what_is_told_can_be_read() {
        let (world, addresses) = (world(), Addresses::from_base(7070));
        let (known, there) = read(&document(&world, addresses)).unwrap();
        assert_eq!(there.port(Program::ProcessorSim), 7073);
        assert_eq!(document(&known, there), document(&world, addresses));
        let mut elsewhere = document(&world, addresses);
        elsewhere["api"] = "https://sandbox.example/api".into();
        assert!(read(&elsewhere).is_none());
        assert!(read(&json!({"status": "ok"})).is_none());
    }

    #[test]
    fn the_exports_can_be_evaluated_and_name_nothing_of_payrig_itself() {
        let text = exports(&world(), Addresses::from_base(7070));
        for line in text.lines() {
            assert!(line.starts_with('#') || line.starts_with("export PAY_"), "{line}");
        }
        assert!(text.contains("export PAY_API=http://127.0.0.1:7072/api\n"));
        assert!(!text.contains("PAYRIG_"));
        assert_eq!(quoted("a'b"), r"'a'\''b'");
    }
}
