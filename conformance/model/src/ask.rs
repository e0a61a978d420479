//! What an actor can send, as small data; the request itself is made when it is first sent.

use crate::laws::CLIENT;
use crate::node::Text;
use lockstep_conformance::fixture::{self, Draft, RESOURCE, by_assertion};
use lockstep_conformance::transcript::Call;
use lockstep_oauth::authorization_server::operations::Operation;
use serde_json::json;

/// One request. What it holds is what matters to the properties; the rest is right.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Redeems a code.
    Redeem {
        /// The code.
        code: Text,
        /// Who sends it.
        client: &'static str,
        /// What is wrong with it.
        wrong: Option<Wrong>,
    },
    /// Refreshes a token.
    Refresh {
        /// The refresh token, or what is passed off as one.
        token: Text,
        /// Who sends it.
        client: &'static str,
        /// The scope that is asked for.
        scope: Option<&'static str>,
        /// The resource that is asked for.
        resource: Option<&'static str>,
    },
    /// Revokes a token at the revocation endpoint.
    Revoke {
        /// The token.
        token: Text,
        /// Who sends it.
        client: &'static str,
    },
    /// Presents a bearer token to the protected resource.
    Check {
        /// The token.
        token: Text,
        /// The resource that is asked for.
        resource: &'static str,
    },
    /// The user ends one connection.
    EndGrant {
        /// Whose it is said to be.
        subject: &'static str,
        /// The grant.
        grant: Text,
    },
    /// The user signs out everywhere.
    SignOut {
        /// The user.
        subject: &'static str,
    },
    /// A consent page is answered.
    Consent {
        /// The browser's secret.
        cookie: Text,
        /// Who is signed in there.
        person: &'static str,
        /// The ticket of the page.
        ticket: Text,
        /// The seal of the page.
        seal: Text,
        /// The answer.
        answer: Answered,
    },
    /// The same as another request, by a client that proves itself with an assertion.
    Signed {
        /// The other request.
        inner: Box<Self>,
        /// The assertion.
        assertion: Text,
    },
    /// A registration is managed.
    Manage {
        /// The client's identifier.
        client: &'static str,
        /// The management token.
        token: Text,
        /// What is done.
        does: Managed,
    },
}

/// What a person answers on the consent page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answered {
    /// Yes, without the optional scope.
    Yes,
    /// Yes, with the optional scope ticked.
    YesAndMore,
    /// No.
    No,
}

/// What a client does with its registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Managed {
    /// It reads it.
    Read,
    /// It replaces it, with this name.
    Replace(&'static str),
    /// It deletes it.
    Delete,
}

/// What a request for tokens can get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// The verifier is another one.
    Verifier,
    /// There is no verifier.
    NoVerifier,
    /// The redirect URI is another one.
    Redirect,
    /// The resource was not approved.
    Resource,
}

/// The client that proves itself with assertions.
pub const SIGNER: &str = "signer";
/// A verifier that proves nothing here.
const OTHER_VERIFIER: &str = "0123456789012345678901234567890123456789abc";

impl Ask {
    /// The request itself.
    pub fn call(&self) -> Call {
        match self {
            Self::Check { token, resource } => {
                let mut request = fixture::bearer(token);
                request.resource = (*resource).to_owned();
                request.scopes = Vec::new();
                Call::Check(request)
            }
            Self::EndGrant { subject, grant } => {
                Call::Operate(Operation::RevokeGrant { subject: (*subject).to_owned(), grant_id: grant.to_string() })
            }
            Self::SignOut { subject } => Call::Operate(Operation::SignOutEverywhere { subject: (*subject).to_owned() }),
            _ => self.draft().call(),
        }
    }

    /// The request over HTTP.
    fn draft(&self) -> Draft {
        match self {
            Self::Redeem { code, client, wrong } => redemption(code, client, *wrong),
            Self::Refresh { token, client, scope, resource } => {
                let mut draft = fixture::refresh(token).but(&[&format!("client_id={client}")]);
                for (name, value) in [("scope", scope), ("resource", resource)] {
                    if let Some(value) = value {
                        draft = draft.but(&[&format!("{name}={value}")]);
                    }
                }
                draft
            }
            Self::Revoke { token, client } => fixture::revoke(token).but(&[&format!("client_id={client}")]),
            Self::Signed { inner, assertion } => {
                let by = by_assertion(SIGNER, assertion);
                inner.draft().but(&by.each_ref().map(String::as_str))
            }
            Self::Consent { cookie, ticket, seal, answer, .. } => {
                let decision = if *answer == Answered::No { "deny" } else { "approve" };
                let form = [("ticket", ticket.as_str()), ("seal", seal.as_str()), ("decision", decision)];
                let more = if *answer == Answered::YesAndMore { "scope=notes:write" } else { "-scope" };
                let cookie = format!("@Cookie: {}", cookie.as_str());
                Draft::new("POST", "/consent", &form).but(&[
                    "@Origin: null",
                    "@Sec-Fetch-Site: same-origin",
                    &cookie,
                    more,
                ])
            }
            Self::Manage { client, token, does } => match does {
                Managed::Read => fixture::manage("GET", client, token),
                Managed::Delete => fixture::manage("DELETE", client, token),
                Managed::Replace(name) => {
                    let metadata = json!({
                        "client_id": client, "client_name": name, "redirect_uris": [fixture::REDIRECT],
                        "token_endpoint_auth_method": "none",
                    });
                    let body = format!("!{metadata}");
                    fixture::manage("PUT", client, token).but(&["@Content-Type: application/json", &body])
                }
            },
            Self::Check { .. } | Self::EndGrant { .. } | Self::SignOut { .. } => panic!("this is no request over HTTP"),
        }
    }

    /// The refresh of a token by a client, for all that was approved.
    pub fn refresh(token: &Text, client: &'static str) -> Self {
        Self::Refresh { token: token.clone(), client, scope: None, resource: None }
    }

    /// The check of an access token at the one resource.
    pub fn check(token: &Text) -> Self {
        Self::Check { token: token.clone(), resource: RESOURCE }
    }

    /// Who is signed in before the browser that sends it.
    pub fn person(&self) -> &'static str {
        match self {
            Self::Consent { person, .. } => person,
            _ => "alice",
        }
    }

    /// Whether it matters to any law when the request began: for others that is forgotten when they end.
    pub fn is_timed(&self) -> bool {
        match self {
            Self::Redeem { client, wrong, .. } => *client == CLIENT && wrong.is_none(),
            Self::Refresh { client, .. } => *client == CLIENT,
            Self::Consent { .. } | Self::Signed { .. } => true,
            _ => false,
        }
    }

    /// Whether it ends something: then it matters when it was answered.
    pub fn is_ending(&self) -> bool {
        matches!(self, Self::Revoke { .. } | Self::EndGrant { .. } | Self::SignOut { .. })
            || matches!(self, Self::Manage { does: Managed::Delete, .. })
    }

    /// The code or token that is presented, if any.
    pub fn presented(&self) -> Option<&Text> {
        match self {
            Self::Redeem { code, .. } => Some(code),
            Self::Refresh { token, .. } | Self::Revoke { token, .. } | Self::Check { token, .. } => Some(token),
            Self::Signed { inner, .. } => inner.presented(),
            Self::EndGrant { .. } | Self::SignOut { .. } | Self::Consent { .. } | Self::Manage { .. } => None,
        }
    }
}

fn redemption(code: &Text, client: &str, wrong: Option<Wrong>) -> Draft {
    let draft = fixture::redeem(code).but(&[&format!("client_id={client}")]);
    match wrong {
        None => draft,
        Some(Wrong::Verifier) => draft.but(&[&format!("code_verifier={OTHER_VERIFIER}")]),
        Some(Wrong::NoVerifier) => draft.but(&["-code_verifier"]),
        Some(Wrong::Redirect) => draft.but(&["redirect_uri=https://client.example/other"]),
        Some(Wrong::Resource) => draft.but(&[&format!("resource={}", fixture::RESOURCE_2)]),
    }
}
