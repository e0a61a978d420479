//! What a verification costs. Run: `cargo test --release --test verify_times -- --ignored --nocapture`, with and
//! without `--features native-verify`.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use lockstep_oauth::jose::{Accept, Algorithm, Jwk, PrivateJwk, Unverified, sign};
use std::hint::black_box;
use std::time::{Duration, Instant};

#[path = "data/rsa_tokens.rs"]
mod rsa_tokens;

const ACCEPT: Accept<'_> = Accept { algorithms: &Algorithm::ALL, types: &["at+jwt"], untyped: true };

/// The median of 15 rounds, in microseconds for one call.
fn microseconds(mut call: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..15)
        .map(|_| {
            let (start, mut calls) = (Instant::now(), 0u32);
            while start.elapsed() < Duration::from_millis(60) {
                call();
                calls += 1;
            }
            start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds.swap_remove(7)
}

fn report(token: &str, key: &Jwk) {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = lockstep_oauth::crypto::from_base64url(signature).unwrap();
    let text = serde_json::Value::Object(key.to_map()).to_string();
    let verify = microseconds(|| assert!(black_box(key.public_key()).verifies(input.as_bytes(), &signature)));
    let token = microseconds(|| drop(Unverified::read(token, &ACCEPT).unwrap().verify(black_box(key)).unwrap()));
    let parse = microseconds(|| drop(Jwk::parse(black_box(text.as_bytes())).unwrap()));
    eprintln!(
        "{:6} verify {verify:6.1} us, whole token {token:6.1} us, key parse {parse:6.1} us",
        key.algorithm().name()
    );
}

#[test]
#[ignore = "a measurement"]
fn report_verify_times() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let key = PrivateJwk::generate(algorithm, &[1; 32]).unwrap();
        let payload = "a".repeat(200);
        report(&sign(&key, "at+jwt", payload.as_bytes()), key.public());
        let signing = microseconds(|| drop(sign(black_box(&key), "at+jwt", payload.as_bytes())));
        eprintln!("{:6} sign   {signing:6.1} us", algorithm.name());
    }
    report(rsa_tokens::RS256_TOKEN, &rsa_tokens::key(rsa_tokens::RS256_MODULUS, "RS256"));
    report(rsa_tokens::PS256_TOKEN, &rsa_tokens::key(rsa_tokens::PS256_MODULUS, "PS256"));
}
