//! What every endpoint's rule is written with: early returns for what it needs, and refusals as values.

use super::server::Server;
use crate::audit::AuditEvent;
use crate::env::Env;
use crate::exchange::{Act, Facts, Shared};
use crate::http::{FetchRequest, HttpResponse};
use crate::question::{Decision, Question, SignInQuestion};
use crate::refusal::Refusal;
use crate::store::{Key, Record, Write};
use alloc::string::String;
use alloc::vec::Vec;

/// Why a rule cannot answer yet, or what it answers instead.
pub(crate) enum Pause {
    Load(Vec<Key>),
    Gate(Write),
    Cache(Write),
    Fetch(FetchRequest),
    Decide(Question),
    /// The peer is wrong.
    Refuse(&'static Refusal, String),
    /// The host's world, or ours, is broken.
    Unavailable(&'static str),
}

impl From<&'static Refusal> for Pause {
    fn from(refusal: &'static Refusal) -> Self {
        Self::Refuse(refusal, String::new())
    }
}

impl Pause {
    /// A refusal with a detail for the operator's eyes.
    pub(crate) fn because(refusal: &'static Refusal, detail: impl Into<String>) -> Self {
        Self::Refuse(refusal, detail.into())
    }
}

/// The end of an exchange over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// What to send.
    pub response: HttpResponse,
    /// The refusal's id, when the request was refused.
    pub refusal: Option<&'static str>,
    /// What happened, for the operator.
    pub events: Vec<AuditEvent>,
}

/// What is the same for every endpoint's exchange.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub(crate) struct Scene {
    pub(crate) server: Shared<Server>,
    pub(crate) env: Env,
    pub(crate) peer: String,
}

impl Scene {
    /// The stamp by which this exchange recognises its own write.
    pub(crate) fn stamp(&self) -> [u8; 8] {
        self.env.entropy.draw("stamp")
    }

    pub(crate) fn event(&self, id: &str) -> AuditEvent {
        AuditEvent::new(id, self.env.now).with("peer", &self.peer)
    }
}

impl Facts {
    /// Loads all of `keys` in one go, unless they are known.
    pub(crate) fn need(&self, keys: &[Key]) -> Result<(), Pause> {
        let missing = self.missing(keys);
        if missing.is_empty() { Ok(()) } else { Err(Pause::Load(missing)) }
    }

    /// The record at `key`, even an expired one: its version is what a write expects.
    pub(crate) fn stored(&self, key: &Key) -> Result<Option<&Record>, Pause> {
        self.record(key).map_err(|_| Pause::Load(alloc::vec![key.clone()]))
    }

    /// The record at `key`, if it has not expired.
    pub(crate) fn live(&self, key: &Key, now: u64) -> Result<Option<&Record>, Pause> {
        Ok(self.stored(key)?.filter(|record| now < record.expires_at))
    }

    /// The host's decision.
    pub(crate) fn decided(&self, question: Question) -> Result<&Decision, Pause> {
        self.decision(|known| *known == question).ok_or(Pause::Decide(question))
    }

    /// Who the user is. Asked by reference: an exchange asks again after each wait.
    pub(crate) fn who(&self, question: &SignInQuestion) -> Result<&Decision, Pause> {
        let asked = |known: &Question| matches!(known, Question::SignIn(known) if known == question);
        self.decision(asked).ok_or_else(|| Pause::Decide(Question::SignIn(question.clone())))
    }

    /// Whether the host's budget allows one more of `key`.
    pub(crate) fn admitted(&self, key: String, limit: u32, period_seconds: u32) -> Result<bool, Pause> {
        Ok(matches!(self.decided(Question::Admit { key, limit, period_seconds })?, Decision::Allow))
    }
}

impl Pause {
    /// The next act, or how the exchange ends instead.
    pub(crate) fn into_act<T>(self) -> Result<Act<T>, Ending> {
        match self {
            Self::Load(keys) => Ok(Act::Load(keys)),
            Self::Gate(write) => Ok(Act::Gate(write)),
            Self::Cache(write) => Ok(Act::Cache(write)),
            Self::Fetch(request) => Ok(Act::Fetch(request)),
            Self::Decide(question) => Ok(Act::Decide(question)),
            Self::Refuse(refusal, detail) => Err(Ending::Refused(refusal, detail)),
            Self::Unavailable(what) => Err(Ending::Unavailable(what)),
        }
    }
}

/// How an exchange ends without success.
pub(crate) enum Ending {
    Refused(&'static Refusal, String),
    Unavailable(&'static str),
}
