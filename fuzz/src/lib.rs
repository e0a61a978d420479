//! The one property that needs another implementation of JOSE. It lives here, outside of the workspace, so that the other
//! reader and its primitives come into no lock file but the fuzzer's own.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{self, KeyPair as _};
use jsonwebtoken::jwk::{Jwk as TheirJwk, ThumbprintHash};
use jsonwebtoken::{DecodingKey, Validation, decode};
use lockstep_oauth::crypto::{base64url, from_base64url};
use lockstep_oauth::jose::{Accept, Algorithm, Jwk, JwsFault, PrivateJwk, Unverified};
use lockstep_oauth::json::{JsonFault, Limits, parse_object};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

const ACCEPT: Accept<'_> = Accept { algorithms: &Algorithm::ALL, types: &["JWT", "at+jwt"], untyped: true };
const HEADER: Limits = Limits { bytes: 8 * 1024, depth: 4, members: 64 };
const PAYLOAD: Limits = Limits { bytes: 16 * 1024, depth: 16, members: 1024 };

/// Members of a header that the other reader gives a type and ours does not look at.
const TYPED_ELSEWHERE: [&str; 12] =
    ["cty", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "crit", "enc", "zip", "url", "nonce"];

struct Signer {
    ours: Jwk,
    theirs: jsonwebtoken::Algorithm,
    key: Secret,
}

enum Secret {
    Ours(PrivateJwk),
    Rsa(Box<KeyPair>, &'static dyn signature::RsaEncoding),
}

static SIGNERS: LazyLock<[Signer; 4]> = LazyLock::new(|| {
    let ours = |algorithm, theirs| {
        let key = PrivateJwk::generate(algorithm, &[9; 32]).expect("a key of these bytes");
        Signer { ours: key.public().clone(), theirs, key: Secret::Ours(key) }
    };
    let rsa = |name: &str, theirs, padding| {
        let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        assert!(!key.as_der().expect("a key that can be written").as_ref().is_empty());
        let (n, e) = (key.public_key().modulus(), key.public_key().exponent());
        let (n, e) = (base64url(n.big_endian_without_leading_zero()), base64url(e.big_endian_without_leading_zero()));
        let jwk = json!({"kty": "RSA", "n": n, "e": e, "alg": name}).to_string();
        let ours = Jwk::parse(jwk.as_bytes()).expect("a sound key");
        Signer { ours, theirs, key: Secret::Rsa(Box::new(key), padding) }
    };
    [
        ours(Algorithm::Es256, jsonwebtoken::Algorithm::ES256),
        ours(Algorithm::EdDsa, jsonwebtoken::Algorithm::EdDSA),
        rsa("RS256", jsonwebtoken::Algorithm::RS256, &signature::RSA_PKCS1_SHA256),
        rsa("PS256", jsonwebtoken::Algorithm::PS256, &signature::RSA_PSS_SHA256),
    ]
});

impl Signer {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Secret::Ours(key) => key.signing_key().sign(message).to_vec(),
            Secret::Rsa(key, padding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*padding, &SystemRandom::new(), message, &mut signature).expect("a signature");
                signature
            }
        }
    }
}

/// The first byte chooses an algorithm, the second what the others are: a token (0), a header and a payload to be signed
/// (1), the same with changes of three bytes each behind a second line feed (2), a public key (3).
///
/// Whatever we accept, `jsonwebtoken` over aws-lc accepts and reads alike. Whatever it accepts and we refuse, we refuse for a
/// reason that we name.
pub fn jose_oracle(data: &[u8]) {
    let [algorithm, mode, rest @ ..] = data else { return };
    let signer = &SIGNERS[usize::from(*algorithm) % 4];
    let mut parts = rest.splitn(3, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let signed = |header: &[u8], payload: &[u8]| {
        let input = format!("{}.{}", base64url(header), base64url(payload));
        format!("{input}.{}", base64url(&signer.sign(input.as_bytes())))
    };
    match mode % 4 {
        0 => {
            if let Ok(token) = str::from_utf8(rest) {
                compare(signer, token);
            }
        }
        1 => compare(signer, &signed(part(), part())),
        2 => {
            let mut token = signed(part(), part()).into_bytes();
            for edit in part().chunks_exact(3).take(4) {
                let at = (usize::from(edit[0]) * 256 + usize::from(edit[1])) % token.len().max(1);
                match edit[2] {
                    0 => token.truncate(at),
                    1 => drop(token.drain(at..token.len().min(at + 1))),
                    letter if letter.is_ascii() => token.splice(at..token.len().min(at + 1), [letter]).for_each(drop),
                    letter => token.insert(at, letter & 0x7f),
                }
            }
            compare(signer, str::from_utf8(&token).expect("ASCII stays ASCII"));
        }
        _ => compare_keys(rest),
    }
}

fn compare(signer: &Signer, token: &str) {
    let mut validation = Validation::new(signer.theirs);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let key: TheirJwk = serde_json::from_value(Value::Object(signer.ours.to_map())).expect("a key for both");
    let key = DecodingKey::from_jwk(&key).expect("a key for both");
    let theirs = decode::<Map<String, Value>>(token, &key, &validation);
    let ours = Unverified::read(token, &ACCEPT).and_then(|token| token.verify(&signer.ours));
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => {
            // Members that come twice are refused with the claims, which are read after the signature.
            if let Ok(payload) = parse_object(ours.payload(), PAYLOAD) {
                assert_eq!(payload, theirs.claims);
            }
            assert_eq!(ours.header().get("kid").and_then(Value::as_str), theirs.header.kid.as_deref());
            assert_eq!(ours.header().get("typ").and_then(Value::as_str), theirs.header.typ.as_deref());
        }
        (Ok(ours), Err(fault)) => {
            let header = ours.header();
            let excused = TYPED_ELSEWHERE.iter().any(|name| header.contains_key(*name))
                // RFC 9864 renames EdDSA; the other reader does not know yet.
                || header.get("alg").and_then(Value::as_str) == Some("Ed25519")
                || parse_object(ours.payload(), PAYLOAD).is_err();
            assert!(excused, "we accept what they refuse: {fault:?} {token}");
        }
        (Err(fault), Ok(theirs)) => {
            let header = token.split('.').next().and_then(from_base64url).unwrap_or_default();
            let excused = match fault {
                JwsFault::TooLong => token.len() > 16 * 1024,
                JwsFault::Extension => theirs.header.crit.is_some() || theirs.header.extras.inner().contains_key("b64"),
                JwsFault::Type => theirs.header.typ.is_some(),
                JwsFault::KidTooLong => theirs.header.kid.as_ref().is_some_and(|kid| kid.len() > 256),
                // A member that comes twice, or is nested too deep; and `null` where a text belongs.
                JwsFault::Header(JsonFault::WrongType(name)) => {
                    serde_json::from_slice::<Value>(&header).is_ok_and(|header| header[name].is_null())
                }
                JwsFault::Header(fault) => *fault != JsonFault::Malformed && parse_object(&header, HEADER).is_err(),
                JwsFault::Malformed | JwsFault::Algorithm | JwsFault::Signature => false,
            };
            assert!(excused, "they accept what we refuse: {fault:?} {token}");
        }
        (Err(_), Err(_)) => {}
    }
}

/// A key that both read has the same thumbprint, and one that we read has nothing that the other reader trips over.
fn compare_keys(bytes: &[u8]) {
    let Ok(ours) = Jwk::parse(bytes) else { return };
    let theirs: TheirJwk = serde_json::from_value(Value::Object(ours.to_map())).expect("what we write is a key");
    assert_eq!(theirs.thumbprint(ThumbprintHash::SHA256).expect("a thumbprint"), ours.thumbprint());
    assert!(DecodingKey::from_jwk(&theirs).is_ok());
    if let Ok(theirs) = serde_json::from_slice::<TheirJwk>(bytes) {
        assert_eq!(theirs.thumbprint(ThumbprintHash::SHA256).expect("a thumbprint"), ours.thumbprint());
        assert_eq!(theirs.common.key_id.as_deref(), ours.kid());
    }
}
