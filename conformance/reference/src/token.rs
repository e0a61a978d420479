//! The model of the token endpoint.

use crate::model::{Generation, Reference, Stage, Token, first};
use crate::outcome::{Errors, Outcome, one};
use crate::policy::{CLIENTS, ClientCard, STRANGER, Scopes};
use crate::rules;
use crate::step::{Kind, Pick, Proof, Verifier};
use crate::variation::Variation;

impl Reference {
    /// Whether the client proves who it is (O21-E6, O21-K1, K-07 to K-11).
    pub(crate) fn client_faults(&self, client: usize, proof: Proof) -> Errors {
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
    pub(crate) fn resource_faults(&self, sent: &[String], grant: usize) -> Errors {
        match sent {
            [] => Errors::new(),
            [one] if rules::resource_of(one, &self.policy) == Some(self.grants[grant].resource) => Errors::new(),
            _ => one(400, "invalid_target"),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "a request has many parts")]
    pub(crate) fn redeem(
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

    pub(crate) fn refresh(
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
        // Two uses further apart than the window are a reuse; a window of 0 repeats nothing at all.
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
    pub(crate) fn narrowed(&self, grant: usize, scope: Option<&str>) -> Result<Scopes, &'static str> {
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
}
