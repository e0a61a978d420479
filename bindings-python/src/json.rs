//! JSON values, both ways.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyMapping, PyString};
use serde_json::{Map, Value};

pub(crate) fn dict<'py>(py: Python<'py>, map: &Map<String, Value>) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in map {
        dict.set_item(name, object(py, value)?)?;
    }
    Ok(dict)
}

fn object<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), _, _) => number.into_pyobject(py)?.into_any(),
            (None, Some(number), _) => number.into_pyobject(py)?.into_any(),
            (None, None, number) => number.into_pyobject(py)?.into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(values) => {
            let list = PyList::empty(py);
            for value in values {
                list.append(object(py, value)?)?;
            }
            list.into_any()
        }
        Value::Object(map) => dict(py, map)?.into_any(),
    })
}

/// Reads a mapping of JSON values by way of `json.dumps`, which knows every spelling of one.
pub(crate) fn map(claims: &Bound<'_, PyAny>, at: &str) -> PyResult<Map<String, Value>> {
    static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = claims.py();
    let wrong = || crate::misuse(at, "claims are a mapping from text to JSON values");
    if claims.is_none() {
        return Ok(Map::new());
    }
    let mapping = claims.cast::<PyMapping>().map_err(|_| wrong())?;
    let plain = py.get_type::<PyDict>().call1((mapping,)).map_err(|_| wrong())?;
    if plain.cast::<PyDict>()?.is_empty() {
        return Ok(Map::new());
    }
    let dumps = DUMPS.import(py, "json", "dumps")?;
    let text: String = dumps.call1((plain,)).and_then(|text| text.extract()).map_err(|_| wrong())?;
    serde_json::from_str(&text).map_err(|_| wrong())
}
