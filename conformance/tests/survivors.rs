//! Requirements that no other test had an eye on until a mutant of the core survived, or a fault that was made by hand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use lockstep_conformance::fixture::{
    DOCUMENT, KEY_SET, REDIRECT, RESOURCE, RESOURCE_2, assertion, assertion_claims, bearer, body, by_assertion,
    client_key, document, hidden, introspect, key_clients, manage, put, put_client, redeem, redirected, refresh,
    register, revoke, served, tokens, two_resources,
};
use lockstep_conformance::world::World;
use lockstep_oauth::authorization_server::Answer;
use lockstep_oauth::authorization_server::operations::{Operated, Operation};
use lockstep_oauth::http::{Fetched, HttpResponse};
use lockstep_oauth::protected_resource::{CheckRequest, Checked};
use lockstep_oauth::question::Decision;
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

#[test]
fn a_domain_on_a_list_stands_for_what_is_below_it_and_not_for_what_ends_alike() {
    // The document lies at `app.example`.
    let answered = |list: &str, domain: &str| {
        let mut world = World::with(|config| put(config, "client_documents", json!({ list: [domain] })));
        world.servers.insert(DOCUMENT.into(), served(200, &document()));
        world.authorize(&[&format!("client_id={DOCUMENT}"), "redirect_uri=https://app.example/cb"]).refusal
    };
    let distrusted = Some("client.document.trust");
    assert_eq!((answered("allow_hosts", "*.example"), answered("deny_hosts", "*.example")), (None, distrusted));
    for other in ["*.pp.example", "*.app.example", "pp.example", "example"] {
        assert_eq!((answered("allow_hosts", other), answered("deny_hosts", other)), (distrusted, None), "{other}");
    }
}

#[test]
fn where_the_policy_says_so_refresh_tokens_are_for_those_who_asked_to_stay() {
    let refreshes = |policy: &str, scope: &str| {
        let mut world = World::with(|config| put(config, "refresh", json!(policy)));
        let code = world.code(&[scope]);
        body(&world.send(redeem(&code))).get("refresh_token").is_some()
    };
    let (plain, staying) = ("scope=notes:read", "scope=notes:read offline_access");
    assert!(!refreshes("offline_access", plain) && refreshes("offline_access", staying));
    assert!(refreshes("grant_types", plain) && refreshes("grant_types", staying));
    assert!(!refreshes("never", plain) && !refreshes("never", staying));
}

#[test]
fn revoking_an_access_token_ends_it_and_those_before_it_and_none_after() {
    let mut world = World::new();
    let first = world.connect();
    world.wait(60);
    let second = tokens(&world.send(refresh(&first.refresh)));
    world.wait(60);
    let third = tokens(&world.send(refresh(&second.refresh)));
    assert_eq!(world.send(revoke(&second.access)).response.status, 200);
    let passing = [&first, &second, &third].map(|tokens| world.passes(&tokens.access));
    assert_eq!(passing, [false, false, true]);
    // Revoking an older one afterwards brings none back.
    assert_eq!(world.send(revoke(&first.access)).response.status, 200);
    assert!(!world.passes(&second.access) && world.passes(&third.access));
    assert_eq!(world.send(refresh(&third.refresh)).response.status, 200);
}

#[test]
fn a_token_is_worth_nothing_once_the_registration_of_its_client_has_ended() {
    // An approval leaves a registration as it is that ends within a day of the grant.
    let mut world = World::with(|config| {
        put(config, "registration", json!({"mode": "open", "unused_seconds": 60}));
        put(config, "absolute_seconds", json!(86_400));
    });
    let registered = body(&world.send(register(&json!({
        "redirect_uris": ["https://client.example/cb"], "token_endpoint_auth_method": "none",
    }))));
    let client = format!("client_id={}", registered["client_id"].as_str().unwrap());
    let code = world.code(&[&client]);
    let own = tokens(&world.send(redeem(&code).but(&[&client])));
    world.wait(59);
    assert!(world.passes(&own.access));
    assert_eq!(world.introspected(&own.access)["active"], true);
    world.wait(1);
    assert!(!world.passes(&own.access));
    assert_eq!(world.introspected(&own.access)["active"], false);
}

#[test]
fn a_token_carries_no_scope_that_its_resource_does_not_understand() {
    let mut world = World::with(|config| {
        let (reading, writing) = (json!(["notes:read"]), json!(["notes:write"]));
        let first = json!({ "resource": RESOURCE, "scopes": reading });
        put(config, "resources", json!([first, { "resource": RESOURCE_2, "scopes": writing }]));
        put(config, "several_resources", json!(true));
    });
    let code = world.code(&["scope=notes:read notes:write", &format!("+resource={RESOURCE_2}")]);
    let first = world.send(redeem(&code));
    let second = world.send(refresh(&tokens(&first).refresh).but(&[&format!("resource={RESOURCE_2}")]));
    assert_eq!((&body(&first)["scope"], &body(&second)["scope"]), (&json!("notes:read"), &json!("notes:write")));
    let mut opened = |answer: &Answer, resource: &str| {
        let check =
            CheckRequest { resource: resource.to_owned(), scopes: Vec::new(), ..bearer(&tokens(answer).access) };
        match world.check(check) {
            Checked::Allowed(identity) => identity.scopes,
            Checked::Refused(_) => Vec::new(),
        }
    };
    assert_eq!((opened(&first, RESOURCE), opened(&first, RESOURCE_2)), (vec!["notes:read".to_owned()], vec![]));
    assert_eq!((opened(&second, RESOURCE_2), opened(&second, RESOURCE)), (vec!["notes:write".to_owned()], vec![]));
}

#[test]
fn a_token_opens_the_resource_that_it_was_asked_for_whatever_the_order_of_the_configuration() {
    for approved in [vec![RESOURCE_2], vec![RESOURCE_2, RESOURCE], vec![RESOURCE, RESOURCE_2]] {
        let mut world = World::with(|config| {
            two_resources(config);
            put(config, "several_resources", json!(true));
        });
        let mut asked: Vec<String> = approved.iter().map(|resource| format!("+resource={resource}")).collect();
        asked.insert(0, "-resource".to_owned());
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let code = world.code(&asked);
        let first = tokens(&world.send(redeem(&code).but(&[&format!("resource={}", approved[0])])));
        for resource in approved {
            let own = tokens(&world.send(refresh(&first.refresh).but(&[&format!("resource={resource}")])));
            for there in [RESOURCE, RESOURCE_2] {
                let check = CheckRequest { resource: there.to_owned(), ..bearer(&own.access) };
                assert_eq!(
                    matches!(world.check(check), Checked::Allowed(_)),
                    there == resource,
                    "{resource} at {there}"
                );
            }
        }
        let opens = CheckRequest { resource: RESOURCE_2.to_owned(), ..bearer(&first.access) };
        assert_eq!(matches!(world.check(opens), Checked::Allowed(_)), asked[1].ends_with(RESOURCE_2));
    }
}

#[test]
fn a_redirect_uri_at_the_token_endpoint_is_the_one_of_the_request_or_is_not_sent() {
    let answered = |change: &str| {
        let mut world = World::new();
        let code = world.code(&[]);
        let answer = world.send(redeem(&code).but(&[change]));
        let refusal = answer.refusal;
        // Whoever is refused for it has not spent the code.
        let redeemed = refusal.is_none() || world.send(redeem(&code)).response.status == 200;
        (refusal, redeemed)
    };
    assert_eq!(answered("-redirect_uri"), (None, true));
    let longer = format!("{REDIRECT}/");
    let shorter = &REDIRECT[..REDIRECT.len() - 1];
    let upper = REDIRECT.to_ascii_uppercase();
    for other in ["", "https", shorter, &longer, &upper] {
        let (refusal, redeemed) = answered(&format!("redirect_uri={other}"));
        assert!(redeemed && refusal == (!other.is_empty()).then_some("token.code.redirect"), "{other}: {refusal:?}");
    }
}

#[test]
fn who_is_refused_by_the_host_gets_no_repeated_answer_either() {
    let mut world = World::with(|config| put(config, "ask_refresh", json!(true)));
    let first = world.connect();
    let second = tokens(&world.send(refresh(&first.refresh)));
    let again = |world: &mut World, says: Decision| {
        world.refresh = says;
        world.send(refresh(&first.refresh))
    };
    assert_eq!(again(&mut world, Decision::Refuse).refusal, Some("token.refresh.refused"));
    assert_eq!(tokens(&again(&mut world, Decision::Allow)), second);
    // The generation has been marked: nothing is written any more.
    assert_eq!(again(&mut world, Decision::Refuse).refusal, Some("token.refresh.refused"));
    assert_eq!(tokens(&again(&mut world, Decision::Allow)), second);
}

#[test]
fn an_assertion_is_remembered_for_as_long_as_it_could_be_accepted_and_by_its_client() {
    let mut world = World::with(key_clients);
    world
        .servers
        .insert(KEY_SET.into(), served(200, &json!({ "keys": [Value::Object(client_key(1).public().to_map())] })));
    let began = world.now;
    let attempt = |world: &mut World, client: &str| {
        let code = world.code(&[&format!("client_id={client}")]);
        let changes = by_assertion(client, &assertion(1, &assertion_claims(client, began)));
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        world.send(redeem(&code).but(&changes)).refusal
    };
    assert_eq!(attempt(&mut world, "signer"), None);
    // Both call it `j1`.
    assert_eq!(attempt(&mut world, "fetched"), None);
    // It lives for five minutes, and a clock may be off by one.
    world.wait(359);
    assert_eq!(attempt(&mut world, "signer"), Some("client.assertion.replayed"));
    world.wait(1);
    assert_eq!(attempt(&mut world, "signer"), Some("client.assertion.claims"));
}

#[test]
fn a_configured_client_whose_name_is_a_url_is_not_looked_for_there() {
    let mut world = World::with(|config| {
        let client = json!({ "client_id": DOCUMENT, "redirect_uris": [REDIRECT] });
        config["clients"].as_array_mut().unwrap().push(client);
    });
    world.servers.insert(DOCUMENT.into(), served(200, &document()));
    let client = format!("client_id={DOCUMENT}");
    let code = world.code(&[&client]);
    let own = tokens(&world.send(redeem(&code).but(&[&client])));
    assert!(world.passes(&own.access) && world.fetches.is_empty());
}

#[test]
fn a_document_that_was_old_when_it_came_is_fresh_for_what_is_left() {
    let mut response = HttpResponse::json(200, &document());
    response.headers.push(("Cache-Control".into(), "max-age=3600".into()));
    response.headers.push(("Age".into(), "3000".into()));
    let mut world = World::new();
    world.servers.insert(DOCUMENT.into(), Fetched::Response(response));
    let mut fetches_after = |seconds: u64| {
        world.wait(seconds);
        world.authorize(&[&format!("client_id={DOCUMENT}"), "redirect_uri=https://app.example/cb"]);
        world.fetches.len()
    };
    assert_eq!([fetches_after(0), fetches_after(599), fetches_after(1)], [1, 1, 2]);
}

#[test]
fn who_is_told_that_there_is_no_such_connection_has_ended_none() {
    // The grant ends before its code would.
    let mut world = World::with(|config| {
        put(config, "code_seconds", json!(600));
        put(config, "absolute_seconds", json!(200));
        put(config, "ticket_seconds", json!(30));
    });
    let code = world.code(&[]);
    let key = world.store.keys("grant").remove(0);
    let grant_id = key.rsplit('/').next().unwrap().to_owned();
    let end = Operation::RevokeGrant { subject: "alice".into(), grant_id };
    for (seconds, operated) in [(259, Operated::Revoked), (260, Operated::NotFound), (300, Operated::NotFound)] {
        let mut later = World::with(|config| {
            put(config, "code_seconds", json!(600));
            put(config, "absolute_seconds", json!(200));
            put(config, "ticket_seconds", json!(30));
        });
        later.store = world.store.clone();
        later.wait(seconds);
        assert_eq!(later.operate(end.clone()).operated, operated, "{seconds}");
        let written = later.store.record(&key) != world.store.record(&key);
        assert_eq!(written, operated == Operated::Revoked, "{seconds}");
    }
    world.wait(200);
    assert_eq!(world.send(redeem(&code)).refusal, Some("token.grant.dead"));
}
