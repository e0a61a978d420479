//! The server, its keys, and the budget.

use crate::exchange::Exchange;
use crate::outcome::{self, GrantSummary, HttpResponse};
use crate::store::{Record, number};
use crate::{guarded, message, misconfigured, misuse, misused};
use lockstep_oauth::authorization_server::AuthorizationServer;
use lockstep_oauth::authorization_server::config::Config;
use lockstep_oauth::authorization_server::operations::Operation;
use lockstep_oauth::budget;
use lockstep_oauth::env::Env;
use lockstep_oauth::exchange::Step;
use lockstep_oauth::jose::Algorithm;
use lockstep_oauth::keys::KeyRing;
use lockstep_oauth::protected_resource::{CheckRequest, Checked};
use lockstep_oauth_bindings::State;
use napi::JsString;
use napi::bindgen_prelude::{Either, Result, Uint8ArraySlice};
use napi_derive::napi;
use serde_json::{Map, Value};

/// An authorization server together with the resources it protects: immutable.
#[napi]
pub(crate) struct Server(AuthorizationServer);

#[napi]
impl Server {
    /// Reads a configuration (JSON) and a key ring (the text that `keysGenerate` makes).
    #[napi(constructor)]
    pub fn new(config: String, keys: String) -> Result<Self> {
        let server = guarded(|| {
            let ring = KeyRing::parse(&keys, "keys")?;
            AuthorizationServer::new(Config::parse(&config)?, ring)
        })?;
        server.map(Self).map_err(misconfigured)
    }

    /// Starts the exchange that a request asks for. `lines` are its method, path, query and peer and then header names and
    /// values by turns, a line each; `count` says how many lines the headers have. It ends answered.
    #[napi]
    pub fn handle(
        &self,
        lines: JsString<'_>,
        count: u32,
        body: Option<Uint8ArraySlice<'_>>,
        now: i64,
        seed: Uint8ArraySlice<'_>,
    ) -> Result<Exchange> {
        let request = message::request(lines, count, body.as_deref())?;
        let env = env(now, &seed)?;
        Exchange::begin(now, || State::Http(self.0.handle(request, env)))
    }

    /// The check of one route.
    #[napi]
    pub fn gate(&self, resource: String, scopes: Vec<String>) -> Gate {
        Gate { server: self.0.clone(), resource, scopes }
    }

    /// The 403 challenge for an operation that turned out to need more: name all scopes that it needs.
    #[napi]
    pub fn challenge(&self, resource: String, scopes: Vec<String>) -> Result<HttpResponse> {
        guarded(|| self.0.challenge(&resource, &scopes)).map(outcome::response)
    }

    /// Starts making a personal access token, with claims as JSON. It ends operated.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "the fields of the operation, by name at the only call")]
    pub fn issue_personal(
        &self,
        subject: String,
        name: String,
        claims: String,
        resource: String,
        scopes: Vec<String>,
        expires_in: i64,
        now: i64,
        seed: Uint8ArraySlice<'_>,
    ) -> Result<Exchange> {
        let claims = self::claims(&claims, "claims")?;
        let expires_in = u64::try_from(expires_in)
            .map_err(|_| misuse("expiresIn", "a whole number of seconds, and not negative"))?;
        self.operate(Operation::IssuePersonal { subject, name, claims, resource, scopes, expires_in }, now, &seed)
    }

    /// Starts ending one grant or personal access token of a user. It ends operated.
    #[napi]
    pub fn revoke_grant(
        &self,
        subject: String,
        grant_id: String,
        now: i64,
        seed: Uint8ArraySlice<'_>,
    ) -> Result<Exchange> {
        self.operate(Operation::RevokeGrant { subject, grant_id }, now, &seed)
    }

    /// Starts ending every grant, personal access token and session of a user. It ends operated.
    #[napi]
    pub fn sign_out_everywhere(&self, subject: String, now: i64, seed: Uint8ArraySlice<'_>) -> Result<Exchange> {
        self.operate(Operation::SignOutEverywhere { subject }, now, &seed)
    }

    /// Reads what a store's `list(subject)` returned, keys and records in the same order: the live grants and tokens,
    /// newest first. `counter` is what `subjectCounter` read; 0 shows grants that signing out has killed.
    #[napi]
    pub fn describe(
        &self,
        keys: Vec<String>,
        records: Vec<Record<'_>>,
        counter: i64,
        now: i64,
    ) -> Result<Vec<GrantSummary>> {
        let pairs = keys.into_iter().zip(&records).map(|(key, record)| Ok((key, record.to_core()?)));
        let pairs = pairs.collect::<Result<Vec<_>>>()?;
        let (counter, now) = (u64::try_from(counter).unwrap_or_default(), u64::try_from(now).unwrap_or_default());
        let summaries = guarded(|| self.0.describe(&pairs, counter, now))?;
        Ok(summaries.into_iter().map(GrantSummary::from).collect())
    }

    /// The key of a subject's counter, for a host that lists grants.
    #[napi]
    pub fn subject_counter_key(&self, subject: String) -> Result<String> {
        guarded(|| self.0.subject_counter_key(&subject).as_str().to_owned())
    }

    /// Reads a subject's counter from its record.
    #[napi]
    pub fn subject_counter(&self, record: Option<Record<'_>>) -> Result<i64> {
        let record = record.as_ref().map(Record::to_core).transpose()?;
        guarded(|| number(self.0.subject_counter(record.as_ref())))
    }

    /// Whether requests for this path belong here.
    #[napi]
    pub fn owns(&self, path: String) -> Result<bool> {
        guarded(|| self.0.owns(&path))
    }

    /// The paths that are answered; `{id}` stands for one segment.
    #[napi]
    pub fn paths(&self) -> Result<Vec<String>> {
        guarded(|| self.0.paths())
    }

    /// The issuer, exactly as configured.
    #[napi(getter)]
    pub fn issuer(&self) -> String {
        self.0.config().issuer().to_owned()
    }

    /// The resource identifiers, exactly as configured.
    #[napi(getter)]
    pub fn resources(&self) -> Vec<String> {
        self.0.config().resources().map(str::to_owned).collect()
    }
}

impl Server {
    fn operate(&self, operation: Operation, now: i64, seed: &[u8]) -> Result<Exchange> {
        let env = env(now, seed)?;
        let step = guarded(|| self.0.operate(operation, env))?.map_err(misused)?;
        Exchange::begin(now, || State::Operate(step))
    }
}

/// What one route needs.
#[napi]
pub(crate) struct Gate {
    server: AuthorizationServer,
    resource: String,
    scopes: Vec<String>,
}

#[napi]
impl Gate {
    /// Checks one request. `credentials` are the values of its `Authorization` headers, a line each, `count` of them.
    /// Returns the identity, as JSON, where nothing has to be asked; else an exchange that ends allowed, or answered with
    /// what to send instead.
    #[napi]
    pub fn check(
        &self,
        credentials: JsString<'_>,
        count: u32,
        query: JsString<'_>,
        peer: String,
        now: i64,
        seed: Uint8ArraySlice<'_>,
    ) -> Result<Either<String, Exchange>> {
        let request = CheckRequest {
            headers: message::credentials(credentials, count)?,
            query: message::bytes(query)?,
            resource: self.resource.clone(),
            scopes: self.scopes.clone(),
            peer,
        };
        let env = env(now, &seed)?;
        match guarded(|| self.server.check(request, env))? {
            Step::Done(Checked::Allowed(identity)) => Ok(Either::A(outcome::identity(&identity))),
            step => Exchange::begin(now, || State::Check(step)).map(Either::B),
        }
    }
}

/// Reads claims: a JSON object, as text.
pub(crate) fn claims(text: &str, at: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(text).map_err(|_| misuse(at, "claims are an object of JSON values"))
}

fn env(now: i64, seed: &[u8]) -> Result<Env> {
    let now = u64::try_from(now).map_err(|_| misuse("now", "seconds since 1970"))?;
    lockstep_oauth_bindings::seed(now, seed).ok_or_else(no_seed)
}

fn no_seed() -> napi::Error {
    misuse("seed", "32 fresh bytes of the operating system's generator: crypto.randomBytes(32)")
}

/// The counters that protect us and others. One a process.
#[napi]
#[derive(Default)]
pub(crate) struct Budget(budget::Budget);

#[napi]
impl Budget {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one use of `key` and says whether it was within `limit` for this period.
    #[napi]
    pub fn admit(&mut self, key: String, limit: u32, period_seconds: u32, now: i64) -> bool {
        self.0.admit(&key, limit, period_seconds, u64::try_from(now).unwrap_or_default())
    }
}

/// The text of a new key ring that signs from `now` on; JWTs by `ES256` or `EdDSA`.
#[napi]
pub(crate) fn keys_generate(now: i64, seed: Uint8ArraySlice<'_>, algorithm: String) -> Result<String> {
    let seed = fresh(&seed)?;
    let algorithm = Algorithm::from_name(&algorithm).filter(|algorithm| algorithm.signs());
    let algorithm = algorithm.ok_or_else(|| misuse("algorithm", "`ES256` or `EdDSA`"))?;
    guarded(|| KeyRing::generate_for(u64::try_from(now).unwrap_or_default(), &seed, algorithm))
}

/// The text of the ring with one more key of each sort, which signs from `leadSeconds` on; the others verify for
/// `keepSeconds` after that.
#[napi]
pub(crate) fn keys_rotate(
    text: String,
    now: i64,
    seed: Uint8ArraySlice<'_>,
    lead_seconds: i64,
    keep_seconds: i64,
) -> Result<String> {
    let seed = fresh(&seed)?;
    let seconds = |at: &str, seconds: i64| u64::try_from(seconds).map_err(|_| misuse(at, "a whole number of seconds"));
    let (now, lead) = (seconds("now", now)?, seconds("leadSeconds", lead_seconds)?);
    let keep = seconds("keepSeconds", keep_seconds)?;
    guarded(|| KeyRing::rotate(&text, now, &seed, lead, keep))?.map_err(misconfigured)
}

fn fresh(seed: &[u8]) -> Result<[u8; 32]> {
    <[u8; 32]>::try_from(seed).ok().filter(|seed| *seed != [0; 32]).ok_or_else(no_seed)
}

/// Whether the rule (`public` or `public_or_loopback`) lets a fetch connect to this numeric address. A name, or a trick
/// spelling, is never permitted.
#[napi]
pub(crate) fn address_permitted(address: String, rule: String) -> Result<bool> {
    lockstep_oauth_bindings::permitted(&address, &rule).map_err(misused)
}
