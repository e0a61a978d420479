//! A sans-IO OAuth 2.1 protocol core for MCP.
#![no_std]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test may fail loudly"
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod address;
pub mod crypto;
pub mod jose;
pub mod json;
pub mod pkce;
pub mod redirect;
pub mod resource;
pub mod scope;
pub mod secret;
pub mod uri;
