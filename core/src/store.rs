//! The storage contract: two operations, one record a commit.
//!
//! `load(keys)` returns, for each key in order, its record or nothing; an expired record may be returned.
//! `commit(write)` puts one record if, and only if, the key is at the expected version, and says which of three
//! things happened. There is no unconditional put, no delete, no scan, no counter and no transaction.

use crate::crypto;
use crate::env::Entropy;
use alloc::string::String;
use alloc::vec::Vec;

/// A time that never comes: the largest whole number that every host language holds exactly.
pub const NEVER: u64 = (1 << 53) - 1;
/// The largest grant record, in bytes. A decision that would exceed it is refused before any commit.
pub const GRANT_BYTES: usize = 8 * 1024;
/// The largest record of any other kind, in bytes.
pub const RECORD_BYTES: usize = 64 * 1024;

/// A record's key: printable ASCII, at most 128 bytes, starting with a hash of the issuer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    pub(crate) fn new(issuer_hash: &[u8], kind: &str, id: &str) -> Self {
        let mut key = String::with_capacity(issuer_hash.len() * 2 + kind.len() + id.len() + 2);
        crypto::push_base64url(&mut key, issuer_hash);
        key.push('/');
        key.push_str(kind);
        key.push('/');
        key.push_str(id);
        Self(key)
    }

    /// The key as the store holds it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A record as the store returned it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The version that was written with it, at most 2^53 - 1.
    pub version: u64,
    /// Bytes that only the core reads.
    pub value: Vec<u8>,
    /// Seconds since 1970 after which the core ignores it.
    pub expires_at: u64,
}

/// What rides along with a write for the host's own pages. The core never reads it back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels {
    /// The user whose grant this is.
    pub subject: Option<String>,
    /// The client that holds it.
    pub client: Option<String>,
}

/// One conditional write of one record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Write {
    /// The record's key.
    pub key: Key,
    /// The version that must be there; `None` when the key must be absent.
    pub expect: Option<u64>,
    /// The version to store. The core numbers versions; an adapter stores the number as it is.
    pub version: u64,
    /// The bytes to store.
    pub value: Vec<u8>,
    /// Seconds since 1970; an adapter may remove the record a day after this.
    pub expires_at: u64,
    /// For `list(subject)`.
    pub labels: Labels,
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Committed {
    /// The write was applied, durably.
    Committed,
    /// The key was not at the expected version; nothing was written.
    Conflict,
    /// The outcome is not known (a time-out, a lost connection). The write may have been applied.
    Unknown,
}

impl Write {
    /// A write over `previous`, or of a new record when there is none.
    ///
    /// A new record starts at a random 48-bit version, so that a stalled writer never meets another incarnation of the key.
    pub(crate) fn over(
        previous: Option<&Record>,
        key: Key,
        value: Vec<u8>,
        expires_at: u64,
        labels: Labels,
        entropy: &Entropy,
    ) -> Self {
        match previous {
            Some(record) => {
                let version = if record.version >= NEVER { 1 } else { record.version + 1 };
                Self { key, expect: Some(record.version), version, value, expires_at, labels }
            }
            None => {
                let drawn = entropy.draw::<6>("record version");
                let version = drawn.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte)).max(1);
                Self { key, expect: None, version, value, expires_at, labels }
            }
        }
    }
}
