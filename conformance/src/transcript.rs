//! The one place where transcripts become JSON and JSON becomes transcripts.
//!
//! A vector holds what goes into an exchange (configuration, keys, instant, seed, call, answers) and what came out of it
//! (what it asked, how it ended). The former is read strictly, an unknown member is an error; the latter is compared as a
//! whole. Bytes are shown as text where they are UTF-8, and as `{"base64url": …}` where they are not.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a vector that cannot be written is no vector"
)]

mod fields;
mod steps;

use fields::{Fields, bytes_json, headers_json, pretty, text};
use lockstep_oauth::authorization_server::operations::Operation;
use lockstep_oauth::crypto::{base64url, from_base64url};
use lockstep_oauth::http::{Fetched, HttpRequest};
use lockstep_oauth::json::{Limits, parse_object};
use lockstep_oauth::protected_resource::CheckRequest;
use lockstep_oauth::question::Decision;
use lockstep_oauth::store::{Committed, Record};
use serde_json::{Map, Value, json};
use steps::{decision_json, read_decision, read_fetched, read_records, record_json, response_json};

pub use steps::{answer_json, checked_json, fetch_json, operated_json, question_json, write_json};

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
            Given::Fetched(Fetched::OverBudget) => ("fetched", json!({ "over_budget": true })),
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
