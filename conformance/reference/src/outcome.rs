//! What comes of a step, as classes that a peer can tell apart.

use crate::policy::Scopes;
use std::collections::BTreeSet;

/// Errors of which any may be told: a request that is wrong twice may be refused for either reason.
pub type Errors = BTreeSet<(u16, &'static str)>;

/// What the model says must come of a step. Tokens, pages and grants are named by the order in which they appeared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is sent.
    Nothing,
    /// A page that redirects nowhere.
    Page,
    /// The browser is sent away to sign in.
    SignIn,
    /// The client is told one of these errors, by its redirect.
    Told {
        /// The errors.
        any: BTreeSet<&'static str>,
        /// Where.
        redirect: String,
        /// `state`.
        state: Option<String>,
    },
    /// A consent page.
    Consent {
        /// What it asks for.
        scopes: Scopes,
    },
    /// A code, by the client's redirect.
    Coded {
        /// The code.
        code: usize,
        /// Where.
        redirect: String,
        /// `state`.
        state: Option<String>,
    },
    /// Tokens.
    Tokens {
        /// The access token.
        access: usize,
        /// The refresh token.
        refresh: Option<usize>,
        /// What the access token may do.
        scopes: Scopes,
        /// How long it lives.
        expires_in: u64,
    },
    /// A JSON error.
    Refused(Errors),
    /// A revocation's 200.
    Revoked,
    /// Introspection: active.
    Active(Holder),
    /// Introspection: inactive.
    Inactive,
    /// The gate opens.
    Allowed(Holder),
    /// The gate does not open: status and `error`, which is empty when none is told.
    Challenged(Errors),
    /// An operation found what it was about, or not.
    Operated(bool),
}

/// What a live access token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The grant.
    pub grant: usize,
    /// The client.
    pub client: &'static str,
    /// The user.
    pub subject: &'static str,
    /// The scopes.
    pub scopes: Scopes,
    /// The resource.
    pub resource: &'static str,
    /// Seconds since 1970.
    pub expires_at: u64,
}

/// One error.
pub fn one(status: u16, error: &'static str) -> Errors {
    Errors::from([(status, error)])
}
