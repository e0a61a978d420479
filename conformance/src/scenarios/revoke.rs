//! The revocation endpoint.

use super::{Book, case};
use crate::fixture::{put, refresh, revoke, tokens};
use crate::world::{Fault, World};
use serde_json::json;

type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    ("refresh-token", "Revoking a refresh token ends the grant.", "RFC 7009 §2.1; V-01", "Every token of it is dead at once.", "200", &[]),
    ("hint-wrong", "A wrong hint does not matter.", "RFC 7009 §2.1", "It is a hint.", "200", &["token_type_hint=access_token"]),
    ("unknown", "An unknown token is as good as revoked.", "RFC 7009 §2.2; V-03", "The client has what it wants.", "200", &["token=lsr_nonsense"]),
    ("foreign", "A token of another client is answered alike, and untouched.", "RFC 7009 §2.1; V-04", "Nobody may end what is not theirs, or learn of it.", "200", &["client_id=other"]),
    ("no-token", "A request without a token is refused.", "RFC 7009 §2.1", "It is required.", "revoke.token.missing", &["-token"]),
    ("no-client", "A request without a client is refused.", "RFC 7009 §2.1", "A public client at least says who it is.", "client.missing", &["-client_id"]),
    ("repeated", "A repeated parameter is refused.", "OAuth 2.1-15 §3.2; V-07", "Pollution.", "request.parameter.repeated", &["+token=x"]),
    ("json", "A JSON body is refused.", "RFC 7009 §2.1", "The endpoint takes forms.", "token.media_type", &["@Content-Type: application/json"]),
    ("query", "A token in the URL is refused.", "OAuth 2.1-15 §2.4.1", "URLs end up in logs.", "token.query", &["?token=x"]),
    ("malformed", "A broken percent-encoding is refused.", "RFC 7009 §2.1", "Strictly read, or not at all.", "token.malformed", &["!token=%z"]),
];

pub(super) fn scenarios(book: &mut Book) {
    for (slug, title, spec, why, ends, changes) in ROWS {
        book.one(case(slug, title, spec, why, ends), || {
            let mut world = World::new();
            let first = world.connect();
            world.send(revoke(&first.refresh).but(changes));
            world
        });
    }
    book.one(
        case("access-token", "Revoking an access token leaves the refresh token.", "RFC 7009 §2.1; V-02", "The floor of the grant rises.", "200"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.send(revoke(&first.access));
            world
        },
    );
    book.one(
        case("old-generation", "An old refresh token ends the grant as well.", "RFC 7009 §2.1", "The family is the grant.", "200"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.send(refresh(&first.refresh));
            world.send(revoke(&first.refresh));
            world
        },
    );
    book.one(
        case("again", "Revoking twice is answered alike, and writes once.", "RFC 7009 §2.2; V-03", "It is dead already.", "200"),
        || {
            let mut world = World::new();
            let first = world.connect();
            world.send(revoke(&first.refresh));
            world.send(revoke(&first.refresh));
            world
        },
    );
    book.one(
        case("jwt", "A JWT access token cannot be revoked.", "RFC 7009 §2.2.1", "To say otherwise would be a lie.", "revoke.jwt"),
        || {
            let mut world = World::with(|config| put(config, "access_token_format", json!("jwt")));
            let first = world.connect();
            world.send(revoke(&first.access));
            world
        },
    );
    let faulty = |faults: &'static [Fault]| {
        move || {
            let mut world = World::new();
            let first = world.connect();
            let second = tokens(&world.send(refresh(&first.refresh)));
            world.faults.extend(faults.iter().copied());
            world.send(revoke(&second.refresh));
            world
        }
    };
    book.one(case("unknown-applied", "A revocation that was applied unnoticed is recognised by its stamp.", "D4; S-02", "200 is a promise.", "200"), faulty(&[Fault::UnknownApplied]));
    book.one(case("unknown-lost", "A revocation that was lost is written again.", "D4; S-02", "200 is a promise.", "200"), faulty(&[Fault::UnknownLost]));
    book.one(case("unsettled", "A revocation that does not settle is not promised.", "RFC 7009 §2.2.1; V-08", "503 asks the client to try again.", "server.unavailable"), faulty(&[Fault::UnknownLost; 4]));
}
