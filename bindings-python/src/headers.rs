//! HTTP messages: raw header pairs in, raw header pairs out.

use crate::misused;
use lockstep_oauth::http;
use lockstep_oauth_bindings::{address_rule, address_word};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList, PyTuple};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Reads pairs of bytes, as ASGI has them.
pub(crate) fn read(pairs: &Bound<'_, PyAny>) -> PyResult<Vec<(String, Vec<u8>)>> {
    let mut headers = Vec::with_capacity(pairs.len().unwrap_or_default());
    each(pairs, |name, value| headers.push((latin1(name), value.to_vec())))?;
    Ok(headers)
}

/// Reads the pairs with these names, given in lower case, as ASGI has every name.
pub(crate) fn these(pairs: &Bound<'_, PyAny>, names: &[&[u8]]) -> PyResult<Vec<(String, Vec<u8>)>> {
    let mut headers = Vec::new();
    each(pairs, |name, value| {
        if names.contains(&name) {
            headers.push((latin1(name), value.to_vec()));
        }
    })?;
    Ok(headers)
}

fn each(pairs: &Bound<'_, PyAny>, mut take: impl FnMut(&[u8], &[u8])) -> PyResult<()> {
    if let Ok(list) = pairs.cast_exact::<PyList>() {
        for pair in list.iter() {
            read_pair(&pair, &mut take)?;
        }
    } else {
        for pair in pairs.try_iter()? {
            read_pair(&pair?, &mut take)?;
        }
    }
    Ok(())
}

fn read_pair(pair: &Bound<'_, PyAny>, take: &mut impl FnMut(&[u8], &[u8])) -> PyResult<()> {
    let wrong = || crate::misuse("headers", "give raw pairs of bytes, such as (b\"authorization\", b\"Bearer …\")");
    let (name, value) = match pair.cast_exact::<PyTuple>() {
        Ok(pair) if pair.len() == 2 => (pair.get_item(0)?, pair.get_item(1)?),
        _ if pair.len().is_ok_and(|length| length == 2) => (pair.get_item(0)?, pair.get_item(1)?),
        _ => return Err(wrong()),
    };
    let (Ok(name), Ok(value)) = (name.cast::<PyBytes>(), value.cast::<PyBytes>()) else { return Err(wrong()) };
    take(name.as_bytes(), value.as_bytes());
    Ok(())
}

/// Header text of another server: bytes as they came, read as Latin-1, which never fails and loses nothing.
pub(crate) fn read_text(pairs: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    Ok(read(pairs)?.into_iter().map(|(name, value)| (name, latin1(&value))).collect())
}

fn latin1(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.to_owned(),
        _ => bytes.iter().copied().map(char::from).collect(),
    }
}

/// Pairs of bytes with lower-case names, ready for ASGI.
pub(crate) fn write<'py>(py: Python<'py>, headers: &[(String, String)]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for (name, value) in headers {
        list.append(pair(py, name, value)?)?;
    }
    Ok(list)
}

/// Headers that are the same in answer after answer. They hold nothing of a request.
const CONSTANT: [(&str, &str); 8] = [
    ("Content-Type", "application/json"),
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Pragma", "no-cache"),
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "WWW-Authenticate"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
];

fn pair<'py>(py: Python<'py>, name: &str, value: &str) -> PyResult<Bound<'py, PyTuple>> {
    static MADE: [PyOnceLock<Py<PyTuple>>; CONSTANT.len()] = [const { PyOnceLock::new() }; CONSTANT.len()];
    let new = || {
        let name = PyBytes::new(py, name.to_ascii_lowercase().as_bytes());
        PyTuple::new(py, [name, PyBytes::new(py, value.as_bytes())])
    };
    let known = CONSTANT.iter().zip(&MADE).find(|(constant, _)| **constant == (name, value));
    match known {
        Some((_, made)) => Ok(made.get_or_try_init(py, || new().map(Bound::unbind))?.bind(py).clone()),
        None => new(),
    }
}

/// A request to another server, with its limits. Two are equal when every part is.
#[pyclass(frozen, module = "lockstep_oauth._native")]
pub(crate) struct FetchRequest(pub(crate) http::FetchRequest);

#[pymethods]
impl FetchRequest {
    #[new]
    #[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
    #[pyo3(signature = (url, *, method="GET".to_owned(), headers=Vec::new(), body=Vec::new(), limit_bytes=65_536, timeout_ms=10_000, admission=None, addresses="public"))]
    fn new(
        url: String,
        method: String,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        limit_bytes: usize,
        timeout_ms: u64,
        admission: Option<(String, u32, u32)>,
        addresses: &str,
    ) -> PyResult<Self> {
        let (key, limit, period_seconds) = admission.unwrap_or_else(|| ("fetch".to_owned(), 30, 60));
        let admission = http::Admission { key, limit, period_seconds };
        let addresses = address_rule(addresses).map_err(misused)?;
        Ok(Self(http::FetchRequest { method, url, headers, body, limit_bytes, timeout_ms, admission, addresses }))
    }

    #[getter]
    fn method(&self) -> &str {
        &self.0.method
    }

    #[getter]
    fn url(&self) -> &str {
        &self.0.url
    }

    /// Pairs of bytes, names in lower case.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        write(py, &self.0.headers)
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.body)
    }

    #[getter]
    fn limit_bytes(&self) -> usize {
        self.0.limit_bytes
    }

    #[getter]
    fn timeout_ms(&self) -> u64 {
        self.0.timeout_ms
    }

    /// What the budget counts when a fetch really starts: key, limit, and the period in seconds.
    #[getter]
    fn admission(&self) -> (&str, u32, u32) {
        let http::Admission { key, limit, period_seconds } = &self.0.admission;
        (key, *limit, *period_seconds)
    }

    /// The rule to ask `address_permitted` about every resolved address.
    #[getter]
    fn addresses(&self) -> &'static str {
        address_word(self.0.addresses)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        // The headers and the body may hold credentials.
        let http::FetchRequest { method, url, headers: _, body: _, limit_bytes, timeout_ms, admission: _, addresses } =
            &self.0;
        format!(
            "FetchRequest({method} {url}, limit_bytes={limit_bytes}, timeout_ms={timeout_ms}, addresses={addresses:?})"
        )
    }
}

/// Whether the rule lets a fetch connect to this numeric address. A name, or a trick spelling, is never permitted.
#[pyfunction]
pub(crate) fn address_permitted(address: &str, rule: &str) -> PyResult<bool> {
    lockstep_oauth_bindings::permitted(address, rule).map_err(misused)
}
