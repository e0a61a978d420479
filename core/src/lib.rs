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

pub mod secret;
pub mod crypto;
pub mod uri;
pub mod redirect;
pub mod resource;
pub mod scope;
pub mod pkce;
pub mod address;
pub mod json;
pub mod jose;
