//! Properties of whole exchanges, whatever the peer sends and whatever the host answers.
//!
//! The first 48 bytes steer the host (see [`crate::hostile`]), the others are the request. In it a byte below 32 stands
//! for a text that cannot be guessed: a code, a token, a seal. No exchange panics, takes more steps than it may, answers
//! 5xx but for 503, gives a token without a write, or says more than its table of refusals.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a property fails by panicking")]

use crate::hostile::{DOCUMENT_URL, NOW, Tape, Way, World, document, env};
use lockstep_oauth::audit::AuditEvent;
use lockstep_oauth::authorization_server::config::Config;
use lockstep_oauth::authorization_server::operations::Operation;
use lockstep_oauth::authorization_server::{Answer, AuthorizationServer};
use lockstep_oauth::exchange::Step;
use lockstep_oauth::grant::{Grant, GrantPolicy, GrantState, Moment, Redemption, Rotation};
use lockstep_oauth::http::{Fetched, Form, HttpRequest, HttpResponse};
use lockstep_oauth::keys::KeyRing;
use lockstep_oauth::protected_resource::{CheckRequest, Checked};
use lockstep_oauth::question::{Decision, Question, User};
use lockstep_oauth::refusal;
use lockstep_oauth::store::{Committed, NEVER};
use serde_json::Value;

const TAPE: usize = 48;

/// The query of an authorization request.
pub fn authorize_request(data: &[u8]) {
    http_property("GET", "/authorize", data);
    http_property("POST", "/authorize", data);
}

/// The form of a token request.
pub fn token_request(data: &[u8]) {
    http_property("POST", "/token", data);
}

/// The JSON of a registration.
pub fn register_request(data: &[u8]) {
    http_property("POST", "/register", data);
}

/// The form of the consent page, and the way back to it.
pub fn consent_request(data: &[u8]) {
    http_property("POST", "/consent", data);
    http_property("GET", "/consent", data);
}

/// The first byte chooses the method and the endpoint: introspection, revocation, management, metadata and the rest.
pub fn any_request(data: &[u8]) {
    let (mut tape, data) = Tape::split(data, 1);
    let choice = usize::from(tape.byte());
    let method = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "get", ""][choice % 8];
    let management = World::new(0).expand(b"/register/\x07");
    let management = String::from_utf8_lossy(&management).into_owned();
    let path = [
        "/introspect",
        "/revoke",
        "/sign-in",
        "/jwks",
        "/token",
        "/authorize",
        "/consent",
        "/register",
        management.as_str(),
        "/register/x",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource/other",
        "/.well-known/openid-configuration",
        "",
        "//",
    ][choice / 8 % 16];
    http_property(method, path, data);
}

/// The `Authorization` header of a request to a resource, and its query behind a line feed.
pub fn bearer_request(data: &[u8]) {
    let (mut tape, text) = Tape::split(data, TAPE);
    let mut world = World::new(tape.byte());
    let (choice, now) = (tape.byte(), moment(&mut tape));
    let (header, query) = text.split_at(text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len()));
    let resource = ["", "https://as.example/mcp", "https://AS.example/mcp", "https://as.example/other", "x"]
        [usize::from(choice) % 5];
    let needed: Vec<String> = [&["a"][..], &[], &["b", "a"], &["unknown"]][usize::from(choice) / 5 % 4]
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    let request = CheckRequest {
        headers: vec![("authorization".to_owned(), world.expand(header))],
        query: world.expand(query),
        resource: resource.to_owned(),
        scopes: needed.clone(),
        peer: String::new(),
    };
    let step = world.server.check(request, env(now, 9));
    let (checked, way) = world.drive(step, &mut tape, now);
    match checked {
        Checked::Refused(answer) => check_answer(&answer, &way, false),
        Checked::Allowed(identity) => {
            let covers = |name: &String| {
                identity.scopes.contains(name) || (name == "a" && identity.scopes.iter().any(|scope| scope == "b"))
            };
            assert!(needed.iter().all(covers));
            assert!(resource.is_empty() || identity.resource.eq_ignore_ascii_case(resource));
            assert!(!identity.subject.is_empty() && now < identity.expires_at);
            for grant in way.grants.values() {
                assert!(grant.state == GrantState::Live && now < grant.expires_at && identity.subject == grant.subject);
                assert!(identity.scopes.iter().all(|scope| grant.scopes.contains(scope)));
            }
        }
    }
}

/// The document that an authorization server fetches for a client.
pub fn client_document(data: &[u8]) {
    let mut step = {
        let request = HttpRequest {
            query: query_for(DOCUMENT_URL),
            method: "GET".into(),
            path: "/authorize".into(),
            ..HttpRequest::default()
        };
        World::new(0).server.handle(request, env(NOW, 9))
    };
    let answer = loop {
        step = match step {
            Step::Done(answer) => break answer,
            Step::Load(load) => {
                let none = vec![None; load.keys().len()];
                load.loaded(none).expect("one for each key")
            }
            Step::Commit(commit) => {
                assert!(
                    Grant::decode(&commit.write().value).is_none(),
                    "nothing but the cache is written before a decision"
                );
                commit.committed(Committed::Committed)
            }
            Step::Fetch(fetch) => {
                let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
                fetch.fetched(Fetched::Response(HttpResponse { status: 200, headers, body: data.to_vec() }))
            }
            Step::Decide(deciding) => {
                let decision = match deciding.question() {
                    Question::SignIn(_) => Decision::SignedIn(User { subject: "alice".into(), ..User::default() }),
                    Question::Consent(_) => Decision::BuiltIn,
                    _ => Decision::Allow,
                };
                deciding.decided(decision).expect("an answer that fits")
            }
        };
    };
    check_answer(&answer, &Way::default(), false);
    if answer.response.status == 200 {
        let read: Value = serde_json::from_slice(data).expect("an accepted document is JSON");
        assert_eq!(read["client_id"], document(DOCUMENT_URL)["client_id"]);
        assert!(data.len() <= 5 * 1024);
        let text = String::from_utf8(answer.response.body).expect("a page is text");
        assert!(!text.to_ascii_lowercase().contains("<script"), "a name is escaped");
    }
}

/// A stored record of a grant: what can be read can be written, and every verdict on it keeps the table's promises.
pub fn grant_record(data: &[u8]) {
    let Some(grant) = Grant::decode(data) else { return };
    if let Some(written) = grant.encode() {
        assert_eq!(Grant::decode(&written).as_ref(), Some(&grant));
    }
    let policy = GrantPolicy {
        code_race_seconds: 5,
        retry_window_seconds: 30,
        overlap_budget: Some(3),
        access_seconds: 300,
        idle_seconds: 3600,
    };
    for (now, was_current) in [(0, false), (NOW, false), (NOW, true), (u64::MAX, false)] {
        let moment = Moment { now, stamp: [1; 8], key: [0; 4], jwt_kid: String::new(), was_current };
        let written = match grant.redeem(&moment, &policy) {
            Redemption::Win(next) => Some(next),
            Redemption::Replayed(dead) => {
                assert!(!was_current);
                Some(dead)
            }
            Redemption::Won | Redemption::Raced | Redemption::Dead => None,
        };
        check_transition(&grant, written.as_ref(), now);
        for behind in [0, 1, 2] {
            let presented = grant.generation.number.saturating_sub(behind);
            let written = match grant.rotate(presented, &moment, &policy) {
                Rotation::Win(next) | Rotation::Mark(next) | Rotation::OverBudget(next) => Some(next),
                Rotation::Reused(dead) => {
                    assert!(!was_current);
                    Some(dead)
                }
                Rotation::Repeat | Rotation::Raced | Rotation::Ahead | Rotation::Dead => None,
            };
            check_transition(&grant, written.as_ref(), now);
        }
    }
}

fn check_transition(before: &Grant, after: Option<&Grant>, now: u64) {
    let Some(after) = after else { return };
    assert_ne!(before.state, GrantState::Revoked, "nothing is written over a dead grant");
    assert_eq!(after.last_at, now.max(before.last_at));
    assert_eq!((&after.salt, &after.scopes, &after.resources), (&before.salt, &before.scopes, &before.resources));
    assert_eq!(
        (after.expires_at, &after.client_id, &after.subject),
        (before.expires_at, &before.client_id, &before.subject)
    );
    assert!(
        after.generation.number >= before.generation.number && after.generation.number - before.generation.number <= 1
    );
    if after.generation.number > before.generation.number {
        assert!(after.generation.access_expires_at.max(after.generation.refresh_expires_at) <= after.expires_at);
    }
}

/// The text of a key ring: what is read can be rotated, and the rotated text is read.
pub fn key_ring(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let rotated = KeyRing::rotate(text, NOW, &[0xf5; 32], 600, 86_400);
    if KeyRing::parse(text, "keys").is_err() {
        assert!(rotated.is_err());
        return;
    }
    if let Ok(rotated) = rotated {
        assert!(KeyRing::parse(&rotated, "keys").is_ok());
        // The same seed gives the same key, which no ring holds twice.
        assert!(KeyRing::rotate(&rotated, NOW, &[0xf5; 32], 600, 86_400).is_err());
    }
}

/// The text of a configuration: it is refused with the name of a field, or every page and document of it can be sent.
pub fn config(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let config = match Config::parse(text) {
        Ok(config) => config,
        Err(misuse) => {
            assert!(!misuse.at.is_empty() && !misuse.message.is_empty());
            return;
        }
    };
    let ring = KeyRing::parse(&KeyRing::generate(NOW, &[5; 32]), "keys").expect("a ring that works");
    let server = AuthorizationServer::new(config, ring).expect("the ring has a JWT key");
    for path in server.paths() {
        assert!(server.owns(&path.replace("{id}", "x")), "{path} is promised and not answered");
        let request = HttpRequest { method: "GET".into(), path, ..HttpRequest::default() };
        if let Step::Done(answer) = server.handle(request, env(NOW, 9)) {
            check_answer(&answer, &Way::default(), false);
        }
    }
    let resources: Vec<String> = server.config().resources().map(str::to_owned).collect();
    for resource in resources {
        let request = CheckRequest { resource: resource.clone(), ..CheckRequest::default() };
        if let Step::Done(Checked::Refused(answer)) = server.check(request, env(NOW, 9)) {
            check_answer(&answer, &Way::default(), false);
        }
        check_response(&server.challenge(&resource, &["a".to_owned()]));
    }
}

/// A form is read as `url` reads it, or not at all.
pub fn form(data: &[u8]) {
    let Ok(form) = Form::parse(data, 4096) else { return };
    assert!(data.len() <= 4096);
    let theirs: Vec<(String, String)> = url::form_urlencoded::parse(data).into_owned().collect();
    assert!(theirs.len() <= 100);
    for (name, _) in &theirs {
        let values: Vec<&str> =
            theirs.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect();
        let filled: Vec<&str> = values.iter().copied().filter(|value| !value.is_empty()).collect();
        assert_eq!(form.all(name).collect::<Vec<_>>(), filled);
        match form.one(name) {
            Ok(value) => assert_eq!((values.len(), value), (1, filled.first().copied())),
            Err(_) => assert!(values.len() > 1),
        }
    }
    // No name of a form is as long as this one.
    assert_eq!(form.one(&"x".repeat(129)), Ok(None));
}

/// What the host asks for on behalf of a user: the bytes are its arguments, one a line.
pub fn operation(data: &[u8]) {
    let (mut tape, text) = Tape::split(data, TAPE);
    let (mut world, choice) = (World::new(tape.byte()), tape.byte());
    let text = String::from_utf8_lossy(text);
    let mut lines = text.split('\n').map(str::to_owned);
    let (subject, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let operation = match choice % 4 {
        0 => Operation::RevokeGrant { subject, grant_id: second },
        1 => Operation::SignOutEverywhere { subject },
        _ => Operation::IssuePersonal {
            subject,
            name: second,
            claims: serde_json::Map::new(),
            resource: lines.next().unwrap_or_default(),
            scopes: lines.collect(),
            expires_in: u64::from(choice) * 1_000_000,
        },
    };
    let now = moment(&mut tape);
    if let Ok(step) = world.server.operate(operation, env(now, 9)) {
        let (outcome, _) = world.drive(step, &mut tape, now);
        outcome.events.iter().for_each(check_event);
    }
}

/// A property of any bytes.
pub type Property = fn(&[u8]);

/// Every property of whole exchanges, and of what has no better place, by the name of its fuzz target.
pub const PROPERTIES: &[(&str, Property)] = &[
    ("authorize_request", authorize_request),
    ("token_request", token_request),
    ("register_request", register_request),
    ("client_document", client_document),
    ("consent_request", consent_request),
    ("any_request", any_request),
    ("bearer_request", bearer_request),
    ("grant_record", grant_record),
    ("key_ring", key_ring),
    ("config", config),
    ("form", form),
    ("operation", operation),
    ("forged_text", crate::forged::forged_text),
    ("stored_record", crate::forged::stored_record),
    ("address", crate::parts::address_property),
    ("header", crate::parts::header_property),
    ("basic", crate::parts::basic_property),
];

fn query_for(client: &str) -> Vec<u8> {
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    format!("response_type=code&client_id={client}&redirect_uri=https%3A%2F%2Fclient.example%2Fcb&code_challenge={challenge}&code_challenge_method=S256&resource=https://as.example/mcp").into_bytes()
}

/// Now, or another time that matters.
fn moment(tape: &mut Tape<'_>) -> u64 {
    [NOW, NOW + 20, NOW - 600, NOW + 45, NOW + 700, NOW + 3700, NOW + 31 * 86_400, NOW + 200 * 86_400, NEVER]
        [usize::from(tape.byte()) % 9]
}

fn http_property(method: &str, path: &str, data: &[u8]) {
    let (mut tape, text) = Tape::split(data, TAPE);
    let mut world = World::new(tape.byte());
    let (style, now) = (tape.byte(), moment(&mut tape));
    let request = world.request(method, path, text, style);
    let step = world.server.handle(request, env(now, 9));
    let (answer, way) = world.drive(step, &mut tape, now);
    check_answer(&answer, &way, path == "/token");
}

/// What is true of every answer, whatever came before it; `tokens` where it may hold some.
pub fn check_answer(answer: &Answer, way: &Way, tokens: bool) {
    let response = &answer.response;
    check_response(response);
    answer.events.iter().for_each(check_event);
    if let Some(id) = answer.refusal {
        let refusal = refusal::explain(id).expect("every refusal is in the table");
        assert!(response.status >= 300 && !refusal.advice.is_empty());
        assert!(
            answer.events.iter().any(|event| event.id == id) || id == "bearer.missing",
            "{id} is told to the operator"
        );
    }
    let location = response.header("location").unwrap_or_default();
    let code = location
        .split_once("code=")
        .map(|(_, rest)| rest.split('&').next().unwrap_or_default())
        .filter(|code| code.starts_with("lsc_"));
    let mut fresh: Vec<String> = code.map(str::to_owned).into_iter().collect();
    if let Some(code) = code {
        assert!(answer.refusal.is_none() && !code.is_empty());
        assert!(
            way.committed || way.grants.values().any(|grant| grant.state == GrantState::Granted),
            "a code without a grant"
        );
    }
    if tokens && response.status == 200 {
        let body: Value = serde_json::from_slice(&response.body).expect("a token answer is JSON");
        fresh.extend(
            ["access_token", "refresh_token"].iter().filter_map(|name| body[*name].as_str().map(str::to_owned)),
        );
        assert!(body["access_token"].is_string() && body["token_type"] == "Bearer" && answer.refusal.is_none());
        let repeated = |grant: &Grant| grant.state == GrantState::Live && grant.generation.retried;
        assert!(way.committed || way.unknown || way.grants.values().any(repeated), "a token without a write");
        assert!(way.grants.values().any(|grant| grant.state == GrantState::Live));
    }
    for event in answer.events.iter().map(AuditEvent::to_json) {
        assert!(fresh.iter().all(|secret| !event.contains(secret.as_str())), "an event holds a token");
    }
}

fn check_event(event: &AuditEvent) {
    let line = event.to_json();
    assert!(!line.chars().any(char::is_control) && serde_json::from_str::<Value>(&line).is_ok());
    assert!(event.details.iter().all(|(_, detail)| detail.len() <= 512));
}

fn check_response(response: &HttpResponse) {
    assert!((200..500).contains(&response.status) || response.status == 503, "{}", response.status);
    for (name, value) in &response.headers {
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
        assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{name}: {value:?}");
    }
    let again = matches!(response.status, 429 | 503);
    assert!(!again || response.header("retry-after").is_some());
    let json = response.header("content-type").is_some_and(|value| value == "application/json");
    if response.status < 400 || !json {
        return;
    }
    let body: Value = serde_json::from_slice(&response.body).expect("an error is JSON");
    for name in ["error", "error_description"] {
        // RFC 6749 §5.2: printable ASCII without quotation mark and backslash.
        let text = body[name].as_str().expect("an error says what it is");
        assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'), "{text:?}");
    }
}
