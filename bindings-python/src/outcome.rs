//! How exchanges end, and the refusals there are.

use crate::{headers, json};
use lockstep_oauth::authorization_server::{self, operations};
use lockstep_oauth::protected_resource::{self as resource, Checked};
use lockstep_oauth::{audit, http, refusal};
use lockstep_oauth_bindings::{identity_kind, identity_word};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

/// A response to be sent as it is.
#[pyclass(frozen, module = "lockstep_oauth._native")]
pub(crate) struct HttpResponse(http::HttpResponse);

#[pymethods]
impl HttpResponse {
    #[getter]
    fn status(&self) -> u16 {
        self.0.status
    }

    /// Pairs of bytes with lower-case names, ready for ASGI. A new list each time.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        headers::write(py, &self.0.headers)
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.body)
    }

    /// The two messages of ASGI that send it. To a HEAD, no body and no length: the core has not built the body.
    fn messages<'py>(&self, py: Python<'py>, head: bool) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
        messages(py, &self.0, head)
    }

    fn __repr__(&self) -> String {
        // Headers and body may hold tokens.
        let http::HttpResponse { status, headers: _, body } = &self.0;
        format!("<HttpResponse {status}, {} bytes>", body.len())
    }
}

impl HttpResponse {
    pub(crate) fn of(response: http::HttpResponse) -> Self {
        Self(response)
    }
}

fn messages<'py>(
    py: Python<'py>,
    response: &http::HttpResponse,
    head: bool,
) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
    let http::HttpResponse { status, headers, body } = response;
    let pairs = headers::write(py, headers)?;
    if !head && *status != 204 {
        let length = PyBytes::new(py, body.len().to_string().as_bytes());
        pairs.append((PyBytes::new(py, b"content-length"), length))?;
    }
    let start = PyDict::new(py);
    start.set_item(intern!(py, "type"), intern!(py, "http.response.start"))?;
    start.set_item(intern!(py, "status"), status)?;
    start.set_item(intern!(py, "headers"), pairs)?;
    let content = PyDict::new(py);
    content.set_item(intern!(py, "type"), intern!(py, "http.response.body"))?;
    content.set_item(intern!(py, "body"), PyBytes::new(py, if head { b"" } else { body }))?;
    Ok((start, content))
}

/// One event for the operator. It holds no token, code, secret or verifier.
#[pyclass(frozen, eq, hash, module = "lockstep_oauth._native")]
#[derive(PartialEq, Hash)]
pub(crate) struct AuditEvent(audit::AuditEvent);

#[pymethods]
impl AuditEvent {
    /// A stable id, such as `token.refreshed`, or the id of a refusal.
    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    /// Seconds since 1970.
    #[getter]
    fn at(&self) -> u64 {
        self.0.at
    }

    /// Named details, in order. A new dict each time.
    #[getter]
    fn details<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let details = PyDict::new(py);
        for (name, value) in &self.0.details {
            details.set_item(name, value)?;
        }
        Ok(details)
    }

    /// The event as one line of JSON.
    fn to_json(&self) -> String {
        self.0.to_json()
    }

    fn __repr__(&self) -> String {
        format!("AuditEvent({})", self.0.to_json())
    }
}

fn events(py: Python<'_>, told: Vec<audit::AuditEvent>) -> PyResult<Py<PyTuple>> {
    let events = told.into_iter().map(|event| Py::new(py, AuditEvent(event))).collect::<PyResult<Vec<_>>>()?;
    Ok(PyTuple::new(py, events)?.unbind())
}

/// The end of an exchange over HTTP. Its parts are made when they are asked for: most hosts look at few of them.
#[pyclass(frozen, module = "lockstep_oauth._native")]
pub(crate) struct Answer(pub(crate) authorization_server::Answer);

#[pymethods]
impl Answer {
    /// What to send. A new object each time.
    #[getter]
    fn response(&self) -> HttpResponse {
        HttpResponse(self.0.response.clone())
    }

    /// The refusal's id, when the request was refused.
    #[getter]
    fn refusal(&self) -> Option<&'static str> {
        self.0.refusal
    }

    /// What happened, in order. A new tuple each time.
    #[getter]
    fn events(&self, py: Python<'_>) -> PyResult<Py<PyTuple>> {
        events(py, self.0.events.clone())
    }

    /// The two messages of ASGI that send the response. To a HEAD, no body and no length.
    fn messages<'py>(&self, py: Python<'py>, head: bool) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
        messages(py, &self.0.response, head)
    }

    fn __repr__(&self) -> String {
        let authorization_server::Answer { response, refusal, events } = &self.0;
        let refusal = refusal.map(|id| format!(", refused as {id}")).unwrap_or_default();
        format!("<Answer {}{refusal}, {} events>", response.status, events.len())
    }
}

pub(crate) fn answer(py: Python<'_>, answer: authorization_server::Answer) -> PyResult<Py<PyAny>> {
    Ok(Py::new(py, Answer(answer))?.into_any())
}

/// The check passed: go on, this is who asks.
#[pyclass(frozen, get_all, module = "lockstep_oauth._native")]
pub(crate) struct Allowed {
    identity: Py<Identity>,
}

pub(crate) fn checked(py: Python<'_>, checked: Checked) -> PyResult<Py<PyAny>> {
    match checked {
        Checked::Allowed(identity) => {
            Ok(Py::new(py, Allowed { identity: Py::new(py, Identity(identity))? })?.into_any())
        }
        Checked::Refused(refused) => answer(py, refused),
    }
}

/// Who asks, and what they may do.
#[pyclass(frozen, eq, module = "lockstep_oauth._native")]
#[derive(PartialEq)]
pub(crate) struct Identity(pub(crate) resource::Identity);

const ACCESS: &str = "access";
const NEVER: u64 = lockstep_oauth::store::NEVER;

#[pymethods]
impl Identity {
    /// For tests of handlers: hosts get theirs from a check.
    #[new]
    #[pyo3(signature = (subject, client_id="".to_owned(), scopes=Vec::new(), resource="".to_owned(), claims=None, grant_id="".to_owned(), expires_at=NEVER, kind=ACCESS))]
    #[allow(clippy::too_many_arguments, reason = "the fields of the original, by name at every call")]
    fn new(
        subject: String,
        client_id: String,
        scopes: Vec<String>,
        resource: String,
        claims: Option<&Bound<'_, PyAny>>,
        grant_id: String,
        expires_at: u64,
        kind: &str,
    ) -> PyResult<Self> {
        let kind = identity_kind(kind).map_err(crate::misused)?;
        let claims = claims.map(|claims| json::map(claims, "claims")).transpose()?.unwrap_or_default();
        Ok(Self(resource::Identity { subject, client_id, scopes, resource, claims, grant_id, expires_at, kind }))
    }

    #[classattr]
    fn __match_args__() -> (&'static str,) {
        ("subject",)
    }

    /// The user.
    #[getter]
    fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The client; empty for personal and external credentials.
    #[getter]
    fn client_id(&self) -> &str {
        &self.0.client_id
    }

    /// The scopes of this token, in the order of its grant.
    #[getter]
    fn scopes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.0.scopes)
    }

    /// The resource that the token is for, as configured.
    #[getter]
    fn resource(&self) -> &str {
        &self.0.resource
    }

    /// The user's claims at approval. A new dict each time.
    #[getter]
    fn claims<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        json::dict(py, &self.0.claims)
    }

    /// The grant; empty for external credentials.
    #[getter]
    fn grant_id(&self) -> &str {
        &self.0.grant_id
    }

    /// Seconds since 1970.
    #[getter]
    fn expires_at(&self) -> u64 {
        self.0.expires_at
    }

    /// `access`, `personal` or `external`.
    #[getter]
    fn kind(&self) -> &'static str {
        identity_word(self.0.kind)
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (&self.0.subject, &self.0.client_id, &self.0.grant_id, &self.0.scopes).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        let resource::Identity { subject, client_id, scopes, resource, claims: _, grant_id, expires_at, kind: _ } =
            &self.0;
        let kind = self.kind();
        format!(
            "Identity(subject={subject:?}, client_id={client_id:?}, scopes={scopes:?}, resource={resource:?}, grant_id={grant_id:?}, expires_at={expires_at}, kind={kind:?})"
        )
    }
}

/// The end of an operation for a user.
#[pyclass(frozen, get_all, module = "lockstep_oauth._native")]
pub(crate) struct Operated {
    /// `issued`, `revoked`, `signed_out`, `not_found` or `unavailable`.
    kind: &'static str,
    /// The personal access token, shown once; only when issued.
    token: Option<String>,
    /// Its grant; only when issued.
    grant_id: Option<String>,
    /// Seconds since 1970; only when issued.
    expires_at: Option<u64>,
    events: Py<PyTuple>,
}

pub(crate) fn operated(py: Python<'_>, outcome: operations::OperationOutcome) -> PyResult<Py<PyAny>> {
    let operations::OperationOutcome { operated, events: told } = outcome;
    let plain =
        |kind| Operated { kind, token: None, grant_id: None, expires_at: None, events: PyTuple::empty(py).unbind() };
    let operated = match operated {
        operations::Operated::Issued { token, grant_id, expires_at } => {
            Operated { token: Some(token), grant_id: Some(grant_id), expires_at: Some(expires_at), ..plain("issued") }
        }
        operations::Operated::Revoked => plain("revoked"),
        operations::Operated::SignedOut => plain("signed_out"),
        operations::Operated::NotFound => plain("not_found"),
        operations::Operated::Unavailable => plain("unavailable"),
    };
    Ok(Py::new(py, Operated { events: events(py, told)?, ..operated })?.into_any())
}

/// One line of a user's list of connected apps and personal access tokens.
#[pyclass(frozen, get_all, eq, hash, module = "lockstep_oauth._native")]
#[derive(PartialEq, Hash)]
pub(crate) struct GrantSummary {
    grant_id: String,
    /// The client; empty for a personal access token.
    client_id: String,
    /// The client's own name, or the token's.
    name: String,
    /// Whether it is a personal access token.
    personal: bool,
    scopes: Vec<String>,
    resources: Vec<String>,
    /// Seconds since 1970.
    created_at: u64,
    /// When its current generation began, in seconds since 1970.
    used_at: u64,
    /// Seconds since 1970.
    expires_at: u64,
}

#[pymethods]
impl GrantSummary {
    fn __repr__(&self) -> String {
        let Self { grant_id, client_id, name, personal, scopes, resources, created_at, used_at, expires_at } = self;
        format!(
            "GrantSummary(grant_id={grant_id:?}, client_id={client_id:?}, name={name:?}, personal={}, scopes={scopes:?}, resources={resources:?}, created_at={created_at}, used_at={used_at}, expires_at={expires_at})",
            if *personal { "True" } else { "False" }
        )
    }
}

impl From<operations::GrantSummary> for GrantSummary {
    fn from(summary: operations::GrantSummary) -> Self {
        let operations::GrantSummary {
            grant_id,
            client_id,
            name,
            personal,
            scopes,
            resources,
            created_at,
            used_at,
            expires_at,
        } = summary;
        Self { grant_id, client_id, name, personal, scopes, resources, created_at, used_at, expires_at }
    }
}

/// Why a request was refused: what the peer is told, and what the operator should know.
#[pyclass(frozen, get_all, eq, hash, module = "lockstep_oauth._native")]
#[derive(PartialEq, Hash)]
pub(crate) struct Refusal {
    id: &'static str,
    status: u16,
    error: &'static str,
    sentence: &'static str,
    specification: &'static str,
    advice: &'static str,
}

#[pymethods]
impl Refusal {
    fn __repr__(&self) -> String {
        format!("Refusal({}: {})", self.id, self.sentence)
    }
}

impl From<&refusal::Refusal> for Refusal {
    fn from(refusal: &refusal::Refusal) -> Self {
        let refusal::Refusal { id, status, error, sentence, specification, advice } = *refusal;
        Self { id, status, error, sentence, specification, advice }
    }
}

/// The refusal of that id; None when there is none.
#[pyfunction]
pub(crate) fn explain(id: &str) -> Option<Refusal> {
    refusal::explain(id).map(Refusal::from)
}

/// Every refusal there is.
#[pyfunction]
pub(crate) fn refusals() -> Vec<Refusal> {
    refusal::ALL.iter().copied().map(Refusal::from).collect()
}
