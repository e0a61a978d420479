//! How a client proves that it is itself, at the token endpoint.

use super::{Book, case};
use crate::fixture::{
    ISSUER, KEY_SET, SECRET, assertion, assertion_claims, basic, by_assertion, client_key, key_clients, put, put_client,
    redeem, refresh, served, tokens,
};
use crate::world::{Fault, World};
use lockstep_oauth::crypto::base64url;
use lockstep_oauth::http::Fetched;
use lockstep_oauth::jose::sign;
use serde_json::{Value, json};

pub(super) fn scenarios(book: &mut Book) {
    secrets(book);
    assertions(book);
    fetched(book);
    spent(book);
}

/// Clients with and without a secret.
fn secrets(book: &mut Book) {
    let header = format!("@Authorization: {}", basic("confidential", SECRET));
    let wrong = format!("@Authorization: {}", basic("confidential", "another secret of a client"));
    let unknown = format!("@Authorization: {}", basic("nobody", SECRET));
    let public = format!("@Authorization: {}", basic("web", SECRET));
    let post = format!("client_secret={SECRET}");
    let rows: [(&str, &str, &str, &str, &str, Vec<&str>); 16] = [
        ("basic", "A secret in the header.", "OAuth 2.1-15 §2.4.1; RFC 7617 §2", "Each half is form-encoded.", "200", vec!["-client_id", &header]),
        ("post", "A secret in the body.", "OAuth 2.1-15 §2.4.1", "For clients that cannot set headers.", "200", vec!["client_id=confidential", &post]),
        ("basic-and-id", "The header and an equal identifier agree.", "OAuth 2.1-15 §2.4.1", "Many clients send both.", "200", vec!["client_id=confidential", &header]),
        ("missing", "A request that says nothing is refused.", "OAuth 2.1-15 §2.4; C-10", "A public client at least says who it is.", "client.missing", vec!["-client_id"]),
        ("unknown", "An unknown client is refused.", "OAuth 2.1-15 §3.2.4", "401, so that clients register again.", "client.unknown", vec!["client_id=nobody"]),
        ("unknown-basic", "An unknown client in the header is challenged.", "OAuth 2.1-15 §3.2.4", "With the scheme that it used.", "client.unknown", vec!["-client_id", &unknown]),
        ("several", "Two ways at once are refused.", "OAuth 2.1-15 §2.4", "Which would count?", "client.several_methods", vec!["-client_id", &header, &post]),
        ("mismatch", "The header and another identifier disagree.", "RFC 7521 §4.2", "Which would count?", "client.mismatch", vec!["client_id=web", &header]),
        ("malformed", "A header that cannot be read is refused.", "RFC 7617 §2", "No second try by another route.", "client.basic.malformed", vec!["-client_id", "@Authorization: Basic !"]),
        ("bearer", "A bearer token is no client authentication.", "RFC 7617 §2", "The same.", "client.basic.malformed", vec!["@Authorization: Bearer x"]),
        ("two-headers", "Two headers are two ways.", "OAuth 2.1-15 §2.4", "Which would count?", "client.several_methods", vec!["-client_id", &header, "@+Authorization: Basic x"]),
        ("wrong-secret", "A wrong secret is refused.", "OAuth 2.1-15 §2.4.1; C-29", "And the code is not spent.", "client.secret", vec!["-client_id", &wrong]),
        ("unauthenticated", "A confidential client must authenticate.", "OAuth 2.1-15 §3.2.2; F-13", "Its identifier is public.", "client.unauthenticated", vec!["client_id=confidential"]),
        ("public-with-secret", "A public client has no secret to send.", "OAuth 2.1-15 §2.4", "Whoever sends one is mistaken.", "client.method", vec!["-client_id", &public]),
        ("empty-secret", "An empty secret is none.", "OAuth 2.1-15 §3.1", "An empty value counts as absent.", "client.unauthenticated", vec!["client_id=confidential", "client_secret="]),
        ("too-long", "An identifier of a kilobyte is nobody's.", "OAuth 2.1-15 §3.2.4", "It is not even looked at.", "client.unknown", vec![]),
    ];
    for (slug, title, spec, why, ends, changes) in rows {
        let long = format!("client_id={}", "x".repeat(1024));
        book.one(case(slug, title, spec, why, ends), || {
            let mut world = World::new();
            let code = world.code(&["client_id=confidential"]);
            let changes = if changes.is_empty() { vec![long.as_str()] } else { changes };
            world.send(redeem(&code).but(&changes));
            world
        });
    }
    book.one(
        case("limited", "Wrong secrets from one peer are limited.", "OAuth 2.1-15 §2.4.1", "Guessing takes for ever, and others are not affected.", "client.limited"),
        || {
            let mut world = World::new();
            world.spent = true;
            world.send(redeem("lsc_x").but(&["-client_id", &wrong]));
            world
        },
    );
    book.one(
        case("right-while-limited", "The right secret passes whatever others have tried.", "OAuth 2.1-15 §2.4.1", "No lock-out by a stranger.", "token.code.unknown"),
        || {
            let mut world = World::new();
            world.spent = true;
            world.send(redeem("lsc_x").but(&["-client_id", &header]));
            world
        },
    );
    book.one(
        case("disabled", "A disabled client is refused.", "OAuth 2.1-15 §3.2.4; C-21", "Whatever it presents.", "client.disabled"),
        || {
            let mut world = World::new();
            let code = world.code(&[]);
            world.reconfigure(|config| put_client(config, "web", "disabled", json!(true)));
            world.send(redeem(&code));
            world
        },
    );
}

/// Redeems a code of the client with this assertion.
fn assert(world: &mut World, client: &str, assertion: &str, changes: &[&str]) {
    let code = world.code(&[&format!("client_id={client}")]);
    let by = by_assertion(client, assertion);
    let by: Vec<&str> = by.iter().map(String::as_str).collect();
    world.send(redeem(&code).but(&by).but(changes));
}

/// Clients with keys inline.
fn assertions(book: &mut Book) {
    let claiming = |name: &'static str, value: Value| {
        move || {
            let mut world = World::with(key_clients);
            let mut claims = assertion_claims("signer", world.now);
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                put(&mut claims, name, value);
            }
            assert(&mut world, "signer", &assertion(1, &claims), &[]);
            world
        }
    };
    let now = crate::world::BEGINNING;
    let rows: [(&str, &str, &str, &str, &str, &str, Value); 12] = [
        ("assertion", "A client signs for itself.", "RFC 7523 §3; OAuth 2.1-15 §2.4.2", "No secret travels.", "200", "jti", json!("j1")),
        ("audience-other", "An assertion for another server is refused.", "RFC 7523 §3; RFC 7523bis §4", "It was stolen there.", "client.assertion.claims", "aud", json!("https://other.example")),
        ("audience-endpoint", "An assertion for the token endpoint is refused.", "RFC 7523bis §4", "The issuer is the only name that cannot be confused.", "client.assertion.claims", "aud", json!("https://as.example/token")),
        ("audience-list", "An assertion for several servers is refused.", "RFC 7523bis §4", "The other one could use it here.", "client.assertion.claims", "aud", json!([ISSUER, "https://other.example"])),
        ("issuer-other", "The client itself is the issuer.", "RFC 7523 §3", "Nobody else speaks for it.", "client.assertion.claims", "iss", json!("web")),
        ("expired", "An expired assertion is refused.", "RFC 7523 §3", "A minute of clock difference apart.", "client.assertion.claims", "exp", json!(now - 60)),
        ("skewed", "A clock that is off by less than a minute does not matter.", "RFC 7523 §3", "Laptops.", "200", "exp", json!(now - 59)),
        ("too-far", "An assertion may live an hour.", "RFC 7523 §3", "Its identifier is remembered that long.", "client.assertion.claims", "exp", json!(now + 3700)),
        ("no-expiry", "An assertion ends.", "RFC 7523 §3", "It must say when.", "client.assertion.claims", "exp", Value::Null),
        ("no-jti", "An assertion has an identifier.", "RFC 7523 §3", "It is how a replay is recognised.", "client.assertion.claims", "jti", Value::Null),
        ("not-yet", "An assertion of the future is refused.", "RFC 7523 §3", "A clock is wrong.", "client.assertion.claims", "nbf", json!(now + 61)),
        ("no-subject", "An assertion names its subject.", "RFC 7523 §3", "Whose would it be?", "client.assertion.malformed", "sub", Value::Null),
    ];
    for (slug, title, spec, why, ends, name, value) in rows {
        book.one(case(slug, title, spec, why, ends), claiming(name, value));
    }
    let presenting = |make: fn(u64) -> String, changes: &'static [&'static str]| {
        move || {
            let mut world = World::with(key_clients);
            let text = make(world.now);
            assert(&mut world, "signer", &text, changes);
            world
        }
    };
    let right: fn(u64) -> String = |now| assertion(1, &assertion_claims("signer", now));
    book.one(case("assertion-alone", "An assertion names its client by itself.", "RFC 7521 §4.2", "`client_id` may be left out.", "200"), presenting(right, &["-client_id"]));
    book.one(case("assertion-mismatch", "An assertion of another client disagrees.", "RFC 7521 §4.2", "Which would count?", "client.mismatch"), presenting(right, &["client_id=web"]));
    book.one(case("assertion-type", "Another type of assertion is refused.", "RFC 7523 §2.2", "SAML, say.", "client.assertion.type"), presenting(right, &["client_assertion_type=urn:ietf:params:oauth:client-assertion-type:saml2-bearer"]));
    book.one(case("assertion-no-type", "An assertion says its type.", "RFC 7523 §2.2", "It is required.", "client.assertion.type"), presenting(right, &["-client_assertion_type"]));
    book.one(case("assertion-and-secret", "An assertion and a secret are two ways.", "OAuth 2.1-15 §2.4; K-49", "Which would count?", "client.several_methods"), presenting(right, &["client_secret=x"]));
    book.one(case("assertion-nonsense", "An assertion that is none is refused.", "RFC 7515 §3", "Three parts, at least.", "client.assertion.malformed"), presenting(|_| "nonsense".into(), &[]));
    book.one(
        case("assertion-none", "An unsigned assertion is refused.", "RFC 8725 §3.1", "`none` is no algorithm.", "client.assertion.malformed"),
        presenting(
            |now| {
                let part = |text: &str| base64url(text.as_bytes());
                format!("{}.{}.", part("{\"alg\":\"none\"}"), part(&assertion_claims("signer", now).to_string()))
            },
            &[],
        ),
    );
    book.one(
        case("assertion-access-token", "An access token is no assertion.", "RFC 8725 §3.11; K-52", "Its type says so.", "client.assertion.malformed"),
        presenting(|now| sign(&client_key(1), "at+jwt", assertion_claims("signer", now).to_string().as_bytes()), &[]),
    );
    book.one(
        case("assertion-changed", "A changed assertion is refused.", "RFC 7515 §5.2", "The signature says so.", "client.assertion.signature"),
        presenting(
            |now| {
                let text = assertion(1, &assertion_claims("signer", now));
                let other = assertion(1, &json!({ "sub": "signer", "jti": "other" }));
                let (head, signature) = (text.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
                format!("{head}.{signature}")
            },
            &[],
        ),
    );
    book.one(case("assertion-other-key", "A key that is not the client's is refused.", "RFC 7515 §4.1.4", "Its name is not in the set.", "client.assertion.key"), presenting(|now| assertion(2, &assertion_claims("signer", now)), &[]));
    book.one(
        case("secret-for-keys", "A client that signs has no secret to send.", "OAuth 2.1-15 §2.4", "A downgrade.", "client.method"),
        || {
            let mut world = World::with(key_clients);
            let code = world.code(&["client_id=signer"]);
            world.send(redeem(&code).but(&["client_id=signer", "client_secret=x"]));
            world
        },
    );
    book.one(
        case("assertion-for-secret", "A client with a secret has no key to sign with.", "OAuth 2.1-15 §2.4", "The same.", "client.method"),
        || {
            let mut world = World::with(key_clients);
            let text = assertion(1, &assertion_claims("confidential", world.now));
            assert(&mut world, "confidential", &text, &[]);
            world
        },
    );
    book.one(
        case("older-audience", "A client may be let use the token endpoint as audience.", "RFC 7523 §3", "`older_audiences` names those that cannot do better.", "200"),
        || {
            let mut world = World::with(|config| {
                key_clients(config);
                put_client(config, "signer", "older_audiences", json!(true));
            });
            let mut claims = assertion_claims("signer", world.now);
            put(&mut claims, "aud", json!("https://as.example/token"));
            assert(&mut world, "signer", &assertion(1, &claims), &[]);
            world
        },
    );
}

/// Clients whose keys are fetched.
fn fetched(book: &mut Book) {
    fn set(keys: &[u8]) -> Fetched {
        let keys: Vec<Value> = keys.iter().map(|key| Value::Object(client_key(*key).public().to_map())).collect();
        served(200, &json!({ "keys": keys }))
    }
    let fetching = |answers: Vec<(Fetched, u8, u64)>| {
        move || {
            let mut world = World::with(key_clients);
            for (number, (fetched, key, wait)) in answers.into_iter().enumerate() {
                world.wait(wait);
                world.servers.insert(KEY_SET.into(), fetched);
                let mut claims = assertion_claims("fetched", world.now);
                put(&mut claims, "jti", json!(format!("j{number}")));
                assert(&mut world, "fetched", &assertion(key, &claims), &[]);
            }
            world
        }
    };
    let down = || Fetched::Failed("timed out".to_owned());
    book.one(case("keys-fetched", "A client's keys are fetched and kept.", "RFC 7591 §2", "`jwks_uri`.", "200"), fetching(vec![(set(&[1]), 1, 0)]));
    book.one(case("keys-cached", "A fresh copy is used without asking.", "RFC 7591 §2", "One fetch serves many.", "200"), fetching(vec![(set(&[1]), 1, 0), (down(), 1, 60)]));
    book.one(case("keys-rotated", "An unknown key makes us look again.", "RFC 7591 §2; M-45", "Clients rotate.", "200"), fetching(vec![(set(&[1]), 1, 0), (set(&[1, 2]), 2, 60)]));
    book.one(case("keys-outage", "An outage is bridged by the last good copy.", "RFC 7591 §2", "It must not lock clients out.", "200"), fetching(vec![(set(&[1]), 1, 0), (down(), 1, 7200)]));
    book.one(case("keys-unreachable", "Without any copy the client cannot prove itself.", "RFC 7591 §2", "The detail says why.", "client.keys.unreachable"), fetching(vec![(down(), 1, 0)]));
    book.one(case("keys-gone", "404 is an answer.", "RFC 7591 §2", "The keys are no more.", "client.keys.unreachable"), fetching(vec![(set(&[1]), 1, 0), (served(404, &json!({})), 1, 7200)]));
    book.one(case("keys-nonsense", "What is no key set is none.", "RFC 7517 §5", "Strictly read.", "client.keys.unreachable"), fetching(vec![(served(200, &json!({ "keys": 1 })), 1, 0)]));
    book.one(
        case("keys-budget", "Unknown keys make us look so often a minute, and no more.", "RFC 7591 §2; K-54", "We must not be a weapon.", "client.assertion.key"),
        fetching(vec![(set(&[1]), 1, 0), (set(&[1]), 2, 1), (set(&[1]), 2, 1), (set(&[1]), 2, 1)]),
    );
}

/// An assertion is accepted once.
fn spent(book: &mut Book) {
    let once = |faults: &'static [Fault]| {
        move || {
            let mut world = World::with(key_clients);
            let text = assertion(1, &assertion_claims("signer", world.now));
            world.code(&["client_id=signer"]);
            let code = world.code(&["client_id=signer"]);
            world.faults.extend(faults.iter().copied());
            let by = by_assertion("signer", &text);
            let by: Vec<&str> = by.iter().map(String::as_str).collect();
            world.send(redeem(&code).but(&by));
            world
        }
    };
    book.one(
        case("replayed", "An assertion that was used is refused.", "RFC 7523 §3; K-47", "Somebody saw it.", "client.assertion.replayed"),
        || {
            let mut world = World::with(key_clients);
            let code = world.code(&["client_id=signer"]);
            let by = by_assertion("signer", &assertion(1, &assertion_claims("signer", world.now)));
            let by: Vec<&str> = by.iter().map(String::as_str).collect();
            let first = tokens(&world.send(redeem(&code).but(&by)));
            world.send(refresh(&first.refresh).but(&by));
            world
        },
    );
    book.one(case("spent-unknown", "A record that was applied unnoticed is recognised by its stamp.", "D4; S-02", "Else the client replays itself.", "200"), once(&[Fault::UnknownApplied]));
    book.one(case("spent-lost", "A record that was lost is written again.", "D4; S-02", "Else it could be used twice.", "200"), once(&[Fault::UnknownLost]));
    book.one(
        case("wrong-request", "A request that fails otherwise does not spend its assertion.", "D4", "It is recorded after every other check.", "token.verifier.mismatch"),
        || {
            let mut world = World::with(key_clients);
            let text = assertion(1, &assertion_claims("signer", world.now));
            assert(&mut world, "signer", &text, &["code_verifier=nonsense-nonsense-nonsense-nonsense-nonsense-x"]);
            world
        },
    );
}
