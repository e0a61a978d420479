//! Deterministic simulation: many clients, hosts and a faulty store, a thief and people who end things, under one seed.
//! Production exchanges take their steps in an order that the seed alone decides, and invariants are checked as they end.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this crate holds others to their word: a failed expectation should be loud"
)]

pub mod random;
pub mod plan;
pub mod store;
pub mod witness;
pub mod coverage;
pub mod request;
pub mod session;
pub mod thief;
pub mod run;
pub mod judge;
pub mod dump;

use coverage::Coverage;
use plan::Defect;
use run::{Run, Servers};
use std::panic::{AssertUnwindSafe, catch_unwind};
use witness::Violation;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The invariant that did not hold.
    pub violation: Option<Violation>,
    /// What was reached.
    pub coverage: Coverage,
    /// How many exchanges there were.
    pub exchanges: usize,
}

/// Runs a seed.
pub fn simulate(servers: &Servers, seed: u64, defect: Defect) -> Outcome {
    let mut run = Run::new(servers, seed, defect, false);
    let finished = catch_unwind(AssertUnwindSafe(|| run.finish()));
    let panicked = || Violation { invariant: "no_panic", seen: "the panic's own message is above".to_owned() };
    let violation = finished.unwrap_or_else(|_| Err(panicked())).err();
    Outcome { violation, coverage: run.coverage, exchanges: run.exchanges.len() }
}
