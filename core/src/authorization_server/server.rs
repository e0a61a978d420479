//! The server as every exchange sees it: a checked configuration and its keys.

use super::config::Config;
use crate::crypto;
use crate::exchange::{Misuse, Shared};
use crate::keys::KeyRing;
use crate::store::Key;
use crate::token::RecordId;
use alloc::string::String;
use alloc::vec::Vec;

/// A checked configuration and its keys: what every exchange looks at and none changes.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(PartialEq, Eq, Hash))]
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) ring: KeyRing,
}

impl Server {
    pub(crate) fn key(&self, kind: &str, id: &str) -> Key {
        Key::new(&self.config.issuer_hash, kind, id)
    }

    /// Seals a short-lived text of this issuer for a purpose.
    pub(crate) fn seal(&self, now: u64, purpose: &str, plaintext: &[u8]) -> Option<String> {
        self.ring.seal(now, &self.config.issuer_hash, purpose, plaintext)
    }

    /// Opens what [`Server::seal`] made for the same purpose.
    pub(crate) fn unseal(&self, now: u64, purpose: &str, sealed: &str) -> Option<Vec<u8>> {
        self.ring.unseal(now, &self.config.issuer_hash, purpose, sealed)
    }

    pub(crate) fn grant_key(&self, id: &[u8; 16]) -> Key {
        self.key("grant", &crypto::base64url(id))
    }

    pub(crate) fn client_key(&self, id: &RecordId) -> Key {
        self.key("client", &crypto::base64url(id))
    }

    pub(crate) fn subject_key(&self, id: &RecordId) -> Key {
        self.key("subject", &crypto::base64url(id))
    }

    /// The record that holds a subject's counter.
    pub(crate) fn subject_id(&self, subject: &str) -> RecordId {
        let hash = crypto::sha256(&[b"subject", &self.config.issuer_hash, subject.as_bytes()]);
        hash.first_chunk::<16>().copied().unwrap_or_default()
    }
}

/// An authorization server together with the resources it protects.
///
/// It is immutable and cheap to clone. Every request is an exchange of its own.
#[derive(Clone, Debug)]
pub struct AuthorizationServer {
    pub(crate) server: Shared<Server>,
}

impl AuthorizationServer {
    /// Joins a configuration and its keys.
    ///
    /// # Errors
    /// `Misuse` when the two do not fit together.
    pub fn new(config: Config, ring: KeyRing) -> Result<Self, Misuse> {
        if config.jwt && ring.jwt.is_empty() {
            return Err(Misuse::new("keys", "JWT access tokens need a signing key; rotate the ring to add one"));
        }
        Ok(Self { server: Shared::new(Server { config, ring }) })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.server.config
    }
}
