//! Exchanges and their steps.

use crate::headers::{self, FetchRequest};
use crate::outcome;
use crate::question::{self, Decision};
use crate::store::{Record, Write};
use crate::{guarded, misuse};
use lockstep_oauth::authorization_server::HttpExchange;
use lockstep_oauth::authorization_server::operations::OperationExchange;
use lockstep_oauth::exchange::{Misuse, Step};
use lockstep_oauth::http::{Fetched, HttpResponse};
use lockstep_oauth::protected_resource::CheckExchange;
use lockstep_oauth::store::Committed;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The step that waits for records. Answer it with `loaded` or `load_failed`.
#[pyclass(frozen, get_all, module = "lockstep_oauth._native")]
pub(crate) struct Load {
    keys: Py<PyList>,
}

/// The step that waits for a conditional write. Answer it with `committed`.
#[pyclass(frozen, get_all, module = "lockstep_oauth._native")]
pub(crate) struct Commit {
    write: Py<Write>,
}

/// The step that waits for another server. Answer it with `fetched` or `fetch_failed`.
#[pyclass(frozen, get_all, module = "lockstep_oauth._native")]
pub(crate) struct Fetch {
    request: Py<FetchRequest>,
}

/// The step that waits for the host. Answer it with `decided` or `decide_failed`.
#[pyclass(frozen, get_all, module = "lockstep_oauth._native")]
pub(crate) struct Decide {
    question: Py<PyAny>,
}

/// The end. It waits for nothing.
#[pyclass(frozen, get_all, module = "lockstep_oauth._native")]
pub(crate) struct Done {
    outcome: Py<PyAny>,
}

/// The core's typed step of whichever exchange this is.
#[allow(clippy::large_enum_variant, reason = "one exchange lives in one Python object, and is moved a few times")]
pub(crate) enum State {
    Http(Step<HttpExchange>),
    Check(Step<CheckExchange>),
    Operate(Step<OperationExchange>),
}

/// One request on its way. It is moved by the verb that answers its step; each verb returns the next step.
#[pyclass(frozen, module = "lockstep_oauth._native")]
pub(crate) struct Exchange {
    /// Seconds since 1970: the exchange's one consistent instant.
    #[pyo3(get)]
    now: u64,
    held: Mutex<Held>,
}

struct Held {
    /// None while a verb runs, and once the outcome has been handed out.
    state: Option<State>,
    step: Py<PyAny>,
}

/// Whether the verb lets other Python threads run meanwhile. That costs more than most verbs do, so only those that may
/// verify or make a signature.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Gil {
    Keep,
    Release,
}

type Answered = Result<State, (State, Misuse)>;

/// Answers the step of the wanted kind, in whichever exchange; any other step is given back with a misuse.
macro_rules! answer {
    ($state:expr, $call:literal, $wait:ident, |$held:ident| $answered:expr) => {
        match $state {
            State::Http(Step::$wait($held)) => settle!(Http, $wait, $answered),
            State::Check(Step::$wait($held)) => settle!(Check, $wait, $answered),
            State::Operate(Step::$wait($held)) => settle!(Operate, $wait, $answered),
            other => {
                let misuse = Misuse::new($call, &other.wants());
                Err((other, misuse))
            }
        }
    };
}

macro_rules! settle {
    ($exchange:ident, $wait:ident, $answered:expr) => {
        match $answered {
            Ok(step) => Ok(State::$exchange(step)),
            Err((held, misuse)) => Err((State::$exchange(Step::$wait(held)), misuse)),
        }
    };
}

#[pymethods]
impl Exchange {
    /// What the exchange waits for.
    #[getter]
    fn step(&self, py: Python<'_>) -> Py<PyAny> {
        self.hold().step.clone_ref(py)
    }

    /// Goes on with one record, or None, for each key in order.
    fn loaded(&self, py: Python<'_>, records: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let read = self::records(py, records)?;
        self.advance(py, Gil::Keep, |state| answer!(state, "loaded", Load, |held| held.loaded(read)))
    }

    /// Goes on without: the store could not be read.
    fn load_failed(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.advance(py, Gil::Keep, |state| answer!(state, "load_failed", Load, |held| Ok(held.failed())))
    }

    /// Goes on with what became of the write: `committed`, `conflict` or `unknown`.
    fn committed(&self, py: Python<'_>, outcome: &str) -> PyResult<Py<PyAny>> {
        let outcome = match outcome {
            "committed" => Committed::Committed,
            "conflict" => Committed::Conflict,
            "unknown" => Committed::Unknown,
            _ => return Err(misuse("committed", "the outcome is `committed`, `conflict` or `unknown`")),
        };
        self.advance(py, Gil::Keep, |state| answer!(state, "committed", Commit, |held| Ok(held.committed(outcome))))
    }

    /// Goes on with another server's answer: raw header pairs, and the whole body within the request's limit.
    fn fetched(&self, py: Python<'_>, status: u16, headers: &Bound<'_, PyAny>, body: Vec<u8>) -> PyResult<Py<PyAny>> {
        let fetched = Fetched::Response(HttpResponse { status, headers: headers::read_text(headers)?, body });
        self.advance(py, Gil::Release, |state| answer!(state, "fetched", Fetch, |held| Ok(held.fetched(fetched))))
    }

    /// Goes on with the reason why there is no answer.
    fn fetch_failed(&self, py: Python<'_>, reason: String) -> PyResult<Py<PyAny>> {
        let fetched = Fetched::Failed(reason);
        self.advance(py, Gil::Keep, |state| answer!(state, "fetch_failed", Fetch, |held| Ok(held.fetched(fetched))))
    }

    /// Goes on without: the budget for such fetches is spent, and nothing was sent.
    fn fetch_over_budget(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.advance(py, Gil::Keep, |state| {
            answer!(state, "fetch_over_budget", Fetch, |held| Ok(held.fetched(Fetched::OverBudget)))
        })
    }

    /// Goes on with the host's decision.
    fn decided(&self, py: Python<'_>, decision: &Decision) -> PyResult<Py<PyAny>> {
        let decision = decision.to_core();
        self.advance(py, Gil::Keep, |state| answer!(state, "decided", Decide, |held| held.decided(decision)))
    }

    /// Goes on without: the host could not decide.
    fn decide_failed(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.advance(py, Gil::Keep, |state| answer!(state, "decide_failed", Decide, |held| Ok(held.failed())))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let step = self.step(py);
        Ok(format!("<Exchange at {}>", step.bind(py).get_type().name()?))
    }
}

impl Exchange {
    /// Starts an exchange.
    pub(crate) fn begin(py: Python<'_>, now: u64, gil: Gil, start: impl FnOnce() -> State + Send) -> PyResult<Self> {
        let state = run(py, gil, start)?;
        let (state, step) = present(py, state)?;
        Ok(Self { now, held: Mutex::new(Held { state, step }) })
    }

    /// Lets a verb consume the state. A verb that does not fit leaves the exchange as it was.
    fn advance(&self, py: Python<'_>, gil: Gil, verb: impl FnOnce(State) -> Answered + Send) -> PyResult<Py<PyAny>> {
        let taken = self.hold().state.take();
        let state = taken.ok_or_else(|| misuse("exchange", "it is done, or another thread is answering it"))?;
        match run(py, gil, || verb(state))? {
            Ok(state) => {
                let (state, step) = present(py, state)?;
                let mut held = self.hold();
                held.state = state;
                // The old step is dropped after the lock: dropping may run Python code.
                let old = std::mem::replace(&mut held.step, step.clone_ref(py));
                drop(held);
                drop(old);
                Ok(step)
            }
            Err((state, Misuse { at, message })) => {
                self.hold().state = Some(state);
                Err(misuse(&at, &message))
            }
        }
    }

    /// Locks for a moment. INVARIANT: no Python code runs, and the GIL is not released, while this is held.
    fn hold(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a store's `load` returned, as the core wants it.
pub(crate) fn records(
    py: Python<'_>,
    records: &Bound<'_, PyAny>,
) -> PyResult<Vec<Option<lockstep_oauth::store::Record>>> {
    let mut read = Vec::with_capacity(records.len()?);
    for record in records.try_iter()? {
        let record = record?;
        let record = if record.is_none() { None } else { Some(record.cast::<Record>()?.get().to_core(py)) };
        read.push(record);
    }
    Ok(read)
}

fn run<T: Send>(py: Python<'_>, gil: Gil, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    match gil {
        Gil::Keep => guarded(work),
        Gil::Release => py.detach(|| guarded(work)),
    }
}

impl State {
    fn wants(&self) -> String {
        let verbs = match self {
            Self::Http(Step::Load(_)) | Self::Check(Step::Load(_)) | Self::Operate(Step::Load(_)) => {
                "`loaded` or `load_failed`"
            }
            Self::Http(Step::Commit(_)) | Self::Check(Step::Commit(_)) | Self::Operate(Step::Commit(_)) => {
                "`committed`"
            }
            Self::Http(Step::Fetch(_)) | Self::Check(Step::Fetch(_)) | Self::Operate(Step::Fetch(_)) => {
                "`fetched` or `fetch_failed`"
            }
            Self::Http(Step::Decide(_)) | Self::Check(Step::Decide(_)) | Self::Operate(Step::Decide(_)) => {
                "`decided` or `decide_failed`"
            }
            Self::Http(Step::Done(_)) | Self::Check(Step::Done(_)) | Self::Operate(Step::Done(_)) => "nothing any more",
        };
        format!("the exchange waits for {verbs}")
    }
}

/// The Python step for a state. A finished exchange hands its outcome out and keeps nothing.
fn present(py: Python<'_>, state: State) -> PyResult<(Option<State>, Py<PyAny>)> {
    let outcome = match state {
        State::Http(Step::Done(answer)) => outcome::answer(py, answer)?,
        State::Check(Step::Done(checked)) => outcome::checked(py, checked)?,
        State::Operate(Step::Done(operated)) => outcome::operated(py, operated)?,
        waiting => {
            let step = present_wait(py, &waiting)?;
            return Ok((Some(waiting), step));
        }
    };
    Ok((None, Py::new(py, Done { outcome })?.into_any()))
}

macro_rules! wait {
    ($py:ident, $step:ident) => {
        match $step {
            Step::Load(held) => {
                let keys = held.keys().iter().map(|key| PyString::new($py, key.as_str()));
                Py::new($py, Load { keys: PyList::new($py, keys)?.unbind() })?.into_any()
            }
            Step::Commit(held) => {
                Py::new($py, Commit { write: Py::new($py, Write::of($py, held.write()))? })?.into_any()
            }
            Step::Fetch(held) => {
                Py::new($py, Fetch { request: Py::new($py, FetchRequest(held.request().clone()))? })?.into_any()
            }
            Step::Decide(held) => {
                Py::new($py, Decide { question: question::present($py, held.question())? })?.into_any()
            }
            Step::Done(_) => $py.None(),
        }
    };
}

fn present_wait(py: Python<'_>, state: &State) -> PyResult<Py<PyAny>> {
    Ok(match state {
        State::Http(step) => wait!(py, step),
        State::Check(step) => wait!(py, step),
        State::Operate(step) => wait!(py, step),
    })
}
