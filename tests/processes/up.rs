//! `payrig up`: start, refusals, restarts, and an end that leaves nobody behind.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use payrig::program::Program;
use payrig_tests::http::Http;
use payrig_tests::processes::{
    Scratch, Signal, Up, WORLD_WITHIN, binary, free_port_base, payrig, run, runs, signal, until,
};
use serde_json::json;

#[actix_web::test]
async fn one_command_starts_everything_and_says_where_it_is() {
    let state = Scratch::new("up");
    let up = Up::start(&state).await;
    let banner = up.output.text();
    assert!(banner.starts_with("  Payrig is up "), "{banner}");
    assert!(banner.contains("4242 4242 4242 4242"), "{banner}");
    assert!(banner.contains(state.text()), "{banner}");
    let mut places = vec![up.addresses.console()];
    places.extend(Program::ALL.map(|program| up.url(program)));
    for place in places {
        assert!(banner.contains(&place), "{place} is not in {banner}");
        assert_eq!(Http::default().get(&format!("{place}/healthz")).await.status, 200, "{place}");
    }
    assert_eq!(up.programs().len(), 3);
}

#[actix_web::test]
async fn a_second_world_in_the_same_place_is_refused() {
    let state = Scratch::new("second");
    let up = Up::start(&state).await;
    let base = free_port_base().to_string();
    let second = payrig(&["up", "--state", state.text(), "--port-base", &base]).await;
    assert_eq!(second.code, Some(3), "{}", second.notes);
    assert!(second.notes.starts_with("error: a world is already up in "), "{}", second.notes);
    assert!(second.notes.contains(&format!("process {}", up.pid())), "{}", second.notes);
    assert!(second.notes.contains("help: "), "{}", second.notes);
    assert_eq!(up.programs().len(), 3, "the first world goes on");
}

#[actix_web::test]
async fn a_taken_port_is_named_with_the_program_that_wanted_it() {
    for (distance, wanted_by) in
        [(0, "the console"), (1, "the shop"), (2, "the gateway"), (3, "the processor")]
    {
        let state = Scratch::new("taken");
        let base = free_port_base();
        let port = base + distance;
        let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let base = base.to_string();
        let up = payrig(&["up", "--state", state.text(), "--port-base", &base]).await;
        assert_eq!(up.code, Some(3), "{}", up.notes);
        let holder = format!("process {}", std::process::id());
        let said = format!("error: port {port}, wanted by {wanted_by}, is in use by {holder}");
        assert!(up.notes.starts_with(&said), "{}", up.notes);
        assert!(up.notes.contains("help: stop it, or run `payrig up --port-base "), "{}", up.notes);
    }
}

#[actix_web::test]
async fn ctrl_c_ends_all_programs() {
    let state = Scratch::new("ctrl-c");
    let mut up = Up::start(&state).await;
    let programs = up.programs();
    let status = up.end(Signal::INT).await;
    assert!(matches!(status.code(), Some(0 | 130)), "{status}: {}", up.notes.text());
    for (program, pid) in programs {
        assert!(!runs(pid), "{program} is left behind");
    }
    assert!(!up.notes.text().contains("was killed"), "{}", up.notes.text());
    for program in Program::ALL {
        let port = up.addresses.port(program);
        TcpListener::bind(("127.0.0.1", port)).unwrap_or_else(|_| panic!("{program}: {port}"));
    }
}

#[actix_web::test]
async fn a_supervisor_that_is_killed_leaves_no_orphan() {
    let state = Scratch::new("orphans");
    let mut up = Up::start(&state).await;
    let programs = up.programs();
    assert_eq!(programs.len(), 3);
    up.end(Signal::KILL).await;
    until("all programs have ended", WORLD_WITHIN, async || {
        programs.values().all(|&pid| !runs(pid)).then_some(())
    })
    .await;
    // Nothing of the dead supervisor keeps the next one from starting.
    Up::start_at(&state, up.addresses.console_port(), &[]).await;
}

#[actix_web::test]
async fn a_program_that_dies_is_reported_and_started_again() {
    let state = Scratch::new("restart");
    let up = Up::start(&state).await;
    for (program, killed) in up.programs() {
        signal(killed, Signal::KILL);
        let url = format!("{}/healthz", up.url(program));
        until(&format!("{program} is ready again"), WORLD_WITHIN, async || {
            let other = up.programs().get(&program).is_some_and(|&pid| pid != killed);
            let answer = Http::default().try_send("GET", &url, &[], "").await.ok()?;
            (other && answer.status == 200).then_some(())
        })
        .await;
        let said = format!("{program} ended (signal 9); starting it again in 100 ms");
        until(&said, WORLD_WITHIN, async || up.notes.text().contains(&said).then_some(())).await;
        let said = format!("{program} is ready again (process ");
        until(&said, WORLD_WITHIN, async || up.notes.text().contains(&said).then_some(())).await;
    }
}

#[actix_web::test]
async fn a_world_in_memory_writes_no_database() {
    let state = Scratch::new("ephemeral");
    let mut up = Up::start_at(&state, free_port_base(), &["--ephemeral"]).await;
    let body = json!({"amount": {"value": 100, "currency": "EUR"}, "order_reference": "memory"});
    let answer = up.api("playground").await.post("/payments", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    up.end(Signal::INT).await;
    for (file, _) in modes(state.path()) {
        assert!(!file.contains(".db"), "{file}");
    }
}

/// Every file and directory below a place, with its permission bits.
fn modes(place: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(place).unwrap().flatten() {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        found.insert(entry.path().display().to_string(), mode);
        if entry.path().is_dir() {
            found.append(&mut modes(&entry.path()));
        }
    }
    found
}

#[actix_web::test]
async fn keys_and_payments_are_the_same_after_a_restart_and_private() {
    let state = Scratch::new("stable");
    let base = free_port_base();
    let mut up = Up::start_at(&state, base, &[]).await;
    let before = up.payrig(&["env", "--json"]).await.ok();
    let body = json!({"amount": {"value": 4999, "currency": "EUR"}, "order_reference": "kept"});
    let created = up.api("shop").await.post("/payments", body).await;
    assert_eq!(created.status, 201, "{}", created.text());
    for (path, mode) in modes(state.path()) {
        assert_eq!(mode & 0o077, 0, "{path} is open to others: {mode:o}");
    }
    let keys = fs::read_dir(state.path().join("keys")).unwrap();
    for file in keys.flatten() {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    up.end(Signal::INT).await;

    let up = Up::start_at(&state, base, &[]).await;
    assert_eq!(up.payrig(&["env", "--json"]).await.ok(), before);
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let read = up.api("shop").await.get(&format!("/payments/{id}")).await;
    assert_eq!(read.json()["order_reference"], "kept", "{}", read.text());
    assert_eq!(read.json()["created_at"], created.json()["created_at"]);
}

#[actix_web::test]
async fn a_program_without_keys_says_how_to_make_them() {
    let state = Scratch::new("no-keys");
    let port = free_port_base();
    let listen = format!("127.0.0.1:{port}");
    for program in Program::ALL {
        let alone =
            payrig(&["serve", program.as_str(), "--state", state.text(), "--listen", &listen])
                .await;
        assert_ne!(alone.code, Some(0), "{program}");
        assert!(alone.notes.contains("payrig keys --state"), "{program}: {}", alone.notes);
    }
}

#[actix_web::test]
async fn every_program_explains_its_settings() {
    for program in Program::ALL {
        let name = program.as_str();
        let alone = run(&binary(name), &["--help"], "").await.ok();
        let inside = payrig(&["serve", name, "--help"]).await.ok();
        for flag in [
            "--listen",
            "--state",
            "--keys",
            "--ephemeral",
            "--seed",
            "--clock",
            "--config",
            "--exit-with-stdin",
            "--log-level",
            "--log-json",
        ] {
            assert!(alone.contains(flag), "{name} does not explain {flag}: {alone}");
            assert!(inside.contains(flag), "serve {name} does not explain {flag}: {inside}");
        }
        let prefix = format!("PAYRIG_{}_", name.replace('-', "_").to_uppercase());
        assert!(alone.contains(&prefix), "{name} does not name {prefix}…: {alone}");
    }
    for command in [
        "up",
        "env",
        "call",
        "cards",
        "trace",
        "clock",
        "fault",
        "invariants",
        "client",
        "bench",
        "keys",
    ] {
        let help = payrig(&[command, "--help"]).await.ok();
        assert!(help.contains("Examples:"), "{command}: {help}");
    }
}

#[actix_web::test]
async fn a_program_is_not_offered_to_the_network() {
    let state = Scratch::new("loopback");
    payrig(&["keys", "--state", state.text()]).await.ok();
    for program in Program::ALL {
        let listen = format!("0.0.0.0:{}", free_port_base());
        let alone =
            payrig(&["serve", program.as_str(), "--state", state.text(), "--listen", &listen])
                .await;
        assert_ne!(alone.code, Some(0), "{program}");
        let said = alone.notes.contains("loopback") || alone.notes.contains("127.0.0.1");
        assert!(said && alone.notes.contains(&listen), "{program}: {}", alone.notes);
    }
}

#[actix_web::test]
async fn a_running_sandbox_starts_lists_and_ends_further_worlds() {
    let state = Scratch::new("further");
    let up = Up::start(&state).await;
    let world = up.payrig(&["world", "new", "--ttl", "10m", "--clock", "virtual"]).await.json();
    let id = world["world"]["id"].as_str().unwrap();
    let api = world["api"].as_str().unwrap();
    assert_ne!(api, up.addresses.api());
    assert_eq!(Http::default().get(&api.replace("/api", "/healthz")).await.status, 200);
    let listed = up.payrig(&["world", "ls"]).await.ok();
    assert!(listed.contains(id) && listed.contains(api), "{listed}");
    let console = up.addresses.console();
    let stranger = Http::default().send("POST", &format!("{console}/worlds"), &[], "").await;
    assert_eq!(stranger.status, 401, "{}", stranger.text());
    assert_eq!(up.payrig(&["world", "rm", id]).await.code, Some(0));
    assert!(up.payrig(&["world", "ls", "--json"]).await.json().as_array().unwrap().is_empty());
    let again = up.payrig(&["world", "rm", id]).await;
    assert_eq!(again.code, Some(4), "{}", again.notes);
    assert!(again.notes.contains("payrig world ls"), "{}", again.notes);
}
