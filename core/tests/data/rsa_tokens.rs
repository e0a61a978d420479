//! RSA keys and tokens of others: this crate makes none.

use lockstep_oauth::jose::Jwk;

/// RFC 7520 §4.1.
pub(crate) const RS256_MODULUS: &str = concat!(
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-",
    "XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-",
    "oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-",
    "tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
);
pub(crate) const RS256_TOKEN: &str = concat!(
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzL",
    "CBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmV",
    "ldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.MRjdkly7_-",
    "oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-",
    "Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3I",
    "S_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-",
    "ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg",
);
/// Wycheproof, json_web_signature_test.json, test 275.
pub(crate) const PS256_MODULUS: &str = concat!(
    "orRRoH0KpfluRVZxUTVQUUqKW0YuvvcXCU-h_ugiJOY3-",
    "XRtP3yv0xh42AMltu9aFwD2WQO0aUKeidbqyIRQl7WrOTGJ25JRLtincRoSU_rNIPecFegkfz0-QuRuSMmOJUov6XZTE6A-",
    "_48X4aApOXofomqNzib0kO2BKZYV2YFMItphBCjgnH2WWFlCZvXAIdD87KCNlFoSvoLeTR7Oa0wDFFtdNJXU7VQR64eNrwX9evw-",
    "Ca2g8RJkIvWQl1oZaYFvSGmLy7obTZyuedRg2Pn4Xnl1AF2bwixOWsD3waRdElaaYoB9O5oC5aUw53MGb0U9H1tMLpz3ggKD90K51Q",
);
pub(crate) const PS256_TOKEN: &str = concat!(
    "eyJhbGciOiJQUzI1NiIsImtpZCI6IlBTMjU2XzIwNDgifQ.4OHi4-Tl5ufo6err7O3u7_Dx8vP09fb3-Pn6-_z9_v8.ALRJAfvHTz-uhHHrv7A",
    "vWCmmpMRXkhmY0WG1sLzYKf8gfnYb_wRlNIhwkwotUp3obhDPxPAm4DrDOdEMskuZeJo1nuefLya7Cgj8vaLEBVQEXwOu6x9TdUI0_PkVhEqsD",
    "kcKUvyNzx88fVbI19GSxDngl62vuXouJRu8sbUcspdZ043K43Z2LEZBlLjtygeor12g0G_oZO9zD4DWW7lk5BlwzdVhKy_1tBbMYxm-",
    "ULffWANmZM7vq7_FFprR-ZOswXlOTbR-KD1DxGNcu5ou6TG8uWiHh4owiagURyEzSLF8T1-JIKgsWL0-X5Ul74MEQrvofrl2BEz_Z78JkW1l1w",
);

pub(crate) fn key(modulus: &str, algorithm: &str) -> Jwk {
    Jwk::parse(format!(r#"{{"kty":"RSA","e":"AQAB","n":"{modulus}","alg":"{algorithm}"}}"#).as_bytes()).unwrap()
}
