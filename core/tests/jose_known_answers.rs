//! Known answers of the RFCs, and two of Wycheproof's for RSA.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

use lockstep_oauth::crypto;
use lockstep_oauth::jose::{Accept, Algorithm, Jwk, JwkFault, JwsFault, KeyFault, PrivateJwk, Unverified, Verified};

#[path = "data/rsa_tokens.rs"]
mod rsa_tokens;
use rsa_tokens::{PS256_MODULUS, PS256_TOKEN, RS256_MODULUS, RS256_TOKEN, key};

const ACCEPT: Accept<'_> = Accept { algorithms: &Algorithm::ALL, types: &[], untyped: true };

/// RFC 7515, appendix A.3.1.
const ES256_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
const ES256_TOKEN: &str = concat!(
    "eyJhbGciOiJFUzI1NiJ9.",
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
);
/// RFC 8037, appendix A.1 and A.4.
const EDDSA_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const EDDSA_TOKEN: &str = concat!(
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.",
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
);
/// RFC 7517, appendix A.1, whose thumbprint is in RFC 7638 §3.1.
const RSA_MODULUS: &str = concat!(
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst",
    "n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajr",
    "n1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
);
/// Made by a card with the flaw of CVE-2017-15361; Wycheproof, json_web_key_test.json, test 7.
const ROCA_MODULUS: &str = concat!(
    "AanFpofbj7KjD4Lf-",
    "N2hVMKR7yewSyXhhbirIMTGpfYEhZ_lnt5UoK98DnKIgArXGTu3MaW_HhFw16HGaTDUHqPrId7fe4r11CqRw09yBFuW79V8sYIwHdzCaWflUI6",
    "auImYbVfoN9_nD5n8N8SY9DwXw7mwZM9wREPXoDPgOoIWl6q_MPsp7n0zs3Z5ZaiQWOOzl1S9OhwAfSiiOwz6efnXEaxuTEtPd7BjSx7NaFka8",
    "Dx9U7YqXy2RFj1O9PjyaDGuRh7YXsX3iMUSP_wSyHQg_c_qHRtKUsNSGCT7OZg0hzm2KphtjnayKJvC64vAbROBR4Ubg6Bxg9IQVZ-QYyE",
);

fn verify(token: &str, key: &Jwk) -> Result<Verified, JwsFault> {
    Unverified::read(token, &ACCEPT)?.verify(key)
}

/// The token verifies, and no longer once any byte of it is another one.
fn holds_exactly(token: &str, key: &Jwk) {
    verify(token, key).unwrap();
    for at in (0..token.len()).step_by(7) {
        let mut broken = token.as_bytes().to_vec();
        broken[at] = if broken[at] == b'A' { b'B' } else { b'A' };
        let broken = String::from_utf8(broken).unwrap();
        assert!(verify(&broken, key).is_err(), "{broken}");
    }
}

#[test]
fn rfc_7515_es256_verifies() {
    let key = PrivateJwk::parse(ES256_KEY.as_bytes()).unwrap();
    assert_eq!(key.algorithm(), Algorithm::Es256);
    holds_exactly(ES256_TOKEN, key.public());
    let payload = b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
    assert_eq!(verify(ES256_TOKEN, key.public()).unwrap().payload(), payload);
}

#[test]
fn rfc_8037_eddsa_verifies_and_is_signed_again() {
    let key = PrivateJwk::parse(EDDSA_KEY.as_bytes()).unwrap();
    holds_exactly(EDDSA_TOKEN, key.public());
    assert_eq!(verify(EDDSA_TOKEN, key.public()).unwrap().payload(), b"Example of Ed25519 signing");
    let (input, signature) = EDDSA_TOKEN.rsplit_once('.').unwrap();
    assert_eq!(crypto::base64url(&key.signing_key().sign(input.as_bytes())), signature);
    assert_eq!(key.public().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn rfc_7638_thumbprint_is_the_same() {
    assert_eq!(key(RSA_MODULUS, "RS256").thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(key(RSA_MODULUS, "PS256").thumbprint(), key(RSA_MODULUS, "RS256").thumbprint());
}

#[test]
fn rs256_and_ps256_verify_and_never_stand_in_for_each_other() {
    holds_exactly(RS256_TOKEN, &key(RS256_MODULUS, "RS256"));
    holds_exactly(PS256_TOKEN, &key(PS256_MODULUS, "PS256"));
    assert_eq!(verify(RS256_TOKEN, &key(RS256_MODULUS, "PS256")), Err(JwsFault::Algorithm));
    for (token, key) in [(RS256_TOKEN, key(RS256_MODULUS, "PS256")), (PS256_TOKEN, key(PS256_MODULUS, "RS256"))] {
        let (input, signature) = token.rsplit_once('.').unwrap();
        let signature = crypto::from_base64url(signature).unwrap();
        assert!(!key.public_key().verifies(input.as_bytes(), &signature));
    }
    assert_eq!(verify(RS256_TOKEN, &key(PS256_MODULUS, "RS256")), Err(JwsFault::Signature));
}

#[test]
fn a_modulus_whose_factors_can_be_found_is_weak() {
    let text = format!(r#"{{"kty":"RSA","e":"AQAB","n":"{ROCA_MODULUS}"}}"#);
    assert_eq!(Jwk::parse(text.as_bytes()), Err(JwkFault::Key(KeyFault::Weak)));
}
