//! The public keys of JWT access tokens.

use super::{Book, case};
use crate::fixture::{get, put};
use crate::world::World;
use lockstep_oauth::keys::KeyRing;
use serde_json::json;

fn signing() -> World {
    World::with(|config| put(config, "access_token_format", json!("jwt")))
}

pub(super) fn scenarios(book: &mut Book) {
    book.one(
        case("published", "The key that signs is published, without its private half.", "RFC 7517 §5; RFC 9068 §4", "Resource servers verify by it.", "200"),
        || {
            let mut world = signing();
            world.send(get("/jwks"));
            world
        },
    );
    book.one(
        case("rotating", "A new key is published before it signs, and the old one while its tokens live.", "RFC 9068 §4; T-35", "Caches must know it first.", "200"),
        || {
            let mut world = signing();
            world.rekey(KeyRing::rotate(world.keys(), world.now, &[8; 32], 600, 86_400).unwrap());
            world.send(get("/jwks"));
            world
        },
    );
    book.one(
        case("retired", "A key whose last token has expired is gone.", "RFC 9068 §4; T-35", "A leaked old key signs nothing.", "200"),
        || {
            let mut world = signing();
            world.rekey(KeyRing::rotate(world.keys(), world.now, &[8; 32], 600, 86_400).unwrap());
            world.wait(600 + 86_400);
            world.send(get("/jwks"));
            world
        },
    );
    book.one(
        case("opaque", "Where tokens are opaque there are no keys to publish.", "RFC 8414 §2", "And the metadata does not name them.", "http.not_found"),
        || {
            let mut world = World::new();
            world.send(get("/jwks"));
            world
        },
    );
    book.one(
        case("method", "Keys are read.", "RFC 9110 §15.5.6", "`Allow` says so.", "http.method"),
        || {
            let mut world = signing();
            world.send(get("/jwks").but(&["#DELETE"]));
            world
        },
    );
}
