//! The bearer check of a protected resource.

use super::{Book, case};
use crate::fixture::{RESOURCE, RESOURCE_2, bearer, body, manage, put, redeem, refresh, register, revoke, tokens, two_resources, user};
use crate::world::{Fault, World};
use lockstep_oauth::authorization_server::operations::{Operated, Operation};
use lockstep_oauth::protected_resource::CheckRequest;
use lockstep_oauth::question::Decision;
use serde_json::json;

fn headers(values: &[&str]) -> CheckRequest {
    let headers = values.iter().map(|value| ("authorization".to_owned(), value.as_bytes().to_vec())).collect();
    CheckRequest { headers, ..bearer("") }
}

fn external(world: &mut World, expires_at: Option<u64>) {
    let credential = Decision::Credential { user: user("robot"), scopes: vec!["notes:read".into()], expires_at };
    world.credentials.insert("api-key".into(), credential);
}

pub(super) fn scenarios(book: &mut Book) {
    presented(book);
    lives(book);
    kinds(book);
    needs(book);
}

/// What the request presents.
fn presented(book: &mut Book) {
    let checking = |change: fn(&str) -> CheckRequest| {
        move || {
            let mut world = World::new();
            let first = world.connect();
            world.check(change(&first.access));
            world
        }
    };
    book.one(case("allowed", "A live token passes, and says who asks.", "RFC 6750 §2.1; MCP-T1", "The gate of every request.", "allowed"), checking(bearer));
    book.one(case("scheme-case", "The scheme is not case sensitive.", "RFC 9110 §11.1; T-02", "Some clients write it small.", "allowed"), checking(|token| headers(&[&format!("bearer {token}")])));
    book.one(case("missing", "A request without a token is told where to go, and nothing else.", "RFC 6750 §3; RFC 9728 §5.1; T-01", "The ordinary first answer.", "bearer.missing"), checking(|_| headers(&[])));
    book.one(case("other-scheme", "Another scheme is no token.", "RFC 6750 §3", "The challenge says what is wanted.", "bearer.missing"), checking(|_| headers(&["Basic dTpw"])));
    book.one(case("empty", "A header without its token is malformed.", "RFC 6750 §3.1; T-02", "A fault of the client's.", "bearer.malformed"), checking(|_| headers(&["Bearer"])));
    book.one(case("two-words", "A header with two tokens is malformed.", "RFC 6750 §3.1; T-02", "The same.", "bearer.malformed"), checking(|_| headers(&["Bearer x y"])));
    book.one(case("two-headers", "Two headers are several tokens.", "RFC 6750 §2; T-05", "Which would count?", "bearer.several"), checking(|token| headers(&[&format!("Bearer {token}"), "Bearer x"])));
    book.one(case("header-and-query", "One in the header and one in the URL are several.", "RFC 6750 §2; T-05", "URLs end up in logs.", "bearer.several"), checking(|token| CheckRequest { query: b"access_token=x".to_vec(), ..bearer(token) }));
    book.one(case("query", "A token in the URL is none.", "OAuth 2.1-15 §5.2; MCP-T2; T-03", "The same.", "bearer.missing"), checking(|token| CheckRequest { headers: Vec::new(), query: format!("access_token={token}").into_bytes(), ..bearer("") }));
    book.one(case("forged", "A token that we did not make is refused without looking into the store.", "RFC 6750 §3.1; T-25", "Noise costs no load.", "bearer.invalid"), checking(|_| bearer("lsa_nonsense")));
    book.one(case("changed", "A token with one changed character is forged.", "RFC 6750 §3.1", "The seal says so.", "bearer.invalid"), checking(|token| bearer(&token.replace(token.get(8..9).unwrap_or_default(), "-"))));
    book.one(
        case("refresh-token", "A refresh token opens nothing here.", "RFC 6750 §3.1; F-17", "It is for the authorization server.", "bearer.invalid"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.check(bearer(&first.refresh));
            world
        },
    );
}

/// How a token dies.
fn lives(book: &mut Book) {
    book.one(
        case("last-second", "A token lives until its last second.", "RFC 6750 §3.1; T-06", "3600 seconds are 3600.", "allowed"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.wait(3599);
            world.check(bearer(&first.access));
            world
        },
    );
    book.one(
        case("expired", "An expired token is refused without looking into the store.", "RFC 6750 §3.1; T-06", "The client refreshes.", "bearer.expired"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.wait(3600);
            world.check(bearer(&first.access));
            world
        },
    );
    book.one(
        case("revoked", "A token of a revoked grant is dead at once.", "RFC 7009 §2; T-21", "Opaque tokens are looked up.", "bearer.revoked"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.send(revoke(&first.refresh));
            world.check(bearer(&first.access));
            world
        },
    );
    book.one(
        case("access-revoked", "A revoked access token is dead, and its successor lives.", "RFC 7009 §2.1; V-02", "The floor is a generation.", "bearer.revoked"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.send(revoke(&first.access));
            world.check(bearer(&first.access));
            world
        },
    );
    book.one(
        case("after-refresh", "The token before a refresh lives until its own end.", "OAuth 2.1-15 §4.3", "Requests are under way.", "allowed"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.send(refresh(&first.refresh));
            world.check(bearer(&first.access));
            world
        },
    );
    book.one(
        case("signed-out", "Signing out everywhere ends every token.", "D3", "One counter, one load.", "bearer.revoked"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.operate(Operation::SignOutEverywhere { subject: "alice".into() });
            world.check(bearer(&first.access));
            world
        },
    );
    book.one(
        case("client-deleted", "The tokens of a deleted registration are dead.", "RFC 7592 §2.3; D-26", "They name its record.", "bearer.revoked"),
        || {
            let mut world = World::with(|config| put(config, "registration", json!({ "mode": "open" })));
            let metadata = json!({ "redirect_uris": ["https://client.example/cb"], "token_endpoint_auth_method": "none" });
            let told = body(&world.send(register(&metadata)));
            let (id, token) = (told["client_id"].as_str().unwrap(), told["registration_access_token"].as_str().unwrap());
            let client = format!("client_id={id}");
            let code = world.code(&[&client]);
            let first = tokens(&world.send(redeem(&code).but(&[&client])));
            world.send(manage("DELETE", id, token));
            world.check(bearer(&first.access));
            world
        },
    );
    book.one(
        case("purged", "A token whose grant is gone is invalid.", "RFC 6750 §3.1", "A store that was emptied.", "bearer.invalid"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.store = crate::world::MemoryStore::default();
            world.check(bearer(&first.access));
            world
        },
    );
    book.one(
        case("clock-back", "A clock that jumps back does not resurrect a token.", "S-08", "The record remembers a later time.", "bearer.revoked"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.wait(3600);
            world.send(refresh(&first.refresh));
            world.now -= 60;
            world.check(bearer(&first.access));
            world
        },
    );
    book.one(
        case("unread", "A store that cannot be read lets nobody pass.", "S-01; T-22", "Fail closed.", "server.unavailable"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.faults.push_back(Fault::LoadFails);
            world.check(bearer(&first.access));
            world
        },
    );
}

/// Other kinds of credentials.
fn kinds(book: &mut Book) {
    book.one(
        case("personal", "A personal access token passes without a client.", "RFC 6750 §2.1", "For local clients that cannot run a browser.", "allowed"),
        || {
            let mut world = World::new();
            let operated = world.operate(Operation::IssuePersonal {
                subject: "alice".into(),
                name: "laptop".into(),
                claims: user("alice").claims,
                resource: String::new(),
                scopes: Vec::new(),
                expires_in: 3600,
            });
            let Operated::Issued { token, .. } = operated.operated else { panic!("{operated:?}") };
            world.check(bearer(&token));
            world
        },
    );
    let jwt = || {
        let mut world = World::with(|config| {
            put(config, "access_token_format", json!("jwt"));
            two_resources(config);
        });
        let first = world.connect();
        (world, first)
    };
    book.one(
        case("jwt", "A JWT passes by its signature alone.", "RFC 9068 §4", "No load at all.", "allowed"),
        || {
            let (mut world, first) = jwt();
            world.check(bearer(&first.access));
            world
        },
    );
    book.one(
        case("jwt-expired", "An expired JWT does not.", "RFC 9068 §4; T-06", "It dies by its expiry, and by nothing else.", "bearer.invalid"),
        || {
            let (mut world, first) = jwt();
            world.wait(300);
            world.check(bearer(&first.access));
            world
        },
    );
    book.one(
        case("jwt-audience", "A JWT of another resource does not.", "RFC 9068 §4; T-07", "Token passthrough.", "bearer.audience"),
        || {
            let (mut world, first) = jwt();
            world.check(CheckRequest { resource: RESOURCE_2.into(), ..bearer(&first.access) });
            world
        },
    );
    let hosted = |expires_at: Option<u64>, token: &'static str, resource: &'static str| {
        move || {
            let mut world = World::with(|config| put(config, "verify_tokens", json!(true)));
            external(&mut world, expires_at);
            world.check(CheckRequest { resource: resource.into(), ..bearer(token) });
            world
        }
    };
    book.one(case("external", "A credential that the host knows passes.", "RFC 6750 §2.1", "API keys that users have already.", "allowed"), hosted(None, "api-key", RESOURCE));
    book.one(case("external-unknown", "One that it does not know is invalid.", "RFC 6750 §3.1; T-25", "The host said no.", "bearer.invalid"), hosted(None, "other-key", RESOURCE));
    book.one(case("external-expired", "One whose time is over is expired.", "RFC 6750 §3.1; T-06", "The host said until when.", "bearer.expired"), hosted(Some(1_800_000_000), "api-key", RESOURCE));
    book.one(case("external-elsewhere", "One at a resource that is not configured is refused.", "RFC 8707 §2", "A caller's mistake opens nothing.", "bearer.audience"), hosted(None, "api-key", "https://elsewhere.example/mcp"));
}

/// What the operation needs.
fn needs(book: &mut Book) {
    book.one(
        case("scope", "A token that lacks a scope is told all that the operation needs.", "RFC 6750 §3.1; MCP-S1; T-19", "The client asks the user once.", "bearer.scope"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.check(CheckRequest { scopes: vec!["notes:read".into(), "notes:write".into()], ..bearer(&first.access) });
            world
        },
    );
    book.one(
        case("scope-narrowed", "A narrowed token stays narrow.", "OAuth 2.1-15 §4.3.1; T-20", "Whatever its grant may do.", "bearer.scope"),
        || {
            let mut world = World::new();
            let code = world.code(&["scope=notes:read notes:write"]);
            let first = tokens(&world.send(redeem(&code)));
            let narrow = tokens(&world.send(refresh(&first.refresh).but(&["scope=notes:read"])));
            world.check(CheckRequest { scopes: vec!["notes:write".into()], ..bearer(&narrow.access) });
            world
        },
    );
    book.one(
        case("scope-implied", "A scope may imply another.", "OAuth 2.1-15 §1.4.1", "Who may write may read.", "allowed"),
        || {
            let scopes = json!([{ "name": "notes:read" }, { "name": "notes:write", "default": false, "implies": ["notes:read"] }]);
            let mut world = World::with(|config| put(config, "scopes", scopes));
            let code = world.code(&["scope=notes:write"]);
            let first = tokens(&world.send(redeem(&code)));
            world.check(bearer(&first.access));
            world
        },
    );
    book.one(
        case("audience", "A token of another resource is refused.", "RFC 8707 §2; T-07", "Token passthrough.", "bearer.audience"),
        || {
            let mut world = World::with(two_resources);
            let first = world.connect();
            world.check(CheckRequest { resource: RESOURCE_2.into(), ..bearer(&first.access) });
            world
        },
    );
    book.one(
        case("default-resource", "A check that names no resource means the first.", "RFC 8707 §2", "Most hosts have one.", "allowed"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.check(CheckRequest { resource: String::new(), ..bearer(&first.access) });
            world
        },
    );
    book.one(
        case("no-scope", "A check may need no scope.", "RFC 6750 §3", "Being signed in is enough.", "allowed"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.check(CheckRequest { scopes: Vec::new(), ..bearer(&first.access) });
            world
        },
    );
}
