//! The server's keys: a ring in which a key verifies everywhere before it signs anywhere.

use crate::crypto::{self, MacKey, SealingKey};
use crate::exchange::Misuse;
use crate::jose::{Algorithm, PrivateJwk};
use crate::secret::Secret;
use crate::store::NEVER;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Value, json};

/// Names a server key inside tokens and records.
pub type KeyId = [u8; 4];
/// The most keys a ring may hold.
pub const RING_KEYS: usize = 32;

/// One server key, with what is derived from it.
#[derive(Clone, Debug)]
#[cfg_attr(lockstep_model, derive(PartialEq, Eq, Hash))]
pub struct ServerKey {
    pub(crate) id: KeyId,
    pub(crate) signs_from: u64,
    pub(crate) verifies_until: u64,
    /// Seals tokens.
    pub(crate) tokens: SealingKey,
    /// Proves tokens together with a grant's salt.
    pub(crate) proof: MacKey,
    /// Seals tickets, consent forms and sessions.
    pub(crate) seals: SealingKey,
}

/// The keys that sign and verify, in the order of the configuration.
#[derive(Clone, Debug)]
#[cfg_attr(lockstep_model, derive(PartialEq, Eq, Hash))]
pub struct KeyRing {
    keys: Vec<ServerKey>,
    pub(crate) jwt: Vec<JwtKey>,
}

/// A key that signs JWT access tokens.
#[derive(Clone, Debug)]
#[cfg_attr(lockstep_model, derive(PartialEq, Eq, Hash))]
pub struct JwtKey {
    pub(crate) jwk: PrivateJwk,
    pub(crate) signs_from: u64,
    pub(crate) verifies_until: u64,
}

impl KeyRing {
    /// Reads the text that [`KeyRing::generate`] and [`KeyRing::rotate`] write.
    ///
    /// # Errors
    /// `Misuse` at `field` when the text is not a key ring.
    pub fn parse(text: &str, field: &str) -> Result<Self, Misuse> {
        let ring = RingText::parse(text, field)?;
        let keys = ring.keys.iter().map(RingEntry::server_key).collect();
        let jwt = ring
            .jwt
            .into_iter()
            .map(|(jwk, signs_from, verifies_until)| JwtKey { jwk, signs_from, verifies_until })
            .collect();
        Ok(Self { keys, jwt })
    }

    /// Makes the text of a new ring with one server key and one ES256 key, both signing from now on.
    pub fn generate(now: u64, seed: &[u8; 32]) -> String {
        Self::generate_for(now, seed, Algorithm::Es256)
    }

    /// The same with a JWT key of another algorithm: ES256 or EdDSA. Keys of others are not made here, so a ring for one
    /// of them has no JWT key.
    pub fn generate_for(now: u64, seed: &[u8; 32], algorithm: Algorithm) -> String {
        let mut ring = RingText { keys: Vec::new(), jwt: Vec::new() };
        ring.add(seed, now, algorithm);
        debug_assert!(now < NEVER, "time is far from its end");
        ring.write()
    }

    /// Makes the text of the ring with one more key of each sort.
    ///
    /// The new JWT key is of the algorithm of the newest one. The new keys verify at once and sign `lead_seconds` from now, which must be longer than it takes to give the
    /// new text to every host. The old ones verify for `keep_seconds` after that, which must be at least as long as
    /// the longest grant; keys whose time is over are dropped.
    ///
    /// # Errors
    /// `Misuse` when `text` is not a key ring, or would hold more than [`RING_KEYS`] keys, and when `seed` made one of its
    /// keys already.
    pub fn rotate(
        text: &str,
        now: u64,
        seed: &[u8; 32],
        lead_seconds: u64,
        keep_seconds: u64,
    ) -> Result<String, Misuse> {
        let mut ring = RingText::parse(text, "keys")?;
        let signs_from = now.saturating_add(lead_seconds);
        let until = signs_from.saturating_add(keep_seconds).min(NEVER);
        ring.keys.iter_mut().for_each(|key| key.verifies_until = key.verifies_until.min(until));
        ring.jwt.iter_mut().for_each(|key| key.2 = key.2.min(until));
        ring.keys.retain(|key| key.verifies_until > now);
        ring.jwt.retain(|key| key.2 > now);
        if ring.keys.len() >= RING_KEYS || ring.jwt.len() >= RING_KEYS {
            return Err(Misuse::new("keys", "the ring is full; wait until an old key has expired"));
        }
        let newest = ring.jwt.iter().max_by_key(|key| key.1);
        let algorithm = newest.map_or(Algorithm::Es256, |key| key.0.algorithm());
        ring.add(seed, signs_from, algorithm);
        if ring.repeats_a_key() {
            return Err(Misuse::new("seed", "it made a key of this ring before; a rotation needs fresh bytes"));
        }
        Ok(ring.write())
    }

    /// The key of that id, to derive what was derived before.
    pub(crate) fn key(&self, id: &KeyId) -> Option<&ServerKey> {
        self.keys.iter().find(|key| key.id == *id)
    }

    /// The key of that id, as long as it verifies.
    pub(crate) fn verifying(&self, id: &KeyId, now: u64) -> Option<&ServerKey> {
        self.key(id).filter(|key| now < key.verifies_until)
    }

    /// The key that signs at `now`: the one that began to sign last.
    pub(crate) fn signing(&self, now: u64) -> Option<&ServerKey> {
        let signs = |key: &&ServerKey| key.signs_from <= now && now < key.verifies_until;
        self.keys.iter().filter(signs).max_by_key(|key| key.signs_from)
    }

    /// The key that signs JWTs at `now`.
    pub(crate) fn signing_jwt(&self, now: u64) -> Option<&JwtKey> {
        let signs = |key: &&JwtKey| key.signs_from <= now && now < key.verifies_until;
        self.jwt.iter().filter(signs).max_by_key(|key| key.signs_from)
    }

    /// Seals a short-lived text of ours for a purpose at one issuer: base64url(key id ‖ sealed).
    pub(crate) fn seal(&self, now: u64, issuer_hash: &[u8; 8], purpose: &str, plaintext: &[u8]) -> Option<String> {
        let key = self.signing(now)?;
        let mut named = key.id.to_vec();
        named.extend_from_slice(&key.seals.seal(&[issuer_hash, purpose.as_bytes()].concat(), plaintext));
        Some(crypto::base64url(&named))
    }

    /// Opens what [`KeyRing::seal`] made for the same purpose at the same issuer: issuers may share their keys.
    pub(crate) fn unseal(&self, now: u64, issuer_hash: &[u8; 8], purpose: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = crypto::from_base64url(sealed)?;
        let (id, sealed) = bytes.split_first_chunk::<4>()?;
        self.verifying(id, now)?.seals.open(&[issuer_hash, purpose.as_bytes()].concat(), sealed)
    }
}

struct RingText {
    keys: Vec<RingEntry>,
    jwt: Vec<(PrivateJwk, u64, u64)>,
}

struct RingEntry {
    secret: Secret,
    signs_from: u64,
    verifies_until: u64,
}

impl RingEntry {
    fn id(&self) -> KeyId {
        let hash = crypto::hmac_sha256(self.secret.expose(), &[b"key id"]);
        hash.first_chunk::<4>().copied().unwrap_or_default()
    }

    fn server_key(&self) -> ServerKey {
        ServerKey {
            id: self.id(),
            signs_from: self.signs_from,
            verifies_until: self.verifies_until,
            tokens: SealingKey::derive(&self.secret, "tokens"),
            proof: MacKey::new(&Secret::new(crypto::hmac_sha256(self.secret.expose(), &[b"proof"]).to_vec())),
            seals: SealingKey::derive(&self.secret, "seals"),
        }
    }
}

impl RingText {
    fn parse(text: &str, field: &str) -> Result<Self, Misuse> {
        const SHAPE: &str = "not a key ring; make one with `python -m lockstep_oauth keys new`";
        let wrong = |at: String, message: &str| Misuse { at, message: message.to_string() };
        let value: Value = serde_json::from_str(text.trim()).map_err(|_| Misuse::new(field, SHAPE))?;
        if value.get("v").and_then(Value::as_u64) != Some(1) {
            return Err(Misuse::new(field, SHAPE));
        }
        let times = |entry: &Value, at: &str| -> Result<(u64, u64), Misuse> {
            let read = |name: &str| entry.get(name).and_then(Value::as_u64);
            let signs_from =
                read("signs_from").ok_or_else(|| wrong(format!("{at}.signs_from"), "a time in seconds since 1970"))?;
            let verifies_until = match entry.get("verifies_until") {
                None => NEVER,
                Some(time) => time
                    .as_u64()
                    .ok_or_else(|| wrong(format!("{at}.verifies_until"), "a time in seconds since 1970"))?,
            };
            Ok((signs_from, verifies_until))
        };
        let entries = |name: &str| value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut ring = Self { keys: Vec::new(), jwt: Vec::new() };
        for (index, entry) in entries("keys").iter().enumerate() {
            let at = format!("{field}.keys[{index}]");
            let secret = entry.get("secret").and_then(Value::as_str).and_then(crypto::from_base64url);
            let secret = secret.filter(|secret| secret.len() == 32);
            let secret = secret.ok_or_else(|| wrong(format!("{at}.secret"), "32 bytes as base64url"))?;
            let (signs_from, verifies_until) = times(entry, &at)?;
            ring.keys.push(RingEntry { secret: Secret::new(secret), signs_from, verifies_until });
        }
        for (index, entry) in entries("jwt").iter().enumerate() {
            let at = format!("{field}.jwt[{index}]");
            let jwk = entry.get("jwk").and_then(Value::as_object).and_then(|jwk| PrivateJwk::read(jwk).ok());
            let jwk = jwk.ok_or_else(|| wrong(format!("{at}.jwk"), "a private JWK for ES256 or EdDSA"))?;
            let (signs_from, verifies_until) = times(entry, &at)?;
            ring.jwt.push((jwk, signs_from, verifies_until));
        }
        if ring.keys.is_empty() || ring.keys.len() > RING_KEYS || ring.jwt.len() > RING_KEYS {
            return Err(wrong(format!("{field}.keys"), "between 1 and 32 keys"));
        }
        if ring.repeats_a_key() {
            return Err(wrong(format!("{field}.keys"), "the same key appears twice"));
        }
        Ok(ring)
    }

    fn repeats_a_key(&self) -> bool {
        let mut ids: Vec<KeyId> = self.keys.iter().map(RingEntry::id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len() != self.keys.len()
    }

    fn add(&mut self, seed: &[u8; 32], signs_from: u64, algorithm: Algorithm) {
        let secret = crypto::hmac_sha256(seed, &[b"server key"]).to_vec();
        self.keys.push(RingEntry { secret: Secret::new(secret), signs_from, verifies_until: NEVER });
        // One seed in 2^32 is no private key of P-256; the ring then gets its JWT key at the next rotation.
        if let Ok(jwk) = PrivateJwk::generate(algorithm, &crypto::hmac_sha256(seed, &[b"jwt key"])) {
            self.jwt.push((jwk, signs_from, NEVER));
        }
    }

    fn write(&self) -> String {
        let keys: Vec<Value> = self
            .keys
            .iter()
            .map(|key| {
                json!({
                    "secret": crypto::base64url(key.secret.expose()),
                    "signs_from": key.signs_from, "verifies_until": key.verifies_until,
                })
            })
            .collect();
        let jwt: Vec<Value> = self.jwt.iter().map(|(jwk, signs_from, verifies_until)| json!({
            "jwk": serde_json::from_slice::<Value>(jwk.to_json().expose()).unwrap_or_default(), "signs_from": signs_from, "verifies_until": verifies_until,
        })).collect();
        json!({ "v": 1, "keys": keys, "jwt": jwt }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_verifies_before_it_signs_and_the_old_one_after() {
        let first = KeyRing::generate(1000, &[1; 32]);
        let second = KeyRing::rotate(&first, 2000, &[2; 32], 600, 10_000).unwrap();
        let ring = KeyRing::parse(&second, "keys").unwrap();
        let old = ring.signing(2599).unwrap().id;
        let new = ring.signing(2600).unwrap().id;
        assert_ne!(old, new);
        assert!(ring.key(&old).is_some() && ring.key(&new).is_some());
        assert!(ring.verifying(&old, 12_599).is_some() && ring.verifying(&old, 12_600).is_none());
        let third = KeyRing::rotate(&second, 12_601, &[3; 32], 600, 10_000).unwrap();
        assert!(KeyRing::parse(&third, "keys").unwrap().key(&old).is_none());
    }

    #[test]
    fn a_seed_that_was_used_before_is_refused() {
        let first = KeyRing::generate(1000, &[1; 32]);
        assert_eq!(KeyRing::rotate(&first, 2000, &[1; 32], 600, 10_000).unwrap_err().at, "seed");
        let second = KeyRing::rotate(&first, 2000, &[2; 32], 600, 10_000).unwrap();
        for seed in [1, 2] {
            assert_eq!(KeyRing::rotate(&second, 3000, &[seed; 32], 600, 10_000).unwrap_err().at, "seed", "{seed}");
        }
    }

    #[test]
    fn a_ring_keeps_the_algorithm_of_its_jwt_keys() {
        let first = KeyRing::generate_for(1000, &[1; 32], Algorithm::EdDsa);
        let second = KeyRing::rotate(&first, 2000, &[2; 32], 600, 10_000).unwrap();
        let ring = KeyRing::parse(&second, "keys").unwrap();
        let algorithms: Vec<Algorithm> = ring.jwt.iter().map(|key| key.jwk.algorithm()).collect();
        assert_eq!(algorithms, [Algorithm::EdDsa, Algorithm::EdDsa]);
    }

    #[test]
    fn a_ring_that_is_not_one_names_the_field() {
        for (text, at) in [
            ("", "keys"),
            ("{}", "keys"),
            (r#"{"v":1,"keys":[]}"#, "keys.keys"),
            (r#"{"v":1,"keys":[{"secret":"AA","signs_from":1}]}"#, "keys.keys[0].secret"),
        ] {
            assert_eq!(KeyRing::parse(text, "keys").unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn a_seal_opens_only_for_its_purpose_and_issuer() {
        let ring = KeyRing::parse(&KeyRing::generate(1000, &[1; 32]), "keys").unwrap();
        let sealed = ring.seal(1000, &[1; 8], "ticket", b"text").unwrap();
        assert_eq!(ring.unseal(1000, &[1; 8], "ticket", &sealed).as_deref(), Some(&b"text"[..]));
        assert_eq!(ring.unseal(1000, &[1; 8], "consent", &sealed), None);
        assert_eq!(ring.unseal(1000, &[2; 8], "ticket", &sealed), None);
        assert!(ring.seal(999, &[1; 8], "ticket", b"text").is_none());
    }
}
