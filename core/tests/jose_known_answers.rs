//! Known answers of the RFCs, and two of Wycheproof's for RSA.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

use lockstep_oauth::crypto;
use lockstep_oauth::jose::{Accept, Algorithm, Jwk, JwsFault, PrivateJwk, Unverified, Verified};

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
/// RFC 7520 §4.1.
const RS256_MODULUS: &str = concat!(
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-",
    "XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-",
    "oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-",
    "tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
);
const RS256_TOKEN: &str = concat!(
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzL",
    "CBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmV",
    "ldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.MRjdkly7_-",
    "oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-",
    "Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3I",
    "S_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-",
    "ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg",
);
/// Wycheproof, json_web_signature_test.json, test 275.
const PS256_MODULUS: &str = concat!(
    "orRRoH0KpfluRVZxUTVQUUqKW0YuvvcXCU-h_ugiJOY3-",
    "XRtP3yv0xh42AMltu9aFwD2WQO0aUKeidbqyIRQl7WrOTGJ25JRLtincRoSU_rNIPecFegkfz0-QuRuSMmOJUov6XZTE6A-",
    "_48X4aApOXofomqNzib0kO2BKZYV2YFMItphBCjgnH2WWFlCZvXAIdD87KCNlFoSvoLeTR7Oa0wDFFtdNJXU7VQR64eNrwX9evw-",
    "Ca2g8RJkIvWQl1oZaYFvSGmLy7obTZyuedRg2Pn4Xnl1AF2bwixOWsD3waRdElaaYoB9O5oC5aUw53MGb0U9H1tMLpz3ggKD90K51Q",
);
const PS256_TOKEN: &str = concat!(
    "eyJhbGciOiJQUzI1NiIsImtpZCI6IlBTMjU2XzIwNDgifQ.4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8.ALRJAfvHTz-uhHHrv7A",
    "vWCmmpMRXkhmY0WG1sLzYKf8gfnYb_wRlNIhwkwotUp3obhDPxPAm4DrDOdEMskuZeJo1nuefLya7Cgj8vaLEBVQEXwOu6x9TdUI0_PkVhEqsD",
    "kcKUvyNzx88fVbI19GSxDngl62vuXouJRu8sbUcspdZ043K43Z2LEZBlLjtygeor12g0G_oZO9zD4DWW7lk5BlwzdVhKy_1tBbMYxm-",
    "ULffWANmZM7vq7_FFprR-ZOswXlOTbR-KD1DxGNcu5ou6TG8uWiHh4owiagURyEzSLF8T1-JIKgsWL0-X5Ul74MEQrvofrl2BEz_Z78JkW1l1w",
);

fn rsa(modulus: &str, algorithm: &str) -> Jwk {
    Jwk::parse(format!(r#"{{"kty":"RSA","e":"AQAB","n":"{modulus}","alg":"{algorithm}"}}"#).as_bytes()).unwrap()
}

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
    assert_eq!(rsa(RSA_MODULUS, "RS256").thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(rsa(RSA_MODULUS, "PS256").thumbprint(), rsa(RSA_MODULUS, "RS256").thumbprint());
}

#[test]
fn rs256_and_ps256_verify_and_never_stand_in_for_each_other() {
    holds_exactly(RS256_TOKEN, &rsa(RS256_MODULUS, "RS256"));
    holds_exactly(PS256_TOKEN, &rsa(PS256_MODULUS, "PS256"));
    assert_eq!(verify(RS256_TOKEN, &rsa(RS256_MODULUS, "PS256")), Err(JwsFault::Algorithm));
    for (token, key) in [(RS256_TOKEN, rsa(RS256_MODULUS, "PS256")), (PS256_TOKEN, rsa(PS256_MODULUS, "RS256"))] {
        let (input, signature) = token.rsplit_once('.').unwrap();
        let signature = crypto::from_base64url(signature).unwrap();
        assert!(!key.public_key().verifies(input.as_bytes(), &signature));
    }
    assert_eq!(verify(RS256_TOKEN, &rsa(PS256_MODULUS, "RS256")), Err(JwsFault::Signature));
}
