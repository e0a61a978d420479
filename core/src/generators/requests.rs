//! Requests to an authorization server: right ones, nearly right ones, and hostile ones.

use crate::generators::objects::{credential, registration};
use crate::generators::target::{Target, arbitrary_by};
use crate::http::{HttpRequest, percent_encode};
use crate::pkce::{Challenge, Verifier};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use proptest::prelude::*;

/// The verifier of the authorization requests that this module makes.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Parameters in order; a name may come twice.
pub type Parameters = Vec<(String, String)>;

/// The parameters of a right authorization request, answered with this `state`.
pub fn authorization_parameters(target: &Target, state: &str) -> Parameters {
    let challenge = Verifier::parse(VERIFIER).map(|verifier| Challenge::of(&verifier).as_str().to_string());
    own(&[
        ("response_type", "code"),
        ("client_id", &target.client_id),
        ("redirect_uri", &target.redirect_uri),
        ("state", state),
        ("scope", &target.scope),
        ("resource", &target.resource),
        ("code_challenge", &challenge.unwrap_or_default()),
        ("code_challenge_method", "S256"),
    ])
}

/// The parameters of a right redemption.
pub fn redemption_parameters(target: &Target, code: &str) -> Parameters {
    own(&[
        ("grant_type", "authorization_code"),
        ("code", code),
        ("client_id", &target.client_id),
        ("redirect_uri", &target.redirect_uri),
        ("code_verifier", VERIFIER),
        ("resource", &target.resource),
    ])
}

/// The parameters of a right refresh.
pub fn refresh_parameters(target: &Target, token: &str) -> Parameters {
    own(&[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", &target.client_id)])
}

/// The parameters of a right revocation.
pub fn revocation_parameters(target: &Target, token: &str) -> Parameters {
    own(&[("token", token), ("client_id", &target.client_id)])
}

/// A `GET` with these parameters in its query.
pub fn get(path: &str, parameters: &[(String, String)]) -> HttpRequest {
    HttpRequest { method: "GET".into(), path: path.into(), query: encoded(parameters), ..HttpRequest::default() }
}

/// A `POST` of a form.
pub fn post(path: &str, parameters: &[(String, String)]) -> HttpRequest {
    let media_type = b"application/x-www-form-urlencoded".to_vec();
    let headers = alloc::vec![("Content-Type".to_string(), media_type)];
    HttpRequest {
        method: "POST".into(),
        path: path.into(),
        headers,
        body: encoded(parameters),
        ..HttpRequest::default()
    }
}

/// Parameters as `application/x-www-form-urlencoded`.
pub fn encoded(parameters: &[(String, String)]) -> Vec<u8> {
    let mut text = String::new();
    for (name, value) in parameters {
        if !text.is_empty() {
            text.push('&');
        }
        percent_encode(name, &mut text);
        text.push('=');
        percent_encode(value, &mut text);
    }
    text.into_bytes()
}

/// Right parameters with one or two left out, repeated, changed or added.
pub fn nearly_right(parameters: Parameters) -> impl Strategy<Value = Parameters> {
    let others = prop_oneof![
        prop::sample::select(alloc::vec![
            "",
            " ",
            "x",
            "\u{0}",
            "\r\nSet-Cookie: a=b",
            "\u{a7}",
            "plain",
            "token",
            "https://evil.example/",
            "none",
            "https://client.example/cb/../evil",
            "http://localhost:1/cb",
            "javascript:alert(1)",
            "*",
            "\"><script>",
        ])
        .prop_map(str::to_string),
        "[ -~]{0,12}",
        // Longer than anything that is meant.
        (100..3000usize).prop_map(|length| "a".repeat(length)),
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..4u8, others), 1..3);
    edits.prop_map(move |edits| {
        let mut edited = parameters.clone();
        for (at, how, value) in edits {
            let at = at.index(edited.len().max(1));
            match (how, edited.get_mut(at)) {
                (0, Some(_)) => drop(edited.remove(at)),
                (1, Some(pair)) => {
                    let again = pair.clone();
                    edited.push(again);
                }
                (2, Some(pair)) => pair.1 = value,
                _ => edited.push((value, "x".to_string())),
            }
        }
        edited
    })
}

/// A request that no client sends: broken encodings, other methods, wrong media types, repeated headers, plain noise.
pub fn hostile(path: String) -> impl Strategy<Value = HttpRequest> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        prop::sample::select(alloc::vec![
            "%",
            "a=%zz",
            "=&=&=",
            "a;b",
            "%00=%00",
            "a=%ff",
            "[]",
            "{\"a\":1}",
            "grant_type"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        (1..300usize).prop_map(|count| "a=b&".repeat(count).into_bytes()),
    ];
    let method = prop::sample::select(alloc::vec!["POST", "POST", "GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"]);
    let header = prop::sample::select(alloc::vec![
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Type", "text/plain"),
        ("Content-Type", "application/json"),
        ("Authorization", "Basic eDp5"),
        ("Authorization", "Basic %"),
        ("Authorization", "Bearer x"),
        ("Origin", "https://evil.example"),
        ("Cookie", "a=b; a=c; __Host-lockstep=x"),
    ]);
    let headers = prop::collection::vec(header, 0..4);
    (method, bytes.clone(), bytes, headers).prop_map(move |(method, query, body, headers)| HttpRequest {
        method: method.to_string(),
        path: path.clone(),
        // A query travels in the request line, where a host reads no other bytes than these.
        query: query.into_iter().filter(|byte| (0x21..0x7f).contains(byte) && *byte != b'#').collect(),
        headers: headers.into_iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
        body: if method == "POST" { body } else { Vec::new() },
        peer: String::new(),
    })
}

/// An authorization request: right, nearly right or hostile.
pub fn authorization_request(target: &Target) -> BoxedStrategy<HttpRequest> {
    let right = authorization_parameters(target, "s");
    mixed(right, target.authorize_path.clone(), get)
}

/// A token request about the tokens and codes that the tester holds.
pub fn token_request(target: &Target, held: &[String]) -> BoxedStrategy<HttpRequest> {
    let (target, held) = (target.clone(), credential(held));
    let request = (held, any::<bool>()).prop_flat_map(move |(token, refreshes)| {
        let right =
            if refreshes { refresh_parameters(&target, &token) } else { redemption_parameters(&target, &token) };
        mixed(right, target.token_path.clone(), post)
    });
    request.boxed()
}

/// A revocation of a token that the tester holds.
pub fn revocation_request(target: &Target, held: &[String]) -> BoxedStrategy<HttpRequest> {
    let target = target.clone();
    let request = credential(held)
        .prop_flat_map(move |token| mixed(revocation_parameters(&target, &token), target.revoke_path.clone(), post));
    request.boxed()
}

/// A registration.
pub fn registration_request(target: &Target) -> BoxedStrategy<HttpRequest> {
    let path = target.register_path.clone();
    let request = registration().prop_map(move |body| HttpRequest {
        method: "POST".into(),
        path: path.clone(),
        headers: alloc::vec![("Content-Type".to_string(), b"application/json".to_vec())],
        body: body.0.to_string().into_bytes(),
        ..HttpRequest::default()
    });
    prop_oneof![4 => request, 1 => hostile(target.register_path.clone())].boxed()
}

/// Any of these requests, of somebody who holds nothing.
pub fn request(target: &Target) -> BoxedStrategy<HttpRequest> {
    let strategies = [
        authorization_request(target),
        token_request(target, &[]),
        revocation_request(target, &[]),
        registration_request(target),
    ];
    proptest::strategy::Union::new(strategies).boxed()
}

fn mixed(
    right: Parameters,
    path: String,
    make: fn(&str, &[(String, String)]) -> HttpRequest,
) -> BoxedStrategy<HttpRequest> {
    let (as_is, nearly, elsewhere) = (make(&path, &right), path.clone(), hostile(path));
    prop_oneof![
        2 => Just(as_is),
        5 => nearly_right(right).prop_map(move |parameters| make(&nearly, &parameters)),
        2 => elsewhere,
    ]
    .boxed()
}

fn own(pairs: &[(&str, &str)]) -> Parameters {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

arbitrary_by!(HttpRequest, request(&Target::default()));
