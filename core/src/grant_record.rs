//! The grant's record as it is stored: JSON with a `v`, old versions readable for ever.

use crate::crypto;
use crate::keys::KeyId;
use crate::store::GRANT_BYTES;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The version of the format that is written.
pub(crate) const GRANT_VERSION: u8 = 1;

/// What a grant may still grow by after its approval: numbers, a JWT key's name, why it is dead. A grant without this room
/// could not be redeemed, or worse, not be revoked.
const GROWTH_BYTES: usize = 512;

/// Where a grant is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantState {
    /// Approved; its code has not been redeemed.
    Granted,
    /// Redeemed; `generation` counts the refreshes from 1.
    Live,
    /// Dead for good.
    Revoked,
}

/// What the current generation's tokens are made of, so that an answer can be repeated byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Generation {
    /// Counts from 1; 0 while the grant is only approved.
    #[serde(rename = "n")]
    pub number: u32,
    /// The server key that derives its tokens.
    #[serde(rename = "k", with = "bytes")]
    pub key: KeyId,
    /// When it began, in seconds since 1970.
    #[serde(rename = "at")]
    pub issued_at: u64,
    /// When its access tokens die.
    #[serde(rename = "ax")]
    pub access_expires_at: u64,
    /// When its code (generation 0) or its refresh token dies.
    #[serde(rename = "rx")]
    pub refresh_expires_at: u64,
    /// Whether the generation before it was presented again.
    #[serde(rename = "rt", default, skip_serializing_if = "is_false")]
    pub retried: bool,
    /// The key that signs its JWT access tokens.
    #[serde(rename = "kid", default, skip_serializing_if = "String::is_empty")]
    pub jwt_kid: String,
}

/// One user's consent to one client, and everything that has come of it. One record, one compare-and-swap a transition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// The format's version.
    pub(crate) v: u8,
    /// Where it is in its life.
    #[serde(rename = "st")]
    pub state: GrantState,
    /// The client it was given to; empty for a personal access token.
    #[serde(rename = "cl", default, skip_serializing_if = "String::is_empty")]
    pub client_id: String,
    /// The user who gave it.
    #[serde(rename = "su")]
    pub subject: String,
    /// The user's claims at approval.
    #[serde(rename = "cm", default, skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
    /// The subject's counter at approval: a higher one at the subject's key means that this grant is dead.
    #[serde(rename = "sc", default, skip_serializing_if = "is_zero")]
    pub subject_counter: u64,
    /// The approved scopes. Their order never changes: tokens hold bitmaps over it.
    #[serde(rename = "sp")]
    pub scopes: Vec<String>,
    /// The approved resources. Their order never changes: tokens hold an index into it.
    #[serde(rename = "rs")]
    pub resources: Vec<String>,
    /// The redirect that the code went to.
    #[serde(rename = "ru", default, skip_serializing_if = "String::is_empty")]
    pub redirect_uri: String,
    /// The S256 challenge that the code is bound to.
    #[serde(rename = "ch", default, skip_serializing_if = "String::is_empty")]
    pub challenge: String,
    /// The salt that every proof of this grant needs.
    #[serde(rename = "sa", with = "bytes")]
    pub salt: [u8; 32],
    /// When it was approved.
    #[serde(rename = "ct")]
    pub created_at: u64,
    /// When it ends, whatever happens.
    #[serde(rename = "ex")]
    pub expires_at: u64,
    /// Whether it has refresh tokens.
    #[serde(rename = "rf", default, skip_serializing_if = "is_false")]
    pub refreshable: bool,
    /// The current generation.
    #[serde(rename = "g")]
    pub generation: Generation,
    /// How many generations in a row were presented again.
    #[serde(rename = "ov", default, skip_serializing_if = "is_zero_32")]
    pub streak: u32,
    /// Access tokens up to this generation are dead.
    #[serde(rename = "af", default, skip_serializing_if = "is_zero_32")]
    pub access_floor: u32,
    /// The record's own last time, so that a clock that jumps back resurrects nothing.
    #[serde(rename = "lt")]
    pub last_at: u64,
    /// Names the exchange that wrote it, so that an unknown commit can be recognised.
    #[serde(rename = "sm", with = "bytes")]
    pub stamp: [u8; 8],
    /// Why it is dead.
    #[serde(rename = "wy", default, skip_serializing_if = "String::is_empty")]
    pub revoked_because: String,
    /// The name that the user gave to a personal access token.
    #[serde(rename = "nm", default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The client's display name at approval, for the user's list of connected apps.
    #[serde(rename = "cn", default, skip_serializing_if = "String::is_empty")]
    pub client_name: String,
    /// Reserved for a key binding (RFC 7800). Nothing writes it yet; what is there is kept.
    #[serde(rename = "cnf", default, skip_serializing_if = "Option::is_none")]
    pub(crate) confirmation: Option<Value>,
}

impl Grant {
    /// Reads a stored record. `None` when it is not a grant of a version that we know.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let grant: Self = serde_json::from_slice(bytes).ok()?;
        // Generations count from the redemption: anything else was not written here, and must not be counted on.
        let counted = match grant.state {
            GrantState::Granted => grant.generation.number == 0,
            GrantState::Live => grant.generation.number > 0,
            GrantState::Revoked => true,
        };
        (counted && grant.v == GRANT_VERSION && !grant.resources.is_empty() && grant.scopes.len() <= 64)
            .then_some(grant)
    }

    /// The record's bytes; `None` when they would exceed [`GRANT_BYTES`].
    pub fn encode(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok().filter(|bytes| bytes.len() <= GRANT_BYTES)
    }

    /// The bytes of a new record, with room left for all that may become of it; `None` when it is too large for that.
    pub(crate) fn encode_new(&self) -> Option<Vec<u8>> {
        self.encode().filter(|bytes| bytes.len() + GROWTH_BYTES <= GRANT_BYTES)
    }

    /// Whether this is a personal access token and not a client's grant.
    pub fn is_personal(&self) -> bool {
        self.client_id.is_empty()
    }
}

fn is_false(value: &bool) -> bool {
    !*value
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

fn is_zero_32(value: &u32) -> bool {
    *value == 0
}

/// Fixed-size bytes as base64url.
mod bytes {
    use super::{Deserializer, Serializer, crypto};
    use core::fmt;
    use serde::de::{Error, Visitor};

    pub(super) fn serialize<S: Serializer, const N: usize>(bytes: &[u8; N], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&crypto::base64url(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<[u8; N], D::Error> {
        from.deserialize_str(Bytes)
    }

    struct Bytes<const N: usize>;

    impl<const N: usize> Visitor<'_> for Bytes<N> {
        type Value = [u8; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{N} bytes as base64url")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<[u8; N], E> {
            crypto::array_from_base64url(text).ok_or_else(|| E::custom("not the right number of bytes"))
        }
    }
}
