//! Responses: the same headers and shapes at every endpoint.

use super::page;
use super::route::Route;
use super::rule::{Answer, Ending, Pause, Scene};
use crate::exchange::{Act, Facts};
use crate::http::HttpResponse;
use crate::redirect::CheckedRedirect;
use crate::refusal::{self, Refusal};
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::json;

/// How an endpoint tells its peer that something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    /// A JSON body with `error`, for programs.
    Json,
    /// The same, and a browser on another origin may read it.
    JsonWithCors,
    /// A page, for people.
    Page,
}

pub(crate) fn plain(response: HttpResponse) -> Answer {
    Answer { response, refusal: None, events: Vec::new() }
}

/// A successful end, with what happened on the way.
pub(crate) fn done(response: HttpResponse, facts: &mut Facts) -> Answer {
    Answer { response, refusal: None, events: core::mem::take(&mut facts.events) }
}

/// A refusal: generic on the wire, exact in the audit event.
pub(crate) fn refused(
    scene: &Scene,
    refusal: &'static Refusal,
    detail: &str,
    shape: Shape,
    facts: &mut Facts,
) -> Answer {
    facts.tell(scene.event(refusal.id).with("detail", detail));
    let response = match shape {
        Shape::Json => no_store(error_json(refusal)),
        Shape::JsonWithCors => cors(no_store(error_json(refusal))),
        Shape::Page => page::error(refusal),
    };
    let response =
        if refusal.status == 503 || refusal.status == 429 { response.with("Retry-After", "1") } else { response };
    Answer { response, refusal: Some(refusal.id), events: core::mem::take(&mut facts.events) }
}

/// The next act of an endpoint over HTTP.
pub(crate) fn conclude(scene: &Scene, facts: &mut Facts, decided: Result<Answer, Pause>, shape: Shape) -> Act<Answer> {
    match decided.map_err(Pause::into_act) {
        Ok(answer) => Act::Done(answer),
        Err(Ok(act)) => act,
        Err(Err(Ending::Refused(refusal, detail))) => Act::Done(refused(scene, refusal, &detail, shape, facts)),
        Err(Err(Ending::Unavailable(what))) => Act::Done(unavailable(scene, what, shape, facts)),
    }
}

/// The same for endpoints that authenticate a client: 401 names the scheme when the request used it (OAuth 2.1 §3.2.4).
pub(crate) fn conclude_for_client(
    scene: &Scene,
    facts: &mut Facts,
    decided: Result<Answer, Pause>,
    by_header: bool,
) -> Act<Answer> {
    match conclude(scene, facts, decided, Shape::JsonWithCors) {
        Act::Done(mut answer) if answer.response.status == 401 && by_header => {
            answer.response = answer.response.with("WWW-Authenticate", "Basic realm=\"token\", charset=\"UTF-8\"");
            Act::Done(answer)
        }
        act => act,
    }
}

/// The same for endpoints that take a bearer token.
pub(crate) fn conclude_for_bearer(scene: &Scene, facts: &mut Facts, decided: Result<Answer, Pause>) -> Act<Answer> {
    match conclude(scene, facts, decided, Shape::JsonWithCors) {
        Act::Done(mut answer) if answer.response.status == 401 => {
            answer.response = answer.response.with("WWW-Authenticate", "Bearer error=\"invalid_token\"");
            Act::Done(answer)
        }
        act => act,
    }
}

/// A failure of the host's world: nothing is lost, and the peer may try again.
pub(crate) fn unavailable(scene: &Scene, what: &'static str, shape: Shape, facts: &mut Facts) -> Answer {
    refused(scene, &refusal::UNAVAILABLE, what, shape, facts)
}

fn error_json(refusal: &Refusal) -> HttpResponse {
    HttpResponse::json(refusal.status, &json!({ "error": refusal.error, "error_description": refusal.sentence }))
}

pub(crate) fn no_store(response: HttpResponse) -> HttpResponse {
    response.with("Cache-Control", "no-store").with("Pragma", "no-cache")
}

/// Lets a browser on any origin read the response. No endpoint that uses this looks at cookies.
pub(crate) fn cors(response: HttpResponse) -> HttpResponse {
    response.with("Access-Control-Allow-Origin", "*").with("Access-Control-Expose-Headers", "WWW-Authenticate")
}

/// The answer to a CORS preflight; `None` for endpoints that a script of another origin has no business with.
pub(crate) fn preflight(route: &Route) -> Option<HttpResponse> {
    let methods = match route {
        Route::Metadata | Route::ResourceMetadata(_) | Route::Document(_) | Route::Jwks => "GET",
        Route::Token | Route::Revoke | Route::Register => "POST",
        Route::Manage(_) => "GET, PUT, DELETE",
        Route::Authorize | Route::Consent | Route::SignIn | Route::Introspect => return None,
    };
    let response = HttpResponse::empty(204)
        .with("Access-Control-Allow-Methods", methods)
        .with("Access-Control-Allow-Headers", "Authorization, Content-Type, MCP-Protocol-Version")
        .with("Access-Control-Max-Age", "600");
    Some(cors(response))
}

/// A redirect of the browser. 303, so that no form body travels on (OAuth 2.1 §7.5.3).
pub(crate) fn redirect(location: &str) -> HttpResponse {
    no_store(HttpResponse::empty(303).with("Location", location)).with("Referrer-Policy", "no-referrer")
}

/// Sets a cookie of this server.
pub(crate) fn set_cookie(scene: &Scene, response: HttpResponse, what: &str, value: &str, seconds: u64) -> HttpResponse {
    let config = &scene.server.config;
    let mut cookie = String::new();
    cookie.push_str(&config.cookie_name(what));
    cookie.push('=');
    cookie.push_str(value);
    cookie.push_str("; Path=/; HttpOnly; SameSite=Lax; Max-Age=");
    cookie.push_str(&alloc::format!("{seconds}"));
    if !config.is_development() {
        cookie.push_str("; Secure");
    }
    response.with("Set-Cookie", &cookie)
}

/// An error for the client, by way of the user's browser.
pub(crate) fn redirect_refusal(
    scene: &Scene,
    facts: &mut Facts,
    redirect: &CheckedRedirect,
    state: Option<&str>,
    refusal: &'static Refusal,
    detail: &str,
) -> Answer {
    let mut parameters = alloc::vec![("error", refusal.error), ("error_description", refusal.sentence)];
    parameters.extend(state.map(|state| ("state", state)));
    parameters.push(("iss", scene.server.config.issuer()));
    let response = self::redirect(&redirect.with_parameters(&parameters));
    facts.tell(scene.event(refusal.id).with("redirect", redirect.as_str()).with("detail", detail));
    Answer { response, refusal: Some(refusal.id), events: core::mem::take(&mut facts.events) }
}
