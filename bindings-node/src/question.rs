//! Questions to the host, and its decisions.

use crate::misuse;
use crate::store::number;
use lockstep_oauth::question::{self, User};
use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// One scope as a consent page shows it.
#[napi(object, object_from_js = false)]
pub(crate) struct ShownScope {
    pub name: String,
    /// What the app may do with it, in the user's words.
    pub description: String,
    /// Whether the user may untick it.
    pub optional: bool,
}

/// One hidden input of the consent form.
#[napi(object, object_from_js = false)]
pub(crate) struct HiddenInput {
    pub name: String,
    pub value: String,
}

/// Who is this?
#[napi(object, object_from_js = false)]
pub(crate) struct SignInQuestion {
    /// Where the browser must come back to once somebody is signed in: a path at the issuer's origin.
    pub return_to: String,
    pub client_id: String,
    pub client_name: String,
    pub scopes: Vec<String>,
    pub resource: String,
}

/// Show this in a page of your own: a form that posts the hidden inputs, and `decision` (`approve` or `deny`), to `action`.
#[napi(object, object_from_js = false)]
pub(crate) struct ConsentQuestion {
    pub client_id: String,
    pub client_name: String,
    /// The host that the client's identifier names; empty when it names none.
    pub client_host: String,
    /// Where the answer goes.
    pub redirect_host: String,
    pub redirect_uri: String,
    /// Whether the answer goes to a program on the user's own machine.
    pub loopback: bool,
    /// Whether you registered the client by hand.
    pub known: bool,
    pub resource: String,
    pub scopes: Vec<ShownScope>,
    pub user_name: String,
    pub action: String,
    pub hidden: Vec<HiddenInput>,
}

/// May this user's grant still be refreshed?
#[napi(object, object_from_js = false)]
pub(crate) struct RefreshQuestion {
    pub subject: String,
    pub client_id: String,
    pub grant_id: String,
}

/// What an exchange asks: exactly one of these.
#[napi(object, object_from_js = false)]
#[derive(Default)]
pub(crate) struct Question {
    pub sign_in: Option<SignInQuestion>,
    pub consent: Option<ConsentQuestion>,
    pub refresh: Option<RefreshQuestion>,
    /// Whose token is this, which we did not issue?
    pub token: Option<String>,
    /// Is there budget left? The driver answers it.
    pub admit: Option<Admission>,
}

/// What a budget counts.
#[napi(object, object_from_js = false)]
pub(crate) struct Admission {
    pub key: String,
    pub limit: u32,
    pub period_seconds: u32,
}

pub(crate) fn present(question: &question::Question) -> Question {
    match question.clone() {
        question::Question::SignIn(question::SignInQuestion {
            return_to,
            client_id,
            client_name,
            scopes,
            resource,
        }) => {
            let question = SignInQuestion { return_to, client_id, client_name, scopes, resource };
            Question { sign_in: Some(question), ..Question::default() }
        }
        question::Question::Consent(question) => {
            Question { consent: Some(present_consent(question)), ..Question::default() }
        }
        question::Question::Refresh { subject, client_id, grant_id } => {
            let question = RefreshQuestion { subject, client_id, grant_id };
            Question { refresh: Some(question), ..Question::default() }
        }
        question::Question::Token { token } => Question { token: Some(token), ..Question::default() },
        question::Question::Admit { key, limit, period_seconds } => {
            Question { admit: Some(Admission { key, limit, period_seconds }), ..Question::default() }
        }
    }
}

fn present_consent(question: question::ConsentQuestion) -> ConsentQuestion {
    let question::ConsentQuestion {
        client_id,
        client_name,
        client_host,
        redirect_host,
        redirect_uri,
        loopback,
        known,
        resource,
        scopes,
        user_name,
        action,
        hidden,
    } = question;
    let shown = |question::ShownScope { name, description, optional }| ShownScope { name, description, optional };
    ConsentQuestion {
        client_id,
        client_name,
        client_host,
        redirect_host,
        redirect_uri,
        loopback,
        known,
        resource,
        scopes: scopes.into_iter().map(shown).collect(),
        user_name,
        action,
        hidden: hidden.into_iter().map(|(name, value)| HiddenInput { name, value }).collect(),
    }
}

/// The host's answer to a question.
#[napi(object, object_to_js = false)]
pub(crate) struct Decision {
    /// `signed_in`, `sign_in`, `approve`, `deny`, `page`, `built_in`, `allow`, `refuse` or `credential`.
    pub kind: String,
    /// For `signed_in`, `approve` and `credential`.
    pub user: Option<DecidedUser>,
    /// For `approve` (all when undefined) and `credential`.
    pub scopes: Option<Vec<String>>,
    /// For `sign_in`.
    pub location: Option<String>,
    /// For `page`: a whole HTML document.
    pub html: Option<String>,
    /// For `credential`: seconds since 1970; undefined when the host checks that each time.
    pub expires_at: Option<i64>,
}

/// A person, as the host knows them.
#[napi(object, object_to_js = false)]
pub(crate) struct DecidedUser {
    pub subject: String,
    pub name: String,
    /// A JSON object, as text.
    pub claims: String,
}

impl Decision {
    pub(crate) fn to_core(&self) -> Result<question::Decision> {
        let Self { kind, user, scopes, location, html, expires_at } = self;
        Ok(match kind.as_str() {
            "signed_in" => question::Decision::SignedIn(must(read_user(user)?, "user")?),
            "sign_in" => question::Decision::SignIn { location: must(location.clone(), "location")? },
            "approve" => question::Decision::Approve { user: must(read_user(user)?, "user")?, scopes: scopes.clone() },
            "deny" => question::Decision::Deny,
            "page" => question::Decision::Page { html: must(html.clone(), "html")? },
            "built_in" => question::Decision::BuiltIn,
            "allow" => question::Decision::Allow,
            "refuse" => question::Decision::Refuse,
            "credential" => question::Decision::Credential {
                user: must(read_user(user)?, "user")?,
                scopes: must(scopes.clone(), "scopes")?,
                expires_at: expires_at
                    .map(|at| {
                        u64::try_from(at).map_err(|_| misuse("expiresAt", "seconds since 1970, and not negative"))
                    })
                    .transpose()?,
            },
            _ => return Err(misuse("decided", "this kind of decision is not known")),
        })
    }
}

fn must<T>(value: Option<T>, name: &str) -> Result<T> {
    value.ok_or_else(|| misuse(&format!("decision.{name}"), "this kind of decision needs it"))
}

fn read_user(user: &Option<DecidedUser>) -> Result<Option<User>> {
    let Some(DecidedUser { subject, name, claims }) = user else { return Ok(None) };
    let claims = crate::server::claims(claims, "user.claims")?;
    Ok(Some(User { subject: subject.clone(), name: name.clone(), claims }))
}

/// A request to another server, with its limits.
#[napi(object, object_from_js = false)]
pub(crate) struct FetchRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<Header>,
    pub body: napi::bindgen_prelude::Buffer,
    /// The most bytes of body to read; one more means failure.
    pub limit_bytes: i64,
    /// The time for the whole fetch, in milliseconds.
    pub timeout_ms: i64,
    /// What the budget counts when a fetch really starts.
    pub admission: Admission,
    /// `public` or `public_or_loopback`: the rule to ask `addressPermitted` about every resolved address.
    pub addresses: String,
}

/// A header to send.
#[napi(object, object_from_js = false)]
pub(crate) struct Header {
    pub name: String,
    pub value: String,
}

pub(crate) fn present_fetch(request: &lockstep_oauth::http::FetchRequest) -> FetchRequest {
    let lockstep_oauth::http::FetchRequest {
        method,
        url,
        headers,
        body,
        limit_bytes,
        timeout_ms,
        admission,
        addresses,
    } = request.clone();
    let lockstep_oauth::http::Admission { key, limit, period_seconds } = admission;
    FetchRequest {
        method,
        url,
        headers: headers.into_iter().map(|(name, value)| Header { name, value }).collect(),
        body: body.into(),
        limit_bytes: i64::try_from(limit_bytes).unwrap_or(i64::MAX),
        timeout_ms: number(timeout_ms),
        admission: Admission { key, limit, period_seconds },
        addresses: lockstep_oauth_bindings::address_word(addresses).to_owned(),
    }
}
