//! The pages that people see. The template engine escapes every value; no script, no third party, no frame.

use crate::crypto;
use crate::http::HttpResponse;
use crate::question::ConsentQuestion;
use crate::refusal::Refusal;
use alloc::format;
use alloc::string::String;
use askama::Template;

/// The only style of every page; its hash is in the policy, so that no other style applies.
const STYLE: &str = include_str!("../../templates/page.css");

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    style: &'a str,
    ask: &'a ConsentQuestion,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    style: &'a str,
    sentence: &'a str,
    id: &'a str,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    style: &'a str,
    action: &'a str,
    next: &'a str,
    wrong: bool,
}

/// The built-in consent page.
pub(crate) fn consent(ask: &ConsentQuestion) -> HttpResponse {
    html(200, ConsentPage { style: STYLE, ask }.render())
}

/// A page that says what is wrong, and the id by which the operator finds out more.
pub(crate) fn error(refusal: &Refusal) -> HttpResponse {
    // A page asks for no credentials, so 401 has no meaning there.
    let status = if refusal.status == 401 { 400 } else { refusal.status };
    html(status, ErrorPage { style: STYLE, sentence: refusal.sentence, id: refusal.id }.render())
}

/// The built-in sign-in by personal access token.
pub(crate) fn sign_in(action: &str, next: &str, wrong: bool) -> HttpResponse {
    html(if wrong { 401 } else { 200 }, SignInPage { style: STYLE, action, next, wrong }.render())
}

/// The host's own page, with the same protection. Its own styles and images from its own origin may load.
pub(crate) fn of_the_host(page: String) -> HttpResponse {
    protect(
        200,
        page,
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    )
}

fn html(status: u16, rendered: askama::Result<String>) -> HttpResponse {
    let Ok(page) = rendered else {
        debug_assert!(false, "a template writes into a string, which cannot fail");
        return HttpResponse::empty(500);
    };
    let hash = crypto::base64(&crypto::sha256(&[STYLE.as_bytes()]));
    // No `form-action`: browsers apply it to the redirects that follow the form, which go to the client and wherever
    // the client goes on. Every value is escaped, so no form of somebody else's can appear.
    protect(
        status,
        page,
        &format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors 'none'"),
    )
}

fn protect(status: u16, page: String, policy: &str) -> HttpResponse {
    let mut response = HttpResponse::empty(status)
        .with("Content-Type", "text/html; charset=utf-8")
        .with("Content-Security-Policy", policy)
        .with("X-Frame-Options", "DENY")
        .with("X-Content-Type-Options", "nosniff")
        .with("Referrer-Policy", "no-referrer")
        .with("Cache-Control", "no-store");
    response.body = page.into_bytes();
    response
}
