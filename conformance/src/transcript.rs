//! The one place where transcripts become JSON and JSON becomes transcripts.
//!
//! A vector holds what goes into an exchange (configuration, keys, instant, seed, call, answers) and what came out of it
//! (what it asked, how it ended). The former is read strictly, an unknown member is an error; the latter is compared as a
//! whole. Bytes are shown as text where they are UTF-8, and as `{"base64url": …}` where they are not.
#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a vector that cannot be written is no vector")]

use lockstep_oauth::address::AddressRule;
use lockstep_oauth::authorization_server::Answer;
use lockstep_oauth::authorization_server::operations::{Operated, Operation, OperationOutcome};
use lockstep_oauth::crypto::{base64url, from_base64url};
use lockstep_oauth::http::{FetchRequest, Fetched, HttpRequest, HttpResponse};
use lockstep_oauth::json::{Limits, parse_object};
use lockstep_oauth::protected_resource::{CheckRequest, Checked, IdentityKind};
use lockstep_oauth::question::{ConsentQuestion, Decision, Question, SignInQuestion, User};
use lockstep_oauth::store::{Committed, Record, Write};
use serde_json::{Map, Value, json};

const LIMITS: Limits = Limits { bytes: 4 * 1024 * 1024, depth: 64, members: 100_000 };

/// How an exchange is started.
#[derive(Clone, Debug)]
pub enum Call {
    /// A request to the authorization server.
    Http(HttpRequest),
    /// A request to a protected resource.
    Check(CheckRequest),
    /// An operation on behalf of a user.
    Operate(Operation),
}

/// What an exchange asked for, as JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// Records at these keys.
    Load(Vec<String>),
    /// A write.
    Commit(Value),
    /// A fetch.
    Fetch(Value),
    /// A decision.
    Decide(Value),
}

/// What the host answered.
#[derive(Clone, Debug)]
pub enum Given {
    /// The records.
    Loaded(Vec<Option<Record>>),
    /// The store could not be read.
    LoadFailed,
    /// What became of the write.
    Committed(Committed),
    /// What came of the fetch.
    Fetched(Fetched),
    /// The decision.
    Decided(Decision),
    /// The host could not decide.
    DecideFailed,
}

/// One step and its answer.
#[derive(Clone, Debug)]
pub struct Turn {
    /// What was asked.
    pub asked: Asked,
    /// What was answered.
    pub given: Given,
}

/// One exchange from its call to its end.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// The configuration.
    pub config: Value,
    /// The key ring's text.
    pub keys: String,
    /// The instant, in seconds since 1970.
    pub now: u64,
    /// The seed.
    pub seed: [u8; 32],
    /// How it was started.
    pub call: Call,
    /// Its steps in order.
    pub turns: Vec<Turn>,
    /// How it ended, as JSON.
    pub outcome: Value,
}

/// A vector: one exchange, or several in the order in which their steps happened.
#[derive(Clone, Debug)]
pub struct Vector {
    /// `area/nn-slug`.
    pub id: String,
    /// What it shows, as a sentence.
    pub title: String,
    /// The requirements and sections behind it.
    pub spec: Vec<String>,
    /// Why it matters.
    pub why: String,
    /// The exchanges.
    pub exchanges: Vec<Transcript>,
    /// One entry a start, a step or an end: which exchange moved. Empty when there is one exchange only.
    pub order: Vec<usize>,
}

/// Why a vector cannot be read: where, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub String);

type Read<T> = Result<T, Unreadable>;

fn wrong<T>(what: &str) -> Read<T> {
    Err(Unreadable(what.to_owned()))
}

// --- Vectors ----------------------------------------------------------------------------------------------------------

impl Vector {
    /// The vector as the text of its file.
    pub fn write(&self) -> String {
        let mut members = vec![
            ("id", json!(self.id)),
            ("title", json!(self.title)),
            ("spec", json!(self.spec)),
            ("why", json!(self.why)),
        ];
        match self.exchanges.as_slice() {
            [only] => members.extend(only.members()),
            several => {
                // A member of the first exchange holds for the later ones that do not have it.
                let first = several.first().expect("a vector has an exchange");
                members.push(("config", first.config.clone()));
                members.push(("keys", json!(first.keys)));
                members.push(("order", json!(self.order)));
                let later = several.iter().map(|exchange| {
                    let same = |name: &str, value: &Value| {
                        (name == "config" && *value == first.config) || (name == "keys" && *value == json!(first.keys))
                    };
                    let own = exchange.members().into_iter().filter(|(name, value)| !same(name, value));
                    Value::Object(own.map(|(name, value)| (name.to_owned(), value)).collect())
                });
                members.push(("exchanges", later.collect()));
            }
        }
        let mut text = String::from("{\n");
        for (index, (name, value)) in members.iter().enumerate() {
            text.push_str(if index == 0 { "  " } else { ",\n  " });
            text.push_str(&json!(name).to_string());
            text.push_str(": ");
            pretty(value, 2, &mut text);
        }
        text.push_str("\n}\n");
        text
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`Unreadable`] when it is not exactly a vector.
    pub fn read(file: &str) -> Read<Self> {
        let mut fields =
            Fields::new(parse_object(file.as_bytes(), LIMITS).map_err(|fault| Unreadable(fault.to_string()))?);
        let mut vector = Self {
            id: fields.text("id")?,
            title: fields.text("title")?,
            spec: fields.texts("spec")?,
            why: fields.text("why")?,
            exchanges: Vec::new(),
            order: Vec::new(),
        };
        let config = fields.take("config")?;
        let keys = fields.text("keys")?;
        match fields.optional("exchanges") {
            None => vector.exchanges.push(Transcript::read(&mut fields, config, keys)?),
            Some(Value::Array(items)) => {
                for item in items {
                    let mut item = Fields::of(item)?;
                    let config = item.optional("config").unwrap_or_else(|| config.clone());
                    let keys = match item.optional("keys") {
                        Some(keys) => text(keys)?,
                        None => keys.clone(),
                    };
                    vector.exchanges.push(Transcript::read(&mut item, config, keys)?);
                    item.end()?;
                }
                let order = fields.take("order")?;
                let order: Option<Vec<u64>> =
                    order.as_array().map(|items| items.iter().filter_map(Value::as_u64).collect());
                let order = order.ok_or(Unreadable("order".to_owned()))?;
                vector.order = order.into_iter().filter_map(|index| usize::try_from(index).ok()).collect();
            }
            Some(_) => return wrong("exchanges"),
        }
        fields.end()?;
        Ok(vector)
    }
}

impl Transcript {
    fn members(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("config", self.config.clone()),
            ("keys", json!(self.keys)),
            ("env", json!({ "now": self.now, "seed": base64url(&self.seed) })),
            ("call", self.call.write()),
            ("steps", self.turns.iter().map(Turn::write).collect()),
            ("outcome", self.outcome.clone()),
        ]
    }

    fn read(fields: &mut Fields, config: Value, keys: String) -> Read<Self> {
        let mut env = fields.object("env")?;
        let (now, seed) = (env.number("now")?, env.text("seed")?);
        env.end()?;
        let seed = from_base64url(&seed).and_then(|seed| seed.try_into().ok());
        let mut turns = Vec::new();
        for item in fields.array("steps")? {
            turns.push(Turn::read(Fields::of(item)?)?);
        }
        Ok(Self {
            config,
            keys,
            now,
            seed: seed.ok_or(Unreadable("env.seed".to_owned()))?,
            call: Call::read(fields.object("call")?)?,
            turns,
            outcome: fields.take("outcome")?,
        })
    }
}

impl Turn {
    fn write(&self) -> Value {
        let (asked, what) = match &self.asked {
            Asked::Load(keys) => ("load", json!(keys)),
            Asked::Commit(write) => ("commit", write.clone()),
            Asked::Fetch(request) => ("fetch", request.clone()),
            Asked::Decide(question) => ("decide", question.clone()),
        };
        let (given, how) = match &self.given {
            Given::Loaded(records) => {
                ("loaded", records.iter().map(|record| record.as_ref().map(record_json)).collect())
            }
            Given::Committed(Committed::Committed) => ("committed", json!("committed")),
            Given::Committed(Committed::Conflict) => ("committed", json!("conflict")),
            Given::Committed(Committed::Unknown) => ("committed", json!("unknown")),
            Given::Fetched(Fetched::Failed(reason)) => ("fetched", json!({ "failed": reason })),
            Given::Fetched(Fetched::Response(response)) => ("fetched", response_json(response)),
            Given::Decided(decision) => ("decided", decision_json(decision)),
            Given::LoadFailed | Given::DecideFailed => ("failed", json!(true)),
        };
        json!({ asked: what, given: how })
    }

    fn read(mut fields: Fields) -> Read<Self> {
        let failed = fields.optional("failed").is_some();
        let turn = if let Some(keys) = fields.optional("load") {
            let keys = Fields(Map::from_iter([("load".to_owned(), keys)])).texts("load")?;
            let given = if failed { Given::LoadFailed } else { Given::Loaded(read_records(fields.array("loaded")?)?) };
            Self { asked: Asked::Load(keys), given }
        } else if let Some(write) = fields.optional("commit") {
            let committed = match fields.text("committed")?.as_str() {
                "committed" => Committed::Committed,
                "conflict" => Committed::Conflict,
                "unknown" => Committed::Unknown,
                _ => return wrong("committed"),
            };
            Self { asked: Asked::Commit(write), given: Given::Committed(committed) }
        } else if let Some(request) = fields.optional("fetch") {
            let fetched = read_fetched(fields.object("fetched")?)?;
            Self { asked: Asked::Fetch(request), given: Given::Fetched(fetched) }
        } else {
            let question = fields.take("decide")?;
            let given =
                if failed { Given::DecideFailed } else { Given::Decided(read_decision(fields.object("decided")?)?) };
            Self { asked: Asked::Decide(question), given }
        };
        fields.end()?;
        Ok(turn)
    }
}

// --- Calls ------------------------------------------------------------------------------------------------------------

impl Call {
    fn write(&self) -> Value {
        match self {
            Self::Http(HttpRequest { method, path, query, headers, body, peer }) => json!({
                "kind": "http", "method": method, "path": path, "query": bytes_json(query), "headers": headers_json(headers),
                "body": bytes_json(body), "peer": peer,
            }),
            Self::Check(CheckRequest { headers, query, resource, scopes, peer }) => json!({
                "kind": "check", "headers": headers_json(headers), "query": bytes_json(query), "resource": resource,
                "scopes": scopes, "peer": peer,
            }),
            Self::Operate(Operation::IssuePersonal { subject, name, claims, resource, scopes, expires_in }) => json!({
                "kind": "operate", "operation": "issue_personal", "subject": subject, "name": name, "claims": claims,
                "resource": resource, "scopes": scopes, "expires_in": expires_in,
            }),
            Self::Operate(Operation::RevokeGrant { subject, grant_id }) => json!({
                "kind": "operate", "operation": "revoke_grant", "subject": subject, "grant_id": grant_id,
            }),
            Self::Operate(Operation::SignOutEverywhere { subject }) => json!({
                "kind": "operate", "operation": "sign_out_everywhere", "subject": subject,
            }),
        }
    }

    fn read(mut fields: Fields) -> Read<Self> {
        let kind = fields.text("kind")?;
        let call = match kind.as_str() {
            "http" => Self::Http(HttpRequest {
                method: fields.text("method")?,
                path: fields.text("path")?,
                query: fields.bytes("query")?,
                headers: fields.headers("headers")?,
                body: fields.bytes("body")?,
                peer: fields.text("peer")?,
            }),
            "check" => Self::Check(CheckRequest {
                headers: fields.headers("headers")?,
                query: fields.bytes("query")?,
                resource: fields.text("resource")?,
                scopes: fields.texts("scopes")?,
                peer: fields.text("peer")?,
            }),
            "operate" => {
                let (operation, subject) = (fields.text("operation")?, fields.text("subject")?);
                Self::Operate(match operation.as_str() {
                    "issue_personal" => Operation::IssuePersonal {
                        subject,
                        name: fields.text("name")?,
                        claims: fields.object("claims")?.0,
                        resource: fields.text("resource")?,
                        scopes: fields.texts("scopes")?,
                        expires_in: fields.number("expires_in")?,
                    },
                    "revoke_grant" => Operation::RevokeGrant { subject, grant_id: fields.text("grant_id")? },
                    "sign_out_everywhere" => Operation::SignOutEverywhere { subject },
                    _ => return wrong("operation"),
                })
            }
            _ => return wrong("kind"),
        };
        fields.end()?;
        Ok(call)
    }
}

// --- What an exchange asks --------------------------------------------------------------------------------------------

/// A write as JSON.
pub fn write_json(write: &Write) -> Value {
    let Write { key, expect, version, value, expires_at, labels } = write;
    json!({
        "key": key.as_str(), "expect": expect, "version": version, "value": bytes_json(value), "expires_at": expires_at,
        "labels": { "subject": labels.subject, "client": labels.client },
    })
}

/// A fetch as JSON.
pub fn fetch_json(request: &FetchRequest) -> Value {
    let FetchRequest { method, url, headers, body, limit_bytes, timeout_ms, addresses } = request;
    let addresses = match addresses {
        AddressRule::Public => "public",
        AddressRule::PublicOrLoopback => "public_or_loopback",
    };
    json!({
        "method": method, "url": url, "headers": headers, "body": bytes_json(body), "limit_bytes": limit_bytes,
        "timeout_ms": timeout_ms, "addresses": addresses,
    })
}

/// A question as JSON.
pub fn question_json(question: &Question) -> Value {
    match question {
        Question::SignIn(SignInQuestion { return_to, client_id, client_name, scopes, resource }) => json!({
            "question": "sign_in", "return_to": return_to, "client_id": client_id, "client_name": client_name,
            "scopes": scopes, "resource": resource,
        }),
        Question::Consent(consent) => consent_json(consent),
        Question::Refresh { subject, client_id, grant_id } => {
            json!({ "question": "refresh", "subject": subject, "client_id": client_id, "grant_id": grant_id })
        }
        Question::Token { token } => json!({ "question": "token", "token": token }),
        Question::Admit { key, limit, period_seconds } => {
            json!({ "question": "admit", "key": key, "limit": limit, "period_seconds": period_seconds })
        }
    }
}

fn consent_json(consent: &ConsentQuestion) -> Value {
    let ConsentQuestion {
        client_id,
        client_name,
        client_host,
        redirect_host,
        redirect_uri,
        loopback,
        known,
        resource,
        scopes,
        user_name,
        action,
        hidden,
    } = consent;
    let shown = scopes
        .iter()
        .map(|scope| json!({ "name": scope.name, "description": scope.description, "optional": scope.optional }));
    json!({
        "question": "consent", "client_id": client_id, "client_name": client_name, "client_host": client_host,
        "redirect_host": redirect_host, "redirect_uri": redirect_uri, "loopback": loopback, "known": known,
        "resource": resource, "scopes": shown.collect::<Value>(), "user_name": user_name, "action": action,
        "hidden": hidden,
    })
}

// --- Answers ----------------------------------------------------------------------------------------------------------

fn record_json(record: &Record) -> Value {
    let Record { version, value, expires_at } = record;
    json!({ "version": version, "value": bytes_json(value), "expires_at": expires_at })
}

fn read_records(items: Vec<Value>) -> Read<Vec<Option<Record>>> {
    let read = |item: Value| {
        if item.is_null() {
            return Ok(None);
        }
        let mut fields = Fields::of(item)?;
        let record = Record {
            version: fields.number("version")?,
            value: fields.bytes("value")?,
            expires_at: fields.number("expires_at")?,
        };
        fields.end()?;
        Ok(Some(record))
    };
    items.into_iter().map(read).collect()
}

fn response_json(response: &HttpResponse) -> Value {
    let HttpResponse { status, headers, body } = response;
    json!({ "status": status, "headers": headers, "body": bytes_json(body) })
}

fn read_fetched(mut fields: Fields) -> Read<Fetched> {
    if let Some(reason) = fields.optional("failed") {
        fields.end()?;
        return Ok(Fetched::Failed(text(reason)?));
    }
    let status = u16::try_from(fields.number("status")?).map_err(|_| Unreadable("status".to_owned()))?;
    let mut headers = Vec::new();
    for (name, value) in fields.headers("headers")? {
        headers.push((name, String::from_utf8(value).map_err(|_| Unreadable("headers".to_owned()))?));
    }
    let response = HttpResponse { status, headers, body: fields.bytes("body")? };
    fields.end()?;
    Ok(Fetched::Response(response))
}

fn decision_json(decision: &Decision) -> Value {
    let user_json = |user: &User| json!({ "subject": user.subject, "name": user.name, "claims": user.claims });
    match decision {
        Decision::SignedIn(user) => json!({ "decision": "signed_in", "user": user_json(user) }),
        Decision::SignIn { location } => json!({ "decision": "sign_in", "location": location }),
        Decision::Approve { user, scopes } => {
            json!({ "decision": "approve", "user": user_json(user), "scopes": scopes })
        }
        Decision::Deny => json!({ "decision": "deny" }),
        Decision::Page { html } => json!({ "decision": "page", "html": html }),
        Decision::BuiltIn => json!({ "decision": "built_in" }),
        Decision::Allow => json!({ "decision": "allow" }),
        Decision::Refuse => json!({ "decision": "refuse" }),
        Decision::Credential { user, scopes, expires_at } => {
            json!({ "decision": "credential", "user": user_json(user), "scopes": scopes, "expires_at": expires_at })
        }
    }
}

fn read_decision(mut fields: Fields) -> Read<Decision> {
    let user = |fields: &mut Fields| -> Read<User> {
        let mut user = fields.object("user")?;
        let read = User { subject: user.text("subject")?, name: user.text("name")?, claims: user.object("claims")?.0 };
        user.end()?;
        Ok(read)
    };
    let kind = fields.text("decision")?;
    let decision = match kind.as_str() {
        "signed_in" => Decision::SignedIn(user(&mut fields)?),
        "sign_in" => Decision::SignIn { location: fields.text("location")? },
        "approve" => {
            let user = user(&mut fields)?;
            let scopes = if fields.is_null("scopes") { None } else { Some(fields.texts("scopes")?) };
            Decision::Approve { user, scopes }
        }
        "deny" => Decision::Deny,
        "page" => Decision::Page { html: fields.text("html")? },
        "built_in" => Decision::BuiltIn,
        "allow" => Decision::Allow,
        "refuse" => Decision::Refuse,
        "credential" => {
            let user = user(&mut fields)?;
            let scopes = fields.texts("scopes")?;
            let expires_at = if fields.is_null("expires_at") { None } else { Some(fields.number("expires_at")?) };
            Decision::Credential { user, scopes, expires_at }
        }
        _ => return wrong("decision"),
    };
    fields.end()?;
    Ok(decision)
}

// --- Outcomes ---------------------------------------------------------------------------------------------------------

/// The end of a request as JSON.
pub fn answer_json(answer: &Answer) -> Value {
    let Answer { response, refusal, events } = answer;
    let mut outcome = response_json(response);
    outcome["refusal"] = json!(refusal);
    outcome["events"] = events_json(events);
    outcome
}

/// The end of a check as JSON.
pub fn checked_json(checked: &Checked) -> Value {
    match checked {
        Checked::Refused(answer) => answer_json(answer),
        Checked::Allowed(identity) => {
            let kind = match identity.kind {
                IdentityKind::Access => "access",
                IdentityKind::Personal => "personal",
                IdentityKind::External => "external",
            };
            json!({ "allowed": {
                "subject": identity.subject, "client_id": identity.client_id, "scopes": identity.scopes,
                "resource": identity.resource, "claims": identity.claims, "grant_id": identity.grant_id,
                "expires_at": identity.expires_at, "kind": kind,
            } })
        }
    }
}

/// The end of an operation as JSON.
pub fn operated_json(outcome: &OperationOutcome) -> Value {
    let OperationOutcome { operated, events } = outcome;
    let mut value = match operated {
        Operated::Issued { token, grant_id, expires_at } => {
            json!({ "operated": "issued", "token": token, "grant_id": grant_id, "expires_at": expires_at })
        }
        Operated::Revoked => json!({ "operated": "revoked" }),
        Operated::SignedOut => json!({ "operated": "signed_out" }),
        Operated::NotFound => json!({ "operated": "not_found" }),
        Operated::Unavailable => json!({ "operated": "unavailable" }),
    };
    value["events"] = events_json(events);
    value
}

fn events_json(events: &[lockstep_oauth::audit::AuditEvent]) -> Value {
    events.iter().map(|event| serde_json::from_str::<Value>(&event.to_json()).expect("an event is JSON")).collect()
}

// --- Parts ------------------------------------------------------------------------------------------------------------

fn bytes_json(bytes: &[u8]) -> Value {
    match core::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64url": base64url(bytes) }),
    }
}

fn read_bytes(value: Value) -> Read<Vec<u8>> {
    match value {
        Value::String(text) => Ok(text.into_bytes()),
        Value::Object(map) => {
            let mut fields = Fields(map);
            let encoded = fields.text("base64url")?;
            fields.end()?;
            from_base64url(&encoded).ok_or(Unreadable("base64url".to_owned()))
        }
        _ => wrong("bytes"),
    }
}

fn headers_json(headers: &[(String, Vec<u8>)]) -> Value {
    headers.iter().map(|(name, value)| json!([name, bytes_json(value)])).collect()
}

fn text(value: Value) -> Read<String> {
    match value {
        Value::String(text) => Ok(text),
        _ => wrong("text"),
    }
}

/// An object whose members are taken one by one; what is left at the end is unknown.
struct Fields(Map<String, Value>);

impl Fields {
    fn new(map: Map<String, Value>) -> Self {
        Self(map)
    }

    fn of(value: Value) -> Read<Self> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            _ => wrong("object"),
        }
    }

    fn optional(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    fn take(&mut self, name: &str) -> Read<Value> {
        self.0.remove(name).ok_or_else(|| Unreadable(format!("`{name}` is missing")))
    }

    /// Takes the member if it is null.
    fn is_null(&mut self, name: &str) -> bool {
        let null = self.0.get(name).is_some_and(Value::is_null);
        if null {
            self.0.remove(name);
        }
        null
    }

    fn text(&mut self, name: &str) -> Read<String> {
        text(self.take(name)?).map_err(|_| Unreadable(format!("`{name}` is no text")))
    }

    fn number(&mut self, name: &str) -> Read<u64> {
        self.take(name)?.as_u64().ok_or_else(|| Unreadable(format!("`{name}` is no number")))
    }

    fn array(&mut self, name: &str) -> Read<Vec<Value>> {
        match self.take(name)? {
            Value::Array(items) => Ok(items),
            _ => wrong(name),
        }
    }

    fn texts(&mut self, name: &str) -> Read<Vec<String>> {
        self.array(name)?.into_iter().map(text).collect()
    }

    fn object(&mut self, name: &str) -> Read<Self> {
        Self::of(self.take(name)?).map_err(|_| Unreadable(format!("`{name}` is no object")))
    }

    fn bytes(&mut self, name: &str) -> Read<Vec<u8>> {
        read_bytes(self.take(name)?)
    }

    fn headers(&mut self, name: &str) -> Read<Vec<(String, Vec<u8>)>> {
        let read = |pair: Value| match pair {
            Value::Array(pair) => match <[Value; 2]>::try_from(pair) {
                Ok([name, value]) => Ok((text(name)?, read_bytes(value)?)),
                Err(_) => wrong("header"),
            },
            _ => wrong("header"),
        };
        self.array(name)?.into_iter().map(read).collect()
    }

    fn end(self) -> Read<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => wrong(&format!("`{name}` is not known")),
        }
    }
}

/// Prints JSON so that what fits on a line is on one line, and a change of one value is a change of one line.
pub fn pretty(value: &Value, indent: usize, to: &mut String) {
    const COLUMNS: usize = 110;
    let compact = value.to_string();
    let items: Vec<(String, &Value)> = match value {
        Value::Array(items) if compact.len() + indent > COLUMNS => {
            items.iter().map(|item| (String::new(), item)).collect()
        }
        Value::Object(map) if compact.len() + indent > COLUMNS => {
            map.iter().map(|(name, item)| (format!("{}: ", json!(name)), item)).collect()
        }
        _ => return to.push_str(&compact),
    };
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    to.push(open);
    for (index, (name, item)) in items.into_iter().enumerate() {
        to.push_str(if index == 0 { "\n" } else { ",\n" });
        to.extend(core::iter::repeat_n(' ', indent + 2));
        to.push_str(&name);
        pretty(item, indent + 2, to);
    }
    to.push('\n');
    to.extend(core::iter::repeat_n(' ', indent));
    to.push(close);
}
