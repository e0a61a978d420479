//! The Rust glue of `lockstep-oauth` for Node.js: mirrors of the core's shapes, and no logic.
//!
//! Every mirror destructures its original exhaustively (never `..`), so that a field or variant that the core gains is
//! a compile error here and not a silent loss there.

#![cfg_attr(test, allow(dead_code, reason = "a test build exports nothing to Node"))]

mod exchange;
mod message;
mod outcome;
mod question;
mod server;
mod store;

use lockstep_oauth::exchange::Misuse;
use napi::bindgen_prelude::{Error, Result, Status};

/// An exchange makes a hundred small values and drops them at once; the platform's allocator was a sixth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An error that `lib/native.ts` makes a `MisuseError` of.
fn misuse(at: &str, message: &str) -> Error {
    Error::new(Status::InvalidArg, format!("misuse\n{at}\n{message}"))
}

fn misused(Misuse { at, message }: Misuse) -> Error {
    misuse(&at, &message)
}

/// An error that `lib/native.ts` makes a `ConfigurationError` of.
fn misconfigured(Misuse { at, message }: Misuse) -> Error {
    Error::new(Status::InvalidArg, format!("configuration\n{at}\n{message}"))
}

/// Runs the core and turns a panic, which is a defect of ours, into an exception that a server survives.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T> {
    lockstep_oauth_bindings::guarded(run).ok_or_else(|| {
        Error::new(Status::GenericFailure, "a defect in lockstep-oauth: the core panicked; nothing was answered")
    })
}
