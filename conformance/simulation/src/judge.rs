//! What an end means, and whether it may be.

use crate::plan::{ACCESS_SECONDS, CODE_SECONDS};
use crate::request::{Purpose, proven, signed};
use crate::run::Run;
use crate::session::{CLIENTS, HERE};
use crate::witness::{Family, Ticket, Violation, holds};
use lockstep_conformance::fixture::{body, hidden, redirected, refresh, tokens};
use lockstep_conformance::running::Ended;
use lockstep_conformance::transcript::Call;
use lockstep_oauth::authorization_server::Answer;
use lockstep_oauth::authorization_server::operations::Operated;
use lockstep_oauth::protected_resource::Checked;
use std::collections::BTreeSet;

/// The status of an end, as HTTP would have it.
pub fn status(ended: &Ended) -> u16 {
    match ended {
        Ended::Http(answer) | Ended::Check(Checked::Refused(answer)) => answer.response.status,
        Ended::Check(Checked::Allowed(_)) => 200,
        Ended::Operate(outcome) => match outcome.operated {
            Operated::Unavailable => 503,
            Operated::NotFound => 404,
            _ => 200,
        },
    }
}

/// The refusal of an end.
fn refusal(ended: &Ended) -> &'static str {
    match ended {
        Ended::Http(answer) | Ended::Check(Checked::Refused(answer)) => answer.refusal.unwrap_or_default(),
        _ => "",
    }
}

impl Run<'_> {
    /// A request has arrived. Says whether its client is promised success.
    pub fn arrived(&mut self, number: usize) -> bool {
        let (purpose, waiting) = (self.exchanges[number].purpose.clone(), self.exchanges[number].waiting.is_some());
        let now = self.now;
        let steady = !self.plan.clock_jump;
        match purpose {
            Purpose::Approve { ticket, own: true } => {
                self.witness.tickets[ticket].first_answer.get_or_insert(now);
                false
            }
            Purpose::Redeem { code, own, verified } => {
                let asked_at = self.witness.tickets[self.witness.codes[code].ticket].first_answer.unwrap_or(now);
                let fresh = (now - asked_at) / 1000 + 2 * self.plan.skew + 2 < CODE_SECONDS;
                let code = &mut self.witness.codes[code];
                (code.uses, code.running) = (code.uses + u32::from(own && verified), code.running + 1);
                let first = code.uses == 1;
                if code.running > 1 {
                    self.coverage.reached("redemptions of one code at once");
                }
                if own && verified {
                    let since = (now - *code.first_use.get_or_insert(now)) / 1000;
                    // A client that repeats its redemption after the code race ends its own grant.
                    let raced = first || since + 2 * self.plan.skew + 1 < self.plan.race();
                    self.witness.families[code.family].threatened |= !waiting || !raced;
                }
                waiting && first && fresh && steady && !self.witness.families[code.family].threatened
            }
            Purpose::Refresh { token: place, own, .. } => {
                let token = &mut self.witness.refreshes[place];
                (token.uses, token.running) = (token.uses + u32::from(own), token.running + 1);
                if token.running > 1 {
                    self.coverage.reached("refreshes of one token at once");
                }
                let family = token.family;
                if own {
                    token.first_use.get_or_insert(now);
                    self.witness.families[family].threatened |= !waiting;
                }
                let within = self.in_window(place);
                // A client that comes too late, or too often, ends its own grant.
                self.witness.families[family].threatened |= own && !within;
                waiting && steady && !self.witness.families[family].threatened && within
            }
            Purpose::Check { token, here } => {
                let token = &self.witness.accesses[token];
                let old = (now - token.asked_at) / 1000 + 2 * self.plan.skew + 3 >= ACCESS_SECONDS;
                let family = &self.witness.families[token.family];
                here && waiting && steady && !old && !family.threatened && !family.spoiled
            }
            Purpose::Revoke { token, own: true } => {
                let family = self.witness.refreshes[token].family;
                self.witness.families[family].threatened = true;
                false
            }
            Purpose::RevokeAccess { token } => {
                let family = self.witness.accesses[token].family;
                self.witness.families[family].spoiled = true;
                false
            }
            Purpose::EndGrant { family, own: true } => {
                let ended = self.witness.families[family].grant_id().map(str::to_owned);
                for family in self.witness.families.iter_mut().filter(|one| one.grant_id() == ended.as_deref()) {
                    family.threatened = true;
                }
                false
            }
            Purpose::SignOut { person } => {
                self.signing_out.insert(person);
                let of = |session: usize| self.sessions[session].person == person;
                for family in self.witness.families.iter_mut().filter(|family| of(family.session)) {
                    family.threatened = true;
                }
                false
            }
            _ => false,
        }
    }

    /// Whether a use of this refresh token must succeed: it is the first, or it comes inside window and budget.
    fn in_window(&self, place: usize) -> bool {
        let token = &self.witness.refreshes[place];
        let session = &self.sessions[self.witness.families[token.family].session];
        // Its client has not gone on with the next one.
        if session.history.last() != Some(&place) {
            let next =
                session.history.iter().position(|known| *known == place).and_then(|at| session.history.get(at + 1));
            if next.is_none_or(|next| self.witness.refreshes[*next].uses > 0) {
                return false;
            }
        }
        let marked = |place: &&usize| self.witness.refreshes[**place].uses > 1;
        let of_family = |place: &&usize| self.witness.refreshes[**place].family == token.family;
        let streak =
            session.history.iter().rev().filter(of_family).skip_while(|known| **known != place).take_while(marked);
        let streak = streak.count() as u64;
        let budgeted = self.plan.budget().is_none_or(|budget| streak <= budget);
        let first = token.first_use.unwrap_or(self.now);
        let close = (self.now - first) / 1000 + 2 * self.plan.skew + 2 <= self.plan.window();
        budgeted && (token.uses == 1 || close)
    }

    /// A request has ended.
    pub fn judge(&mut self, number: usize) -> Result<(), Violation> {
        let Some(ended) = self.exchanges[number].ended.clone() else { return Ok(()) };
        self.gone(number);
        let (status, refused) = (status(&ended), refusal(&ended));
        self.log(|| format!("x{number} ends: {status} {refused}"));
        let (failures, load_failed) = (self.exchanges[number].failures, self.exchanges[number].load_failed);
        if status >= 500 {
            self.coverage.reached("503");
            let excused = load_failed || failures > 3;
            holds(excused, "no_server_error_without_a_fault", || {
                format!("x{number}: {status} after {failures} faults")
            })?;
            return Ok(());
        }
        self.reach(refused);
        match self.exchanges[number].purpose.clone() {
            Purpose::Authorize => {
                if let (Ended::Http(answer), Some(session), 200) = (&ended, self.exchanges[number].waiting, status) {
                    let form = (hidden(answer, "ticket"), hidden(answer, "seal"));
                    self.witness.tickets.push(Ticket { session, form, first_answer: None, family: None });
                }
                Ok(())
            }
            Purpose::Approve { ticket, own } => self.judge_approval(number, ticket, own, &ended),
            Purpose::Redeem { code, own, verified } => self.judge_redemption(number, code, own && verified, &ended),
            Purpose::Refresh { token, own, narrow } => self.judge_refresh(number, token, own, narrow, &ended),
            Purpose::Check { token, here } => self.judge_check(number, token, here, &ended),
            Purpose::Revoke { token, own } => {
                let family = self.witness.refreshes[token].family;
                self.judge_ending(number, family, own && status == 200, "revocation")
            }
            Purpose::RevokeAccess { token } => {
                self.judge_assertion(number, status == 200)?;
                if status == 200 {
                    self.witness.accesses[token].dead.get_or_insert(self.happened);
                }
                Ok(())
            }
            Purpose::EndGrant { family, own } => {
                self.judge_ending(number, family, own && status == 200, "user ended a grant")?;
                holds(own || status == 404, "only_for_its_client", || format!("x{number} ended another's grant"))
            }
            Purpose::SignOut { person } => {
                self.coverage.reached("sign-out everywhere");
                let (arrived, now) = (self.exchanges[number].arrived, self.happened);
                let sessions = &self.sessions;
                let mut families = self.witness.families.iter_mut();
                while let Some(family) =
                    families.find(|one| sessions[one.session].person == person && one.approved < arrived)
                {
                    family.dead.get_or_insert(now);
                }
                Ok(())
            }
        }
    }

    fn reach(&mut self, refused: &str) {
        let reached = match refused {
            "consent.ticket.browser" => "approval in another browser refused",
            "token.code.reused" => "code replay ended a grant",
            "token.code.raced" => "code race lost",
            "token.refresh.reused" => "reuse ended a grant",
            "token.refresh.over_budget" => "budget ended a grant",
            "token.refresh.ahead" => "token ahead of the store",
            "client.assertion.replayed" => "assertion replay refused",
            _ => return,
        };
        self.coverage.reached(reached);
    }

    fn judge_ending(&mut self, number: usize, family: usize, ended: bool, what: &'static str) -> Result<(), Violation> {
        self.judge_assertion(number, ended)?;
        if ended {
            self.coverage.reached(what);
            self.witness.families[family].dead.get_or_insert(self.happened);
        }
        Ok(())
    }

    /// An assertion proves one request.
    fn judge_assertion(&mut self, number: usize, accepted: bool) -> Result<(), Violation> {
        let Some(assertion) = self.exchanges[number].assertion.filter(|_| accepted) else { return Ok(()) };
        self.witness.assertions[assertion].1 += 1;
        let times = self.witness.assertions[assertion].1;
        let fell_back = self.fell_back.is_some();
        holds(times == 1 || fell_back, "an_assertion_once", || {
            format!("x{number}: assertion {assertion} for the {times}th time")
        })
    }

    fn judge_approval(&mut self, number: usize, ticket: usize, own: bool, ended: &Ended) -> Result<(), Violation> {
        let Ended::Http(answer) = ended else { return Ok(()) };
        let Some(text) = redirected(answer, "code") else { return Ok(()) };
        holds(own, "a_ticket_once", || format!("x{number}: the page T{ticket} was answered from another browser"))?;
        let known = self.witness.codes.len();
        let session = self.witness.tickets[ticket].session;
        let mut scopes = BTreeSet::from(["notes:read".to_owned()]);
        if self.sessions[session].writes {
            scopes.insert("notes:write".to_owned());
        }
        let (keys, approved) = (self.exchanges[number].keys.clone(), self.happened);
        let threatened = self.signing_out.contains(&self.sessions[session].person);
        // It may have read what was lost before it was approved: a sign-out whose number then comes again.
        let loaded = self.exchanges[number].loaded.unwrap_or_default();
        let fell_back = self.fell_back.as_ref().is_some_and(|(at, key)| loaded < *at && keys.contains(key));
        let threatened = threatened || fell_back;
        let family = Family { session, scopes, keys, approved, threatened, spoiled: false, dead: None, fell_back };
        let code = self.witness.coded(ticket, &text, || family)?;
        self.coverage.reached(if code == known { "approval" } else { "approval repeated" });
        self.log(|| format!("x{number}: code C{code} for page T{ticket}"));
        Ok(())
    }

    fn judge_redemption(&mut self, number: usize, code: usize, valid: bool, ended: &Ended) -> Result<(), Violation> {
        let Ended::Http(answer) = ended else { return Ok(()) };
        let (family, uses) = (self.witness.codes[code].family, self.witness.codes[code].uses);
        if answer.response.status != 200 {
            self.ended_by(family, answer);
            let spent = self.witness.codes[code].spent;
            self.race(number, spent, answer)?;
            let threatened = self.witness.families[family].threatened || uses > 1;
            let promised = self.exchanges[number].promised && !threatened;
            return holds(!promised, "an_honest_client_is_never_locked_out", || {
                format!("x{number}: the first redemption of C{code} is refused, {:?}", answer.refusal)
            });
        }
        self.coverage.reached("redemption");
        holds(valid, "only_for_its_client", || format!("x{number} redeems C{code} without being its client"))?;
        self.judge_assertion(number, true)?;
        self.alive(number, family, &format!("code C{code} was redeemed"))?;
        self.witness.codes[code].redeemed += 1;
        let times = self.witness.codes[code].redeemed;
        let excused = self.witness.families[family].fell_back;
        holds(times == 1 || excused, "one_code_one_family", || {
            format!("x{number}: C{code} is redeemed for the {times}nd time")
        })?;
        let asked_at = self.witness.codes[code].first_use.unwrap_or(self.now);
        self.take(number, family, answer, asked_at, false).map(|_| ())
    }

    fn judge_refresh(
        &mut self,
        number: usize,
        token: usize,
        own: bool,
        narrow: bool,
        ended: &Ended,
    ) -> Result<(), Violation> {
        let Ended::Http(answer) = ended else { return Ok(()) };
        let family = self.witness.refreshes[token].family;
        if answer.response.status != 200 {
            self.ended_by(family, answer);
            let spent = self.witness.refreshes[token].spent;
            self.race(number, spent, answer)?;
            let strict = self.plan.window() == 0 && self.witness.refreshes[token].uses > 1;
            let replayed = refusal(ended) == "client.assertion.replayed";
            let promised = self.exchanges[number].promised && !self.witness.families[family].threatened;
            return holds(!promised || strict || replayed, "an_honest_client_is_never_locked_out", || {
                format!("x{number}: a refresh with R{token} is refused, {:?}", answer.refusal)
            });
        }
        holds(own, "only_for_its_client", || format!("x{number} refreshes with R{token} without being its client"))?;
        self.judge_assertion(number, true)?;
        self.alive(number, family, &format!("R{token} was refreshed"))?;
        let asked_at = self.witness.refreshes[token].first_use.unwrap_or(self.now);
        let next = self.take(number, family, answer, asked_at, narrow)?;
        let before = self.witness.refreshes[token].successors.contains(&next);
        self.coverage.reached(if before { "refresh repeated with the same answer" } else { "refresh" });
        self.witness.refreshes[token].successors.insert(next);
        let successors = self.witness.refreshes[token].successors.clone();
        let excused = self.witness.families[family].fell_back;
        holds(successors.len() == 1 || excused, "one_current_generation", || {
            format!("x{number}: R{token} was followed by R{successors:?}")
        })
    }

    fn judge_check(&mut self, number: usize, place: usize, here: bool, ended: &Ended) -> Result<(), Violation> {
        let token = self.witness.accesses[place].clone();
        let Ended::Check(Checked::Allowed(identity)) = ended else {
            self.coverage.reached("check refused");
            let family = &self.witness.families[token.family];
            let promised = self.exchanges[number].promised && !family.threatened && !family.spoiled;
            return holds(!promised, "a_fresh_token_opens", || {
                format!("x{number}: A{place} is refused, {}", refusal(ended))
            });
        };
        self.coverage.reached("check allowed");
        holds(here, "within_what_was_approved", || format!("x{number}: A{place} opens another resource"))?;
        self.alive(number, token.family, &format!("A{place} was accepted"))?;
        let revoked = token.dead.is_some_and(|dead| dead < self.exchanges[number].arrived);
        let excused = self.witness.families[token.family].fell_back;
        holds(!revoked || excused, "nothing_lives_after_revocation", || format!("x{number}: A{place} was revoked"))?;
        let held: BTreeSet<String> = identity.scopes.iter().cloned().collect();
        let family = &self.witness.families[token.family];
        let within = held.is_subset(&token.scopes) && held.is_subset(&family.scopes) && identity.resource == HERE;
        holds(within, "within_what_was_approved", || format!("x{number}: A{place} opens {held:?}"))?;
        let client = CLIENTS[self.sessions[family.session].client];
        holds(identity.client_id == client, "only_for_its_client", || {
            format!("x{number}: A{place} is {}'s", identity.client_id)
        })
    }

    /// After its end was acknowledged, nothing of a family lives.
    fn alive(&self, number: usize, family: usize, what: &str) -> Result<(), Violation> {
        let Family { dead, fell_back, .. } = self.witness.families[family];
        let late = dead.is_some_and(|dead| dead < self.exchanges[number].arrived);
        holds(!late || fell_back, "nothing_lives_after_revocation", || {
            format!("x{number}: {what} after family F{family} had ended")
        })
    }

    /// A refusal that says that the grant was revoked.
    fn ended_by(&mut self, family: usize, answer: &Answer) {
        let revoked = ["token.code.reused", "token.refresh.reused", "token.refresh.over_budget"];
        if answer.refusal.is_some_and(|refusal| revoked.contains(&refusal)) {
            self.witness.families[family].dead.get_or_insert(self.happened);
            self.log(|| format!("family F{family} has ended"));
        }
    }

    /// What found its code or token current ends nothing: it lost a race.
    fn race(&self, number: usize, spent: Option<u64>, answer: &Answer) -> Result<(), Violation> {
        let ended = matches!(answer.refusal, Some("token.code.reused" | "token.refresh.reused"));
        let current = spent.zip(self.exchanges[number].loaded).is_some_and(|(spent, loaded)| loaded < spent);
        holds(!ended || !current, "a_race_ends_nothing", || format!("x{number} lost a race and ended the grant"))
    }

    /// An exchange has written its grant: its code or token is spent.
    pub fn wrote(&mut self, number: usize) {
        let happened = self.happened;
        match self.exchanges[number].purpose {
            Purpose::Redeem { code, .. } => _ = self.witness.codes[code].spent.get_or_insert(happened),
            Purpose::Refresh { token, .. } => _ = self.witness.refreshes[token].spent.get_or_insert(happened),
            _ => {}
        }
    }

    /// The tokens of an answer.
    fn take(
        &mut self,
        number: usize,
        family: usize,
        answer: &Answer,
        asked_at: u64,
        narrow: bool,
    ) -> Result<usize, Violation> {
        let told = tokens(answer);
        let scope = body(answer)["scope"].as_str().unwrap_or_default().to_owned();
        let scopes: BTreeSet<String> = scope.split(' ').map(str::to_owned).collect();
        let approved = &self.witness.families[family].scopes;
        let within = scopes.is_subset(approved) && (!narrow || scopes.len() == 1);
        holds(within, "within_what_was_approved", || format!("x{number}: scope {scope:?}"))?;
        let access = self.witness.token(false, &told.access, family, &scopes, asked_at);
        let refresh = self.witness.token(true, &told.refresh, family, &scopes, asked_at);
        self.log(|| format!("x{number}: A{access} and R{refresh} of family F{family}"));
        Ok(refresh)
    }

    /// The refresh that the audit tries.
    pub fn audit_call(&self, token: usize, now: u64) -> Call {
        let family = &self.witness.families[self.witness.refreshes[token].family];
        let client = self.sessions[family.session].client;
        let assertion = (CLIENTS[client] == "signer").then(|| signed(1_000_000 + token, now));
        proven(refresh(&self.witness.refreshes[token].text), client, assertion.as_deref()).call()
    }
}
