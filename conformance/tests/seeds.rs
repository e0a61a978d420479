//! The fuzzer's targets, and what the vectors give them to start with.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use lockstep_conformance::{scenarios, seeds};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The one target whose property is not in this crate: it needs another implementation.
const ELSEWHERE: [&str; 1] = ["jose_oracle"];

#[test]
fn every_property_has_a_target_and_a_committed_seed() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let named = |folder: &str| -> BTreeSet<String> {
        fs::read_dir(fuzz.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    let mut wanted: BTreeSet<String> = seeds::targets().iter().map(|(name, _)| (*name).to_owned()).collect();
    wanted.extend(ELSEWHERE.map(str::to_owned));
    assert_eq!(named("targets"), wanted);
    assert!(named("seeds").is_subset(&wanted));
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for name in &wanted {
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name} is not in fuzz/Cargo.toml");
    }
}

#[test]
fn every_seed_of_the_vectors_holds() {
    let seeds = seeds::seeds(&scenarios::all().vectors);
    for (name, property) in seeds::targets() {
        let Some(own) = seeds.get(name) else {
            // Forgeries start from the world's own texts.
            assert_eq!(name, "forged_text");
            continue;
        };
        own.iter().for_each(|seed| property(seed));
        assert!(own.len() > 3 || name == "operation", "{name}: {}", own.len());
    }
}
