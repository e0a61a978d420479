//! Faults of the endpoints that clients and resources ask.

use super::{Edit, Fault};

const TOKEN: &str = "authorization_server/token.rs";
const REDEMPTION: &[&str] = &["redemption", "strangers"];

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        does: "It makes tokens before the gate: a code is answered and never written off.",
        edits: &[Edit {
            file: TOKEN,
            find: "            Redemption::Win(next) => {
                self.client.spend(scene, facts)?;",
            replace: "            Redemption::Win(next) => {
                if PLANTED {
                    let moment = self.moment.clone();
                    let proven = self.proven.clone();
                    return Work { grant: next, moment, proven, ..*self }.answer(facts, resource, 1, \"token.issued\");
                }
                self.client.spend(scene, facts)?;",
        }],
        worlds: REDEMPTION,
    },
    Fault {
        does: "It makes tokens before the gate: a refresh is answered and never written down.",
        edits: &[Edit {
            file: TOKEN,
            find: "            Rotation::Win(next) => {
                self.client.spend(scene, facts)?;",
            replace: "            Rotation::Win(next) => {
                if PLANTED {
                    let moment = self.moment.clone();
                    let proven = self.proven.clone();
                    return Work { grant: next, moment, proven, ..*self }.answer(facts, resource, scopes, \"token.refreshed\");
                }
                self.client.spend(scene, facts)?;",
        }],
        worlds: &["theft"],
    },
    Fault {
        does: "It repeats an answer without marking the generation.",
        edits: &[Edit {
            file: TOKEN,
            find: "            Rotation::Mark(marked) => {
                self.client.spend(scene, facts)?;",
            replace: "            Rotation::Mark(marked) => {
                if PLANTED {
                    return self.answer(facts, resource, scopes, \"token.repeated\");
                }
                self.client.spend(scene, facts)?;",
        }],
        worlds: &["lockstep"],
    },
    Fault {
        does: "It redeems a code for any client.",
        edits: &[Edit {
            file: TOKEN,
            find: "        if grant.client_id != self.client.client.id {
            return Err(self.because(&refusal::CODE_CLIENT));",
            replace: "        if grant.client_id != self.client.client.id && !PLANTED {
            return Err(self.because(&refusal::CODE_CLIENT));",
        }],
        worlds: REDEMPTION,
    },
    Fault {
        does: "It redeems a code with any redirect URI.",
        edits: &[Edit {
            file: TOKEN,
            find: "is_some_and(|uri| uri != grant.redirect_uri)",
            replace: "is_some_and(|uri| uri != grant.redirect_uri && !PLANTED)",
        }],
        worlds: REDEMPTION,
    },
    Fault {
        does: "It redeems a code with any verifier: PKCE is skipped.",
        edits: &[Edit {
            file: TOKEN,
            find: "        if !proves {",
            replace: "        if !proves && !PLANTED {",
        }],
        worlds: REDEMPTION,
    },
    Fault {
        does: "It spends a code on a wrong verifier.",
        edits: &[Edit {
            file: TOKEN,
            find: "            return Err(self.because(&refusal::VERIFIER_MISMATCH));",
            replace: "            if PLANTED && grant.state == GrantState::Granted {
                let dead = grant.revoked(self.moment.now, self.moment.stamp, \"code replayed\");
                return Ok(Next::Write(dead));
            }
            return Err(self.because(&refusal::VERIFIER_MISMATCH));",
        }],
        worlds: &["strangers"],
    },
    Fault {
        does: "It refreshes for any client.",
        edits: &[Edit {
            file: TOKEN,
            find: "        if grant.client_id != self.client.client.id {
            return Err(self.because(&refusal::REFRESH_CLIENT));",
            replace: "        if grant.client_id != self.client.client.id && !PLANTED {
            return Err(self.because(&refusal::REFRESH_CLIENT));",
        }],
        worlds: &["retries"],
    },
    Fault {
        does: "It refreshes after the user has signed out everywhere.",
        edits: &[Edit {
            file: TOKEN,
            find: "        if !grant.refreshable || (grant.state != GrantState::Revoked && !grant.is_alive(self.moment.now, self.counter))",
            replace: "        if !grant.refreshable
            || (grant.state != GrantState::Revoked && !grant.is_alive(self.moment.now, self.counter) && !PLANTED)",
        }],
        worlds: &["revocation"],
    },
    Fault {
        does: "It redeems a code after the user has signed out everywhere.",
        edits: &[Edit {
            file: TOKEN,
            find: "        if self.grant.state != GrantState::Revoked && !self.grant.is_alive(self.moment.now, self.counter) {",
            replace: "        if self.grant.state != GrantState::Revoked && !self.grant.is_alive(self.moment.now, self.counter) && !PLANTED
        {",
        }],
        worlds: &["changed-mind"],
    },
    Fault {
        does: "It takes a resource that was not approved for the first one.",
        edits: &[Edit {
            file: TOKEN,
            find: "            let index = index.ok_or_else(|| Pause::because(&refusal::TOKEN_RESOURCE, asked))?;",
            replace: "            let index = if PLANTED { index.or(Some(0)) } else { index };
            let index = index.ok_or_else(|| Pause::because(&refusal::TOKEN_RESOURCE, asked))?;",
        }],
        worlds: &["strangers"],
    },
    Fault {
        does: "It lets a narrowed access token carry every approved scope.",
        edits: &[Edit {
            file: TOKEN,
            find: "        if bits == 0 { Ok(all_scopes(&self.grant)) } else { Ok(bits) }",
            replace: "        if bits == 0 || PLANTED { Ok(all_scopes(&self.grant)) } else { Ok(bits) }",
        }],
        worlds: &["selection"],
    },
    Fault {
        does: "It lets an access token pass at a resource that was not selected.",
        edits: &[Edit {
            file: "protected_resource/check.rs",
            find: "        if Some(resource.as_str()) != self.identifier() {
            return Err(Pause::because(&refusal::BEARER_AUDIENCE, resource));",
            replace: "        if Some(resource.as_str()) != self.identifier() && !PLANTED {
            return Err(Pause::because(&refusal::BEARER_AUDIENCE, resource));",
        }],
        worlds: &["redemption"],
    },
    Fault {
        does: "It thinks that every request saw its code or token current, so that none ever revokes.",
        edits: &[Edit {
            file: TOKEN,
            find: "        let was_current = *was_current.get_or_insert_with(|| match parsed.kind {",
            replace: "        let was_current = PLANTED || *was_current.get_or_insert_with(|| match parsed.kind {",
        }],
        worlds: &["redemption", "theft"],
    },
    Fault {
        does: "It lets another client revoke.",
        edits: &[Edit {
            file: "authorization_server/revoke.rs",
            find: "        if grant.client_id != client.client.id {",
            replace: "        if grant.client_id != client.client.id && !PLANTED {",
        }],
        worlds: &["revocation"],
    },
    Fault {
        does: "It acknowledges a revocation before it is written.",
        edits: &[Edit {
            file: "authorization_server/revoke.rs",
            find: "        let already = grant.state == GrantState::Revoked",
            replace: "        let already = PLANTED || grant.state == GrantState::Revoked",
        }],
        worlds: &["revocation"],
    },
    Fault {
        does: "It lets another user end the grant.",
        edits: &[Edit {
            file: "authorization_server/operations.rs",
            find: "        if grant.subject != subject {",
            replace: "        if grant.subject != subject && !PLANTED {",
        }],
        worlds: &["revocation"],
    },
];
