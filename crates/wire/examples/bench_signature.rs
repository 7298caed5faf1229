//! Measures how long it takes to sign and to verify a request with a body of 1 KB.
//!
//! `cargo run --release -p wire --example bench_signature`

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use wire::signature::{
    KeyLookup, ReceivedHeaders, RequestContent, RequestTarget, SignatureTimes, SigningKey, Wire,
    sign_request, verify_request,
};

const RUNS: u32 = 200;
const ROUNDS: u32 = 2_000;
const CREATED: i64 = 1_767_225_000;
const TIMES: SignatureTimes = SignatureTimes { created: CREATED, expires: CREATED + 60 };
const NONCE: &str = "AAECAwQFBgcICQoLDA0ODw";

/// Time per round in nanoseconds in the best of many short runs: in the others something else ran.
#[expect(clippy::disallowed_methods, reason = "real time is measured, not the world's clock")]
fn best_run(mut round: impl FnMut()) -> u128 {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            round();
        }
        best = best.min(start.elapsed());
    }
    best.as_nanos() / u128::from(ROUNDS)
}

fn main() {
    let key = SigningKey::new("key_demo", [0x40; 32]);
    let body = [b'x'; 1024];
    let target = RequestTarget {
        method: "POST",
        authority: "127.0.0.1:7072",
        path: "/api/payments",
        query: "",
    };
    let content = RequestContent {
        body: &body,
        content_type: Some("application/json"),
        idempotency_key: Some("order-1001-attempt-1"),
        trace_id: None,
    };
    let sign = || sign_request(&key, Wire::Api, black_box(&target), &content, TIMES, NONCE);
    let headers = sign();
    let (input, signature) = ([headers.signature_input.as_str()], [headers.signature.as_str()]);
    let digest: Vec<&str> = headers.content_digest.as_deref().into_iter().collect();
    let received =
        ReceivedHeaders { signature_input: &input, signature: &signature, content_digest: &digest };
    let verify = || {
        let lookup = |_: &str| KeyLookup::Known(&key);
        verify_request(lookup, Wire::Api, black_box(&target), &content, &received, CREATED).is_ok()
    };
    assert!(verify(), "the request that was just signed verifies");

    let signing = best_run(|| drop(black_box(sign())));
    let verifying = best_run(|| {
        black_box(verify());
    });
    println!("sign   {signing:>6} ns");
    println!("verify {verifying:>6} ns");
    println!("both   {:>6} ns", signing + verifying);
}
