//! The introspection endpoint.

use super::{Book, case};
use crate::fixture::{introspect, put, redeem, revoke, tokens};
use crate::world::World;
use lockstep_oauth::authorization_server::operations::{Operated, Operation};
use serde_json::json;

type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    ("active", "A live access token is described.", "RFC 7662 §2.2", "For resource servers that share no storage.", "200", &[]),
    ("unknown", "An unknown token is inactive, and that is all.", "RFC 7662 §2.2", "Nothing else may be learnt.", "200", &["token=lsa_nonsense"]),
    ("public-caller", "A public client may not introspect.", "RFC 7662 §2.1; V-23", "Anybody could be it.", "introspect.caller", &["@-Authorization", "client_id=web"]),
    ("wrong-secret", "A caller that does not prove itself is refused.", "RFC 7662 §2.1", "Tokens could be scanned otherwise.", "client.secret", &["@Authorization: Basic Y29uZmlkZW50aWFsOndyb25n"]),
    ("no-token", "A request without a token is refused.", "RFC 7662 §2.1", "It is required.", "revoke.token.missing", &["-token"]),
    ("repeated", "A repeated parameter is refused.", "OAuth 2.1-15 §3.2", "Pollution.", "request.parameter.repeated", &["+token=x"]),
    ("json", "A JSON body is refused.", "RFC 7662 §2.1", "The endpoint takes forms.", "token.media_type", &["@Content-Type: application/json"]),
];

pub(super) fn scenarios(book: &mut Book) {
    for (slug, title, spec, why, ends, changes) in ROWS {
        book.one(case(slug, title, spec, why, ends), || {
            let mut world = World::new();
            let first = world.connect();
            world.send(introspect(&first.access).but(changes));
            world
        });
    }
    book.one(
        case("not-named", "A confidential client that the operator has not named may not introspect.", "RFC 7662 §2.1", "`introspects` is an operator's word.", "introspect.caller"),
        || {
            let mut world = World::with(|config| crate::fixture::put_client(config, "confidential", "introspects", json!(false)));
            let first = world.connect();
            world.send(introspect(&first.access));
            world
        },
    );
    book.one(
        case("refresh-token", "A refresh token is inactive at a resource.", "RFC 7662 §2.2; V-22", "It is not for resources.", "200"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.send(introspect(&first.refresh));
            world
        },
    );
    book.one(
        case("expired", "An expired token is inactive.", "RFC 7662 §2.2", "Although its grant lives.", "200"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.wait(3600);
            world.send(introspect(&first.access));
            world
        },
    );
    book.one(
        case("revoked", "A token of a revoked grant is inactive.", "RFC 7662 §2.2", "At once.", "200"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.send(revoke(&first.refresh));
            world.send(introspect(&first.access));
            world
        },
    );
    book.one(
        case("personal", "A personal access token is described without a client.", "RFC 7662 §2.2", "It has none.", "200"),
        || {
            let mut world = World::new();
            let operated = world.operate(Operation::IssuePersonal {
                subject: "alice".into(),
                name: "laptop".into(),
                claims: serde_json::Map::new(),
                resource: String::new(),
                scopes: Vec::new(),
                expires_in: 3600,
            });
            let Operated::Issued { token, .. } = operated.operated else { panic!() };
            world.send(introspect(&token));
            world
        },
    );
    let jwt = || {
        let mut world = World::with(|config| put(config, "access_token_format", json!("jwt")));
        let code = world.code(&[]);
        let first = tokens(&world.send(redeem(&code)));
        (world, first)
    };
    book.one(
        case("jwt", "A JWT is described from its grant.", "RFC 7662 §2.2; RFC 9068 §4", "What the store says is better than a signature.", "200"),
        || {
            let (mut world, first) = jwt();
            world.send(introspect(&first.access));
            world
        },
    );
    book.one(
        case("jwt-revoked", "A JWT of a revoked grant is inactive.", "RFC 7662 §2.2", "Those who ask learn it at once.", "200"),
        || {
            let (mut world, first) = jwt();
            world.send(revoke(&first.refresh));
            world.send(introspect(&first.access));
            world
        },
    );
}
