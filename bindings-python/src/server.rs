//! The server, its keys, and the budget.

use crate::desk::{Desk, Gate, InLine};
use crate::exchange::{Exchange, Gil, State};
use crate::outcome::{GrantSummary, HttpResponse};
use crate::store::Record;
use crate::{errors, guarded, headers, json, misuse};
use lockstep_oauth::authorization_server::AuthorizationServer;
use lockstep_oauth::authorization_server::config::Config;
use lockstep_oauth::authorization_server::operations::Operation;
use lockstep_oauth::env::Env;
use lockstep_oauth::exchange::Misuse;
use lockstep_oauth::http::HttpRequest;
use lockstep_oauth::jose::Algorithm;
use lockstep_oauth::keys::KeyRing;
use lockstep_oauth::protected_resource::CheckRequest;
use lockstep_oauth::{budget, store};
use pyo3::prelude::*;
use std::sync::{Mutex, PoisonError};

/// An authorization server together with the resources it protects: immutable, and safe to share between threads.
#[pyclass(frozen, module = "lockstep_oauth._native")]
pub(crate) struct Server(AuthorizationServer);

#[pymethods]
impl Server {
    /// Reads a configuration (JSON) and a key ring (the text that `keys_generate` makes).
    #[new]
    fn new(config: &str, keys: &str) -> PyResult<Self> {
        let server = guarded(|| {
            let ring = KeyRing::parse(keys, "keys")?;
            AuthorizationServer::new(Config::parse(config)?, ring)
        })?;
        server.map(Self).map_err(misconfigured)
    }

    /// Starts the exchange that a request asks for. It ends with an `Answer`.
    #[pyo3(signature = (method, path, query, headers, body, peer, now, seed))]
    #[allow(clippy::too_many_arguments, reason = "a request and its env, flat because an object would cost more")]
    fn handle(
        &self,
        py: Python<'_>,
        method: String,
        path: String,
        query: &[u8],
        headers: &Bound<'_, PyAny>,
        body: &[u8],
        peer: String,
        now: u64,
        seed: &[u8],
    ) -> PyResult<Exchange> {
        let headers = headers::read(headers)?;
        let request = HttpRequest { method, path, query: query.to_vec(), headers, body: body.to_vec(), peer };
        let env = env(now, seed)?;
        Exchange::begin(py, now, Gil::Keep, || State::Http(self.0.handle(request, env)))
    }

    /// Starts the check of one request to a resource. It ends with `Allowed`, or with the `Answer` to send instead.
    #[pyo3(signature = (headers, query, resource, scopes, peer, now, seed))]
    #[allow(clippy::too_many_arguments, reason = "a request and its env, flat because an object would cost more")]
    fn check(
        &self,
        py: Python<'_>,
        headers: &Bound<'_, PyAny>,
        query: &[u8],
        resource: String,
        scopes: Vec<String>,
        peer: String,
        now: u64,
        seed: &[u8],
    ) -> PyResult<Exchange> {
        let request = CheckRequest { headers: headers::read(headers)?, query: query.to_vec(), resource, scopes, peer };
        let env = env(now, seed)?;
        Exchange::begin(py, now, Gil::Keep, || State::Check(self.0.check(request, env)))
    }

    /// The endpoints for a server that calls `load` and `commit` in line; None for one that would wait.
    #[pyo3(signature = (load, commit))]
    fn desk(&self, load: Option<Py<PyAny>>, commit: Option<Py<PyAny>>) -> Desk {
        Desk { server: self.0.clone(), store: InLine { load, commit } }
    }

    /// The check of one route. Like `desk`.
    #[pyo3(signature = (resource, scopes, load, commit))]
    fn gate(&self, resource: String, scopes: Vec<String>, load: Option<Py<PyAny>>, commit: Option<Py<PyAny>>) -> Gate {
        Gate { server: self.0.clone(), resource, scopes, store: InLine { load, commit } }
    }

    /// The 403 challenge for an operation that turned out to need more: name all scopes that it needs.
    fn challenge(&self, resource: &str, scopes: Vec<String>) -> PyResult<HttpResponse> {
        guarded(|| self.0.challenge(resource, &scopes)).map(HttpResponse::of)
    }

    /// Starts making a personal access token. It ends with `Operated`.
    #[pyo3(signature = (subject, name, claims, resource, scopes, expires_in, now, seed))]
    #[allow(clippy::too_many_arguments, reason = "the fields of the operation, by name at the only call")]
    fn issue_personal(
        &self,
        py: Python<'_>,
        subject: String,
        name: String,
        claims: Option<&Bound<'_, PyAny>>,
        resource: String,
        scopes: Vec<String>,
        expires_in: u64,
        now: u64,
        seed: &[u8],
    ) -> PyResult<Exchange> {
        let claims = claims.map(|claims| json::map(claims, "claims")).transpose()?.unwrap_or_default();
        self.operate(py, Operation::IssuePersonal { subject, name, claims, resource, scopes, expires_in }, now, seed)
    }

    /// Starts ending one grant or personal access token of a user. It ends with `Operated`.
    fn revoke_grant(
        &self,
        py: Python<'_>,
        subject: String,
        grant_id: String,
        now: u64,
        seed: &[u8],
    ) -> PyResult<Exchange> {
        self.operate(py, Operation::RevokeGrant { subject, grant_id }, now, seed)
    }

    /// Starts ending every grant, personal access token and session of a user. It ends with `Operated`.
    fn sign_out_everywhere(&self, py: Python<'_>, subject: String, now: u64, seed: &[u8]) -> PyResult<Exchange> {
        self.operate(py, Operation::SignOutEverywhere { subject }, now, seed)
    }

    /// Reads what a store's `list(subject)` returned: the live grants and tokens, newest first.
    ///
    /// `counter` is what `subject_counter` read; 0 shows grants that signing out has killed.
    fn describe(
        &self,
        py: Python<'_>,
        records: Vec<(String, PyRef<'_, Record>)>,
        counter: u64,
        now: u64,
    ) -> PyResult<Vec<GrantSummary>> {
        let records: Vec<_> = records.into_iter().map(|(key, record)| (key, record.to_core(py))).collect();
        let summaries = guarded(|| self.0.describe(&records, counter, now))?;
        Ok(summaries.into_iter().map(GrantSummary::from).collect())
    }

    /// The key of a subject's counter, for a host that lists grants.
    fn subject_counter_key(&self, subject: &str) -> PyResult<String> {
        guarded(|| self.0.subject_counter_key(subject).as_str().to_owned())
    }

    /// Reads a subject's counter from its record.
    fn subject_counter(&self, py: Python<'_>, record: Option<PyRef<'_, Record>>) -> PyResult<u64> {
        let record: Option<store::Record> = record.map(|record| record.to_core(py));
        guarded(|| self.0.subject_counter(record.as_ref()))
    }

    /// Whether requests for this path belong here.
    fn owns(&self, path: &str) -> PyResult<bool> {
        guarded(|| self.0.owns(path))
    }

    /// The paths that are answered; `{id}` stands for one segment.
    fn paths(&self) -> PyResult<Vec<String>> {
        guarded(|| self.0.paths())
    }

    /// The issuer, exactly as configured.
    #[getter]
    fn issuer(&self) -> &str {
        self.0.config().issuer()
    }

    /// The resource identifiers, exactly as configured.
    #[getter]
    fn resources(&self) -> Vec<String> {
        self.0.config().resources().map(str::to_owned).collect()
    }
}

impl Server {
    fn operate(&self, py: Python<'_>, operation: Operation, now: u64, seed: &[u8]) -> PyResult<Exchange> {
        let env = env(now, seed)?;
        match guarded(|| self.0.operate(operation, env))? {
            Ok(step) => Exchange::begin(py, now, Gil::Keep, || State::Operate(step)),
            Err(Misuse { at, message }) => Err(misuse(&at, &message)),
        }
    }
}

pub(crate) fn env(now: u64, seed: &[u8]) -> PyResult<Env> {
    lockstep_oauth_bindings::seed(now, seed)
        .ok_or_else(|| misuse("seed", "32 fresh bytes of the operating system's generator: os.urandom(32)"))
}

fn misconfigured(Misuse { at, message }: Misuse) -> PyErr {
    errors::ConfigurationError::new_err((at, message))
}

/// The counters that protect us and others. One a process; its own lock makes it safe between threads.
#[pyclass(frozen, module = "lockstep_oauth._native")]
#[derive(Default)]
pub(crate) struct Budget(Mutex<budget::Budget>);

#[pymethods]
impl Budget {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Counts one use of `key` and says whether it was within `limit` for this period.
    fn admit(&self, key: &str, limit: u32, period_seconds: u32, now: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admit(key, limit, period_seconds, now)
    }
}

/// The text of a new key ring that signs from `now` on; JWTs by `ES256` or `EdDSA`.
#[pyfunction]
#[pyo3(signature = (now, seed, algorithm="ES256"))]
pub(crate) fn keys_generate(now: u64, seed: &[u8], algorithm: &str) -> PyResult<String> {
    let seed = fresh(seed)?;
    let algorithm = Algorithm::from_name(algorithm).filter(|algorithm| algorithm.signs());
    let algorithm = algorithm.ok_or_else(|| misuse("algorithm", "`ES256` or `EdDSA`"))?;
    guarded(|| KeyRing::generate_for(now, &seed, algorithm))
}

/// The text of the ring with one more key of each sort, which signs from `lead_seconds` on; the others verify for
/// `keep_seconds` after that.
#[pyfunction]
pub(crate) fn keys_rotate(text: &str, now: u64, seed: &[u8], lead_seconds: u64, keep_seconds: u64) -> PyResult<String> {
    let seed = fresh(seed)?;
    guarded(|| KeyRing::rotate(text, now, &seed, lead_seconds, keep_seconds))?.map_err(misconfigured)
}

fn fresh(seed: &[u8]) -> PyResult<[u8; 32]> {
    let seed = <[u8; 32]>::try_from(seed).ok().filter(|seed| *seed != [0; 32]);
    seed.ok_or_else(|| misuse("seed", "32 fresh bytes of the operating system's generator: os.urandom(32)"))
}
