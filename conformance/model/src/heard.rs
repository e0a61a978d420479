//! What an answer says to those who hear it.

use crate::node::{Node, Text, text};
use lockstep_conformance::fixture::{body, redirected};
use lockstep_conformance::running::Ended;
use lockstep_oauth::authorization_server::operations::Operated;
use lockstep_oauth::protected_resource::Checked;
use serde_json::Value;

/// The end of an exchange: what the peer is told, and the refusal that the operator is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Heard {
    /// The status; 200 for an operation that did what was asked.
    pub status: u16,
    /// The refusal's id, where the request was refused.
    pub refusal: Option<&'static str>,
    /// An access token.
    pub access: Option<Text>,
    /// A refresh token.
    pub refresh: Option<Text>,
    /// A code.
    pub code: Option<Text>,
    /// The scope that the answer names, or that the check found.
    pub scope: String,
    /// The name of the registration that the answer describes.
    pub name: String,
    /// The resource that the check found.
    pub resource: String,
}

impl Heard {
    /// Reads the end of an exchange.
    pub fn of(ended: &Ended) -> Node<Self> {
        let heard = match ended {
            Ended::Http(answer) => {
                let body = body(answer);
                let member = |name: &str| body.get(name).and_then(Value::as_str);
                Self {
                    status: answer.response.status,
                    refusal: answer.refusal,
                    access: member("access_token").map(text),
                    refresh: member("refresh_token").map(text),
                    code: redirected(answer, "code").as_deref().map(text),
                    scope: member("scope").unwrap_or_default().to_owned(),
                    name: member("client_name").unwrap_or_default().to_owned(),
                    resource: String::new(),
                }
            }
            Ended::Check(Checked::Allowed(identity)) => Self {
                status: 200,
                scope: identity.scopes.join(" "),
                resource: identity.resource.clone(),
                ..Self::default()
            },
            Ended::Check(Checked::Refused(answer)) => {
                Self { status: answer.response.status, refusal: answer.refusal, ..Self::default() }
            }
            Ended::Operate(outcome) => match &outcome.operated {
                Operated::Unavailable => Self { status: 503, ..Self::default() },
                Operated::NotFound => Self { status: 404, ..Self::default() },
                Operated::Issued { token, .. } => Self { status: 200, access: Some(text(token)), ..Self::default() },
                Operated::Revoked | Operated::SignedOut => Self { status: 200, ..Self::default() },
            },
        };
        Node::new(heard)
    }

    /// Whether what was asked was done.
    pub fn is_success(&self) -> bool {
        matches!(self.status, 200 | 204) || self.code.is_some()
    }

    /// Whether the host's world broke: the peer may try again, and nothing is decided.
    pub fn is_unavailable(&self) -> bool {
        self.status >= 500
    }
}
