//! One request as a small machine: it yields a [`Step`], and is resumed with the answer to exactly that step.
//!
//! Each variant of [`Step`] owns the exchange and has one continuation that consumes it, so a wrong answer does not
//! compile. An endpoint is one pure function, `proceed`, over the request and the facts known so far; it
//! is called again whenever a fact arrives. The waits are the only states.

use crate::audit::AuditEvent;
use crate::http::{FetchRequest, Fetched};
use crate::question::{Decision, Question};
use crate::store::{Committed, Key, Record, Write};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// How often a gate may meet `Conflict` or `Unknown` before the exchange gives up with 503.
pub const COMMIT_ATTEMPTS: u8 = 3;
/// How many steps any exchange may take. An invariant, not a policy: reaching it is a bug.
pub const STEPS: u16 = 64;

/// What the exchange waits for.
#[must_use = "an exchange does nothing until its step is answered"]
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub enum Step<E: Endpoint> {
    /// Records from the store.
    Load(Loading<E>),
    /// A conditional write.
    Commit(Committing<E>),
    /// An answer from another server.
    Fetch(Fetching<E>),
    /// A decision of the host.
    Decide(Deciding<E>),
    /// Nothing: here is the outcome.
    Done(E::Outcome),
}

/// An endpoint's rule. Implemented inside this crate only.
#[allow(private_bounds, reason = "the sealing trait keeps the facts private to the core")]
pub trait Endpoint: Sized + Rule<Output = <Self as Endpoint>::Outcome> {
    /// What the exchange ends with.
    type Outcome: fmt::Debug + ModelState;
}

/// Under the model checker's configuration an outcome is part of a hashable state.
#[cfg(lockstep_model)]
pub trait ModelState: Clone + Eq + core::hash::Hash {}
#[cfg(lockstep_model)]
impl<T: Clone + Eq + core::hash::Hash> ModelState for T {}
/// Nothing is asked of an outcome in what ships.
#[cfg(not(lockstep_model))]
pub trait ModelState {}
#[cfg(not(lockstep_model))]
impl<T> ModelState for T {}

pub(crate) trait Rule: ModelState {
    type Output;
    /// What to do next, given the facts. Called again after each new fact.
    fn proceed(&mut self, facts: &mut Facts) -> Act<Self::Output>;
    /// The outcome when the host's world failed: the store is down, or the gate would not close.
    fn unavailable(&mut self, facts: &mut Facts, what: &'static str) -> Self::Output;
}

/// What a rule wants next.
pub(crate) enum Act<T> {
    Load(Vec<Key>),
    /// A write that must succeed before anything leaves: `Conflict` and `Unknown` make the rule look again.
    Gate(Write),
    /// A write that helps later requests; whatever becomes of it, the rule goes on.
    Cache(Write),
    Fetch(FetchRequest),
    Decide(Question),
    Done(T),
}

/// All that an exchange knows.
#[derive(Debug, Default)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub(crate) struct Facts {
    records: Vec<(Key, Option<Record>)>,
    fetched: Vec<(String, Fetched)>,
    decisions: Vec<(Question, Decision)>,
    settled: Vec<Key>,
    attempts: u8,
    steps: u16,
    pub(crate) events: Vec<AuditEvent>,
}

/// A fact that is not known yet.
pub(crate) struct Unloaded;

impl Facts {
    /// The record at `key`, if it has been loaded.
    pub(crate) fn record(&self, key: &Key) -> Result<Option<&Record>, Unloaded> {
        self.records.iter().find(|(known, _)| known == key).map(|(_, record)| record.as_ref()).ok_or(Unloaded)
    }

    /// The keys of `wanted` that have not been loaded.
    pub(crate) fn missing(&self, wanted: &[Key]) -> Vec<Key> {
        let mut missing: Vec<Key> = Vec::with_capacity(wanted.len());
        for key in wanted {
            if self.record(key).is_err() && !missing.contains(key) {
                missing.push(key.clone());
            }
        }
        missing
    }

    pub(crate) fn fetched(&self, url: &str) -> Option<&Fetched> {
        self.fetched.iter().find(|(known, _)| known == url).map(|(_, fetched)| fetched)
    }

    pub(crate) fn decision(&self, asked: impl Fn(&Question) -> bool) -> Option<&Decision> {
        self.decisions.iter().find(|(question, _)| asked(question)).map(|(_, decision)| decision)
    }

    /// Whether a cache write for `key` has been tried.
    pub(crate) fn settled(&self, key: &Key) -> bool {
        self.settled.contains(key)
    }

    pub(crate) fn tell(&mut self, event: AuditEvent) {
        self.events.push(event);
    }
}

/// The exchange itself, between two steps. Boxed, since a step is moved many times and this is large.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
struct Exchange<E> {
    rule: E,
    facts: Facts,
}

/// Starts an exchange.
pub(crate) fn begin<E: Endpoint>(rule: E) -> Step<E> {
    Box::new(Exchange { rule, facts: Facts::default() }).run()
}

impl<E: Endpoint> Exchange<E> {
    fn run(mut self: Box<Self>) -> Step<E> {
        self.facts.steps += 1;
        if self.facts.steps > STEPS {
            debug_assert!(false, "an exchange took more steps than any may");
            return Step::Done(self.rule.unavailable(&mut self.facts, "too many steps"));
        }
        match self.rule.proceed(&mut self.facts) {
            Act::Load(keys) => Step::Load(Loading { exchange: self, keys }),
            Act::Gate(write) => Step::Commit(Committing { exchange: self, write, gate: true }),
            Act::Cache(write) => Step::Commit(Committing { exchange: self, write, gate: false }),
            Act::Fetch(request) => Step::Fetch(Fetching { exchange: self, request }),
            Act::Decide(question) => Step::Decide(Deciding { exchange: self, question }),
            Act::Done(outcome) => Step::Done(outcome),
        }
    }

    fn give_up(&mut self, what: &'static str) -> Step<E> {
        Step::Done(self.rule.unavailable(&mut self.facts, what))
    }
}

/// The caller is wrong: an answer that does not fit the step, or a configuration that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Misuse {
    /// What is wrong: a configuration field (`resources[0].name`) or a call (`loaded`).
    pub at: String,
    /// What is wrong with it and how to mend it; a lower-case sentence.
    pub message: String,
}

impl Misuse {
    /// A misuse of the named field or call.
    pub fn new(at: &str, message: &str) -> Self {
        Self { at: at.to_string(), message: message.to_string() }
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

impl core::error::Error for Misuse {}

/// Waiting for records. Answer with [`Loading::loaded`] or [`Loading::failed`].
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub struct Loading<E> {
    exchange: Box<Exchange<E>>,
    keys: Vec<Key>,
}

impl<E: Endpoint> Loading<E> {
    /// The keys to load, in the order of the answer.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Goes on with one record, or none, for each key in order.
    ///
    /// # Errors
    /// Gives the step back when the number of records is not the number of keys.
    #[allow(clippy::result_large_err, reason = "the step is given back so that nothing is lost")]
    pub fn loaded(mut self, records: Vec<Option<Record>>) -> Result<Step<E>, (Self, Misuse)> {
        if records.len() != self.keys.len() {
            return Err((self, Misuse::new("loaded", "give one record, or none, for each key in order")));
        }
        for (key, record) in self.keys.into_iter().zip(records) {
            self.exchange.facts.records.push((key, record));
        }
        Ok(self.exchange.run())
    }

    /// Goes on without: the store could not be read.
    pub fn failed(mut self) -> Step<E> {
        self.exchange.give_up("the store could not be read")
    }
}

/// Waiting for a conditional write. Answer with [`Committing::committed`].
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub struct Committing<E> {
    exchange: Box<Exchange<E>>,
    write: Write,
    gate: bool,
}

impl<E: Endpoint> Committing<E> {
    /// The write to try.
    pub fn write(&self) -> &Write {
        &self.write
    }

    /// Goes on with what became of the write.
    ///
    /// `Conflict` and `Unknown` make the exchange load the record again and look for its own stamp, at most
    /// [`COMMIT_ATTEMPTS`] times.
    pub fn committed(mut self, outcome: Committed) -> Step<E> {
        let facts = &mut self.exchange.facts;
        let key = self.write.key;
        if !self.gate {
            // The rule goes on with what it has fetched: nothing is loaded again.
            facts.settled.push(key);
            return self.exchange.run();
        }
        facts.records.retain(|(known, _)| *known != key);
        if outcome == Committed::Committed {
            let record =
                Record { version: self.write.version, value: self.write.value, expires_at: self.write.expires_at };
            facts.records.push((key, Some(record)));
            return self.exchange.run();
        }
        facts.attempts += 1;
        if facts.attempts > COMMIT_ATTEMPTS {
            return self.exchange.give_up("the store would not settle a write");
        }
        self.exchange.run()
    }
}

/// Waiting for another server. Answer with [`Fetching::fetched`].
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub struct Fetching<E> {
    exchange: Box<Exchange<E>>,
    request: FetchRequest,
}

impl<E: Endpoint> Fetching<E> {
    /// The request to send, with its limits.
    pub fn request(&self) -> &FetchRequest {
        &self.request
    }

    /// Goes on with the answer, or with the reason why there is none.
    pub fn fetched(mut self, fetched: Fetched) -> Step<E> {
        self.exchange.facts.fetched.push((self.request.url, fetched));
        self.exchange.run()
    }
}

/// Waiting for the host. Answer with [`Deciding::decided`].
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub struct Deciding<E> {
    exchange: Box<Exchange<E>>,
    question: Question,
}

impl<E: Endpoint> Deciding<E> {
    /// What is asked.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// Goes on with the decision.
    ///
    /// # Errors
    /// Gives the step back when the decision does not answer the question.
    #[allow(clippy::result_large_err, reason = "the step is given back so that nothing is lost")]
    pub fn decided(mut self, decision: Decision) -> Result<Step<E>, (Self, Misuse)> {
        if let Err(misuse) = answers(&self.question, &decision) {
            return Err((self, misuse));
        }
        self.exchange.facts.decisions.push((self.question, decision));
        Ok(self.exchange.run())
    }

    /// Goes on without: the host could not decide.
    pub fn failed(mut self) -> Step<E> {
        self.exchange.give_up("the host could not decide")
    }
}

fn answers(question: &Question, decision: &Decision) -> Result<(), Misuse> {
    let fits = match question {
        Question::SignIn(_) => {
            matches!(
                decision,
                Decision::SignedIn(_) | Decision::SignIn { .. } | Decision::Approve { .. } | Decision::Deny
            )
        }
        Question::Consent(_) => matches!(decision, Decision::Page { .. } | Decision::BuiltIn),
        Question::Refresh { .. } | Question::Admit { .. } => matches!(decision, Decision::Allow | Decision::Refuse),
        Question::Token { .. } => {
            matches!(decision, Decision::SignedIn(_) | Decision::Credential { .. } | Decision::Refuse)
        }
    };
    if !fits {
        return Err(Misuse::new("decided", "this decision does not answer that question"));
    }
    match decision {
        Decision::SignedIn(user) | Decision::Approve { user, .. } | Decision::Credential { user, .. } => {
            if user.subject.is_empty() || user.subject.len() > 255 {
                return Err(Misuse::new("decided.user.subject", "a subject has 1 to 255 bytes"));
            }
            Ok(())
        }
        Decision::SignIn { location } => {
            let safe = location.bytes().all(|byte| byte.is_ascii_graphic()) && !location.is_empty();
            if safe {
                Ok(())
            } else {
                Err(Misuse::new("decided.location", "a location is printable ASCII without spaces"))
            }
        }
        _ => Ok(()),
    }
}

/// A value that many exchanges look at and none changes. Two are equal when they are the same one.
#[derive(Debug)]
pub(crate) struct Shared<T>(alloc::sync::Arc<T>);

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(alloc::sync::Arc::new(value))
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(alloc::sync::Arc::clone(&self.0))
    }
}

impl<T> core::ops::Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        alloc::sync::Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Eq for Shared<T> {}

impl<T> core::hash::Hash for Shared<T> {
    fn hash<H: core::hash::Hasher>(&self, _: &mut H) {}
}
