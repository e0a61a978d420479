//! Properties of codes and tokens, through nothing but the exchanges: what a changed text, another kind, another issuer
//! or another ring is worth.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

use lockstep_oauth::authorization_server::config::Config;
use lockstep_oauth::authorization_server::operations::{Operated, Operation};
use lockstep_oauth::authorization_server::{Answer, AuthorizationServer};
use lockstep_oauth::env::Env;
use lockstep_oauth::exchange::{Endpoint, Step};
use lockstep_oauth::http::HttpRequest;
use lockstep_oauth::keys::KeyRing;
use lockstep_oauth::protected_resource::{CheckRequest, Checked};
use lockstep_oauth::question::{Decision, Question, User};
use lockstep_oauth::store::{Committed, Record};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const NOW: u64 = 1_800_000_000;
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A host with a store, its clock and what it has loaded.
#[derive(Clone)]
struct Host {
    server: AuthorizationServer,
    records: BTreeMap<String, Record>,
    now: u64,
    seed: u8,
    loads: usize,
}

/// What one grant and one personal token are made of.
struct Held {
    host: Host,
    code: String,
    access: String,
    refresh: String,
    personal: String,
}

static HELD: LazyLock<Held> = LazyLock::new(|| held(&ring(5)));

fn ring(seed: u8) -> String {
    KeyRing::generate(NOW - 1000, &[seed; 32])
}

fn server(issuer: &str, ring: &str) -> AuthorizationServer {
    let config = json!({
        "issuer": issuer,
        "resources": [{"resource": "https://as.example/mcp"}],
        "scopes": [{"name": "a"}],
        "clients": [{"client_id": "c", "redirect_uris": ["https://c.example/cb"]}],
    });
    AuthorizationServer::new(Config::parse(&config.to_string()).unwrap(), KeyRing::parse(ring, "keys").unwrap())
        .unwrap()
}

fn held(ring: &str) -> Held {
    let server = server("https://as.example", ring);
    let mut host = Host { server, records: BTreeMap::new(), now: NOW, seed: 0, loads: 0 };
    let code = host.code();
    let answer = host.redeem(&code);
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    let (access, refresh) = (text("access_token"), text("refresh_token"));
    let code = host.code();
    let personal = host.personal();
    Held { host, code, access, refresh, personal }
}

impl Host {
    fn env(&mut self) -> Env {
        self.seed += 1;
        Env::new(self.now, [self.seed; 32]).unwrap()
    }

    fn drive<E: Endpoint>(&mut self, mut step: Step<E>) -> E::Outcome {
        loop {
            step = match step {
                Step::Done(outcome) => return outcome,
                Step::Load(load) => {
                    self.loads += 1;
                    let records = load.keys().iter().map(|key| self.records.get(key.as_str()).cloned()).collect();
                    load.loaded(records).unwrap_or_else(|(_, misuse)| panic!("{misuse}"))
                }
                Step::Commit(commit) => {
                    let write = commit.write();
                    let stored = self.records.get(write.key.as_str()).map(|record| record.version);
                    assert_eq!(write.expect, stored);
                    let record =
                        Record { version: write.version, value: write.value.clone(), expires_at: write.expires_at };
                    self.records.insert(write.key.as_str().to_owned(), record);
                    commit.committed(Committed::Committed)
                }
                Step::Decide(decide) => {
                    let user = User { subject: "alice".into(), name: String::new(), claims: Map::new() };
                    let decision = match decide.question() {
                        Question::SignIn(_) => Decision::Approve { user, scopes: None },
                        _ => Decision::Allow,
                    };
                    decide.decided(decision).unwrap_or_else(|(_, misuse)| panic!("{misuse}"))
                }
                Step::Fetch(_) => panic!("nothing is fetched here"),
            };
        }
    }

    fn http(&mut self, method: &str, path: &str, text: &str) -> Answer {
        let form = ("content-type".to_owned(), b"application/x-www-form-urlencoded".to_vec());
        let (query, body) = if method == "GET" { (text.into(), Vec::new()) } else { (Vec::new(), text.into()) };
        let request = HttpRequest {
            method: method.into(),
            path: path.into(),
            query,
            body,
            headers: vec![form],
            peer: String::new(),
        };
        let env = self.env();
        self.drive(self.server.clone().handle(request, env))
    }

    fn code(&mut self) -> String {
        let query = format!(
            "response_type=code&client_id=c&redirect_uri=https%3A%2F%2Fc.example%2Fcb&code_challenge={CHALLENGE}&code_challenge_method=S256"
        );
        let answer = self.http("GET", "/authorize", &query);
        let location = answer.response.header("location").unwrap();
        location.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned()
    }

    fn token(&mut self, form: &str) -> (u16, Option<&'static str>, Value) {
        let answer = self.http("POST", "/token", &format!("client_id=c&{form}"));
        (answer.response.status, answer.refusal, serde_json::from_slice(&answer.response.body).unwrap())
    }

    fn redeem(&mut self, code: &str) -> Value {
        let (status, refusal, body) =
            self.token(&format!("grant_type=authorization_code&code={code}&code_verifier={VERIFIER}"));
        assert_eq!((status, refusal), (200, None));
        body
    }

    fn personal(&mut self) -> String {
        let operation = Operation::IssuePersonal {
            subject: "alice".into(),
            name: String::new(),
            claims: Map::new(),
            resource: String::new(),
            scopes: Vec::new(),
            expires_in: 86_400,
        };
        let env = self.env();
        let step = self.server.operate(operation, env).unwrap();
        match self.drive(step).operated {
            Operated::Issued { token, .. } => token,
            other => panic!("{other:?}"),
        }
    }

    /// The refusal of a bearer check, and whether it touched the store.
    fn check(&mut self, token: &str) -> (Option<&'static str>, bool) {
        let headers = vec![("authorization".to_owned(), format!("Bearer {token}").into_bytes())];
        let (env, before) = (self.env(), self.loads);
        let step = self.server.check(CheckRequest { headers, ..CheckRequest::default() }, env);
        let refusal = match self.drive(step) {
            Checked::Allowed(identity) => {
                assert_eq!(identity.subject, "alice");
                None
            }
            Checked::Refused(answer) => answer.refusal,
        };
        (refusal, self.loads > before)
    }

    fn present(&mut self, kind: usize, token: &str) -> Option<&'static str> {
        let escaped: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
        match kind {
            0 => self.token(&format!("grant_type=authorization_code&code={escaped}&code_verifier={VERIFIER}")).1,
            1 => self.token(&format!("grant_type=refresh_token&refresh_token={escaped}")).1,
            _ => self.check(token).0,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_token_is_refused_without_storage(which in 0..4usize, at in any::<prop::sample::Index>(), bit in 0..7u8, cut in any::<bool>()) {
        let mut host = HELD.host.clone();
        let genuine = [&HELD.code, &HELD.refresh, &HELD.access, &HELD.personal][which];
        let mut bytes = genuine.clone().into_bytes();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        let changed = String::from_utf8(bytes).unwrap();
        let (loads, records) = (host.loads, host.records.clone());
        let refusal = host.present(which, &changed);
        // What is left may be no token at all, or empty, which is a fault of its own.
        prop_assert!(refusal.is_some_and(|id| ["token.code.unknown", "token.refresh.unknown", "bearer.invalid", "bearer.malformed", "token.code.missing", "token.refresh.missing"].contains(&id)), "{:?}", refusal);
        prop_assert_eq!(host.loads, loads);
        prop_assert_eq!(host.records, records);
    }

    #[test]
    fn nothing_that_a_stranger_makes_up_is_a_token(kind in 0..3usize, body in "[A-Za-z0-9_-]{0,300}") {
        let mut host = HELD.host.clone();
        let loads = host.loads;
        let prefix = ["lsc_", "lsr_", "lsa_"][kind];
        let refusal = host.present(kind, &format!("{prefix}{body}"));
        prop_assert!(refusal.is_some_and(|id| id.ends_with(".unknown") || id == "bearer.invalid"));
        prop_assert_eq!(host.loads, loads);
    }
}

#[test]
fn a_token_is_good_for_its_own_kind_alone() {
    let tokens = [&HELD.code, &HELD.refresh, &HELD.access, &HELD.personal];
    let prefixes = ["lsc_", "lsr_", "lsa_", "lsp_"];
    for (own, token) in tokens.iter().enumerate() {
        for kind in 0..3 {
            let mut host = HELD.host.clone();
            let fits = own == kind || (own == 3 && kind == 2);
            assert_eq!(host.present(kind, token).is_none(), fits, "{token} as {kind}");
        }
        for prefix in prefixes.iter().filter(|prefix| !token.starts_with(**prefix)) {
            let renamed = format!("{prefix}{}", token.split_once('_').unwrap().1);
            assert!((0..3).all(|kind| HELD.host.clone().present(kind, &renamed).is_some()), "{renamed}");
        }
    }
}

#[test]
fn a_token_is_good_at_its_own_issuer_and_under_its_own_ring_alone() {
    for server in [server("https://other.example", &ring(5)), server("https://as.example", &ring(6))] {
        let mut host = Host { server, ..HELD.host.clone() };
        assert_eq!(host.check(&HELD.access), (Some("bearer.invalid"), false));
        assert_eq!(host.present(0, &HELD.code), Some("token.code.unknown"));
        assert_eq!(host.present(1, &HELD.refresh), Some("token.refresh.unknown"));
    }
}

#[test]
fn a_stolen_ring_alone_mints_nothing() {
    // The thief has the keys and runs a server of their own: their records have other salts.
    let theirs = held(&ring(5));
    let mut thief = Host { records: BTreeMap::new(), seed: 100, ..theirs.host };
    let code = thief.code();
    let forged = thief.redeem(&code);
    let mut host = HELD.host.clone();
    assert_eq!(host.check(forged["access_token"].as_str().unwrap()).0, Some("bearer.invalid"));
    assert_eq!(host.present(1, forged["refresh_token"].as_str().unwrap()), Some("token.refresh.unknown"));
}

#[test]
fn tokens_live_through_a_rotation_until_their_key_is_retired() {
    let rotated = KeyRing::rotate(&ring(5), NOW, &[7; 32], 600, 5_000).unwrap();
    let mut host = Host { server: server("https://as.example", &rotated), ..HELD.host.clone() };
    assert_eq!(host.check(&HELD.access).0, None);
    // Before the new key signs, the successor is derived under the old one; afterwards under the new one.
    let (_, _, early) = host.token(&format!("grant_type=refresh_token&refresh_token={}", HELD.refresh));
    host.now = NOW + 700;
    let (status, _, late) =
        host.token(&format!("grant_type=refresh_token&refresh_token={}", early["refresh_token"].as_str().unwrap()));
    assert_eq!(status, 200);
    let mut old = Host { server: server("https://as.example", &ring(5)), ..host.clone() };
    assert_eq!(old.check(early["access_token"].as_str().unwrap()).0, None);
    assert_eq!(old.check(late["access_token"].as_str().unwrap()), (Some("bearer.invalid"), false));
    assert_eq!(host.check(late["access_token"].as_str().unwrap()).0, None);
    // The old key verifies until its time is over, even where nobody has dropped it from the ring.
    let personal = HELD.personal.as_str();
    host.now = NOW + 5_599;
    assert_eq!(host.check(personal).0, None);
    host.now = NOW + 5_600;
    assert_eq!(host.check(personal), (Some("bearer.invalid"), false));
}

#[test]
fn an_expired_access_token_is_refused_without_storage() {
    let mut host = HELD.host.clone();
    host.now = NOW + 3599;
    assert_eq!(host.check(&HELD.access), (None, true));
    host.now = NOW + 3600;
    assert_eq!(host.check(&HELD.access), (Some("bearer.expired"), false));
}

#[test]
fn a_retried_refresh_is_answered_with_the_same_tokens() {
    let mut host = HELD.host.clone();
    let form = format!("grant_type=refresh_token&refresh_token={}", HELD.refresh);
    let (_, _, first) = host.token(&form);
    for seconds in [0, 1, 30] {
        host.now = NOW + seconds;
        let (status, _, again) = host.token(&form);
        assert_eq!(status, 200);
        assert_eq!(
            (&again["access_token"], &again["refresh_token"]),
            (&first["access_token"], &first["refresh_token"])
        );
    }
    host.now = NOW + 31;
    assert_eq!(host.token(&form).1, Some("token.refresh.reused"));
    assert_eq!(host.check(first["access_token"].as_str().unwrap()).0, Some("bearer.revoked"));
}
