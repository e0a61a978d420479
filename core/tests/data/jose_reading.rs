//! Tokens and keys, read as the crate reads them from strangers; and the faults that our own vectors show.

use lockstep_oauth::jose::{Accept, Algorithm, Jwk, JwkSet, Unverified};
use serde_json::Value;

const ACCEPT: Accept<'_> = Accept { algorithms: &Algorithm::ALL, types: &[], untyped: true };

/// Whether `token` verifies under a key or a set of keys.
pub(crate) fn accepted(keys: &Value, token: &str) -> bool {
    let text = keys.to_string();
    let Ok(token) = Unverified::read(token, &ACCEPT) else { return false };
    if keys.get("keys").is_some() {
        let Ok(set) = JwkSet::parse(text.as_bytes()) else { return false };
        let Ok(key) = set.find(token.kid(), token.algorithm()) else { return false };
        return token.verify(key).is_ok();
    }
    Jwk::parse(text.as_bytes()).is_ok_and(|key| token.verify(&key).is_ok())
}

/// The classes of faults, made by `jose_faults.py` beside this file.
pub(crate) fn faults() -> Vec<Value> {
    serde_json::from_str(include_str!("jose_faults.json")).unwrap()
}

/// The texts of a member that is a list.
pub(crate) fn texts<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    value[name].as_array().unwrap().iter().map(|text| text.as_str().unwrap())
}
