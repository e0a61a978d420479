//! Whole journeys through the public API: what a person, a client and an operator live through together.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

use lockstep_conformance::fixture::{
    DOCUMENT, REDIRECT, RESOURCE, Tokens, assertion, assertion_claims, bearer, body, by_assertion, client_key,
    document, get, hidden, key_clients, manage, put, redeem, redirected, refresh, register, revoke, served, tokens,
    user,
};
use lockstep_conformance::running::Ended;
use lockstep_conformance::world::{Fault, World, event};
use lockstep_oauth::authorization_server::Answer;
use lockstep_oauth::authorization_server::operations::{Operated, Operation};
use lockstep_oauth::http::Fetched;
use lockstep_oauth::keys::KeyRing;
use lockstep_oauth::protected_resource::{Checked, IdentityKind};
use lockstep_oauth::question::Decision;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const FAULTS: [Fault; 3] = [Fault::Conflict, Fault::UnknownApplied, Fault::UnknownLost];

fn sign_out(world: &mut World, subject: &str) -> Operated {
    world.operate(Operation::SignOutEverywhere { subject: subject.into() }).operated
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

fn refused(answer: &Answer) -> &'static str {
    answer.refusal.unwrap_or_else(|| panic!("not refused: {answer:?}"))
}

fn check_refused(world: &mut World, token: &str) -> &'static str {
    match world.check(bearer(token)) {
        Checked::Refused(answer) => refused(&answer),
        Checked::Allowed(identity) => panic!("allowed: {identity:?}"),
    }
}

#[test]
fn a_connection_lives_from_the_first_page_to_its_revocation() {
    let mut world = World::new();
    let page = world.authorize(&["scope=notes:read notes:write"]);
    assert_eq!(page.response.status, 200);
    assert!(world.store.keys("grant").is_empty(), "nothing is stored before a person decides");
    let approved = world.consent(&page, &[]);
    assert_eq!(approved.response.status, 303);
    assert!(approved.response.header("location").unwrap().starts_with(REDIRECT));
    assert_eq!(redirected(&approved, "state").as_deref(), Some("s1"));
    assert_eq!(redirected(&approved, "iss").as_deref(), Some("https://as.example"));
    let code = redirected(&approved, "code").unwrap();

    let answer = world.send(redeem(&code));
    assert_eq!(body(&answer)["scope"], "notes:read notes:write");
    assert_eq!(body(&answer)["expires_in"], 3600);
    assert_eq!(answer.response.header("cache-control"), Some("no-store"));
    let mut current = tokens(&answer);
    let Checked::Allowed(identity) = world.check(bearer(&current.access)) else { panic!() };
    assert_eq!((identity.subject.as_str(), identity.client_id.as_str()), ("alice", "web"));
    assert_eq!((identity.resource.as_str(), identity.kind), (RESOURCE, IdentityKind::Access));
    assert_eq!(identity.claims["email"], "alice@example.com");
    assert_eq!(identity.scopes, ["notes:read", "notes:write"]);

    for _ in 0..20 {
        world.wait(3600);
        assert_eq!(check_refused(&mut world, &current.access), "bearer.expired");
        let next = tokens(&world.send(refresh(&current.refresh)));
        assert_ne!(next, current);
        current = next;
        assert!(world.passes(&current.access));
    }
    assert_eq!(world.introspected(&current.access)["active"], true);
    assert_eq!(world.store.keys("grant").len(), 1, "one grant, one record");

    assert_eq!(world.send(revoke(&current.refresh)).response.status, 200);
    assert_eq!(check_refused(&mut world, &current.access), "bearer.revoked");
    assert_eq!(world.introspected(&current.access), json!({ "active": false }));
    assert_eq!(refused(&world.send(refresh(&current.refresh))), "token.grant.dead");
}

#[test]
fn thirty_two_interleaved_refreshes_get_one_successor() {
    let mut world = World::new();
    let first = world.connect();
    world.wait(600);
    let lanes: Vec<usize> = (0..32).map(|_| world.begin(refresh(&first.refresh).call())).collect();
    world.interleave(&lanes);
    let answers: BTreeSet<(String, String)> = lanes
        .iter()
        .map(|lane| {
            let answer = world.answer_of(*lane);
            let Tokens { access, refresh } = tokens(&answer);
            (access, refresh)
        })
        .collect();
    assert_eq!(answers.len(), 1);
    let (access, successor) = answers.into_iter().next().unwrap();
    assert!(world.passes(&access));
    world.wait(31);
    assert!(!tokens(&world.send(refresh(&successor))).refresh.is_empty());
}

#[test]
fn of_sixty_four_redemptions_one_wins_and_its_tokens_live() {
    // However far each one has come before the next begins to move.
    for ahead in 0..4 {
        let mut world = World::new();
        let code = world.code(&[]);
        let lanes: Vec<usize> = (0..64).map(|_| world.begin(redeem(&code).call())).collect();
        for lane in &lanes {
            for _ in 0..ahead {
                world.step(*lane);
            }
        }
        let backwards: Vec<usize> = lanes.iter().rev().copied().collect();
        world.interleave(&backwards);
        let answers: Vec<Answer> = lanes.iter().map(|lane| world.answer_of(*lane)).collect();
        let (won, lost): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.refusal.is_none());
        assert_eq!(won.len(), 1, "ahead by {ahead}");
        assert!(lost.iter().all(|answer| answer.refusal == Some("token.code.raced") && answer.response.status == 400));
        let tokens = tokens(won[0]);
        assert!(world.passes(&tokens.access), "the loser of a race takes nothing from the winner");
        world.wait(60);
        assert_eq!(world.send(refresh(&tokens.refresh)).refusal, None);
    }
}

#[test]
fn an_unknown_or_conflicting_commit_converges_wherever_it_strikes() {
    // One, two or three faults in a row are survived; a fourth is a 503 that has lost nothing.
    for fault in FAULTS {
        for times in 1..=4 {
            let mut world = World::new();
            let faults = |world: &mut World| world.faults.extend(std::iter::repeat_n(fault, times));

            let page = world.authorize(&[]);
            faults(&mut world);
            let mut approved = world.consent(&page, &[]);
            if times > 3 && fault != Fault::UnknownApplied {
                assert_eq!((refused(&approved), approved.response.status), ("server.unavailable", 503));
                approved = world.consent(&page, &[]);
            }
            world.faults.clear();
            assert_eq!(world.store.keys("grant").len(), 1, "{fault:?} {times}");

            let code = redirected(&approved, "code").unwrap_or_else(|| panic!("{fault:?} {times} {approved:?}"));
            faults(&mut world);
            let mut redeemed = world.send(redeem(&code));
            if times > 3 && fault != Fault::UnknownApplied {
                assert_eq!(refused(&redeemed), "server.unavailable");
                redeemed = world.send(redeem(&code));
            }
            world.faults.clear();
            let first = tokens(&redeemed);
            assert!(world.passes(&first.access));

            faults(&mut world);
            let mut refreshed = world.send(refresh(&first.refresh));
            if times > 3 && fault != Fault::UnknownApplied {
                assert_eq!(refused(&refreshed), "server.unavailable");
                refreshed = world.send(refresh(&first.refresh));
            }
            world.faults.clear();
            let second = tokens(&refreshed);

            faults(&mut world);
            let mut revoked = world.send(revoke(&second.refresh));
            if times > 3 && fault != Fault::UnknownApplied {
                assert_eq!(refused(&revoked), "server.unavailable");
                revoked = world.send(revoke(&second.refresh));
            }
            world.faults.clear();
            assert_eq!(revoked.response.status, 200);
            assert!(event(&revoked.events, "grant.revoked").is_some(), "{fault:?} {times}: {revoked:?}");
            assert_eq!(check_refused(&mut world, &second.access), "bearer.revoked");
        }
    }
}

#[test]
fn a_store_that_cannot_be_read_is_a_503_everywhere_and_changes_nothing() {
    let mut world = World::new();
    let tokens = world.connect();
    let before = world.store.record(&world.store.keys("grant")[0]).cloned();
    for draft in [refresh(&tokens.refresh), revoke(&tokens.refresh)] {
        world.faults.push_back(Fault::LoadFails);
        let answer = world.send(draft);
        assert_eq!((answer.response.status, refused(&answer)), (503, "server.unavailable"));
        assert_eq!(answer.response.header("retry-after"), Some("1"));
    }
    world.faults.push_back(Fault::LoadFails);
    assert_eq!(check_refused(&mut world, &tokens.access), "server.unavailable");
    assert_eq!(world.store.record(&world.store.keys("grant")[0]).cloned(), before);
}

#[test]
fn approving_twice_gives_the_same_code_once() {
    let mut world = World::new();
    let page = world.authorize(&["scope=notes:read notes:write"]);
    let first = world.consent(&page, &[]);
    let second = world.consent(&page, &[]);
    assert_eq!(redirected(&first, "code"), redirected(&second, "code"));
    assert!(event(&second.events, "consent.repeated").is_some());
    // Other choices are another answer, and the ticket has been answered.
    assert_eq!(refused(&world.consent(&page, &["-scope"])), "consent.decided");
    let code = redirected(&first, "code").unwrap();
    let tokens = tokens(&world.send(redeem(&code)));
    assert_eq!(refused(&world.consent(&page, &[])), "consent.decided");
    assert!(world.passes(&tokens.access));
}

#[test]
fn interleaved_double_clicks_are_one_grant() {
    let mut world = World::new();
    let page = world.authorize(&[]);
    let form = world.consent_form(&page);
    let lanes: Vec<usize> = (0..3).map(|_| world.begin(form.clone().call())).collect();
    world.interleave(&lanes);
    let codes: BTreeSet<Option<String>> =
        lanes.iter().map(|lane| redirected(&world.answer_of(*lane), "code")).collect();
    assert_eq!(codes.len(), 1);
    assert!(codes.first().unwrap().is_some());
    assert_eq!(world.store.keys("grant").len(), 1);
}

#[test]
fn signing_out_everywhere_ends_what_was_and_not_what_comes() {
    let mut world = World::new();
    let (one, two) = (world.connect(), world.connect());
    let (personal, _) = issue_personal(&mut world, &[], 3600);
    world.sign_in = Decision::SignedIn(user("bob"));
    let bobs = world.connect();
    let late = {
        world.sign_in = Decision::SignedIn(user("alice"));
        world.code(&[])
    };
    assert_eq!(sign_out(&mut world, "alice"), Operated::SignedOut);
    for token in [&one.access, &two.access, &personal] {
        assert_eq!(check_refused(&mut world, token), "bearer.revoked");
    }
    assert_eq!(refused(&world.send(refresh(&one.refresh))), "token.grant.dead");
    assert_eq!(refused(&world.send(redeem(&late))), "token.grant.dead");
    assert!(world.passes(&bobs.access));
    let anew = world.connect();
    assert!(world.passes(&anew.access));
    assert_eq!(sign_out(&mut world, "alice"), Operated::SignedOut);
    assert_eq!(check_refused(&mut world, &anew.access), "bearer.revoked");
}

#[test]
fn signing_out_converges_and_counts_once_per_operation() {
    for fault in FAULTS {
        let mut world = World::new();
        let tokens = world.connect();
        world.faults.push_back(fault);
        assert_eq!(sign_out(&mut world, "alice"), Operated::SignedOut);
        assert_eq!(check_refused(&mut world, &tokens.access), "bearer.revoked");
        let key = world.server().subject_counter_key("alice");
        assert_eq!(world.server().subject_counter(world.store.record(key.as_str())), 1, "{fault:?}");
    }
}

#[test]
fn personal_tokens_are_listed_used_and_revoked() {
    let mut world = World::new();
    let (token, grant_id) = issue_personal(&mut world, &["notes:write", "notes:read"], 86_400);
    let connected = world.connect();
    let Checked::Allowed(identity) = world.check(bearer(&token)) else { panic!() };
    assert_eq!((identity.kind, identity.client_id.as_str()), (IdentityKind::Personal, ""));
    assert_eq!(identity.grant_id, grant_id);
    let listed = world.server().describe(&world.store.list("alice"), 0, world.now);
    assert_eq!(listed.len(), 2);
    let own = listed.iter().find(|summary| summary.personal).unwrap();
    assert_eq!((own.name.as_str(), own.grant_id.as_str()), ("laptop", grant_id.as_str()));
    assert_eq!(listed.iter().find(|summary| !summary.personal).unwrap().name, "Web App");

    let not_mine = Operation::RevokeGrant { subject: "bob".into(), grant_id: grant_id.clone() };
    assert_eq!(world.operate(not_mine).operated, Operated::NotFound);
    assert!(world.passes(&token));
    let mine = Operation::RevokeGrant { subject: "alice".into(), grant_id };
    assert_eq!(world.operate(mine.clone()).operated, Operated::Revoked);
    assert_eq!(world.operate(mine).operated, Operated::Revoked);
    assert_eq!(check_refused(&mut world, &token), "bearer.revoked");
    assert!(world.passes(&connected.access));
    assert_eq!(world.server().describe(&world.store.list("alice"), 0, world.now).len(), 1);

    let (short, _) = issue_personal(&mut world, &[], 60);
    world.wait(60);
    assert_eq!(check_refused(&mut world, &short), "bearer.expired");
}

#[test]
fn the_built_in_sign_in_carries_a_personal_token_to_a_connection() {
    let mut world = World::with(|config| put(config, "sign_in", json!("personal_token")));
    let (token, _) = issue_personal(&mut world, &[], 86_400);
    let sent = world.authorize(&[]);
    let location = sent.response.header("location").unwrap().to_owned();
    let (path, query) = location.split_once('?').unwrap();
    let page = world.send(get(path).but(&[&format!("?{query}")]));
    let next = hidden(&page, "next").replace("&#38;", "&").replace("&amp;", "&");
    let form = get(path).but(&["#POST", &format!("next={next}"), "token=nonsense"]);
    assert_eq!(refused(&world.send(form.clone())), "sign_in.token");
    let signed_in = world.send(form.but(&[&format!("token={token}")]));
    let back = signed_in.response.header("location").unwrap().to_owned();
    let (path, query) = back.split_once('?').unwrap();
    let cookies = world.cookie_change();
    let page = world.send(get(path).but(&[&format!("?{query}"), &cookies]));
    assert_eq!(page.response.status, 200, "{page:?}");
    let code = redirected(&world.consent(&page, &[]), "code").unwrap();
    let tokens = tokens(&world.send(redeem(&code)));
    assert!(world.passes(&tokens.access));
    // Signing out ends the session too.
    sign_out(&mut world, "alice");
    assert_eq!(world.authorize(&[]).response.status, 303);
}

fn document_changes() -> [String; 2] {
    [format!("client_id={DOCUMENT}"), "redirect_uri=https://app.example/cb".to_owned()]
}

#[test]
fn an_outage_of_a_client_document_locks_nobody_out() {
    let mut world = World::new();
    let changes = document_changes();
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    world.servers.insert(DOCUMENT.into(), served(200, &document()));
    let code = world.code(&changes);
    assert_eq!(world.fetches.len(), 1);
    let current = tokens(&world.send(redeem(&code).but(&changes)));
    assert_eq!(world.fetches.len(), 1, "fresh for an hour");

    world.wait(86_400);
    let mut current = current;
    for outage in
        [Fetched::Failed("timed out".into()), served(500, &json!({})), served(429, &json!({})), served(403, &json!({}))]
    {
        world.servers.insert(DOCUMENT.into(), outage);
        world.wait(20);
        let answer = world.send(refresh(&current.refresh).but(&changes[..1]));
        assert!(event(&answer.events, "client.document.stale").is_some(), "{answer:?}");
        current = tokens(&answer);
    }
    // Gone is gone.
    world.servers.insert(DOCUMENT.into(), served(404, &json!({})));
    assert_eq!(refused(&world.send(refresh(&current.refresh).but(&changes[..1]))), "client.document.status");
    // And a copy that is too old is none.
    world.servers.remove(DOCUMENT);
    world.wait(8 * 86_400);
    assert_eq!(refused(&world.send(refresh(&current.refresh).but(&changes[..1]))), "client.document.unreachable");
}

#[test]
fn jwt_access_tokens_repeat_pass_and_die_by_their_expiry() {
    let mut world = World::with(|config| put(config, "access_token_format", json!("jwt")));
    let first = world.connect();
    assert_eq!(first.access.split('.').count(), 3);
    let Checked::Allowed(identity) = world.check(bearer(&first.access)) else { panic!() };
    assert_eq!((identity.subject.as_str(), identity.client_id.as_str()), ("alice", "web"));
    world.wait(100);
    let second = tokens(&world.send(refresh(&first.refresh)));
    world.wait(10);
    assert_eq!(tokens(&world.send(refresh(&first.refresh))), second, "the same bytes, signature and all");
    assert_eq!(world.introspected(&second.access)["active"], true);
    assert_eq!(refused(&world.send(revoke(&second.access))), "revoke.jwt");
    assert_eq!(world.send(revoke(&second.refresh)).response.status, 200);
    assert!(world.passes(&second.access), "a resource without the store believes the signature");
    assert_eq!(world.introspected(&second.access), json!({ "active": false }));
    world.wait(300);
    assert_eq!(check_refused(&mut world, &second.access), "bearer.invalid");
    let keys = body(&world.send(get("/jwks")));
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1));
    assert!(keys["keys"][0].get("d").is_none());
}

#[test]
fn a_key_rotation_in_the_middle_of_a_life_is_not_noticed() {
    for format in ["opaque", "jwt"] {
        let mut world = World::with(|config| put(config, "access_token_format", json!(format)));
        let first = world.connect();
        let rotated = KeyRing::rotate(world.keys(), world.now, &[8; 32], 600, 200 * 86_400).unwrap();
        world.rekey(rotated);
        assert!(world.passes(&first.access));
        world.wait(200);
        let second = tokens(&world.send(refresh(&first.refresh)));
        world.wait(590);
        let third = tokens(&world.send(refresh(&second.refresh)));
        assert!(world.passes(&third.access));
        // A repeated answer is the same, although another key signs by now.
        assert_eq!(tokens(&world.send(refresh(&second.refresh))), third);
        let code = world.code(&[]);
        let anew = tokens(&world.send(redeem(&code)));
        assert!(world.passes(&anew.access));
    }
}

#[test]
fn a_retry_across_the_switch_of_keys_repeats_the_old_key() {
    let mut world = World::new();
    let first = world.connect();
    let rotated = KeyRing::rotate(world.keys(), world.now, &[8; 32], 100, 200 * 86_400).unwrap();
    world.rekey(rotated);
    world.wait(90);
    let second = tokens(&world.send(refresh(&first.refresh)));
    world.wait(20);
    assert_eq!(tokens(&world.send(refresh(&first.refresh))), second);
}

#[test]
fn a_clock_that_jumps_back_resurrects_nothing() {
    let mut world = World::new();
    let first = world.connect();
    world.wait(3000);
    let second = tokens(&world.send(refresh(&first.refresh)));
    world.wait(3000);
    // Generation 1 is old: by the record's own time, 3000 seconds lie between. The clock now says it is recent.
    world.now -= 5990;
    assert!(world.passes(&second.access));
    let third = tokens(&world.send(refresh(&second.refresh)));
    world.now += 5990;
    assert_eq!(refused(&world.send(refresh(&first.refresh))), "token.refresh.reused");
    assert_eq!(check_refused(&mut world, &third.access), "bearer.revoked");
    world.now -= 5990;
    assert_eq!(check_refused(&mut world, &third.access), "bearer.revoked");
}

#[test]
fn a_clock_that_jumps_back_does_not_let_a_ticket_be_answered_twice() {
    let mut world = World::new();
    let page = world.authorize(&[]);
    world.now -= 3600;
    let code = redirected(&world.consent(&page, &[]), "code").unwrap();
    world.now += 3600 + 300;
    assert_eq!(redirected(&world.consent(&page, &[]), "code"), Some(code), "the same code, which has expired");
}

#[test]
fn a_clock_that_jumps_back_does_not_reopen_a_code() {
    let mut world = World::new();
    let code = world.code(&[]);
    world.wait(60);
    assert_eq!(refused(&world.send(redeem(&code))), "token.code.expired");
    let code = world.code(&[]);
    world.now -= 1000;
    let tokens = tokens(&world.send(redeem(&code)));
    assert!(world.passes(&tokens.access));
}

#[test]
fn a_replayed_code_revokes_after_the_race_window_and_only_with_its_verifier() {
    let mut world = World::new();
    let code = world.code(&[]);
    let first = tokens(&world.send(redeem(&code)));
    assert_eq!(refused(&world.send(redeem(&code))), "token.code.raced");
    assert!(world.passes(&first.access));
    world.wait(5);
    assert_eq!(refused(&world.send(redeem(&code).but(&["-code_verifier"]))), "token.verifier.missing");
    assert_eq!(refused(&world.send(redeem(&code).but(&["client_id=other"]))), "token.code.client");
    assert!(world.passes(&first.access));
    assert_eq!(refused(&world.send(redeem(&code))), "token.code.reused");
    assert_eq!(check_refused(&mut world, &first.access), "bearer.revoked");
}

#[test]
fn a_deleted_registration_takes_its_tokens_with_it() {
    let mut world = World::with(|config| put(config, "registration", json!({ "mode": "open" })));
    let metadata = json!({
        "client_name": "Self Made", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    });
    let registered = world.send(register(&metadata));
    assert_eq!(registered.response.status, 201, "{registered:?}");
    let told = body(&registered);
    let (id, token) = (told["client_id"].as_str().unwrap(), told["registration_access_token"].as_str().unwrap());
    let client = format!("client_id={id}");
    let code = world.code(&[&client]);
    let tokens = tokens(&world.send(redeem(&code).but(&[&client])));
    assert!(world.passes(&tokens.access));
    // A person has trusted it, so it does not expire after a day.
    world.wait(3000);
    assert_eq!(body(&world.send(manage("GET", id, token)))["client_name"], "Self Made");

    assert_eq!(world.send(manage("DELETE", id, token)).response.status, 204);
    assert_eq!(check_refused(&mut world, &tokens.access), "bearer.revoked");
    assert_eq!(world.introspected(&tokens.access), json!({ "active": false }));
    assert_eq!(refused(&world.send(refresh(&tokens.refresh).but(&[&client]))), "client.unknown");
    assert_eq!(refused(&world.send(manage("GET", id, token))), "register.manage.token");
    assert_eq!(refused(&world.authorize(&[&client])), "client.unknown");
}

#[test]
fn registration_and_management_survive_faults() {
    for fault in FAULTS {
        let mut world = World::with(|config| put(config, "registration", json!({ "mode": "open" })));
        let metadata = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_post" });
        world.faults.push_back(fault);
        let told = body(&world.send(register(&metadata)));
        let (id, token) = (told["client_id"].as_str().unwrap(), told["registration_access_token"].as_str().unwrap());
        assert_eq!(world.store.keys("client").len(), 1);
        // An update that drops the secret names the secret that it drops.
        let update = json!({
            "client_id": id, "client_secret": told["client_secret"], "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "none",
        });
        world.faults.push_back(fault);
        let put = world.send(manage("PUT", id, token).but(&["@Content-Type: application/json", &format!("!{update}")]));
        assert_eq!(put.response.status, 200, "{fault:?}: {put:?}");
        assert_eq!(body(&put)["token_endpoint_auth_method"], "none");
        // And one that asks for a secret again is told the new one.
        let update = json!({ "client_id": id, "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_basic" });
        world.faults.push_back(fault);
        let put = world.send(manage("PUT", id, token).but(&["@Content-Type: application/json", &format!("!{update}")]));
        assert!(body(&put)["client_secret"].as_str().is_some_and(|secret| secret.starts_with("lss_")), "{put:?}");
        world.faults.push_back(fault);
        assert_eq!(world.send(manage("DELETE", id, token)).response.status, 204);
    }
}

#[test]
fn an_assertion_is_accepted_once_whatever_the_store_says() {
    for fault in [None, Some(Fault::Conflict), Some(Fault::UnknownApplied), Some(Fault::UnknownLost)] {
        let mut world = World::with(key_clients);
        let code = world.code(&["client_id=signer"]);
        let assertion = assertion(1, &assertion_claims("signer", world.now));
        let changes = by_assertion("signer", &assertion);
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        world.faults.extend(fault);
        let first = tokens(&world.send(redeem(&code).but(&changes)));
        assert_eq!(
            refused(&world.send(refresh(&first.refresh).but(&changes))),
            "client.assertion.replayed",
            "{fault:?}"
        );
        assert!(world.passes(&first.access));
    }
}

#[test]
fn an_assertion_that_races_itself_wins_once() {
    let mut world = World::with(key_clients);
    let assertion = assertion(1, &assertion_claims("signer", world.now));
    let changes = by_assertion("signer", &assertion);
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    let codes = [world.code(&["client_id=signer"]), world.code(&["client_id=signer"])];
    let lanes: Vec<usize> = codes.iter().map(|code| world.begin(redeem(code).but(&changes).call())).collect();
    world.interleave(&lanes);
    let refusals: Vec<Option<&str>> = lanes.iter().map(|lane| world.answer_of(*lane).refusal).collect();
    assert_eq!(refusals, [None, Some("client.assertion.replayed")]);
}

#[test]
fn an_unknown_kid_makes_us_look_again_within_a_budget() {
    use lockstep_conformance::fixture::KEY_SET;
    let mut world = World::with(key_clients);
    let set = |keys: &[u8]| -> Value {
        json!({ "keys": keys.iter().map(|key| Value::Object(client_key(*key).public().to_map())).collect::<Value>() })
    };
    world.servers.insert(KEY_SET.into(), served(200, &set(&[1])));
    let attempt = |world: &mut World, key: u8, jti: &str| {
        let code = world.code(&["client_id=fetched"]);
        let mut claims = assertion_claims("fetched", world.now);
        put(&mut claims, "jti", json!(jti));
        let changes = by_assertion("fetched", &assertion(key, &claims));
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        world.send(redeem(&code).but(&changes)).refusal
    };
    assert_eq!(attempt(&mut world, 1, "a"), None);
    assert_eq!(attempt(&mut world, 1, "b"), None);
    assert_eq!(world.fetches.len(), 1);
    world.servers.insert(KEY_SET.into(), served(200, &set(&[1, 2])));
    assert_eq!(attempt(&mut world, 2, "c"), None, "the client has a new key");
    assert_eq!(world.fetches.len(), 2);
    assert_eq!(attempt(&mut world, 3, "d"), Some("client.assertion.key"));
    let fetches = world.fetches.len();
    for jti in ["e", "f", "g"] {
        assert_eq!(attempt(&mut world, 3, jti), Some("client.assertion.key"));
    }
    assert!(world.fetches.len() <= fetches + 1, "unknown kids are not a way to make us fetch");
}

#[test]
fn an_old_refresh_token_ends_the_grant_and_a_lost_write_does_not() {
    let mut world = World::new();
    let first = world.connect();
    let backup = world.store.clone();
    world.wait(100);
    let second = tokens(&world.send(refresh(&first.refresh)));
    world.wait(100);
    let third = tokens(&world.send(refresh(&second.refresh)));
    let latest = std::mem::replace(&mut world.store, backup);
    let answer = world.send(refresh(&third.refresh));
    assert_eq!(refused(&answer), "token.refresh.ahead");
    world.store = latest;
    assert!(world.passes(&third.access));
    assert_eq!(refused(&world.send(refresh(&first.refresh))), "token.refresh.reused");
    assert_eq!(check_refused(&mut world, &third.access), "bearer.revoked");
    assert_eq!(refused(&world.send(refresh(&third.refresh))), "token.grant.dead");
}

#[test]
fn narrowing_narrows_one_access_token_and_not_the_grant() {
    let mut world = World::new();
    let code = world.code(&["scope=notes:read notes:write"]);
    let first = tokens(&world.send(redeem(&code)));
    world.wait(100);
    let narrow = world.send(refresh(&first.refresh).but(&["scope=notes:read"]));
    assert_eq!(body(&narrow)["scope"], "notes:read");
    let narrow = tokens(&narrow);
    let needs_write = |token: &str| {
        let mut request = bearer(token);
        request.scopes = vec!["notes:write".into()];
        request
    };
    let Checked::Refused(answer) = world.check(needs_write(&narrow.access)) else { panic!() };
    assert_eq!(refused(&answer), "bearer.scope");
    world.wait(100);
    let whole = tokens(&world.send(refresh(&narrow.refresh)));
    assert!(matches!(world.check(needs_write(&whole.access)), Checked::Allowed(_)));
}

#[test]
fn a_world_tells_the_same_story_twice() {
    let story = || {
        let mut world = World::new();
        let tokens = world.connect();
        world.passes(&tokens.access);
        let (transcripts, order) = world.transcripts(0);
        let outcomes: Vec<Value> = transcripts.into_iter().map(|transcript| transcript.outcome).collect();
        (outcomes, order)
    };
    assert_eq!(story(), story());
    let mut world = World::new();
    let lane = world.begin(get("/.well-known/oauth-authorization-server").call());
    assert!(matches!(world.finish(lane), Ended::Http(answer) if answer.response.status == 200));
}

#[test]
fn an_external_credential_does_not_open_a_resource_that_is_not_configured() {
    let mut world = World::with(|config| put(config, "verify_tokens", json!(true)));
    let credential = Decision::Credential { user: user("robot"), scopes: vec!["notes:read".into()], expires_at: None };
    world.credentials.insert("external".into(), credential);
    assert!(world.passes("external"));
    let now = world.now;
    let expired = Decision::Credential { user: user("robot"), scopes: Vec::new(), expires_at: Some(now) };
    world.credentials.insert("expired".into(), expired);
    assert_eq!(check_refused(&mut world, "expired"), "bearer.expired");
    let mut request = bearer("external");
    request.resource = "https://elsewhere.example/mcp".into();
    let Checked::Refused(answer) = world.check(request) else { panic!() };
    assert_eq!(refused(&answer), "bearer.audience");
}

#[test]
fn a_personal_token_names_each_scope_once_and_at_least_one() {
    let mut world = World::with(|config| {
        config["scopes"].as_array_mut().unwrap().push(json!({ "name": "offline_access" }));
    });
    let (token, _) = issue_personal(&mut world, &["notes:read"; 70], 60);
    assert!(world.passes(&token));
    let operation = Operation::IssuePersonal {
        subject: "alice".into(),
        name: String::new(),
        claims: serde_json::Map::new(),
        resource: String::new(),
        scopes: vec!["offline_access".into()],
        expires_in: 60,
    };
    let call = lockstep_conformance::transcript::Call::Operate(operation);
    assert_eq!(world.try_begin(call).unwrap_err().at, "scopes");
}

#[test]
fn as_many_scopes_as_may_be_configured_may_be_approved() {
    let mut world = World::with(|config| {
        let scopes: Vec<Value> = (0..63).map(|number| json!({ "name": format!("s{number}") })).collect();
        put(config, "scopes", json!(scopes));
    });
    let names: Vec<String> = (0..63).map(|number| format!("s{number}")).chain(["offline_access".into()]).collect();
    let code = world.code(&[&format!("scope={}", names.join(" "))]);
    let first = world.send(redeem(&code));
    assert_eq!(body(&first)["scope"], names.join(" "));

    let mut config = lockstep_conformance::fixture::config();
    put(&mut config, "scopes", (0..64).map(|number| json!({ "name": format!("s{number}") })).collect());
    let misuse = lockstep_oauth::authorization_server::config::Config::parse(&config.to_string()).unwrap_err();
    assert_eq!(misuse.at, "scopes");
}

#[test]
fn introspection_knows_that_the_client_of_a_jwt_was_deleted() {
    let mut world = World::with(|config| {
        put(config, "registration", json!({ "mode": "open" }));
        put(config, "access_token_format", json!("jwt"));
    });
    let metadata = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none" });
    let told = body(&world.send(register(&metadata)));
    let (id, token) = (told["client_id"].as_str().unwrap(), told["registration_access_token"].as_str().unwrap());
    let client = format!("client_id={id}");
    let code = world.code(&[&client]);
    let tokens = tokens(&world.send(redeem(&code).but(&[&client])));
    assert_eq!(world.introspected(&tokens.access)["active"], true);
    assert_eq!(world.send(manage("DELETE", id, token)).response.status, 204);
    assert_eq!(world.introspected(&tokens.access), json!({ "active": false }));
}

#[test]
fn a_fetched_document_is_written_once_and_not_loaded_again() {
    let mut world = World::new();
    let changes = document_changes();
    let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
    world.servers.insert(DOCUMENT.into(), served(200, &document()));
    world.authorize(&changes);
    world.wait(7200);
    let lane = world.begin(redeem("lsc_nonsense").but(&changes).call());
    let mut steps = Vec::new();
    loop {
        steps.push(world.waits_for(lane));
        if !world.step(lane) {
            break;
        }
    }
    assert_eq!(steps, ["load", "fetch", "commit", "done"]);
}
