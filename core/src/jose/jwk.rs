//! JSON Web Keys (RFC 7517, 7518 §6, 7638, 8037).

use crate::crypto::{self, Algorithm, KeyFault, KeyMaterial, PublicKey, SigningKey};
use crate::json::{self, JsonFault, Limits, Map, Value};
use crate::secret::Secret;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// Longest `kid`, in bytes.
pub const KID_LIMIT: usize = 256;

const KEY_LIMITS: Limits = Limits { bytes: 16 * 1024, depth: 3, members: 100 };
/// Members that only private and symmetric keys have.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why a key or a set of keys is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum JwkFault {
    /// Not JSON as it is wanted, or a member of the wrong type.
    Json(JsonFault),
    /// A private or symmetric member where a public key is wanted, or none where a private key is wanted.
    Private,
    /// A `kty`, `crv` or `alg` that this crate does not verify (or, for a private key, does not sign with).
    Unsupported,
    /// `use` or `key_ops` keep the key from signatures.
    NotForSignatures,
    /// The named member is not strict base64url, or has the wrong length.
    Encoding(&'static str),
    /// `kid` is longer than [`KID_LIMIT`].
    KidTooLong,
    /// The numbers are no key, a weak one, or not of the type that `alg` wants.
    Key(KeyFault),
    /// The public members are not those of the private one.
    Mismatch,
    /// More keys than a set may have.
    TooManyKeys,
}

impl From<JsonFault> for JwkFault {
    fn from(fault: JsonFault) -> Self {
        Self::Json(fault)
    }
}

impl From<KeyFault> for JwkFault {
    fn from(fault: KeyFault) -> Self {
        Self::Key(fault)
    }
}

impl fmt::Display for JwkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(fault) => fault.fmt(f),
            Self::Private => f.write_str("private members are not where they belong"),
            Self::Unsupported => f.write_str("the key's type or algorithm is not supported"),
            Self::NotForSignatures => f.write_str("the key is not meant for signatures"),
            Self::Encoding(name) => write!(f, "the member `{name}` is not base64url of the right length"),
            Self::KidTooLong => f.write_str("the key id is too long"),
            Self::Key(fault) => fault.fmt(f),
            Self::Mismatch => f.write_str("the public members do not belong to the private one"),
            Self::TooManyKeys => f.write_str("too many keys"),
        }
    }
}

impl core::error::Error for JwkFault {}

/// A public key that verifies signatures with exactly one algorithm.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Jwk {
    key: PublicKey,
    kid: Option<String>,
}

impl Jwk {
    /// Puts a name to a checked key.
    ///
    /// # Errors
    /// [`JwkFault::KidTooLong`].
    pub fn new(key: PublicKey, kid: Option<String>) -> Result<Self, JwkFault> {
        match kid {
            Some(kid) if kid.len() > KID_LIMIT => Err(JwkFault::KidTooLong),
            kid => Ok(Self { key, kid }),
        }
    }

    /// Reads a public key from the bytes of one JSON object.
    ///
    /// # Errors
    /// Those of [`Jwk::read`], and [`JwkFault::Json`].
    pub fn parse(bytes: &[u8]) -> Result<Self, JwkFault> {
        Self::read(&json::parse_object(bytes, KEY_LIMITS)?)
    }

    /// Reads a public key. The algorithm is the key's `alg`; without one, the key's type says ES256, EdDSA or RS256
    /// (never PS256).
    ///
    /// # Errors
    /// A [`JwkFault`]; first of all [`JwkFault::Private`] for a private or symmetric key.
    pub fn read(map: &Map) -> Result<Self, JwkFault> {
        if has_private_members(map) {
            return Err(JwkFault::Private);
        }
        read_public(map, "verify")
    }

    /// The one algorithm this key verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// The key's name in its set.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The key itself.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The base64url SHA-256 thumbprint (RFC 7638): the same for every spelling of the same key.
    pub fn thumbprint(&self) -> String {
        let mut map = required_members(self.key.material());
        // In the order of the names, even where another crate of the host switches serde_json's `preserve_order` on.
        map.sort_keys();
        crypto::base64url(&crypto::sha256(&[Value::Object(map).to_string().as_bytes()]))
    }

    /// The public key as a JSON object: the required members, `alg`, `use` and `kid`.
    pub fn to_map(&self) -> Map {
        let mut map = required_members(self.key.material());
        map.insert("alg".into(), self.algorithm().name().into());
        map.insert("use".into(), "sig".into());
        if let Some(kid) = self.kid() {
            map.insert("kid".into(), kid.into());
        }
        map
    }
}

/// A private key for ES256 or EdDSA. Its secret is wiped when dropped and never printed.
#[derive(Clone, Debug)]
#[cfg_attr(lockstep_model, derive(PartialEq, Eq, Hash))]
pub struct PrivateJwk {
    key: SigningKey,
    public: Jwk,
}

impl PrivateJwk {
    /// Derives a key from 32 bytes of entropy; its `kid` is its thumbprint. The same seed gives the same key.
    ///
    /// # Errors
    /// [`JwkFault::Unsupported`] for the RSA algorithms, which only verify.
    pub fn generate(algorithm: Algorithm, seed: &[u8; 32]) -> Result<Self, JwkFault> {
        let key = SigningKey::generate(algorithm, seed).ok_or(JwkFault::Unsupported)?;
        let unnamed = Jwk { key: key.public_key().clone(), kid: None };
        let kid = Some(unnamed.thumbprint());
        Ok(Self { key, public: Jwk { kid, ..unnamed } })
    }

    /// Reads a private key from the bytes of one JSON object.
    ///
    /// # Errors
    /// Those of [`PrivateJwk::read`], and [`JwkFault::Json`].
    pub fn parse(bytes: &[u8]) -> Result<Self, JwkFault> {
        Self::read(&json::parse_object(bytes, KEY_LIMITS)?)
    }

    /// Reads a private key: the members of the public one and `d`.
    ///
    /// # Errors
    /// A [`JwkFault`]: [`JwkFault::Private`] without `d`, [`JwkFault::Unsupported`] for RSA, [`JwkFault::Mismatch`] if
    /// `d` belongs to other coordinates.
    pub fn read(map: &Map) -> Result<Self, JwkFault> {
        let text = json::string(map, "d")?.ok_or(JwkFault::Private)?;
        let public = read_public(map, "sign")?;
        if !public.algorithm().signs() {
            return Err(JwkFault::Unsupported);
        }
        let secret = Secret::new(crypto::from_base64url(text).ok_or(JwkFault::Encoding("d"))?);
        let key = SigningKey::from_secret(public.algorithm(), secret).ok_or(JwkFault::Encoding("d"))?;
        if key.public_key() != public.public_key() {
            return Err(JwkFault::Mismatch);
        }
        Ok(Self { key, public })
    }

    /// The algorithm this key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// The public half, with the same `kid`.
    pub fn public(&self) -> &Jwk {
        &self.public
    }

    /// The key itself.
    pub fn signing_key(&self) -> &SigningKey {
        &self.key
    }

    /// The private key as the text of a JSON object, for the file or variable where the host keeps it. `Secret` wipes
    /// this copy; the JSON values in between are not wiped.
    pub fn to_json(&self) -> Secret {
        let mut map = self.public.to_map();
        map.insert("d".into(), crypto::base64url(self.key.secret().expose()).into());
        Secret::new(Value::Object(map).to_string().into_bytes())
    }
}

fn has_private_members(map: &Map) -> bool {
    PRIVATE_MEMBERS.iter().any(|name| map.contains_key(*name)) || map.get("kty").is_some_and(|kty| kty == "oct")
}

fn read_public(map: &Map, operation: &str) -> Result<Jwk, JwkFault> {
    let kty = json::required("kty", json::string(map, "kty")?)?;
    let by_type = match kty {
        "EC" => Algorithm::Es256,
        "OKP" => Algorithm::EdDsa,
        "RSA" => Algorithm::Rs256,
        _ => return Err(JwkFault::Unsupported),
    };
    if json::string(map, "use")?.is_some_and(|usage| usage != "sig")
        || json::strings(map, "key_ops")?.is_some_and(|operations| !operations.contains(&operation))
    {
        return Err(JwkFault::NotForSignatures);
    }
    let algorithm = match json::string(map, "alg")? {
        Some(name) => Algorithm::from_name(name).ok_or(JwkFault::Unsupported)?,
        None => by_type,
    };
    let kid = json::string(map, "kid")?;
    if kid.is_some_and(|kid| kid.len() > KID_LIMIT) {
        return Err(JwkFault::KidTooLong);
    }
    let curve = |name: &str| match json::required("crv", json::string(map, "crv")?)? {
        curve if curve == name => Ok(()),
        _ => Err(JwkFault::Unsupported),
    };
    let material = match by_type {
        Algorithm::Es256 => {
            curve("P-256")?;
            KeyMaterial::P256 { x: coordinate(map, "x")?, y: coordinate(map, "y")? }
        }
        Algorithm::EdDsa => {
            curve("Ed25519")?;
            KeyMaterial::Ed25519 { x: coordinate(map, "x")? }
        }
        Algorithm::Rs256 | Algorithm::Ps256 => {
            KeyMaterial::Rsa { modulus: octets(map, "n")?, exponent: octets(map, "e")? }
        }
    };
    Jwk::new(PublicKey::new(algorithm, material)?, kid.map(String::from))
}

fn octets(map: &Map, name: &'static str) -> Result<Vec<u8>, JwkFault> {
    let text = json::required(name, json::string(map, name)?)?;
    crypto::from_base64url(text).ok_or(JwkFault::Encoding(name))
}

fn coordinate(map: &Map, name: &'static str) -> Result<[u8; 32], JwkFault> {
    octets(map, name)?.try_into().map_err(|_| JwkFault::Encoding(name))
}

/// The members that make the key what it is, which the thumbprint is taken of.
fn required_members(material: &KeyMaterial) -> Map {
    let encoded = |bytes: &[u8]| crypto::base64url(bytes);
    let members = match material {
        KeyMaterial::P256 { x, y } => {
            vec![("kty", "EC".into()), ("crv", "P-256".into()), ("x", encoded(x)), ("y", encoded(y))]
        }
        KeyMaterial::Ed25519 { x } => vec![("kty", "OKP".into()), ("crv", "Ed25519".into()), ("x", encoded(x))],
        KeyMaterial::Rsa { modulus, exponent } => {
            vec![("kty", "RSA".into()), ("n", encoded(modulus)), ("e", encoded(exponent))]
        }
    };
    members.into_iter().map(|(name, value): (&str, String)| (name.to_string(), Value::String(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn map(text: &str) -> Map {
        json::parse_object(text.as_bytes(), KEY_LIMITS).unwrap()
    }

    fn public(seed: u8, kid: &str) -> Map {
        let mut map = PrivateJwk::generate(Algorithm::Es256, &[seed; 32]).unwrap().public().to_map();
        map.insert("kid".into(), kid.into());
        map
    }

    /// A good key with one member replaced.
    fn replaced(name: &str, value: impl Into<Value>) -> Result<Jwk, JwkFault> {
        let mut map = public(1, "a");
        map.insert(name.into(), value.into());
        Jwk::read(&map)
    }

    #[test]
    fn a_key_is_emitted_as_it_is_read() {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let key = PrivateJwk::generate(algorithm, &[1; 32]).unwrap();
            assert_eq!(Jwk::read(&key.public().to_map()).as_ref(), Ok(key.public()));
            let again = PrivateJwk::parse(key.to_json().expose()).unwrap();
            assert_eq!(again.public(), key.public());
            assert!(again.signing_key().secret().matches(key.signing_key().secret().expose()));
            assert_eq!(key.public().kid(), Some(&*key.public().thumbprint()));
            assert!(!key.public().to_map().contains_key("d"));
        }
        assert_eq!(PrivateJwk::generate(Algorithm::Rs256, &[1; 32]).unwrap_err(), JwkFault::Unsupported);
    }

    #[test]
    fn a_private_member_is_no_part_of_a_public_key() {
        for name in PRIVATE_MEMBERS {
            assert_eq!(replaced(name, "AA"), Err(JwkFault::Private), "{name}");
            assert_eq!(replaced(name, Value::Null), Err(JwkFault::Private), "{name}");
        }
        assert_eq!(Jwk::read(&map(r#"{"kty":"oct"}"#)), Err(JwkFault::Private));
    }

    #[test]
    fn a_key_for_something_else_is_refused() {
        let wrong = |name| Err(JwkFault::Json(JsonFault::WrongType(name)));
        assert!(replaced("alg", "ES256").is_ok());
        assert_eq!(replaced("use", "enc"), Err(JwkFault::NotForSignatures));
        assert_eq!(replaced("use", Value::Null), wrong("use"));
        assert_eq!(replaced("key_ops", vec!["encrypt"]), Err(JwkFault::NotForSignatures));
        assert_eq!(replaced("key_ops", vec!["sign"]), Err(JwkFault::NotForSignatures));
        assert!(replaced("key_ops", vec!["verify", "sign"]).is_ok());
        assert_eq!(replaced("key_ops", "verify"), wrong("key_ops"));
        for alg in ["none", "HS256", "ES384", "ES521", "RSA1_5", ""] {
            assert_eq!(replaced("alg", alg), Err(JwkFault::Unsupported), "{alg}");
        }
        for alg in ["RS256", "EdDSA"] {
            assert_eq!(replaced("alg", alg), Err(JwkFault::Key(KeyFault::WrongAlgorithm)), "{alg}");
        }
        assert_eq!(replaced("crv", "P-384"), Err(JwkFault::Unsupported));
        assert_eq!(replaced("kty", "ec"), Err(JwkFault::Unsupported));
        assert_eq!(replaced("kty", "OKP"), Err(JwkFault::Unsupported));
        assert_eq!(replaced("kty", 1), wrong("kty"));
        assert_eq!(replaced("kid", 1), wrong("kid"));
        assert!(replaced("kid", "k".repeat(KID_LIMIT)).is_ok());
        assert_eq!(replaced("kid", "k".repeat(KID_LIMIT + 1)), Err(JwkFault::KidTooLong));
        assert_eq!(Jwk::read(&map(r#"{"kty":"EC","crv":"P-256"}"#)), Err(JsonFault::Missing("x").into()));
    }

    #[test]
    fn a_coordinate_has_32_bytes_of_strict_base64url() {
        let x = crypto::base64url(&[1; 31]);
        let padded = format!("{}=", crypto::base64url(&[1; 32]));
        for value in [&*x, &padded, "", "*", &crypto::base64url(&[0; 33])] {
            assert_eq!(replaced("x", value), Err(JwkFault::Encoding("x")), "{value}");
        }
        assert_eq!(replaced("y", crypto::base64url(&[1; 32])), Err(JwkFault::Key(KeyFault::Invalid)));
    }

    #[test]
    fn a_private_key_fits_its_public_members() {
        let mut private =
            map(core::str::from_utf8(PrivateJwk::generate(Algorithm::Es256, &[1; 32]).unwrap().to_json().expose())
                .unwrap());
        let other = PrivateJwk::generate(Algorithm::Es256, &[2; 32]).unwrap();
        let refused = |map: &Map| PrivateJwk::read(map).unwrap_err();
        private.insert("d".into(), crypto::base64url(other.signing_key().secret().expose()).into());
        assert_eq!(refused(&private), JwkFault::Mismatch);
        private.insert("d".into(), crypto::base64url(&[0; 32]).into());
        assert_eq!(refused(&private), JwkFault::Encoding("d"));
        private.insert("d".into(), "AA=".into());
        assert_eq!(refused(&private), JwkFault::Encoding("d"));
        private.remove("d");
        assert_eq!(refused(&private), JwkFault::Private);
    }
}
