//! The cast of every scenario: one server, a few clients, and requests that are right until a change makes them wrong.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a fixture that does not hold fails the test that stands on it"
)]

use crate::transcript::Call;
use crate::world::{BEGINNING, World};
use lockstep_oauth::authorization_server::Answer;
use lockstep_oauth::crypto::base64url;
use lockstep_oauth::http::{Fetched, HttpRequest, HttpResponse, percent_encode};
use lockstep_oauth::jose::{Algorithm, PrivateJwk, sign};
use lockstep_oauth::keys::KeyRing;
use lockstep_oauth::protected_resource::{CheckRequest, Checked};
use lockstep_oauth::question::{Decision, User};
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

/// The issuer.
pub const ISSUER: &str = "https://as.example";
/// The resource.
pub const RESOURCE: &str = "https://mcp.example/mcp";
/// The redirect of most clients.
pub const REDIRECT: &str = "https://client.example/cb";
/// The verifier of RFC 7636 Appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Its challenge.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// The confidential client's secret.
pub const SECRET: &str = "a secret of the test client";
/// The URL of the client document.
pub const DOCUMENT: &str = "https://app.example/oauth/client.json";
/// The URL of the key set of the client `fetched`.
pub const KEY_SET: &str = "https://app.example/oauth/jwks.json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The configuration that scenarios start from.
pub fn config() -> Value {
    json!({
        "issuer": ISSUER,
        "resources": [{ "resource": RESOURCE, "name": "Notes" }],
        "scopes": [
            { "name": "notes:read", "description": "Read your notes" },
            { "name": "notes:write", "description": "Change your notes", "optional": true, "default": false },
        ],
        "clients": [
            { "client_id": "web", "client_name": "Web App", "redirect_uris": [REDIRECT] },
            { "client_id": "native", "client_name": "Native App", "redirect_uris": ["http://127.0.0.1/cb"] },
            { "client_id": "other", "client_name": "Other App", "redirect_uris": ["https://other.example/cb"] },
            { "client_id": "confidential", "client_name": "Server App", "redirect_uris": [REDIRECT],
              "client_secret": SECRET, "introspects": true },
        ],
    })
}

/// The key ring that scenarios start from.
pub fn keys() -> String {
    static KEYS: OnceLock<String> = OnceLock::new();
    KEYS.get_or_init(|| KeyRing::generate(BEGINNING - 86_400, &[7; 32])).clone()
}

/// The second resource of those scenarios that have two.
pub const RESOURCE_2: &str = "https://mcp.example/api";

/// Adds [`RESOURCE_2`].
pub fn two_resources(config: &mut Value) {
    put(config, "resources", json!([{ "resource": RESOURCE, "name": "Notes" }, { "resource": RESOURCE_2 }]));
}

/// Adds two clients that authenticate by key: `signer` with its keys inline, `fetched` with keys at [`KEY_SET`].
pub fn key_clients(config: &mut Value) {
    let clients = config.get_mut("clients").and_then(Value::as_array_mut).expect("a list of clients");
    let jwks = json!({ "keys": [Value::Object(client_key(1).public().to_map())] });
    clients.push(json!({ "client_id": "signer", "redirect_uris": [REDIRECT], "jwks": jwks }));
    clients.push(json!({ "client_id": "fetched", "redirect_uris": [REDIRECT], "jwks_uri": KEY_SET }));
}

/// Sets a member of the configuration.
pub fn put(config: &mut Value, name: &str, value: Value) {
    config.as_object_mut().expect("an object").insert(name.to_owned(), value);
}

/// Sets a member of one configured client.
pub fn put_client(config: &mut Value, id: &str, name: &str, value: Value) {
    let clients = config.get_mut("clients").and_then(Value::as_array_mut).expect("a list of clients");
    let client = clients.iter_mut().find(|client| client.get("client_id") == Some(&json!(id)));
    put(client.expect("a client of that id"), name, value);
}

/// A private key of a client.
pub fn client_key(number: u8) -> PrivateJwk {
    PrivateJwk::generate(Algorithm::Es256, &[number; 32]).expect("a key of these bytes")
}

/// A user.
pub fn user(subject: &str) -> User {
    let claims = Map::from_iter([("email".to_owned(), json!(format!("{subject}@example.com")))]);
    User { subject: subject.to_owned(), name: format!("User {subject}"), claims }
}

/// A client document at [`DOCUMENT`].
pub fn document() -> Value {
    json!({
        "client_id": DOCUMENT, "client_name": "Document App", "redirect_uris": ["https://app.example/cb"],
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
    })
}

/// An answer of another server.
pub fn served(status: u16, body: &Value) -> Fetched {
    Fetched::Response(HttpResponse::json(status, body))
}

/// A request that is right until it is changed.
#[derive(Clone, Debug)]
pub struct Draft {
    method: String,
    path: String,
    parameters: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    raw_query: Option<String>,
    raw_body: Option<String>,
}

impl Draft {
    /// A request with parameters: in the query of a `GET`, in the form of a `POST`.
    pub fn new(method: &str, path: &str, parameters: &[(&str, &str)]) -> Self {
        let own = |pair: &(&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            parameters: parameters.iter().map(own).collect(),
            headers: Vec::new(),
            raw_query: None,
            raw_body: None,
        }
    }

    /// A request with a JSON body.
    pub fn json(method: &str, path: &str, body: &Value) -> Self {
        let body = format!("!{body}");
        Self::new(method, path, &[]).but(&["@Content-Type: application/json", &body])
    }

    /// The same request, changed: `name=value` sets a parameter, `+name=value` repeats it, `-name` removes it; the same
    /// with `@Name: value`, `@+Name: value` and `@-Name` for headers. `?text` is a whole query, `!text` a whole body,
    /// `#METHOD` a method, and `/path` a path.
    #[must_use]
    pub fn but(mut self, changes: &[&str]) -> Self {
        for change in changes {
            match change.as_bytes().first() {
                Some(b'-') => self.parameters.retain(|(name, _)| name != change.trim_start_matches('-')),
                Some(b'+') => self.parameters.push(split(change.trim_start_matches('+'), "=")),
                Some(b'?') => self.raw_query = change.get(1..).map(str::to_owned),
                Some(b'!') => self.raw_body = change.get(1..).map(str::to_owned),
                Some(b'#') => self.method = change.trim_start_matches('#').to_owned(),
                Some(b'/') => self.path = (*change).to_owned(),
                Some(b'@') => self.header(change.get(1..).unwrap_or_default()),
                _ => {
                    let (name, value) = split(change, "=");
                    match self.parameters.iter_mut().find(|(known, _)| *known == name) {
                        Some(parameter) => parameter.1 = value,
                        None => self.parameters.push((name, value)),
                    }
                }
            }
        }
        self
    }

    fn header(&mut self, change: &str) {
        let repeats = change.starts_with('+');
        let name = change.trim_start_matches(['+', '-']).split(':').next().unwrap_or_default().to_owned();
        if !repeats {
            self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        }
        if !change.starts_with('-') {
            self.headers.push(split(change.trim_start_matches('+'), ": "));
        }
    }

    /// The request.
    pub fn request(self) -> HttpRequest {
        let mut encoded = String::new();
        for (name, value) in &self.parameters {
            if !encoded.is_empty() {
                encoded.push('&');
            }
            percent_encode(name, &mut encoded);
            encoded.push('=');
            percent_encode(value, &mut encoded);
        }
        let mut headers = self.headers;
        let posted = self.method == "POST";
        let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if posted && !typed {
            headers.insert(0, ("Content-Type".to_owned(), FORM.to_owned()));
        }
        headers.retain(|(_, value)| !value.is_empty());
        let (query, body) = if posted { (String::new(), encoded) } else { (encoded, String::new()) };
        HttpRequest {
            method: self.method,
            path: self.path,
            query: self.raw_query.unwrap_or(query).into_bytes(),
            headers: headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect(),
            body: self.raw_body.unwrap_or(body).into_bytes(),
            peer: "203.0.113.7".to_owned(),
        }
    }

    /// The call.
    pub fn call(self) -> Call {
        Call::Http(self.request())
    }
}

fn split(text: &str, at: &str) -> (String, String) {
    let (name, value) = text.split_once(at).unwrap_or((text, ""));
    (name.to_owned(), value.to_owned())
}

/// A request of a page without parameters.
pub fn get(path: &str) -> Draft {
    Draft::new("GET", path, &[])
}

/// The authorization request of the client `web`.
pub fn authorize() -> Draft {
    Draft::new(
        "GET",
        "/authorize",
        &[
            ("response_type", "code"),
            ("client_id", "web"),
            ("redirect_uri", REDIRECT),
            ("state", "s1"),
            ("scope", "notes:read"),
            ("resource", RESOURCE),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ],
    )
}

/// The redemption of a code by the client `web`.
pub fn redeem(code: &str) -> Draft {
    Draft::new(
        "POST",
        "/token",
        &[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", "web"),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("resource", RESOURCE),
        ],
    )
}

/// The refresh of a token by the client `web`.
pub fn refresh(token: &str) -> Draft {
    Draft::new("POST", "/token", &[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "web")])
}

/// The revocation of a token by the client `web`.
pub fn revoke(token: &str) -> Draft {
    Draft::new("POST", "/revoke", &[("token", token), ("client_id", "web")])
}

/// The introspection of a token by the client `confidential`.
pub fn introspect(token: &str) -> Draft {
    let header = format!("@Authorization: {}", basic("confidential", SECRET));
    Draft::new("POST", "/introspect", &[("token", token)]).but(&[&header])
}

/// A registration.
pub fn register(metadata: &Value) -> Draft {
    Draft::json("POST", "/register", metadata)
}

/// A request about a registration.
pub fn manage(method: &str, id: &str, token: &str) -> Draft {
    let header = format!("@Authorization: Bearer {token}");
    Draft::new(method, &format!("/register/{id}"), &[]).but(&[&header])
}

/// The value of a Basic header. Neither half holds a character that needs form-encoding here.
pub fn basic(id: &str, secret: &str) -> String {
    let encoded = base64url(format!("{id}:{}", secret.replace(' ', "+")).as_bytes());
    let padding = ["", "===", "==", "="].get(encoded.len() % 4).copied().unwrap_or_default();
    format!("Basic {}{padding}", encoded.replace('-', "+").replace('_', "/"))
}

/// The claims of a client's assertion.
pub fn assertion_claims(client: &str, now: u64) -> Value {
    json!({ "iss": client, "sub": client, "aud": ISSUER, "iat": now, "exp": now + 300, "jti": "j1" })
}

/// The changes that make a form authenticate by assertion.
pub fn by_assertion(client: &str, assertion: &str) -> [String; 3] {
    [
        format!("client_id={client}"),
        "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
        format!("client_assertion={assertion}"),
    ]
}

/// Signs a client's assertion.
pub fn assertion(key: u8, claims: &Value) -> String {
    sign(&client_key(key), "JWT", claims.to_string().as_bytes())
}

/// A check of a bearer token that needs `notes:read`.
pub fn bearer(token: &str) -> CheckRequest {
    CheckRequest {
        headers: vec![("Authorization".to_owned(), format!("Bearer {token}").into_bytes())],
        scopes: vec!["notes:read".to_owned()],
        resource: RESOURCE.to_owned(),
        peer: "203.0.113.7".to_owned(),
        ..CheckRequest::default()
    }
}

/// An access token and its refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// The refresh token; empty when there is none.
    pub refresh: String,
}

/// The tokens of a successful answer.
pub fn tokens(answer: &Answer) -> Tokens {
    let body = body(answer);
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    assert_eq!(answer.response.status, 200, "{body}");
    Tokens { access: text("access_token"), refresh: text("refresh_token") }
}

/// A JSON body.
pub fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.response.body).unwrap_or_default()
}

/// A parameter of the redirect.
pub fn redirected(answer: &Answer, name: &str) -> Option<String> {
    let location = url::Url::parse(answer.response.header("location")?).ok()?;
    location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A hidden field of a page.
pub fn hidden(answer: &Answer, name: &str) -> String {
    let page = String::from_utf8_lossy(&answer.response.body);
    let start = format!("name=\"{name}\" value=\"");
    let value = page.split_once(&start).and_then(|(_, rest)| rest.split_once('"'));
    value.unwrap_or_else(|| panic!("no field {name} in {page}")).0.to_owned()
}

impl World {
    /// The world that scenarios start from; alice is signed in.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same with another configuration.
    pub fn with(change: impl FnOnce(&mut Value)) -> Self {
        let mut config = config();
        change(&mut config);
        let mut world = Self::of(config, keys());
        world.sign_in = Decision::SignedIn(user("alice"));
        world
    }

    /// Runs a draft.
    pub fn send(&mut self, draft: Draft) -> Answer {
        self.http(draft.request())
    }

    /// Opens the consent page, changed as [`Draft::but`] says.
    pub fn authorize(&mut self, changes: &[&str]) -> Answer {
        let cookies = self.cookie_change();
        self.send(authorize().but(&[&cookies]).but(changes))
    }

    /// The form of a consent page, ready to be posted.
    pub fn consent_form(&self, page: &Answer) -> Draft {
        let (ticket, seal) = (hidden(page, "ticket"), hidden(page, "seal"));
        let cookies = self.cookie_change();
        let form =
            [("ticket", ticket.as_str()), ("seal", seal.as_str()), ("decision", "approve"), ("scope", "notes:write")];
        Draft::new("POST", "/consent", &form).but(&["@Origin: null", "@Sec-Fetch-Site: same-origin", &cookies])
    }

    /// Says yes on a consent page.
    pub fn consent(&mut self, page: &Answer, changes: &[&str]) -> Answer {
        let form = self.consent_form(page);
        self.send(form.but(changes))
    }

    /// A code, by way of the page.
    pub fn code(&mut self, changes: &[&str]) -> String {
        let page = self.authorize(changes);
        let answer = self.consent(&page, &[]);
        redirected(&answer, "code").unwrap_or_else(|| panic!("{answer:?}"))
    }

    /// Tokens of the client `web`, by way of the page.
    pub fn connect(&mut self) -> Tokens {
        let code = self.code(&[]);
        tokens(&self.send(redeem(&code)))
    }

    /// Whether an access token passes the gate with `notes:read`.
    pub fn passes(&mut self, token: &str) -> bool {
        matches!(self.check(bearer(token)), Checked::Allowed(_))
    }

    /// The answer of the introspection endpoint.
    pub fn introspected(&mut self, token: &str) -> Value {
        body(&self.send(introspect(token)))
    }

    /// The change that sends the browser's cookies.
    pub fn cookie_change(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("@Cookie: {}", pairs.join("; "))
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
