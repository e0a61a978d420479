//! Faults that were thought of when the worlds stood: each showed whether a law was missing.

use super::{Edit, Fault};

const TOKEN: &str = "authorization_server/token.rs";
const REVOKE: &str = "authorization_server/revoke.rs";

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        does: "It ends younger access tokens where an older one was to die.",
        edits: &[Edit {
            file: REVOKE,
            find: "grant.access_revoked(proven.body.generation, now, stamp)",
            replace: "{
                let last = if PLANTED { grant.generation.number } else { proven.body.generation };
                grant.access_revoked(last, now, stamp)
            }",
        }],
        worlds: &["revocation"],
    },
    Fault {
        does: "It ends nothing when a client revokes with an older refresh token.",
        edits: &[Edit {
            file: REVOKE,
            find: "        let (now, stamp) = (scene.env.now, scene.stamp());",
            replace: "        let refresh = proven.body.kind == TokenKind::Refresh;
        if PLANTED && refresh && proven.body.generation != grant.generation.number {
            return ok(facts);
        }
        let (now, stamp) = (scene.env.now, scene.stamp());",
        }],
        worlds: &["revocation"],
    },
    Fault {
        does: "It opens codes where refresh tokens belong, as they are: a spent code then passes for the generation before the first.",
        edits: &[Edit {
            file: TOKEN,
            find: "&config.issuer_hash, &[kind], text);",
            replace: "&config.issuer_hash, &[kind, if PLANTED { TokenKind::Code } else { kind }], text);",
        }],
        worlds: &["redemption"],
    },
    Fault {
        does: "It counts the retry window from the latest retry.",
        edits: &[Edit {
            file: "grant.rs",
            find: "        marked.generation.retried = true;",
            replace: "        marked.generation.retried = true;
        if PLANTED {
            marked.generation.issued_at = now;
        }",
        }],
        worlds: &["retries"],
    },
    Fault {
        does: "It takes the record that it could not write for the one that is stored.",
        edits: &[Edit {
            file: TOKEN,
            find: "written.take().filter(|written| written.value == record.value)",
            replace: "written.take().filter(|written| PLANTED || written.value == record.value)",
        }],
        worlds: &["processes"],
    },
    Fault {
        does: "It signs access tokens that live as long as the refresh token.",
        edits: &[Edit {
            file: "authorization_server/mint.rs",
            find: "\"exp\": generation.access_expires_at,",
            replace: "\"exp\": if PLANTED { generation.refresh_expires_at } else { generation.access_expires_at },",
        }],
        worlds: &["signed"],
    },
];
