//! What an operator has decided, as the model understands it: lives, windows, clients, scopes and resources.

use std::collections::BTreeSet;

/// The issuer.
pub const ISSUER: &str = "https://as.example";
/// The protected resources: the first alone, or both. The second has an alias and an empty path.
pub const RESOURCES: [&str; 2] = ["https://mcp.example/mcp", "https://api.example"];
/// Another spelling of the second resource that the operator accepts.
pub const ALIAS: &str = "https://old.example/api";

/// One scope.
#[derive(Clone, Copy, Debug)]
pub struct ScopeCard {
    /// Its name.
    pub name: &'static str,
    /// Whether the user may leave it out.
    pub optional: bool,
    /// Whether a request that names no scope gets it.
    pub default: bool,
    /// What it includes.
    pub implies: &'static [&'static str],
}

/// The scopes, in the operator's order.
pub const SCOPES: [ScopeCard; 5] = [
    ScopeCard { name: "notes:read", optional: false, default: true, implies: &[] },
    ScopeCard { name: "notes:write", optional: true, default: false, implies: &["notes:read"] },
    ScopeCard { name: "notes:admin", optional: false, default: false, implies: &["notes:write"] },
    ScopeCard { name: "profile", optional: true, default: true, implies: &[] },
    ScopeCard { name: "offline_access", optional: false, default: false, implies: &[] },
];

/// One client.
#[derive(Clone, Copy, Debug)]
pub struct ClientCard {
    /// Its identifier.
    pub id: &'static str,
    /// Its redirects.
    pub redirects: &'static [&'static str],
    /// Its secret; none makes it a public client.
    pub secret: Option<&'static str>,
    /// Whether it may use refresh tokens.
    pub refreshes: bool,
}

/// The clients. The last one is known to nobody.
pub const CLIENTS: [ClientCard; 6] = [
    ClientCard {
        id: "web",
        redirects: &["https://client.example/cb", "https://client.example/cb?tenant=1"],
        secret: None,
        refreshes: true,
    },
    ClientCard {
        id: "native",
        redirects: &["http://127.0.0.1/cb", "http://localhost:8080/cb", "http://[::1]/cb"],
        secret: None,
        refreshes: true,
    },
    ClientCard { id: "server", redirects: &["https://client.example/cb"], secret: Some(SECRET), refreshes: true },
    ClientCard { id: "brief", redirects: &["https://brief.example/cb"], secret: None, refreshes: false },
    ClientCard { id: "desk", redirects: &["com.example.desk:/cb"], secret: None, refreshes: true },
    ClientCard { id: "stranger", redirects: &["https://evil.example/cb"], secret: None, refreshes: true },
];
/// The index of the client that nobody knows.
pub const STRANGER: usize = 5;
/// The index of the client that has a secret and may introspect.
pub const SERVER: usize = 2;
/// Its secret.
pub const SECRET: &str = "the secret of the server client";
/// The people.
pub const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

/// When a grant has refresh tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshRule {
    /// When the client may use them.
    GrantTypes,
    /// When `offline_access` was approved.
    OfflineAccess,
    /// Never.
    Never,
}

/// The numbers that an operator chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Life of a code, in seconds.
    pub code_seconds: u64,
    /// Life of a consent page, in seconds.
    pub ticket_seconds: u64,
    /// Life of an access token, in seconds.
    pub access_seconds: u64,
    /// Life of an unused refresh token, in seconds.
    pub idle_seconds: u64,
    /// Life of a grant, in seconds.
    pub absolute_seconds: u64,
    /// A repeated code within them ends no grant.
    pub code_race_seconds: u64,
    /// A refresh may be repeated within them.
    pub retry_window_seconds: u64,
    /// How many generations in a row may be repeated; any number when none.
    pub overlap_budget: Option<u64>,
    /// Whether there is a second resource.
    pub two_resources: bool,
    /// When a grant has refresh tokens.
    pub refresh: RefreshRule,
    /// Whether unknown scopes are refused rather than dropped.
    pub refuse_unknown_scopes: bool,
}

impl Policy {
    /// The resources of this policy.
    pub fn resources(&self) -> &'static [&'static str] {
        if self.two_resources { &RESOURCES } else { &RESOURCES[..1] }
    }
}

/// A set of scope names.
pub type Scopes = BTreeSet<String>;
