//! The consent page and its answer.

use super::{Book, case};
use crate::fixture::{Draft, get, hidden, manage, put, redeem, redirected, register, user};
use crate::world::{Fault, World};
use lockstep_oauth::authorization_server::Answer;
use lockstep_oauth::question::Decision;
use serde_json::json;

type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    ("approved", "A yes sends a code, the state and the issuer to the redirect.", "OAuth 2.1-15 §4.1.2; RFC 9207 §2; MCP-I2; R-56", "303, so that the form does not travel on.", "303", &[]),
    ("unticked", "An unticked optional scope is not granted.", "OAuth 2.1-15 §1.4.1", "The page's boxes mean what they say.", "303", &["-scope"]),
    ("scope-invented", "A scope that was not shown cannot be ticked.", "RFC 9700 §4.7; U-09", "The form is the user's, and may be changed on the way.", "303", &["+scope=notes:admin"]),
    ("own-origin", "A form that names our origin is accepted.", "RFC 9700 §4.7", "Hosts may set another referrer policy.", "303", &["@Origin: https://as.example"]),
    ("no-origin", "An old browser that names no origin is accepted.", "RFC 9700 §4.7", "Cookie and seal still bind the form.", "303", &["@-Origin", "@-Sec-Fetch-Site"]),
    ("denied", "A no sends the client away, with state and issuer.", "OAuth 2.1-15 §4.1.2.1", "Nothing was stored.", "authorize.denied", &["decision=deny"]),
    ("no-ticket", "A form without a ticket is refused.", "OAuth 2.1-15 §7.11", "It answers nothing.", "consent.ticket.invalid", &["-ticket"]),
    ("ticket-forged", "A ticket that we did not seal is refused.", "OAuth 2.1-15 §7.11; U-17", "Authenticated encryption says so.", "consent.ticket.invalid", &["ticket=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]),
    ("other-browser", "A ticket of another browser is refused.", "RFC 9700 §4.7; A-44", "Somebody may have sent the user a page of their own.", "consent.ticket.browser", &["@Cookie: __Host-lockstep=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]),
    ("no-cookie", "A browser without a cookie is refused.", "RFC 9700 §4.7; U-04", "The same.", "consent.ticket.browser", &["@-Cookie"]),
    ("cookie-twice", "Two cookies of our name are none.", "RFC 9700 §4.7; U-04", "A sibling domain may have tossed one in.", "consent.ticket.browser", &["@+Cookie: __Host-lockstep=x"]),
    ("decision-unknown", "A form that says neither yes nor no is refused.", "OAuth 2.1-15 §7.11", "Silence is not a yes.", "consent.form", &["decision=perhaps"]),
    ("decision-twice", "A form that says both is refused.", "OAuth 2.1-15 §7.11; U-08", "Pollution again.", "consent.form", &["+decision=deny"]),
    ("not-a-form", "A body that is no form is refused.", "OAuth 2.1-15 §7.11", "Only our page posts here.", "consent.form", &["@Content-Type: text/plain"]),
    ("foreign-origin", "A form of another site is refused.", "RFC 9700 §4.7; U-06", "Cross-site request forgery.", "consent.origin", &["@Origin: https://evil.example"]),
    ("cross-site", "A cross-site form is refused whatever its origin says.", "RFC 9700 §4.7; U-06", "No script can set Sec-Fetch-Site.", "consent.origin", &["@Sec-Fetch-Site: cross-site"]),
    ("null-origin", "A null origin alone is refused.", "RFC 9700 §4.7; H-18", "Sandboxed frames say null too.", "consent.origin", &["@-Sec-Fetch-Site"]),
    ("no-seal", "A form without its seal is refused.", "RFC 9700 §4.7; U-02", "The seal says what was shown, to whom.", "consent.seal", &["-seal"]),
    ("seal-forged", "A seal that we did not make is refused.", "RFC 9700 §4.7; U-02", "The same.", "consent.seal", &["seal=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]),
];

/// A world with a page in front of alice.
fn shown() -> (World, Answer) {
    let mut world = World::new();
    let page = world.authorize(&["scope=notes:read notes:write"]);
    (world, page)
}

fn again(world: &World, page: &Answer) -> Draft {
    let ticket = format!("ticket={}", hidden(page, "ticket"));
    get("/consent").but(&[&ticket, &world.cookie_change()])
}

pub(super) fn scenarios(book: &mut Book) {
    for (slug, title, spec, why, ends, changes) in ROWS {
        book.one(case(slug, title, spec, why, ends), || {
            let (mut world, page) = shown();
            world.consent(&page, changes);
            world
        });
    }
    visits(book);
    answers(book);
    faults(book);
}

fn visits(book: &mut Book) {
    book.one(
        case("shown-again", "A user who comes back to a ticket sees the page again.", "OAuth 2.1-15 §7.11", "A reload is no dead end.", "200"),
        || {
            let (mut world, page) = shown();
            let visit = again(&world, &page);
            world.send(visit);
            world
        },
    );
    book.one(
        case("signed-out", "A user who was signed out meanwhile is sent to the login.", "OAuth 2.1-15 §7.11", "And comes back to the same ticket.", "303"),
        || {
            let (mut world, page) = shown();
            world.sign_in = Decision::SignIn { location: "/login".into() };
            let visit = again(&world, &page);
            world.send(visit);
            world
        },
    );
    book.one(
        case("expired", "A page that was open for too long is refused.", "OAuth 2.1-15 §7.11; U-17", "`ticket_seconds` is how long a user has.", "consent.ticket.expired"),
        || {
            let (mut world, page) = shown();
            world.wait(600);
            world.consent(&page, &[]);
            world
        },
    );
    book.one(
        case("client-gone", "A client that was deleted meanwhile gets no code.", "OAuth 2.1-15 §3.2.4; A-45", "Every endpoint resolves the client anew.", "client.unknown"),
        || {
            let mut world = World::with(|config| put(config, "registration", json!({ "mode": "open" })));
            let metadata = json!({ "redirect_uris": ["https://client.example/cb"], "token_endpoint_auth_method": "none" });
            let told = crate::fixture::body(&world.send(register(&metadata)));
            let (id, token) = (told["client_id"].as_str().unwrap(), told["registration_access_token"].as_str().unwrap());
            let page = world.authorize(&[&format!("client_id={id}")]);
            world.send(manage("DELETE", id, token));
            world.consent(&page, &[]);
            world
        },
    );
}

fn answers(book: &mut Book) {
    book.one(
        case("repeated", "The same answer again gets the same code.", "OAuth 2.1-15 §4.1.2", "A double click is no dead end.", "303"),
        || {
            let (mut world, page) = shown();
            world.consent(&page, &[]);
            world.consent(&page, &[]);
            world
        },
    );
    book.one(
        case("decided-otherwise", "Another answer to the same ticket is refused.", "OAuth 2.1-15 §4.1.2", "One ticket makes one grant.", "consent.decided"),
        || {
            let (mut world, page) = shown();
            world.consent(&page, &[]);
            world.consent(&page, &["-scope"]);
            world
        },
    );
    book.one(
        case("decided-redeemed", "A ticket whose code was redeemed is answered.", "OAuth 2.1-15 §4.1.2", "The code must not come out again.", "consent.decided"),
        || {
            let (mut world, page) = shown();
            let code = redirected(&world.consent(&page, &[]), "code").unwrap();
            world.send(redeem(&code));
            world.consent(&page, &[]);
            world
        },
    );
    book.one(
        case("other-user", "A form that another user was shown approves nothing.", "RFC 9700 §4.7; U-18", "The user changed between the page and the answer.", "consent.user"),
        || {
            let (mut world, page) = shown();
            world.sign_in = Decision::SignedIn(user("bob"));
            world.consent(&page, &[]);
            world
        },
    );
    book.one(
        case("other-seal", "The seal of another ticket is refused.", "RFC 9700 §4.7; U-02", "It says what another page has shown.", "consent.seal"),
        || {
            let (mut world, page) = shown();
            let other = world.authorize(&["state=s2"]);
            let seal = format!("seal={}", hidden(&other, "seal"));
            world.consent(&page, &[&seal]);
            world
        },
    );
    book.one(
        case("nothing-ticked", "Unticking everything is denying.", "OAuth 2.1-15 §4.1.2.1", "A code for nothing helps nobody.", "authorize.denied"),
        || {
            let mut world = World::new();
            let page = world.authorize(&["scope=notes:write"]);
            world.consent(&page, &["-scope"]);
            world
        },
    );
    book.one(
        case("grant-too-large", "A grant that exceeds its record is refused at the decision.", "RFC 9110 §15.5.14", "And not at some later commit.", "authorize.too_large"),
        || {
            let mut world = World::new();
            let mut alice = user("alice");
            alice.claims.insert("photo".into(), json!("x".repeat(8 * 1024)));
            world.sign_in = Decision::SignedIn(alice);
            let page = world.authorize(&[]);
            world.consent(&page, &[]);
            world
        },
    );
    book.one(
        case("path", "An issuer with a path has its pages under it.", "RFC 8414 §3.1", "One origin may hold several servers.", "303"),
        || {
            let mut world = World::with(|config| put(config, "issuer", json!("https://as.example/auth")));
            let page = world.authorize(&["/auth/authorize"]);
            world.consent(&page, &["/auth/consent"]);
            world
        },
    );
}

fn faults(book: &mut Book) {
    let faulty = |faults: &'static [Fault]| {
        move || {
            let (mut world, page) = shown();
            world.faults.extend(faults.iter().copied());
            world.consent(&page, &[]);
            world
        }
    };
    book.one(
        case("unknown-applied", "An approval that was applied unnoticed is recognised by its stamp.", "D4; S-02", "One grant, one code.", "303"),
        faulty(&[Fault::UnknownApplied]),
    );
    book.one(
        case("unknown-lost", "An approval that was lost is written again.", "D4; S-02", "One grant, one code.", "303"),
        faulty(&[Fault::UnknownLost]),
    );
    book.one(
        case("unsettled", "A store that does not settle is unavailable after three more looks.", "D4; S-01", "A limit on everything.", "server.unavailable"),
        faulty(&[Fault::UnknownLost; 4]),
    );
    book.one(
        case("unread", "A store that cannot be read is unavailable.", "D4; S-01", "Nothing was lost.", "server.unavailable"),
        faulty(&[Fault::LoadFails]),
    );
}
