//! Who the user is: the host's answer, or the session of the built-in sign-in.
//!
//! A session is the pasted credential itself, sealed: each use proves it again. So it ends with the credential, reaches no
//! further than it, and a stolen server key alone makes none for a personal access token.

use super::approval::subject_counter;
use super::config::OFFLINE_ACCESS;
use super::mint;
use super::rule::{Pause, Scene};
use super::server::Server;
use crate::exchange::Facts;
use crate::grant::Grant;
use crate::http::{HttpRequest, percent_encode};
use crate::question::{Decision, Question, SignInQuestion, User};
use crate::token::{self, TokenKind};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Value, json};

const SESSION: &str = "session";
pub(crate) const SESSION_COOKIE: &str = "-session";
/// How long a session of the built-in sign-in lasts, in seconds.
pub(crate) const SESSION_SECONDS: u64 = 8 * 3600;
/// The longest credential that is taken, in bytes: sealed, it travels in a cookie, and browsers keep 4096 bytes of one.
const CREDENTIAL_BYTES: usize = 2048;

/// How far the credential reaches that a user signed in with: nobody approves more than they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The one resource of a personal access token; `None` for all.
    resource: Option<String>,
    scopes: Vec<String>,
}

impl Reach {
    /// Those of `scopes` that are within reach at `resources`; none when nothing but `offline_access` would be left.
    pub(crate) fn narrow(&self, server: &Server, scopes: &[String], resources: &[String]) -> Vec<String> {
        let everywhere = self.resource.as_ref().is_none_or(|own| resources.iter().all(|resource| resource == own));
        let within = |name: &&String| server.config.hierarchy.covers(&self.scopes, name);
        if !everywhere || !scopes.iter().any(|name| name != OFFLINE_ACCESS && within(&name)) {
            return Vec::new();
        }
        scopes.iter().filter(|name| *name == OFFLINE_ACCESS || within(name)).cloned().collect()
    }
}

/// A user, and how far their credential reaches; `None` for as far as they themselves do.
pub(crate) type Holder = (User, Option<Reach>);

/// Asks who the user is, or reads it from the built-in sign-in's session.
pub(crate) fn who(
    scene: &Scene,
    facts: &mut Facts,
    request: &HttpRequest,
    question: &SignInQuestion,
) -> Result<(Decision, Option<Reach>), Pause> {
    let config = &scene.server.config;
    if !config.personal_sign_in {
        return Ok((facts.who(question)?.clone(), None));
    }
    if let Some((user, reach)) = read(scene, facts, request)? {
        return Ok((Decision::SignedIn(user), reach));
    }
    let mut location = format!("{}/sign-in?next=", config.base_path());
    percent_encode(&question.return_to, &mut location);
    Ok((Decision::SignIn { location }, None))
}

/// Seals a credential that [`holder`] has accepted.
pub(crate) fn seal(scene: &Scene, facts: &Facts, credential: &str, user: &User) -> Result<String, Pause> {
    let counter = counter(scene, facts, user)?;
    let expires_at = scene.env.now.saturating_add(SESSION_SECONDS);
    let session = json!({ "token": credential, "counter": counter, "expires_at": expires_at }).to_string();
    let sealed = scene.server.seal(scene.env.now, SESSION, session.as_bytes());
    sealed.ok_or(Pause::Unavailable("no server key signs now"))
}

fn read(scene: &Scene, facts: &Facts, request: &HttpRequest) -> Result<Option<Holder>, Pause> {
    let server = &scene.server;
    let opened = || {
        let sealed = request.cookie(&server.config.cookie_name(SESSION_COOKIE))?;
        let value: Value = serde_json::from_slice(&server.unseal(scene.env.now, SESSION, sealed)?).ok()?;
        let fresh = scene.env.now < value.get("expires_at")?.as_u64()?;
        fresh.then_some((value.get("token")?.as_str()?.to_string(), value.get("counter")?.as_u64()?))
    };
    let Some((credential, seen)) = opened() else { return Ok(None) };
    let Some((user, reach)) = holder(scene, facts, &credential)? else { return Ok(None) };
    // "Sign out everywhere" ends these sessions too.
    Ok((counter(scene, facts, &user)? <= seen).then_some((user, reach)))
}

fn counter(scene: &Scene, facts: &Facts, user: &User) -> Result<u64, Pause> {
    subject_counter(facts, &scene.server.subject_key(&scene.server.subject_id(&user.subject)))
}

/// Whose credential this is: a personal access token of ours, or one that the host knows.
pub(crate) fn holder(scene: &Scene, facts: &Facts, credential: &str) -> Result<Option<Holder>, Pause> {
    let (server, now) = (&scene.server, scene.env.now);
    let config = &server.config;
    if credential.is_empty() || credential.len() > CREDENTIAL_BYTES {
        return Ok(None);
    }
    let kinds = [TokenKind::Personal];
    if let Some(opened) = token::open(&config.prefixes, &server.ring, now, &config.issuer_hash, &kinds, credential) {
        let (grant_key, subject_key) = (server.grant_key(&opened.body.grant), server.subject_key(&opened.body.subject));
        facts.need(&[grant_key.clone(), subject_key.clone()])?;
        let counter = subject_counter(facts, &subject_key)?;
        let grant = facts.live(&grant_key, now)?.and_then(|record| Grant::decode(&record.value));
        let Some(grant) = grant else { return Ok(None) };
        let proven = opened.prove(&server.ring, &config.issuer_hash, &grant.salt);
        let live = proven.filter(|token| grant.honours(token, now) && grant.is_alive(now, counter));
        let Some(live) = live else { return Ok(None) };
        let (resource, scopes) = (live.body.resource, live.body.scopes);
        let reach = Reach {
            scopes: mint::scope_names(server, &grant, resource, scopes),
            resource: Some(grant.resources.get(usize::from(resource)).cloned().unwrap_or_default()),
        };
        return Ok(Some((User { subject: grant.subject, name: String::new(), claims: grant.claims }, Some(reach))));
    }
    if !config.verify_tokens {
        return Ok(None);
    }
    Ok(match facts.decided(Question::Token { token: credential.to_string() })? {
        Decision::Credential { expires_at: Some(end), .. } if now >= *end => None,
        Decision::Credential { user, scopes, .. } => {
            Some((user.clone(), Some(Reach { resource: None, scopes: scopes.clone() })))
        }
        Decision::SignedIn(user) => Some((user.clone(), None)),
        _ => None,
    })
}
