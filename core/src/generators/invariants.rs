//! What must hold of any authorization server, as functions. The first ones look at one answer; [`walk`] goes through a
//! journey against a [`Subject`], and holds every answer to what happened before.

use crate::generators::journeys::{Action, Journey, Wrong};
use crate::generators::requests::{
    Parameters, authorization_parameters, get, post, redemption_parameters, refresh_parameters, revocation_parameters,
};
use crate::generators::target::Target;
use crate::http::{Form, HttpRequest, HttpResponse, QUERY_BYTES};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde_json::Value;

/// A server under test: a host over HTTP, a driver in this process, a fork.
pub trait Subject {
    /// Sends a request and waits for its answer. Redirects are not followed.
    fn send(&mut self, request: &HttpRequest) -> HttpResponse;
    /// Opens an authorization request in the browser of a user who is signed in and says yes to everything; the answer that
    /// leaves the server: a redirect to the client, or a page.
    fn approve(&mut self, request: &HttpRequest) -> HttpResponse;
    /// Whether the resource lets the bearer of this access token in.
    fn honours(&mut self, access_token: &str) -> bool;
    /// Lets time pass.
    fn wait(&mut self, seconds: u64);
    /// Milliseconds since any fixed instant, by a clock that agrees with [`Subject::wait`].
    fn milliseconds(&mut self) -> u64;
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which one.
    pub invariant: &'static str,
    /// What was seen.
    pub seen: String,
    /// What happened until then, one line a step. No secret is in it.
    pub story: Vec<String>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.seen)?;
        self.story.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// What a function of this module found; an empty story where one answer was looked at.
pub type Held = Result<(), Broken>;

fn hold(invariant: &'static str, holds: bool, seen: impl FnOnce() -> String) -> Held {
    if holds { Ok(()) } else { Err(Broken { invariant, seen: seen(), story: Vec::new() }) }
}

/// An answer of any endpoint: nothing fails inside, and what is JSON has no null members.
pub fn is_sound(response: &HttpResponse) -> Held {
    let status = response.status;
    hold("no request breaks the server", status < 500 || status == 503, || format!("status {status}"))?;
    let is_json = response.header("content-type").is_some_and(|name| name.starts_with("application/json"));
    if !is_json || response.body.is_empty() {
        return Ok(());
    }
    let body = serde_json::from_slice::<Value>(&response.body);
    hold("what is called JSON is JSON", body.is_ok(), || format!("status {status}"))?;
    let nulls: Vec<&String> = match &body {
        Ok(Value::Object(members)) => {
            members.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name).collect()
        }
        _ => Vec::new(),
    };
    hold("no member is null", nulls.is_empty(), || format!("{nulls:?}"))
}

/// An answer of the token endpoint: never cached; tokens, or an error in the characters that OAuth 2.1 allows.
pub fn is_token_answer(response: &HttpResponse) -> Held {
    is_sound(response)?;
    let cached = response.header("cache-control").unwrap_or_default().to_string();
    hold("no answer of the token endpoint is cached", cached.contains("no-store"), || {
        format!("Cache-Control: {cached}")
    })?;
    let body = json(response);
    if response.status == 200 {
        let bearer = text(&body, "token_type").eq_ignore_ascii_case("bearer");
        let whole = bearer && !text(&body, "access_token").is_empty() && body.get("error").is_none();
        return hold("an answer with tokens is whole", whole, || "a member is missing".to_string());
    }
    let allowed = |value: &str| value.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    let plain = !text(&body, "error").is_empty() && allowed(text(&body, "error"));
    let plain = plain && allowed(text(&body, "error_description")) && body.get("access_token").is_none();
    let refused = (400..500).contains(&response.status) || response.status == 503;
    hold("a refusal is an error of OAuth 2.1", plain && refused, || format!("status {}: {body}", response.status))
}

/// An answer to an authorization request that was approved: the registered redirect with nothing but an answer behind it,
/// which names the issuer and carries the state back, every parameter once. Gives the code.
///
/// # Errors
/// The invariant that does not hold.
pub fn is_redirect(target: &Target, state: &str, response: &HttpResponse) -> Result<String, Broken> {
    is_sound(response)?;
    let status = response.status;
    // 307 and 308 would post the user's form to the client.
    hold("an answer is a redirect that forgets the form", matches!(status, 302 | 303), || format!("status {status}"))?;
    let location = response.header("location").unwrap_or_default();
    let behind = location.strip_prefix(target.redirect_uri.as_str()).and_then(|rest| rest.strip_prefix(['?', '&']));
    hold("the redirect is the registered one, byte for byte", behind.is_some(), || location.to_string())?;
    let form = Form::parse(behind.unwrap_or_default().as_bytes(), QUERY_BYTES).unwrap_or_default();
    let one = |name: &str| form.one(name).ok().flatten();
    hold("the answer names its issuer", one("iss") == Some(target.issuer.as_str()), || {
        "iss is another, or missing".into()
    })?;
    hold("the answer carries the state back", one("state") == Some(state), || "state is another".into())?;
    let code = one("code");
    let alone = ["error", "access_token", "id_token"].iter().all(|name| form.one(name) == Ok(None));
    hold("an approval is answered with one code", code.is_some() && alone, || "no code, or more than one".into())?;
    Ok(code.unwrap_or_default().to_string())
}

/// One generation of tokens.
struct Generation {
    refresh: String,
    access: String,
    /// Milliseconds before the request and after the answer that made it.
    between: (u64, u64),
}

/// What is known of one grant.
#[derive(Default)]
struct Known {
    code: String,
    generations: Vec<Generation>,
    dead: bool,
    /// Something was sent after which a server may, or may not, have ended the grant.
    open: bool,
}

struct Walk<'a, S> {
    subject: &'a mut S,
    target: &'a Target,
    known: Known,
    /// Every token ever answered.
    made: Vec<String>,
    approvals: u32,
    story: Vec<String>,
}

/// Walks a journey and holds every answer to [`is_sound`], [`is_token_answer`], [`is_redirect`] and to these: a code makes
/// one family; a wrong verifier, client or redirect gets nothing and spends nothing; a refresh makes tokens that never were;
/// a retry inside the window gets the same successor; reuse outside of it ends the grant; revocation is final.
///
/// # Errors
/// The first invariant that does not hold, with its story.
pub fn walk<S: Subject>(subject: &mut S, target: &Target, journey: &Journey) -> Held {
    let mut walk = Walk { subject, target, known: Known::default(), made: Vec::new(), approvals: 0, story: Vec::new() };
    for action in &journey.0 {
        if let Err(broken) = walk.act(action) {
            return Err(Broken { story: walk.story, ..broken });
        }
    }
    Ok(())
}

impl<S: Subject> Walk<'_, S> {
    fn act(&mut self, action: &Action) -> Held {
        match action {
            Action::Approve => self.approve(),
            Action::Redeem(wrong) => self.redeem(*wrong),
            Action::Refresh(back) => self.refresh(usize::from(*back)),
            Action::RefreshByAnother => self.refresh_by_another(),
            Action::Revoke => self.revoke(),
            Action::Use => self.use_newest(),
            Action::Wait(seconds) => {
                self.story.push(format!("{seconds} seconds pass"));
                self.subject.wait(u64::from(*seconds));
                Ok(())
            }
            Action::Send(request) => {
                self.story.push(format!("a stranger sends {} {}", request.method, request.path));
                let response = self.subject.send(request);
                hold("a stranger gets no tokens", json(&response).get("access_token").is_none(), String::new)?;
                is_sound(&response)
            }
        }
    }

    fn approve(&mut self) -> Held {
        self.approvals += 1;
        let state = format!("state {} &=", self.approvals);
        self.story.push("the user approves".to_string());
        let request = get(&self.target.authorize_path, &authorization_parameters(self.target, &state));
        let response = self.subject.approve(&request);
        let code = is_redirect(self.target, &state, &response)?;
        hold("a code is new", !self.made.contains(&code), || "a code came twice".to_string())?;
        self.made.push(code.clone());
        self.known = Known { code, ..Known::default() };
        Ok(())
    }

    fn redeem(&mut self, wrong: Option<Wrong>) -> Held {
        let mut parameters = redemption_parameters(self.target, &self.known.code);
        match wrong {
            Some(Wrong::Verifier) => set(&mut parameters, "code_verifier", &"wrong-verifier-".repeat(4)),
            Some(Wrong::Client) => set(&mut parameters, "client_id", &self.target.other_client_id),
            Some(Wrong::Redirect) => set(&mut parameters, "redirect_uri", "https://evil.example/cb"),
            None => {}
        }
        let (body, between) = self.ask(&format!("the code is redeemed, wrong: {wrong:?}"), &parameters)?;
        let Some(body) = body else {
            let expected = wrong.is_none() && self.known.generations.is_empty() && !self.known.dead;
            // A replay may end the grant, and a small mistake beside it may, too.
            self.known.open |= !self.known.generations.is_empty();
            return hold("a right redemption is answered, whatever wrong ones came before", !expected, || {
                "it was refused".to_string()
            });
        };
        hold("a wrong verifier, client or redirect gets nothing", wrong.is_none(), || format!("{wrong:?} got tokens"))?;
        hold("a code makes one family", self.known.generations.is_empty(), || "it was redeemed twice".to_string())?;
        self.learn(&body, between)
    }

    fn refresh(&mut self, back: usize) -> Held {
        let Some(at) = self.known.generations.len().checked_sub(back + 1) else { return Ok(()) };
        let (Some(presented), before) = (self.known.generations.get(at), self.known.generations.len()) else {
            return Ok(());
        };
        let parameters = refresh_parameters(self.target, &presented.refresh);
        let (body, between) = self.ask(&format!("generation {} of {before} is refreshed", at + 1), &parameters)?;
        let window = self.target.retry_window_seconds * 1000;
        let made = self.known.generations.get(at + 1).map(|next| next.between);
        // Servers count whole seconds: a second on either side of the window's end belongs to nobody.
        let inside = back == 1 && window > 0 && made.is_some_and(|made| between.1 + 1000 <= made.0 + window);
        let outside =
            back > 1 || (back == 1 && (window == 0 || made.is_some_and(|made| between.0 > made.1 + window + 1000)));
        if self.known.dead {
            return hold("what is dead stays dead", body.is_none(), || "it was answered with tokens".to_string());
        }
        match (body, back) {
            (Some(body), 0) => {
                self.known.open = false;
                self.learn(&body, between)
            }
            (Some(body), _) => {
                hold("reuse outside the window gets nothing", !outside, || "it got tokens".to_string())?;
                self.known.open = false;
                let same = self.known.generations.get(at + 1).is_some_and(|next| {
                    text(&body, "refresh_token") == next.refresh && text(&body, "access_token") == next.access
                });
                hold("a retry gets the same successor", same, || "it got other tokens".to_string())
            }
            (None, 0) => {
                self.known.dead = true;
                hold("the newest refresh token works", self.known.open, || "it was refused".to_string())
            }
            (None, _) => {
                let locked_out = inside && !self.known.open;
                hold("a retry inside the window is answered", !locked_out, || "it was refused".to_string())?;
                self.known.open |= !outside;
                self.known.dead |= outside;
                if outside { self.is_dead("reuse outside the window ends the grant") } else { Ok(()) }
            }
        }
    }

    fn refresh_by_another(&mut self) -> Held {
        let Some(newest) = self.known.generations.last() else { return Ok(()) };
        let mut parameters = refresh_parameters(self.target, &newest.refresh);
        set(&mut parameters, "client_id", &self.target.other_client_id);
        let (body, _) = self.ask("another client presents the newest refresh token", &parameters)?;
        hold("a token works for its client alone", body.is_none(), || "another got tokens".to_string())
    }

    fn revoke(&mut self) -> Held {
        let Some(newest) = self.known.generations.last() else { return Ok(()) };
        let request = post(&self.target.revoke_path, &revocation_parameters(self.target, &newest.refresh));
        self.story.push("the client revokes its refresh token".to_string());
        let response = self.subject.send(&request);
        is_sound(&response)?;
        hold("a revocation is acknowledged", response.status == 200, || format!("status {}", response.status))?;
        self.known.dead = true;
        self.is_dead("revocation is final")
    }

    fn use_newest(&mut self) -> Held {
        let Some(newest) = self.known.generations.last() else { return Ok(()) };
        let let_in = self.subject.honours(&newest.access);
        self.story.push(format!("the newest access token is used: let in {let_in}"));
        if self.known.open && !let_in {
            self.known.dead = true;
        }
        hold("an access token lives as long as its grant", let_in != self.known.dead, || {
            (if let_in { "a dead one was let in" } else { "a live one was not" }).to_string()
        })
    }

    /// Neither the newest refresh token nor the newest access token works any more.
    fn is_dead(&mut self, invariant: &'static str) -> Held {
        let Some(newest) = self.known.generations.last() else { return Ok(()) };
        let (parameters, access) = (refresh_parameters(self.target, &newest.refresh), newest.access.clone());
        let (body, _) = self.ask("the newest refresh token is tried", &parameters)?;
        hold(invariant, body.is_none(), || "the newest refresh token still works".to_string())?;
        hold(invariant, !self.subject.honours(&access), || "the newest access token still works".to_string())
    }

    /// Asks the token endpoint: the body where there are tokens, and between which instants that was.
    fn ask(&mut self, what: &str, parameters: &Parameters) -> Result<(Option<Value>, (u64, u64)), Broken> {
        let began = self.subject.milliseconds();
        let response = self.subject.send(&post(&self.target.token_path, parameters));
        let between = (began, self.subject.milliseconds());
        self.story.push(format!("{what}: {} {}", response.status, text(&json(&response), "error")));
        is_token_answer(&response)?;
        Ok(((response.status == 200).then(|| json(&response)), between))
    }

    fn learn(&mut self, body: &Value, between: (u64, u64)) -> Held {
        let (refresh, access) = (text(body, "refresh_token").to_string(), text(body, "access_token").to_string());
        for token in [&refresh, &access] {
            let is_new = !token.is_empty() && !self.made.contains(token);
            hold("new tokens were never made before", is_new, || "one is missing, or came twice".to_string())?;
            self.made.push(token.clone());
        }
        self.known.generations.push(Generation { refresh, access, between });
        Ok(())
    }
}

fn json(response: &HttpResponse) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn set(parameters: &mut Parameters, name: &str, value: &str) {
    for pair in parameters.iter_mut().filter(|(key, _)| key == name) {
        pair.1 = value.to_string();
    }
}
