//! Showing the consent page, and binding it to the browser that asked.

use super::clients::{Client, Origin};
use super::page;
use super::reply;
use super::rule::{Pause, Scene};
use super::ticket::{ConsentSeal, Ticket, browser_hash};
use crate::crypto;
use crate::exchange::Facts;
use crate::http::{HttpRequest, HttpResponse};
use crate::question::{ConsentQuestion, Decision, Question, ShownScope, User};
use crate::redirect::CheckedRedirect;
use crate::refusal;
use alloc::format;
use alloc::string::{String, ToString};

/// How long the browser keeps its secret, in seconds.
const BROWSER_SECONDS: u64 = 86_400;
/// The longest client name that a page shows, in characters.
const NAME_CHARACTERS: usize = 80;

/// A form of our own page says where it comes from; another site's form says so too.
pub(crate) fn same_origin(scene: &Scene, request: &HttpRequest) -> Result<(), Pause> {
    let foreign = || Pause::from(&refusal::CONSENT_ORIGIN);
    let origin = request.header("origin").map_err(|_| foreign())?;
    let site = request.header("sec-fetch-site").map_err(|_| foreign())?;
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(foreign());
    }
    // Under `Referrer-Policy: no-referrer` a browser says `Origin: null` even to its own site; what it says in
    // `Sec-Fetch-Site`, which no script can set, then decides.
    let fits = match origin {
        None => !request.has_header("origin"),
        Some("null") => site == Some("same-origin"),
        Some(origin) => scene.server.config.issuer.origin().as_deref() == Some(origin),
    };
    if fits { Ok(()) } else { Err(foreign()) }
}

/// The secret that binds tickets to this browser: its hash, and the cookie to set when there was none.
pub(crate) fn browser(scene: &Scene, request: &HttpRequest) -> (String, Option<String>) {
    let present = request.cookie(&scene.server.config.cookie_name(""));
    let present = present.filter(|cookie| crypto::from_base64url(cookie).is_some_and(|bytes| bytes.len() == 32));
    match present {
        Some(secret) => (browser_hash(secret), None),
        None => {
            let secret = crypto::base64url(&scene.env.entropy.draw::<32>("browser"));
            (browser_hash(&secret), Some(secret))
        }
    }
}

/// Gives the browser its secret together with the page.
pub(crate) fn bind(scene: &Scene, page: HttpResponse, cookie: Option<String>) -> HttpResponse {
    match cookie {
        Some(secret) => reply::set_cookie(scene, page, "", &secret, BROWSER_SECONDS),
        None => page,
    }
}

/// The page: ours, or the host's with the same protection around it.
pub(crate) fn show(
    scene: &Scene,
    facts: &Facts,
    client: &Client,
    ticket: &Ticket,
    user: &User,
) -> Result<HttpResponse, Pause> {
    let config = &scene.server.config;
    let sealed = ticket.seal(scene)?;
    let seal = ConsentSeal::new(&sealed, &user.subject, ticket.scopes.clone()).seal(scene)?;
    let redirect = CheckedRedirect::from_sealed(ticket.redirect.clone());
    let shown = |name: &String| {
        let scope = config.scope(name);
        let description = scope.map(|scope| scope.description.clone()).filter(|text| !text.is_empty());
        let standard =
            if name == super::config::OFFLINE_ACCESS { "Stay signed in while you are away" } else { name.as_str() };
        ShownScope {
            name: name.clone(),
            description: description.unwrap_or_else(|| standard.to_string()),
            optional: scope.is_some_and(|scope| scope.optional),
        }
    };
    let resource = config.resources.iter().find(|resource| Some(&resource.identifier) == ticket.resources.first());
    let question = ConsentQuestion {
        client_id: client.id.clone(),
        client_name: tame(&client.name),
        client_host: client.host().to_string(),
        redirect_host: redirect.host_label(),
        redirect_uri: ticket.redirect.clone(),
        loopback: redirect.is_loopback(),
        known: client.origin == Origin::Configured,
        resource: resource
            .map(|resource| if resource.name.is_empty() { &resource.identifier } else { &resource.name })
            .cloned()
            .unwrap_or_default(),
        scopes: ticket.scopes.iter().map(shown).collect(),
        user_name: tame(if user.name.is_empty() { &user.subject } else { &user.name }),
        action: format!("{}/consent", config.base_path()),
        hidden: alloc::vec![("ticket".to_string(), sealed), ("seal".to_string(), seal)],
    };
    if config.custom_consent
        && let Decision::Page { html } = facts.decided(Question::Consent(question.clone()))?
    {
        return Ok(page::of_the_host(html.clone()));
    }
    Ok(page::consent(&question))
}

/// A self-asserted name, fit to stand beside our own words: no control or direction characters, and not too long.
fn tame(name: &str) -> String {
    let harmful = |letter: &char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let tamed: String = name.chars().filter(|letter| !harmful(letter)).collect();
    let short: String = tamed.trim().chars().take(NAME_CHARACTERS).collect();
    if tamed.trim().chars().count() > NAME_CHARACTERS { format!("{short}…") } else { short }
}
