//! Client documents, registration bodies, JOSE objects, and the tokens that a tester holds, tampered with.

use crate::crypto::base64url;
use crate::generators::target::arbitrary_by;
use crate::jose::{Algorithm, PrivateJwk, sign};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The URL of the documents that [`client_document`] makes.
pub const DOCUMENT_URL: &str = "https://app.example/oauth/client.json";

/// A client document: mostly one that fits [`DOCUMENT_URL`], with up to two members changed.
pub fn client_document() -> impl Strategy<Value = ClientDocument> {
    let good = json!({
        "client_id": DOCUMENT_URL, "client_name": "Document App", "redirect_uris": ["https://app.example/cb"],
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
    });
    changed(good, &["client_id", "client_secret"]).prop_map(|value| ClientDocument(Value::Object(value)))
}

/// The body of a registration: mostly a good one, with up to two members changed.
pub fn registration() -> impl Strategy<Value = Registration> {
    let good = json!({
        "client_name": "App", "redirect_uris": ["https://app.example/cb", "http://127.0.0.1/cb"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    changed(good, &["jwks", "software_statement"]).prop_map(|value| Registration(Value::Object(value)))
}

/// A signed JWT in compact form: a genuine one of [`signing_key`], or one with another header, claims or signature.
pub fn jws() -> impl Strategy<Value = Jws> {
    let numbers = prop::sample::select(alloc::vec![0, 1, 1_800_000_000u64, 4_000_000_000, u64::MAX]);
    let texts = prop::sample::select(alloc::vec!["web", "https://as.example", "", "\u{0}", "\u{202e}"]);
    let genuine = (1..4u8, numbers.clone(), numbers, texts.clone(), texts).prop_map(|(key, exp, iat, iss, aud)| {
        let claims = json!({"iss": iss, "sub": iss, "aud": aud, "exp": exp, "iat": iat, "jti": "j"});
        signing_key(key).map(|key| sign(&key, "JWT", claims.to_string().as_bytes())).unwrap_or_default()
    });
    let header = prop::sample::select(alloc::vec![
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"ES256","crit":["x"],"x":1}"#,
        r#"{"alg":"ES256","alg":"none"}"#,
        r#"{"alg":"ES256","jwk":{"kty":"EC"}}"#,
        "{",
    ]);
    let forged = (genuine.clone(), header).prop_map(|(token, header)| {
        let rest = token.split_once('.').map_or("", |(_, rest)| rest);
        format!("{}.{rest}", base64url(header.as_bytes()))
    });
    let all = prop_oneof![2 => genuine.clone(), 3 => forged, 3 => genuine.prop_flat_map(tampered)];
    all.prop_map(Jws)
}

/// The private key of that number, whose public half belongs into the configuration of the server under test.
pub fn signing_key(number: u8) -> Option<PrivateJwk> {
    PrivateJwk::generate(Algorithm::Es256, &[number.max(1); 32]).ok()
}

/// A JWK set: public keys, some with members that must not be there or do not fit, some twice.
pub fn jwk_set() -> impl Strategy<Value = JwkSet> {
    let changes = prop::sample::select(alloc::vec![
        ("", Value::Null),
        ("", Value::Null),
        ("alg", json!("none")),
        ("alg", json!("RS256")),
        ("crv", json!("P-521")),
        ("x", json!("AA")),
        ("use", json!("enc")),
        ("key_ops", json!(["sign"])),
        ("kid", json!(7)),
        ("d", json!("AA")),
    ]);
    let key = (1..5u8, changes).prop_map(|(number, (member, by))| {
        let mut key = signing_key(number).map(|key| key.public().to_map()).unwrap_or_default();
        if !member.is_empty() {
            key.insert(member.to_string(), by);
        }
        Value::Object(key)
    });
    prop::collection::vec(key, 0..5).prop_map(|keys| JwkSet(json!({ "keys": keys })))
}

/// A token that is not the given one any more: a character changed, cut, doubled, under another prefix, or padded.
pub fn tampered(token: String) -> impl Strategy<Value = String> {
    (any::<prop::sample::Index>(), 0..7u8).prop_map(move |(at, how)| {
        let mut text: Vec<char> = token.chars().collect();
        let at = at.index(text.len().max(1));
        match how {
            0 | 1 => match text.get_mut(at) {
                Some(letter) => *letter = if *letter == 'A' { 'B' } else { 'A' },
                None => text.push('A'),
            },
            2 => text.truncate(at),
            3 => text.extend_from_within(..),
            4 => text.push('='),
            5 => text.insert(at, '\u{a7}'),
            _ => text.splice(..text.len().min(4), "lsx_".chars()).for_each(drop),
        }
        text.into_iter().collect()
    })
}

/// One of the tokens that a tester holds, whatever its kind, or one of them tampered with.
pub fn credential(held: &[String]) -> BoxedStrategy<String> {
    let mut held = held.to_vec();
    held.push("x".to_string());
    let any_of = prop::sample::select(held);
    prop_oneof![2 => any_of.clone(), 3 => any_of.prop_flat_map(tampered), 1 => ".{0,40}"].boxed()
}

fn changed(good: Value, others: &[&str]) -> impl Strategy<Value = Map<String, Value>> + use<> {
    let good = match good {
        Value::Object(good) => good,
        _ => Map::new(),
    };
    let names: Vec<String> = good.keys().cloned().chain(others.iter().map(ToString::to_string)).collect();
    let values = prop::sample::select(alloc::vec![
        Value::Null,
        json!(7),
        json!(""),
        json!("\u{202e}\u{0}<script>"),
        json!([]),
        json!(["javascript:alert(1)"]),
        json!(["https://app.example/cb#f"]),
        json!(["https://app.example/cb", 7]),
        json!({"keys": []}),
        json!("client_secret_basic"),
        json!("private_key_jwt"),
        json!("https://evil.example/client.json"),
    ]);
    let change = (prop::sample::select(names), prop::option::weighted(0.8, values));
    prop::collection::vec(change, 0..3).prop_map(move |changes| {
        let mut object = good.clone();
        for (name, value) in changes {
            match value {
                Some(value) => object.insert(name, value),
                None => object.remove(&name),
            };
        }
        object
    })
}

/// A client document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientDocument(pub Value);
/// The body of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration(pub Value);
/// A JWT in compact form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jws(pub String);
/// A JWK set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwkSet(pub Value);

arbitrary_by!(ClientDocument, client_document());
arbitrary_by!(Registration, registration());
arbitrary_by!(Jws, jws());
arbitrary_by!(JwkSet, jwk_set());
