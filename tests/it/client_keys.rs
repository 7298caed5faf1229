//! Signing keys of API clients at the gateway's dashboard: shown once, replaced with an overlap,
//! revoked.

use payrig::keys::Client as Credentials;
use payrig_tests::api::Api;
use payrig_tests::payer::{PageSeen, Payer};
use payrig_tests::world::World;

async fn developers(world: &World) -> (Payer, PageSeen) {
    let account = world.keys.world.accounts.iter().find(|it| it.name == "admin").unwrap();
    let mut admin = world.payer();
    let page = admin.open(&format!("{}/dashboard/developers", world.gateway)).await;
    let typed = [("name", "admin"), ("password", account.password.as_str())];
    let page = admin.fill(&page, "data-testid=\"login\"", &typed).await;
    assert!(page.has("clients-head"), "{}", page.html);
    (admin, page)
}

/// A client of the API with the keys that a page shows.
fn client(world: &World, page: &PageSeen, before: Option<&Credentials>) -> Api {
    let credentials = Credentials {
        client_id: page.text("new-client-id"),
        client_secret: match before {
            Some(before) => before.client_secret.clone(),
            None => page.text("new-client-secret"),
        },
        key_id: page.text("new-key-id"),
        signing_key: page.text("new-signing-key"),
        ..world.keys.world.clients["shop"].clone()
    };
    Api::new(world.http.clone(), &world.gateway, credentials, world.clock.clone())
}

async fn may_call(client: &Api) -> bool {
    let answer = client.get("/payments").await;
    if answer.status != 200 {
        assert_eq!((answer.status, answer.json()["reason"].clone()), (401, "key_revoked".into()));
    }
    answer.status == 200
}

#[actix_web::test]
async fn old_and_new_key_both_sign_until_the_old_one_ends_or_is_revoked() {
    let world = World::start().await;
    let (mut admin, page) = developers(&world).await;
    assert!(!page.has("rotate-key"), "clients of the keys file are changed there");
    let typed = [("name", "second-server"), ("origins", "http://localhost:3000")];
    let added = admin.fill(&page, "data-testid=\"add-client\"", &typed).await;
    assert_eq!(added.status, 200, "{}", added.html);
    let first = client(&world, &added, None);
    assert!(may_call(&first).await);

    let page = admin.open(&page.url).await;
    for secret in [&first.credentials().client_secret, &first.credentials().signing_key] {
        assert!(!page.html.contains(secret), "a secret is shown again");
    }
    let rotated = admin.fill(&page, "data-testid=\"rotate-key\"", &[]).await;
    assert!(rotated.text("new-keys").contains("accepted until 16 Jan 2026, 10:00:0"));
    let second = client(&world, &rotated, Some(first.credentials()));
    assert_ne!(second.credentials().key_id, first.credentials().key_id);
    assert!(may_call(&first).await && may_call(&second).await, "both keys are good");
    // The same form again makes no third key.
    let again = admin.fill(&page, "data-testid=\"rotate-key\"", &[]).await;
    assert!(!again.has("new-keys") && again.html.contains(&second.credentials().key_id));
    assert!(!again.html.contains(&second.credentials().signing_key), "shown once");

    let revoked = admin.fill(&again, "data-testid=\"revoke-key\"", &[]).await;
    assert!(revoked.text("notice").contains(&first.credentials().key_id), "{}", revoked.html);
    assert!(!revoked.has("revoke-key"), "nothing else can be revoked");
    assert!(!may_call(&first).await, "revoked at once");
    assert!(may_call(&second).await);

    // Left alone, a replaced key ends by itself after a day.
    let rotated = admin.fill(&revoked, "data-testid=\"rotate-key\"", &[]).await;
    let third = client(&world, &rotated, Some(first.credentials()));
    assert!(may_call(&second).await && may_call(&third).await);
    world.advance("24h").await;
    assert!(!may_call(&second).await && may_call(&third).await);

    let (mut admin, page) = developers(&world).await;
    assert!(!page.has("revoke-key") && page.html.contains(&third.credentials().key_id));
    for deed in ["add client", "rotate key", "revoke key"] {
        assert!(page.text("actions").contains(deed), "{deed}: {}", page.text("actions"));
    }
    assert_eq!(page.text("chain"), "Unbroken");
    let removed = admin.fill(&page, "data-testid=\"remove-client\"", &[]).await;
    assert!(removed.text("notice").contains("second-server is removed"), "{}", removed.html);
    assert!(!may_call(&third).await);
    world.assert_invariants().await;
}
