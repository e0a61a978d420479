//! Several exchanges on one store, with the order of their steps.

use super::{Book, case};
use crate::fixture::{bearer, put, redeem, redirected, refresh, revoke, tokens, key_clients, assertion, assertion_claims, by_assertion};
use crate::world::{Fault, World};
use lockstep_oauth::authorization_server::operations::Operation;
use lockstep_oauth::keys::KeyRing;
use serde_json::json;

pub(super) fn scenarios(book: &mut Book) {
    whole(book);
    races(book);
    unknown(book);
    reuse(book);
}

fn whole(book: &mut Book) {
    book.journey(
        case("life", "A connection from the first page to its revocation.", "OAuth 2.1-15 §1.3", "The path of every client.", "200 303 200 allowed 200 allowed 200 bearer.revoked token.grant.dead"),
        || {
            let mut world = World::new();
            let page = world.authorize(&["scope=notes:read notes:write"]);
            let code = redirected(&world.consent(&page, &[]), "code").unwrap();
            world.wait(2);
            let first = tokens(&world.send(redeem(&code)));
            world.check(bearer(&first.access));
            world.wait(3600);
            let second = tokens(&world.send(refresh(&first.refresh)));
            world.check(bearer(&second.access));
            world.wait(60);
            world.send(revoke(&second.refresh));
            world.check(bearer(&second.access));
            world.send(refresh(&second.refresh));
            world
        },
    );
    book.journey(
        case("key-rotation", "Keys change in the middle of a life, and nobody notices.", "D5; S-11", "A key verifies before it signs, and until its last token has died.", "200 303 200 200 200 allowed"),
        || {
            let mut world = World::new();
            let page = world.authorize(&[]);
            let code = redirected(&world.consent(&page, &[]), "code").unwrap();
            world.rekey(KeyRing::rotate(world.keys(), world.now, &[8; 32], 30, 200 * 86_400).unwrap());
            let first = tokens(&world.send(redeem(&code)));
            world.wait(25);
            world.send(refresh(&first.refresh));
            world.wait(10);
            // The new key signs by now; the answer of the old one is repeated as it was.
            let second = tokens(&world.send(refresh(&first.refresh)));
            world.check(bearer(&second.access));
            world
        },
    );
    book.journey(
        case("signed-out-everywhere", "Signing out everywhere ends what was, and not what comes.", "D3", "The counter at approval is what a grant lives by.", "200 303 200 signed_out bearer.revoked token.grant.dead 200 303 200 allowed"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.operate(Operation::SignOutEverywhere { subject: "alice".into() });
            world.check(bearer(&first.access));
            world.send(refresh(&first.refresh));
            let second = world.connect();
            world.check(bearer(&second.access));
            world
        },
    );
    book.journey(
        case("step-up", "A client that lacks a scope asks again, and gets a second grant.", "MCP-S5; RFC 6750 §3.1; T-19", "The challenge names what is needed.", "200 303 200 bearer.scope 200 303 200 allowed"),
        || {
            let mut world = World::new();
            let first = world.connect();
            let needs = |token: &str| {
                let mut request = bearer(token);
                request.scopes.push("notes:write".into());
                request
            };
            world.check(needs(&first.access));
            let code = world.code(&["scope=notes:read notes:write"]);
            let second = tokens(&world.send(redeem(&code)));
            world.check(needs(&second.access));
            world
        },
    );
}

fn races(book: &mut Book) {
    book.journey(
        case("redemptions-race", "Two redemptions race; one wins, and its tokens live.", "D4; C-03", "A client that races itself is no thief.", "200 303 200 token.code.raced allowed"),
        || {
            let mut world = World::new();
            let code = world.code(&[]);
            let lanes = [world.begin(redeem(&code).call()), world.begin(redeem(&code).call())];
            world.interleave(&lanes);
            let won = tokens(&world.answer_of(lanes[0]));
            world.check(bearer(&won.access));
            world
        },
    );
    book.journey(
        case("redemptions-race-late", "The loser looks again after the race window, and revokes nothing.", "D4; C-03", "Its first look had found the code current.", "200 303 token.code.raced 200 allowed"),
        || {
            let mut world = World::with(|config| put(config, "code_race_seconds", json!(0)));
            let code = world.code(&[]);
            let loser = world.begin(redeem(&code).call());
            world.step_to(loser, "commit");
            let winner = world.begin(redeem(&code).call());
            let won = tokens(&world.answer_of(winner));
            world.finish(loser);
            world.check(bearer(&won.access));
            world
        },
    );
    book.journey(
        case("refreshes-race", "Three refreshes race, and get one successor.", "D6; F-05", "Desktop clients refresh in every window at once.", "200 303 200 200 200 200 allowed"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.wait(600);
            let lanes = [0; 3].map(|_| world.begin(refresh(&first.refresh).call()));
            world.interleave(&lanes);
            let successors = lanes.map(|lane| tokens(&world.answer_of(lane)));
            assert!(successors.iter().all(|tokens| *tokens == successors[0]));
            world.check(bearer(&successors[0].access));
            world
        },
    );
    book.journey(
        case("double-click", "Two clicks on the page are one grant and one code.", "OAuth 2.1-15 §4.1.2", "The grant's identifier is the ticket's.", "200 303 303 200"),
        || {
            let mut world = World::new();
            let page = world.authorize(&[]);
            let form = world.consent_form(&page);
            let lanes = [world.begin(form.clone().call()), world.begin(form.call())];
            world.interleave(&lanes);
            let codes = lanes.map(|lane| redirected(&world.answer_of(lane), "code"));
            assert!(codes[0].is_some() && codes[0] == codes[1]);
            world.send(redeem(codes[0].as_deref().unwrap()));
            world
        },
    );
    book.journey(
        case("revocation-meets-refresh", "A revocation that meets a refresh wins in the end.", "RFC 7009 §2; V-01", "200 is a promise.", "200 303 200 200 200 token.grant.dead"),
        || {
            let mut world = World::new();
            let first = world.connect();
            let revoking = world.begin(revoke(&first.refresh).call());
            world.step_to(revoking, "commit");
            let second = tokens(&world.send(refresh(&first.refresh)));
            world.finish(revoking);
            world.send(refresh(&second.refresh));
            world
        },
    );
    book.journey(
        case("refresh-meets-revocation", "A refresh that meets a revocation is refused.", "RFC 7009 §2; V-01", "No token leaves after it.", "200 303 200 token.grant.dead 200"),
        || {
            let mut world = World::new();
            let first = world.connect();
            let refreshing = world.begin(refresh(&first.refresh).call());
            world.step_to(refreshing, "commit");
            world.send(revoke(&first.refresh));
            world.finish(refreshing);
            world
        },
    );
    book.journey(
        case("assertion-races", "One assertion in two requests is accepted once.", "RFC 7523 §3; K-47", "It is recorded directly before the gate.", "200 303 200 303 200 client.assertion.replayed"),
        || {
            let mut world = World::with(key_clients);
            let codes = [world.code(&["client_id=signer"]), world.code(&["client_id=signer"])];
            let by = by_assertion("signer", &assertion(1, &assertion_claims("signer", world.now)));
            let by: Vec<&str> = by.iter().map(String::as_str).collect();
            let lanes = codes.map(|code| world.begin(redeem(&code).but(&by).call()));
            world.interleave(&lanes);
            world
        },
    );
}

fn unknown(book: &mut Book) {
    for (fault, slug, title) in [
        (Fault::UnknownApplied, "unknown-applied", "Every commit of a life is applied, and answered with silence."),
        (Fault::UnknownLost, "unknown-lost", "Every commit of a life is lost once, and answered with silence."),
    ] {
        book.journey(case(slug, title, "D4; S-02", "Approval, redemption, rotation and revocation each find their own stamp, or write again.", "200 303 200 200 200 bearer.revoked"), || {
            let mut world = World::new();
            let page = world.authorize(&[]);
            world.faults.push_back(fault);
            let code = redirected(&world.consent(&page, &[]), "code").unwrap();
            world.faults.push_back(fault);
            let first = tokens(&world.send(redeem(&code)));
            world.faults.push_back(fault);
            let second = tokens(&world.send(refresh(&first.refresh)));
            world.faults.push_back(fault);
            world.send(revoke(&second.refresh));
            world.check(bearer(&second.access));
            world
        });
    }
    book.journey(
        case("unknown-then-raced", "A redemption is lost in silence, and another one overtakes it.", "D4; S-02", "It had found the code current, so it revokes nothing.", "200 303 token.code.raced 200 allowed"),
        || {
            let mut world = World::new();
            let code = world.code(&[]);
            let slow = world.begin(redeem(&code).call());
            world.step_to(slow, "commit");
            world.faults.push_back(Fault::UnknownLost);
            world.step(slow);
            let won = tokens(&world.send(redeem(&code)));
            world.finish(slow);
            world.check(bearer(&won.access));
            world
        },
    );
    book.journey(
        case("lost-answer", "An answer is lost; the client refreshes again and gets the same.", "D6; F-03", "And the operator sees one overlap.", "200 303 200 200 200 200"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.wait(3600);
            let lost = tokens(&world.send(refresh(&first.refresh)));
            world.wait(20);
            let again = tokens(&world.send(refresh(&first.refresh)));
            assert_eq!(lost, again);
            world.wait(3600);
            world.send(refresh(&again.refresh));
            world
        },
    );
}

fn reuse(book: &mut Book) {
    book.journey(
        case("code-replay", "A code is replayed after the window, and its grant ends.", "OAuth 2.1-15 §7.5.2; C-02", "The tokens may be in the wrong hands.", "200 303 200 allowed token.code.reused bearer.revoked token.grant.dead"),
        || {
            let mut world = World::new();
            let code = world.code(&[]);
            let first = tokens(&world.send(redeem(&code)));
            world.wait(30);
            world.check(bearer(&first.access));
            world.send(redeem(&code));
            world.check(bearer(&first.access));
            world.send(refresh(&first.refresh));
            world
        },
    );
    book.journey(
        case("refresh-reuse", "A thief refreshes first; when the client comes, the grant ends for both.", "OAuth 2.1-15 §4.3.1; F-02", "Neither can be told from the other.", "200 303 200 200 token.refresh.reused bearer.revoked token.grant.dead"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.wait(600);
            let stolen = tokens(&world.send(refresh(&first.refresh)));
            world.wait(600);
            world.send(refresh(&first.refresh));
            world.check(bearer(&stolen.access));
            world.send(refresh(&stolen.refresh));
            world
        },
    );
    book.journey(
        case("refresh-reuse-unknown", "A revocation for reuse is of unknown fate, and holds.", "D4; F-02; S-02", "The refusal says why.", "200 303 200 200 token.refresh.reused bearer.revoked"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.wait(600);
            let second = tokens(&world.send(refresh(&first.refresh)));
            world.wait(600);
            world.faults.push_back(Fault::UnknownApplied);
            world.send(refresh(&first.refresh));
            world.check(bearer(&second.access));
            world
        },
    );
    book.journey(
        case("overlap-mark", "The first retry marks a generation, and one that nobody retried ends the streak.", "D6; F-05", "What a budget counts.", "200 303 200 200 200 200 200 200"),
        || {
            let mut world = World::new();
            let first = world.connect();
            let second = tokens(&world.send(refresh(&first.refresh)));
            world.send(refresh(&first.refresh));
            world.send(refresh(&first.refresh));
            let third = tokens(&world.send(refresh(&second.refresh)));
            world.send(refresh(&third.refresh));
            world
        },
    );
    book.journey(
        case("ahead", "A store goes back in time; the token that is ahead is refused, and the one before it works.", "RFC 9700 §4.14; F-09; S-03", "One live branch, and the operator is told.", "200 303 200 200 token.refresh.ahead 200"),
        || {
            let mut world = World::new();
            let first = world.connect();
            let backup = world.store.clone();
            let second = tokens(&world.send(refresh(&first.refresh)));
            world.store = backup;
            world.wait(10);
            world.send(refresh(&second.refresh));
            world.send(refresh(&first.refresh));
            world
        },
    );
    book.journey(
        case("clock-back", "The clock jumps back an hour; what is old stays old.", "S-08", "A record remembers its own last time.", "200 303 200 200 200 token.refresh.reused bearer.revoked"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.wait(600);
            let second = tokens(&world.send(refresh(&first.refresh)));
            world.wait(600);
            let third = tokens(&world.send(refresh(&second.refresh)));
            world.now -= 3600;
            world.send(refresh(&first.refresh));
            world.check(bearer(&third.access));
            world
        },
    );
}
