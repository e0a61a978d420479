//! What the vectors hold, as seeds of the fuzzer: every request, record, document, token and configuration of theirs, with
//! the names of the vectors' world put into those of the hostile one.
#![allow(clippy::expect_used, reason = "a vector that cannot be taken apart is no vector")]

use crate::hostile::SECRET;
use crate::transcript::{Call, Given, Transcript, Vector};
use crate::{exchange_properties, jose, values};
use lockstep_oauth::http::{Fetched, HttpRequest};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub use exchange_properties::Property;

/// Seeds by the name of their target.
pub type Seeds = BTreeMap<&'static str, BTreeSet<Vec<u8>>>;

/// Every property by the name of its fuzz target, but for the one that compares with another JOSE implementation.
pub fn targets() -> Vec<(&'static str, Property)> {
    let mut targets: Vec<(&'static str, Property)> = exchange_properties::PROPERTIES.to_vec();
    targets.extend([
        ("json", jose::json_property as Property),
        ("jws", jose::jws_property),
        ("jwk_set", jose::jwk_set_property),
        ("claims", jose::claims_property),
        ("uri", values::uri_property),
        ("redirect", values::redirect_property),
        ("resource", values::resource_property),
        ("scope", values::scope_property),
        ("pkce", values::pkce_property),
    ]);
    targets
}

/// Takes the vectors apart.
pub fn seeds(vectors: &[Vector]) -> Seeds {
    let mut seeds = Seeds::new();
    for exchange in vectors.iter().flat_map(|vector| &vector.exchanges) {
        of_exchange(&mut seeds, exchange);
    }
    seeds
}

fn add(seeds: &mut Seeds, target: &'static str, seed: impl Into<Vec<u8>>) {
    seeds.entry(target).or_default().insert(seed.into());
}

fn of_exchange(seeds: &mut Seeds, exchange: &Transcript) {
    add(seeds, "config", exchange.config.to_string());
    add(seeds, "key_ring", exchange.keys.as_str());
    texts(seeds, &exchange.config);
    match &exchange.call {
        Call::Http(request) => of_request(seeds, request),
        Call::Check(check) => {
            let header = check.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
            let text = [header.map(|(_, value)| value.as_slice()).unwrap_or_default(), b"\n", &check.query].concat();
            add(seeds, "bearer_request", on_a_tape(&translated(&text)));
        }
        Call::Operate(_) => add(seeds, "operation", on_a_tape(b"alice\nlaptop\nhttps://as.example/mcp\na")),
    }
    for turn in &exchange.turns {
        match &turn.given {
            Given::Loaded(records) => {
                let crate::transcript::Asked::Load(keys) = &turn.asked else { continue };
                for (key, record) in keys.iter().zip(records) {
                    let Some(record) = record else { continue };
                    let kinds = ["/grant/", "/subject/", "/client/", "/cimd/", "/jwks/", "/seen/"];
                    let kind = kinds.iter().position(|kind| key.contains(kind)).expect("a kind of record");
                    if kind == 0 {
                        add(seeds, "grant_record", record.value.as_slice());
                    }
                    let start = [u8::try_from(kind).unwrap_or_default(), 0];
                    add(seeds, "stored_record", [&start[..], &record.value].concat());
                    add(seeds, "json", record.value.as_slice());
                }
            }
            Given::Fetched(Fetched::Response(response)) => {
                add(seeds, "client_document", translated(&response.body));
                add(seeds, "jwk_set", response.body.as_slice());
                add(seeds, "json", response.body.as_slice());
            }
            _ => {}
        }
    }
}

fn of_request(seeds: &mut Seeds, request: &HttpRequest) {
    let text = translated(if request.method == "GET" { &request.query } else { &request.body });
    let methods = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"];
    let paths = ["/introspect", "/revoke", "/sign-in", "/jwks", "/token", "/authorize", "/consent", "/register"];
    let (method, path) = (
        methods.iter().position(|method| *method == request.method),
        paths.iter().position(|path| request.path.ends_with(path)),
    );
    let taped = on_a_tape(&text);
    match (request.method.as_str(), path) {
        (_, Some(4)) => add(seeds, "token_request", taped),
        (_, Some(5)) => add(seeds, "authorize_request", taped),
        (_, Some(6)) => add(seeds, "consent_request", taped),
        ("POST", Some(7)) => add(seeds, "register_request", taped),
        _ => {
            // A path that ends otherwise is one client's registration, or metadata.
            let path = path.unwrap_or(if request.path.contains("/register/") { 8 } else { 10 });
            let choice = u8::try_from(method.unwrap_or(7) + 8 * path).unwrap_or_default();
            add(seeds, "any_request", [&[choice], taped.as_slice()].concat());
        }
    }
    add(seeds, "form", text);
    let lines: Vec<Vec<u8>> =
        request.headers.iter().map(|(name, value)| [name.as_bytes(), b": ", value].concat()).collect();
    add(seeds, "header", lines.join(&b'\n'));
    for (name, value) in &request.headers {
        if name.eq_ignore_ascii_case("authorization")
            && let Some(credentials) = value.strip_prefix(b"Basic ")
        {
            add(seeds, "basic", [b"\x01", credentials].concat());
        }
    }
    if let Ok(body) = serde_json::from_slice::<Value>(&request.body) {
        texts(seeds, &body);
        add(seeds, "json", request.body.as_slice());
    }
    let form = [&request.query, &request.body].map(|part| url::form_urlencoded::parse(part));
    for (name, value) in form.into_iter().flatten() {
        of_parameter(seeds, &name, &value);
    }
}

fn of_parameter(seeds: &mut Seeds, name: &str, value: &str) {
    match name {
        "scope" => add(seeds, "scope", format!("{value}\nnotes:read notes:write\nnotes:write notes:read")),
        "code_challenge" => add(seeds, "pkce", format!("{value}\n")),
        "code_verifier" => add(seeds, "pkce", format!("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\n{value}")),
        "client_assertion" => {
            add(seeds, "jws", value);
            let payload = value.split('.').nth(1).and_then(lockstep_oauth::crypto::from_base64url);
            add(seeds, "claims", payload.unwrap_or_default());
        }
        "redirect_uri" => add(seeds, "redirect", format!("{value}\n{value}\nc")),
        "resource" => add(seeds, "resource", format!("https://mcp.example/mcp\n{value}")),
        _ => {}
    }
    if ["redirect_uri", "resource", "client_id"].contains(&name) {
        address(seeds, value);
    }
}

/// Every text of a JSON value that is a URL, and every set of keys.
fn texts(seeds: &mut Seeds, value: &Value) {
    match value {
        Value::String(text) => address(seeds, text),
        Value::Array(values) => values.iter().for_each(|value| texts(seeds, value)),
        Value::Object(map) => {
            if map.contains_key("keys") {
                add(seeds, "jwk_set", value.to_string());
            }
            for (name, value) in map {
                if let ("scope", Some(text)) = (name.as_str(), value.as_str()) {
                    of_parameter(seeds, name, text);
                }
                texts(seeds, value);
            }
        }
        _ => {}
    }
}

fn address(seeds: &mut Seeds, text: &str) {
    let Some((_, rest)) = text.split_once("://") else { return };
    add(seeds, "uri", text);
    add(seeds, "redirect", format!("{text}\n{text}\nc"));
    add(seeds, "resource", format!("{text}\n{text}"));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    add(seeds, "address", host.rsplit_once(':').map_or(host, |(host, _)| host));
}

/// Behind an honest tape.
fn on_a_tape(text: &[u8]) -> Vec<u8> {
    [&[0; 48], text].concat()
}

/// The text with the names of the hostile world, and with words where the vectors have what cannot be guessed.
fn translated(text: &[u8]) -> Vec<u8> {
    let mut text: String = text.iter().map(|byte| char::from(*byte)).collect();
    for (theirs, ours) in [
        ("client_id=web", "client_id=public"),
        ("client_id=native", "client_id=public"),
        ("client_id=confidential", "client_id=secret"),
        ("https%3A%2F%2Fclient.example%2Fcb", "https%3A%2F%2Fc.example%2Fcb%3Fx%3D1"),
        ("https%3A%2F%2Fmcp.example%2Fmcp", "https%3A%2F%2Fas.example%2Fmcp"),
        ("notes%3Aread", "a"),
        ("notes%3Awrite", "b"),
        ("notes:read", "a"),
        ("notes:write", "b"),
        ("a+secret+of+the+test+client", &SECRET.replace(' ', "+")),
    ] {
        text = text.replace(theirs, ours);
    }
    for (prefix, word) in [
        ("lsc_", '\x01'),
        ("lsr_", '\x03'),
        ("lsa_", '\x04'),
        ("lsp_", '\x06'),
        ("lsm_", '\x08'),
        ("lss_", '\x1c'),
        ("eyJ", '\x0f'),
        ("ticket=", '\x1e'),
        ("seal=", '\x1f'),
    ] {
        let name = if prefix.ends_with('=') { prefix } else { "" };
        let mut from = 0;
        while let Some(found) = text.get(from..).and_then(|rest| rest.find(prefix)) {
            let start = from + found;
            let rest = text.get(start + prefix.len()..).unwrap_or_default();
            let length = rest
                .find(|letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter))
                .unwrap_or(rest.len());
            // Shorter texts are not what was given out: they stay as they are.
            if length >= 40 {
                text.replace_range(start..start + prefix.len() + length, &format!("{name}{word}"));
            }
            from = start + name.len() + 1;
        }
    }
    text.chars().map(|letter| letter as u8).collect()
}
