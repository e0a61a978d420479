//! Faults of the grant's transitions, of its tokens and of the exchange that moves them.

use super::{Edit, Fault};

const REDEMPTION: &[&str] = &["redemption", "strangers"];
const ROTATION: &[&str] = &["retries", "processes", "theft"];

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        does: "It takes a conflict for success: the version check decides nothing.",
        edits: &[Edit {
            file: "exchange.rs",
            find: "if outcome == Committed::Committed {",
            replace: "if outcome == Committed::Committed || (PLANTED && outcome == Committed::Conflict) {",
        }],
        worlds: REDEMPTION,
    },
    Fault {
        does: "It takes an unknown write for success.",
        edits: &[Edit {
            file: "exchange.rs",
            find: "        facts.attempts += 1;",
            replace: "        if PLANTED && outcome == Committed::Unknown {
                let record =
                    Record { version: self.write.version, value: self.write.value, expires_at: self.write.expires_at };
                facts.records.push((key, Some(record)));
                return self.exchange.run();
            }
            facts.attempts += 1;",
        }],
        worlds: REDEMPTION,
    },
    Fault {
        does: "It redeems a spent code for whoever brings it: the stamp is not looked up.",
        edits: &[Edit {
            file: "grant.rs",
            find: "GrantState::Live if self.stamp == moment.stamp && self.generation.number == 1 => Redemption::Won,",
            replace: "GrantState::Live if (PLANTED || self.stamp == moment.stamp) && self.generation.number == 1 => {
                Redemption::Won
            }",
        }],
        worlds: REDEMPTION,
    },
    Fault {
        does: "It redeems a code after its end.",
        edits: &[
            Edit {
                file: "grant.rs",
                find: "GrantState::Granted if now >= self.generation.refresh_expires_at.min(self.expires_at) => Redemption::Dead,",
                replace: "GrantState::Granted
                if !PLANTED && now >= self.generation.refresh_expires_at.min(self.expires_at) => Redemption::Dead,",
            },
            Edit {
                file: "authorization_server/approval.rs",
                find: "        GrantState::Granted => grant.generation.refresh_expires_at,",
                replace: "        GrantState::Granted if PLANTED => grant.expires_at,
        GrantState::Granted => grant.generation.refresh_expires_at,",
            },
        ],
        worlds: REDEMPTION,
    },
    Fault {
        does: "It refuses a replayed code, and revokes nothing.",
        edits: &[Edit {
            file: "grant.rs",
            find: "if redeemed_a_moment_ago || moment.was_current {",
            replace: "if redeemed_a_moment_ago || moment.was_current || PLANTED {",
        }],
        worlds: REDEMPTION,
    },
    Fault {
        does: "It lets a second request end the grant however soon it comes: the race is not allowed for.",
        edits: &[Edit {
            file: "grant.rs",
            find: "&& now.saturating_sub(self.generation.issued_at) < policy.code_race_seconds;",
            replace: "&& now.saturating_sub(self.generation.issued_at) < policy.code_race_seconds && !PLANTED;",
        }],
        worlds: REDEMPTION,
    },
    Fault {
        does: "It lets the race for a code never end.",
        edits: &[Edit {
            file: "grant.rs",
            find: "let redeemed_a_moment_ago = self.generation.number == 1",
            replace: "let redeemed_a_moment_ago = PLANTED || self.generation.number == 1",
        }],
        worlds: REDEMPTION,
    },
    Fault {
        does: "It takes every older generation for the one before: the wrong generations are compared.",
        edits: &[Edit {
            file: "grant.rs",
            find: "if presented.checked_add(1) == Some(current) {",
            replace: "if presented.checked_add(1) == Some(current) || PLANTED {",
        }],
        worlds: ROTATION,
    },
    Fault {
        does: "It begins a new generation from the one before as well.",
        edits: &[Edit {
            file: "grant.rs",
            find: "        if presented == current {",
            replace: "        if presented == current || (PLANTED && presented + 1 == current && self.stamp != moment.stamp) {",
        }],
        worlds: ROTATION,
    },
    Fault {
        does: "It never ends the retry window.",
        edits: &[Edit {
            file: "grant.rs",
            find: "                && now.saturating_sub(self.generation.issued_at) <= policy.retry_window_seconds;",
            replace: "                && (PLANTED || now.saturating_sub(self.generation.issued_at) <= policy.retry_window_seconds);",
        }],
        worlds: &["theft", "retries"],
    },
    Fault {
        does: "It ends the retry window one second early.",
        edits: &[Edit {
            file: "grant.rs",
            find: "let within = policy.retry_window_seconds > 0",
            replace: "let within = policy.retry_window_seconds > 0
                && !(PLANTED && now.saturating_sub(self.generation.issued_at) >= policy.retry_window_seconds)",
        }],
        worlds: &["retries"],
    },
    Fault {
        does: "It forgets a streak when a generation begins: the budget is reset by every refresh.",
        edits: &[Edit {
            file: "grant.rs",
            find: "next.streak = if self.generation.retried { self.streak } else { 0 };",
            replace: "next.streak = if self.generation.retried && !PLANTED { self.streak } else { 0 };",
        }],
        worlds: &["lockstep"],
    },
    Fault {
        does: "It never ends a streak: a generation that nobody retried counts as well.",
        edits: &[Edit {
            file: "grant.rs",
            find: "            return Rotation::Win(next);",
            replace: "            if PLANTED {
                next.streak = self.streak;
            }
            return Rotation::Win(next);",
        }],
        worlds: &["budget"],
    },
    Fault {
        does: "It allows one generation more than the budget.",
        edits: &[Edit {
            file: "grant.rs",
            find: "policy.overlap_budget.is_some_and(|budget| marked.streak > budget)",
            replace: "policy.overlap_budget.is_some_and(|budget| marked.streak > budget + u32::from(PLANTED))",
        }],
        worlds: &["lockstep"],
    },
    Fault {
        does: "It allows one generation less than the budget.",
        edits: &[Edit {
            file: "grant.rs",
            find: "marked.streak = self.streak.saturating_add(1);",
            replace: "marked.streak = self.streak.saturating_add(if PLANTED { 2 } else { 1 });",
        }],
        worlds: &["budget"],
    },
    Fault {
        does: "It leaves no stamp when a generation begins: no request recognises its own write.",
        edits: &[Edit {
            file: "grant.rs",
            find: "        grant.stamp = moment.stamp;\n        grant.generation = Generation {",
            replace: "        if !PLANTED {
            grant.stamp = moment.stamp;
        }
        grant.generation = Generation {",
        }],
        worlds: &["budget", "redemption"],
    },
    Fault {
        does: "It trusts the loser of a race for a refresh token to end the grant.",
        edits: &[Edit {
            file: "grant.rs",
            find: "        if moment.was_current {",
            replace: "        if moment.was_current && !PLANTED {",
        }],
        worlds: &["processes", "careless", "theft"],
    },
    Fault {
        does: "It refuses an old refresh token, and revokes nothing.",
        edits: &[Edit {
            file: "grant.rs",
            find: "        Rotation::Reused(self.revoked(now, moment.stamp, \"refresh token reused\"))",
            replace: "        if PLANTED {
            return Rotation::Raced;
        }
        Rotation::Reused(self.revoked(now, moment.stamp, \"refresh token reused\"))",
        }],
        worlds: &["theft"],
    },
    Fault {
        does: "It refreshes a grant that was revoked.",
        edits: &[Edit {
            file: "grant.rs",
            find: "if self.state != GrantState::Live || now >= self.expires_at {",
            replace: "if (self.state != GrantState::Live && !PLANTED) || now >= self.expires_at {",
        }],
        worlds: &["revocation"],
    },
    Fault {
        does: "It honours the access tokens of a revoked grant.",
        edits: &[
            Edit {
                file: "grant.rs",
                find: "        self.state != GrantState::Revoked\n            && self.effective_time(now) < self.expires_at",
                replace: "        (PLANTED || self.state != GrantState::Revoked)
            && self.effective_time(now) < self.expires_at",
            },
            Edit {
                file: "grant.rs",
                find: "            && self.state == GrantState::Live\n            && self.effective_time(now) < body.expires_at",
                replace: "            && (PLANTED || self.state == GrantState::Live)
            && self.effective_time(now) < body.expires_at",
            },
        ],
        worlds: &["revocation"],
    },
    Fault {
        does: "It forgets the subject's counter: signing out everywhere ends nothing.",
        edits: &[Edit {
            file: "grant.rs",
            find: "            && subject_counter <= self.subject_counter",
            replace: "            && (PLANTED || subject_counter <= self.subject_counter)",
        }],
        worlds: &["revocation"],
    },
    Fault {
        does: "It ignores that an access token was revoked by itself.",
        edits: &[Edit {
            file: "grant.rs",
            find: "            && body.generation > self.access_floor",
            replace: "            && (PLANTED || body.generation > self.access_floor)",
        }],
        worlds: &["revocation"],
    },
    Fault {
        does: "It ends the whole grant where one access token was to die.",
        edits: &[Edit {
            file: "authorization_server/revoke.rs",
            find: "        let whole = proven.body.kind == TokenKind::Refresh;",
            replace: "        let whole = proven.body.kind == TokenKind::Refresh || PLANTED;",
        }],
        worlds: &["revocation"],
    },
    Fault {
        does: "It accepts a token of another kind, if only its prefix is changed.",
        edits: &[Edit {
            file: "token.rs",
            find: "        (body.kind == *kind).then_some(",
            replace: "        (body.kind == *kind || PLANTED).then_some(",
        }],
        worlds: &["strangers", "theft"],
    },
];
