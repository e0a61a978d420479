//! The model: grants, generations and windows, and what each request comes to.

use crate::outcome::{Errors, Outcome};
use crate::policy::{PEOPLE, Policy, Scopes};
use crate::step::{Bend, Kind, Pick, Step};
use crate::variation::Variation;

/// By how much the clocks of two hosts may differ.
const SKEW_SECONDS: u64 = 60;

/// A consent page in some browser.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub(crate) client: usize,
    pub(crate) redirect: String,
    pub(crate) scopes: Scopes,
    pub(crate) resource: &'static str,
    pub(crate) state: Option<String>,
    pub(crate) browser: usize,
    pub(crate) person: usize,
    pub(crate) made_at: u64,
    pub(crate) grant: Option<usize>,
}

impl Ticket {
    /// The browser and the person that it is for.
    pub fn owner(&self) -> (usize, usize) {
        (self.browser, self.person)
    }
}

/// Where a grant is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Granted,
    Live,
    Revoked,
}

/// A generation of tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) issued_at: u64,
    pub(crate) access_end: u64,
    pub(crate) refresh_end: u64,
    pub(crate) retried: bool,
}

/// What a user approved, and what became of it.
#[derive(Clone, Debug)]
pub struct Grant {
    pub(crate) ticket: usize,
    pub(crate) client: usize,
    pub(crate) person: usize,
    pub(crate) scopes: Scopes,
    pub(crate) resource: &'static str,
    pub(crate) redirect: String,
    pub(crate) refreshes: bool,
    pub(crate) made_at: u64,
    pub(crate) counter: u64,
    pub(crate) code_end: u64,
    pub(crate) end: u64,
    pub(crate) stage: Stage,
    pub(crate) generation: Generation,
    pub(crate) streak: u64,
    /// Access tokens up to this generation are revoked.
    pub(crate) floor: u64,
    /// The time of its last change: no later decision is earlier (the clock may run backwards).
    pub(crate) last: u64,
}

/// A token that somebody has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its kind.
    pub kind: Kind,
    /// Its grant.
    pub grant: usize,
    /// Its generation; 0 for codes.
    pub generation: u64,
    /// What it may do.
    pub scopes: Scopes,
    pub(crate) end: u64,
}

/// The authorization server and its resources, as the documents describe them.
#[derive(Clone, Debug)]
pub struct Reference {
    /// What the operator chose.
    pub policy: Policy,
    /// What is deliberately wrong with this model.
    pub variation: Variation,
    /// The clock.
    pub now: u64,
    /// The consent pages.
    pub tickets: Vec<Ticket>,
    /// The grants.
    pub grants: Vec<Grant>,
    /// The tokens, in the order in which they appeared.
    pub tokens: Vec<Token>,
    pub(crate) counters: [u64; PEOPLE.len()],
    /// What came of the last step.
    pub last: Outcome,
}

/// Why a request comes to nothing, by the stage at which it is found: malformed, client, token, all else.
type Faults = [Errors; 4];

/// The errors of the first stage that has any.
pub(crate) fn first(faults: Faults) -> Result<(), Outcome> {
    faults.into_iter().find(|errors| !errors.is_empty()).map_or(Ok(()), |errors| Err(Outcome::Refused(errors)))
}

impl Reference {
    /// A server that nobody has used.
    pub fn new(policy: Policy, variation: Variation, now: u64) -> Self {
        let (tickets, grants, tokens) = (Vec::new(), Vec::new(), Vec::new());
        Self { policy, variation, now, tickets, grants, tokens, counters: [0; PEOPLE.len()], last: Outcome::Nothing }
    }

    /// Takes a step.
    pub fn take(&mut self, step: &Step) {
        let came = match step {
            Step::Wait(seconds) => {
                self.now = self.now.saturating_add_signed(*seconds);
                Ok(Outcome::Nothing)
            }
            Step::Authorize(ask) => self.authorize(ask),
            Step::Decide { page, browser, person, approve, ticked } => {
                self.decide(*page, *browser, *person, *approve, ticked)
            }
            Step::Redeem { code, client, proof, verifier, redirect, resource, twice } => {
                let client = self.sender(code, *client);
                self.redeem(code, client, *proof, *verifier, redirect.as_ref(), resource, twice.is_some())
            }
            Step::Refresh { token, client, proof, scope, resource, twice } => {
                let client = self.sender(token, *client);
                self.refresh(token, client, *proof, scope.as_deref(), resource, twice.is_some())
            }
            Step::Revoke { token, client, proof } => self.revoke(token, self.sender(token, *client), *proof),
            Step::Introspect { token, client, proof } => self.introspect(token, *client, *proof),
            Step::Check { token, resource, needs } => self.check(token.as_ref(), *resource, needs),
            Step::SignOut(person) => {
                self.counters[*person] += 1;
                Ok(Outcome::Operated(true))
            }
            Step::EndGrant { person, token } => Ok(Outcome::Operated(self.end_grant(*person, token))),
        };
        self.last = came.unwrap_or_else(|refused| refused);
    }

    /// The token that a pick means, by its place among all tokens. `None` when it is no token of ours.
    pub fn picked(&self, pick: &Pick) -> Option<usize> {
        let newest_first = self.tokens.iter().enumerate().rev().filter(|(_, token)| token.kind == pick.kind);
        let all: Vec<usize> = newest_first.map(|(place, _)| place).collect();
        all.get(pick.back.checked_rem(all.len())?).copied()
    }

    /// The consent page that a number means.
    pub fn page(&self, back: usize) -> Option<usize> {
        let newest_first = back.checked_rem(self.tickets.len())?;
        Some(self.tickets.len() - 1 - newest_first)
    }

    /// The client that sends a request about a token: the one that is named, or the token's own.
    pub fn sender(&self, pick: &Pick, named: Option<usize>) -> usize {
        let own = || self.picked(pick).map(|place| self.grants[self.tokens[place].grant].client);
        named.or_else(own).unwrap_or(0)
    }

    /// The redirect with which the grant of a token was asked for.
    pub fn redirect_of(&self, pick: &Pick) -> Option<&str> {
        self.picked(pick).map(|place| self.grants[self.tokens[place].grant].redirect.as_str())
    }

    /// The consent page that a grant came from.
    pub fn ticket_of(&self, pick: &Pick) -> Option<usize> {
        self.picked(pick).map(|place| self.grants[self.tokens[place].grant].ticket)
    }

    /// The token itself, when it is presented as it was issued.
    pub(crate) fn genuine(&self, pick: &Pick) -> Option<Token> {
        let place = self.picked(pick).filter(|_| pick.bend == Bend::Straight)?;
        self.tokens.get(place).cloned()
    }

    pub(crate) fn varies(&self, variation: Variation) -> bool {
        self.variation == variation
    }

    /// The place of a token, which appears now or was seen before.
    pub(crate) fn token(&mut self, token: Token) -> usize {
        if let Some(place) = self.tokens.iter().position(|known| *known == token) {
            return place;
        }
        self.tokens.push(token);
        self.tokens.len() - 1
    }

    // --- The life of a grant ------------------------------------------------------------------------------------------

    /// The time of a decision about a grant.
    pub(crate) fn time(&self, grant: usize) -> u64 {
        if self.varies(Variation::ClockIsBelieved) { self.now } else { self.now.max(self.grants[grant].last) }
    }

    pub(crate) fn is_dead(&self, grant: usize) -> bool {
        let signed_out = self.grants[grant].counter < self.counters[self.grants[grant].person];
        let ended = self.time(grant) >= self.grants[grant].end;
        self.grants[grant].stage == Stage::Revoked
            || (signed_out && !self.varies(Variation::SignOutForgets))
            || (ended && !self.varies(Variation::GrantsNeverEnd))
            || self.is_forgotten(grant)
    }

    /// A grant is kept as long as anything of it may still be used, and a little longer because clocks differ (D2). How long
    /// its page may be answered again is counted from its answer.
    pub(crate) fn is_forgotten(&self, grant: usize) -> bool {
        let Grant { code_end, end, stage, generation, made_at, refreshes, .. } = &self.grants[grant];
        let last_use = match stage {
            Stage::Granted => *code_end,
            Stage::Live => generation.access_end.max(if *refreshes { generation.refresh_end } else { 0 }),
            Stage::Revoked => *end,
        };
        self.now >= last_use.max(made_at + self.policy.ticket_seconds) + SKEW_SECONDS
    }

    pub(crate) fn revoke_grant(&mut self, grant: usize) {
        if self.grants[grant].stage == Stage::Revoked {
            return;
        }
        self.grants[grant].last = self.time(grant);
        self.grants[grant].stage = Stage::Revoked;
    }

    /// The next generation begins.
    pub(crate) fn advance(&mut self, grant: usize) {
        let (now, policy) = (self.time(grant), self.policy);
        let grant = &mut self.grants[grant];
        if !grant.generation.retried {
            grant.streak = 0;
        }
        grant.stage = Stage::Live;
        grant.last = now;
        grant.generation = Generation {
            number: grant.generation.number + 1,
            issued_at: now,
            access_end: grant.end.min(now + policy.access_seconds),
            refresh_end: grant.end.min(now + policy.idle_seconds),
            retried: false,
        };
    }

    /// The tokens of the current generation, for these scopes.
    pub(crate) fn answer(&mut self, grant: usize, scopes: &Scopes) -> Outcome {
        let (number, refreshes) = (self.grants[grant].generation.number, self.grants[grant].refreshes);
        let Generation { access_end, refresh_end, .. } = self.grants[grant].generation;
        let access = Token { kind: Kind::Access, grant, generation: number, scopes: scopes.clone(), end: access_end };
        let whole = self.grants[grant].scopes.clone();
        let refresh = Token { kind: Kind::Refresh, grant, generation: number, scopes: whole, end: refresh_end };
        let expires_in = access_end.saturating_sub(self.time(grant));
        let access = self.token(access);
        let refresh = refreshes.then(|| self.token(refresh));
        Outcome::Tokens { access, refresh, scopes: scopes.clone(), expires_in }
    }
}
