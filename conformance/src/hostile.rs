//! A host that answers as bytes tell it: any record, conflict, unknown commit, fetched answer or decision.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a property fails by panicking")]

use lockstep_oauth::authorization_server::config::Config;
use lockstep_oauth::authorization_server::operations::{Operated, Operation};
use lockstep_oauth::authorization_server::{Answer, AuthorizationServer};
use lockstep_oauth::crypto::{base64url, sha256};
use lockstep_oauth::env::Env;
use lockstep_oauth::exchange::{Deciding, Endpoint, STEPS, Step};
use lockstep_oauth::grant::{Grant, GrantState};
use lockstep_oauth::http::{Fetched, HttpRequest, HttpResponse};
use lockstep_oauth::jose::{Algorithm, PrivateJwk, sign};
use lockstep_oauth::keys::KeyRing;
use lockstep_oauth::question::{Decision, Question, User};
use lockstep_oauth::store::{Committed, GRANT_BYTES, Key, NEVER, RECORD_BYTES, Record, Write};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// When everything happens.
pub const NOW: u64 = 1_800_000_000;
/// The client document that an honest host fetches.
pub const DOCUMENT_URL: &str = "https://client.example/app.json";
/// Where the keys of a client are fetched.
const KEYS_URL: &str = "https://keys.example/jwks";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const RESOURCE: &str = "https://as.example/mcp";
/// The secret of the client that has one.
pub const SECRET: &str = "a secret of the client";

/// Bytes that steer a host; when they are used up it is an honest one.
#[derive(Debug)]
pub struct Tape<'a>(&'a [u8]);

impl<'a> Tape<'a> {
    /// Takes the first bytes of `data` as the tape and gives back the rest.
    pub fn split(data: &'a [u8], length: usize) -> (Self, &'a [u8]) {
        let (tape, rest) = data.split_at(length.min(data.len()));
        (Self(tape), rest)
    }

    /// The next byte; 0 when there is none.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }
}

/// A server with a short history: its records, and what its clients and users hold.
#[derive(Clone, Debug)]
pub struct World {
    /// The server.
    pub server: AuthorizationServer,
    records: BTreeMap<String, Record>,
    /// What a byte below 32 stands for in a request: tokens, codes, seals and other texts that cannot be guessed.
    words: BTreeMap<u8, String>,
    /// A kind of record, and what the store gives for every one of it.
    replaced: Option<(String, Vec<u8>)>,
}

/// What an exchange did on its way.
#[derive(Debug, Default)]
pub struct Way {
    /// Whether a write of it took effect and it was told so.
    pub committed: bool,
    /// Whether a write of it may have taken effect.
    pub unknown: bool,
    /// Whether it was given a record that no store would have.
    pub forged: bool,
    /// Every grant that it was given, by key.
    pub grants: BTreeMap<String, Grant>,
}

static OPAQUE: LazyLock<World> = LazyLock::new(|| World::with_history("opaque", "host"));
static SIGNED: LazyLock<World> = LazyLock::new(|| World::with_history("jwt", "personal_token"));

impl World {
    /// One of the two worlds, fresh.
    pub fn new(choice: u8) -> Self {
        if choice % 4 == 3 { SIGNED.clone() } else { OPAQUE.clone() }
    }

    fn with_history(format: &str, sign_in: &str) -> Self {
        let key = client_key();
        let public = Value::Object(key.public().to_map());
        let config = json!({
            "issuer": "https://as.example",
            "resources": [{"resource": RESOURCE}, {"resource": "https://as.example/other", "scopes": ["a"], "aliases": ["https://h/old"]}],
            "scopes": [{"name": "a", "description": "First"}, {"name": "b", "optional": true, "implies": ["a"]}],
            "clients": [
                {"client_id": "public", "redirect_uris": ["http://127.0.0.1/cb", "https://c.example/cb?x=1"]},
                {"client_id": "secret", "redirect_uris": ["https://c.example/cb"], "client_secret": SECRET, "introspects": true},
                {"client_id": "fetched", "redirect_uris": ["https://c.example/cb"], "jwks_uri": KEYS_URL, "introspects": true},
                {"client_id": "keyed", "redirect_uris": ["https://c.example/cb"], "jwks": {"keys": [public]}, "introspects": true},
            ],
            "registration": {"mode": "open"}, "access_token_format": format, "sign_in": sign_in, "several_resources": true,
            "ask_refresh": true, "custom_consent": true, "verify_tokens": true, "overlap_budget": 3,
        });
        let config = Config::parse(&config.to_string()).expect("a configuration that works");
        let ring = KeyRing::parse(&KeyRing::generate(NOW - 1000, &[5; 32]), "keys").expect("a ring that works");
        let server = AuthorizationServer::new(config, ring).expect("the two fit together");
        let mut world = Self { server, records: BTreeMap::new(), words: BTreeMap::new(), replaced: None };
        world.live(&key);
        world
    }

    /// Lives through the history: a code, a grant of two generations, a registration, a page and a personal token.
    fn live(&mut self, key: &PrivateJwk) {
        let operation = Operation::IssuePersonal {
            subject: "alice".into(),
            name: "laptop".into(),
            claims: Map::new(),
            resource: String::new(),
            scopes: Vec::new(),
            expires_in: 86_400,
        };
        let step = self.server.operate(operation, env(NOW, 1)).expect("the operation is fine");
        let Operated::Issued { token: personal, .. } = self.drive(step, &mut Tape(&[]), NOW).0.operated else {
            panic!("no personal token")
        };
        let assertion = |client: &str| {
            let claims = json!({"iss": client, "sub": client, "aud": "https://as.example", "exp": NOW + 300, "iat": NOW, "jti": "1"});
            sign(key, "JWT", claims.to_string().as_bytes())
        };
        let basic = lockstep_basic("secret", SECRET);
        for (byte, word) in [
            (5, VERIFIER.to_owned()),
            (6, personal),
            (15, assertion("keyed")),
            (16, base64url(&sha256(&[VERIFIER.as_bytes()]))),
            (17, RESOURCE.to_owned()),
            (18, SECRET.replace(' ', "+")),
            (19, "http%3A%2F%2F127.0.0.1%3A7%2Fcb".to_owned()),
            (20, "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer".to_owned()),
            (21, DOCUMENT_URL.to_owned()),
            (22, basic),
            (23, "\u{a7}\u{202e}".to_owned()),
            (29, assertion("fetched")),
        ] {
            self.words.insert(byte, word);
        }
        let authorize = b"response_type=code&client_id=public&redirect_uri=\x13&code_challenge=\x10&code_challenge_method=S256&resource=\x11&scope=a+b&state=s";
        // The built-in sign-in wants a session first.
        let signed_in = self.http(1, "POST", "/sign-in", b"token=\x06");
        self.words.insert(24, cookie(&signed_in));
        let page = self.http(2, "GET", "/authorize", authorize);
        self.words.insert(14, cookie(&page));
        let page = String::from_utf8(page.response.body).expect("a page is text");
        self.words.insert(11, hidden(&page, "ticket"));
        self.words.insert(12, hidden(&page, "seal"));
        let approval = b"ticket=\x0b&seal=\x0c&decision=approve&scope=b";
        for (seed, word) in [(10, 4), (3, 1)] {
            if word == 1 {
                // A second page, whose code stays unspent.
                let page = self.http(seed, "GET", "/authorize", authorize);
                let page = String::from_utf8(page.response.body).expect("a page is text");
                self.words.insert(25, hidden(&page, "ticket"));
                self.words.insert(26, hidden(&page, "seal"));
            }
            let body: &[u8] = if word == 1 { b"ticket=\x19&seal=\x1a&decision=approve&scope=b" } else { approval };
            let approved = self.http(seed, "POST", "/consent", body);
            let location = approved.response.header("location").expect("an approval redirects").to_owned();
            let code = location
                .split_once("code=")
                .and_then(|(_, rest)| rest.split('&').next())
                .unwrap_or_default()
                .to_owned();
            if word == 1 {
                self.words.insert(1, code);
                continue;
            }
            self.words.insert(27, code);
            let redeem = b"grant_type=authorization_code&client_id=public&code=\x1b&code_verifier=\x05";
            let first = self.http(4, "POST", "/token", redeem);
            self.words.insert(2, member(&first, "refresh_token"));
            let second =
                self.http(5, "POST", "/token", b"grant_type=refresh_token&client_id=public&refresh_token=\x02");
            self.words.insert(3, member(&second, "refresh_token"));
            self.words.insert(4, member(&second, "access_token"));
        }
        // A third page, which nobody has answered yet.
        let page = self.http(12, "GET", "/authorize", authorize);
        let page = String::from_utf8(page.response.body).expect("a page is text");
        self.words.insert(30, hidden(&page, "ticket"));
        self.words.insert(31, hidden(&page, "seal"));
        let metadata =
            br#"{"redirect_uris":["https://r.example/cb"],"token_endpoint_auth_method":"client_secret_post"}"#;
        let registered = self.http(6, "POST", "/register", metadata);
        self.words.insert(7, member(&registered, "client_id"));
        self.words.insert(8, member(&registered, "registration_access_token"));
        self.words.insert(28, member(&registered, "client_secret"));
    }

    fn http(&mut self, seed: u8, method: &str, path: &str, text: &[u8]) -> Answer {
        let request = self.request(method, path, text, 0);
        let step = self.server.handle(request, env(NOW, seed));
        self.drive(step, &mut Tape(&[]), NOW).0
    }

    /// A request whose query or body is `text` with its words filled in; `style` chooses its headers.
    pub fn request(&self, method: &str, path: &str, text: &[u8], style: u8) -> HttpRequest {
        let text = self.expand(text);
        let json = path.starts_with("/register");
        let media_type = if json { "application/json" } else { "application/x-www-form-urlencoded" };
        let mut headers = vec![("Content-Type".to_owned(), media_type.as_bytes().to_vec())];
        let mut header = |name: &str, value: &[u8]| headers.push((name.to_owned(), self.expand(value)));
        match style % 8 {
            0 => {
                header("Cookie", b"__Host-lockstep=\x0e; __Host-lockstep-session=\x18");
                header("Sec-Fetch-Site", b"same-origin");
            }
            1 => header("Authorization", b"Basic \x16"),
            2 => header("Authorization", b"Bearer \x08"),
            3 => header("Authorization", b"Bearer \x06"),
            4 => header("Authorization", b"Basic %\xff"),
            5 => header("Origin", b"https://evil.example"),
            6 => header("Content-Type", b"text/plain"),
            _ => {}
        }
        let (query, body) = if method == "GET" { (text, Vec::new()) } else { (Vec::new(), text) };
        HttpRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            headers,
            body,
            peer: "192.0.2.1".to_owned(),
        }
    }

    /// The bytes with every word filled in.
    pub fn expand(&self, bytes: &[u8]) -> Vec<u8> {
        let mut expanded = Vec::with_capacity(bytes.len());
        for byte in bytes {
            match self.words.get(byte) {
                Some(word) => expanded.extend_from_slice(word.as_bytes()),
                None => expanded.push(*byte),
            }
        }
        expanded
    }

    /// From now on the store gives `value` for every record of `kind`.
    pub fn replace(&mut self, kind: &str, value: &[u8]) {
        self.replaced = Some((format!("/{kind}/"), value.to_vec()));
    }

    /// Answers every step as the tape says, and holds every step to what must be true of it.
    pub fn drive<E: Endpoint + std::fmt::Debug>(
        &mut self,
        mut step: Step<E>,
        tape: &mut Tape<'_>,
        now: u64,
    ) -> (E::Outcome, Way) {
        let mut way = Way::default();
        for _ in 0..=STEPS {
            step = match step {
                Step::Done(outcome) => return (outcome, way),
                Step::Load(load) => {
                    assert!(!load.keys().is_empty());
                    let records: Vec<_> = load.keys().iter().map(|key| self.load(key, tape, &mut way)).collect();
                    match tape.byte() {
                        255 => load.failed(),
                        254 => {
                            let (load, _) =
                                load.loaded(Vec::new()).expect_err("no record for a key that was asked for");
                            load.loaded(records).expect("one record for each key")
                        }
                        _ => load.loaded(records).expect("one record for each key"),
                    }
                }
                Step::Commit(commit) => {
                    let outcome = self.commit(commit.write(), tape, &mut way, now);
                    commit.committed(outcome)
                }
                Step::Fetch(fetch) => {
                    let request = fetch.request();
                    assert!(
                        request.url.starts_with("https://") && request.limit_bytes > 0 && request.admission.limit > 0
                    );
                    let fetched = fetched(&fetch.request().url, tape);
                    fetch.fetched(fetched)
                }
                Step::Decide(deciding) => decide(deciding, tape),
            };
        }
        panic!("an exchange took more steps than any may")
    }

    fn load(&self, key: &Key, tape: &mut Tape<'_>, way: &mut Way) -> Option<Record> {
        assert!(key.as_str().len() <= 128 && key.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        let stored = match &self.replaced {
            Some((kind, value)) if key.as_str().contains(kind.as_str()) => {
                way.forged = true;
                Some(Record { version: 7, value: value.clone(), expires_at: NEVER })
            }
            _ => self.records.get(key.as_str()).cloned(),
        };
        let choice = tape.byte() % 16;
        way.forged |= (8..15).contains(&choice);
        let record = match choice {
            8 => None,
            9 => self.records.values().nth(usize::from(tape.byte()) % self.records.len().max(1)).cloned(),
            10 => Some(Record { version: NEVER, value: tape.bytes().to_vec(), expires_at: NEVER }),
            11 | 12 => stored.map(|record| changed(record, tape)),
            13 => stored.map(|record| Record { expires_at: NOW, ..record }),
            14 => stored.map(|record| Record { version: NEVER, ..record }),
            _ => stored,
        };
        if let Some(grant) = record.as_ref().and_then(|record| Grant::decode(&record.value)) {
            way.grants.insert(key.as_str().to_owned(), grant);
        } else {
            way.grants.remove(key.as_str());
        }
        record
    }

    fn commit(&mut self, write: &Write, tape: &mut Tape<'_>, way: &mut Way, now: u64) -> Committed {
        assert!(write.version <= NEVER && write.version > 0 && Some(write.version) != write.expect);
        assert!(write.value.len() <= RECORD_BYTES && (write.expires_at >= now || way.forged));
        if let Some(after) = Grant::decode(&write.value) {
            assert!(write.value.len() <= GRANT_BYTES);
            let before = way.grants.insert(write.key.as_str().to_owned(), after.clone());
            if let Some(before) = before {
                let came_back = before.state == GrantState::Revoked && after.state != GrantState::Revoked;
                // An expired record may be written over: its identifier comes from a ticket that was not yet approved.
                assert!(!came_back || before.salt != after.salt, "nothing leaves Revoked");
                assert!(before.salt != after.salt || after.last_at >= before.last_at, "time went back");
            }
        }
        let record = Record { version: write.version, value: write.value.clone(), expires_at: write.expires_at };
        match tape.byte() % 8 {
            5 => Committed::Conflict,
            6 => {
                way.unknown = true;
                self.records.insert(write.key.as_str().to_owned(), record);
                Committed::Unknown
            }
            7 => Committed::Unknown,
            _ => {
                way.committed = true;
                self.records.insert(write.key.as_str().to_owned(), record);
                Committed::Committed
            }
        }
    }
}

/// The instant and the seed of one exchange.
pub fn env(now: u64, seed: u8) -> Env {
    Env::new(now, [seed.max(1); 32]).expect("a seed that is not zero")
}

/// A stored JSON object with one member changed.
fn changed(record: Record, tape: &mut Tape<'_>) -> Record {
    let Ok(mut value) = serde_json::from_slice::<Value>(&record.value) else { return record };
    let (which, byte) = (tape.byte(), tape.byte());
    let number = [0, 1, 2, 3, u64::from(u32::MAX), NOW, NOW + u64::from(byte), NEVER, u64::MAX][usize::from(byte) % 9];
    let state = ["granted", "live", "revoked"][usize::from(byte) % 3];
    match which % 14 {
        0 => value["st"] = state.into(),
        1 => value["g"]["n"] = number.into(),
        2 => value["g"]["rt"] = (byte % 2 == 0).into(),
        3 => value["g"]["at"] = number.into(),
        4 => value["g"]["rx"] = number.into(),
        5 => value["ex"] = number.into(),
        6 => value["lt"] = number.into(),
        7 => value["af"] = number.into(),
        8 => value["ov"] = number.into(),
        9 => value["counter"] = number.into(),
        10 => value["expires_at"] = number.into(),
        11 => value["v"] = number.into(),
        12 => value["deleted"] = true.into(),
        _ => {
            let names: Vec<String> = value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
            if let Some(object) = value.as_object_mut() {
                object.remove(&names[usize::from(byte) % names.len().max(1)]);
            }
        }
    }
    Record { value: value.to_string().into_bytes(), ..record }
}

/// A client document that fits its URL.
pub fn document(url: &str) -> Value {
    json!({"client_id": url, "client_name": "App", "redirect_uris": ["https://client.example/cb", "http://127.0.0.1/cb"]})
}

/// The published keys of the client whose keys are fetched.
fn keys() -> Value {
    json!({"keys": [client_key().public().to_map()]})
}

fn client_key() -> PrivateJwk {
    PrivateJwk::generate(Algorithm::EdDsa, &[3; 32]).expect("EdDSA keys can be made")
}

fn fetched(url: &str, tape: &mut Tape<'_>) -> Fetched {
    let good = if url == KEYS_URL { keys() } else { document(url) }.to_string().into_bytes();
    let (status, body) = match tape.byte() % 8 {
        3 => return Fetched::OverBudget,
        4 => return Fetched::Failed("timeout".to_owned()),
        5 => ([404, 410, 403, 429, 500, 302, 0, 999][usize::from(tape.byte() % 8)], good),
        6 => (200, tape.bytes().to_vec()),
        _ => (200, good),
    };
    let age = ["max-age=60", "no-store", "max-age=99999999999999999999", "max-age=\"5\""][usize::from(tape.byte() % 4)];
    let headers =
        vec![("content-type".to_owned(), "application/json".to_owned()), ("Cache-Control".to_owned(), age.to_owned())];
    Fetched::Response(HttpResponse { status, headers, body })
}

fn decide<E: Endpoint + std::fmt::Debug>(deciding: Deciding<E>, tape: &mut Tape<'_>) -> Step<E> {
    let choice = tape.byte();
    if choice == 255 {
        return deciding.failed();
    }
    let user = || User { subject: "alice".into(), name: "Alice".into(), claims: Map::new() };
    let hostile = || User { subject: "\"><script>".into(), name: "\u{202e}\0<b>".repeat(20), claims: Map::new() };
    let (honest, decision) = match deciding.question() {
        Question::SignIn(question) => {
            assert!(
                question.return_to.starts_with('/') && question.return_to.bytes().all(|byte| byte.is_ascii_graphic())
            );
            let decision = match choice % 8 {
                1 => Decision::Approve { user: user(), scopes: None },
                2 => Decision::Approve { user: hostile(), scopes: Some(vec!["b".into(), "unknown".into()]) },
                3 => Decision::Deny,
                4 => Decision::SignIn { location: String::from_utf8_lossy(tape.bytes()).into_owned() },
                5 => Decision::Allow,
                6 => Decision::SignedIn(hostile()),
                7 => Decision::SignedIn(User::default()),
                _ => Decision::SignedIn(user()),
            };
            (Decision::SignedIn(user()), decision)
        }
        Question::Consent(_) if choice % 4 == 1 => (Decision::BuiltIn, Decision::Page { html: "<p>\u{a7}</p>".into() }),
        Question::Consent(_) => (Decision::BuiltIn, Decision::BuiltIn),
        Question::Refresh { .. } | Question::Admit { .. } => {
            (Decision::Allow, if choice % 4 == 3 { Decision::Refuse } else { Decision::Allow })
        }
        Question::Token { .. } => {
            let credential =
                || Decision::Credential { user: hostile(), scopes: vec!["a".into()], expires_at: Some(NOW + 1) };
            let decision = [Decision::Refuse, Decision::SignedIn(user()), credential(), Decision::Deny]
                [usize::from(choice % 4)]
            .clone();
            (Decision::Refuse, decision)
        }
    };
    match deciding.decided(decision) {
        Ok(step) => step,
        Err((deciding, _)) => deciding.decided(honest).expect("an honest answer fits"),
    }
}

fn lockstep_basic(name: &str, secret: &str) -> String {
    // Base64 with padding, by way of base64url: the text holds no character that differs.
    let text = base64url(format!("{name}:{}", secret.replace(' ', "+")).as_bytes()).replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - text.len() % 4) % 4);
    text + &padding
}

fn member(answer: &Answer, name: &str) -> String {
    let body: Value = serde_json::from_slice(&answer.response.body).expect("a JSON answer");
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

fn cookie(answer: &Answer) -> String {
    let value = answer.response.header("set-cookie").unwrap_or_default();
    value.split_once('=').and_then(|(_, rest)| rest.split(';').next()).unwrap_or_default().to_owned()
}

fn hidden(page: &str, name: &str) -> String {
    let (_, rest) =
        page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split('"').next().unwrap_or_default().to_owned()
}
