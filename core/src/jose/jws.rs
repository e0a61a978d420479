//! Compact JSON Web Signatures (RFC 7515 §7.1), read strictly.
//!
//! The key says which algorithm is used, the caller which algorithms and types it accepts; the token chooses nothing.
//! Keys inside a header (`jwk`, `jku`, `x5c`, `x5u`) are never looked at.

use super::claims::{self, Claims, ClaimsFault, Expect};
use super::jwk::{Jwk, KID_LIMIT, PrivateJwk};
use crate::crypto::{self, Algorithm};
use crate::json::{self, JsonFault, Limits, Map, Value};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// Longest token, in bytes.
pub const TOKEN_BYTES: usize = 16 * 1024;

const HEADER_LIMITS: Limits = Limits { bytes: 8 * 1024, depth: 4, members: 64 };
const PAYLOAD_LIMITS: Limits = Limits { bytes: TOKEN_BYTES, depth: 16, members: 1024 };

/// What a caller accepts in a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Accept<'a> {
    /// The algorithms that are allowed here.
    pub algorithms: &'a [Algorithm],
    /// The values of `typ` that are allowed here, without `application/`; the case of letters does not matter.
    pub types: &'a [&'a str],
    /// Whether a header without `typ` is allowed.
    pub untyped: bool,
}

/// Why a token is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum JwsFault {
    /// Longer than [`TOKEN_BYTES`].
    TooLong,
    /// Not three parts of strict base64url.
    Malformed,
    /// The header is not JSON as it is wanted, or one of its members has the wrong type.
    Header(JsonFault),
    /// `alg` is missing, unknown, not allowed here, or not the key's.
    Algorithm,
    /// `typ` is none that is allowed here.
    Type,
    /// `crit` or `b64`: extensions that this crate does not have.
    Extension,
    /// `kid` is longer than [`KID_LIMIT`].
    KidTooLong,
    /// The signature is not the key's over this header and payload.
    Signature,
}

impl fmt::Display for JwsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the token is too long",
            Self::Malformed => "the token is not a compact signature",
            Self::Header(fault) => return write!(f, "the token's header: {fault}"),
            Self::Algorithm => "the token's algorithm is not the one wanted",
            Self::Type => "the token is of another type",
            Self::Extension => "the token wants an extension",
            Self::KidTooLong => "the token's key id is too long",
            Self::Signature => "the token's signature does not hold",
        })
    }
}

impl core::error::Error for JwsFault {}

/// A well-formed token whose signature nobody has checked. It shows what is needed to find a key, and nothing of its
/// payload.
#[derive(Clone)]
pub struct Unverified<'a> {
    signing_input: &'a str,
    header: Map,
    algorithm: Algorithm,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// Reads `token` as far as that goes without a key.
    ///
    /// # Errors
    /// Every [`JwsFault`] but [`JwsFault::Signature`].
    pub fn read(token: &'a str, accept: &Accept<'_>) -> Result<Self, JwsFault> {
        if token.len() > TOKEN_BYTES {
            return Err(JwsFault::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwsFault::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsFault::Malformed)?;
        // A fourth part would leave a dot, which is no base64url.
        let decode = |part| crypto::from_base64url(part).ok_or(JwsFault::Malformed);
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);

        let header = json::parse_object(&header, HEADER_LIMITS).map_err(JwsFault::Header)?;
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(JwsFault::Extension);
        }
        let algorithm = json::string(&header, "alg")
            .map_err(JwsFault::Header)?
            .and_then(Algorithm::from_name)
            .filter(|algorithm| accept.algorithms.contains(algorithm))
            .ok_or(JwsFault::Algorithm)?;
        if !accept.allows_type(json::string(&header, "typ").map_err(JwsFault::Header)?) {
            return Err(JwsFault::Type);
        }
        if json::string(&header, "kid").map_err(JwsFault::Header)?.is_some_and(|kid| kid.len() > KID_LIMIT) {
            return Err(JwsFault::KidTooLong);
        }
        Ok(Self { signing_input, header, algorithm, payload, signature })
    }

    /// The algorithm that the header claims, one of those accepted.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that the header claims, for a lookup by equality and nothing else.
    pub fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// A text claim that nobody has vouched for, for finding the key that could.
    pub(crate) fn claimed(&self, name: &str) -> Option<String> {
        let payload = json::parse_object(&self.payload, PAYLOAD_LIMITS).ok()?;
        payload.get(name).and_then(Value::as_str).map(ToString::to_string)
    }

    /// The header, which anybody may have written.
    pub fn header(&self) -> &Map {
        &self.header
    }

    /// Checks the signature with `key`, whose algorithm the header must name.
    ///
    /// # Errors
    /// [`JwsFault::Algorithm`] and [`JwsFault::Signature`].
    pub fn verify(self, key: &Jwk) -> Result<Verified, JwsFault> {
        if self.algorithm != key.algorithm() {
            return Err(JwsFault::Algorithm);
        }
        if !key.public_key().verifies(self.signing_input.as_bytes(), &self.signature) {
            return Err(JwsFault::Signature);
        }
        Ok(Verified { header: self.header, payload: self.payload })
    }
}

impl fmt::Debug for Unverified<'_> {
    /// The header alone: the whole could be presented by whoever reads the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Accept<'_> {
    fn allows_type(&self, typ: Option<&str>) -> bool {
        const PREFIX: &str = "application/";
        let Some(typ) = typ else { return self.untyped };
        let short = match typ.split_at_checked(PREFIX.len()) {
            Some((prefix, short)) if prefix.eq_ignore_ascii_case(PREFIX) => short,
            _ => typ,
        };
        self.types.iter().any(|allowed| allowed.eq_ignore_ascii_case(short))
    }
}

/// A header and a payload that the holder of a key has signed. [`Unverified::verify`] alone makes it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(lockstep_model, derive(Hash))]
pub struct Verified {
    header: Map,
    payload: Vec<u8>,
}

impl Verified {
    /// The signed header.
    pub fn header(&self) -> &Map {
        &self.header
    }

    /// The signed bytes.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Reads the payload as the claims of a JWT and checks them.
    ///
    /// # Errors
    /// A [`ClaimsFault`], among them one for a payload that is no strict JSON object.
    pub fn claims(&self, expect: &Expect<'_>) -> Result<Claims, ClaimsFault> {
        claims::check(json::parse_object(&self.payload, PAYLOAD_LIMITS).map_err(ClaimsFault::Json)?, expect)
    }
}

/// Signs `payload` (for a JWT the text of a JSON object): a compact token with `alg`, `kid` if the key has one, and
/// `typ`.
///
/// The same key, type and payload give the same token.
pub fn sign(key: &PrivateJwk, typ: &str, payload: &[u8]) -> String {
    let mut header = Map::new();
    header.insert("alg".into(), key.algorithm().name().into());
    if let Some(kid) = key.public().kid() {
        header.insert("kid".into(), kid.into());
    }
    header.insert("typ".into(), typ.into());
    let mut token = crypto::base64url(Value::Object(header).to_string().as_bytes());
    token.push('.');
    token.push_str(&crypto::base64url(payload));
    let signature = key.signing_key().sign(token.as_bytes());
    token.push('.');
    token.push_str(&crypto::base64url(&signature));
    token
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const ACCEPT: Accept<'_> = Accept { algorithms: &Algorithm::ALL, types: &["at+jwt"], untyped: false };

    fn key() -> PrivateJwk {
        PrivateJwk::generate(Algorithm::Es256, &[3; 32]).unwrap()
    }

    /// A token with this header, signed by `key()`.
    fn token(header: &str) -> String {
        let input = format!("{}.{}", crypto::base64url(header.as_bytes()), crypto::base64url(b"{}"));
        let signature = crypto::base64url(&key().signing_key().sign(input.as_bytes()));
        format!("{input}.{signature}")
    }

    fn outcome(token: &str, accept: &Accept<'_>) -> Result<(), JwsFault> {
        Unverified::read(token, accept)?.verify(key().public()).map(|_| ())
    }

    fn header(text: &str) -> Result<(), JwsFault> {
        outcome(&token(text), &ACCEPT)
    }

    #[test]
    fn what_is_signed_is_read_back() {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let key = PrivateJwk::generate(algorithm, &[4; 32]).unwrap();
            let token = sign(&key, "at+jwt", b"{\"sub\":\"a\"}");
            assert_eq!(token, sign(&key, "at+jwt", b"{\"sub\":\"a\"}"));
            let unverified = Unverified::read(&token, &ACCEPT).unwrap();
            assert_eq!((unverified.algorithm(), unverified.kid()), (algorithm, key.public().kid()));
            assert_eq!(unverified.header().get("typ"), Some(&Value::from("at+jwt")));
            let verified = unverified.verify(key.public()).unwrap();
            assert_eq!(verified.payload(), b"{\"sub\":\"a\"}");
            assert_eq!(verified.header().len(), 3);
        }
    }

    #[test]
    fn only_named_algorithms_are_read() {
        for alg in ["none", "None", "nOnE", "", "HS256", "es256", "ES384"] {
            assert_eq!(header(&format!(r#"{{"alg":"{alg}","typ":"at+jwt"}}"#)), Err(JwsFault::Algorithm), "{alg}");
        }
        assert_eq!(header(r#"{"typ":"at+jwt"}"#), Err(JwsFault::Algorithm));
        for alg in ["1", "null", "[\"ES256\"]"] {
            let fault = Err(JwsFault::Header(JsonFault::WrongType("alg")));
            assert_eq!(header(&format!(r#"{{"alg":{alg},"typ":"at+jwt"}}"#)), fault);
        }
    }

    #[test]
    fn the_key_dictates_the_algorithm_and_the_caller_the_choice() {
        for alg in ["EdDSA", "RS256", "PS256"] {
            assert_eq!(header(&format!(r#"{{"alg":"{alg}","typ":"at+jwt"}}"#)), Err(JwsFault::Algorithm), "{alg}");
        }
        let signed = token(r#"{"alg":"ES256","typ":"at+jwt"}"#);
        assert_eq!(outcome(&signed, &ACCEPT), Ok(()));
        assert_eq!(outcome(&signed, &Accept { algorithms: &[Algorithm::EdDsa], ..ACCEPT }), Err(JwsFault::Algorithm));
    }

    #[test]
    fn a_header_twice_or_extended_is_refused() {
        let twice = Err(JwsFault::Header(JsonFault::DuplicateMember));
        assert_eq!(header(r#"{"alg":"none","alg":"ES256","typ":"at+jwt"}"#), twice);
        assert_eq!(header(r#"{"alg":"ES256","alg":"none","typ":"at+jwt"}"#), twice);
        for member in [r#""crit":[]"#, r#""crit":["exp"]"#, r#""crit":null"#, r#""b64":false"#, r#""b64":true"#] {
            assert_eq!(header(&format!(r#"{{"alg":"ES256","typ":"at+jwt",{member}}}"#)), Err(JwsFault::Extension));
        }
    }

    #[test]
    fn a_key_in_the_header_changes_nothing() {
        let other = PrivateJwk::generate(Algorithm::Es256, &[5; 32]).unwrap();
        let jwk = Value::Object(other.public().to_map());
        let members =
            format!(r#""jwk":{jwk},"jku":"https://evil.example/","x5u":"https://evil.example/","x5c":["AA=="]"#);
        let text = format!(r#"{{"alg":"ES256","typ":"at+jwt",{members}}}"#);
        assert_eq!(header(&text), Ok(()));
        let input = format!("{}.{}", crypto::base64url(text.as_bytes()), crypto::base64url(b"{}"));
        let forged = format!("{input}.{}", crypto::base64url(&other.signing_key().sign(input.as_bytes())));
        assert_eq!(outcome(&forged, &ACCEPT), Err(JwsFault::Signature));
    }

    #[test]
    fn a_type_is_compared_without_case_and_prefix() {
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            assert_eq!(header(&format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#)), Ok(()), "{typ}");
        }
        for typ in ["JWT", "", "at+jwt ", "application/", "application/application/at+jwt", "text/at+jwt", "dpop+jwt"] {
            assert_eq!(header(&format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#)), Err(JwsFault::Type), "{typ}");
        }
        assert_eq!(header(r#"{"alg":"ES256"}"#), Err(JwsFault::Type));
        assert_eq!(outcome(&token(r#"{"alg":"ES256"}"#), &Accept { untyped: true, ..ACCEPT }), Ok(()));
        assert_eq!(header(r#"{"alg":"ES256","typ":1}"#), Err(JwsFault::Header(JsonFault::WrongType("typ"))));
    }

    #[test]
    fn a_key_id_is_a_short_string() {
        let with = |kid: &str| header(&format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":{kid}}}"#));
        assert_eq!(with("\"../../etc/passwd\""), Ok(()));
        assert_eq!(with(&format!("\"{}\"", "k".repeat(256))), Ok(()));
        assert_eq!(with(&format!("\"{}\"", "k".repeat(257))), Err(JwsFault::KidTooLong));
        for kid in ["1", "null", "[]"] {
            assert_eq!(with(kid), Err(JwsFault::Header(JsonFault::WrongType("kid"))));
        }
    }

    #[test]
    fn a_token_has_three_strict_parts() {
        let good = sign(&key(), "at+jwt", b"{}");
        let parts: Vec<&str> = good.split('.').collect();
        let [head, body, signature] = parts[..] else { panic!("three parts") };
        for broken in [
            String::new(),
            "..".into(),
            head.into(),
            format!("{head}.{body}"),
            format!("{head}.{body}.{signature}."),
            format!("{head}.{body}.{signature}.{signature}"),
            format!(".{head}.{body}.{signature}"),
            format!("{head}.{body}=.{signature}"),
            format!("{head}.{body}.{signature}=="),
            format!("{head}.{body}.{signature}\n"),
            format!(" {head}.{body}.{signature}"),
            format!("{head}.{body}.{}", signature.replace(['-', '_'], "+")) + "+",
            format!("{{\"payload\":\"{body}\"}}"),
        ] {
            let fault = outcome(&broken, &ACCEPT).unwrap_err();
            assert!(
                matches!(fault, JwsFault::Malformed | JwsFault::Header(JsonFault::Malformed)),
                "{broken} {fault:?}"
            );
        }
        assert_eq!(outcome(&format!("{head}.{body}."), &ACCEPT), Err(JwsFault::Signature));
        assert_eq!(outcome(&format!("{head}..{signature}"), &ACCEPT), Err(JwsFault::Signature));
        let other = sign(&key(), "at+jwt", b"{\"a\":1}");
        let other: Vec<&str> = other.split('.').collect();
        assert_eq!(outcome(&format!("{head}.{}.{signature}", other[1]), &ACCEPT), Err(JwsFault::Signature));
    }

    #[test]
    fn a_long_token_is_refused_unread() {
        let accept = Accept { types: &["x"], ..ACCEPT };
        let payload = |bytes: usize| sign(&key(), "x", "a".repeat(bytes).as_bytes());
        let overhead = payload(0).len();
        let most = (TOKEN_BYTES - overhead) / 4 * 3;
        assert_eq!(outcome(&payload(most), &accept), Ok(()));
        assert_eq!(outcome(&payload(most + 3), &accept), Err(JwsFault::TooLong));
    }
}
