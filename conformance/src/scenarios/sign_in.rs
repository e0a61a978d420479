//! The built-in sign-in by personal access token.

use super::{Book, case};
use crate::fixture::{Draft, get, put, user};
use crate::world::World;
use lockstep_oauth::authorization_server::operations::{Operated, Operation};
use lockstep_oauth::question::Decision;
use serde_json::json;

const NEXT: &str = "next=/authorize?client_id=web";

/// A world with the built-in sign-in, and alice's token.
fn world() -> (World, String) {
    let mut world = World::with(|config| {
        put(config, "sign_in", json!("personal_token"));
        put(config, "verify_tokens", json!(true));
    });
    let operated = world.operate(Operation::IssuePersonal {
        subject: "alice".into(),
        name: "laptop".into(),
        claims: user("alice").claims,
        resource: String::new(),
        scopes: Vec::new(),
        expires_in: 3600,
    });
    let Operated::Issued { token, .. } = operated.operated else { panic!("{operated:?}") };
    (world, token)
}

fn form(token: &str) -> Draft {
    let token = format!("token={token}");
    get("/sign-in").but(&["#POST", NEXT, &token, "@Origin: null", "@Sec-Fetch-Site: same-origin"])
}

pub(super) fn scenarios(book: &mut Book) {
    let signing_in = |changes: &'static [&'static str]| {
        move || {
            let (mut world, token) = world();
            world.send(form(&token).but(changes));
            world
        }
    };
    book.one(
        case("page", "The page asks for a token.", "U-21", "It works without a script.", "200"),
        || {
            let (mut world, _) = world();
            world.send(get("/sign-in").but(&[NEXT]));
            world
        },
    );
    book.one(case("accepted", "A personal access token signs its user in.", "OAuth 2.1-15 §7.7; U-13", "The session is a sealed cookie.", "303"), signing_in(&[]));
    book.one(case("wrong", "A wrong token is refused on the page.", "OAuth 2.1-15 §7.7", "And may be tried again.", "sign_in.token"), signing_in(&["token=lsp_nonsense"]));
    book.one(case("empty", "An empty token is refused on the page.", "OAuth 2.1-15 §7.7", "The same.", "sign_in.token"), signing_in(&["token="]));
    book.one(case("foreign-next", "A way back that is not ours is not taken.", "U-20", "An open redirector otherwise.", "303"), signing_in(&["next=https://evil.example/"]));
    book.one(case("foreign-next-slashes", "Neither is one that only looks like a path.", "U-20", "The same.", "303"), signing_in(&["next=//evil.example/authorize?"]));
    book.one(case("foreign-origin", "A form of another site is refused.", "U-06", "Login forgery.", "consent.origin"), signing_in(&["@Origin: https://evil.example"]));
    book.one(case("token-twice", "A form with two tokens is refused.", "U-08", "Pollution.", "consent.form"), signing_in(&["+token=x"]));
    book.one(
        case("host-token", "The host may know a token that we did not issue.", "OAuth 2.1-15 §7.7", "API keys that users have already.", "303"),
        || {
            let (mut world, _) = world();
            world.credentials.insert("api-key".into(), Decision::SignedIn(user("carol")));
            world.send(form("api-key"));
            world
        },
    );
    book.one(
        case("expired", "An expired token signs nobody in.", "OAuth 2.1-15 §7.7", "Its time is over here as well.", "sign_in.token"),
        || {
            let (mut world, token) = world();
            world.wait(3600);
            world.send(form(&token));
            world
        },
    );
    book.one(
        case("to-the-page", "A session is asked for consent.", "OAuth 2.1-15 §4.1", "No question to the host.", "200"),
        || {
            let (mut world, token) = world();
            world.send(form(&token));
            world.authorize(&[]);
            world
        },
    );
    book.one(
        case("from-the-page", "Without a session the browser is sent to sign in.", "OAuth 2.1-15 §4.1", "With the request as the way back.", "303"),
        || {
            let (mut world, _) = world();
            world.authorize(&[]);
            world
        },
    );
    book.one(
        case("session-expired", "A session ends.", "OAuth 2.1-15 §7.7", "After eight hours.", "303"),
        || {
            let (mut world, token) = world();
            world.send(form(&token));
            world.wait(8 * 3600);
            world.authorize(&[]);
            world
        },
    );
    book.one(
        case("signed-out", "Signing out everywhere ends sessions.", "D3", "The cookie holds the counter that it was made under.", "303"),
        || {
            let (mut world, token) = world();
            world.send(form(&token));
            world.operate(Operation::SignOutEverywhere { subject: "alice".into() });
            world.authorize(&[]);
            world
        },
    );
    book.one(
        case("off", "Where the host signs in there is no such page.", "RFC 9110 §15.5.5", "One way in.", "http.not_found"),
        || {
            let mut world = World::new();
            world.send(get("/sign-in"));
            world
        },
    );
}
