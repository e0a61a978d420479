//! The public keys of a client that authenticates by assertion: inline, or fetched and cached.

use super::document;
use super::document::{address_rule, fresh_seconds};
use super::{Authentication, Client, Origin};
use crate::authorization_server::rule::{Pause, Scene};
use crate::authorization_server::server::Server;
use crate::crypto;
use crate::exchange::Facts;
use crate::http::{Admission, FetchRequest, Fetched};
use crate::jose::{Algorithm, Jwk, JwkSet};
use crate::refusal;
use crate::store::{Key, Labels, RECORD_BYTES, Write};
use crate::uri::Uri;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Value, json};

/// The largest key set, in bytes.
const KEYS_BYTES: usize = 32 * 1024;
const FETCH_TIMEOUT_MS: u64 = 10_000;
/// How often an unknown `kid` may make us fetch a key set again, per set and minute.
pub(super) const REFETCHES_PER_MINUTE: u32 = 2;

fn cache_key(server: &Server, uri: &str) -> Key {
    server.key("jwks", &crypto::base64url(&crypto::sha256(&[uri.as_bytes()])))
}

/// The client's key for an assertion's header. An unknown `kid` makes us look again, within a budget.
pub(crate) fn find(
    scene: &Scene,
    facts: &mut Facts,
    client: &Client,
    kid: Option<&str>,
    algorithm: Algorithm,
) -> Result<Jwk, Pause> {
    let unknown = || Pause::because(&refusal::ASSERTION_KEY, client.id.clone());
    match &client.authentication {
        Authentication::InlineKeys(set) => {
            if let Ok(key) = set.find(kid, algorithm) {
                return Ok(key.clone());
            }
            // The keys are part of the document: a client that rotates them publishes it anew.
            let Origin::Document { .. } = client.origin else { return Err(unknown()) };
            let Authentication::InlineKeys(set) = document::reload(scene, facts, &client.id)?.authentication else {
                return Err(unknown());
            };
            set.find(kid, algorithm).cloned().map_err(|_| unknown())
        }
        Authentication::KeysAt(uri) => fetched(scene, facts, uri, kid, algorithm)?.ok_or_else(unknown),
        Authentication::None | Authentication::Secret(_) => Err(Pause::from(&refusal::CLIENT_METHOD)),
    }
}

fn fetched(
    scene: &Scene,
    facts: &mut Facts,
    uri: &str,
    kid: Option<&str>,
    algorithm: Algorithm,
) -> Result<Option<Jwk>, Pause> {
    let key = cache_key(&scene.server, uri);
    let now = scene.env.now;
    let find = |set: &JwkSet| set.find(kid, algorithm).ok().cloned();
    let mut known = false;
    if facts.fetched(uri).is_none() {
        if let Some((set, fresh_until)) = cached(facts, &key, now)? {
            known = true;
            let found = find(&set);
            if found.is_some() && now < fresh_until {
                return Ok(found);
            }
        }
        Uri::endpoint(uri, scene.server.config.documents.loopback)
            .map_err(|_| Pause::from(&refusal::KEYS_UNREACHABLE))?;
    }
    let stale = |facts: &mut Facts, reason: &str| match cached(facts, &key, now)? {
        Some((set, _)) => {
            facts.tell(scene.event("client.keys.stale").with("keys", uri).with("reason", reason));
            Ok(find(&set))
        }
        None => Err(Pause::because(&refusal::KEYS_UNREACHABLE, reason)),
    };
    let response = match facts.fetched(uri) {
        None => {
            // Whoever may register names as many sets as they like; so what is not known is counted by its host.
            let host = Uri::parse(uri).ok().and_then(|uri| uri.host().map(ToString::to_string)).unwrap_or_default();
            let per_minute = scene.server.config.documents.per_minute;
            let (key, limit) = if known {
                (format!("jwks:{uri}"), REFETCHES_PER_MINUTE)
            } else {
                (format!("jwks-host:{host}"), per_minute)
            };
            let admission = Admission { key, limit, period_seconds: 60 };
            return Err(Pause::Fetch(request(&scene.server, uri, admission)));
        }
        Some(Fetched::OverBudget) => return stale(facts, "too many fetches"),
        Some(Fetched::Failed(reason)) => {
            let reason = reason.clone();
            return stale(facts, &reason);
        }
        Some(Fetched::Response(response)) => response.clone(),
    };
    if matches!(response.status, 403 | 429 | 500..=599) {
        return stale(facts, &format!("status {}", response.status));
    }
    if response.status != 200 {
        document::forget_if_gone(scene, facts, key, response.status)?;
        return Err(Pause::because(&refusal::KEYS_UNREACHABLE, format!("status {}", response.status)));
    }
    let set =
        JwkSet::parse(&response.body).map_err(|fault| Pause::because(&refusal::KEYS_UNREACHABLE, fault.to_string()))?;
    if !facts.settled(&key) {
        let fresh = now.saturating_add(fresh_seconds(&scene.server, &response));
        let text = String::from_utf8(response.body).map_err(|_| Pause::from(&refusal::KEYS_UNREACHABLE))?;
        let value = json!({ "v": 1, "keys": text, "fresh_until": fresh }).to_string().into_bytes();
        if value.len() <= RECORD_BYTES {
            let expires_at = fresh.saturating_add(scene.server.config.documents.stale_seconds);
            let previous = facts.stored(&key)?;
            return Err(Pause::Cache(Write::over(
                previous,
                key,
                value,
                expires_at,
                Labels::default(),
                &scene.env.entropy,
            )));
        }
    }
    Ok(find(&set))
}

fn cached(facts: &Facts, key: &Key, now: u64) -> Result<Option<(JwkSet, u64)>, Pause> {
    let decode = |bytes: &[u8]| {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let set = JwkSet::parse(value.get("keys")?.as_str()?.as_bytes()).ok()?;
        Some((set, value.get("fresh_until")?.as_u64()?))
    };
    Ok(facts.live(key, now)?.and_then(|record| decode(&record.value)))
}

fn request(server: &Server, uri: &str, admission: Admission) -> FetchRequest {
    FetchRequest {
        method: "GET".into(),
        url: uri.into(),
        headers: alloc::vec![("Accept".into(), "application/jwk-set+json, application/json".into())],
        body: Vec::new(),
        limit_bytes: KEYS_BYTES,
        timeout_ms: FETCH_TIMEOUT_MS,
        admission,
        addresses: address_rule(server),
    }
}
