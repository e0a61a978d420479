//! The model: grants, generations and windows, and what each request comes to.

use crate::outcome::{Errors, Holder, Outcome, one};
use crate::policy::{CLIENTS, ClientCard, PEOPLE, Policy, RefreshRule, STRANGER, Scopes};
use crate::rules;
use crate::step::{Ask, Bend, Challenge, Kind, Pick, Proof, Step, Verifier};
use crate::variation::Variation;
use std::collections::BTreeSet;

/// By how much the clocks of two hosts may differ.
const SKEW_SECONDS: u64 = 60;

/// A consent page in some browser.
#[derive(Clone, Debug)]
pub struct Ticket {
    client: usize,
    redirect: String,
    scopes: Scopes,
    resource: &'static str,
    state: Option<String>,
    browser: usize,
    person: usize,
    made_at: u64,
    grant: Option<usize>,
}

impl Ticket {
    /// The browser and the person that it is for.
    pub fn owner(&self) -> (usize, usize) {
        (self.browser, self.person)
    }
}

/// Where a grant is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Granted,
    Live,
    Revoked,
}

/// A generation of tokens.
#[derive(Clone, Copy, Debug)]
struct Generation {
    number: u64,
    issued_at: u64,
    access_end: u64,
    refresh_end: u64,
    retried: bool,
}

/// What a user approved, and what became of it.
#[derive(Clone, Debug)]
pub struct Grant {
    ticket: usize,
    client: usize,
    person: usize,
    scopes: Scopes,
    resource: &'static str,
    redirect: String,
    refreshes: bool,
    counter: u64,
    code_end: u64,
    end: u64,
    stage: Stage,
    generation: Generation,
    streak: u64,
    /// Access tokens up to this generation are revoked.
    floor: u64,
    /// The time of its last change: no later decision is earlier (the clock may run backwards).
    last: u64,
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
    end: u64,
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
    counters: [u64; PEOPLE.len()],
    /// What came of the last step.
    pub last: Outcome,
}

/// Why a request comes to nothing, by the stage at which it is found: malformed, client, token, all else.
type Faults = [Errors; 4];

/// The errors of the first stage that has any.
fn first(faults: Faults) -> Result<(), Outcome> {
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
    fn genuine(&self, pick: &Pick) -> Option<Token> {
        let place = self.picked(pick).filter(|_| pick.bend == Bend::Straight)?;
        self.tokens.get(place).cloned()
    }

    fn varies(&self, variation: Variation) -> bool {
        self.variation == variation
    }

    // --- Authorization ------------------------------------------------------------------------------------------------

    fn authorize(&mut self, ask: &Ask) -> Result<Outcome, Outcome> {
        let card = &CLIENTS[ask.client];
        let unclear = matches!(ask.twice, Some("client_id" | "redirect_uri")) || ask.client == STRANGER;
        let Some(redirect) = ask.redirect.clone().filter(|_| !unclear) else { return Err(Outcome::Page) };
        let registered = rules::redirect_is_registered(&redirect, card.redirects)
            || (self.varies(Variation::AnyPathOfARedirect)
                && card.redirects.iter().any(|one| redirect.starts_with(one)));
        if !registered {
            return Err(Outcome::Page);
        }
        let Some(person) = ask.person else { return Err(Outcome::SignIn) };

        let mut errors = BTreeSet::new();
        // A parameter that is there twice has no value that could be returned.
        let state = ask.state.clone().filter(|state| !state.is_empty() && ask.twice != Some("state"));
        let too_long = state.as_ref().is_some_and(|state| state.len() > 2048);
        let state = state.filter(|_| !too_long);
        if too_long || ask.twice.is_some() {
            errors.insert("invalid_request");
        }
        match ask.response_type.as_deref().unwrap_or_default() {
            "code" => {}
            "" => _ = errors.insert("invalid_request"),
            _ => _ = errors.insert("unsupported_response_type"),
        }
        if ask.challenge != Challenge::Right {
            errors.insert("invalid_request");
        }
        let resource = self.asked_resource(&ask.resource);
        let scopes = self.asked_scopes(ask.scope.as_deref().unwrap_or_default());
        errors.extend(resource.err());
        errors.extend(scopes.as_ref().err());
        let (Ok(resource), Ok(scopes), true) = (resource, scopes, errors.is_empty()) else {
            return Err(Outcome::Told { any: errors, redirect, state });
        };
        let shown = scopes.clone();
        let (client, browser, made_at) = (ask.client, ask.browser, self.now);
        let ticket = Ticket { client, redirect, scopes, resource, state, browser, person, made_at, grant: None };
        self.tickets.push(ticket);
        Ok(Outcome::Consent { scopes: shown })
    }

    /// One resource a request; without any, the only one there is (CF-15).
    fn asked_resource(&self, sent: &[String]) -> Result<&'static str, &'static str> {
        match (sent, self.policy.resources()) {
            ([], [only]) => Ok(only),
            ([one], _) => rules::resource_of(one, &self.policy).ok_or("invalid_target"),
            _ => Err("invalid_target"),
        }
    }

    /// Unknown scopes are dropped unless the policy refuses them. A request that names none of what a resource knows gets
    /// the default; `offline_access` asks for refresh tokens and names nothing (O21-A6, MCP-F3).
    fn asked_scopes(&self, sent: &str) -> Result<Scopes, &'static str> {
        let mut names = rules::scope_names(sent).ok_or("invalid_scope")?;
        if self.policy.refuse_unknown_scopes && names.iter().any(|name| !rules::scope_is_known(name)) {
            return Err("invalid_scope");
        }
        names.retain(|name| rules::scope_is_known(name));
        if names.iter().all(|name| name == "offline_access") {
            names.extend(rules::default_scopes());
        }
        Ok(names)
    }

    fn decide(
        &mut self,
        page: usize,
        browser: usize,
        person: usize,
        approve: bool,
        ticked: &[&str],
    ) -> Result<Outcome, Outcome> {
        let place = self.page(page).ok_or(Outcome::Nothing)?;
        let ticket = self.tickets[place].clone();
        let timely = self.now < ticket.made_at + self.policy.ticket_seconds;
        if browser != ticket.browser || person != ticket.person || !timely {
            return Err(Outcome::Page);
        }
        let (redirect, state) = (ticket.redirect.clone(), ticket.state.clone());
        let mut scopes = ticket.scopes.clone();
        scopes.retain(|name| !rules::scope_is_optional(name) || ticked.contains(&name.as_str()));
        if !approve || scopes.is_empty() {
            return Err(Outcome::Told { any: BTreeSet::from(["access_denied"]), redirect, state });
        }
        let grant = match ticket.grant {
            None => self.grant(place, &ticket, scopes),
            Some(grant) => {
                let same = self.grants[grant].scopes == scopes && self.grants[grant].stage == Stage::Granted;
                if !same || self.is_dead(grant) {
                    return Err(Outcome::Page);
                }
                grant
            }
        };
        let end = self.grants[grant].code_end;
        let code = self.token(Token { kind: Kind::Code, grant, generation: 0, scopes: Scopes::new(), end });
        Ok(Outcome::Coded { code, redirect, state })
    }

    fn grant(&mut self, place: usize, ticket: &Ticket, scopes: Scopes) -> usize {
        let card = &CLIENTS[ticket.client];
        // No decision is earlier than what it answers.
        let now = self.now.max(ticket.made_at);
        let refreshes = match self.policy.refresh {
            RefreshRule::Never => false,
            RefreshRule::OfflineAccess => scopes.contains("offline_access"),
            RefreshRule::GrantTypes => card.refreshes || scopes.contains("offline_access"),
        };
        self.grants.push(Grant {
            ticket: place,
            client: ticket.client,
            person: ticket.person,
            scopes,
            resource: ticket.resource,
            redirect: ticket.redirect.clone(),
            refreshes,
            counter: self.counters[ticket.person],
            code_end: now + self.policy.code_seconds,
            end: now + self.policy.absolute_seconds,
            stage: Stage::Granted,
            generation: Generation { number: 0, issued_at: now, access_end: 0, refresh_end: 0, retried: false },
            streak: 0,
            floor: 0,
            last: now,
        });
        self.tickets[place].grant = Some(self.grants.len() - 1);
        self.grants.len() - 1
    }

    /// The place of a token, which appears now or was seen before.
    fn token(&mut self, token: Token) -> usize {
        if let Some(place) = self.tokens.iter().position(|known| *known == token) {
            return place;
        }
        self.tokens.push(token);
        self.tokens.len() - 1
    }

    // --- The life of a grant ------------------------------------------------------------------------------------------

    /// The time of a decision about a grant.
    fn time(&self, grant: usize) -> u64 {
        if self.varies(Variation::ClockIsBelieved) { self.now } else { self.now.max(self.grants[grant].last) }
    }

    fn is_dead(&self, grant: usize) -> bool {
        let signed_out = self.grants[grant].counter < self.counters[self.grants[grant].person];
        let ended = self.time(grant) >= self.grants[grant].end;
        self.grants[grant].stage == Stage::Revoked
            || (signed_out && !self.varies(Variation::SignOutForgets))
            || (ended && !self.varies(Variation::GrantsNeverEnd))
            || self.is_forgotten(grant)
    }

    /// A grant is kept as long as anything of it may still be used, and a little longer because clocks differ (D2).
    fn is_forgotten(&self, grant: usize) -> bool {
        let Grant { code_end, end, stage, generation, ticket, refreshes, .. } = &self.grants[grant];
        let last_use = match stage {
            Stage::Granted => *code_end,
            Stage::Live => generation.access_end.max(if *refreshes { generation.refresh_end } else { 0 }),
            Stage::Revoked => *end,
        };
        self.now >= last_use.max(self.tickets[*ticket].made_at + self.policy.ticket_seconds) + SKEW_SECONDS
    }

    fn revoke_grant(&mut self, grant: usize) {
        if self.grants[grant].stage == Stage::Revoked {
            return;
        }
        self.grants[grant].last = self.time(grant);
        self.grants[grant].stage = Stage::Revoked;
    }

    /// The next generation begins.
    fn advance(&mut self, grant: usize) {
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
    fn answer(&mut self, grant: usize, scopes: &Scopes) -> Outcome {
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

    // --- The token endpoint -------------------------------------------------------------------------------------------

    /// Whether the client proves who it is (O21-E6, O21-K1, K-07 to K-11).
    fn client_faults(&self, client: usize, proof: Proof) -> Errors {
        let ClientCard { secret, .. } = CLIENTS[client];
        let proven = match (proof, secret) {
            (Proof::Nameless, _) => return Errors::from([(401, "invalid_client"), (400, "invalid_request")]),
            _ if client == STRANGER => false,
            (Proof::Right, _) | (Proof::Posted, Some(_)) | (Proof::NameAlone, None) => true,
            (Proof::Posted | Proof::Wrong, _) | (Proof::NameAlone, Some(_)) => false,
        };
        if proven { Errors::new() } else { one(401, "invalid_client") }
    }

    /// Whether a `resource` at the token endpoint is the grant's own (RI-5).
    fn resource_faults(&self, sent: &[String], grant: usize) -> Errors {
        match sent {
            [] => Errors::new(),
            [one] if rules::resource_of(one, &self.policy) == Some(self.grants[grant].resource) => Errors::new(),
            _ => one(400, "invalid_target"),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "a request has many parts")]
    fn redeem(
        &mut self,
        code: &Pick,
        client: usize,
        proof: Proof,
        verifier: Verifier,
        redirect: Option<&Option<String>>,
        resource: &[String],
        twice: bool,
    ) -> Result<Outcome, Outcome> {
        let malformed = if twice { one(400, "invalid_request") } else { Errors::new() };
        first([malformed, self.client_faults(client, proof), Errors::new(), Errors::new()])?;
        let denied = || Outcome::Refused(one(400, "invalid_grant"));
        let Some(Token { kind: Kind::Code, grant, .. }) = self.genuine(code) else { return Err(denied()) };
        if self.grants[grant].client != client {
            return Err(denied());
        }
        let mut faults = self.resource_faults(resource, grant);
        if self.is_dead(grant) {
            faults.insert((400, "invalid_grant"));
            return Err(Outcome::Refused(faults));
        }
        let verified = verifier == Verifier::Right
            || (self.varies(Variation::VerifierIsOptional) && verifier == Verifier::Missing);
        if !verified {
            faults.insert((400, "invalid_grant"));
        }
        let directed = match redirect {
            None | Some(None) => true,
            // Sent without a value is as good as not sent (O21-E2).
            Some(Some(sent)) => sent.is_empty() || *sent == self.grants[grant].redirect,
        };
        if !directed {
            faults.insert((400, "invalid_grant"));
        }
        if self.grants[grant].stage != Stage::Granted {
            // CF-8: only a replay that is otherwise valid ends the grant.
            let valid = faults.is_empty() || self.varies(Variation::AnyReplayRevokes);
            let Generation { number, issued_at, .. } = self.grants[grant].generation;
            let raced = number == 1 && self.time(grant) < issued_at + self.policy.code_race_seconds;
            if valid && !raced && !self.varies(Variation::ReplayIsForgiven) {
                self.revoke_grant(grant);
            }
            faults.insert((400, "invalid_grant"));
            return Err(Outcome::Refused(faults));
        }
        if self.time(grant) >= self.grants[grant].code_end {
            faults.insert((400, "invalid_grant"));
        }
        first([Errors::new(), Errors::new(), Errors::new(), faults])?;
        self.advance(grant);
        let scopes = self.grants[grant].scopes.clone();
        Ok(self.answer(grant, &scopes))
    }

    fn refresh(
        &mut self,
        token: &Pick,
        client: usize,
        proof: Proof,
        scope: Option<&str>,
        resource: &[String],
        twice: bool,
    ) -> Result<Outcome, Outcome> {
        let malformed = if twice { one(400, "invalid_request") } else { Errors::new() };
        first([malformed, self.client_faults(client, proof), Errors::new(), Errors::new()])?;
        let denied = || Outcome::Refused(one(400, "invalid_grant"));
        let Some(Token { kind: Kind::Refresh, grant, generation, end, .. }) = self.genuine(token) else {
            return Err(denied());
        };
        if self.grants[grant].client != client && !self.varies(Variation::AnyClientRefreshes) {
            return Err(denied());
        }
        let scopes = self.narrowed(grant, scope);
        let mut faults = self.resource_faults(resource, grant);
        faults.extend(scopes.as_ref().err().map(|error| (400, *error)));
        let otherwise_valid = faults.is_empty();
        if self.is_dead(grant) {
            faults.insert((400, "invalid_grant"));
            return Err(Outcome::Refused(faults));
        }
        let current = self.grants[grant].generation;
        // Two uses further apart than the window are a reuse (section 5); a window of 0 repeats nothing at all.
        let window = self.policy.retry_window_seconds;
        let windowed = window > 0 && self.time(grant) <= current.issued_at + window;
        let repeats = generation + 1 == current.number
            && (windowed || self.varies(Variation::WindowNeverEnds))
            && !self.varies(Variation::NoWindow);
        if generation != current.number && !repeats {
            // However old it is, and CF-8 holds here too: checks that fail write nothing, so only a reuse that is otherwise
            // valid ends the grant.
            if otherwise_valid && !self.varies(Variation::ReuseIsForgiven) {
                self.revoke_grant(grant);
            }
            faults.insert((400, "invalid_grant"));
            return Err(Outcome::Refused(faults));
        }
        if self.time(grant) >= end && !self.varies(Variation::IdleForEver) {
            faults.insert((400, "invalid_grant"));
        }
        let Ok(scopes) = scopes else { return Err(Outcome::Refused(faults)) };
        first([Errors::new(), Errors::new(), Errors::new(), faults])?;
        if repeats {
            if !current.retried {
                self.grants[grant].generation.retried = true;
                self.grants[grant].streak += 1;
                self.grants[grant].last = self.time(grant);
                let over = self.policy.overlap_budget.is_some_and(|budget| self.grants[grant].streak > budget);
                if over && !self.varies(Variation::NoBudget) {
                    self.revoke_grant(grant);
                    return Err(denied());
                }
            }
        } else {
            self.advance(grant);
            if self.varies(Variation::NarrowingStays) {
                self.grants[grant].scopes = scopes.clone();
            }
        }
        Ok(self.answer(grant, &scopes))
    }

    /// The scopes of a refresh: a part of what was granted, and all of it when none is named (O21-R2).
    fn narrowed(&self, grant: usize, scope: Option<&str>) -> Result<Scopes, &'static str> {
        let granted = &self.grants[grant].scopes;
        let names = rules::scope_names(scope.unwrap_or_default()).ok_or("invalid_scope")?;
        if names.is_empty() {
            return Ok(granted.clone());
        }
        if self.varies(Variation::WiderScopeIsCut) {
            return Ok(names.intersection(granted).cloned().collect());
        }
        if names.is_subset(granted) { Ok(names) } else { Err("invalid_scope") }
    }

    // --- Revocation and introspection ---------------------------------------------------------------------------------

    fn revoke(&mut self, token: &Pick, client: usize, proof: Proof) -> Result<Outcome, Outcome> {
        first([Errors::new(), self.client_faults(client, proof), Errors::new(), Errors::new()])?;
        let Some(Token { kind, grant, generation, .. }) = self.genuine(token) else { return Ok(Outcome::Revoked) };
        if self.grants[grant].client != client || self.is_forgotten(grant) {
            return Ok(Outcome::Revoked);
        }
        match kind {
            Kind::Access if !self.varies(Variation::AccessRevocationEndsGrant) => {
                if self.grants[grant].floor < generation && self.grants[grant].stage == Stage::Live {
                    self.grants[grant].floor = generation;
                    self.grants[grant].last = self.time(grant);
                }
            }
            Kind::Access | Kind::Refresh => self.revoke_grant(grant),
            // RFC 7009 knows two kinds of token. A code alone must not end a grant (O21-A12).
            Kind::Code => {}
        }
        Ok(Outcome::Revoked)
    }

    fn introspect(&mut self, token: &Pick, client: usize, proof: Proof) -> Result<Outcome, Outcome> {
        let mut faults = self.client_faults(client, proof);
        if faults.is_empty() && CLIENTS[client].secret.is_none() {
            faults = one(401, "invalid_client");
        }
        first([Errors::new(), faults, Errors::new(), Errors::new()])?;
        Ok(self.holder(token).map_or(Outcome::Inactive, Outcome::Active))
    }

    /// Whom a live access token stands for.
    fn holder(&self, pick: &Pick) -> Option<Holder> {
        let token = self.genuine(pick)?;
        let shown = token.kind == Kind::Access
            || (token.kind == Kind::Refresh && self.varies(Variation::RefreshTokensOpenDoors));
        let grant = &self.grants[token.grant];
        let live = !self.is_dead(token.grant) && self.time(token.grant) < token.end && token.generation > grant.floor;
        (shown && live).then(|| Holder {
            grant: token.grant,
            client: CLIENTS[grant.client].id,
            subject: PEOPLE[grant.person],
            scopes: token.scopes,
            resource: grant.resource,
            expires_at: token.end,
        })
    }

    fn check(&mut self, token: Option<&Pick>, resource: usize, needs: &[&str]) -> Result<Outcome, Outcome> {
        let Some(token) = token else { return Err(Outcome::Challenged(one(401, ""))) };
        let resource = self.policy.resources()[resource % self.policy.resources().len()];
        let here = |holder: &Holder| holder.resource == resource || self.varies(Variation::AnyAudience);
        let Some(holder) = self.holder(token).filter(here) else {
            return Err(Outcome::Challenged(one(401, "invalid_token")));
        };
        if needs.iter().all(|needed| rules::scopes_cover(&holder.scopes, needed)) {
            Ok(Outcome::Allowed(holder))
        } else {
            Err(Outcome::Challenged(one(403, "insufficient_scope")))
        }
    }

    /// Whether this user has a grant of that token, which then ends if it has not ended before.
    fn end_grant(&mut self, person: usize, token: &Pick) -> bool {
        let Some(grant) = self.picked(token).map(|place| self.tokens[place].grant) else { return false };
        if self.grants[grant].person != person || self.is_forgotten(grant) {
            return false;
        }
        self.revoke_grant(grant);
        true
    }
}
