//! The Rust glue of `lockstep_oauth` for Python: mirrors of the core's shapes, and no logic.
//!
//! Every mirror destructures its original exhaustively (never `..`), so that a field or variant that the core gains is
//! a compile error here and not a silent loss there.

#![allow(clippy::result_large_err, reason = "a state is given back with a misuse, so that nothing is lost")]

mod exchange;
mod desk;
mod headers;
mod json;
mod outcome;
mod question;
mod scope;
mod server;
mod store;

use lockstep_oauth::exchange::Misuse;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// An exchange makes a hundred small values and drops them at once; the platform's allocator was a sixth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod errors {
    pyo3::import_exception!(lockstep_oauth.errors, MisuseError);
    pyo3::import_exception!(lockstep_oauth.errors, ConfigurationError);
}

/// The core, for the Python modules around it.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::desk::{Desk, Gate};
    #[pymodule_export]
    use crate::exchange::{Commit, Decide, Done, Exchange, Fetch, Load};
    #[pymodule_export]
    use crate::headers::{FetchRequest, address_permitted};
    #[pymodule_export]
    use crate::outcome::{
        Allowed, Answer, AuditEvent, GrantSummary, HttpResponse, Identity, Operated, Refusal, explain, refusals,
    };
    #[pymodule_export]
    use crate::question::{
        AdmitQuestion, ConsentQuestion, Decision, RefreshQuestion, ShownScope, SignInQuestion, TokenQuestion,
    };
    #[pymodule_export]
    use crate::server::{Budget, Server, keys_generate, keys_rotate};
    #[pymodule_export]
    use crate::store::{Record, Write};
}

fn misuse(at: &str, message: &str) -> PyErr {
    errors::MisuseError::new_err((at.to_owned(), message.to_owned()))
}

fn misused(Misuse { at, message }: Misuse) -> PyErr {
    misuse(&at, &message)
}

/// Runs the core and turns a panic, which is a defect of ours, into an exception that a server survives.
fn guarded<T>(run: impl FnOnce() -> T) -> PyResult<T> {
    lockstep_oauth_bindings::guarded(run)
        .ok_or_else(|| PyRuntimeError::new_err("a defect in lockstep_oauth: the core panicked; nothing was answered"))
}
