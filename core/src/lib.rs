//! A sans-IO OAuth 2.1 protocol core for MCP.
//!
//! Every request is an exchange: it yields one [`exchange::Step`] at a time (load, commit, fetch, decide) and is
//! resumed with the answer to it. The core has no clock, no randomness, no sockets, no async and no environment; a
//! host supplies them. The modules are listed in the order in which one should read them.
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

pub mod exchange;
pub mod question;
pub mod store;
pub mod http;
pub mod env;
pub mod refusal;
pub mod audit;
pub mod budget;
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
pub mod keys;
pub mod token;
pub mod grant;
mod grant_record;
pub mod authorization_server;
pub mod protected_resource;
#[cfg(feature = "generators")]
pub mod generators;
