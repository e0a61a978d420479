//! What client metadata may say, member by member, at each limit and behind it.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use lockstep_conformance::fixture::{body, client_key, manage, put, register};
use lockstep_conformance::world::World;
use serde_json::{Value, json};

fn open() -> World {
    World::with(|config| put(config, "registration", json!({"mode": "open"})))
}

/// What registering with this member says of it; `None` when the registration is refused.
fn told(name: &str, value: &Value) -> Option<Value> {
    let mut metadata = json!({"redirect_uris": ["https://client.example/cb"]});
    metadata[name] = value.clone();
    let answer = open().send(register(&metadata));
    match answer.response.status {
        201 => Some(body(&answer)[name].clone()),
        400 => None,
        other => panic!("{other}"),
    }
}

#[test]
fn texts_have_limits_and_no_control_characters() {
    for (name, limit) in [("client_name", 200), ("software_id", 2048), ("software_version", 2048)] {
        let longest = json!("n".repeat(limit));
        assert_eq!(told(name, &longest), Some(longest), "{name}");
        assert_eq!(told(name, &json!("n".repeat(limit + 1))), None, "{name}");
        assert_eq!(told(name, &json!("a\u{7}b")), None, "{name}");
        assert_eq!(told(name, &json!(7)), None, "{name}");
        assert_eq!(told(name, &json!("")), Some(Value::Null), "{name}");
        assert_eq!(told(name, &Value::Null), Some(Value::Null), "{name}");
    }
}

#[test]
fn links_are_https_or_loopback() {
    for name in ["client_uri", "logo_uri", "tos_uri", "policy_uri"] {
        for good in ["https://client.example/about", "http://127.0.0.1:5000/logo.png", "http://localhost/x"] {
            assert_eq!(told(name, &json!(good)), Some(json!(good)), "{name}");
        }
        for bad in
            ["http://client.example/", "javascript:alert(1)", "data:text/html,x", "no URL", "ftp://client.example/"]
        {
            assert_eq!(told(name, &json!(bad)), None, "{name}: {bad}");
        }
    }
}

#[test]
fn lists_have_limits() {
    let contacts: Vec<String> = (0..11).map(|number| format!("mailto:{number}@client.example")).collect();
    assert_eq!(told("contacts", &json!(contacts)), Some(json!(contacts[..10])));
    assert_eq!(told("contacts", &json!([])), Some(Value::Null));
    assert_eq!(told("contacts", &json!("x")), None);
    assert_eq!(told("contacts", &json!([1])), None);
    let longest = json!(["c".repeat(2048)]);
    assert_eq!(told("contacts", &longest), Some(longest));
    assert_eq!(told("contacts", &json!(["c".repeat(2049)])), None);
    let uris = |count: usize| json!((0..count).map(|n| format!("https://client.example/{n}")).collect::<Vec<_>>());
    assert_eq!(told("redirect_uris", &uris(20)), Some(uris(20)));
    assert_eq!(told("redirect_uris", &uris(21)), None);
    assert_eq!(told("redirect_uris", &uris(0)), None);
    assert_eq!(told("redirect_uris", &json!(["https://client.example/cb", "javascript:x"])), None);
}

#[test]
fn kinds_and_grants_are_those_that_there_are() {
    assert_eq!(told("application_type", &json!("native")), Some(json!("native")));
    assert_eq!(told("application_type", &json!("web")), Some(json!("web")));
    assert_eq!(told("application_type", &json!("other")), None);
    let both = json!(["authorization_code", "refresh_token"]);
    assert_eq!(told("grant_types", &both), Some(both));
    assert_eq!(told("grant_types", &Value::Null), Some(json!(["authorization_code"])));
    assert_eq!(told("grant_types", &json!(["refresh_token"])), None);
    assert_eq!(told("response_types", &json!(["code", "token"])), Some(json!(["code"])));
    assert_eq!(told("response_types", &json!(["token"])), None);
}

#[test]
fn a_registration_has_at_most_32_kib() {
    let start = json!({"redirect_uris": ["https://client.example/cb"], "filling": ""}).to_string();
    for (length, status) in [(32 * 1024, 201), (32 * 1024 + 1, 400)] {
        let filling = "f".repeat(length - start.len());
        let metadata = json!({"redirect_uris": ["https://client.example/cb"], "filling": filling});
        assert_eq!(metadata.to_string().len(), length);
        assert_eq!(open().send(register(&metadata)).response.status, status, "{length}");
    }
}

#[test]
fn a_management_token_is_a_bearer_token() {
    let mut world = open();
    let registered = body(&world.send(register(&json!({"redirect_uris": ["https://client.example/cb"]}))));
    let (id, token) =
        (registered["client_id"].as_str().unwrap(), registered["registration_access_token"].as_str().unwrap());
    let mut with = |header: String| {
        let mut request = manage("GET", id, token).request();
        request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
        request.headers.push(("Authorization".to_owned(), header.into_bytes()));
        world.http(request).response.status
    };
    assert_eq!(with(format!("Bearer {token}")), 200);
    assert_eq!(with(format!("bearer  {token} ")), 200);
    for header in [
        format!("Basic {token}"),
        format!("DPoP {token}"),
        format!("Bearer {token} x"),
        "Bearer ".to_owned(),
        token.to_owned(),
    ] {
        assert_eq!(with(header.clone()), 401, "{header}");
    }
}

#[test]
fn keys_mean_private_key_jwt_and_must_all_be_usable() {
    let method = |member: Value| {
        let mut metadata = json!({"redirect_uris": ["https://client.example/cb"]});
        metadata.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
        let answer = open().send(register(&metadata));
        (answer.response.status == 201).then(|| body(&answer)["token_endpoint_auth_method"].clone())
    };
    let good = Value::Object(client_key(1).public().to_map());
    let unusable = json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"});
    assert_eq!(method(json!({})), Some(json!("client_secret_basic")));
    assert_eq!(method(json!({"jwks": {"keys": [good]}})), Some(json!("private_key_jwt")));
    assert_eq!(method(json!({"jwks_uri": "https://client.example/keys"})), Some(json!("private_key_jwt")));
    for refused in [
        json!({"jwks": {"keys": []}}),
        json!({"jwks": {"keys": [good, unusable]}}),
        json!({"jwks": {"keys": [good]}, "jwks_uri": "https://client.example/keys"}),
        json!({"jwks_uri": "http://client.example/keys"}),
        json!({"token_endpoint_auth_method": "private_key_jwt"}),
        json!({"token_endpoint_auth_method": "tls_client_auth"}),
    ] {
        assert_eq!(method(refused.clone()), None, "{refused}");
    }
}
