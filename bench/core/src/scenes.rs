//! The exchanges that are measured, each with the request and the answers of its host.

use lockstep_oauth::authorization_server::config::Config;
use lockstep_oauth::authorization_server::{Answer, AuthorizationServer};
use lockstep_oauth::crypto::{base64url, sha256};
use lockstep_oauth::env::Env;
use lockstep_oauth::exchange::{Endpoint, Step};
use lockstep_oauth::http::HttpRequest;
use lockstep_oauth::keys::KeyRing;
use lockstep_oauth::protected_resource::{CheckRequest, Checked};
use lockstep_oauth::question::{Decision, Question, User};
use lockstep_oauth::store::{Committed, Record};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

const NOW: u64 = 1_800_000_000;
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const SECRET: &str = "a secret of the client";

/// What a host said.
#[derive(Clone)]
enum Said {
    Records(Vec<Option<Record>>),
    Committed,
    Decision(Decision),
}

#[derive(Clone)]
enum Request {
    Http(HttpRequest),
    Check(CheckRequest),
}

/// A request and the answers to its exchange, ready to be used up.
pub struct Prepared {
    request: Request,
    said: VecDeque<Said>,
}

/// What an exchange ended with, kept to be dropped outside the measured time.
#[allow(dead_code, reason = "nothing looks into it")]
pub enum Outcome {
    Http(Answer),
    Check(Checked),
}

/// One exchange to measure.
pub struct Scene {
    pub name: &'static str,
    /// The most microseconds that it may take on one core of the machine that the targets were set on.
    pub target: Option<f64>,
    server: AuthorizationServer,
    request: Request,
    said: VecDeque<Said>,
}

impl Scene {
    pub fn prepared(&self) -> Prepared {
        Prepared { request: self.request.clone(), said: self.said.clone() }
    }

    pub fn run(&self, prepared: Prepared) -> Outcome {
        let Prepared { request, mut said } = prepared;
        match request {
            Request::Http(request) => Outcome::Http(replay(self.server.handle(request, env(7)), &mut said)),
            Request::Check(request) => Outcome::Check(replay(self.server.check(request, env(7)), &mut said)),
        }
    }
}

fn env(seed: u8) -> Env {
    Env::new(NOW, [seed; 32]).expect("a seed that is not zero")
}

fn replay<E: Endpoint>(mut step: Step<E>, said: &mut VecDeque<Said>) -> E::Outcome {
    loop {
        step = match (step, said.pop_front()) {
            (Step::Done(outcome), _) => return outcome,
            (Step::Load(load), Some(Said::Records(records))) => {
                load.loaded(records).unwrap_or_else(|(_, misuse)| panic!("{misuse}"))
            }
            (Step::Commit(commit), Some(Said::Committed)) => commit.committed(Committed::Committed),
            (Step::Decide(decide), Some(Said::Decision(decision))) => {
                decide.decided(decision).unwrap_or_else(|(_, misuse)| panic!("{misuse}"))
            }
            _ => panic!("the exchange took another way than before"),
        };
    }
}

/// A host with a store, which writes down what it says.
struct Host {
    server: AuthorizationServer,
    records: BTreeMap<String, Record>,
    approves: bool,
    said: VecDeque<Said>,
}

impl Host {
    fn new(jwt: bool) -> Self {
        let config = json!({
            "issuer": "https://as.example",
            "resources": [{"resource": "https://as.example/mcp", "name": "Notes", "scopes": ["notes:read", "notes:write"]}],
            "scopes": [
                {"name": "notes:read", "description": "Read your notes"},
                {"name": "notes:write", "description": "Change your notes", "optional": true},
            ],
            "clients": [
                {"client_id": "public", "client_name": "Editor", "redirect_uris": ["http://127.0.0.1/callback"]},
                {"client_id": "confidential", "client_name": "Service", "redirect_uris": ["https://c.example/cb"], "client_secret": SECRET},
            ],
            "registration": {"mode": "open"},
            "access_token_format": if jwt { "jwt" } else { "opaque" },
        });
        let config = Config::parse(&config.to_string()).unwrap_or_else(|misuse| panic!("{misuse}"));
        let ring = KeyRing::parse(&KeyRing::generate(NOW - 1000, &[5; 32]), "keys")
            .unwrap_or_else(|misuse| panic!("{misuse}"));
        let server = AuthorizationServer::new(config, ring).unwrap_or_else(|misuse| panic!("{misuse}"));
        Self { server, records: BTreeMap::new(), approves: false, said: VecDeque::new() }
    }

    fn drive<E: Endpoint>(&mut self, mut step: Step<E>) -> E::Outcome {
        loop {
            step = match step {
                Step::Done(outcome) => return outcome,
                Step::Load(load) => {
                    let records: Vec<_> =
                        load.keys().iter().map(|key| self.records.get(key.as_str()).cloned()).collect();
                    self.said.push_back(Said::Records(records.clone()));
                    load.loaded(records).unwrap_or_else(|(_, misuse)| panic!("{misuse}"))
                }
                Step::Commit(commit) => {
                    let write = commit.write();
                    let record =
                        Record { version: write.version, value: write.value.clone(), expires_at: write.expires_at };
                    self.records.insert(write.key.as_str().to_owned(), record);
                    self.said.push_back(Said::Committed);
                    commit.committed(Committed::Committed)
                }
                Step::Decide(decide) => {
                    let decision = self.decision(decide.question());
                    self.said.push_back(Said::Decision(decision.clone()));
                    decide.decided(decision).unwrap_or_else(|(_, misuse)| panic!("{misuse}"))
                }
                Step::Fetch(_) => panic!("nothing is fetched here"),
            };
        }
    }

    fn decision(&self, question: &Question) -> Decision {
        let user = User { subject: "alice".into(), name: "Alice".into(), claims: serde_json::Map::new() };
        match question {
            Question::SignIn(_) if self.approves => Decision::Approve { user, scopes: None },
            Question::SignIn(_) => Decision::SignedIn(user),
            Question::Consent(_) => Decision::BuiltIn,
            Question::Refresh { .. } | Question::Admit { .. } => Decision::Allow,
            Question::Token { .. } => Decision::Refuse,
        }
    }

    fn http(&mut self, request: HttpRequest, seed: u8) -> Answer {
        let step = self.server.handle(request, env(seed));
        self.drive(step)
    }

    /// The code that approving gives.
    fn code(&mut self, client: &str) -> String {
        self.approves = true;
        let answer = self.http(authorize(client), 9);
        let location = answer.response.header("location").expect("an approval redirects").to_owned();
        let (_, rest) = location.split_once("code=").expect("the redirect has a code");
        rest.split('&').next().unwrap_or_default().to_owned()
    }

    fn tokens(&mut self, client: &str) -> Value {
        let code = self.code(client);
        let answer = self.http(redemption(client, &code), 11);
        serde_json::from_slice(&answer.response.body).expect("a token answer is JSON")
    }

    /// Runs the exchange once, checks how it ends, and keeps what was said.
    fn scene(mut self, name: &'static str, target: Option<f64>, request: Request, status: u16) -> Scene {
        self.said.clear();
        let server = self.server.clone();
        let found = match request.clone() {
            Request::Http(request) => self.http(request, 7).response.status,
            Request::Check(request) => {
                let step = server.check(request, env(7));
                match self.drive(step) {
                    Checked::Allowed(_) => 200,
                    Checked::Refused(answer) => answer.response.status,
                }
            }
        };
        assert_eq!(found, status, "{name}");
        Scene { name, target, server, request, said: self.said }
    }
}

fn authorize(client: &str) -> HttpRequest {
    let redirect =
        if client == "public" { "http%3A%2F%2F127.0.0.1%3A43123%2Fcallback" } else { "https%3A%2F%2Fc.example%2Fcb" };
    let challenge = base64url(&sha256(&[VERIFIER.as_bytes()]));
    let query = format!(
        "response_type=code&client_id={client}&redirect_uri={redirect}&state=af0ifjsldkj-af0ifjsldkj&scope=notes%3Aread%20notes%3Awrite\
         &resource=https%3A%2F%2Fas.example%2Fmcp&code_challenge={challenge}&code_challenge_method=S256"
    );
    let headers = [("host", "as.example"), ("user-agent", "Mozilla/5.0"), ("accept", "text/html")];
    HttpRequest { query: query.into_bytes(), ..request("GET", "/authorize", &headers, String::new()) }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: String) -> HttpRequest {
    HttpRequest {
        method: method.into(),
        path: path.into(),
        query: Vec::new(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect(),
        body: body.into_bytes(),
        peer: "192.0.2.7".into(),
    }
}

fn form(path: &str, client: &str, mut body: String) -> HttpRequest {
    let mut headers = vec![
        ("host", "as.example"),
        ("user-agent", "python-httpx/0.28"),
        ("accept", "application/json"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let credentials = format!("Basic {}", "Y29uZmlkZW50aWFsOmErc2VjcmV0K29mK3RoZStjbGllbnQ=");
    if client == "public" {
        body.push_str("&client_id=public");
    } else {
        headers.push(("authorization", &credentials));
    }
    request("POST", path, &headers, body)
}

fn redemption(client: &str, code: &str) -> HttpRequest {
    let redirect =
        if client == "public" { "http%3A%2F%2F127.0.0.1%3A43123%2Fcallback" } else { "https%3A%2F%2Fc.example%2Fcb" };
    let body = format!(
        "grant_type=authorization_code&code={code}&redirect_uri={redirect}&code_verifier={VERIFIER}&resource=https%3A%2F%2Fas.example%2Fmcp"
    );
    form("/token", client, body)
}

fn refresh(client: &str, tokens: &Value) -> HttpRequest {
    let token = tokens["refresh_token"].as_str().expect("there is a refresh token");
    form(
        "/token",
        client,
        format!("grant_type=refresh_token&refresh_token={token}&resource=https%3A%2F%2Fas.example%2Fmcp"),
    )
}

fn check(tokens: &Value) -> Request {
    let token = tokens["access_token"].as_str().expect("there is an access token");
    Request::Check(CheckRequest {
        headers: vec![
            ("host".into(), b"as.example".to_vec()),
            ("content-type".into(), b"application/json".to_vec()),
            ("authorization".into(), format!("Bearer {token}").into_bytes()),
        ],
        query: Vec::new(),
        resource: "https://as.example/mcp".into(),
        scopes: vec!["notes:read".into()],
        peer: "192.0.2.7".into(),
    })
}

/// All that is measured, in the order of the table.
pub fn scenes() -> Vec<Scene> {
    let redeem = |client, name, target| {
        let mut host = Host::new(false);
        let code = host.code(client);
        host.scene(name, target, Request::Http(redemption(client, &code)), 200)
    };
    let rotate = |client, name, target, jwt| {
        let mut host = Host::new(jwt);
        let tokens = host.tokens(client);
        host.scene(name, target, Request::Http(refresh(client, &tokens)), 200)
    };
    let bearer = |name, target, jwt| {
        let mut host = Host::new(jwt);
        let tokens = host.tokens("public");
        host.scene(name, target, check(&tokens), 200)
    };
    let mut approving = Host::new(false);
    approving.approves = true;
    let mut revoking = Host::new(false);
    let tokens = revoking.tokens("public");
    let token = tokens["refresh_token"].as_str().expect("there is a refresh token");
    let revocation = form("/revoke", "public", format!("token={token}"));
    let json_headers = [("host", "as.example"), ("content-type", "application/json")];
    let registration = json!({
        "client_name": "Editor", "redirect_uris": ["http://127.0.0.1:43123/callback"], "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"], "token_endpoint_auth_method": "none", "scope": "notes:read notes:write",
    });
    let registration = request("POST", "/register", &json_headers, registration.to_string());
    vec![
        redeem("public", "redemption, public client", Some(15.0)),
        redeem("confidential", "redemption, client with a secret", Some(15.0)),
        rotate("public", "refresh, public client", Some(15.0), false),
        rotate("confidential", "refresh, client with a secret", Some(15.0), false),
        rotate("public", "refresh, JWT access token", None, true),
        Host::new(false).scene("authorize, to the consent page", Some(20.0), Request::Http(authorize("public")), 200),
        approving.scene("authorize, approved by the host", Some(20.0), Request::Http(authorize("public")), 303),
        bearer("bearer check, opaque", Some(5.0), false),
        bearer("bearer check, JWT", None, true),
        revoking.scene("revocation of a refresh token", None, Request::Http(revocation), 200),
        Host::new(false).scene("registration", None, Request::Http(registration), 201),
        Host::new(false).scene(
            "metadata",
            None,
            Request::Http(request("GET", "/.well-known/oauth-authorization-server", &[], String::new())),
            200,
        ),
    ]
}
