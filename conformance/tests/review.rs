//! Attacks that a review tried, each as the sentence that must hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

use lockstep_conformance::fixture::{
    DOCUMENT, KEY_SET, RESOURCE_2, assertion, assertion_claims, bearer, body, by_assertion, client_key, document, get,
    key_clients, keys, put, put_client, redeem, redirected, refresh, register, revoke, served, tokens, two_resources,
    user,
};
use lockstep_conformance::world::{BEGINNING, World, event};
use lockstep_oauth::authorization_server::Answer;
use lockstep_oauth::authorization_server::config::Config;
use lockstep_oauth::authorization_server::operations::{Operated, Operation};
use lockstep_oauth::keys::KeyRing;
use lockstep_oauth::protected_resource::Checked;
use lockstep_oauth::question::Decision;
use serde_json::{Value, json};

fn by_personal_token(config: &mut Value) {
    put(config, "sign_in", json!("personal_token"));
}

fn issue_personal(world: &mut World, scopes: &[&str], expires_in: u64) -> (String, String) {
    let outcome = world.operate(Operation::IssuePersonal {
        subject: "alice".into(),
        name: "laptop".into(),
        claims: user("alice").claims,
        resource: String::new(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        expires_in,
    });
    let Operated::Issued { token, grant_id, .. } = outcome.operated else { panic!("{outcome:?}") };
    (token, grant_id)
}

/// Pastes a credential into the built-in sign-in; the browser keeps the session.
fn paste(world: &mut World, credential: &str) -> Answer {
    world.send(get("/sign-in").but(&["#POST", &format!("token={credential}")]))
}

fn refused(answer: &Answer) -> &'static str {
    answer.refusal.unwrap_or_else(|| panic!("not refused: {answer:?}"))
}

fn is_sent_to_sign_in(world: &mut World) -> bool {
    let answer = world.authorize(&[]);
    answer.response.header("location").is_some_and(|location| location.starts_with("/sign-in"))
}

#[test]
fn a_narrow_personal_token_approves_no_scope_that_it_lacks() {
    let mut world = World::with(by_personal_token);
    let (token, _) = issue_personal(&mut world, &["notes:read"], 86_400);
    assert_eq!(paste(&mut world, &token).refusal, None);
    let page = world.authorize(&["scope=notes:read notes:write"]);
    let code = redirected(&world.consent(&page, &[]), "code").unwrap();
    assert_eq!(body(&world.send(redeem(&code)))["scope"], "notes:read");
    // And asking for what it lacks alone is denied.
    assert_eq!(refused(&world.authorize(&["scope=notes:write"])), "authorize.denied");
}

#[test]
fn a_page_of_a_wide_session_is_answered_within_a_narrow_one() {
    let mut world = World::with(by_personal_token);
    let (wide, _) = issue_personal(&mut world, &["notes:read", "notes:write"], 86_400);
    let (narrow, _) = issue_personal(&mut world, &["notes:read"], 86_400);
    paste(&mut world, &wide);
    let page = world.authorize(&["scope=notes:read notes:write"]);
    paste(&mut world, &narrow);
    let code = redirected(&world.consent(&page, &[]), "code").unwrap();
    assert_eq!(body(&world.send(redeem(&code)))["scope"], "notes:read");
}

#[test]
fn a_personal_token_of_one_resource_approves_nothing_at_another() {
    let mut world = World::with(|config| {
        by_personal_token(config);
        two_resources(config);
    });
    let (token, _) = issue_personal(&mut world, &["notes:read"], 86_400);
    paste(&mut world, &token);
    assert_eq!(refused(&world.authorize(&[&format!("resource={RESOURCE_2}")])), "authorize.denied");
}

#[test]
fn a_session_ends_with_the_personal_token_that_opened_it() {
    let mut world = World::with(by_personal_token);
    let (token, grant_id) = issue_personal(&mut world, &[], 86_400);
    paste(&mut world, &token);
    assert!(!is_sent_to_sign_in(&mut world));
    world.operate(Operation::RevokeGrant { subject: "alice".into(), grant_id });
    assert!(is_sent_to_sign_in(&mut world), "revoked");

    let (short, _) = issue_personal(&mut world, &[], 60);
    paste(&mut world, &short);
    assert!(!is_sent_to_sign_in(&mut world));
    world.wait(60);
    assert!(is_sent_to_sign_in(&mut world), "expired");
}

#[test]
fn a_session_reaches_no_further_than_a_credential_of_the_host() {
    let mut world = World::with(|config| {
        by_personal_token(config);
        put(config, "verify_tokens", json!(true));
    });
    let credential = |expires_at| Decision::Credential {
        user: user("alice"),
        scopes: vec!["notes:read".to_owned()],
        expires_at: Some(expires_at),
    };
    world.credentials.insert("external".into(), credential(BEGINNING + 60));
    assert_eq!(paste(&mut world, "external").refusal, None);
    let page = world.authorize(&["scope=notes:read notes:write"]);
    let code = redirected(&world.consent(&page, &[]), "code").unwrap();
    assert_eq!(body(&world.send(redeem(&code)))["scope"], "notes:read");
    world.wait(60);
    assert!(is_sent_to_sign_in(&mut world), "expired");
    world.credentials.insert("external".into(), credential(BEGINNING + 3600));
    paste(&mut world, "external");
    assert!(!is_sent_to_sign_in(&mut world));
    world.operate(Operation::SignOutEverywhere { subject: "alice".into() });
    assert!(
        is_sent_to_sign_in(&mut world),
        "the host still knows the credential, and the user has signed out everywhere"
    );
    paste(&mut world, "external");
    assert!(!is_sent_to_sign_in(&mut world));
    world.credentials.clear();
    assert!(is_sent_to_sign_in(&mut world), "the host no longer knows it");
}

#[test]
fn who_reaches_nothing_of_what_is_asked_is_not_asked_to_stay_signed_in() {
    let mut world = World::with(by_personal_token);
    let (token, _) = issue_personal(&mut world, &["notes:read"], 86_400);
    paste(&mut world, &token);
    assert_eq!(refused(&world.authorize(&["scope=notes:write offline_access"])), "authorize.denied");
    assert_eq!(world.authorize(&["scope=notes:read offline_access"]).refusal, None);
}

#[test]
fn a_personal_token_opens_no_session_once_its_user_has_signed_out_everywhere() {
    let mut world = World::with(by_personal_token);
    let (token, _) = issue_personal(&mut world, &[], 86_400);
    assert_eq!(paste(&mut world, &token).refusal, None);
    world.operate(Operation::SignOutEverywhere { subject: "alice".into() });
    assert_eq!(refused(&paste(&mut world, &token)), "sign_in.token");
}

#[test]
fn a_credential_of_the_host_has_at_most_2048_bytes() {
    for (bytes, refusal) in [(2047, None), (2048, None), (2049, Some("sign_in.token"))] {
        let mut world = World::with(|config| {
            by_personal_token(config);
            put(config, "verify_tokens", json!(true));
        });
        let credential = "c".repeat(bytes);
        world.credentials.insert(credential.clone(), Decision::SignedIn(user("alice")));
        assert_eq!(paste(&mut world, &credential).refusal, refusal, "{bytes}");
    }
}

#[test]
fn a_ticket_and_a_session_of_one_issuer_open_nothing_at_another_with_the_same_keys() {
    let other = |config: &mut Value| put(config, "issuer", json!("https://as.example/"));
    let mut here = World::new();
    let mut there = World::with(other);
    let page = here.authorize(&[]);
    there.cookies = here.cookies.clone();
    assert_eq!(refused(&there.consent(&page, &[])), "consent.ticket.invalid");

    let mut here = World::with(by_personal_token);
    let mut there = World::with(|config| {
        by_personal_token(config);
        other(config);
    });
    let (token, _) = issue_personal(&mut here, &[], 86_400);
    paste(&mut here, &token);
    there.cookies = here.cookies.clone();
    there.store = here.store.clone();
    assert!(is_sent_to_sign_in(&mut there));
}

#[test]
fn a_server_key_verifies_nothing_when_its_time_is_over() {
    let mut ring: Value = serde_json::from_str(&keys()).unwrap();
    ring["keys"][0]["verifies_until"] = json!(BEGINNING + 600);
    let second: Value = serde_json::from_str(&KeyRing::generate(BEGINNING + 300, &[8; 32])).unwrap();
    let second = second["keys"][0].clone();
    ring["keys"].as_array_mut().unwrap().push(second);
    let mut world = World::new();
    world.rekey(ring.to_string());
    let old = world.connect();
    let page = world.authorize(&[]);
    world.wait(599);
    assert!(world.passes(&old.access));
    world.wait(1);
    let Checked::Refused(answer) = world.check(bearer(&old.access)) else { panic!("the key is over") };
    assert_eq!(refused(&answer), "bearer.invalid");
    assert_eq!(refused(&world.send(refresh(&old.refresh))), "token.refresh.unknown");
    assert_eq!(refused(&world.consent(&page, &[])), "consent.ticket.invalid");
    let new = world.connect();
    assert!(world.passes(&new.access));
}

#[test]
fn a_key_whose_end_cannot_be_read_is_refused() {
    for list in ["keys", "jwt"] {
        let mut ring: Value = serde_json::from_str(&keys()).unwrap();
        ring[list][0]["verifies_until"] = json!("1800000000");
        let fault = KeyRing::parse(&ring.to_string(), "keys").unwrap_err();
        assert_eq!(fault.at, format!("keys.{list}[0].verifies_until"));
    }
}

#[test]
fn a_grant_that_is_approved_can_be_redeemed_refreshed_and_revoked_however_large_it_is() {
    let mut approvals = 0;
    for size in (7000..8200).step_by(7) {
        let mut world = World::with(|config| put(config, "access_token_format", json!("jwt")));
        let mut large = user("alice");
        large.claims.insert("padding".into(), json!("x".repeat(size)));
        world.sign_in = Decision::SignedIn(large);
        let page = world.authorize(&[]);
        let answer = world.consent(&page, &[]);
        let Some(code) = redirected(&answer, "code") else {
            assert_eq!(refused(&answer), "authorize.too_large");
            continue;
        };
        approvals += 1;
        let first = world.send(redeem(&code));
        assert_eq!(first.refusal, None, "{size}");
        let first = tokens(&first);
        let second = tokens(&world.send(refresh(&first.refresh)));
        assert_eq!(world.send(refresh(&first.refresh)).refusal, None, "{size}: marked as retried");
        let revoked = world.send(revoke(&second.refresh));
        assert!(event(&revoked.events, "grant.revoked").is_some(), "{size}: {revoked:?}");
    }
    assert!(approvals > 0);
}

#[test]
fn a_host_on_a_list_is_spelled_as_hosts_are() {
    for list in ["allow_hosts", "deny_hosts"] {
        for wrong in [
            "Evil.example",
            "https://evil.example",
            "evil.example:8443",
            "evil.example/",
            ".evil.example",
            "*",
            "*.",
            "a.*",
            "evil.example.",
            "",
        ] {
            let mut config = lockstep_conformance::fixture::config();
            put(&mut config, "client_documents", json!({ list: [wrong] }));
            let fault = Config::parse(&config.to_string()).unwrap_err();
            assert_eq!(fault.at, format!("client_documents.{list}"), "{wrong}");
        }
        for right in ["evil.example", "*.evil.example", "localhost", "[2606:4700::1]", "1.2.3.4"] {
            let mut config = lockstep_conformance::fixture::config();
            put(&mut config, "client_documents", json!({ list: [right] }));
            assert!(Config::parse(&config.to_string()).is_ok(), "{right}");
        }
    }
}

#[test]
fn introspection_does_not_date_an_older_token_by_the_newest() {
    let mut world = World::new();
    let first = world.connect();
    assert_eq!(world.introspected(&first.access)["iat"], BEGINNING);
    world.wait(600);
    let second = tokens(&world.send(refresh(&first.refresh)));
    assert_eq!(world.introspected(&second.access)["iat"], BEGINNING + 600);
    assert!(world.introspected(&first.access)["iat"].as_u64().is_none_or(|issued| issued <= BEGINNING));
}

#[test]
fn a_document_that_is_gone_comes_back_by_no_outage_and_no_spent_budget() {
    let changes = [format!("client_id={DOCUMENT}"), "redirect_uri=https://app.example/cb".to_owned()];
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    for status in [404, 410] {
        let mut world = World::new();
        world.servers.insert(DOCUMENT.into(), served(200, &document()));
        let code = world.code(&changes);
        let first = tokens(&world.send(redeem(&code).but(&changes)));
        world.wait(86_400);
        world.servers.insert(DOCUMENT.into(), served(status, &json!({})));
        for attempt in 0..40 {
            let answer = world.send(refresh(&first.refresh).but(&changes[..1]));
            assert!(answer.refusal.is_some(), "attempt {attempt} of {status}");
        }
        world.wait(60);
        world.servers.insert(DOCUMENT.into(), served(503, &json!({})));
        let answer = world.send(refresh(&first.refresh).but(&changes[..1]));
        assert_eq!(refused(&answer), "client.document.unreachable");
        // Its owner may put it back.
        world.servers.insert(DOCUMENT.into(), served(200, &document()));
        assert_eq!(world.send(refresh(&first.refresh).but(&changes[..1])).refusal, None);
    }
}

#[test]
fn a_key_set_that_is_gone_comes_back_by_no_outage_and_no_spent_budget() {
    let mut world = World::with(key_clients);
    let keys = json!({ "keys": [client_key(1).public().to_map()] });
    world.servers.insert(KEY_SET.into(), served(200, &keys));
    let sign = |world: &World, id: u32| {
        let mut claims = assertion_claims("fetched", world.now);
        put(&mut claims, "jti", json!(format!("attempt {id}")));
        assertion(1, &claims)
    };
    let attempt = |world: &mut World, id: u32| {
        let changes = by_assertion("fetched", &sign(world, id));
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        world.send(revoke("nothing").but(&changes))
    };
    assert_eq!(attempt(&mut world, 0).refusal, None);
    world.wait(86_400);
    world.servers.insert(KEY_SET.into(), served(404, &json!({})));
    for id in 1..=20 {
        assert!(attempt(&mut world, id).refusal.is_some(), "attempt {id}");
    }
    world.wait(60);
    world.servers.insert(KEY_SET.into(), served(200, &keys));
    assert_eq!(attempt(&mut world, 21).refusal, None);
}

#[test]
fn strangers_cannot_keep_a_known_document_stale_by_spending_the_budget_of_its_host() {
    let changes = [format!("client_id={DOCUMENT}"), "redirect_uri=https://app.example/cb".to_owned()];
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    let mut world = World::new();
    world.servers.insert(DOCUMENT.into(), served(200, &document()));
    world.code(&changes);
    world.wait(86_400);
    for guess in 0..40 {
        world.authorize(&[&format!("client_id=https://app.example/{guess}"), changes[1]]);
    }
    let mut moved = document();
    put(&mut moved, "redirect_uris", json!(["https://app.example/new"]));
    world.servers.insert(DOCUMENT.into(), served(200, &moved));
    assert_eq!(refused(&world.authorize(&changes)), "authorize.redirect");
}

#[test]
fn many_registrations_cannot_make_us_flood_one_host_with_fetches_of_keys() {
    let mut world = World::with(|config| put(config, "registration", json!({ "mode": "open", "per_hour": 1000 })));
    for number in 0..100 {
        let registered = world.send(register(&json!({
            "redirect_uris": ["https://client.example/cb"],
            "jwks_uri": format!("https://victim.example/keys?{number}"),
        })));
        let id = body(&registered)["client_id"].as_str().unwrap().to_owned();
        let changes = by_assertion(&id, &assertion(1, &assertion_claims(&id, world.now)));
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        assert_eq!(refused(&world.send(revoke("nothing").but(&changes))), "client.keys.unreachable");
    }
    assert_eq!(world.fetches.len(), 30, "as many as one host may be asked for in a minute");
}

#[test]
fn the_access_tokens_of_a_client_that_the_operator_disables_or_removes_are_dead_at_once() {
    let disable = |config: &mut Value| put_client(config, "web", "disabled", json!(true));
    let remove = |config: &mut Value| {
        config["clients"].as_array_mut().unwrap().retain(|client| client["client_id"] != "web");
    };
    for change in [&disable as &dyn Fn(&mut Value), &remove] {
        let mut world = World::new();
        let connected = world.connect();
        let (personal, _) = issue_personal(&mut world, &[], 3600);
        assert!(world.passes(&connected.access));
        world.reconfigure(change);
        let Checked::Refused(answer) = world.check(bearer(&connected.access)) else { panic!("the client is gone") };
        assert_eq!(refused(&answer), "bearer.revoked");
        assert_eq!(world.introspected(&connected.access), json!({ "active": false }));
        assert!(world.passes(&personal), "no client's");
    }
    let mut world = World::with(|config| put(config, "access_token_format", json!("jwt")));
    let connected = world.connect();
    world.reconfigure(disable);
    assert_eq!(world.introspected(&connected.access), json!({ "active": false }));
}
