//! Sets of JSON Web Keys (RFC 7517 §5).

use super::jwk::{Jwk, JwkFault};
use crate::crypto::Algorithm;
use crate::json::{self, JsonFault, Limits, Map, Value};
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt;

/// Largest JWK set, in bytes.
pub const SET_BYTES: usize = 64 * 1024;
/// Most keys in a set, the passed over ones included.
pub const SET_KEYS: usize = 100;

const SET_LIMITS: Limits = Limits { bytes: SET_BYTES, depth: 6, members: 4096 };

/// A set of public keys (RFC 7517 §5).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct JwkSet {
    keys: Vec<Jwk>,
    passed_over: Vec<JwkFault>,
}

/// Why a set has no key for a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LookupFault {
    /// None fits: the set may be old, or the token foreign.
    NotFound,
    /// More than one fits, and there is no order among them.
    Ambiguous,
}

impl fmt::Display for LookupFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no key fits",
            Self::Ambiguous => "more than one key fits",
        })
    }
}

impl core::error::Error for LookupFault {}

impl JwkSet {
    /// Makes a set of the given keys.
    pub fn new(keys: Vec<Jwk>) -> Self {
        Self { keys, passed_over: Vec::new() }
    }

    /// Reads a set, at most [`SET_BYTES`] long. A key that this crate cannot use is passed over, as RFC 7517 §5
    /// advises; see [`JwkSet::passed_over`].
    ///
    /// # Errors
    /// [`JwkFault::Json`], [`JwkFault::TooManyKeys`], and [`JwkFault::Private`]: one private or symmetric key condemns
    /// the set, for whoever published that has lost the others too.
    pub fn parse(bytes: &[u8]) -> Result<Self, JwkFault> {
        Self::read(&json::parse_object(bytes, SET_LIMITS)?)
    }

    /// Reads a set from a JSON object, as [`JwkSet::parse`] does.
    ///
    /// # Errors
    /// Those of [`JwkSet::parse`].
    pub fn read(map: &Map) -> Result<Self, JwkFault> {
        let entries = json::required("keys", json::array(map, "keys")?)?;
        if entries.len() > SET_KEYS {
            return Err(JwkFault::TooManyKeys);
        }
        let mut set = Self::default();
        for entry in entries {
            let entry = entry.as_object().ok_or(JsonFault::WrongType("keys"))?;
            match Jwk::read(entry) {
                Ok(key) => set.keys.push(key),
                Err(JwkFault::Private) => return Err(JwkFault::Private),
                Err(fault) => set.passed_over.push(fault),
            }
        }
        Ok(set)
    }

    /// The usable keys, in the order of the document.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// Why entries were left out: a registration may refuse a set for what a refresh of it must tolerate.
    pub fn passed_over(&self) -> &[JwkFault] {
        &self.passed_over
    }

    /// The one key for a token: of this algorithm, and of this `kid` if the token names one.
    ///
    /// # Errors
    /// [`LookupFault::NotFound`], or [`LookupFault::Ambiguous`] when more than one fits.
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&Jwk, LookupFault> {
        let fits = |key: &&Jwk| key.algorithm() == algorithm && (kid.is_none() || key.kid() == kid);
        let mut fitting = self.keys.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err(LookupFault::NotFound),
            (Some(_), Some(_)) => Err(LookupFault::Ambiguous),
        }
    }

    /// The set as a JSON object.
    pub fn to_map(&self) -> Map {
        let keys = self.keys.iter().map(|key| Value::Object(key.to_map())).collect();
        Map::from_iter([("keys".to_string(), Value::Array(keys))])
    }
}

#[cfg(test)]
mod tests {
    use super::super::jwk::PrivateJwk;
    use super::*;
    use alloc::format;
    use alloc::vec;

    fn public(seed: u8, kid: &str) -> Map {
        let mut map = PrivateJwk::generate(Algorithm::Es256, &[seed; 32]).unwrap().public().to_map();
        map.insert("kid".into(), kid.into());
        map
    }

    fn set(keys: Vec<Map>) -> Vec<u8> {
        let keys = Value::Array(keys.into_iter().map(Value::Object).collect());
        format!(r#"{{"keys":{keys}}}"#).into_bytes()
    }

    #[test]
    fn one_private_or_symmetric_key_condemns_a_set() {
        for (name, value) in [("d", "AA"), ("k", "AA"), ("kty", "oct"), ("dp", "")] {
            let mut bad = public(2, "b");
            bad.insert(name.into(), value.into());
            assert_eq!(JwkSet::parse(&set(vec![public(1, "a"), bad])), Err(JwkFault::Private));
        }
    }

    #[test]
    fn a_set_passes_over_what_it_cannot_use() {
        let mut foreign = public(2, "b");
        foreign.insert("kty".into(), "AKP".into());
        let mut encryption = public(3, "c");
        encryption.insert("use".into(), "enc".into());
        let read = JwkSet::parse(&set(vec![foreign, public(1, "a"), encryption])).unwrap();
        assert_eq!(read.keys().len(), 1);
        assert_eq!(read.passed_over(), [JwkFault::Unsupported, JwkFault::NotForSignatures]);
        assert_eq!(JwkSet::read(&read.to_map()), Ok(JwkSet::new(read.keys().to_vec())));
    }

    #[test]
    fn a_key_is_found_by_name_and_algorithm_or_not_at_all() {
        let read = JwkSet::parse(&set(vec![public(1, "a"), public(2, "b"), public(3, "b")])).unwrap();
        assert_eq!(read.find(Some("a"), Algorithm::Es256), Ok(&read.keys()[0]));
        assert_eq!(read.find(Some("a"), Algorithm::EdDsa), Err(LookupFault::NotFound));
        assert_eq!(read.find(Some("A"), Algorithm::Es256), Err(LookupFault::NotFound));
        assert_eq!(read.find(Some("b"), Algorithm::Es256), Err(LookupFault::Ambiguous));
        assert_eq!(read.find(None, Algorithm::Es256), Err(LookupFault::Ambiguous));
        let single = JwkSet::parse(&set(vec![public(1, "a")])).unwrap();
        assert_eq!(single.find(None, Algorithm::Es256), Ok(&single.keys()[0]));
        assert_eq!(JwkSet::default().find(None, Algorithm::Es256), Err(LookupFault::NotFound));
    }

    #[test]
    fn a_set_has_limits() {
        let many = |count: usize| JwkSet::parse(&set(vec![public(1, "a"); count]));
        assert!(many(SET_KEYS).is_ok());
        assert_eq!(many(SET_KEYS + 1), Err(JwkFault::TooManyKeys));
        let mut long = set(vec![]);
        long.resize(SET_BYTES + 1, b' ');
        assert_eq!(JwkSet::parse(&long), Err(JsonFault::TooLong.into()));
        assert!(JwkSet::parse(&long[..SET_BYTES]).is_ok());
        for (text, fault) in [
            ("[]", JsonFault::NotAnObject),
            ("{}", JsonFault::Missing("keys")),
            (r#"{"keys":{}}"#, JsonFault::WrongType("keys")),
            (r#"{"keys":[1]}"#, JsonFault::WrongType("keys")),
            (r#"{"keys":[],"keys":[]}"#, JsonFault::DuplicateMember),
        ] {
            assert_eq!(JwkSet::parse(text.as_bytes()), Err(JwkFault::Json(fault)), "{text}");
        }
    }
}
