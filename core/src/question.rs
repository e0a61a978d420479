//! What only the host can decide, as data: the questions an exchange may ask and their answers.

use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Map, Value};

/// A person, as the host knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(lockstep_model, derive(Hash))]
pub struct User {
    /// A stable identifier, unique at this issuer, at most 255 bytes.
    pub subject: String,
    /// What to call them on the consent page; the subject when empty.
    pub name: String,
    /// Claims that ride along to handlers and introspection.
    pub claims: Map<String, Value>,
}

/// Why the host is asked who the user is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SignInQuestion {
    /// Where the browser should come back to: a path and query at the issuer's origin, never a full URL.
    pub return_to: String,
    /// The client that asks.
    pub client_id: String,
    /// Its name, self-asserted.
    pub client_name: String,
    /// The scopes it asks for, once policy has been applied.
    pub scopes: Vec<String>,
    /// The resource it asks for.
    pub resource: String,
}

/// One scope as a consent page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ShownScope {
    /// The scope's name.
    pub name: String,
    /// The host's description.
    pub description: String,
    /// Whether the user may untick it.
    pub optional: bool,
}

/// Everything that a consent page shows and sends back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConsentQuestion {
    /// The client's identifier.
    pub client_id: String,
    /// Its name, self-asserted: show `client_host` beside it.
    pub client_name: String,
    /// The host of a client document's URL; empty for other clients.
    pub client_host: String,
    /// Where the answer goes: host and port, or the private-use scheme.
    pub redirect_host: String,
    /// The whole redirect URI.
    pub redirect_uri: String,
    /// Whether the answer goes to a program on the user's own machine, which anyone could be.
    pub loopback: bool,
    /// Whether the operator registered this client, so that its name can be trusted.
    pub known: bool,
    /// The resource's name, or its identifier.
    pub resource: String,
    /// What is asked for.
    pub scopes: Vec<ShownScope>,
    /// Who is signed in.
    pub user_name: String,
    /// Where the form is posted.
    pub action: String,
    /// Hidden fields that the form must send back as they are.
    pub hidden: Vec<(String, String)>,
}

/// A question to the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Who is this? Answered by `SignedIn`, `SignIn`, `Approve` or `Deny`.
    SignIn(SignInQuestion),
    /// Show this in a page of your own. Answered by `Page`, or `BuiltIn` for ours.
    Consent(ConsentQuestion),
    /// May this user's grant still be refreshed? Answered by `Allow` or `Refuse`.
    Refresh {
        /// The user.
        subject: String,
        /// The client.
        client_id: String,
        /// The grant.
        grant_id: String,
    },
    /// Whose token is this, which we did not issue? Answered by `SignedIn`, `Credential` or `Refuse`.
    Token {
        /// The token as presented.
        token: String,
    },
    /// Is there budget left? Answered by `Allow` or `Refuse`, out of one [`crate::budget::Budget`] a process.
    Admit {
        /// What is counted, such as `fetch:client.example`.
        key: String,
        /// How many are allowed in the period.
        limit: u32,
        /// The period, in seconds.
        period_seconds: u32,
    },
}

/// The host's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(lockstep_model, derive(Hash))]
pub enum Decision {
    /// This user is signed in; ask them.
    SignedIn(User),
    /// Nobody is: send the browser there, and it comes back to `return_to`.
    SignIn {
        /// A URL, or a path at the same origin.
        location: String,
    },
    /// The host asked the user itself, and they agreed.
    Approve {
        /// Who agreed.
        user: User,
        /// To which scopes; all that were asked for when `None`.
        scopes: Option<Vec<String>>,
    },
    /// The user said no.
    Deny,
    /// The host's own page.
    Page {
        /// A whole HTML document.
        html: String,
    },
    /// Use the built-in page.
    BuiltIn,
    /// Yes.
    Allow,
    /// No.
    Refuse,
    /// A credential that the host knows, with what it may do.
    Credential {
        /// Whose it is.
        user: User,
        /// What it may do.
        scopes: Vec<String>,
        /// Seconds since 1970 after which it is worthless; `None` when the host checks that each time.
        expires_at: Option<u64>,
    },
}
