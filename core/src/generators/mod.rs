//! Generators and invariants for whoever fuzzes or property-tests a host, a store or a fork: proptest strategies, the same
//! as [`arbitrary::Arbitrary`] for libFuzzer, and what must hold as functions. Behind the feature `generators`, which
//! brings std; `docs/PROPERTY_TESTS.md` shows how to use them.
//!
//! One strategy serves both tools: libFuzzer's bytes are the seed of proptest's randomness. So a fuzzer keeps the seeds that
//! reach something new, but cannot change half of a value; for that there are properties of plain bytes in `fuzz/`.

mod target;
pub mod objects;
pub mod records;
pub mod requests;
pub mod journeys;
pub mod invariants;

pub use target::{Target, from_bytes};
