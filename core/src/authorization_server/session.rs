//! Who the user is: the host's answer, or the session of the built-in sign-in.

use super::approval::subject_counter;
use super::rule::{Pause, Scene};
use crate::exchange::Facts;
use crate::http::{HttpRequest, percent_encode};
use crate::question::{Decision, Question, SignInQuestion, User};
use alloc::format;
use alloc::string::ToString;
use serde_json::Value;

pub(crate) const SESSION: &str = "session";
pub(crate) const SESSION_COOKIE: &str = "-session";
/// How long a session of the built-in sign-in lasts, in seconds.
pub(crate) const SESSION_SECONDS: u64 = 8 * 3600;

/// Asks who the user is, or reads it from the built-in sign-in's session.
pub(crate) fn who(
    scene: &Scene,
    facts: &mut Facts,
    request: &HttpRequest,
    question: SignInQuestion,
) -> Result<Decision, Pause> {
    let config = &scene.server.config;
    if !config.personal_sign_in {
        return facts.decided(Question::SignIn(question)).cloned();
    }
    if let Some(user) = session(scene, facts, request)? {
        return Ok(Decision::SignedIn(user));
    }
    let mut location = format!("{}/sign-in?next=", config.base_path());
    percent_encode(&question.return_to, &mut location);
    Ok(Decision::SignIn { location })
}

fn session(scene: &Scene, facts: &Facts, request: &HttpRequest) -> Result<Option<User>, Pause> {
    let server = &scene.server;
    let read = || {
        let sealed = request.cookie(&server.config.cookie_name(SESSION_COOKIE))?;
        let value: Value = serde_json::from_slice(&server.unseal(scene.env.now, SESSION, sealed)?).ok()?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(ToString::to_string);
        let claims = value.get("claims").and_then(Value::as_object).cloned().unwrap_or_default();
        let fresh = scene.env.now < value.get("expires_at")?.as_u64()?;
        let counter = value.get("counter")?.as_u64()?;
        fresh.then_some((User { subject: text("subject")?, name: text("name")?, claims }, counter))
    };
    let Some((user, counter)) = read() else { return Ok(None) };
    // "Sign out everywhere" ends these sessions too.
    let key = server.subject_key(&server.subject_id(&user.subject));
    Ok((subject_counter(facts, &key)? <= counter).then_some(user))
}
