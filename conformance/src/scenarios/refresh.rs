//! The token endpoint: rotating refresh tokens.

use super::{Book, case};
use crate::fixture::{Tokens, put, redeem, refresh, revoke, tokens};
use crate::world::{Fault, World};
use lockstep_oauth::authorization_server::operations::Operation;
use lockstep_oauth::question::Decision;
use serde_json::{Value, json};

type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    ("rotated", "A refresh token is exchanged for its successor.", "OAuth 2.1-15 §4.3.1; F-01", "One generation at a time.", "200", &[]),
    ("narrowed", "An access token may be narrower than the grant.", "OAuth 2.1-15 §4.3.1", "And the refresh token keeps the whole of it.", "200", &["scope=notes:read"]),
    ("resource", "The resource may be named.", "RFC 8707 §2.2; MCP-P1", "MCP clients always do.", "200", &["resource=https://mcp.example/mcp"]),
    ("no-token", "A request without a refresh token is refused.", "OAuth 2.1-15 §4.3.1", "It is required.", "token.refresh.missing", &["-refresh_token"]),
    ("malformed", "A refresh token that is none is refused without looking into the store.", "OAuth 2.1-15 §4.3.1", "Noise costs no load.", "token.refresh.unknown", &["refresh_token=lsr_nonsense"]),
    ("other-client", "A refresh token of another client is refused, and the grant is untouched.", "OAuth 2.1-15 §4.3.1; F-12", "A thief must not be able to end it either.", "token.refresh.client", &["client_id=other"]),
    ("wider-scope", "A scope that was not approved is refused.", "OAuth 2.1-15 §4.3.1; F-14", "More needs the user.", "token.scope", &["scope=notes:read notes:admin"]),
    ("scope-characters", "A scope with a quote is refused.", "OAuth 2.1-15 §1.4.1", "No scope has one.", "token.scope.malformed", &["scope=notes\""]),
    ("other-resource", "A resource that was not approved is refused.", "RFC 8707 §2.2", "More needs the user.", "token.resource", &["resource=https://mcp.example/api"]),
];

/// A world in which alice has approved two scopes, and a minute has passed.
fn connected(change: impl FnOnce(&mut Value)) -> (World, Tokens) {
    let mut world = World::with(change);
    let code = world.code(&["scope=notes:read notes:write"]);
    let first = tokens(&world.send(redeem(&code)));
    world.wait(60);
    (world, first)
}

pub(super) fn scenarios(book: &mut Book) {
    for (slug, title, spec, why, ends, changes) in ROWS {
        book.one(case(slug, title, spec, why, ends), || {
            let (mut world, first) = connected(|_| {});
            world.send(refresh(&first.refresh).but(changes));
            world
        });
    }
    retries(book);
    ends(book);
    faults(book);
}

fn retries(book: &mut Book) {
    let retried = |after: u64, times: usize| {
        move || {
            let (mut world, first) = connected(|_| {});
            world.send(refresh(&first.refresh));
            world.wait(after);
            for _ in 0..times {
                world.send(refresh(&first.refresh));
            }
            world
        }
    };
    book.one(case("retried", "A retry inside the window gets the same successor, and marks the generation.", "D6; F-03", "The answer was lost on the way.", "200"), retried(30, 1));
    book.one(case("retried-again", "A further retry writes nothing.", "D6; F-05", "The generation is marked already.", "200"), retried(30, 2));
    book.one(case("reused", "A retry after the window revokes the grant.", "OAuth 2.1-15 §4.3.1; F-02", "A copy is in other hands, or an old one was kept.", "token.refresh.reused"), retried(31, 1));
    book.one(
        case("retried-narrower", "A retry may select something else of the same generation.", "D6", "Tokens are functions of the record and the selection.", "200"),
        || {
            let (mut world, first) = connected(|_| {});
            world.send(refresh(&first.refresh));
            world.send(refresh(&first.refresh).but(&["scope=notes:read"]));
            world
        },
    );
    book.one(
        case("older", "A token two generations old revokes, however recent.", "OAuth 2.1-15 §4.3.1; F-11", "Whoever has its successor has refreshed already.", "token.refresh.reused"),
        || {
            let (mut world, first) = connected(|_| {});
            let second = tokens(&world.send(refresh(&first.refresh)));
            world.send(refresh(&second.refresh));
            world.send(refresh(&first.refresh));
            world
        },
    );
    book.one(
        case("strict", "Without a window the second use revokes.", "OAuth 2.1-15 §4.3.1; F-02", "`retry_window_seconds` is 0.", "token.refresh.reused"),
        || {
            let (mut world, first) = connected(|config| put(config, "retry_window_seconds", json!(0)));
            world.send(refresh(&first.refresh));
            world.send(refresh(&first.refresh));
            world
        },
    );
    book.one(
        case("strict-raced", "Without a window the loser of a race is refused, and the winner's tokens live.", "D4; F-06", "Its first look had found the token current.", "token.refresh.raced"),
        || {
            let (mut world, first) = connected(|config| put(config, "retry_window_seconds", json!(0)));
            let winner = world.begin(refresh(&first.refresh).call());
            let loser = world.begin(refresh(&first.refresh).call());
            world.step_to(loser, "commit");
            world.finish(winner);
            world.finish(loser);
            world
        },
    );
    book.one(
        case("over-budget", "A streak of retried generations over the budget revokes.", "D6", "A thief in lockstep is followed no further.", "token.refresh.over_budget"),
        || {
            let (mut world, first) = connected(|config| put(config, "overlap_budget", json!(1)));
            let second = tokens(&world.send(refresh(&first.refresh)));
            world.send(refresh(&first.refresh));
            world.send(refresh(&second.refresh));
            world.send(refresh(&second.refresh));
            world
        },
    );
    book.one(
        case("budget-earned-back", "A generation that nobody retried ends the streak.", "D6", "Honest clients lose an answer now and then.", "200"),
        || {
            let (mut world, first) = connected(|config| put(config, "overlap_budget", json!(1)));
            let second = tokens(&world.send(refresh(&first.refresh)));
            world.send(refresh(&first.refresh));
            let third = tokens(&world.send(refresh(&second.refresh)));
            let fourth = tokens(&world.send(refresh(&third.refresh)));
            world.send(refresh(&third.refresh));
            assert_ne!(third, fourth);
            world
        },
    );
    book.one(
        case("streak-reported", "A streak of 24 is reported to the operator.", "D6", "It is a client that refreshes in pairs, or a thief.", "200"),
        || {
            let (mut world, first) = connected(|_| {});
            let mut current = first;
            for _ in 0..23 {
                let next = tokens(&world.send(refresh(&current.refresh)));
                world.send(refresh(&current.refresh));
                current = next;
            }
            world.send(refresh(&current.refresh));
            world.send(refresh(&current.refresh));
            world
        },
    );
}

fn ends(book: &mut Book) {
    book.one(
        case("idle", "A refresh token that lay too long is dead.", "OAuth 2.1-15 §4.3.3", "`idle_seconds`.", "token.refresh.expired"),
        || {
            let (mut world, first) = connected(|config| put(config, "idle_seconds", json!(100)));
            world.wait(40);
            world.send(refresh(&first.refresh));
            world
        },
    );
    book.one(
        case("absolute", "A grant ends, however busy it is.", "OAuth 2.1-15 §4.3.3", "`absolute_seconds`.", "token.grant.dead"),
        || {
            let (mut world, first) = connected(|config| put(config, "absolute_seconds", json!(120)));
            world.wait(60);
            world.send(refresh(&first.refresh));
            world
        },
    );
    book.one(
        case("revoked", "A revoked grant does not refresh.", "RFC 7009 §2", "It is kept so that this can be said.", "token.grant.dead"),
        || {
            let (mut world, first) = connected(|_| {});
            world.send(revoke(&first.refresh));
            world.send(refresh(&first.refresh));
            world
        },
    );
    book.one(
        case("signed-out", "Signing out everywhere ends it.", "D3", "The subject's counter has grown.", "token.grant.dead"),
        || {
            let (mut world, first) = connected(|_| {});
            world.operate(Operation::SignOutEverywhere { subject: "alice".into() });
            world.send(refresh(&first.refresh));
            world
        },
    );
    book.one(
        case("host-refuses", "The host may say that a user refreshes no more.", "OAuth 2.1-15 §4.3.3", "A user who was disabled.", "token.refresh.refused"),
        || {
            let (mut world, first) = connected(|config| put(config, "ask_refresh", json!(true)));
            world.refresh = Decision::Refuse;
            world.send(refresh(&first.refresh));
            world
        },
    );
    book.one(
        case("host-allows", "The host is asked before anything is written.", "OAuth 2.1-15 §4.3.3", "And says yes.", "200"),
        || {
            let (mut world, first) = connected(|config| put(config, "ask_refresh", json!(true)));
            world.send(refresh(&first.refresh));
            world
        },
    );
    book.one(
        case("ahead", "A token that is ahead of the store revokes nothing and tells the operator.", "RFC 9700 §4.14; F-09", "A fail-over has lost an acknowledged write.", "token.refresh.ahead"),
        || {
            let (mut world, first) = connected(|_| {});
            let backup = world.store.clone();
            let second = tokens(&world.send(refresh(&first.refresh)));
            world.store = backup;
            world.send(refresh(&second.refresh));
            world
        },
    );
    book.one(
        case("key-gone", "A token of a key that has left the ring is unknown.", "D5", "Keys stay as long as the longest grant.", "token.refresh.unknown"),
        || {
            let (mut world, first) = connected(|_| {});
            world.rekey(lockstep_oauth::keys::KeyRing::generate(world.now, &[9; 32]));
            world.send(refresh(&first.refresh));
            world
        },
    );
}

fn faults(book: &mut Book) {
    let faulty = |faults: &'static [Fault]| {
        move || {
            let (mut world, first) = connected(|_| {});
            world.faults.extend(faults.iter().copied());
            world.send(refresh(&first.refresh));
            world
        }
    };
    book.one(case("unknown-applied", "A rotation that was applied unnoticed is recognised by its stamp.", "D4; S-02", "The client must not lose its tokens.", "200"), faulty(&[Fault::UnknownApplied]));
    book.one(case("unknown-lost", "A rotation that was lost is written again.", "D4; S-02", "The same.", "200"), faulty(&[Fault::UnknownLost]));
    book.one(case("unsettled", "After three more looks the answer is 503.", "D4; S-01", "A limit on everything.", "server.unavailable"), faulty(&[Fault::UnknownLost; 4]));
}
