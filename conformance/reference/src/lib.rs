//! An independent model of the authorization server: authorize, token, refresh, revoke, introspect and the bearer check.
//!
//! `policy`, `rules`, `step`, `outcome`, `model` and its endpoints (`authorize`, `token`, `access`) are plain Rust over
//! strings and numbers, written from the catalogue of requirements and the design, and share nothing with the core.
//! `against` sends the same journey to both and tells the first difference as a story; `journey` draws journeys.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this crate holds others to their word: a failed expectation should be loud"
)]

pub mod policy;
pub mod rules;
pub mod step;
pub mod outcome;
pub mod variation;
pub mod model;
mod authorize;
mod token;
mod access;
pub mod tell;
pub mod against;
pub mod journey;
