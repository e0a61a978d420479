//! The authorization endpoint: from a stranger's link to a page that a person can judge.
//!
//! Errors are a page until the client and its redirect are proven and the user is signed in; then they go to the
//! redirect, with `state` and `iss` (OAuth 2.1 §7.12.2).

use super::approval::{self, Approval};
use super::clients::{self, Client};
use super::consent_page;
use super::reply::{self, Shape};
use super::rule::{Answer, Pause, Scene};
use super::session;
use super::ticket::Ticket;
use crate::crypto;
use crate::exchange::{Act, Facts, Rule};
use crate::http::{BODY_BYTES, Form, FormFault, HttpRequest, QUERY_BYTES};
use crate::pkce::Challenge;
use crate::question::{Decision, SignInQuestion};
use crate::redirect::CheckedRedirect;
use crate::refusal::{self, Refusal};
use crate::scope::Scopes;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The longest `state`, in bytes.
const STATE_BYTES: usize = 2048;

/// One request to the authorization endpoint.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub(crate) struct Authorize {
    scene: Scene,
    request: HttpRequest,
    form: Result<Form, &'static Refusal>,
    /// The request itself as a path and query: signing in starts it again, with nothing stored.
    return_to: String,
    proven: Option<Proven>,
    /// What the user is asked to agree to. Made once: the exchange looks at it again after each wait.
    ticket: Option<Ticket>,
}

/// A request whose client and redirect are proven: its errors may go to the client.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
struct Proven {
    client: Client,
    redirect: CheckedRedirect,
    state: Option<String>,
    asked: Result<Asked, (&'static Refusal, String)>,
    question: SignInQuestion,
}

/// What a faultless request asks for.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
struct Asked {
    scopes: Vec<String>,
    resources: Vec<String>,
    challenge: Challenge,
}

impl Authorize {
    pub(crate) fn new(scene: Scene, request: HttpRequest) -> Self {
        let form = parameters(&request);
        let raw = if request.method == "POST" { &request.body } else { &request.query };
        let base = scene.server.config.base_path();
        let mut return_to = String::with_capacity(base.len() + raw.len() + 11);
        return_to.push_str(base);
        return_to.push_str("/authorize?");
        return_to.extend(raw.iter().filter(|byte| byte.is_ascii_graphic()).map(|byte| char::from(*byte)));
        Self { scene, request, form, return_to, proven: None, ticket: None }
    }

    fn decide(&mut self, facts: &mut Facts) -> Result<Answer, Pause> {
        let Self { scene, request, form, return_to, proven, ticket } = self;
        let scene = &*scene;
        let form = form.as_ref().map_err(|refusal| Pause::from(*refusal))?;
        let proven = match proven {
            Some(proven) => &*proven,
            None => &*proven.insert(prove(scene, facts, form, return_to)?),
        };
        let (user, reach) = match session::who(scene, facts, request, &proven.question)? {
            (Decision::SignIn { location }, _) => return Ok(reply::done(reply::redirect(&location), facts)),
            decided => decided,
        };
        let asked = match &proven.asked {
            Ok(asked) => asked,
            Err((refusal, detail)) => {
                let state = proven.state.as_deref();
                return Ok(reply::redirect_refusal(scene, facts, &proven.redirect, state, refusal, detail));
            }
        };
        let ticket = match ticket {
            Some(ticket) => ticket,
            None => {
                let scopes = match &reach {
                    Some(reach) => reach.narrow(&scene.server, &asked.scopes, &asked.resources),
                    None => asked.scopes.clone(),
                };
                if scopes.is_empty() {
                    let detail = "the pasted credential reaches none of what is asked for";
                    let (state, refusal) = (proven.state.as_deref(), &refusal::ACCESS_DENIED);
                    return Ok(reply::redirect_refusal(scene, facts, &proven.redirect, state, refusal, detail));
                }
                ticket.insert(self::ticket(scene, proven, asked, scopes))
            }
        };
        match user {
            Decision::SignedIn(user) => {
                let (sealed_by, cookie) = consent_page::browser(scene, request);
                ticket.browser = sealed_by;
                let page = consent_page::show(scene, facts, &proven.client, ticket, &user)?;
                Ok(reply::done(consent_page::bind(scene, page, cookie), facts))
            }
            Decision::Approve { user, scopes } => {
                let wanted = |name: &String| scopes.as_ref().is_none_or(|scopes| scopes.contains(name));
                let approved = ticket.scopes.iter().filter(|name| wanted(name)).cloned().collect();
                let approval = Approval { client: &proven.client, ticket, user: &user, scopes: approved };
                approval::approve(scene, facts, approval)
            }
            _ => Ok(reply::redirect_refusal(
                scene,
                facts,
                &proven.redirect,
                proven.state.as_deref(),
                &refusal::ACCESS_DENIED,
                "",
            )),
        }
    }
}

fn parameters(request: &HttpRequest) -> Result<Form, &'static Refusal> {
    let posted = request.method == "POST";
    if posted && !request.is_media_type("application/x-www-form-urlencoded") {
        return Err(&refusal::AUTHORIZE_MALFORMED);
    }
    let (bytes, limit) = if posted { (&request.body, BODY_BYTES) } else { (&request.query, QUERY_BYTES) };
    Form::parse(bytes, limit).map_err(|fault| match fault {
        FormFault::TooLarge => &refusal::AUTHORIZE_LIMITS,
        FormFault::Malformed | FormFault::NotUtf8 => &refusal::AUTHORIZE_MALFORMED,
    })
}

fn ticket(scene: &Scene, proven: &Proven, asked: &Asked, scopes: Vec<String>) -> Ticket {
    Ticket {
        grant: crypto::base64url(&scene.env.entropy.draw::<16>("grant id")),
        client: proven.client.id.clone(),
        redirect: proven.redirect.as_str().to_string(),
        state: proven.state.clone(),
        scopes,
        resources: asked.resources.clone(),
        challenge: asked.challenge.as_str().to_string(),
        expires_at: scene.env.now.saturating_add(scene.server.config.ticket_seconds),
        browser: String::new(),
    }
}

/// Proves the client and the redirect, then reads the rest without judging it a page's matter.
fn prove(scene: &Scene, facts: &mut Facts, form: &Form, return_to: &str) -> Result<Proven, Pause> {
    let id = form.one("client_id").map_err(|_| Pause::because(&refusal::AUTHORIZE_REPEATED, "client_id"))?;
    let asked_redirect =
        form.one("redirect_uri").map_err(|_| Pause::because(&refusal::AUTHORIZE_REPEATED, "redirect_uri"))?;
    let id = id.ok_or(Pause::from(&refusal::AUTHORIZE_CLIENT_MISSING))?;
    if id.chars().any(char::is_control) {
        return Err(Pause::from(&refusal::AUTHORIZE_CLIENT_UNKNOWN));
    }
    let client = clients::resolve(scene, facts, id)?;
    let asked_redirect = asked_redirect.ok_or(Pause::because(&refusal::AUTHORIZE_REDIRECT_MISSING, id))?;
    let redirect = client.redirect(asked_redirect, &scene.server.config.redirects);
    let redirect = redirect
        .ok_or_else(|| Pause::because(&refusal::AUTHORIZE_REDIRECT, format!("{id} asked for {asked_redirect}")))?;
    let (state, repeated_state) = match form.one("state") {
        Ok(state) => (state.map(ToString::to_string), false),
        Err(_) => (None, true),
    };
    let fault = |refusal: &'static Refusal| (refusal, String::new());
    let too_long = state.as_ref().is_some_and(|state| state.len() > STATE_BYTES);
    let (state, asked) = match (repeated_state, too_long) {
        (true, _) => (None, Err((&refusal::AUTHORIZE_PARAMETER_REPEATED, "state".to_string()))),
        (false, true) => (None, Err(fault(&refusal::AUTHORIZE_STATE))),
        (false, false) => (state, read(scene, form, &client)),
    };
    let good = asked.as_ref().ok();
    let question = SignInQuestion {
        return_to: return_to.to_string(),
        client_id: client.id.clone(),
        client_name: client.name.clone(),
        scopes: good.map(|asked| asked.scopes.clone()).unwrap_or_default(),
        resource: good.and_then(|asked| asked.resources.first().cloned()).unwrap_or_default(),
    };
    Ok(Proven { client, redirect, state, asked, question })
}

const ONCE: [&str; 10] = [
    "response_type",
    "scope",
    "code_challenge",
    "code_challenge_method",
    "response_mode",
    "request",
    "request_uri",
    "prompt",
    "nonce",
    "state",
];

fn read(scene: &Scene, form: &Form, client: &Client) -> Result<Asked, (&'static Refusal, String)> {
    let config = &scene.server.config;
    let refuse = |refusal: &'static Refusal| Err((refusal, String::new()));
    if let Some(name) = form.repeated(&ONCE) {
        return Err((&refusal::AUTHORIZE_PARAMETER_REPEATED, name.to_string()));
    }
    let one = |name: &str| form.one(name).ok().flatten();
    if one("request").is_some() {
        return refuse(&refusal::AUTHORIZE_REQUEST);
    }
    if one("request_uri").is_some() {
        return refuse(&refusal::AUTHORIZE_REQUEST_URI);
    }
    match one("response_type") {
        None => return refuse(&refusal::AUTHORIZE_RESPONSE_TYPE_MISSING),
        Some("code") => {}
        Some(_) => return refuse(&refusal::AUTHORIZE_RESPONSE_TYPE),
    }
    if one("response_mode").is_some_and(|mode| mode != "query") {
        return refuse(&refusal::AUTHORIZE_RESPONSE_MODE);
    }
    if !client.code {
        return refuse(&refusal::AUTHORIZE_CLIENT_GRANT);
    }
    let Some(challenge) = one("code_challenge") else { return refuse(&refusal::AUTHORIZE_CHALLENGE_MISSING) };
    if one("code_challenge_method") != Some("S256") {
        return refuse(&refusal::AUTHORIZE_CHALLENGE_METHOD);
    }
    let Ok(challenge) = Challenge::parse(challenge) else { return refuse(&refusal::AUTHORIZE_CHALLENGE) };
    let mut resources: Vec<usize> = Vec::new();
    for asked in form.all("resource") {
        let Some(index) = config.resource_table.find(asked) else {
            return Err((&refusal::AUTHORIZE_RESOURCE, asked.to_string()));
        };
        if !resources.contains(&index) {
            resources.push(index);
        }
    }
    if resources.is_empty() {
        // A client that names no resource gets the only one there is; with several, guessing would be a confused deputy.
        if config.resources.len() != 1 {
            return refuse(&refusal::AUTHORIZE_RESOURCE_MISSING);
        }
        resources.push(0);
    }
    if resources.len() > 1 && !config.several_resources {
        return refuse(&refusal::AUTHORIZE_RESOURCES);
    }
    let scopes = read_scopes(scene, one("scope"), client, &resources)?;
    let resources = resources
        .iter()
        .filter_map(|index| config.resources.get(*index))
        .map(|resource| resource.identifier.clone())
        .collect();
    Ok(Asked { scopes, resources, challenge })
}

fn read_scopes(
    scene: &Scene,
    asked: Option<&str>,
    client: &Client,
    resources: &[usize],
) -> Result<Vec<String>, (&'static Refusal, String)> {
    let config = &scene.server.config;
    let fits = |name: &str| {
        let known = config.scope(name).is_some() || name == super::config::OFFLINE_ACCESS;
        let may = client
            .scopes
            .as_ref()
            .is_none_or(|scopes| scopes.iter().any(|scope| scope == name) || name == super::config::OFFLINE_ACCESS);
        known && may && resources.iter().any(|index| config.understands(*index, name))
    };
    let asked = match asked {
        None => Vec::new(),
        Some(text) => {
            let scopes = Scopes::parse(text).map_err(|fault| (&refusal::AUTHORIZE_SCOPE, fault.to_string()))?;
            scopes.iter().map(ToString::to_string).collect::<Vec<String>>()
        }
    };
    if config.refuse_unknown_scopes
        && let Some(unknown) = asked.iter().find(|name| !fits(name))
    {
        return Err((&refusal::AUTHORIZE_SCOPE_UNKNOWN, unknown.clone()));
    }
    let mut scopes: Vec<String> = asked.into_iter().filter(|name| fits(name)).collect();
    // Asking for `offline_access` alone, or for nothing that we know, means the defaults.
    if scopes.iter().all(|name| name == super::config::OFFLINE_ACCESS) {
        let defaults = config.default_scopes().into_iter().filter(|name| fits(name) && !scopes.contains(name));
        let mut all: Vec<String> = defaults.collect();
        all.append(&mut scopes);
        scopes = all;
    }
    if scopes.is_empty() { Err((&refusal::AUTHORIZE_SCOPE_UNKNOWN, String::new())) } else { Ok(scopes) }
}

impl Rule for Authorize {
    type Output = Answer;

    fn proceed(&mut self, facts: &mut Facts) -> Act<Answer> {
        let decided = self.decide(facts);
        reply::conclude(&self.scene, facts, decided, Shape::Page)
    }

    fn unavailable(&mut self, facts: &mut Facts, what: &'static str) -> Answer {
        reply::unavailable(&self.scene, what, Shape::Page, facts)
    }
}
