//! A few hundred seeds hold, reach what they should, and notice a store that breaks its contract.
#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "a test may fail loudly")]

use lockstep_conformance::replay::replay;
use lockstep_conformance::transcript::Vector;
use lockstep_simulation::coverage::Coverage;
use lockstep_simulation::dump::vector;
use lockstep_simulation::plan::Defect;
use lockstep_simulation::run::{Run, Servers};
use lockstep_simulation::simulate;
use lockstep_simulation::witness::INVARIANTS;
use std::collections::BTreeMap;

/// How many seeds: `SIMULATION_SEEDS`, or a few hundred.
fn seeds() -> u64 {
    std::env::var("SIMULATION_SEEDS").ok().and_then(|number| number.parse().ok()).unwrap_or(300)
}

#[test]
fn every_invariant_holds_and_everything_is_reached() {
    let (servers, mut coverage) = (Servers::new(), Coverage::default());
    for seed in 0..seeds() {
        let outcome = simulate(&servers, seed, Defect::None);
        if let Some(violation) = outcome.violation {
            panic!("{violation:?}; again: cargo run -p lockstep-simulation -- --seed {seed}");
        }
        coverage.add(&outcome.coverage);
    }
    assert_eq!(coverage.missing(), [""; 0], "{coverage:?}");
}

/// The invariants that 60 runs on a broken store violate, and the first seed of each.
fn noticed(defect: Defect) -> BTreeMap<&'static str, u64> {
    let (servers, mut noticed) = (Servers::new(), BTreeMap::new());
    for seed in 0..60 {
        if let Some(violation) = simulate(&servers, seed, defect).violation {
            assert!(INVARIANTS.contains(&violation.invariant), "{violation:?}");
            noticed.entry(violation.invariant).or_insert(seed);
        }
    }
    println!("{defect:?}: {noticed:?}");
    noticed
}

#[test]
fn a_store_that_ignores_versions_is_noticed() {
    let noticed = noticed(Defect::IgnoresVersions);
    assert!(noticed.contains_key("one_code_one_family") && noticed.contains_key("an_assertion_once"), "{noticed:?}");
}

#[test]
fn a_store_that_says_committed_and_has_not_written_is_noticed() {
    let noticed = noticed(Defect::SaysCommitted);
    assert!(noticed.contains_key("one_code_one_family"), "{noticed:?}");
}

#[test]
fn a_store_that_loses_acknowledged_writes_is_noticed() {
    let noticed = noticed(Defect::LosesWrites);
    assert!(noticed.contains_key("nothing_lives_after_revocation"), "{noticed:?}");
}

#[test]
fn a_seed_is_the_whole_run() {
    let servers = Servers::new();
    let told = |seed| {
        let mut run = Run::new(&servers, seed, Defect::None, true);
        (run.finish(), run.story, run.coverage)
    };
    assert_eq!(told(3), told(3));
    assert_eq!(told(3).2, simulate(&servers, 3, Defect::None).coverage);
}

#[test]
fn a_run_that_fails_becomes_a_vector_that_replays() {
    let servers = Servers::new();
    let seed = *noticed(Defect::IgnoresVersions).values().next().unwrap();
    let mut run = Run::new(&servers, seed, Defect::IgnoresVersions, true);
    let violation = run.finish().unwrap_err();
    let vector = vector(&run, "simulation/failed", &violation.seen, violation.invariant).unwrap();
    assert!(vector.exchanges.len() > 2);
    assert_eq!(replay(&Vector::read(&vector.write()).unwrap()), Ok(()));
}
