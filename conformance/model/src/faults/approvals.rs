//! Faults of what leads up to a grant and goes along with it: consent, client authentication, keys, registrations.

use super::{Edit, Fault};

const TICKET: &str = "authorization_server/ticket.rs";
const CONSENT: &str = "authorization_server/consent.rs";
const APPROVAL: &str = "authorization_server/approval.rs";
const AUTHENTICATION: &str = "authorization_server/clients/authentication.rs";
const MANAGE: &str = "authorization_server/manage.rs";
const CONSENTS: &[&str] = &["approval"];
const ASSERTIONS: &[&str] = &["assertion"];
const REGISTRATIONS: &[&str] = &["registration"];

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        does: "It accepts a ticket in another browser.",
        edits: &[Edit {
            file: TICKET,
            find: "        if !crate::secret::same(browser.as_bytes(), ticket.browser.as_bytes()) {",
            replace: "        if !crate::secret::same(browser.as_bytes(), ticket.browser.as_bytes()) && !PLANTED {",
        }],
        worlds: CONSENTS,
    },
    Fault {
        does: "It accepts a ticket after its end.",
        edits: &[Edit {
            file: TICKET,
            find: "        if scene.env.now >= ticket.expires_at {",
            replace: "        if scene.env.now >= ticket.expires_at && !PLANTED {",
        }],
        worlds: CONSENTS,
    },
    Fault {
        does: "It lets another user answer the page.",
        edits: &[Edit {
            file: CONSENT,
            find: "        if seal.subject != user.subject {",
            replace: "        if seal.subject != user.subject && !PLANTED {",
        }],
        worlds: CONSENTS,
    },
    Fault {
        does: "It accepts the seal of another page.",
        edits: &[Edit {
            file: TICKET,
            find: "        if crate::secret::same(seal.ticket.as_bytes(), hash(ticket).as_bytes()) { Ok(seal) } else { Err(invalid()) }",
            replace: "        if PLANTED || crate::secret::same(seal.ticket.as_bytes(), hash(ticket).as_bytes()) {
            Ok(seal)
        } else {
            Err(invalid())
        }",
        }],
        worlds: CONSENTS,
    },
    Fault {
        does: "It grants an optional scope that the user did not tick.",
        edits: &[Edit {
            file: CONSENT,
            find: "!is_optional(scene, name) || ticked.contains(&name.as_str());",
            replace: "!is_optional(scene, name) || ticked.contains(&name.as_str()) || PLANTED;",
        }],
        worlds: CONSENTS,
    },
    Fault {
        does: "It gives the code to a second answer that approves something else.",
        edits: &[Edit {
            file: APPROVAL,
            find: "            && grant.scopes == approval.scopes",
            replace: "            && (PLANTED || grant.scopes == approval.scopes)",
        }],
        worlds: CONSENTS,
    },
    Fault {
        does: "It makes a second grant from a ticket that was used.",
        edits: &[Edit {
            file: APPROVAL,
            find: "    if let Some(record) = facts.live(&grant_key, scene.env.now)? {",
            replace: "    if let Some(record) = facts.live(&grant_key, scene.env.now)?
        && !(PLANTED && Grant::decode(&record.value).is_some_and(|grant| grant.stamp != scene.stamp()))
    {",
        }],
        worlds: CONSENTS,
    },
    Fault {
        does: "It gives a code once more when the code was redeemed.",
        edits: &[Edit {
            file: APPROVAL,
            find: "        let same = grant.state == GrantState::Granted",
            replace: "        let same = (PLANTED || grant.state == GrantState::Granted)",
        }],
        worlds: CONSENTS,
    },
    Fault {
        does: "It takes a no for a yes.",
        edits: &[Edit {
            file: CONSENT,
            find: "            Some(\"deny\") => Ok(denied(scene, facts, &ticket)),",
            replace: "            Some(\"deny\") if PLANTED => {
                let scopes = seal.shown.clone();
                approval::approve(scene, facts, Approval { client: &client, ticket: &ticket, user: &user, scopes })
            }
            Some(\"deny\") => Ok(denied(scene, facts, &ticket)),",
        }],
        worlds: CONSENTS,
    },
    Fault {
        does: "It accepts an assertion twice: what was seen is not looked up.",
        edits: &[Edit {
            file: AUTHENTICATION,
            find: "            Some(record) if record.value != spend_value(scene) => {",
            replace: "            Some(record) if !PLANTED && record.value != spend_value(scene) => {",
        }],
        worlds: ASSERTIONS,
    },
    Fault {
        does: "It never writes down that an assertion was used.",
        edits: &[Edit {
            file: AUTHENTICATION,
            find: "        if facts.live(&spend.key, scene.env.now)?.is_some() {",
            replace: "        if facts.live(&spend.key, scene.env.now)?.is_some() || PLANTED {",
        }],
        worlds: ASSERTIONS,
    },
    Fault {
        does: "It writes down that an assertion was used, and does not wait whether it could.",
        edits: &[Edit {
            file: AUTHENTICATION,
            find: "        let previous = facts.stored(&spend.key)?;
        let (key, value) = (spend.key.clone(), spend_value(scene));",
            replace: "        let previous = facts.stored(&spend.key)?;
        let (key, value) = (spend.key.clone(), spend_value(scene));
        if PLANTED {
            if facts.settled(&key) {
                return Ok(());
            }
            let write =
                Write::over(previous, key, value, spend.remember_until, Labels::default(), &scene.env.entropy);
            return Err(Pause::Cache(write));
        }",
        }],
        worlds: ASSERTIONS,
    },
    Fault {
        does: "It remembers that a client has used an assertion, but not which.",
        edits: &[Edit {
            file: AUTHENTICATION,
            find: "    let length = (client_id.len() as u64).to_be_bytes();",
            replace: "    let length = (client_id.len() as u64).to_be_bytes();
    let jti = if PLANTED { \"\" } else { jti };",
        }],
        worlds: ASSERTIONS,
    },
    Fault {
        does: "It accepts an assertion more than a minute after its end.",
        edits: &[Edit {
            file: AUTHENTICATION,
            find: "        leeway_seconds: LEEWAY_SECONDS,",
            replace: "        leeway_seconds: if PLANTED { LEEWAY_SECONDS + 1 } else { LEEWAY_SECONDS },",
        }],
        worlds: ASSERTIONS,
    },
    Fault {
        does: "It accepts assertions without looking at their signature.",
        edits: &[Edit {
            file: AUTHENTICATION,
            find: "    match (&client.authentication, &presented.proof) {",
            replace: "    if PLANTED && matches!(presented.proof, Proof::Assertion(_)) {
        return Ok(VerifiedClient { client, spend: None });
    }
    match (&client.authentication, &presented.proof) {",
        }],
        worlds: ASSERTIONS,
    },
    Fault {
        does: "It lets a client that has keys come without an assertion.",
        edits: &[Edit {
            file: AUTHENTICATION,
            find: "        (Authentication::None, Proof::None) => Ok(VerifiedClient { client, spend: None }),",
            replace: "        (Authentication::None, Proof::None) => Ok(VerifiedClient { client, spend: None }),
        (_, Proof::None) if PLANTED => Ok(VerifiedClient { client, spend: None }),",
        }],
        worlds: ASSERTIONS,
    },
    Fault {
        does: "It accepts what a retired key has made.",
        edits: &[Edit {
            file: "keys.rs",
            find: "self.key(id).filter(|key| now < key.verifies_until)",
            replace: "self.key(id).filter(|key| PLANTED || now < key.verifies_until)",
        }],
        worlds: &["keys"],
    },
    Fault {
        does: "It signs with a new key before its time, when not every host has it.",
        edits: &[Edit {
            file: "keys.rs",
            find: "        let signs = |key: &&ServerKey| key.signs_from <= now && now < key.verifies_until;",
            replace: "        let signs = |key: &&ServerKey| (PLANTED || key.signs_from <= now) && now < key.verifies_until;",
        }],
        worlds: &["keys"],
    },
    Fault {
        does: "It repeats an answer with the key that signs now, and not with the one that the record names.",
        edits: &[Edit {
            file: "authorization_server/mint.rs",
            find: "    let key = server.ring.key(&grant.generation.key)?;
    let derive",
            replace: "    let key = if PLANTED { server.ring.signing(scene.env.now)? } else { server.ring.key(&grant.generation.key)? };
    let derive",
        }],
        worlds: &["keys"],
    },
    Fault {
        does: "It keeps the client of a deleted registration alive.",
        edits: &[
            Edit {
                file: "authorization_server/clients/registered.rs",
                find: "    let seen = seen.filter(|seen| seen.v == 1 && !seen.deleted);",
                replace: "    let seen = seen.filter(|seen| seen.v == 1 && (!seen.deleted || PLANTED));",
            },
        ],
        worlds: REGISTRATIONS,
    },
    Fault {
        does: "It lets the access tokens of a deleted registration pass.",
        edits: &[Edit {
            file: "authorization_server/clients/registered.rs",
            find: "    Ok(life.is_none_or(|life| life.deleted))",
            replace: "    Ok(life.is_none_or(|life| life.deleted && !PLANTED))",
        }],
        worlds: REGISTRATIONS,
    },
    Fault {
        does: "It lets an update bring a deleted registration back.",
        edits: &[
            Edit {
                file: MANAGE,
                find: "        if stored.deleted {",
                replace: "        if stored.deleted && (own || !PLANTED) {",
            },
            Edit {
                file: MANAGE,
                find: "                next.metadata = metadata;",
                replace: "                next.deleted &= !PLANTED;
                next.metadata = metadata;",
            },
        ],
        worlds: REGISTRATIONS,
    },
    Fault {
        does: "It opens a registration to any management token.",
        edits: &[Edit {
            file: MANAGE,
            find: "        if !crate::secret::same(stored.management_hash.as_bytes(), hash(token).as_bytes()) {",
            replace: "        if !crate::secret::same(stored.management_hash.as_bytes(), hash(token).as_bytes()) && !PLANTED {",
        }],
        worlds: REGISTRATIONS,
    },
    Fault {
        does: "It answers an update with what another request has written.",
        edits: &[Edit {
            file: MANAGE,
            find: "        let own = stored.stamp == stamp;
        if stored.deleted",
            replace: "        let own = stored.stamp == stamp || (PLANTED && stored.text(\"client_name\") != Some(\"Self Made\"));
        if stored.deleted",
        }],
        worlds: REGISTRATIONS,
    },
    Fault {
        does: "It takes a token that is ahead of the record for a stolen one.",
        edits: &[Edit {
            file: "grant.rs",
            find: "            return Rotation::Ahead;",
            replace: "            if PLANTED {
                return Rotation::Reused(self.revoked(now, moment.stamp, \"refresh token reused\"));
            }
            return Rotation::Ahead;",
        }],
        worlds: &["failover"],
    },
    Fault {
        does: "It refreshes a token that is ahead of the record.",
        edits: &[Edit {
            file: "grant.rs",
            find: "        if presented > current {",
            replace: "        if PLANTED && presented > current {
            return Rotation::Win(self.next(presented + 1, now, moment, policy));
        }
        if presented > current {",
        }],
        worlds: &["failover"],
    },
    Fault {
        does: "It lets an access token live as long as the grant.",
        edits: &[
            Edit {
                file: "protected_resource/check.rs",
                find: "        if now >= opened.body.expires_at {",
                replace: "        if now >= opened.body.expires_at && !PLANTED {",
            },
            Edit {
                file: "grant.rs",
                find: "            && self.effective_time(now) < body.expires_at\n",
                replace: "            && (PLANTED || self.effective_time(now) < body.expires_at)\n",
            },
        ],
        worlds: &["lifetimes"],
    },
    Fault {
        does: "It refreshes a token that has lain unused for too long.",
        edits: &[Edit {
            file: "grant.rs",
            find: "            if now >= self.generation.refresh_expires_at {",
            replace: "            if now >= self.generation.refresh_expires_at && !PLANTED {",
        }],
        worlds: &["lifetimes"],
    },
    Fault {
        does: "It lets a grant live on as long as it is refreshed.",
        edits: &[
            Edit {
                file: "grant.rs",
                find: "let idle_expires_at = now.saturating_add(policy.idle_seconds).min(self.expires_at);",
                replace: "let idle_expires_at =
            now.saturating_add(policy.idle_seconds).min(if PLANTED { u64::MAX } else { self.expires_at });",
            },
            Edit {
                file: "grant.rs",
                find: "        let mut grant = self.clone();\n        grant.state = GrantState::Live;",
                replace: "        let mut grant = self.clone();
        if PLANTED {
            grant.expires_at = now.saturating_add(policy.idle_seconds);
        }
        grant.state = GrantState::Live;",
            },
        ],
        worlds: &["lifetimes"],
    },
];
