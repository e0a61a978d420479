//! One exchange of whichever kind, moved by plain answers. This is the driver that the world and the replayer share.
#![allow(clippy::panic, clippy::missing_panics_doc, reason = "an answer that does not fit its step fails loudly")]

use crate::transcript::{
    Asked, Call, Given, answer_json, checked_json, fetch_json, operated_json, question_json, write_json,
};
use lockstep_oauth::authorization_server::operations::{OperationExchange, OperationOutcome};
use lockstep_oauth::authorization_server::{Answer, AuthorizationServer, HttpExchange};
use lockstep_oauth::env::Env;
use lockstep_oauth::exchange::{Endpoint, Misuse, Step};
use lockstep_oauth::protected_resource::{CheckExchange, Checked};
use serde_json::Value;

/// An exchange between two steps, or at its end.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub enum Running {
    /// A request to the authorization server.
    Http(Step<HttpExchange>),
    /// A check.
    Check(Step<CheckExchange>),
    /// An operation.
    Operate(Step<OperationExchange>),
}

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A request to the authorization server.
    Http(Answer),
    /// A check.
    Check(Checked),
    /// An operation.
    Operate(OperationOutcome),
}

/// What an exchange waits for: the core's own step, borrowed.
pub enum Waiting<'a> {
    /// Records at these keys.
    Load(&'a [lockstep_oauth::store::Key]),
    /// A write.
    Commit(&'a lockstep_oauth::store::Write),
    /// A fetch.
    Fetch(&'a lockstep_oauth::http::FetchRequest),
    /// A decision.
    Decide(&'a lockstep_oauth::question::Question),
    /// Nothing.
    Done,
}

impl Running {
    /// Starts an exchange.
    ///
    /// # Errors
    /// `Misuse` when an operation's arguments are wrong.
    pub fn start(server: &AuthorizationServer, call: &Call, env: Env) -> Result<Self, Misuse> {
        match call.clone() {
            Call::Http(request) => Ok(Self::Http(server.handle(request, env))),
            Call::Check(request) => Ok(Self::Check(server.check(request, env))),
            Call::Operate(operation) => server.operate(operation, env).map(Self::Operate),
        }
    }

    /// What it waits for.
    pub fn waiting(&self) -> Waiting<'_> {
        match self {
            Self::Http(step) => waiting(step),
            Self::Check(step) => waiting(step),
            Self::Operate(step) => waiting(step),
        }
    }

    /// What it waits for, as JSON; `None` at its end.
    pub fn asked(&self) -> Option<Asked> {
        match self.waiting() {
            Waiting::Load(keys) => Some(Asked::Load(keys.iter().map(|key| key.as_str().to_owned()).collect())),
            Waiting::Commit(write) => Some(Asked::Commit(write_json(write))),
            Waiting::Fetch(request) => Some(Asked::Fetch(fetch_json(request))),
            Waiting::Decide(question) => Some(Asked::Decide(question_json(question))),
            Waiting::Done => None,
        }
    }

    /// Goes on with an answer, which must fit the step.
    #[must_use]
    pub fn give(self, given: Given) -> Self {
        match self {
            Self::Http(step) => Self::Http(give(step, given)),
            Self::Check(step) => Self::Check(give(step, given)),
            Self::Operate(step) => Self::Operate(give(step, given)),
        }
    }

    /// How it ended, once it has.
    pub fn ended(&self) -> Option<Ended> {
        match self {
            Self::Http(Step::Done(answer)) => Some(Ended::Http(answer.clone())),
            Self::Check(Step::Done(checked)) => Some(Ended::Check(checked.clone())),
            Self::Operate(Step::Done(outcome)) => Some(Ended::Operate(outcome.clone())),
            _ => None,
        }
    }
}

impl Ended {
    /// The outcome as JSON.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Http(answer) => answer_json(answer),
            Self::Check(checked) => checked_json(checked),
            Self::Operate(outcome) => operated_json(outcome),
        }
    }
}

fn waiting<E: Endpoint>(step: &Step<E>) -> Waiting<'_> {
    match step {
        Step::Load(loading) => Waiting::Load(loading.keys()),
        Step::Commit(committing) => Waiting::Commit(committing.write()),
        Step::Fetch(fetching) => Waiting::Fetch(fetching.request()),
        Step::Decide(deciding) => Waiting::Decide(deciding.question()),
        Step::Done(_) => Waiting::Done,
    }
}

fn give<E: Endpoint>(step: Step<E>, given: Given) -> Step<E> {
    match (step, given) {
        (Step::Load(loading), Given::Loaded(records)) => {
            loading.loaded(records).unwrap_or_else(|(_, misuse)| panic!("{misuse}"))
        }
        (Step::Load(loading), Given::LoadFailed) => loading.failed(),
        (Step::Commit(committing), Given::Committed(outcome)) => committing.committed(outcome),
        (Step::Fetch(fetching), Given::Fetched(fetched)) => fetching.fetched(fetched),
        (Step::Decide(deciding), Given::Decided(decision)) => {
            deciding.decided(decision).unwrap_or_else(|(_, misuse)| panic!("{misuse}"))
        }
        (Step::Decide(deciding), Given::DecideFailed) => deciding.failed(),
        (_, given) => panic!("the exchange does not wait for {given:?}"),
    }
}
