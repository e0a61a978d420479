//! The model of revocation, introspection, the bearer check and the end of a grant by its user.

use crate::model::{Reference, Stage, Token, first};
use crate::outcome::{Errors, Holder, Outcome, one};
use crate::policy::{CLIENTS, PEOPLE};
use crate::rules;
use crate::step::{Kind, Pick, Proof};
use crate::variation::Variation;

impl Reference {
    pub(crate) fn revoke(&mut self, token: &Pick, client: usize, proof: Proof) -> Result<Outcome, Outcome> {
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

    pub(crate) fn introspect(&mut self, token: &Pick, client: usize, proof: Proof) -> Result<Outcome, Outcome> {
        let mut faults = self.client_faults(client, proof);
        if faults.is_empty() && CLIENTS[client].secret.is_none() {
            faults = one(401, "invalid_client");
        }
        first([Errors::new(), faults, Errors::new(), Errors::new()])?;
        Ok(self.holder(token).map_or(Outcome::Inactive, Outcome::Active))
    }

    /// Whom a live access token stands for.
    pub(crate) fn holder(&self, pick: &Pick) -> Option<Holder> {
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

    pub(crate) fn check(&mut self, token: Option<&Pick>, resource: usize, needs: &[&str]) -> Result<Outcome, Outcome> {
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
    pub(crate) fn end_grant(&mut self, person: usize, token: &Pick) -> bool {
        let Some(grant) = self.picked(token).map(|place| self.tokens[place].grant) else { return false };
        if self.grants[grant].person != person || self.is_forgotten(grant) {
            return false;
        }
        self.revoke_grant(grant);
        true
    }
}
