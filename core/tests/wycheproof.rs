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

#[path = "data/jose_reading.rs"]
mod reading;

use lockstep_oauth::jose::Algorithm;
use reading::{accepted, faults, texts};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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

/// Classes whose own vector is in another file: nobody can make such a key anew.
const ELSEWHERE: [&str; 1] = ["rejectsKeyWithRocaVulnerability"];

#[test]
fn every_class_of_fault_has_a_vector_of_our_own() {
    let Some(folder) = folder() else {
        eprintln!("not compared, there is no folder of Wycheproof vectors");
        return;
    };
    let faults = faults();
    let mut covered: BTreeSet<&str> = faults.iter().flat_map(|fault| texts(fault, "covers")).collect();
    covered.extend(ELSEWHERE);
    let (mut used, mut missing) = (BTreeSet::new(), BTreeSet::new());
    for name in ["json_web_signature_test.json", "json_web_key_test.json", "json_web_crypto_test.json"] {
        let file: Value = serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        for group in file["testGroups"].as_array().unwrap() {
            for test in group["tests"].as_array().unwrap().iter().filter(|test| test["result"] == "invalid") {
                let comment = test["comment"].as_str().unwrap().to_owned();
                let flags = texts(test, "flags").map(|flag| format!("flag:{flag}"));
                let names: BTreeSet<String> =
                    flags.chain([comment]).filter(|name| covered.contains(name.as_str())).collect();
                if names.is_empty() {
                    missing.insert(format!("{name} {}", test["comment"]));
                }
                used.extend(names);
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    let idle: Vec<&&str> = covered.iter().filter(|name| !used.contains(**name)).collect();
    assert!(idle.is_empty(), "Wycheproof has no such test: {idle:?}");
}
