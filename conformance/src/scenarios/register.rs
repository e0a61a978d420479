//! The registration endpoint.

use super::{Book, case};
use crate::fixture::{REDIRECT, client_key, get, put, register};
use crate::world::{Fault, World};
use serde_json::{Value, json};

const TOKEN: &str = "initial access token";

fn open() -> World {
    World::with(|config| put(config, "registration", json!({ "mode": "open" })))
}

fn guarded() -> World {
    let registration = json!({ "mode": "guarded", "initial_access_tokens": [TOKEN.replace(' ', "-")] });
    World::with(|config| put(config, "registration", registration))
}

fn native() -> Value {
    json!({
        "client_name": "Self Made", "redirect_uris": ["http://127.0.0.1/cb"], "application_type": "native",
        "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"], "scope": "notes:read",
    })
}

/// The same registration with one member changed; null removes it.
fn but(name: &str, value: Value) -> Value {
    let mut metadata = native();
    put(&mut metadata, name, value);
    metadata
}

pub(super) fn scenarios(book: &mut Book) {
    let registering = |metadata: Value| {
        move || {
            let mut world = open();
            world.send(register(&metadata));
            world
        }
    };
    let keys = json!({ "keys": [Value::Object(client_key(1).public().to_map())] });
    let mut signer = but("token_endpoint_auth_method", json!("private_key_jwt"));
    put(&mut signer, "jwks", keys);
    let mut both = signer.clone();
    put(&mut both, "jwks_uri", json!("https://app.example/jwks.json"));
    let rows: [(&str, &str, &str, &str, &str, Value); 19] = [
        ("public", "A client registers itself without a secret.", "RFC 7591 §3.2.1; MCP-R11; D-01", "What is stored is told back.", "201", native()),
        ("confidential", "A client that asks for a secret is told it once.", "RFC 7591 §3.2.1", "Only its hash is kept.", "201", but("token_endpoint_auth_method", json!("client_secret_basic"))),
        ("default-method", "A client that names no method gets a secret.", "RFC 7591 §2", "So says the standard.", "201", but("token_endpoint_auth_method", Value::Null)),
        ("keys", "A client registers the keys that it signs with.", "RFC 7591 §2", "And needs no secret.", "201", signer),
        ("minimal", "A redirect is all that a registration needs.", "RFC 7591 §2; D-01", "Everything else has a default.", "201", json!({ "redirect_uris": [REDIRECT] })),
        ("unknown-members", "Members that are not known are left out.", "RFC 7591 §2", "The answer says what is in force.", "201", but("vendor_extension", json!({ "a": 1 }))),
        ("scope-unknown", "Scopes that are not known are left out.", "RFC 7591 §2; D-05", "What the client may have is decided when it asks.", "201", but("scope", json!("vendor:x notes:read"))),
        ("scope-of-others", "A registration with foreign scopes only names none.", "RFC 7591 §2; D-05", "Some clients register with the scopes of another server.", "201", but("scope", json!("vendor:x"))),
        ("no-redirect", "A registration without redirects is refused.", "RFC 7591 §3.2.2", "A code has to go somewhere.", "register.redirect", but("redirect_uris", json!([]))),
        ("redirect-http", "Plain http is for loopback.", "RFC 7591 §3.2.2; R-31", "A code would travel in the clear.", "register.redirect", but("redirect_uris", json!(["http://client.example/cb"]))),
        ("redirect-script", "A script is no redirect.", "RFC 7591 §3.2.2; R-30", "It would run on our origin's page.", "register.redirect", but("redirect_uris", json!(["javascript:alert(1)"]))),
        ("redirect-code", "A redirect that holds a parameter of the answer is refused.", "RFC 7591 §3.2.2; R-52", "The client would read the attacker's code.", "register.redirect", but("redirect_uris", json!(["https://client.example/cb?code=x"]))),
        ("redirect-fragment", "A redirect with a fragment is refused.", "RFC 7591 §3.2.2; R-16", "It must not have one.", "register.redirect", but("redirect_uris", json!(["https://client.example/cb#x"]))),
        ("name-control", "A name with a control character is refused.", "RFC 7591 §3.2.2; D-10", "It is shown to people.", "register.metadata", but("client_name", json!("a\nb"))),
        ("method-unknown", "A method that is not supported is refused.", "RFC 7591 §3.2.2", "A silent downgrade would be worse.", "register.metadata", but("token_endpoint_auth_method", json!("tls_client_auth"))),
        ("two-key-sets", "Keys inline and by URL exclude each other.", "RFC 7591 §2; D-07", "Which would count?", "register.metadata", both),
        ("no-keys", "A client that signs needs keys.", "RFC 7591 §2", "It could never authenticate.", "register.metadata", but("token_endpoint_auth_method", json!("private_key_jwt"))),
        ("application-type", "An application is web or native.", "RFC 7591 §3.2.2; MCP-R11", "There is no third.", "register.metadata", but("application_type", json!("toaster"))),
        ("grants-without-code", "A registration without the code grant is refused.", "RFC 7591 §2", "There is no other way to begin.", "register.metadata", but("grant_types", json!(["client_credentials"]))),
    ];
    for (slug, title, spec, why, ends, metadata) in rows {
        book.one(case(slug, title, spec, why, ends), registering(metadata));
    }
    requests(book);
    faults(book);
}

fn requests(book: &mut Book) {
    let sending = |world: fn() -> World, changes: &'static [&'static str]| {
        move || {
            let mut world = world();
            world.send(register(&native()).but(changes));
            world
        }
    };
    book.one(case("form", "A form is no registration.", "RFC 7591 §3.1", "The endpoint takes JSON.", "register.media_type"), sending(open, &["@Content-Type: application/x-www-form-urlencoded"]));
    book.one(case("member-twice", "A member that comes twice is refused.", "RFC 8259 §4", "Two readers could take two redirects.", "register.metadata"), sending(open, &["!{\"redirect_uris\":[\"https://a.example/cb\"],\"redirect_uris\":[\"https://b.example/cb\"]}"]));
    book.one(case("array", "A list is no registration.", "RFC 7591 §3.1", "An object is.", "register.metadata"), sending(open, &["![]"]));
    book.one(case("guarded", "A guarded registration opens with its token.", "RFC 7591 §3; D-14", "The operator gave it away.", "201"), sending(guarded, &["@Authorization: Bearer initial-access-token"]));
    book.one(case("guarded-no-token", "A guarded registration stays shut without one.", "RFC 7591 §3; D-14", "Before anything is read.", "register.token"), sending(guarded, &[]));
    book.one(case("guarded-wrong-token", "A guarded registration stays shut with a wrong one.", "RFC 7591 §3; D-14", "The same.", "register.token"), sending(guarded, &["@Authorization: Bearer initial-access-tokem"]));
    book.one(case("off", "Where registration is off there is no endpoint.", "RFC 7591 §3; D-12", "And the metadata does not name one.", "http.not_found"), sending(World::new, &[]));
    book.one(case("method", "The registration endpoint answers POST.", "RFC 7591 §3", "`Allow` says so.", "http.method"), sending(open, &["#GET"]));
    book.one(
        case("preflight", "A script of another origin may register.", "T-31", "Browser-based MCP clients.", "204"),
        || {
            let mut world = open();
            world.send(get("/register").but(&["#OPTIONS"]));
            world
        },
    );
    book.one(
        case("limited", "One peer registers so many clients an hour, and no more.", "RFC 7591 §5; D-11", "Registrations are rows that anybody can make.", "register.limited"),
        || {
            let mut world = open();
            world.spent = true;
            world.send(register(&native()));
            world
        },
    );
}

fn faults(book: &mut Book) {
    let faulty = |fault: Fault| {
        move || {
            let mut world = open();
            world.faults.push_back(fault);
            world.send(register(&native()));
            world
        }
    };
    book.one(case("unknown-applied", "A registration that was applied unnoticed is recognised by its stamp.", "D4; S-02", "The client must be told what the store holds.", "201"), faulty(Fault::UnknownApplied));
    book.one(case("unknown-lost", "A registration that was lost is written again.", "D4; S-02", "The same.", "201"), faulty(Fault::UnknownLost));
    book.one(case("unread", "A store that cannot be read is 503.", "D4; S-01", "Nothing was registered.", "server.unavailable"), faulty(Fault::LoadFails));
}
