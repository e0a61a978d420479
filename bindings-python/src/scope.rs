//! Requests as ASGI has them: a scope, which is a dict, or any mapping that a framework has made of it.

use crate::headers;
use lockstep_oauth::http::HttpRequest;
use pyo3::exceptions::PyKeyError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

/// The request that an endpoint is asked to answer. The path is given apart: mounts and proxies have their say in it.
pub(crate) fn request(scope: &Bound<'_, PyAny>, path: String, body: &[u8]) -> PyResult<HttpRequest> {
    let py = scope.py();
    Ok(HttpRequest {
        method: must(scope, intern!(py, "method"))?.extract()?,
        path,
        query: query(scope)?,
        headers: headers::read(&must(scope, intern!(py, "headers"))?)?,
        body: body.to_vec(),
        peer: peer(scope)?,
    })
}

/// The query as it was sent.
pub(crate) fn query(scope: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    match item(scope, intern!(scope.py(), "query_string"))? {
        Some(query) => Ok(query.cast::<PyBytes>()?.as_bytes().to_vec()),
        None => Ok(Vec::new()),
    }
}

/// The peer's address as the server saw it; never out of a header.
pub(crate) fn peer(scope: &Bound<'_, PyAny>) -> PyResult<String> {
    match item(scope, intern!(scope.py(), "client"))? {
        Some(client) if client.is_truthy()? => Ok(client.get_item(0)?.str()?.to_string()),
        _ => Ok(String::new()),
    }
}

pub(crate) fn must<'py>(scope: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    item(scope, name)?.ok_or_else(|| PyKeyError::new_err(name.clone().unbind()))
}

fn item<'py>(scope: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
    if let Ok(scope) = scope.cast_exact::<PyDict>() {
        return scope.get_item(name);
    }
    match scope.get_item(name) {
        Ok(item) => Ok(Some(item)),
        Err(missing) if missing.is_instance_of::<PyKeyError>(scope.py()) => Ok(None),
        Err(failure) => Err(failure),
    }
}
