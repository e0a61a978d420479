//! Records and writes.

use lockstep_oauth::store::{self, Labels};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A record as a store holds it. The bytes are shared, never copied, between a write, a store and an answer.
#[pyclass(frozen, module = "lockstep_oauth._native")]
pub(crate) struct Record {
    #[pyo3(get)]
    version: u64,
    #[pyo3(get)]
    value: Py<PyBytes>,
    #[pyo3(get)]
    expires_at: u64,
}

#[pymethods]
impl Record {
    #[new]
    fn new(version: u64, value: Py<PyBytes>, expires_at: u64) -> Self {
        Self { version, value, expires_at }
    }

    fn __eq__(&self, py: Python<'_>, other: &Self) -> bool {
        self.version == other.version
            && self.expires_at == other.expires_at
            && self.value.as_bytes(py) == other.value.as_bytes(py)
    }

    fn __hash__(&self) -> u64 {
        self.version
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let Self { version, value, expires_at } = self;
        format!("Record(version={version}, value=<{} bytes>, expires_at={expires_at})", value.as_bytes(py).len())
    }
}

impl Record {
    pub(crate) fn to_core(&self, py: Python<'_>) -> store::Record {
        let Self { version, value, expires_at } = self;
        store::Record { version: *version, value: value.as_bytes(py).to_vec(), expires_at: *expires_at }
    }
}

/// One conditional write of one record.
#[pyclass(frozen, module = "lockstep_oauth._native")]
pub(crate) struct Write {
    #[pyo3(get)]
    key: String,
    #[pyo3(get)]
    expect: Option<u64>,
    #[pyo3(get)]
    version: u64,
    #[pyo3(get)]
    value: Py<PyBytes>,
    #[pyo3(get)]
    expires_at: u64,
    #[pyo3(get)]
    subject: Option<String>,
    #[pyo3(get)]
    client: Option<String>,
}

#[pymethods]
impl Write {
    #[new]
    #[pyo3(signature = (key, expect, version, value, expires_at, subject=None, client=None))]
    fn new(
        key: String,
        expect: Option<u64>,
        version: u64,
        value: Py<PyBytes>,
        expires_at: u64,
        subject: Option<String>,
        client: Option<String>,
    ) -> Self {
        Self { key, expect, version, value, expires_at, subject, client }
    }

    /// The record that the write leaves behind.
    #[getter]
    fn record(&self, py: Python<'_>) -> Record {
        Record { version: self.version, value: self.value.clone_ref(py), expires_at: self.expires_at }
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let Self { key, expect, version, value, expires_at, subject: _, client: _ } = self;
        let expect = expect.map_or_else(|| "None".to_owned(), |expect| expect.to_string());
        let bytes = value.as_bytes(py).len();
        format!(
            "Write(key={key:?}, expect={expect}, version={version}, value=<{bytes} bytes>, expires_at={expires_at})"
        )
    }
}

impl Write {
    pub(crate) fn of(py: Python<'_>, write: &store::Write) -> Self {
        let store::Write { key, expect, version, value, expires_at, labels: Labels { subject, client } } = write;
        Self {
            key: key.as_str().to_owned(),
            expect: *expect,
            version: *version,
            value: PyBytes::new(py, value).unbind(),
            expires_at: *expires_at,
            subject: subject.clone(),
            client: client.clone(),
        }
    }
}
