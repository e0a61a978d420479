//! The endpoints by name.

use alloc::string::String;

/// Which endpoint a path belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// Authorization server metadata.
    Metadata,
    /// Protected resource metadata of the resource at that index.
    ResourceMetadata(usize),
    /// A document that the host supplied, by index.
    Document(usize),
    /// The authorization endpoint.
    Authorize,
    /// Where the consent form is posted, and where a user comes back to after signing in.
    Consent,
    /// The built-in sign-in.
    SignIn,
    /// The token endpoint.
    Token,
    /// The revocation endpoint.
    Revoke,
    /// The introspection endpoint.
    Introspect,
    /// The registration endpoint.
    Register,
    /// The management endpoint of one registration.
    Manage(String),
    /// The JWT keys.
    Jwks,
}
