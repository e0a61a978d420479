//! Exchanges and their steps.

use crate::headers::{self, FetchRequest};
use crate::outcome;
use crate::question::{self, Decision};
use crate::store::{Record, Write};
use crate::{guarded, misuse, misused};
use lockstep_oauth::exchange::{Misuse, Step};
use lockstep_oauth::http::{Fetched, HttpResponse};
use lockstep_oauth::store::Committed;
pub(crate) use lockstep_oauth_bindings::State;
use lockstep_oauth_bindings::{Answered, committed};
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
    /// What `step` has handed out for this state. Made when it is asked for: `run` goes through states that nobody sees.
    step: Option<Py<PyAny>>,
    /// What the store raised before anybody drove this exchange: `run` raises it, at the step that it was for.
    pending: Option<PyErr>,
}

/// Whether the verb lets other Python threads run meanwhile. That costs more than most verbs do, so only those that may
/// verify or make a signature.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Gil {
    Keep,
    Release,
}

#[pymethods]
impl Exchange {
    /// What the exchange waits for.
    #[getter]
    fn step(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let state = {
            let mut held = self.hold();
            if let Some(step) = &held.step {
                return Ok(step.clone_ref(py));
            }
            held.state.take()
        };
        self.settle(py, state.ok_or_else(busy)?)
    }

    /// Goes on as long as nothing is needed but `load` and `commit`, which are called with the keys and with the write;
    /// None for one that may not be called here. Returns the step at which it stopped.
    ///
    /// What one of them raises is raised here, and the exchange stays at the step that it was for.
    #[pyo3(signature = (load, commit))]
    fn run(
        &self,
        py: Python<'_>,
        load: Option<&Bound<'_, PyAny>>,
        commit: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let (taken, seen, pending) = {
            let mut held = self.hold();
            (held.state.take(), held.step.take(), held.pending.take())
        };
        let Some(state) = taken else {
            // Done, and the step is the outcome; or another thread is answering it.
            let Some(step) = seen else { return Err(busy()) };
            let done = step.bind(py).is_instance_of::<Done>();
            self.hold().step = Some(step.clone_ref(py));
            return if done { Ok(step) } else { Err(busy()) };
        };
        if let Some(failure) = pending {
            return self.stay(Some(state), failure);
        }
        match along(py, state, load, commit) {
            Ok(state) => self.settle(py, state),
            Err(Stuck { state, why }) => self.stay(state, why),
        }
    }

    /// Goes on with one record, or None, for each key in order.
    fn loaded(&self, py: Python<'_>, records: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let read = self::records(py, records)?;
        self.advance(py, Gil::Keep, |state| state.loaded(read))
    }

    /// Goes on without: the store could not be read.
    fn load_failed(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.advance(py, Gil::Keep, State::load_failed)
    }

    /// Goes on with what became of the write: `committed`, `conflict` or `unknown`.
    fn committed(&self, py: Python<'_>, outcome: &str) -> PyResult<Py<PyAny>> {
        let outcome = read_outcome(outcome)?;
        self.advance(py, Gil::Keep, |state| state.committed(outcome))
    }

    /// Goes on with another server's answer: raw header pairs, and the whole body within the request's limit.
    fn fetched(&self, py: Python<'_>, status: u16, headers: &Bound<'_, PyAny>, body: Vec<u8>) -> PyResult<Py<PyAny>> {
        let fetched = Fetched::Response(HttpResponse { status, headers: headers::read_text(headers)?, body });
        self.advance(py, Gil::Release, |state| state.fetched(fetched))
    }

    /// Goes on with the reason why there is no answer.
    fn fetch_failed(&self, py: Python<'_>, reason: String) -> PyResult<Py<PyAny>> {
        let fetched = Fetched::Failed(reason);
        self.advance(py, Gil::Keep, |state| state.fetched(fetched))
    }

    /// Goes on without: the budget for such fetches is spent, and nothing was sent.
    fn fetch_over_budget(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.advance(py, Gil::Keep, |state| state.fetched(Fetched::OverBudget))
    }

    /// Goes on with the host's decision.
    fn decided(&self, py: Python<'_>, decision: &Decision) -> PyResult<Py<PyAny>> {
        let decision = decision.to_core();
        self.advance(py, Gil::Keep, |state| state.decided(decision))
    }

    /// Goes on without: the host could not decide.
    fn decide_failed(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.advance(py, Gil::Keep, State::decide_failed)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let step = self.step(py)?;
        Ok(format!("<Exchange at {}>", step.bind(py).get_type().name()?))
    }
}

impl Exchange {
    /// Starts an exchange.
    pub(crate) fn begin(py: Python<'_>, now: u64, gil: Gil, start: impl FnOnce() -> State + Send) -> PyResult<Self> {
        Ok(Self::at(now, run(py, gil, start)?, None))
    }

    /// An exchange that has come as far as `state`. `pending` is what the store raised there.
    pub(crate) fn at(now: u64, state: State, pending: Option<PyErr>) -> Self {
        Self { now, held: Mutex::new(Held { state: Some(state), step: None, pending }) }
    }

    /// Lets a verb consume the state. A verb that does not fit leaves the exchange as it was.
    fn advance(&self, py: Python<'_>, gil: Gil, verb: impl FnOnce(State) -> Answered + Send) -> PyResult<Py<PyAny>> {
        let taken = self.hold().state.take();
        let state = taken.ok_or_else(busy)?;
        match run(py, gil, || verb(state))? {
            Ok(state) => self.settle(py, state),
            Err((state, Misuse { at, message })) => self.stay(Some(state), misuse(&at, &message)),
        }
    }

    /// Keeps a state and hands its step out.
    fn settle(&self, py: Python<'_>, state: State) -> PyResult<Py<PyAny>> {
        let (state, step) = present(py, state)?;
        let mut held = self.hold();
        held.state = state;
        // The old step is dropped after the lock: dropping may run Python code.
        let old = held.step.replace(step.clone_ref(py));
        drop(held);
        drop(old);
        Ok(step)
    }

    /// Keeps a state that could not be left, and says why.
    fn stay<T>(&self, state: Option<State>, why: PyErr) -> PyResult<T> {
        self.hold().state = state;
        Err(why)
    }

    /// Locks for a moment. INVARIANT: no Python code runs, and the GIL is not released, while this is held.
    fn hold(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a state could not be left. It is gone only where the core panicked.
pub(crate) struct Stuck {
    pub(crate) state: Option<State>,
    pub(crate) why: PyErr,
}

/// Goes from a state as far as nothing is needed but `load` and `commit`; None for one that may not be called here.
pub(crate) fn along(
    py: Python<'_>,
    mut state: State,
    load: Option<&Bound<'_, PyAny>>,
    commit: Option<&Bound<'_, PyAny>>,
) -> Result<State, Stuck> {
    loop {
        let answered = match (state.keys(), state.write(), load, commit) {
            (Some(keys), _, Some(load), _) => {
                let read = PyList::new(py, keys.iter().map(|key| PyString::new(py, key.as_str())))
                    .and_then(|keys| load.call1((keys,)))
                    .and_then(|told| records(py, &told));
                match read {
                    Ok(records) => guarded(|| state.loaded(records)),
                    Err(why) => return Err(Stuck { state: Some(state), why }),
                }
            }
            (_, Some(write), _, Some(commit)) => {
                let told = Py::new(py, Write::of(py, write))
                    .and_then(|write| commit.call1((write,)))
                    .and_then(|told| read_outcome(told.extract::<&str>()?));
                match told {
                    Ok(outcome) => guarded(|| state.committed(outcome)),
                    Err(why) => return Err(Stuck { state: Some(state), why }),
                }
            }
            _ => return Ok(state),
        };
        match answered {
            Ok(Ok(next)) => state = next,
            Ok(Err((state, Misuse { at, message }))) => {
                return Err(Stuck { state: Some(state), why: misuse(&at, &message) });
            }
            Err(why) => return Err(Stuck { state: None, why }),
        }
    }
}

/// What a store's `load` returned, as the core wants it.
fn records(py: Python<'_>, records: &Bound<'_, PyAny>) -> PyResult<Vec<Option<lockstep_oauth::store::Record>>> {
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

fn busy() -> PyErr {
    misuse("exchange", "it is done, or another thread is answering it")
}

fn read_outcome(outcome: &str) -> PyResult<Committed> {
    committed(outcome).map_err(misused)
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
