//! The consent page and its answer. The form carries a seal over the ticket, the user and the scopes shown.

use super::approval::{self, Approval};
use super::authorize::redirect_refusal;
use super::clients::{self, Client, Origin};
use super::page;
use super::reply::{self, Shape};
use super::rule::{Answer, Pause, Scene};
use super::sign_in;
use super::ticket::{ConsentSeal, Ticket, browser_hash};
use crate::crypto;
use crate::exchange::{Act, Facts, Rule};
use crate::http::{BODY_BYTES, Form, HttpRequest, HttpResponse, QUERY_BYTES};
use crate::question::{ConsentQuestion, Decision, Question, ShownScope, SignInQuestion, User};
use crate::redirect::CheckedRedirect;
use crate::refusal;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// How long the browser keeps its secret, in seconds.
const BROWSER_SECONDS: u64 = 86_400;
/// The longest client name that a page shows, in characters.
const NAME_CHARACTERS: usize = 80;

/// One request to the consent page: a user who comes back to it, or their answer.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub(crate) struct Consent {
    scene: Scene,
    request: HttpRequest,
}

impl Consent {
    pub(crate) fn new(scene: Scene, request: HttpRequest) -> Self {
        Self { scene, request }
    }

    fn decide(&self, facts: &mut Facts) -> Result<Answer, Pause> {
        let (scene, posted) = (&self.scene, self.request.method == "POST");
        let invalid = || Pause::from(&refusal::CONSENT_FORM);
        if posted {
            same_origin(scene, &self.request)?;
            if !self.request.is_media_type("application/x-www-form-urlencoded") {
                return Err(invalid());
            }
        }
        let (bytes, limit) = if posted { (&self.request.body, BODY_BYTES) } else { (&self.request.query, QUERY_BYTES) };
        let form = Form::parse(bytes, limit).map_err(|_| invalid())?;
        let one = |name: &str| form.one(name).map_err(|_| invalid());
        let (sealed, seal, decision) = (one("ticket")?, one("seal")?, one("decision")?);
        let sealed = sealed.ok_or(Pause::from(&refusal::TICKET_INVALID))?;
        let cookie = self.request.cookie(&scene.server.config.cookie_name(""));
        let ticket = Ticket::open(scene, sealed, cookie)?;
        let client = clients::resolve(scene, facts, &ticket.client)?;
        let question = SignInQuestion {
            return_to: format!("{}/consent?ticket={sealed}", scene.server.config.base_path()),
            client_id: client.id.clone(),
            client_name: client.name.clone(),
            scopes: ticket.scopes.clone(),
            resource: ticket.resources.first().cloned().unwrap_or_default(),
        };
        let user = match sign_in::who(scene, facts, &self.request, question)? {
            Decision::SignIn { location } => return Ok(reply::done(reply::redirect(&location), facts)),
            Decision::SignedIn(user) | Decision::Approve { user, .. } => user,
            _ => return Ok(denied(scene, facts, &ticket)),
        };
        if !posted {
            let page = show(scene, facts, &client, &ticket, &user)?;
            return Ok(reply::done(page, facts));
        }
        let seal = ConsentSeal::open(scene, seal.ok_or(Pause::from(&refusal::CONSENT_SEAL))?, sealed)?;
        if seal.subject != user.subject {
            return Err(Pause::from(&refusal::CONSENT_USER));
        }
        match decision {
            Some("approve") => {
                let ticked: Vec<&str> = form.all("scope").collect();
                let approved = |name: &&String| !is_optional(scene, name) || ticked.contains(&name.as_str());
                let scopes = seal.shown.iter().filter(approved).cloned().collect();
                approval::approve(scene, facts, Approval { client: &client, ticket: &ticket, user: &user, scopes })
            }
            Some("deny") => Ok(denied(scene, facts, &ticket)),
            _ => Err(invalid()),
        }
    }
}

fn is_optional(scene: &Scene, name: &str) -> bool {
    scene.server.config.scope(name).is_some_and(|scope| scope.optional)
}

fn denied(scene: &Scene, facts: &mut Facts, ticket: &Ticket) -> Answer {
    let redirect = CheckedRedirect::from_sealed(ticket.redirect.clone());
    redirect_refusal(scene, facts, &redirect, ticket.state.as_deref(), &refusal::ACCESS_DENIED, "")
}

/// A form of our own page says where it comes from; another site's form says so too.
pub(crate) fn same_origin(scene: &Scene, request: &HttpRequest) -> Result<(), Pause> {
    let foreign = || Pause::from(&refusal::CONSENT_ORIGIN);
    let origin = request.header("origin").map_err(|_| foreign())?;
    if request.has_header("origin") && origin != scene.server.config.issuer.origin().as_deref() {
        return Err(foreign());
    }
    let site = request.header("sec-fetch-site").map_err(|_| foreign())?;
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) { Err(foreign()) } else { Ok(()) }
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
pub(crate) fn show(scene: &Scene, facts: &Facts, client: &Client, ticket: &Ticket, user: &User) -> Result<HttpResponse, Pause> {
    let config = &scene.server.config;
    let sealed = ticket.seal(scene)?;
    let seal = ConsentSeal::new(&sealed, &user.subject, ticket.scopes.clone()).seal(scene)?;
    let redirect = CheckedRedirect::from_sealed(ticket.redirect.clone());
    let shown = |name: &String| {
        let scope = config.scope(name);
        let description = scope.map(|scope| scope.description.clone()).filter(|text| !text.is_empty());
        let standard = if name == super::config::OFFLINE_ACCESS { "Stay signed in while you are away" } else { name.as_str() };
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
        resource: resource.map(|resource| if resource.name.is_empty() { &resource.identifier } else { &resource.name }).cloned().unwrap_or_default(),
        scopes: ticket.scopes.iter().map(shown).collect(),
        user_name: tame(if user.name.is_empty() { &user.subject } else { &user.name }),
        action: format!("{}/consent", config.base_path()),
        hidden: alloc::vec![("ticket".to_string(), sealed), ("seal".to_string(), seal)],
    };
    if config.custom_consent {
        if let Decision::Page { html } = facts.decided(Question::Consent(question.clone()))? {
            return Ok(page::of_the_host(html));
        }
    }
    Ok(page::consent(&question))
}

/// A self-asserted name, fit to stand beside our own words: no control or direction characters, and not too long.
fn tame(name: &str) -> String {
    let harmful = |letter: &char| letter.is_control() || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let tamed: String = name.chars().filter(|letter| !harmful(letter)).collect();
    let short: String = tamed.trim().chars().take(NAME_CHARACTERS).collect();
    if tamed.trim().chars().count() > NAME_CHARACTERS { format!("{short}…") } else { short }
}

impl Rule for Consent {
    type Output = Answer;

    fn proceed(&mut self, facts: &mut Facts) -> Act<Answer> {
        let decided = self.decide(facts);
        reply::conclude(&self.scene, facts, decided, Shape::Page)
    }

    fn unavailable(&mut self, facts: &mut Facts, what: &'static str) -> Answer {
        reply::unavailable(&self.scene, what, Shape::Page, facts)
    }
}
