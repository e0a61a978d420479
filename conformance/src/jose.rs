//! Properties of the readers of JSON, keys, tokens and claims.
#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a property fails by panicking")]

use lockstep_oauth::crypto::{base64url, from_base64url};
use lockstep_oauth::jose::{
    Accept, Algorithm, AudienceRule, Expect, Jwk, JwkSet, JwsFault, LookupFault, PrivateJwk, SET_BYTES, SET_KEYS,
    TOKEN_BYTES, Unverified, check, sign,
};
use lockstep_oauth::json::{JsonFault, Limits, Value, parse, parse_object};

const LIMITS: Limits = Limits { bytes: 64 * 1024, depth: 16, members: 1024 };
const ACCEPT: Accept<'_> = Accept { algorithms: &Algorithm::ALL, types: &["at+jwt"], untyped: true };

/// What is read, `serde_json` reads alike; it stays the same printed and read again, and holds the limits. What is
/// refused for its form alone, `serde_json` refuses as well.
pub fn json_property(bytes: &[u8]) {
    match parse(bytes, LIMITS) {
        Ok(value) => {
            let theirs: Value = serde_json::from_slice(bytes).expect("what we read is JSON");
            assert_eq!(value, theirs);
            assert!(bytes.len() <= LIMITS.bytes);
            let (depth, members) = measure(&value);
            assert!(depth <= LIMITS.depth && members <= LIMITS.members);
            // The last digit of a fraction may change on the way; no claim of ours is one.
            if !has_fraction(&value) {
                assert_eq!(parse(value.to_string().as_bytes(), Limits { bytes: usize::MAX, ..LIMITS }), Ok(value));
            }
            // One closing bracket more is one too many.
            assert!(parse(&[bytes, b"]"].concat(), LIMITS).is_err());
        }
        Err(JsonFault::Malformed) => assert!(serde_json::from_slice::<Value>(bytes).is_err()),
        Err(fault) => {
            assert!(!matches!(fault, JsonFault::WrongType(_) | JsonFault::Missing(_) | JsonFault::NotAnObject))
        }
    }
}

/// A token that is read is spelled in exactly one way, and verifies under no key that did not sign it. The bytes as a
/// header and as a payload of a token of ours never do harm either, and what we sign we read.
pub fn jws_property(bytes: &[u8]) {
    let key = PrivateJwk::generate(Algorithm::EdDsa, &[7; 32]).expect("EdDSA keys can be made");
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(unverified) = Unverified::read(text, &ACCEPT)
    {
        assert!(text.len() <= TOKEN_BYTES);
        let parts: Vec<&str> = text.split('.').collect();
        assert_eq!(parts.len(), 3);
        assert!(parts.iter().all(|part| from_base64url(part).map(|bytes| base64url(&bytes)).as_deref() == Some(part)));
        assert!(!unverified.header().contains_key("crit"));
        let fault = unverified.verify(key.public()).expect_err("nobody else signs with this key");
        assert!(matches!(fault, JwsFault::Algorithm | JwsFault::Signature));
    }
    let token = sign(&key, "at+jwt", bytes);
    match Unverified::read(&token, &ACCEPT).and_then(|unverified| unverified.verify(key.public())) {
        Ok(verified) => assert_eq!(verified.payload(), bytes),
        Err(fault) => assert!(fault == JwsFault::TooLong && token.len() > TOKEN_BYTES),
    }
    let input = format!("{}.e30", base64url(bytes));
    let token = format!("{input}.{}", base64url(&key.signing_key().sign(input.as_bytes())));
    if let Ok(unverified) = Unverified::read(&token, &ACCEPT) {
        let same = unverified.algorithm() == key.algorithm();
        assert_eq!(unverified.verify(key.public()).is_ok(), same);
    }
}

/// A set that is read holds its limits and no private member, its keys survive being written and read, and a lookup
/// finds the only key that fits. The bytes as a private key never give one that disagrees with its public half.
pub fn jwk_set_property(bytes: &[u8]) {
    if let Ok(set) = JwkSet::parse(bytes) {
        assert!(bytes.len() <= SET_BYTES && set.keys().len() + set.passed_over().len() <= SET_KEYS);
        let written = Value::Object(set.to_map()).to_string();
        if written.len() <= SET_BYTES {
            assert_eq!(JwkSet::parse(written.as_bytes()).as_ref().map(JwkSet::keys), Ok(set.keys()));
        }
        for key in set.keys() {
            assert_eq!(Jwk::read(&key.to_map()).as_ref(), Ok(key));
            assert_eq!(key.thumbprint().len(), 43);
            let fitting = |kid: Option<&str>| {
                set.keys()
                    .iter()
                    .filter(|k| k.algorithm() == key.algorithm() && (kid.is_none() || k.kid() == kid))
                    .count()
            };
            for kid in [None, key.kid()] {
                match set.find(kid, key.algorithm()) {
                    Ok(found) => assert!(found.algorithm() == key.algorithm() && fitting(kid) == 1),
                    Err(fault) => assert!(fault == LookupFault::Ambiguous && fitting(kid) > 1),
                }
            }
        }
    }
    if let Ok(key) = PrivateJwk::parse(bytes) {
        let signature = key.signing_key().sign(b"message");
        assert!(key.public().public_key().verifies(b"message", &signature));
    }
}

/// Claims that pass are within their times and for the audience, and no check made stricter lets through what a laxer
/// one refuses.
pub fn claims_property(bytes: &[u8]) {
    let (now, leeway_seconds) = (1_700_000_000, 60);
    let lax = Expect {
        issuer: None,
        audience: AudienceRule::OneOf(&["a", "b"]),
        now,
        leeway_seconds,
        max_lifetime_seconds: None,
        required: &[],
    };
    let Ok(map) = parse_object(bytes, LIMITS) else { return };
    let checked = check(map.clone(), &lax);
    for strict in [
        Expect { issuer: Some("https://as.example"), ..lax },
        Expect { audience: AudienceRule::Exactly("a"), ..lax },
        Expect { audience: AudienceRule::Contains("b"), ..lax },
        Expect { leeway_seconds: 0, ..lax },
        Expect { max_lifetime_seconds: Some(600), ..lax },
        Expect { required: &["jti", "iat"], ..lax },
    ] {
        assert!(checked.is_ok() || check(map.clone(), &strict).is_err());
    }
    if let Ok(claims) = checked {
        assert!(claims.expires_at() + leeway_seconds > now);
        assert!(claims.issued_at().is_none_or(|issued_at| issued_at <= now + leeway_seconds));
        assert_eq!(map.get("exp").and_then(Value::as_u64), Some(claims.expires_at()));
        assert!(map.get("aud").is_some_and(|aud| aud.is_string() || aud.is_array()));
        assert!(
            [claims.issuer(), claims.subject(), claims.token_id(), claims.client_id()].iter().all(|c| *c != Some(""))
        );
        assert_eq!(claims.map(), &map);
    }
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(has_fraction),
        Value::Object(map) => map.values().any(has_fraction),
        other => other.is_f64(),
    }
}

/// Depth and number of members, as [`Limits`] counts them.
fn measure(value: &Value) -> (usize, usize) {
    let inner: Vec<&Value> = match value {
        Value::Array(values) => values.iter().collect(),
        Value::Object(map) => map.values().collect(),
        _ => return (0, 0),
    };
    let (depth, members) =
        inner.iter().map(|value| measure(value)).fold((0, 0), |(d, m), (depth, members)| (d.max(depth), m + members));
    (depth + 1, members + inner.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// JSON-like text: pieces that matter, put together at random.
    fn pieces(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(words), 0..40).prop_map(|words| words.concat().into_bytes())
    }

    /// Members that matter, put together to an object.
    fn object(members: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(members), 0..8)
            .prop_map(|members| format!("{{{}}}", members.join(",")).into_bytes())
    }

    const JSON: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\":",
        "\"\\u0061\":",
        "1",
        "-0",
        "1e9",
        "1.5",
        "null",
        "true",
        " ",
        "\u{feff}",
        "\"\\ud800\"",
        "{\"a\":1}",
        "[1,2]",
    ];
    const HEADER: &[&str] = &[
        r#""alg":"EdDSA""#,
        r#""alg":"Ed25519""#,
        r#""alg":"none""#,
        r#""alg":"ES256""#,
        r#""typ":"at+jwt""#,
        r#""typ":"JWT""#,
        r#""kid":"a""#,
        r#""kid":1"#,
        r#""crit":["b64"]"#,
        r#""b64":false"#,
        r#""jwk":{}"#,
    ];
    const CLAIMS: &[&str] = &[
        r#""aud":"a""#,
        r#""aud":["b"]"#,
        r#""aud":["a","c"]"#,
        r#""aud":1"#,
        r#""exp":1700000100"#,
        r#""exp":1699999950"#,
        r#""exp":1e30"#,
        r#""exp":-1"#,
        r#""iat":1700000050"#,
        r#""iat":1700000100"#,
        r#""nbf":1699999999"#,
        r#""iss":"https://as.example""#,
        r#""sub":"s""#,
        r#""sub":"""#,
        r#""jti":"j""#,
    ];

    fn keys() -> impl Strategy<Value = Vec<u8>> {
        let key = (0..3u8, prop::sample::select(vec![Algorithm::Es256, Algorithm::EdDsa]), any::<bool>(), 0..12u8)
            .prop_map(|(seed, algorithm, named, change)| {
                let key = PrivateJwk::generate(algorithm, &[seed; 32]).expect("these keys can be made");
                let mut map = key.public().to_map();
                if named {
                    map.insert("kid".into(), "a".into());
                }
                match change {
                    0 => drop(map.insert("use".into(), "enc".into())),
                    1 => drop(map.insert("alg".into(), "RS256".into())),
                    2 => drop(map.insert("x".into(), "AA".into())),
                    3 => drop(map.remove("kid")),
                    4 => drop(map.insert("d".into(), "AA".into())),
                    _ => {}
                }
                Value::Object(map).to_string()
            });
        prop::collection::vec(key, 0..5).prop_map(|keys| format!(r#"{{"keys":[{}]}}"#, keys.join(",")).into_bytes())
    }

    proptest! {
        #[test]
        fn json_is_read_like_serde_json_or_not_at_all(
            bytes in prop_oneof![pieces(JSON), object(CLAIMS), prop::collection::vec(any::<u8>(), 0..40)],
        ) {
            json_property(&bytes);
        }

        #[test]
        fn a_token_is_accepted_from_its_signer_alone(
            bytes in prop_oneof![object(HEADER), prop::collection::vec(any::<u8>(), 0..60)], split in any::<bool>(),
        ) {
            jws_property(&bytes);
            if split {
                jws_property(format!("{}.e30.{}", base64url(&bytes), base64url(&[1; 64])).as_bytes());
            }
        }

        #[test]
        fn a_set_of_keys_is_written_as_it_is_read(bytes in prop_oneof![keys(), pieces(JSON)]) {
            jwk_set_property(&bytes);
        }

        #[test]
        fn claims_pass_a_strict_check_only_if_they_pass_a_lax_one(bytes in object(CLAIMS)) {
            claims_property(&bytes);
        }
    }

    #[test]
    fn a_private_key_survives_its_property() {
        let key = PrivateJwk::generate(Algorithm::Es256, &[1; 32]).expect("ES256 keys can be made");
        jwk_set_property(key.to_json().expose());
    }
}
