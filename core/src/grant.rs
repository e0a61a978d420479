//! The heart: the grant's transitions, as pure functions of its record.
//!
//! ```text
//! ticket (sealed, not stored) --approve--> Granted --redeem--> Live(1) --rotate--> Live(2) ...
//!                                             +-- code replayed, old refresh token, revoked --> Revoked (terminal)
//! ```
//!
//! Every function reads a record and returns what should follow; nothing here writes. A verdict that carries a grant
//! takes effect only when the conditional write of that grant does.

pub use crate::grant_record::{Generation, Grant, GrantState};
use crate::keys::KeyId;
use crate::token::{Body, ProvenToken, TokenKind};
use alloc::string::{String, ToString};

/// How often a streak of retried generations is reported.
pub const STREAK_REPORT: u32 = 24;
/// The longest retry window that may be configured, in seconds.
pub const RETRY_WINDOW_LIMIT_SECONDS: u64 = 60;

/// The parts of the configuration that a transition needs. All times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrantPolicy {
    /// A code presented again within this time of its redemption is refused without revoking; 0 is strict.
    pub code_race_seconds: u64,
    /// A refresh token presented again within this time of its rotation gets the same answer; 0 is strict.
    pub retry_window_seconds: u64,
    /// How many generations in a row may be presented again; `None` for any number.
    pub overlap_budget: Option<u32>,
    /// How long an access token lives.
    pub access_seconds: u64,
    /// How long a refresh token may lie unused.
    pub idle_seconds: u64,
}

/// Who is deciding, and when.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// Seconds since 1970, from the exchange's `Env`.
    pub now: u64,
    /// Names this exchange in the record.
    pub stamp: [u8; 8],
    /// The server key that signs now.
    pub key: KeyId,
    /// The key that signs JWTs now; empty when access tokens are opaque.
    pub jwt_kid: String,
    /// Whether this exchange once saw its code or token current or repeatable. Such an exchange never revokes for its
    /// token's age: it lost a race, which is no theft. Only an `overlap_budget` counts lost races, and may revoke.
    pub was_current: bool,
}

/// What becomes of a code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Redemption {
    /// It is current: write this, then answer from it.
    Win(Grant),
    /// This exchange has already won; answer from the record.
    Won,
    /// Spent a moment ago, or by another exchange while this one ran: refuse.
    Raced,
    /// Spent before: write this, then refuse.
    Replayed(Grant),
    /// Too late, or the grant is dead: refuse.
    Dead,
}

/// What becomes of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// It is current: write this, then answer from it.
    Win(Grant),
    /// The successor may be given out again; answer from the record.
    Repeat,
    /// The same, and this is the first retry of that generation: write this, then answer from it.
    Mark(Grant),
    /// Refuse; another exchange of the same token won while this one ran.
    Raced,
    /// An old token: write this, then refuse.
    Reused(Grant),
    /// The streak of retried generations exceeds the budget: write this, then refuse.
    OverBudget(Grant),
    /// Genuine but ahead of the record: the store went back in time. Refuse, tell the operator, revoke nothing.
    Ahead,
    /// Too late, or the grant is dead: refuse.
    Dead,
}

impl Grant {
    /// The time of a decision: never before the record's own last time.
    pub fn effective_time(&self, now: u64) -> u64 {
        now.max(self.last_at)
    }

    /// Whether the grant can still give or hold anything at `now`, its subject's counter included.
    pub fn is_alive(&self, now: u64, subject_counter: u64) -> bool {
        self.state != GrantState::Revoked
            && self.effective_time(now) < self.expires_at
            && subject_counter <= self.subject_counter
    }

    /// Redeems the code. All checks of client, redirect, resource and verifier have passed.
    pub fn redeem(&self, moment: &Moment, policy: &GrantPolicy) -> Redemption {
        let now = self.effective_time(moment.now);
        match self.state {
            GrantState::Revoked => Redemption::Dead,
            GrantState::Granted if now >= self.generation.refresh_expires_at.min(self.expires_at) => Redemption::Dead,
            GrantState::Granted => Redemption::Win(self.next(1, now, moment, policy)),
            GrantState::Live if self.stamp == moment.stamp && self.generation.number == 1 => Redemption::Won,
            GrantState::Live => {
                let redeemed_a_moment_ago = self.generation.number == 1
                    && now.saturating_sub(self.generation.issued_at) < policy.code_race_seconds;
                if redeemed_a_moment_ago || moment.was_current {
                    Redemption::Raced
                } else {
                    Redemption::Replayed(self.revoked(now, moment.stamp, "code replayed"))
                }
            }
        }
    }

    /// Rotates the refresh token of generation `presented`. All checks of client and proof have passed.
    pub fn rotate(&self, presented: u32, moment: &Moment, policy: &GrantPolicy) -> Rotation {
        let now = self.effective_time(moment.now);
        let current = self.generation.number;
        if self.state != GrantState::Live || now >= self.expires_at {
            return Rotation::Dead;
        }
        if presented > current {
            return Rotation::Ahead;
        }
        if presented == current {
            if now >= self.generation.refresh_expires_at {
                return Rotation::Dead;
            }
            let Some(number) = current.checked_add(1) else { return Rotation::Dead };
            let mut next = self.next(number, now, moment, policy);
            // A generation that nobody retried ends the streak.
            next.streak = if self.generation.retried { self.streak } else { 0 };
            return Rotation::Win(next);
        }
        if presented.checked_add(1) == Some(current) {
            if self.stamp == moment.stamp {
                return Rotation::Repeat;
            }
            // At most the window: the second in which it ends still counts.
            let within = policy.retry_window_seconds > 0
                && now.saturating_sub(self.generation.issued_at) <= policy.retry_window_seconds;
            if within {
                return self.retried(now, moment, policy);
            }
        }
        if moment.was_current {
            return Rotation::Raced;
        }
        Rotation::Reused(self.revoked(now, moment.stamp, "refresh token reused"))
    }

    /// The first retry of a generation marks it, without touching the stamp: the winner must still recognise its write.
    fn retried(&self, now: u64, moment: &Moment, policy: &GrantPolicy) -> Rotation {
        if self.generation.retried {
            return Rotation::Repeat;
        }
        let mut marked = self.clone();
        marked.generation.retried = true;
        marked.streak = self.streak.saturating_add(1);
        marked.last_at = now;
        if policy.overlap_budget.is_some_and(|budget| marked.streak > budget) {
            return Rotation::OverBudget(self.revoked(now, moment.stamp, "retries over budget"));
        }
        Rotation::Mark(marked)
    }

    /// The grant, dead. Revoking twice keeps the first reason.
    #[must_use]
    pub fn revoked(&self, now: u64, stamp: [u8; 8], because: &str) -> Self {
        let mut grant = self.clone();
        if grant.state != GrantState::Revoked {
            grant.state = GrantState::Revoked;
            grant.revoked_because = because.to_string();
        }
        grant.last_at = self.effective_time(now);
        grant.stamp = stamp;
        grant
    }

    /// The grant with the access tokens of `generation` and before it dead; refresh survives.
    #[must_use]
    pub fn access_revoked(&self, generation: u32, now: u64, stamp: [u8; 8]) -> Self {
        let mut grant = self.clone();
        grant.access_floor = grant.access_floor.max(generation);
        grant.last_at = self.effective_time(now);
        grant.stamp = stamp;
        grant
    }

    /// Whether a proven access or personal token is live. The subject's counter is checked with [`Grant::is_alive`].
    pub(crate) fn honours(&self, token: &ProvenToken, now: u64) -> bool {
        let body = &token.body;
        let is_current = body.generation == self.generation.number;
        let kind_fits = match body.kind {
            TokenKind::Access => !self.is_personal(),
            TokenKind::Personal => self.is_personal(),
            TokenKind::Code | TokenKind::Refresh => false,
        };
        kind_fits
            && self.state == GrantState::Live
            && self.effective_time(now) < body.expires_at
            && (1..=self.generation.number).contains(&body.generation)
            && body.generation > self.access_floor
            && (!is_current || token.key == self.generation.key)
            && self.resources.len() > usize::from(body.resource)
    }

    /// Whether a proven refresh token or code was derived by the key that its generation should have.
    pub(crate) fn key_fits(&self, token: &ProvenToken) -> bool {
        token.body.generation != self.generation.number || token.key == self.generation.key
    }

    fn next(&self, number: u32, now: u64, moment: &Moment, policy: &GrantPolicy) -> Self {
        let access_expires_at = now.saturating_add(policy.access_seconds).min(self.expires_at);
        let idle_expires_at = now.saturating_add(policy.idle_seconds).min(self.expires_at);
        let mut grant = self.clone();
        grant.state = GrantState::Live;
        grant.last_at = now;
        grant.stamp = moment.stamp;
        grant.generation = Generation {
            number,
            key: moment.key,
            issued_at: now,
            access_expires_at,
            // Without refresh tokens nothing outlives the access token, and neither should the record.
            refresh_expires_at: if self.refreshable { idle_expires_at } else { access_expires_at },
            retried: false,
            jwt_kid: moment.jwt_kid.clone(),
        };
        grant
    }

    /// The body of a token of the current generation.
    pub(crate) fn body(
        &self,
        kind: TokenKind,
        id: [u8; 16],
        subject: [u8; 16],
        client: Option<[u8; 16]>,
        resource: u8,
        scopes: u64,
    ) -> Body {
        let expires_at = match kind {
            TokenKind::Access | TokenKind::Personal => self.generation.access_expires_at,
            TokenKind::Code | TokenKind::Refresh => self.generation.refresh_expires_at,
        };
        Body { kind, grant: id, subject, client, generation: self.generation.number, resource, scopes, expires_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// A live grant in generation 3 whose first generation's access tokens are dead.
    fn grant(client: &str) -> Grant {
        let salt = crate::crypto::base64url(&[0; 32]);
        let text = format!(
            r#"{{"v":1,"st":"live","cl":"{client}","su":"s","sp":["a"],"rs":["https://h/mcp"],"sa":"{salt}","ct":0,"ex":900,
            "g":{{"n":3,"k":"AAAAAA","at":100,"ax":400,"rx":900}},"af":1,"lt":100,"sm":"AAAAAAAAAAA"}}"#
        );
        Grant::decode(text.as_bytes()).unwrap()
    }

    fn token(kind: TokenKind) -> ProvenToken {
        let grant = grant("c");
        ProvenToken { key: grant.generation.key, body: grant.body(kind, [1; 16], [2; 16], None, 0, 1) }
    }

    #[test]
    fn an_access_token_is_honoured_for_what_its_record_says() {
        let (grant, access) = (grant("c"), token(TokenKind::Access));
        assert!(grant.honours(&access, 399) && !grant.honours(&access, 400));
        assert!(!Grant { state: GrantState::Granted, ..grant.clone() }.honours(&access, 200));
        let of = |change: fn(&mut ProvenToken)| {
            let mut changed = access.clone();
            change(&mut changed);
            grant.honours(&changed, 200)
        };
        assert!(of(|token| token.body.generation = 2) && !of(|token| token.body.generation = 1));
        assert!(!of(|token| token.body.generation = 0) && !of(|token| token.body.generation = 4));
        assert!(!of(|token| token.body.resource = 1));
        // A token of the current generation carries the record's key; an older one may carry the key before.
        assert!(!of(|token| token.key = [1; 4]));
        assert!(of(|token| (token.key, token.body.generation) = ([1; 4], 2)));
    }

    #[test]
    fn a_record_fits_one_kind_of_token() {
        let (client, personal) = (grant("c"), grant(""));
        for (kind, by_client, by_user) in [
            (TokenKind::Access, true, false),
            (TokenKind::Personal, false, true),
            (TokenKind::Refresh, false, false),
            (TokenKind::Code, false, false),
        ] {
            assert_eq!(client.honours(&token(kind), 200), by_client, "{kind:?}");
            assert_eq!(personal.honours(&token(kind), 200), by_user, "{kind:?}");
        }
    }

    #[test]
    fn a_current_refresh_token_carries_the_records_key() {
        let (grant, mut refresh) = (grant("c"), token(TokenKind::Refresh));
        assert!(grant.key_fits(&refresh));
        refresh.key = [1; 4];
        assert!(!grant.key_fits(&refresh));
        refresh.body.generation = 2;
        assert!(grant.key_fits(&refresh));
    }
}
