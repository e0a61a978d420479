//! The token endpoint: redeeming codes.

use super::{Book, case};
use crate::fixture::{RESOURCE, RESOURCE_2, get, put, put_client, redeem, two_resources};
use crate::world::{Fault, World};
use lockstep_oauth::authorization_server::operations::Operation;
use serde_json::json;

type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    ("redeemed", "A code is redeemed for an access token and a refresh token.", "OAuth 2.1-15 §4.1.3; C-01", "The one way to tokens.", "200", &[]),
    ("no-redirect", "The redirect may be left out.", "OAuth 2.1-15 §4.1.3; C-12", "OAuth 2.1 has dropped it.", "200", &["-redirect_uri"]),
    ("no-resource", "The resource may be left out.", "RFC 8707 §2.2", "The grant has only one.", "200", &["-resource"]),
    ("scope-ignored", "A scope has no meaning here.", "OAuth 2.1-15 §4.1.3; C-15", "Some clients send it.", "200", &["scope=notes:admin"]),
    ("charset", "A media type may have parameters.", "RFC 9110 §8.3.1", "Many HTTP clients add a charset.", "200", &["@Content-Type: application/x-www-form-urlencoded; charset=UTF-8"]),
    ("malformed", "A broken percent-encoding is refused.", "OAuth 2.1-15 §3.2", "Strictly read, or not at all.", "token.malformed", &["!grant_type=%zz"]),
    ("json", "A JSON body is refused.", "OAuth 2.1-15 §3.2; H-01", "The endpoint takes forms.", "token.media_type", &["@Content-Type: application/json"]),
    ("no-media-type", "A body without a media type is refused.", "OAuth 2.1-15 §3.2", "A form says that it is one.", "token.media_type", &["@Content-Type: "]),
    ("query", "Parameters in the URL are refused.", "OAuth 2.1-15 §2.4.1", "URLs end up in logs.", "token.query", &["?code=x"]),
    ("repeated", "A repeated parameter is refused.", "OAuth 2.1-15 §3.2; H-06", "Pollution.", "request.parameter.repeated", &["+code=x"]),
    ("no-grant-type", "A request without a grant type is refused.", "OAuth 2.1-15 §4.1.3", "It is required.", "token.grant_type.missing", &["-grant_type"]),
    ("grant-type", "Another grant type is refused.", "OAuth 2.1-15 §3.2.4", "The password grant is gone.", "token.grant_type", &["grant_type=password"]),
    ("no-code", "A request without a code is refused.", "OAuth 2.1-15 §4.1.3", "An empty value counts as absent.", "token.code.missing", &["code="]),
    ("code-malformed", "A code that is none is refused without looking into the store.", "OAuth 2.1-15 §4.1.3; C-16", "Noise costs no load.", "token.code.unknown", &["code=lsc_nonsense"]),
    ("code-other-kind", "A code under another prefix is refused.", "OAuth 2.1-15 §4.1.3", "The seal knows what it is.", "token.code.unknown", &["code=lsr_nonsense"]),
    ("other-client", "A code of another client is refused, and not spent.", "OAuth 2.1-15 §4.1.3; C-08", "A stolen code is worth nothing elsewhere.", "token.code.client", &["client_id=other"]),
    ("other-redirect", "Another redirect is refused.", "RFC 6749 §4.1.3; C-11", "Code injection.", "token.code.redirect", &["redirect_uri=https://client.example/cb2"]),
    ("no-verifier", "A request without a verifier is refused.", "RFC 7636 §4.5; P-07", "The PKCE downgrade.", "token.verifier.missing", &["-code_verifier"]),
    ("other-verifier", "Another verifier is refused, and the code is not spent.", "RFC 7636 §4.6; P-08", "Guessing must not lock the client out.", "token.verifier.mismatch", &["code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"]),
    ("short-verifier", "A verifier of 42 characters is refused.", "RFC 7636 §4.1; P-12", "43 to 128.", "token.verifier.mismatch", &["code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX"]),
    ("other-resource", "A resource that was not approved is refused.", "RFC 8707 §2.2; C-13", "A token for another resource than the user was told.", "token.resource", &["resource=https://mcp.example/api"]),
];

pub(super) fn scenarios(book: &mut Book) {
    for (slug, title, spec, why, ends, changes) in ROWS {
        book.one(case(slug, title, spec, why, ends), || {
            let mut world = World::new();
            let code = world.code(&[]);
            world.send(redeem(&code).but(changes));
            world
        });
    }
    variants(book);
    times(book);
    faults(book);
    transport(book);
}

fn variants(book: &mut Book) {
    book.one(
        case("no-refresh", "Without refresh tokens the answer has none.", "OAuth 2.1-15 §3.2.3", "`refresh` is `never`.", "200"),
        || {
            let mut world = World::with(|config| put(config, "refresh", json!("never")));
            let code = world.code(&[]);
            world.send(redeem(&code));
            world
        },
    );
    book.one(
        case("jwt", "A JWT access token is signed for its resource.", "RFC 9068 §2.2", "For resource servers that share no storage.", "200"),
        || {
            let mut world = World::with(|config| put(config, "access_token_format", json!("jwt")));
            let code = world.code(&[]);
            world.send(redeem(&code));
            world
        },
    );
    book.one(
        case("prefixes", "The operator chooses the prefixes.", "D5", "For people and secret scanners.", "200"),
        || {
            let prefixes = json!({ "code": "acme_c_", "access": "acme_a_", "refresh": "acme_r_" });
            let mut world = World::with(|config| put(config, "token_prefixes", prefixes));
            let code = world.code(&[]);
            world.send(redeem(&code));
            world
        },
    );
    book.one(
        case("resources", "One token is for one resource.", "RFC 8707 §2.2", "Each request names the one it wants.", "token.resources"),
        || {
            let mut world = several();
            let code = world.code(&[&format!("+resource={RESOURCE_2}")]);
            world.send(redeem(&code).but(&[&format!("+resource={RESOURCE_2}")]));
            world
        },
    );
    book.one(
        case("second-resource", "A grant of two resources gives a token for either.", "RFC 8707 §2.2; C-14", "The selection is in the token.", "200"),
        || {
            let mut world = several();
            let code = world.code(&[&format!("+resource={RESOURCE_2}")]);
            world.send(redeem(&code).but(&[&format!("resource={RESOURCE_2}")]));
            world
        },
    );
    book.one(
        case("client-grant", "A client that lost the grant type meanwhile is refused.", "OAuth 2.1-15 §3.2.4", "What was true at the page may have changed.", "token.client.grant"),
        || {
            let mut world = World::new();
            let code = world.code(&[]);
            world.reconfigure(|config| put_client(config, "web", "grant_types", json!(["refresh_token"])));
            world.send(redeem(&code));
            world
        },
    );
    book.one(
        case("signed-out", "A code of a user who signed out everywhere is dead.", "D3; C-20", "The subject's counter has grown.", "token.grant.dead"),
        || {
            let mut world = World::new();
            let code = world.code(&[]);
            world.operate(Operation::SignOutEverywhere { subject: "alice".into() });
            world.send(redeem(&code));
            world
        },
    );
    book.one(
        case("purged", "A code whose record is gone is unknown.", "OAuth 2.1-15 §4.1.3; C-35", "The broom came by.", "token.code.unknown"),
        || {
            let mut world = World::new();
            let code = world.code(&[]);
            world.wait(3 * 86_400);
            world.store.purge(world.now);
            world.send(redeem(&code));
            world
        },
    );
    book.one(
        case("other-issuer", "A code of another issuer is unknown.", "OAuth 2.1-15 §4.1.3; C-17", "Its seal holds the issuer, even under the same keys.", "token.code.unknown"),
        || {
            let mut world = World::new();
            let code = world.code(&[]);
            world.reconfigure(|config| put(config, "issuer", json!("https://as2.example")));
            world.send(redeem(&code));
            world
        },
    );
}

fn several() -> World {
    World::with(|config| {
        two_resources(config);
        put(config, "several_resources", json!(true));
    })
}

fn times(book: &mut Book) {
    let after = |seconds: u64, redeemed: bool, changes: &'static [&'static str]| {
        move || {
            let mut world = World::new();
            let code = world.code(&[]);
            if redeemed {
                world.send(redeem(&code));
            }
            world.wait(seconds);
            world.send(redeem(&code).but(changes));
            world
        }
    };
    book.one(case("last-second", "A code lives until its last second.", "OAuth 2.1-15 §4.1.2", "Sixty seconds are sixty.", "200"), after(59, false, &[]));
    book.one(case("expired", "A code dies after its minute.", "OAuth 2.1-15 §4.1.2", "And is not the user's fault.", "token.code.expired"), after(60, false, &[]));
    book.one(case("raced", "A code that comes again at once is refused, and the tokens live.", "D4; C-02", "Clients race themselves.", "token.code.raced"), after(4, true, &[]));
    book.one(case("reused", "A code that comes again later revokes its grant.", "OAuth 2.1-15 §7.5.2; C-02", "Somebody else has it.", "token.code.reused"), after(5, true, &[]));
    book.one(case("reused-no-verifier", "A replay without the verifier revokes nothing.", "OAuth 2.1-15 §7.5.2", "Else whoever sees a code ends a session.", "token.verifier.missing"), after(60, true, &["-code_verifier"]));
    book.one(case("reused-other-client", "A replay by another client revokes nothing.", "OAuth 2.1-15 §7.5.2", "The same.", "token.code.client"), after(60, true, &["client_id=other"]));
    book.one(
        case("strict", "Without a race window the second redemption revokes.", "OAuth 2.1-15 §7.5.2", "`code_race_seconds` is 0.", "token.code.reused"),
        || {
            let mut world = World::with(|config| put(config, "code_race_seconds", json!(0)));
            let code = world.code(&[]);
            world.send(redeem(&code));
            world.send(redeem(&code));
            world
        },
    );
}

fn faults(book: &mut Book) {
    let faulty = |faults: &'static [Fault]| {
        move || {
            let mut world = World::new();
            let code = world.code(&[]);
            world.faults.extend(faults.iter().copied());
            world.send(redeem(&code));
            world
        }
    };
    book.one(case("unknown-applied", "A redemption that was applied unnoticed is recognised by its stamp.", "D4; C-05", "The client must not lose its tokens.", "200"), faulty(&[Fault::UnknownApplied]));
    book.one(case("unknown-lost", "A redemption that was lost is written again.", "D4; S-02", "The same.", "200"), faulty(&[Fault::UnknownLost]));
    book.one(case("conflict", "A conflict makes the exchange look again.", "D4", "A write that touched nothing of ours.", "200"), faulty(&[Fault::Conflict]));
    book.one(case("unsettled", "After three more looks the answer is 503.", "D4; S-01", "A limit on everything.", "server.unavailable"), faulty(&[Fault::Conflict; 4]));
    book.one(case("unread", "A store that cannot be read is 503.", "D4; S-01", "The code is not spent.", "server.unavailable"), faulty(&[Fault::LoadFails]));
}

fn transport(book: &mut Book) {
    book.one(
        case("preflight", "A script of another origin may ask.", "MCP-G2; T-31", "Browser-based MCP clients.", "204"),
        || {
            let mut world = World::new();
            world.send(get("/token").but(&["#OPTIONS", "@Origin: https://client.example"]));
            world
        },
    );
    book.one(
        case("framed-twice", "A request that says in two ways how long it is is refused.", "RFC 9112 §6.1; H-15", "Request smuggling.", "http.framing"),
        || {
            let mut world = World::new();
            world.send(redeem("lsc_x").but(&["@Transfer-Encoding: chunked", "@Content-Length: 5"]));
            world
        },
    );
    book.one(
        case("method", "The token endpoint answers POST only.", "OAuth 2.1-15 §3.2; C-28", "A GET would put the code into logs.", "http.method"),
        || {
            let mut world = World::new();
            let resource = format!("resource={RESOURCE}");
            world.send(redeem("lsc_x").but(&["#GET", &resource]));
            world
        },
    );
}
