//! Limits of tokens and keys at their last byte, and spellings of `typ` that are nearly right.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use lockstep_oauth::jose::{Accept, Algorithm, Jwk, JwkFault, JwkSet, JwsFault, PrivateJwk, Unverified, sign};
use lockstep_oauth::json::JsonFault;

fn key() -> PrivateJwk {
    PrivateJwk::generate(Algorithm::EdDsa, &[3; 32]).unwrap()
}

fn read(token: &str, typ: &str) -> Result<(), JwsFault> {
    let accept = Accept { algorithms: &Algorithm::ALL, types: &[typ], untyped: false };
    Unverified::read(token, &accept)?.verify(key().public()).map(|_| ())
}

#[test]
fn a_token_has_at_most_16_kib() {
    let token_of = |length: usize| {
        let lengths = (0..4).flat_map(|typ| (11_000..13_000).map(move |payload| (typ, payload)));
        let mut tokens = lengths.map(|(typ, payload)| ("t".repeat(typ + 1), vec![b'a'; payload]));
        tokens.find_map(|(typ, payload)| {
            // The length is known without signing: three parts in base64url, of which one follows from the key.
            let header = sign(&key(), &typ, b"").split('.').next().unwrap().len();
            (header + 2 + (payload.len() * 4).div_ceil(3) + 86 == length).then(|| (sign(&key(), &typ, &payload), typ))
        })
    };
    let (longest, typ) = token_of(16 * 1024).unwrap();
    assert_eq!((longest.len(), read(&longest, &typ)), (16_384, Ok(())));
    let (longer, typ) = token_of(16 * 1024 + 1).unwrap();
    assert_eq!((longer.len(), read(&longer, &typ)), (16_385, Err(JwsFault::TooLong)));
}

#[test]
fn a_header_has_at_most_8_kib() {
    let plain = lockstep_oauth::crypto::from_base64url(sign(&key(), "", b"").split('.').next().unwrap()).unwrap().len();
    let typ = "t".repeat(8 * 1024 - plain);
    assert_eq!(read(&sign(&key(), &typ, b"{}"), &typ), Ok(()));
    let typ = typ + "t";
    assert_eq!(read(&sign(&key(), &typ, b"{}"), &typ), Err(JwsFault::Header(JsonFault::TooLong)));
}

#[test]
fn only_application_may_stand_before_a_type() {
    for typ in ["jwt", "JWT", "application/jwt", "Application/JWT"] {
        assert_eq!(read(&sign(&key(), typ, b"{}"), "JWT"), Ok(()), "{typ}");
    }
    for typ in ["image/svgxmljwt", "applicationsjwt", "application/", "application/application/jwt", "/jwt", "jwt2"] {
        assert_eq!(read(&sign(&key(), typ, b"{}"), "JWT"), Err(JwsFault::Type), "{typ}");
    }
}

#[test]
fn an_unverified_token_shows_its_header_alone() {
    let token = sign(&key(), "JWT", b"{\"sub\":\"secretive\"}");
    let accept = Accept { algorithms: &Algorithm::ALL, types: &["JWT"], untyped: false };
    let shown = format!("{:?}", Unverified::read(&token, &accept).unwrap());
    assert!(shown.contains("EdDSA") && !shown.contains("secretive"), "{shown}");
    assert!(token.split('.').all(|part| !shown.contains(part)), "{shown}");
}

/// The text of a key, or of a set of keys, that is filled up to a length by a member that nobody looks at.
fn filled(text: &str, length: usize) -> String {
    let start = format!("{},\"filling\":\"", text.strip_suffix('}').unwrap());
    format!("{start}{}\"}}", "f".repeat(length - start.len() - 2))
}

#[test]
fn a_key_has_at_most_16_kib_and_a_set_64() {
    let text = serde_json::Value::Object(key().public().to_map()).to_string();
    assert_eq!(Jwk::parse(filled(&text, 16 * 1024).as_bytes()).as_ref(), Ok(key().public()));
    let too_long = JwkFault::Json(JsonFault::TooLong);
    assert_eq!(Jwk::parse(filled(&text, 16 * 1024 + 1).as_bytes()), Err(too_long));
    let set = format!("{{\"keys\":[{text}]}}");
    assert_eq!(JwkSet::parse(filled(&set, 64 * 1024).as_bytes()).unwrap().keys().len(), 1);
    assert_eq!(JwkSet::parse(filled(&set, 64 * 1024 + 1).as_bytes()), Err(too_long));
}
