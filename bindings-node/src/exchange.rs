//! Exchanges and their steps.

use crate::question::{self, Decision, FetchRequest, Question};
use crate::store::{Record, Write};
use crate::{guarded, message, misuse, misused, outcome};
use lockstep_oauth::audit::AuditEvent;
use lockstep_oauth::authorization_server;
use lockstep_oauth::authorization_server::operations::OperationOutcome;
use lockstep_oauth::exchange::Step;
use lockstep_oauth::http::{Fetched, HttpResponse};
use lockstep_oauth::protected_resource::Checked;
use lockstep_oauth_bindings::{Answered, State, committed};
use napi::bindgen_prelude::{BufferSlice, Either, Result, Uint8ArraySlice};
use napi::{Env, JsString};
use napi_derive::napi;

/// It waits for records: answer with `loaded` or `loadFailed`.
const LOAD: u32 = 0;
/// It waits for a conditional write: answer with `committed`.
const COMMIT: u32 = 1;
/// It waits for another server: answer with `fetched`, `fetchFailed` or `fetchOverBudget`.
const FETCH: u32 = 2;
/// It waits for the host: answer with `decided` or `decideFailed`.
const DECIDE: u32 = 3;
/// The end: `status`, `head` and `body` are to be sent.
const ANSWERED: u32 = 4;
/// The end: the request may go on, and `identity` is who asks.
const ALLOWED: u32 = 5;
/// The end: `operated` says what became of the operation.
const OPERATED: u32 = 6;

/// One request on its way. It is moved by the verb that answers its step; each verb returns the next step: 0 load, 1 commit,
/// 2 fetch, 3 decide, and at the end 4 answered, 5 allowed, 6 operated.
#[napi]
pub(crate) struct Exchange {
    /// None only where the core has panicked.
    state: Option<State>,
    now: i64,
}

#[napi]
impl Exchange {
    /// What it waits for.
    #[napi(getter)]
    pub fn step(&self) -> Result<u32> {
        match self.look()? {
            State::Http(Step::Done(_)) | State::Check(Step::Done(Checked::Refused(_))) => Ok(ANSWERED),
            State::Check(Step::Done(Checked::Allowed(_))) => Ok(ALLOWED),
            State::Operate(Step::Done(_)) => Ok(OPERATED),
            State::Http(Step::Load(_)) | State::Check(Step::Load(_)) | State::Operate(Step::Load(_)) => Ok(LOAD),
            State::Http(Step::Commit(_)) | State::Check(Step::Commit(_)) | State::Operate(Step::Commit(_)) => {
                Ok(COMMIT)
            }
            State::Http(Step::Fetch(_)) | State::Check(Step::Fetch(_)) | State::Operate(Step::Fetch(_)) => Ok(FETCH),
            State::Http(Step::Decide(_)) | State::Check(Step::Decide(_)) | State::Operate(Step::Decide(_)) => {
                Ok(DECIDE)
            }
        }
    }

    /// Seconds since 1970: the exchange's one consistent instant.
    #[napi(getter)]
    pub fn now(&self) -> i64 {
        self.now
    }

    /// The keys to load.
    #[napi]
    pub fn keys(&self) -> Result<Vec<String>> {
        let keys = self.look()?.keys().ok_or_else(|| misuse("keys", "it does not wait for records"))?;
        Ok(keys.iter().map(|key| key.as_str().to_owned()).collect())
    }

    /// The write to try.
    #[napi]
    pub fn write<'env>(&self, env: &'env Env) -> Result<Write<'env>> {
        Write::of(env, self.look()?.write().ok_or_else(|| misuse("write", "it does not wait for a write"))?)
    }

    /// The request to send.
    #[napi]
    pub fn request(&self) -> Result<FetchRequest> {
        let request = self.look()?.request().ok_or_else(|| misuse("request", "it does not wait for another server"))?;
        Ok(question::present_fetch(request))
    }

    /// What is asked.
    #[napi]
    pub fn question(&self) -> Result<Question> {
        let question = self.look()?.question().ok_or_else(|| misuse("question", "it does not wait for a decision"))?;
        Ok(question::present(question))
    }

    /// Goes on with one record, or undefined, for each key in order.
    #[napi]
    pub fn loaded(&mut self, records: Vec<Option<Record<'_>>>) -> Result<u32> {
        let records = records.iter().map(|record| record.as_ref().map(Record::to_core).transpose());
        let records = records.collect::<Result<Vec<_>>>()?;
        self.advance(|state| state.loaded(records))
    }

    /// Goes on without: the store could not be read.
    #[napi]
    pub fn load_failed(&mut self) -> Result<u32> {
        self.advance(State::load_failed)
    }

    /// Goes on with what became of the write: `committed`, `conflict` or `unknown`.
    #[napi]
    pub fn committed(&mut self, outcome: String) -> Result<u32> {
        let outcome = committed(&outcome).map_err(misused)?;
        self.advance(|state| state.committed(outcome))
    }

    /// Goes on with another server's answer: header names and values by turns, a line each, `count` lines in all, and the
    /// whole body within the request's limit.
    #[napi]
    pub fn fetched(
        &mut self,
        status: u16,
        headers: JsString<'_>,
        count: u32,
        body: Uint8ArraySlice<'_>,
    ) -> Result<u32> {
        let headers = message::text_headers(headers, count)?;
        let response = HttpResponse { status, headers, body: body.as_ref().to_vec() };
        self.advance(|state| state.fetched(Fetched::Response(response)))
    }

    /// Goes on with the reason why there is no answer.
    #[napi]
    pub fn fetch_failed(&mut self, reason: String) -> Result<u32> {
        self.advance(|state| state.fetched(Fetched::Failed(reason)))
    }

    /// Goes on without: the budget for such fetches is spent, and nothing was sent.
    #[napi]
    pub fn fetch_over_budget(&mut self) -> Result<u32> {
        self.advance(|state| state.fetched(Fetched::OverBudget))
    }

    /// Goes on with the host's decision.
    #[napi]
    pub fn decided(&mut self, decision: Decision) -> Result<u32> {
        let decision = decision.to_core()?;
        self.advance(|state| state.decided(decision))
    }

    /// Goes on without: the host could not decide.
    #[napi]
    pub fn decide_failed(&mut self) -> Result<u32> {
        self.advance(State::decide_failed)
    }

    /// The response's status.
    #[napi(getter)]
    pub fn status(&self) -> Result<u16> {
        Ok(self.answer()?.response.status)
    }

    /// The response's header names and values by turns, a line each, with its length unless it is the answer to a HEAD.
    #[napi]
    pub fn head(&self, to_head: bool) -> Result<String> {
        Ok(message::head(&self.answer()?.response, to_head))
    }

    /// The response's body: text where it is text.
    #[napi]
    pub fn body<'env>(&self, env: &'env Env) -> Result<Either<&str, BufferSlice<'env>>> {
        let body = &self.answer()?.response.body;
        match std::str::from_utf8(body) {
            Ok(text) => Ok(Either::A(text)),
            Err(_) => BufferSlice::copy_from(env, body).map(Either::B),
        }
    }

    /// The refusal's id, when the request was refused.
    #[napi(getter)]
    pub fn refusal(&self) -> Option<&'static str> {
        self.answer().ok().and_then(|answer| answer.refusal)
    }

    /// What happened, in order: each event as one line of JSON.
    #[napi]
    pub fn events(&self) -> Result<Vec<String>> {
        let events = match self.look()? {
            State::Operate(Step::Done(OperationOutcome { operated: _, events })) => events.as_slice(),
            State::Check(Step::Done(Checked::Allowed(_))) => &[],
            _ => self.answer()?.events.as_slice(),
        };
        Ok(events.iter().map(AuditEvent::to_json).collect())
    }

    /// Who asks, as JSON.
    #[napi]
    pub fn identity(&self) -> Result<String> {
        match self.look()? {
            State::Check(Step::Done(Checked::Allowed(identity))) => Ok(outcome::identity(identity)),
            _ => Err(misuse("identity", "the exchange has not allowed a request")),
        }
    }

    /// What became of an operation.
    #[napi]
    pub fn operated(&self) -> Result<outcome::Operated> {
        match self.look()? {
            State::Operate(Step::Done(OperationOutcome { operated, events: _ })) => Ok(outcome::operated(operated)),
            _ => Err(misuse("operated", "the exchange is no operation that has ended")),
        }
    }
}

impl Exchange {
    /// Starts an exchange.
    pub(crate) fn begin(now: i64, start: impl FnOnce() -> State) -> Result<Self> {
        Ok(Self { state: Some(guarded(start)?), now })
    }

    fn look(&self) -> Result<&State> {
        self.state.as_ref().ok_or_else(|| misuse("exchange", "it has broken down"))
    }

    fn answer(&self) -> Result<&authorization_server::Answer> {
        match self.look()? {
            State::Http(Step::Done(answer)) | State::Check(Step::Done(Checked::Refused(answer))) => Ok(answer),
            _ => Err(misuse("exchange", "there is no response yet")),
        }
    }

    /// Lets a verb consume the state. A verb that does not fit leaves the exchange as it was.
    fn advance(&mut self, verb: impl FnOnce(State) -> Answered) -> Result<u32> {
        let state = self.state.take().ok_or_else(|| misuse("exchange", "it has broken down"))?;
        match guarded(|| verb(state))? {
            Ok(state) => {
                self.state = Some(state);
                self.step()
            }
            Err((state, wrong)) => {
                self.state = Some(state);
                Err(misused(wrong))
            }
        }
    }
}
