//! How operations end, and the refusals there are.

use crate::store::number;
use lockstep_oauth::authorization_server::operations;
use lockstep_oauth::protected_resource as resource;
use lockstep_oauth::{http, refusal};
use lockstep_oauth_bindings::identity_word;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use serde_json::{Map, Value};

/// A response to be sent as it is.
#[napi(object, object_from_js = false)]
pub(crate) struct HttpResponse {
    pub status: u16,
    /// Names and values by turns, a line each.
    pub head: String,
    pub body: Buffer,
}

pub(crate) fn response(response: http::HttpResponse) -> HttpResponse {
    let head = crate::message::head(&response, false);
    let http::HttpResponse { status, headers: _, body } = response;
    HttpResponse { status, head, body: body.into() }
}

/// Who asks, as JSON: one text crosses faster than eight members.
pub(crate) fn identity(identity: &resource::Identity) -> String {
    let resource::Identity { subject, client_id, scopes, resource, claims, grant_id, expires_at, kind } = identity;
    let kind = identity_word(*kind);
    let identity = Identity { subject, client_id, scopes, resource, claims, grant_id, expires_at: *expires_at, kind };
    // Text and numbers always have a JSON text.
    serde_json::to_string(&identity).unwrap_or_default()
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    subject: &'a str,
    client_id: &'a str,
    scopes: &'a [String],
    resource: &'a str,
    claims: &'a Map<String, Value>,
    grant_id: &'a str,
    expires_at: u64,
    kind: &'static str,
}

/// The end of an operation for a user.
#[napi(object, object_from_js = false)]
pub(crate) struct Operated {
    /// `issued`, `revoked`, `signed_out`, `not_found` or `unavailable`.
    pub kind: String,
    /// The personal access token, shown once; only when issued.
    pub token: Option<String>,
    /// Its grant; only when issued.
    pub grant_id: Option<String>,
    /// Seconds since 1970; only when issued.
    pub expires_at: Option<i64>,
}

pub(crate) fn operated(operated: &operations::Operated) -> Operated {
    let plain = |kind: &str| Operated { kind: kind.to_owned(), token: None, grant_id: None, expires_at: None };
    match operated {
        operations::Operated::Issued { token, grant_id, expires_at } => Operated {
            kind: "issued".to_owned(),
            token: Some(token.clone()),
            grant_id: Some(grant_id.clone()),
            expires_at: Some(number(*expires_at)),
        },
        operations::Operated::Revoked => plain("revoked"),
        operations::Operated::SignedOut => plain("signed_out"),
        operations::Operated::NotFound => plain("not_found"),
        operations::Operated::Unavailable => plain("unavailable"),
    }
}

/// One line of a user's list of connected apps and personal access tokens.
#[napi(object, object_from_js = false)]
pub(crate) struct GrantSummary {
    pub grant_id: String,
    /// The client; empty for a personal access token.
    pub client_id: String,
    /// The client's own name, or the token's.
    pub name: String,
    /// Whether it is a personal access token.
    pub personal: bool,
    pub scopes: Vec<String>,
    pub resources: Vec<String>,
    /// Seconds since 1970.
    pub created_at: i64,
    /// When its current generation began, in seconds since 1970.
    pub used_at: i64,
    /// Seconds since 1970.
    pub expires_at: i64,
}

impl From<operations::GrantSummary> for GrantSummary {
    fn from(summary: operations::GrantSummary) -> Self {
        let operations::GrantSummary {
            grant_id,
            client_id,
            name,
            personal,
            scopes,
            resources,
            created_at,
            used_at,
            expires_at,
        } = summary;
        let (created_at, used_at, expires_at) = (number(created_at), number(used_at), number(expires_at));
        Self { grant_id, client_id, name, personal, scopes, resources, created_at, used_at, expires_at }
    }
}

/// Why a request was refused: what the peer is told, and what the operator should know.
#[napi(object, object_from_js = false)]
pub(crate) struct Refusal {
    /// A stable id, such as `token.code.reused`.
    pub id: String,
    pub status: u16,
    /// The standard's error code.
    pub error: String,
    /// What the peer is told.
    pub sentence: String,
    /// Where the standard says so.
    pub specification: String,
    /// What to do about it.
    pub advice: String,
}

impl From<&refusal::Refusal> for Refusal {
    fn from(refusal: &refusal::Refusal) -> Self {
        let refusal::Refusal { id, status, error, sentence, specification, advice } = *refusal;
        Self {
            id: id.to_owned(),
            status,
            error: error.to_owned(),
            sentence: sentence.to_owned(),
            specification: specification.to_owned(),
            advice: advice.to_owned(),
        }
    }
}

/// The refusal of that id; undefined when there is none.
#[napi]
pub(crate) fn explain(id: String) -> Option<Refusal> {
    refusal::explain(&id).map(Refusal::from)
}

/// Every refusal there is.
#[napi]
pub(crate) fn refusals() -> Vec<Refusal> {
    refusal::ALL.iter().copied().map(Refusal::from).collect()
}
