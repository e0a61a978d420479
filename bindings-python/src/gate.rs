//! The bearer check of one route in one call, for stores that answer at once: a request costs one crossing, not two.

use crate::exchange::{self, Exchange, Gil, State};
use crate::outcome::Identity;
use crate::{guarded, headers, misuse, server};
use lockstep_oauth::authorization_server::AuthorizationServer;
use lockstep_oauth::exchange::Step;
use lockstep_oauth::protected_resource::{CheckRequest, Checked};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

/// What one route needs, and the store's `load`.
#[pyclass(frozen, module = "lockstep_oauth._native")]
pub(crate) struct Gate {
    pub(crate) server: AuthorizationServer,
    pub(crate) resource: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) load: Py<PyAny>,
}

#[pymethods]
impl Gate {
    /// Checks one request. Returns its identity, or an exchange that a driver moves to its end: it waits for something
    /// else, the store could not be read, or the request is refused.
    fn check(
        &self,
        py: Python<'_>,
        headers: &Bound<'_, PyAny>,
        query: &[u8],
        peer: String,
        now: u64,
        seed: &[u8],
    ) -> PyResult<Py<PyAny>> {
        let request = CheckRequest {
            headers: headers::read(headers)?,
            query: query.to_vec(),
            resource: self.resource.clone(),
            scopes: self.scopes.clone(),
            peer,
        };
        let env = server::env(now, seed)?;
        let mut step = guarded(|| self.server.check(request, env))?;
        if let Step::Load(held) = step {
            let keys = PyList::new(py, held.keys().iter().map(|key| PyString::new(py, key.as_str())))?;
            step = match self.load.call1(py, (keys,)) {
                Ok(records) => {
                    let records = exchange::records(py, records.bind(py))?;
                    let loaded = guarded(|| held.loaded(records))?;
                    loaded.map_err(|(_, wrong)| misuse(&wrong.at, &wrong.message))?
                }
                // The driver asks the store again, and knows what its failure means.
                Err(failure) if failure.is_instance_of::<PyException>(py) => Step::Load(held),
                Err(interrupt) => return Err(interrupt),
            };
        }
        match step {
            Step::Done(Checked::Allowed(identity)) => Ok(Py::new(py, Identity(identity))?.into_any()),
            step => {
                let exchange = Exchange::begin(py, now, Gil::Keep, || State::Check(step))?;
                Ok(Py::new(py, exchange)?.into_any())
            }
        }
    }
}
