//! Exchanges of every kind behind one type. A verb that does not fit gives the state back.

use lockstep_oauth::authorization_server::HttpExchange;
use lockstep_oauth::authorization_server::operations::OperationExchange;
use lockstep_oauth::exchange::{Misuse, Step};
use lockstep_oauth::http::{FetchRequest, Fetched};
use lockstep_oauth::protected_resource::CheckExchange;
use lockstep_oauth::question::{Decision, Question};
use lockstep_oauth::store::{Committed, Key, Record, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The core's typed step of whichever exchange this is.
#[allow(
    clippy::large_enum_variant,
    reason = "one exchange lives in one object of the language, and is moved a few times"
)]
#[derive(Debug)]
pub enum State {
    /// A request to an endpoint.
    Http(Step<HttpExchange>),
    /// The check of a request to a resource.
    Check(Step<CheckExchange>),
    /// An operation for a signed-in user.
    Operate(Step<OperationExchange>),
}

/// The next state, or the same one with what was wrong.
pub type Answered = Result<State, (State, Misuse)>;

/// Answers the step of the wanted kind, in whichever exchange; any other step is given back with a misuse.
macro_rules! answer {
    ($state:expr, $call:literal, $wait:ident, |$held:ident| $answered:expr) => {
        match $state {
            State::Http(Step::$wait($held)) => settle!(Http, $wait, $answered),
            State::Check(Step::$wait($held)) => settle!(Check, $wait, $answered),
            State::Operate(Step::$wait($held)) => settle!(Operate, $wait, $answered),
            other => {
                let misuse = Misuse::new($call, other.wants());
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

/// What a step of the wanted kind holds, in whichever exchange.
macro_rules! look {
    ($state:expr, $wait:ident, |$held:ident| $seen:expr) => {
        match $state {
            State::Http(Step::$wait($held)) => Some($seen),
            State::Check(Step::$wait($held)) => Some($seen),
            State::Operate(Step::$wait($held)) => Some($seen),
            _ => None,
        }
    };
}

impl State {
    /// Goes on with one record, or none, for each key in order.
    ///
    /// # Errors
    /// Gives the state back when it does not wait for records, or for another number of them.
    pub fn loaded(self, records: Vec<Option<Record>>) -> Answered {
        answer!(self, "loaded", Load, |held| held.loaded(records))
    }

    /// Goes on without: the store could not be read.
    ///
    /// # Errors
    /// Gives the state back when it does not wait for records.
    pub fn load_failed(self) -> Answered {
        answer!(self, "load_failed", Load, |held| Ok(held.failed()))
    }

    /// Goes on with what became of the write.
    ///
    /// # Errors
    /// Gives the state back when it does not wait for a write.
    pub fn committed(self, outcome: Committed) -> Answered {
        answer!(self, "committed", Commit, |held| Ok(held.committed(outcome)))
    }

    /// Goes on with another server's answer, or with the reason why there is none.
    ///
    /// # Errors
    /// Gives the state back when it does not wait for another server.
    pub fn fetched(self, fetched: Fetched) -> Answered {
        answer!(self, "fetched", Fetch, |held| Ok(held.fetched(fetched)))
    }

    /// Goes on with the host's decision.
    ///
    /// # Errors
    /// Gives the state back when it does not wait for a decision, or for one on another question.
    pub fn decided(self, decision: Decision) -> Answered {
        answer!(self, "decided", Decide, |held| held.decided(decision))
    }

    /// Goes on without: the host could not decide.
    ///
    /// # Errors
    /// Gives the state back when it does not wait for a decision.
    pub fn decide_failed(self) -> Answered {
        answer!(self, "decide_failed", Decide, |held| Ok(held.failed()))
    }

    /// The keys that it waits for.
    #[must_use]
    pub fn keys(&self) -> Option<&[Key]> {
        look!(self, Load, |held| held.keys())
    }

    /// The write that it waits for.
    #[must_use]
    pub fn write(&self) -> Option<&Write> {
        look!(self, Commit, |held| held.write())
    }

    /// The request to another server that it waits for.
    #[must_use]
    pub fn request(&self) -> Option<&FetchRequest> {
        look!(self, Fetch, |held| held.request())
    }

    /// The question that it waits for.
    #[must_use]
    pub fn question(&self) -> Option<&Question> {
        look!(self, Decide, |held| held.question())
    }

    /// What it waits for, for a caller who answered something else.
    fn wants(&self) -> &'static str {
        if self.keys().is_some() {
            "the exchange waits for `loaded` or `load_failed`"
        } else if self.write().is_some() {
            "the exchange waits for `committed`"
        } else if self.request().is_some() {
            "the exchange waits for `fetched` or `fetch_failed`"
        } else if self.question().is_some() {
            "the exchange waits for `decided` or `decide_failed`"
        } else {
            "the exchange waits for nothing any more"
        }
    }
}

/// Runs the core; None where it panicked, which is a defect of ours that a server must survive.
pub fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}
