//! A request in one call, for stores that answer at once: crossing from Python to here and back costs more than many a
//! step of the core.

use crate::exchange::{Exchange, State, Stuck, along};
use crate::outcome::{Answer, Identity};
use crate::{guarded, headers, scope, server};
use lockstep_oauth::authorization_server::AuthorizationServer;
use lockstep_oauth::exchange::Step;
use lockstep_oauth::protected_resource::{CheckRequest, Checked};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;

/// A store's two operations, as far as they may be called where nothing may wait.
pub(crate) struct InLine {
    pub(crate) load: Option<Py<PyAny>>,
    pub(crate) commit: Option<Py<PyAny>>,
}

impl InLine {
    /// Goes as far as the store's operations reach. What the store raised waits in the exchange for its driver, which
    /// knows what that means; only an interrupt is raised here.
    fn go(&self, py: Python<'_>, state: State) -> PyResult<(State, Option<PyErr>)> {
        let (load, commit) = (self.load.as_ref().map(|it| it.bind(py)), self.commit.as_ref().map(|it| it.bind(py)));
        match along(py, state, load, commit) {
            Ok(state) => Ok((state, None)),
            Err(Stuck { state: Some(state), why }) if why.is_instance_of::<PyException>(py) => Ok((state, Some(why))),
            Err(Stuck { state: _, why }) => Err(why),
        }
    }
}

/// The endpoints, and the store's operations.
#[pyclass(frozen, module = "lockstep_oauth._native")]
pub(crate) struct Desk {
    pub(crate) server: AuthorizationServer,
    pub(crate) store: InLine,
}

#[pymethods]
impl Desk {
    /// Answers one request. Returns the `Answer`, or an exchange that a driver moves to its end: it waits for something
    /// that is not here, or the store has raised.
    fn answer(
        &self,
        py: Python<'_>,
        scope: &Bound<'_, PyAny>,
        path: String,
        body: &[u8],
        now: u64,
        seed: &[u8],
    ) -> PyResult<Py<PyAny>> {
        let request = scope::request(scope, path, body)?;
        let env = server::env(now, seed)?;
        let state = guarded(|| State::Http(self.server.handle(request, env)))?;
        match self.store.go(py, state)? {
            (State::Http(Step::Done(answer)), _) => Ok(Py::new(py, Answer(answer))?.into_any()),
            (state, pending) => Ok(Py::new(py, Exchange::at(now, state, pending))?.into_any()),
        }
    }
}

/// What one route needs, and the store's operations.
#[pyclass(frozen, module = "lockstep_oauth._native")]
pub(crate) struct Gate {
    pub(crate) server: AuthorizationServer,
    pub(crate) resource: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) store: InLine,
}

#[pymethods]
impl Gate {
    /// Checks one request. Returns its identity, or an exchange that a driver moves to its end: it waits for something
    /// that is not here, the store has raised, or the request is refused.
    ///
    /// None, and nothing is done, when the request has an `Origin` and `origin_settled` is false.
    fn check(
        &self,
        py: Python<'_>,
        scope: &Bound<'_, PyAny>,
        origin_settled: bool,
        now: u64,
        seed: &[u8],
    ) -> PyResult<Option<Py<PyAny>>> {
        // All that a check reads of the headers is the credential; the others would only be copied.
        let sent = headers::these(&scope::must(scope, intern!(py, "headers"))?, &[b"authorization", b"origin"])?;
        let (headers, origins): (Vec<_>, Vec<_>) = sent.into_iter().partition(|(name, _)| name == "authorization");
        if !origin_settled && !origins.is_empty() {
            return Ok(None);
        }
        let request = CheckRequest {
            headers,
            query: scope::query(scope)?,
            resource: self.resource.clone(),
            scopes: self.scopes.clone(),
            peer: scope::peer(scope)?,
        };
        let env = server::env(now, seed)?;
        let state = guarded(|| State::Check(self.server.check(request, env)))?;
        match self.store.go(py, state)? {
            (State::Check(Step::Done(Checked::Allowed(identity))), _) => {
                Ok(Some(Py::new(py, Identity(identity))?.into_any()))
            }
            (state, pending) => Ok(Some(Py::new(py, Exchange::at(now, state, pending))?.into_any())),
        }
    }
}
