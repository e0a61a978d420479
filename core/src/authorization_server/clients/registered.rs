//! Clients that registered themselves (RFC 7591).

use super::{Authentication, Client, Origin, Redirects};
use crate::authorization_server::rule::{Pause, Scene};
use crate::crypto;
use crate::exchange::Facts;
use crate::jose::JwkSet;
use crate::refusal;
use crate::token::RecordId;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Our own identifiers never look like a URL, so they cannot be mistaken for a client document.
const PREFIX: &str = "client-";

/// A registration as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(lockstep_model, derive(Hash))]
pub(crate) struct Registration {
    pub(crate) v: u8,
    /// The metadata as registered and echoed.
    pub(crate) metadata: Map<String, Value>,
    /// SHA-256 of the secret, base64url; absent for clients without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret_hash: Option<String>,
    /// SHA-256 of the management token, base64url.
    pub(crate) management_hash: String,
    pub(crate) issued_at: u64,
    /// When the registration ends unless a grant extends it.
    pub(crate) expires_at: u64,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) deleted: bool,
    /// Names the exchange that wrote it.
    #[serde(default)]
    pub(crate) stamp: String,
}

/// What authorizing and the token endpoint want to know of it. The other members are skipped, not read.
#[derive(Deserialize)]
struct Seen {
    v: u8,
    metadata: SeenMetadata,
    #[serde(default)]
    secret_hash: Option<String>,
    #[serde(default)]
    deleted: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SeenMetadata {
    client_name: String,
    redirect_uris: Vec<String>,
    grant_types: Vec<String>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
}

/// The members that every bearer check and every approval want. The metadata is skipped, not read: a check is a matter of
/// microseconds.
#[derive(Deserialize)]
pub(crate) struct Life {
    v: u8,
    pub(crate) expires_at: u64,
    #[serde(default)]
    pub(crate) deleted: bool,
}

impl Life {
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|life| life.v == 1)
    }
}

impl Registration {
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|registration| registration.v == 1)
    }

    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok().filter(|bytes| bytes.len() <= crate::store::RECORD_BYTES)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.metadata.get(name).and_then(Value::as_str)
    }
}

/// The identifier of a registration's record.
pub(crate) fn client_id(record: &RecordId) -> String {
    format!("{PREFIX}{}", crypto::base64url(record))
}

/// The record that one of our own identifiers names.
pub(crate) fn record_id(id: &str) -> Option<RecordId> {
    crypto::from_base64url(id.strip_prefix(PREFIX)?)?.try_into().ok()
}

pub(crate) fn load(scene: &Scene, facts: &Facts, id: &str, record: &RecordId) -> Result<Client, Pause> {
    let key = scene.server.client_key(record);
    let stored = facts.live(&key, scene.env.now)?;
    let seen = stored.and_then(|record| serde_json::from_slice::<Seen>(&record.value).ok());
    let seen = seen.filter(|seen| seen.v == 1 && !seen.deleted);
    let seen = seen.ok_or_else(|| Pause::because(&refusal::CLIENT_UNKNOWN, id))?;
    client(id, record, seen).ok_or(Pause::Unavailable("a stored registration cannot be read"))
}

fn client(id: &str, record: &RecordId, seen: Seen) -> Option<Client> {
    let SeenMetadata { client_name, redirect_uris, grant_types: grants, jwks, jwks_uri } = seen.metadata;
    let authentication = match (seen.secret_hash, jwks, jwks_uri) {
        (Some(hash), _, _) => Authentication::Secret(crypto::from_base64url(&hash)?.try_into().ok()?),
        (None, Some(set), _) => {
            Authentication::InlineKeys(JwkSet::parse(serde_json::to_vec(&set).ok()?.as_slice()).ok()?)
        }
        (None, None, Some(uri)) => Authentication::KeysAt(uri),
        (None, None, None) => Authentication::None,
    };
    Some(Client {
        id: id.into(),
        name: client_name,
        redirects: Redirects::Stored(redirect_uris),
        authentication,
        code: grants.iter().any(|name| name == "authorization_code"),
        refresh: grants.iter().any(|name| name == "refresh_token"),
        // The registered scope is a hint and no ceiling: clients register with the scopes of their first challenge, and
        // would never get through a step-up.
        scopes: None,
        origin: Origin::Registered(*record),
        older_audiences: false,
        introspects: false,
    })
}

/// Whether the registration behind a token was deleted, or has expired. Other clients are never gone in this way.
pub(crate) fn is_gone(scene: &Scene, facts: &Facts, id: Option<&RecordId>) -> Result<bool, Pause> {
    let Some(id) = id else { return Ok(false) };
    let record = facts.live(&scene.server.client_key(id), scene.env.now)?;
    let life = record.and_then(|record| Life::decode(&record.value));
    Ok(life.is_none_or(|life| life.deleted))
}
