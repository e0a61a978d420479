//! Requests that are under way, and how they are written.

use crate::session::{CLIENTS, PEOPLE};
use lockstep_conformance::fixture::{Draft, SECRET, assertion, assertion_claims, authorize, basic, by_assertion};
use lockstep_conformance::running::{Ended, Running};
use lockstep_conformance::transcript::{Call, Transcript};
use serde_json::json;
use std::collections::BTreeSet;

/// What a request is about, as the witness knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An authorization request of a session.
    Authorize,
    /// An answer to a consent page, from the browser it was made for or from another one.
    Approve {
        /// The page.
        ticket: usize,
        /// Whether it comes from where it should.
        own: bool,
    },
    /// A redemption.
    Redeem {
        /// The code.
        code: usize,
        /// Whether the client is the code's own.
        own: bool,
        /// Whether the verifier is there.
        verified: bool,
    },
    /// A refresh.
    Refresh {
        /// The token.
        token: usize,
        /// Whether the client is the token's own.
        own: bool,
        /// Whether a narrower scope is asked for.
        narrow: bool,
    },
    /// A request to a resource.
    Check {
        /// The token.
        token: usize,
        /// Whether it is the token's own resource.
        here: bool,
    },
    /// A revocation of a refresh token.
    Revoke {
        /// The token.
        token: usize,
        /// Whether the client is the token's own.
        own: bool,
    },
    /// A revocation of an access token by its client.
    RevokeAccess {
        /// The token.
        token: usize,
    },
    /// A user ends a grant.
    EndGrant {
        /// The family.
        family: usize,
        /// Whether it is the user's own.
        own: bool,
    },
    /// A user signs out everywhere.
    SignOut {
        /// The user.
        person: usize,
    },
}

/// A request from its sending to its end.
pub struct Exchange {
    /// What it is about.
    pub purpose: Purpose,
    /// The session that waits for the answer, and which of its requests it is.
    pub waiting: Option<usize>,
    /// Which host has it.
    pub host: usize,
    /// Who is signed in where it comes from.
    pub person: usize,
    /// The call.
    pub call: Call,
    /// The assertion that proves its client.
    pub assertion: Option<usize>,
    /// The exchange, once the host has begun with it.
    pub running: Option<Running>,
    /// When it arrived, as a number of events.
    pub arrived: u64,
    /// When it arrived, in milliseconds.
    pub arrived_at: u64,
    /// When it first loaded something, as a number of events.
    pub loaded: Option<u64>,
    /// Whether the client was promised success when it arrived.
    pub promised: bool,
    /// How many commits did not succeed.
    pub failures: u32,
    /// How many commits a second writer made fail.
    pub conflicts: u32,
    /// Whether a load failed.
    pub load_failed: bool,
    /// How many steps it took.
    pub steps: u32,
    /// The keys that it loaded.
    pub keys: BTreeSet<String>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// Its transcript, when one is kept.
    pub transcript: Option<Transcript>,
}

impl Exchange {
    /// A request that has not arrived.
    pub fn new(purpose: Purpose, waiting: Option<usize>, person: usize, call: Call) -> Self {
        Self {
            purpose,
            waiting,
            host: 0,
            person,
            call,
            assertion: None,
            running: None,
            arrived: 0,
            arrived_at: 0,
            loaded: None,
            promised: false,
            failures: 0,
            conflicts: 0,
            load_failed: false,
            steps: 0,
            keys: BTreeSet::new(),
            ended: None,
            transcript: None,
        }
    }
}

/// How a client proves who it is in a form. An assertion is given, for the client that signs them.
pub fn proven(draft: Draft, client: usize, assertion: Option<&str>) -> Draft {
    let id = CLIENTS[client];
    match (id, assertion) {
        ("confidential", _) => draft.but(&["-client_id", &format!("@Authorization: {}", basic(id, SECRET))]),
        ("signer", Some(assertion)) => {
            let changes = by_assertion(id, assertion);
            draft.but(&changes.iter().map(String::as_str).collect::<Vec<&str>>())
        }
        _ => draft.but(&[&format!("client_id={id}")]),
    }
}

/// A new assertion of the client that signs them.
pub fn signed(number: usize, now: u64) -> String {
    let mut claims = assertion_claims("signer", now);
    claims["jti"] = json!(format!("assertion {number}"));
    assertion(1, &claims)
}

/// The authorization request of a session's client.
pub fn asking(client: usize, cookie: &str) -> Call {
    let scope = "scope=notes:read notes:write";
    authorize().but(&[&format!("client_id={}", CLIENTS[client]), scope, &format!("@Cookie: {cookie}")]).call()
}

/// The answer to a consent page.
pub fn approving(form: &(String, String), writes: bool, cookie: &str) -> Call {
    let fields = [("ticket", form.0.as_str()), ("seal", form.1.as_str()), ("decision", "approve")];
    let draft = Draft::new("POST", "/consent", &fields);
    let ticked = if writes { "scope=notes:write" } else { "-scope" };
    draft.but(&[ticked, "@Origin: null", "@Sec-Fetch-Site: same-origin", &format!("@Cookie: {cookie}")]).call()
}

/// A person's name.
pub fn person(place: usize) -> &'static str {
    PEOPLE[place]
}
