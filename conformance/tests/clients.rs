//! Who a client is, and what is looked up before it is known: requirements that no other test had an eye on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use lockstep_conformance::fixture::{
    DOCUMENT, KEY_SET, assertion, assertion_claims, body, by_assertion, client_key, document, introspect, key_clients,
    put, put_client, redeem, refresh, register, served, tokens,
};
use lockstep_conformance::transcript::Call;
use lockstep_conformance::world::World;
use lockstep_oauth::http::{Fetched, HttpResponse};
use serde_json::{Value, json};

/// The sorts of steps that a call takes.
fn steps(world: &mut World, call: Call) -> Vec<&'static str> {
    let lane = world.begin(call);
    let mut steps = Vec::new();
    while world.waits_for(lane) != "done" {
        steps.push(world.waits_for(lane));
        world.step(lane);
    }
    steps
}

/// A URL of so many bytes at the document's host.
fn long_url(bytes: usize) -> String {
    let start = "https://app.example/";
    format!("{start}{}", "d".repeat(bytes - start.len()))
}

#[test]
fn a_public_client_may_not_introspect_whatever_its_configuration_says() {
    let mut world = World::with(|config| put_client(config, "web", "introspects", json!(true)));
    let own = world.connect();
    let answer = world.send(introspect(&own.access).but(&["client_id=web", "@-Authorization"]));
    assert_eq!(answer.refusal, Some("introspect.caller"));
    assert_eq!(world.introspected(&own.access)["active"], true);
}

#[test]
fn a_token_request_loads_everything_in_one_go_whoever_its_client_is() {
    let mut world = World::with(|config| put(config, "registration", json!({"mode": "open"})));
    world.servers.insert(DOCUMENT.into(), served(200, &document()));
    let metadata = json!({
        "redirect_uris": ["https://client.example/cb"], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    });
    let registered = body(&world.send(register(&metadata)));
    let clients = [
        ("web", "https://client.example/cb"),
        (registered["client_id"].as_str().unwrap(), "https://client.example/cb"),
        (DOCUMENT, "https://app.example/cb"),
    ];
    for (client, redirect) in clients {
        let own = [format!("client_id={client}"), format!("redirect_uri={redirect}")];
        let own = [own[0].as_str(), own[1].as_str()];
        let code = world.code(&own);
        assert_eq!(steps(&mut world, redeem(&code).but(&own).call()), ["load", "commit"], "{client}");
        let code = world.code(&own);
        let first = tokens(&world.send(redeem(&code).but(&own)));
        let again = steps(&mut world, refresh(&first.refresh).but(&own[..1]).call());
        assert_eq!(again, ["load", "commit"], "{client}");
    }
}

#[test]
fn a_client_identifier_has_at_most_512_bytes_and_a_longer_one_costs_nothing() {
    for (bytes, refusal, fetches) in [(512, "client.document.unreachable", 1), (513, "client.unknown", 0)] {
        let client = format!("client_id={}", long_url(bytes));
        let mut world = World::new();
        let answer = world.authorize(&[&client]);
        assert_eq!((answer.refusal, world.fetches.len()), (Some(refusal), fetches), "{bytes}");
        let asked = steps(&mut world, redeem("nonsense").but(&[&client]).call());
        let cheap: &[&str] = if bytes > 512 { &[] } else { &["load", "fetch"] };
        assert_eq!(asked, cheap, "{bytes}");
    }
}

#[test]
fn a_document_says_under_its_own_url_what_it_is() {
    for other in ["https://app.example/", "https://app.example", "", "https://app.example/other.json"] {
        let mut changed: Value = document();
        changed["client_id"] = json!(other);
        let mut world = World::new();
        world.servers.insert(DOCUMENT.into(), served(200, &changed));
        let answer = world.authorize(&[&format!("client_id={DOCUMENT}"), "redirect_uri=https://app.example/cb"]);
        assert_eq!(answer.refusal, Some("client.document.mismatch"), "{other}");
    }
}

#[test]
fn where_the_policy_says_so_a_documents_redirects_lie_at_its_own_host_and_not_at_one_that_ends_alike() {
    let answered = |redirect: &str| {
        let mut changed = document();
        changed["redirect_uris"] = json!([redirect]);
        let mut world = World::with(|config| put(config, "client_documents", json!({ "same_host_redirects": true })));
        world.servers.insert(DOCUMENT.into(), served(200, &changed));
        world.authorize(&[&format!("client_id={DOCUMENT}"), &format!("redirect_uri={redirect}")]).refusal
    };
    assert_eq!(answered("https://app.example/cb"), None);
    assert_eq!(answered("https://app.example:8443/cb"), None);
    assert_eq!(answered("http://127.0.0.1:5/cb"), None);
    for other in ["https://evil-app.example/cb", "https://sub.app.example/cb", "https://app.example.evil.example/cb"] {
        assert_eq!(answered(other), Some("client.document.redirect"), "{other}");
    }
}

#[test]
fn a_document_comes_as_json_and_says_so_once() {
    let answered = |types: &[&str]| {
        let mut response = HttpResponse::json(200, &document());
        response.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        response.headers.extend(types.iter().map(|value| ("Content-Type".to_owned(), (*value).to_owned())));
        let mut world = World::new();
        world.servers.insert(DOCUMENT.into(), Fetched::Response(response));
        world.authorize(&[&format!("client_id={DOCUMENT}"), "redirect_uri=https://app.example/cb"]).refusal
    };
    for fine in ["application/json", "APPLICATION/JSON; charset=utf-8", "application/oauth-client+json"] {
        assert_eq!(answered(&[fine]), None, "{fine}");
    }
    for other in ["application/octet-stream", "text/oauth-client+json", "text/json", "application/x-json", "json", ""] {
        assert_eq!(answered(&[other]), Some("client.document.media_type"), "{other}");
    }
    assert_eq!(answered(&[]), Some("client.document.media_type"));
    assert_eq!(answered(&["application/json", "application/json"]), Some("client.document.media_type"));
}

#[test]
fn a_document_may_name_its_keys_by_their_address() {
    let mut changed = document();
    changed["token_endpoint_auth_method"] = json!("private_key_jwt");
    changed["jwks_uri"] = json!(KEY_SET);
    let mut world = World::new();
    world.servers.insert(DOCUMENT.into(), served(200, &changed));
    world.servers.insert(KEY_SET.into(), served(200, &json!({ "keys": [client_key(1).public().to_map()] })));
    let own = [format!("client_id={DOCUMENT}"), "redirect_uri=https://app.example/cb".to_owned()];
    let own = [own[0].as_str(), own[1].as_str()];
    let code = world.code(&own);
    let redeemed = |world: &mut World, key: u8| {
        let proof = by_assertion(DOCUMENT, &assertion(key, &assertion_claims(DOCUMENT, world.now)));
        let proof: Vec<&str> = proof.iter().map(String::as_str).collect();
        world.send(redeem(&code).but(&own).but(&proof)).refusal
    };
    assert_eq!(world.send(redeem(&code).but(&own)).refusal, Some("client.unauthenticated"));
    assert_ne!(redeemed(&mut world, 2), None);
    assert_eq!(redeemed(&mut world, 1), None);
}

#[test]
fn a_set_of_keys_is_believed_until_the_second_in_which_it_is_stale() {
    let mut world = World::with(key_clients);
    world.servers.insert(KEY_SET.into(), served(200, &json!({ "keys": [client_key(1).public().to_map()] })));
    let mut fetches_after = |seconds: u64| {
        world.wait(seconds);
        let code = world.code(&["client_id=fetched"]);
        let mut claims = assertion_claims("fetched", world.now);
        put(&mut claims, "jti", json!(format!("at {}", world.now)));
        let proof = by_assertion("fetched", &assertion(1, &claims));
        let proof: Vec<&str> = proof.iter().map(String::as_str).collect();
        assert_eq!(world.send(redeem(&code).but(&proof)).refusal, None);
        world.fetches.len()
    };
    // An hour, where nothing else is said.
    assert_eq!([fetches_after(0), fetches_after(3599), fetches_after(1)], [1, 1, 2]);
}

#[test]
fn a_name_of_80_characters_is_shown_whole_and_a_longer_one_is_cut() {
    for (letters, cut) in [(79, false), (80, false), (81, true)] {
        let name = "é".repeat(letters);
        let mut world = World::with(|config| put_client(config, "web", "client_name", json!(name)));
        let page = String::from_utf8(world.authorize(&[]).response.body).unwrap();
        assert!(page.contains(&"é".repeat(letters.min(80))) && !page.contains(&"é".repeat(81)), "{letters}");
        assert_eq!(page.contains('…'), cut, "{letters}");
    }
}
