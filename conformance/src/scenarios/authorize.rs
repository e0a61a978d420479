//! The authorization endpoint.

use super::{Book, case};
use crate::fixture::{DOCUMENT, RESOURCE, RESOURCE_2, document, get, put, put_client, served, two_resources, user};
use crate::world::{Fault, World};
use lockstep_oauth::question::Decision;
use serde_json::json;

/// A request with one change: slug, title, specification, why, end, changes.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    ("page", "A signed-in user is shown who asks for what.", "OAuth 2.1-15 §4.1.1; U-01", "The page is where a person decides; nothing is stored yet.", "200", &[]),
    ("optional-scope", "A scope that may be left out is shown with a box to untick.", "OAuth 2.1-15 §1.4.1", "Least privilege needs a choice.", "200", &["scope=notes:read notes:write"]),
    ("posted", "The request may be posted as a form.", "OAuth 2.1-15 §3.1", "Large requests do not fit into a URL.", "200", &["#POST"]),
    ("defaults", "A request without scope and resource gets the defaults.", "OAuth 2.1-15 §1.4.1; MCP-S7; RFC 8707 §2.1; A-28", "Older MCP clients send neither.", "200", &["-scope", "-resource"]),
    ("unknown-scope-dropped", "A scope that is not known here is left out.", "OAuth 2.1-15 §1.4.1; A-20", "Clients ask for what other servers have.", "200", &["scope=vendor:x notes:read"]),
    ("offline-access", "offline_access alone asks for the defaults and for refresh tokens.", "MCP SEP-2207", "It is no scope of a resource, but every client may ask for it.", "200", &["scope=offline_access"]),
    ("loopback-port", "The port of a loopback redirect may be any.", "RFC 8252 §7.3; R-32", "A native app listens on whatever port is free.", "200", &["client_id=native", "redirect_uri=http://127.0.0.1:53682/cb"]),
    ("resource-case", "Scheme and host of the resource may be upper case.", "MCP-P4; A-33", "RFC 3986 says that they mean the same.", "200", &["resource=HTTPS://MCP.example/mcp"]),
    ("ignored", "Parameters that are not known are ignored.", "OAuth 2.1-15 §3.1; A-12", "Extensions must not break what works.", "200", &["prompt=consent", "nonce=n", "foo=bar"]),
    ("percent", "A broken percent-encoding is refused on a page.", "OAuth 2.1-15 §3.1; A-42", "Two parsers that guess differently are an attack.", "authorize.malformed", &["?client_id=web&redirect_uri=%zz"]),
    ("not-utf8", "Bytes that are not UTF-8 are refused on a page.", "OAuth 2.1-15 §3.1; A-43", "The same.", "authorize.malformed", &["?client_id=web&state=%ff"]),
    ("posted-json", "A posted request that is no form is refused on a page.", "OAuth 2.1-15 §3.1", "No other encoding is defined.", "authorize.malformed", &["#POST", "@Content-Type: application/json"]),
    ("client-twice", "Two client identifiers are refused on a page, equal or not.", "OAuth 2.1-15 §3.1; A-05", "Parameter pollution: one reader takes the first, another the last.", "authorize.repeated", &["+client_id=web"]),
    ("redirect-twice", "Two redirects are refused on a page.", "OAuth 2.1-15 §3.1; A-07", "CVE-2026-9689.", "authorize.repeated", &["+redirect_uri=https://evil.example/"]),
    ("no-client", "A request without a client is refused on a page.", "OAuth 2.1-15 §4.1.1; A-14", "There is no redirect to trust.", "authorize.client.missing", &["-client_id"]),
    ("client-control", "A client identifier with a control character is refused on a page.", "OAuth 2.1-15 §4.1.2.1; A-16", "It would end up in logs.", "authorize.client.unknown", &["client_id=a\nb"]),
    ("client-unknown", "An unknown client is refused on a page.", "OAuth 2.1-15 §4.1.2.1; A-15", "An open redirector otherwise.", "client.unknown", &["client_id=nobody"]),
    ("no-redirect", "A request without a redirect is refused on a page.", "OAuth 2.1-15 §2.3.2; R-46", "Guessing one would be a guess about security.", "authorize.redirect.missing", &["-redirect_uri"]),
    ("redirect-longer", "A redirect that only begins like a registered one is refused on a page.", "OAuth 2.1-15 §2.3.1; R-08", "Prefix matching is the classic hole.", "authorize.redirect", &["redirect_uri=https://client.example/cb/../evil"]),
    ("redirect-port", "Another port of an https redirect is refused on a page.", "OAuth 2.1-15 §2.3.1; R-19", "Only loopback ports are free.", "authorize.redirect", &["redirect_uri=https://client.example:8443/cb"]),
    ("redirect-loopback-host", "Another loopback name is another redirect.", "RFC 8252 §8.3; R-37", "localhost may resolve to something else.", "authorize.redirect", &["client_id=native", "redirect_uri=http://localhost:53682/cb"]),
    ("redirect-other-client", "The redirect of another client is refused on a page.", "OAuth 2.1-15 §2.3.1; R-49", "Each client has its own.", "authorize.redirect", &["redirect_uri=https://other.example/cb"]),
    ("state-twice", "Two states are refused at the redirect, without any state.", "OAuth 2.1-15 §3.1; A-08", "Neither can be echoed.", "authorize.parameter.repeated", &["+state=s2"]),
    ("scope-twice", "Two scopes are refused at the redirect.", "OAuth 2.1-15 §3.1; A-10", "The same pollution behind the redirect.", "authorize.parameter.repeated", &["+scope=notes:write"]),
    ("request-object", "Request objects are refused at the redirect.", "RFC 9101 §6.2", "An ignored request object would be a downgrade.", "authorize.request", &["request=eyJhbGciOiJub25lIn0.e30."]),
    ("request-uri", "Request URIs are refused and nothing is fetched.", "RFC 9101 §6.2; A-26", "Server-side request forgery otherwise.", "authorize.request_uri", &["request_uri=https://evil.example/r"]),
    ("no-response-type", "A request without a response type is refused at the redirect.", "OAuth 2.1-15 §4.1.1; A-01", "It is required.", "authorize.response_type.missing", &["-response_type"]),
    ("response-type", "Another response type is refused at the redirect.", "OAuth 2.1-15 §4.1.2.1; A-03", "Implicit and hybrid flows leak tokens.", "authorize.response_type", &["response_type=code token"]),
    ("response-type-case", "Response types are case sensitive.", "OAuth 2.1-15 §4.1.2.1; A-04", "RFC 6749 says so.", "authorize.response_type", &["response_type=Code"]),
    ("response-mode", "Another response mode is refused at the redirect.", "OAuth 2.0 Multiple Response Types §2.1; A-27", "A fragment leaks the code to scripts.", "authorize.response_mode", &["response_mode=fragment"]),
    ("no-challenge", "A request without a code challenge is refused at the redirect.", "RFC 7636 §4.4.1; P-20", "PKCE is for every client.", "authorize.challenge.missing", &["-code_challenge"]),
    ("challenge-plain", "The plain method is refused at the redirect.", "RFC 7636 §4.3; P-02", "It shows the verifier to whoever sees the request.", "authorize.challenge.method", &["code_challenge_method=plain"]),
    ("no-challenge-method", "A missing method means plain, and is refused.", "RFC 7636 §4.3", "The downgrade by leaving it out.", "authorize.challenge.method", &["-code_challenge_method"]),
    ("challenge-padded", "A padded challenge is refused at the redirect.", "RFC 7636 §4.2; P-05", "43 characters of base64url, and no others.", "authorize.challenge", &["code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM="]),
    ("resource-unknown", "A resource that is not known is refused at the redirect.", "RFC 8707 §2; A-29", "A token for whoever asks is a confused deputy.", "authorize.resource", &["resource=https://mcp.example/other"]),
    ("resource-fragment", "A resource with a fragment is refused at the redirect.", "RFC 8707 §2; A-30", "It must not have one.", "authorize.resource", &["resource=https://mcp.example/mcp#x"]),
    ("scope-characters", "A scope with a quote is refused at the redirect.", "OAuth 2.1-15 §1.4.1; A-21", "It would end a quoted string in a challenge.", "authorize.scope.malformed", &["scope=notes:read\""]),
];

pub(super) fn scenarios(book: &mut Book) {
    for (slug, title, spec, why, ends, changes) in ROWS {
        book.one(case(slug, title, spec, why, ends), || {
            let mut world = World::new();
            world.authorize(changes);
            world
        });
    }
    configured(book);
    decided(book);
    limits(book);
}

/// Requests that a configuration makes interesting.
fn configured(book: &mut Book) {
    let with = |change: fn(&mut serde_json::Value), changes: &'static [&'static str]| {
        move || {
            let mut world = World::with(change);
            world.authorize(changes);
            world
        }
    };
    book.one(
        case("disabled", "A disabled client is refused on a page.", "OAuth 2.1-15 §3.2.4; A-45", "The operator has switched it off.", "client.disabled"),
        with(|config| put_client(config, "web", "disabled", json!(true)), &[]),
    );
    book.one(
        case("client-grant", "A client that may not use codes is refused at the redirect.", "OAuth 2.1-15 §4.1.2.1; A-35", "Its grant types say so.", "authorize.client.grant"),
        with(|config| put_client(config, "web", "grant_types", json!(["refresh_token"])), &[]),
    );
    book.one(
        case("resource-missing", "With several resources a request must name one.", "RFC 8707 §2.1; MCP-P1; A-28", "Guessing would be a confused deputy.", "authorize.resource.missing"),
        with(two_resources, &["-resource"]),
    );
    book.one(
        case("resources", "One request may name one resource.", "RFC 8707 §3; A-11", "A token for two resources can be passed on by one to the other.", "authorize.resources"),
        || {
            let mut world = World::with(two_resources);
            world.authorize(&[&format!("+resource={RESOURCE_2}")]);
            world
        },
    );
    book.one(
        case("resource-repeated", "The same resource twice is one resource.", "RFC 8707 §2", "Some clients send it twice.", "200"),
        || {
            let mut world = World::with(two_resources);
            world.authorize(&[&format!("+resource={RESOURCE}")]);
            world
        },
    );
    book.one(
        case("scope-refused", "An unknown scope is refused where the configuration says so.", "OAuth 2.1-15 §1.4.1", "Some operators want to hear of it.", "authorize.scope.unknown"),
        with(|config| put(config, "unknown_scopes", json!("refuse")), &["scope=vendor:x notes:read"]),
    );
    book.one(
        case("scope-none-left", "A client that may have none of the scopes is refused.", "OAuth 2.1-15 §1.4.1", "A grant without scope would be a grant for nothing.", "authorize.scope.unknown"),
        with(|config| put_client(config, "web", "scopes", json!(["notes:write"])), &[]),
    );
    book.one(
        case("development", "An issuer on loopback sets a cookie that a browser keeps without TLS.", "RFC 6265bis §4.1.3; U-13", "`__Host-` cookies need https.", "200"),
        with(|config| put(config, "issuer", json!("http://127.0.0.1:8787/auth")), &["/auth/authorize"]),
    );
    book.one(
        case("host-page", "The host may show a page of its own.", "OAuth 2.1-15 §7.11", "The same seal and ticket protect it.", "200"),
        || {
            let mut world = World::with(|config| put(config, "custom_consent", json!(true)));
            world.page = Decision::Page { html: "<!doctype html><title>Ours</title>".into() };
            world.authorize(&[]);
            world
        },
    );
    book.one(
        case("document-client", "A client is named by its document, and the page shows the document's host.", "CIMD-01 §4; MCP-R5; M-01", "The name is self-asserted, the host is proven.", "200"),
        || {
            let mut world = World::new();
            world.servers.insert(DOCUMENT.into(), served(200, &document()));
            world.authorize(&[&format!("client_id={DOCUMENT}"), "redirect_uri=https://app.example/cb"]);
            world
        },
    );
    book.one(
        case("unregistered-elsewhere", "Another server's path is not ours.", "RFC 9110 §15.5.5", "A host passes it on.", "http.not_found"),
        || {
            let mut world = World::new();
            world.send(get("/authorise"));
            world
        },
    );
    book.one(
        case("method", "The authorization endpoint answers GET and POST.", "RFC 9110 §15.5.6; A-36", "`Allow` says so.", "http.method"),
        with(|_| {}, &["#PUT"]),
    );
}

/// Requests that the host's decision makes interesting.
fn decided(book: &mut Book) {
    let deciding = |decision: fn() -> Decision, changes: &'static [&'static str]| {
        move || {
            let mut world = World::new();
            world.sign_in = decision();
            world.authorize(changes);
            world
        }
    };
    let elsewhere = || Decision::SignIn { location: "/login?next=%2Fauthorize".into() };
    book.one(
        case("signed-out", "A user who is not signed in is sent to the host's login.", "OAuth 2.1-15 §4.1", "The way back is the request itself; nothing is kept.", "303"),
        deciding(elsewhere, &[]),
    );
    book.one(
        case("signed-out-fault", "A fault is not told to the redirect before the user is signed in.", "OAuth 2.1-15 §7.12.2", "An open redirector for whoever registers a client otherwise.", "303"),
        deciding(elsewhere, &["-code_challenge"]),
    );
    book.one(
        case("host-approves", "A host that has asked the user itself approves in one go.", "OAuth 2.1-15 §4.1.2", "Hosts with a page of their own need no second one.", "303"),
        deciding(|| Decision::Approve { user: user("alice"), scopes: None }, &["scope=notes:read notes:write"]),
    );
    book.one(
        case("host-approves-fewer", "A host may approve fewer scopes, and no others.", "OAuth 2.1-15 §1.4.1", "What was not asked for is not granted.", "303"),
        deciding(
            || Decision::Approve { user: user("alice"), scopes: Some(vec!["notes:write".into(), "notes:admin".into()]) },
            &["scope=notes:read notes:write"],
        ),
    );
    book.one(
        case("host-approves-none", "Approving nothing is denying.", "OAuth 2.1-15 §4.1.2.1", "A code for nothing helps nobody.", "authorize.denied"),
        deciding(|| Decision::Approve { user: user("alice"), scopes: Some(Vec::new()) }, &[]),
    );
    book.one(
        case("denied", "A user who says no sends the client away.", "OAuth 2.1-15 §4.1.2.1", "The client learns it at its redirect, with state and issuer.", "authorize.denied"),
        deciding(|| Decision::Deny, &[]),
    );
    book.one(
        case("undecided", "A host that cannot decide is unavailable.", "RFC 6749 §4.1.2.1", "No decision is not a yes.", "server.unavailable"),
        || {
            let mut world = World::new();
            world.undecided = true;
            world.authorize(&[]);
            world
        },
    );
    book.one(
        case("second-visit", "A browser that has a secret keeps it.", "RFC 9700 §4.7; U-13", "Two tabs must not invalidate each other.", "200"),
        || {
            let mut world = World::new();
            world.authorize(&[]);
            world.authorize(&["state=s2"]);
            world
        },
    );
    book.one(
        case("host-approves-unknown", "An approval whose commit is unknown is recognised by its stamp.", "D4", "The code must be the one that the store holds.", "303"),
        || {
            let mut world = World::new();
            world.sign_in = Decision::Approve { user: user("alice"), scopes: None };
            world.faults.push_back(Fault::UnknownApplied);
            world.authorize(&[]);
            world
        },
    );
}

/// Requests that are too large.
fn limits(book: &mut Book) {
    let sending = |change: String| {
        move || {
            let mut world = World::new();
            world.authorize(&[&change]);
            world
        }
    };
    book.one(
        case("parameters", "More than 100 parameters are refused on a page.", "OAuth 2.1-15 §3.1; H-05", "Hashing and scanning them is work.", "authorize.limits"),
        sending(format!("?{}", "a=1&".repeat(101))),
    );
    book.one(
        case("query-bytes", "More than 16 KiB of query are refused on a page.", "OAuth 2.1-15 §3.1", "The same.", "authorize.limits"),
        sending(format!("?state={}", "s".repeat(16 * 1024))),
    );
    book.one(
        case("state-long", "A state of 2049 bytes is refused at the redirect, without it.", "OAuth 2.1-15 §4.1.1", "The ticket has to hold it.", "authorize.state"),
        sending(format!("state={}", "s".repeat(2049))),
    );
    book.one(
        case("state-longest", "A state of 2048 bytes comes back.", "OAuth 2.1-15 §4.1.1; A-17", "The limit itself is allowed.", "200"),
        sending(format!("state={}", "s".repeat(2048))),
    );
    book.one(
        case("ticket-too-large", "A request that no ticket can hold is refused on a page.", "RFC 9110 §15.5.14", "Control characters take six bytes each in JSON.", "authorize.too_large"),
        sending(format!("state={}", "\u{1}".repeat(2000))),
    );
}
