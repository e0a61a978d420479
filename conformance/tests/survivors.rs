//! Requirements that no other test had an eye on until a mutant of the core survived.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use lockstep_conformance::fixture::{
    body, hidden, introspect, manage, put, put_client, redeem, redirected, refresh, register, revoke, tokens,
};
use lockstep_conformance::world::World;
use serde_json::{Value, json};

/// Invariant 4: whoever found their token repeatable once may lose a race, and revokes nothing.
#[test]
fn a_retry_that_loses_a_race_does_not_revoke() {
    let mut world = World::new();
    let first = world.connect();
    let second = tokens(&world.send(refresh(&first.refresh)));
    let retry = world.begin(refresh(&first.refresh).call());
    world.step_to(retry, "commit");
    let third = tokens(&world.send(refresh(&second.refresh)));
    let answer = world.answer_of(retry);
    assert_eq!(answer.refusal, Some("token.refresh.raced"));
    assert!(world.passes(&third.access), "the grant lives");
    assert_eq!(world.send(refresh(&third.refresh)).response.status, 200);
}

#[test]
fn a_query_without_credentials_is_let_be() {
    let mut world = World::new();
    let code = world.code(&[]);
    let mut request = redeem(&code).request();
    request.query = b"x=1".to_vec();
    assert_eq!(world.http(request).response.status, 200);
}

#[test]
fn introspection_knows_a_token_whose_client_is_gone() {
    let mut world = World::new();
    let own = world.connect();
    assert_eq!(world.introspected(&own.access)["active"], true);
    world.reconfigure(|config| {
        let clients = config["clients"].as_array_mut().unwrap();
        clients.retain(|client| client["client_id"] != "web");
    });
    assert_eq!(world.introspected(&own.access)["active"], false);
}

#[test]
fn introspection_knows_a_token_whose_registration_was_deleted() {
    let mut world = World::with(|config| put(config, "registration", json!({"mode": "open"})));
    let registered = body(&world.send(register(&json!({
        "redirect_uris": ["https://client.example/cb"],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    }))));
    let (id, token) =
        (registered["client_id"].as_str().unwrap(), registered["registration_access_token"].as_str().unwrap());
    let client = format!("client_id={id}");
    let code = world.code(&[&client]);
    let own = tokens(&world.send(redeem(&code).but(&[&client])));
    assert_eq!(body(&world.send(introspect(&own.access)))["active"], true);
    assert_eq!(world.send(manage("DELETE", id, token)).response.status, 204);
    assert_eq!(body(&world.send(introspect(&own.access)))["active"], false);
}

#[test]
fn revoking_what_is_no_token_succeeds_where_tokens_are_jwts() {
    let mut world = World::with(|config| put(config, "access_token_format", json!("jwt")));
    let own = world.connect();
    assert_eq!(world.send(revoke("garbage")).response.status, 200);
    assert_eq!(world.send(revoke(&own.access)).refusal, Some("revoke.jwt"));
}

#[test]
fn a_ticket_of_exactly_8_kib_can_be_approved() {
    // A control character takes six bytes of the ticket, a letter one.
    let state = |letters: usize| format!("state={}{}", "\u{1}".repeat(800), "s".repeat(letters));
    let sealed = |letters: usize| hidden(&World::new().authorize(&[&state(letters)]), "ticket").len();
    let letters = 8192 * 3 / 4 - sealed(0) * 3 / 4;
    let mut world = World::new();
    let page = world.authorize(&[&state(letters)]);
    assert_eq!(hidden(&page, "ticket").len(), 8192);
    let approved = world.consent(&page, &[]);
    assert!(redirected(&approved, "code").is_some(), "{:?}", approved.refusal);
    assert_eq!(World::new().authorize(&[&state(letters + 1)]).refusal, Some("authorize.too_large"));
}

#[test]
fn a_signed_token_dies_with_its_key_to_the_second() {
    let mut world = World::with(|config| put(config, "access_token_format", json!("jwt")));
    let own = world.connect();
    let end = world.now + 10;
    let mut ring: Value = serde_json::from_str(world.keys()).unwrap();
    ring["jwt"][0]["verifies_until"] = end.into();
    world.rekey(ring.to_string());
    world.wait(9);
    assert_eq!(world.introspected(&own.access)["active"], true);
    world.wait(1);
    assert_eq!((world.now, world.introspected(&own.access)["active"].clone()), (end, false.into()));
}

#[test]
fn a_client_that_is_held_to_some_scopes_may_still_ask_for_refresh_tokens() {
    let mut world = World::with(|config| put_client(config, "web", "scopes", json!(["notes:read"])));
    let code = world.code(&["scope=notes:read notes:write offline_access"]);
    assert_eq!(body(&world.send(redeem(&code)))["scope"], "notes:read offline_access");
}
