//! What Lockstep is held to. Properties are functions of bytes that panic when they fail: proptest and libFuzzer run
//! the same ones.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::large_enum_variant,
    reason = "this crate holds others to their word: a failed expectation should be loud"
)]

pub mod exchange_properties;
pub mod forged;
pub mod parts;
pub mod hostile;
pub mod jose;
pub mod values;
pub mod transcript;
pub mod running;
pub mod world;
pub mod fixture;
pub mod scenarios;
pub mod replay;
pub mod seeds;
pub mod refusals_page;
