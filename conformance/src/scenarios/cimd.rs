//! Client documents.

use super::{Book, case};
use crate::fixture::{DOCUMENT, assertion, assertion_claims, by_assertion, client_key, document, put, redeem, refresh, served, tokens};
use crate::world::{Fault, World};
use lockstep_oauth::http::{Fetched, HttpResponse};
use serde_json::{Value, json};

const REDIRECT: &str = "redirect_uri=https://app.example/cb";

/// A world in which that URL answers so.
fn serving(fetched: Fetched) -> World {
    let mut world = World::new();
    world.servers.insert(DOCUMENT.into(), fetched);
    world
}

fn visit(world: &mut World) -> Option<&'static str> {
    let client = format!("client_id={DOCUMENT}");
    world.authorize(&[&client, REDIRECT]).refusal
}

/// The document with one member changed; `Null` removes it.
fn but(name: &str, value: Value) -> Value {
    let mut changed = document();
    if value.is_null() {
        changed.as_object_mut().unwrap().remove(name);
    } else {
        put(&mut changed, name, value);
    }
    changed
}

fn bytes(status: u16, media_type: &str, body: &str) -> Fetched {
    let mut response = HttpResponse::empty(status).with("Content-Type", media_type);
    response.body = body.as_bytes().to_vec();
    Fetched::Response(response)
}

pub(super) fn scenarios(book: &mut Book) {
    judged(book);
    cached(book);
    named(book);
    used(book);
}

/// What a document may say.
fn judged(book: &mut Book) {
    let twice = format!("{{\"client_id\":\"https://evil.example/c.json\",{}", document().to_string().trim_start_matches('{'));
    let rows: [(&str, &str, &str, &str, &str, Fetched); 21] = [
        ("fetched", "A client document is fetched, judged and kept.", "CIMD-01 §4; MCP-R5; MCP-R6; M-01", "One GET without credentials.", "200", served(200, &document())),
        ("json-suffix", "A more specific JSON type is JSON.", "CIMD-01 §4.1", "`+json` says so.", "200", bytes(200, "application/oauth-client+json; charset=utf-8", &document().to_string())),
        ("unknown-members", "Members that are not known are ignored.", "CIMD-01 §4.1", "Documents serve many servers.", "200", served(200, &but("vendor", json!({ "a": [1] })))),
        ("unreachable", "A host that does not answer has no document.", "CIMD-01 §4.3", "And no good copy is left.", "client.document.unreachable", Fetched::Failed("timed out".into())),
        ("unavailable", "A host that fails has no document.", "CIMD-01 §4.3; M-22", "The same.", "client.document.unreachable", served(503, &json!({}))),
        ("absent", "404 is an answer.", "CIMD-01 §4; M-22", "The client is no more.", "client.document.status", served(404, &json!({}))),
        ("redirected", "A redirect is not followed.", "CIMD-01 §4; M-21", "It would lead past the address rule.", "client.document.status", bytes(302, "application/json", "")),
        ("html", "A page is no document.", "CIMD-01 §4.1; M-23", "Somebody's front page.", "client.document.media_type", bytes(200, "text/html", &document().to_string())),
        ("not-json", "What is not JSON is no document.", "CIMD-01 §4.1; M-57", "Strictly read.", "client.document.json", bytes(200, "application/json", "client_id=x")),
        ("array", "What is no object is no document.", "CIMD-01 §4.1; M-57", "The same.", "client.document.json", served(200, &json!([]))),
        ("member-twice", "A member that comes twice makes it none.", "CIMD-01 §4.1; M-30", "Two readers could see two clients.", "client.document.json", bytes(200, "application/json", &twice)),
        ("too-large", "More than 5 KB are too much.", "CIMD-01 §6.6", "Documents are small.", "client.document.json", served(200, &but("filler", json!("x".repeat(5 * 1024))))),
        ("other-client", "A document of another client is none of this one.", "CIMD-01 §4.1; MCP-R3", "Equal character by character.", "client.document.mismatch", served(200, &but("client_id", json!("https://app.example/oauth/Client.json")))),
        ("no-name", "A document without a name is refused.", "CIMD-01 §4.1; MCP-R3", "People are shown it.", "client.document.fields", served(200, &but("client_name", Value::Null))),
        ("secret", "A document with a secret is refused.", "CIMD-01 §4.1; M-34", "Everybody can read it.", "client.document.fields", served(200, &but("client_secret", json!("hush")))),
        ("secret-method", "A document whose client has a secret is refused.", "CIMD-01 §4.1; M-34", "There can be none.", "client.document.fields", served(200, &but("token_endpoint_auth_method", json!("client_secret_basic")))),
        ("no-keys", "A document whose client signs needs keys.", "CIMD-01 §4.1; M-35", "It could never authenticate.", "client.document.fields", served(200, &but("token_endpoint_auth_method", json!("private_key_jwt")))),
        ("no-redirects", "A document without redirects is refused.", "CIMD-01 §4.5; MCP-R3", "A code has to go somewhere.", "client.document.redirect", served(200, &but("redirect_uris", json!([])))),
        ("script-redirect", "A document with a script for a redirect is refused.", "CIMD-01 §4.5; M-37", "It would run in the user's browser.", "client.document.redirect", served(200, &but("redirect_uris", json!(["https://app.example/cb", "javascript:alert(1)"])))),
        ("other-redirect", "A redirect that the document does not name is refused.", "CIMD-01 §4.5; MCP-R6; M-39", "The open redirector again.", "authorize.redirect", served(200, &but("redirect_uris", json!(["https://app.example/other"])))),
        ("deceptive-name", "A name with directions in it is tamed, and the host stands beside it.", "CIMD-01 §6; M-40", "What is self-asserted may lie.", "200", served(200, &but("client_name", json!("\u{202e}elgooG<script>\u{200b}")))),
    ];
    for (slug, title, spec, why, ends, fetched) in rows {
        book.one(case(slug, title, spec, why, ends), || {
            let mut world = serving(fetched);
            visit(&mut world);
            world
        });
    }
}

/// How long it is believed.
fn cached(book: &mut Book) {
    let again = |after: u64, then: fn() -> Fetched| {
        move || {
            let mut world = serving(served(200, &document()));
            visit(&mut world);
            world.wait(after);
            world.servers.insert(DOCUMENT.into(), then());
            visit(&mut world);
            world
        }
    };
    let failed: fn() -> Fetched = || Fetched::Failed("timed out".into());
    book.one(case("cached", "A fresh copy is believed without asking.", "CIMD-01 §4.4; MCP-R5; M-43", "Its host may rest.", "200"), again(3599, failed));
    book.one(case("fetched-again", "A copy that is no longer fresh is fetched again.", "CIMD-01 §4.4", "Redirects change.", "200"), again(3600, || served(200, &document())));
    book.one(case("outage", "An outage of its host is bridged by the last good copy.", "CIMD-01 §4.4; M-43", "It must not lock users out.", "200"), again(86_400, failed));
    book.one(case("outage-limit", "For a week, and no longer.", "CIMD-01 §4.4; M-43", "`stale_seconds`.", "client.document.unreachable"), again(3600 + 7 * 86_400, failed));
    book.one(case("overloaded", "Too many requests are an outage.", "CIMD-01 §4.4", "429, 403 and every 5xx.", "200"), again(86_400, || served(429, &json!({}))));
    book.one(case("gone", "410 is no outage.", "CIMD-01 §4.4; M-43", "The client says that it is no more.", "client.document.status"), again(86_400, || served(410, &json!({}))));
    book.one(case("turned-bad", "Neither is a document that turned bad.", "CIMD-01 §4.4; M-43", "What it says now counts.", "client.document.mismatch"), again(86_400, || served(200, &but("client_id", json!("https://app.example/")))));
    book.one(
        case("max-age", "Its host says how long, within our bounds.", "CIMD-01 §4.4; RFC 9111 §5.2.2", "At least a minute, at most a day.", "200"),
        || {
            let Fetched::Response(response) = served(200, &document()) else { panic!() };
            let mut world = serving(Fetched::Response(response.with("Cache-Control", "public, max-age=120")));
            visit(&mut world);
            world.wait(120);
            visit(&mut world);
            world
        },
    );
    book.one(
        case("error-not-cached", "An error is not kept.", "CIMD-01 §4.4; M-42", "The next request asks again.", "200"),
        || {
            let mut world = serving(served(404, &json!({})));
            visit(&mut world);
            world.servers.insert(DOCUMENT.into(), served(200, &document()));
            world.wait(1);
            visit(&mut world);
            world
        },
    );
    for (fault, slug) in [(Fault::Conflict, "cache-conflict"), (Fault::UnknownLost, "cache-unknown")] {
        book.one(case(slug, "A copy that could not be kept is used all the same.", "D4", "The cache only helps later requests.", "200"), || {
            let mut world = serving(served(200, &document()));
            world.faults.push_back(fault);
            visit(&mut world);
            world
        });
    }
    let spent = |known: bool| {
        move || {
            let mut world = serving(served(200, &document()));
            if known {
                visit(&mut world);
                world.wait(3600);
            }
            world.spent = true;
            visit(&mut world);
            world
        }
    };
    book.one(case("budget", "A host is asked so often a minute, and no more.", "CIMD-01 §6.6; M-49", "We must not be a weapon.", "client.document.budget"), spent(false));
    book.one(case("budget-stale", "Where the budget is spent the last good copy holds.", "CIMD-01 §6.6; M-49", "An attack on a host must not lock its users out.", "200"), spent(true));
}

/// What may name one.
fn named(book: &mut Book) {
    let rows: [(&str, &str, &str, &str, &str); 8] = [
        ("no-path", "A document has a path.", "CIMD-01 §3; M-03", "client.document.url", "https://app.example/"),
        ("query", "Its URL has no query.", "CIMD-01 §3; M-07", "client.document.url", "https://app.example/c.json?x=1"),
        ("user", "Its URL has no user.", "CIMD-01 §3; M-06", "client.document.url", "https://app@evil.example/c.json"),
        ("dots", "Its URL has no dot segments.", "CIMD-01 §3; M-09", "client.document.url", "https://app.example/a/../c.json"),
        ("private-address", "Its host is no special address.", "CIMD-01 §6.5; M-12", "client.document.url", "https://169.254.169.254/c.json"),
        ("mapped-address", "Nor one in disguise.", "CIMD-01 §6.5; M-15", "client.document.url", "https://[::ffff:10.0.0.1]/c.json"),
        ("plain-http", "Its URL is https.", "CIMD-01 §3; M-02", "client.unknown", "http://app.example/c.json"),
        ("own-origin", "It is not on this server.", "CIMD-01 §6.5", "client.document.self", "https://as.example/c.json"),
    ];
    for (slug, title, spec, ends, url) in rows {
        book.one(case(slug, title, spec, "Nothing is fetched.", ends), || {
            let mut world = World::new();
            world.authorize(&[&format!("client_id={url}"), REDIRECT]);
            world
        });
    }
    let trusting = |documents: Value| {
        move || {
            let mut world = World::with(|config| put(config, "client_documents", documents));
            world.servers.insert(DOCUMENT.into(), served(200, &document()));
            visit(&mut world);
            world
        }
    };
    book.one(case("denied-host", "The operator may name hosts that are not trusted.", "CIMD-01 §6.8", "Nothing is fetched.", "client.document.trust"), trusting(json!({ "deny_hosts": ["*.example"] })));
    book.one(case("not-allowed-host", "Or the only ones that are.", "CIMD-01 §6.8", "Nothing is fetched.", "client.document.trust"), trusting(json!({ "allow_hosts": ["other.example"] })));
    book.one(case("allowed-host", "Those pass.", "CIMD-01 §6.8", "By name or with all below it.", "200"), trusting(json!({ "allow_hosts": ["app.example"] })));
    book.one(case("off", "Where documents are off a URL is no client.", "MCP-R8", "And the metadata says so.", "client.unknown"), trusting(json!({ "enabled": false })));
    book.one(
        case("same-host", "The operator may want redirects at the document's host.", "CIMD-01 §6; M-38", "A stricter policy.", "client.document.redirect"),
        || {
            let mut world = World::with(|config| put(config, "client_documents", json!({ "same_host_redirects": true })));
            world.servers.insert(DOCUMENT.into(), served(200, &but("redirect_uris", json!(["https://elsewhere.example/cb"]))));
            visit(&mut world);
            world
        },
    );
}

/// A document's client at the token endpoint.
fn used(book: &mut Book) {
    let client = format!("client_id={DOCUMENT}");
    book.one(
        case("redeemed", "Its client redeems a code, from the kept copy.", "CIMD-01 §4; MCP-R16", "One load brings all.", "200"),
        || {
            let mut world = serving(served(200, &document()));
            let code = world.code(&[&client, REDIRECT]);
            world.send(redeem(&code).but(&[&client, REDIRECT]));
            world
        },
    );
    book.one(
        case("turned-confidential", "A client that begins to sign must sign.", "CIMD-01 §4; M-46", "A stolen public token is worth nothing any more.", "client.unauthenticated"),
        || {
            let mut world = serving(served(200, &document()));
            let code = world.code(&[&client, REDIRECT]);
            let first = tokens(&world.send(redeem(&code).but(&[&client, REDIRECT])));
            let mut signing = but("token_endpoint_auth_method", json!("private_key_jwt"));
            put(&mut signing, "jwks", json!({ "keys": [Value::Object(client_key(1).public().to_map())] }));
            world.servers.insert(DOCUMENT.into(), served(200, &signing));
            world.wait(3600);
            world.send(refresh(&first.refresh).but(&[&client]));
            world
        },
    );
    book.one(
        case("signed", "A document's client authenticates by key.", "CIMD-01 §6.2; MCP-R4", "Its keys are in the document.", "200"),
        || {
            let mut signing = but("token_endpoint_auth_method", json!("private_key_jwt"));
            put(&mut signing, "jwks", json!({ "keys": [Value::Object(client_key(1).public().to_map())] }));
            let mut world = serving(served(200, &signing));
            let code = world.code(&[&client, REDIRECT]);
            let changes = by_assertion(DOCUMENT, &assertion(1, &assertion_claims(DOCUMENT, world.now)));
            let changes: Vec<&str> = changes.iter().map(String::as_str).chain([REDIRECT]).collect();
            world.send(redeem(&code).but(&changes));
            world
        },
    );
    book.one(
        case("gone-at-token", "A client that is no more gets no tokens.", "CIMD-01 §4.4; M-43", "401, as for any unknown client.", "client.document.status"),
        || {
            let mut world = serving(served(200, &document()));
            let code = world.code(&[&client, REDIRECT]);
            let first = tokens(&world.send(redeem(&code).but(&[&client, REDIRECT])));
            world.servers.insert(DOCUMENT.into(), served(404, &json!({})));
            world.wait(3600);
            world.send(refresh(&first.refresh).but(&[&client]));
            world
        },
    );
}
