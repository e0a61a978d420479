//! Wycheproof's vectors for JSON Web Signatures and Keys, where they are present.
//!
//! They are looked for in `LOCKSTEP_WYCHEPROOF`, or beside the workspace in `../shared/data/wycheproof`,
//! `../../shared/data/wycheproof`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

use lockstep_oauth::jose::{Accept, Algorithm, Jwk, JwkSet, Unverified};
use serde_json::Value;
use std::path::{Path, PathBuf};

const ACCEPT: Accept<'_> = Accept { algorithms: &Algorithm::ALL, types: &[], untyped: true };

/// Tests that Wycheproof calls valid and this crate refuses: the key says PS256, the token PS384, and the key decides.
const REFUSED_ON_PURPOSE: [(&str, u64); 2] =
    [("json_web_signature_test.json", 346), ("json_web_signature_test.json", 350)];

#[derive(Default, Debug)]
struct Count {
    groups: usize,
    tests: usize,
    valid: usize,
}

fn folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("LOCKSTEP_WYCHEPROOF") {
        return Some(PathBuf::from(folder));
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    ["../shared/data/wycheproof", "../../shared/data/wycheproof"]
        .iter()
        .map(|beside| workspace.join(beside))
        .find(|folder| folder.is_dir())
}

/// Whether `token` verifies under the group's key or set, read as the crate reads them from strangers.
fn accepted(keys: &Value, token: &str) -> bool {
    let text = keys.to_string();
    let Ok(token) = Unverified::read(token, &ACCEPT) else { return false };
    if keys.get("keys").is_some() {
        let Ok(set) = JwkSet::parse(text.as_bytes()) else { return false };
        let Ok(key) = set.find(token.kid(), token.algorithm()) else { return false };
        return token.verify(key).is_ok();
    }
    Jwk::parse(text.as_bytes()).is_ok_and(|key| token.verify(&key).is_ok())
}

/// Whether this crate verifies with the group's keys at all: no shared secrets, no other hashes, no encryption.
fn supported(keys: &Value) -> bool {
    let named =
        |key: &Value| key["kty"] != "oct" && key["alg"].as_str().is_none_or(|alg| Algorithm::from_name(alg).is_some());
    keys["keys"].as_array().map_or_else(|| named(keys), |keys| keys.iter().any(named))
}

/// Runs one file. Of unsupported groups, what is invalid must be refused too; only what is valid is left out.
fn run(name: &str) -> Option<Count> {
    let Some(folder) = folder() else {
        eprintln!("{name}: not run, there is no folder of Wycheproof vectors");
        return None;
    };
    let file: Value = serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap();
    let mut count = Count::default();
    for group in file["testGroups"].as_array().unwrap() {
        let keys = group.get("public").unwrap_or(&group["private"]);
        let supported = supported(keys);
        count.groups += usize::from(supported);
        for test in group["tests"].as_array().unwrap() {
            // Tokens in the JSON serialization are objects, tokens of other kinds have no `jws`.
            let token = test["jws"].as_str().map_or_else(|| test["jws"].to_string(), str::to_owned);
            let id = test["tcId"].as_u64().unwrap();
            let valid = test["result"] == "valid" && supported && !REFUSED_ON_PURPOSE.contains(&(name, id));
            assert_eq!(accepted(keys, &token), valid, "{name} {id}: {}", test["comment"]);
            count.tests += usize::from(supported);
            count.valid += usize::from(valid);
        }
    }
    eprintln!("{name}: {count:?}");
    Some(count)
}

#[test]
fn signatures_are_judged_as_wycheproof_says() {
    let Some(count) = run("json_web_signature_test.json") else { return };
    assert!(count.groups > 0 && count.tests > 0 && count.valid > 0);
}

#[test]
fn keys_are_judged_as_wycheproof_says() {
    let Some(count) = run("json_web_key_test.json") else { return };
    assert!(count.groups > 0 && count.tests > 0 && count.valid > 0);
}

#[test]
fn mixtures_are_judged_as_wycheproof_says() {
    let Some(count) = run("json_web_crypto_test.json") else { return };
    assert!(count.groups > 0 && count.tests > 0 && count.valid > 0);
}
