//! Honest clients: each logs in on behalf of a person, redeems, uses its token, refreshes, and asks again when no answer
//! comes.

use crate::request::{Exchange, Purpose, approving, asking, proven, signed};
use crate::run::{Event, Run};
use lockstep_conformance::fixture::{RESOURCE, bearer, hidden, redeem, redirected, refresh, revoke, tokens};
use lockstep_conformance::running::Ended;
use lockstep_conformance::transcript::Call;
use lockstep_oauth::authorization_server::Answer;

/// The clients: by name alone, by secret, by assertion; and the thief's own.
pub const CLIENTS: [&str; 4] = ["web", "confidential", "signer", "other"];
/// The place of the thief's own client.
pub const THIEF: usize = 3;
/// The people.
pub const PEOPLE: [&str; 2] = ["alice", "bob"];

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has nothing.
    Away,
    /// Its person looks at a consent page.
    Asked(usize),
    /// It has a code.
    Coded(usize),
    /// It has tokens: refresh and access.
    Holding(usize, usize),
    /// It has sent a refresh and waits.
    Refreshing(usize, usize),
    /// It is done.
    Over,
}

/// A client on behalf of a person.
#[derive(Clone, Debug)]
pub struct Session {
    /// The client.
    pub client: usize,
    /// The person.
    pub person: usize,
    /// What its person ticks.
    pub writes: bool,
    /// The browser's cookie.
    pub cookie: String,
    /// Where it is.
    pub phase: Phase,
    /// How many refreshes are left to it.
    pub refreshes: u64,
    /// How many logins are left to it.
    pub logins: u64,
    /// Its refresh tokens, in order.
    pub history: Vec<usize>,
    /// Which of its timers counts.
    pub timer: u64,
}

impl Run<'_> {
    /// Sends a request and waits for the answer.
    fn ask(&mut self, session: usize, purpose: Purpose, call: Call, assertion: Option<usize>) {
        let person = self.sessions[session].person;
        let times = if self.random.chance(self.plan.doubles) { 2 } else { 1 };
        for _ in 0..times {
            let mut exchange = Exchange::new(purpose.clone(), Some(session), person, call.clone());
            exchange.assertion = assertion;
            self.send(exchange);
        }
    }

    /// An assertion for a request of this client, where it signs them.
    pub fn assertion(&mut self, client: usize) -> Option<usize> {
        (CLIENTS[client] == "signer").then(|| {
            let number = self.witness.assertions.len();
            self.witness.assertions.push((signed(number, self.now / 1000), 0));
            number
        })
    }

    /// The text of an assertion.
    pub fn assertion_text(&self, assertion: Option<usize>) -> Option<String> {
        assertion.map(|place| self.witness.assertions[place].0.clone())
    }

    /// Sets the session's timer; an earlier one counts no more.
    pub fn wake_in(&mut self, session: usize, first: u64, last: u64) {
        self.sessions[session].timer += 1;
        let timer = self.sessions[session].timer;
        let at = self.now + self.random.between(first, last);
        self.schedule(at, Event::Wake(session, timer));
    }

    /// The session does what is next, or asks again.
    pub fn act(&mut self, session: usize) {
        let Session { client, phase, writes, cookie, .. } = self.sessions[session].clone();
        match phase {
            Phase::Over => {}
            Phase::Away => {
                if self.sessions[session].logins == 0 {
                    self.sessions[session].phase = Phase::Over;
                    return;
                }
                self.sessions[session].logins -= 1;
                self.ask(session, Purpose::Authorize, asking(client, &cookie), None);
                self.wake_in(session, 10_000, 15_000);
            }
            Phase::Asked(ticket) => {
                let form = self.witness.tickets[ticket].form.clone();
                self.ask(session, Purpose::Approve { ticket, own: true }, approving(&form, writes, &cookie), None);
                self.wake_in(session, 10_000, 15_000);
            }
            Phase::Coded(code) => {
                let assertion = self.assertion(client);
                let text = self.assertion_text(assertion);
                let call = proven(redeem(&self.witness.codes[code].text), client, text.as_deref()).call();
                self.ask(session, Purpose::Redeem { code, own: true, verified: true }, call, assertion);
                self.wake_in(session, 3000, 6000);
            }
            Phase::Holding(token, access) => {
                self.use_token(session, access);
                if self.sessions[session].refreshes == 0 {
                    self.sessions[session].phase = Phase::Over;
                    return;
                }
                self.sessions[session].phase = Phase::Refreshing(token, access);
                self.wake_in(session, 200, 3000);
            }
            Phase::Refreshing(token, access) => {
                if self.random.chance(200) {
                    self.use_token(session, access);
                }
                let first = self.witness.refreshes[token].first_use;
                let late = first.is_some_and(|first| self.now > first + self.plan.patience());
                if late {
                    // Nobody knows whether it would still be answered: a client that knows the window logs in again.
                    self.log(|| format!("session {session} gives up and logs in again"));
                    self.sessions[session].phase = Phase::Away;
                    self.wake_in(session, 10, 1000);
                    return;
                }
                let assertion = self.assertion(client);
                let text = self.assertion_text(assertion);
                let narrow = self.random.chance(150);
                let draft = proven(refresh(&self.witness.refreshes[token].text), client, text.as_deref());
                let draft = if narrow { draft.but(&["scope=notes:read"]) } else { draft };
                self.ask(session, Purpose::Refresh { token, own: true, narrow }, draft.call(), assertion);
                self.wake_in(session, 3000, 6000);
            }
        }
    }

    fn use_token(&mut self, session: usize, token: usize) {
        let call = Call::Check(bearer(&self.witness.accesses[token].text));
        self.ask(session, Purpose::Check { token, here: true }, call, None);
    }

    /// An answer has reached the session.
    pub fn answered(&mut self, session: usize, exchange: usize) {
        let Some(Ended::Http(answer)) = self.exchanges[exchange].ended.clone() else { return };
        let status = answer.response.status;
        let phase = self.sessions[session].phase;
        match (self.exchanges[exchange].purpose.clone(), phase) {
            (Purpose::Authorize, Phase::Away) if status == 200 => {
                self.take_cookie(session, &answer);
                let form = (hidden(&answer, "ticket"), hidden(&answer, "seal"));
                if let Some(ticket) = self.witness.tickets.iter().position(|ticket| ticket.form == form) {
                    self.sessions[session].phase = Phase::Asked(ticket);
                    self.wake_in(session, 500, 20_000);
                }
            }
            (Purpose::Approve { ticket, own: true }, Phase::Asked(asked)) if ticket == asked => {
                let code = redirected(&answer, "code");
                let place = code.and_then(|text| self.witness.codes.iter().position(|code| code.text == text));
                self.sessions[session].phase = match place {
                    Some(code) => Phase::Coded(code),
                    None if status >= 500 => phase,
                    None => Phase::Away,
                };
                self.wake_in(session, 10, 2000);
            }
            (Purpose::Redeem { code, own: true, .. }, Phase::Coded(coded)) if code == coded => {
                self.take_tokens(session, &answer, phase);
            }
            (Purpose::Refresh { token, own: true, .. }, Phase::Refreshing(sent, _)) if token == sent => {
                self.take_tokens(session, &answer, phase);
            }
            _ => {}
        }
    }

    fn take_cookie(&mut self, session: usize, answer: &Answer) {
        let cookie = answer.response.header("set-cookie").and_then(|value| value.split(';').next());
        if let Some(cookie) = cookie {
            self.sessions[session].cookie = cookie.to_owned();
        }
    }

    fn take_tokens(&mut self, session: usize, answer: &Answer, phase: Phase) {
        match answer.response.status {
            200 => {
                let told = tokens(answer);
                let (Some(refresh), Some(access)) =
                    (self.witness.place(&told.refresh), self.witness.place(&told.access))
                else {
                    return;
                };
                let session_ = &mut self.sessions[session];
                session_.refreshes = session_.refreshes.saturating_sub(u64::from(!matches!(phase, Phase::Coded(_))));
                if session_.history.last() != Some(&refresh) {
                    session_.history.push(refresh);
                }
                session_.phase = Phase::Holding(refresh, access);
                // Long enough for every request of before to be answered or gone.
                self.wake_in(session, 60_000, 100_000);
            }
            503 => self.wake_in(session, 500, 3000),
            _ if matches!(phase, Phase::Coded(_)) && self.sessions[session].logins == 0 => {
                self.sessions[session].phase = Phase::Over;
            }
            _ => {
                self.sessions[session].phase = Phase::Away;
                self.wake_in(session, 10, 1000);
            }
        }
    }

    /// Somebody ends something: the client its grant or its access token, or the person a grant or all of them.
    pub fn end_something(&mut self) {
        let session = self.random.place(self.sessions.len());
        let Session { client, person, phase, .. } = self.sessions[session].clone();
        let families = self.witness.families.len();
        match (self.random.below(5), phase) {
            (0, Phase::Holding(token, _) | Phase::Refreshing(token, _)) => {
                let assertion = self.assertion(client);
                let text = self.assertion_text(assertion);
                let call = proven(revoke(&self.witness.refreshes[token].text), client, text.as_deref()).call();
                self.ask(session, Purpose::Revoke { token, own: true }, call, assertion);
            }
            (1, Phase::Holding(_, token) | Phase::Refreshing(_, token)) => {
                let assertion = self.assertion(client);
                let text = self.assertion_text(assertion);
                let call = proven(revoke(&self.witness.accesses[token].text), client, text.as_deref()).call();
                self.ask(session, Purpose::RevokeAccess { token }, call, assertion);
            }
            (2, _) => self.sign_out(person),
            (_, _) if families > 0 => {
                let family = self.random.place(families);
                self.end_grant(family, person);
            }
            _ => {}
        }
    }
}

/// The resource that all tokens are for.
pub const HERE: &str = RESOURCE;
