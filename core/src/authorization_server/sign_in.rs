//! The built-in sign-in by pasting a personal access token, for hosts without a login of their own.

use super::approval::subject_counter;
use super::consent_page::same_origin;
use super::page;
use super::reply::{self, Shape};
use super::rule::{Answer, Pause, Scene};
use super::session::{SESSION, SESSION_COOKIE, SESSION_SECONDS};
use crate::exchange::{Act, Facts, Rule};
use crate::grant::Grant;
use crate::http::{BODY_BYTES, Form, HttpRequest, QUERY_BYTES};
use crate::question::{Decision, Question, User};
use crate::refusal;
use crate::token::{self, TokenKind};
use alloc::format;
use alloc::string::{String, ToString};
use serde_json::json;

/// One request to the built-in sign-in.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub(crate) struct SignIn {
    scene: Scene,
    request: HttpRequest,
}

impl SignIn {
    pub(crate) fn new(scene: Scene, request: HttpRequest) -> Self {
        Self { scene, request }
    }

    fn decide(&self, facts: &mut Facts) -> Result<Answer, Pause> {
        let (scene, posted) = (&self.scene, self.request.method == "POST");
        let invalid = || Pause::from(&refusal::CONSENT_FORM);
        let action = format!("{}/sign-in", scene.server.config.base_path());
        if !posted {
            let form = Form::parse(&self.request.query, QUERY_BYTES).map_err(|_| invalid())?;
            let next = self.way_back(form.one("next").map_err(|_| invalid())?);
            return Ok(reply::done(page::sign_in(&action, &next, false), facts));
        }
        same_origin(scene, &self.request)?;
        let form = Form::parse(&self.request.body, BODY_BYTES).map_err(|_| invalid())?;
        let next = self.way_back(form.one("next").map_err(|_| invalid())?);
        let token = form.one("token").map_err(|_| invalid())?.unwrap_or_default().trim();
        let Some((user, counter)) = self.user_of(facts, token)? else {
            let mut answer = reply::refused(scene, &refusal::SIGN_IN_TOKEN, "", Shape::Page, facts);
            answer.response = page::sign_in(&action, &next, true);
            return Ok(answer);
        };
        let session = json!({
            "subject": user.subject, "name": user.name, "claims": user.claims, "counter": counter,
            "expires_at": scene.env.now.saturating_add(SESSION_SECONDS),
        });
        let sealed = scene.server.seal(scene.env.now, SESSION, session.to_string().as_bytes());
        let sealed = sealed.ok_or(Pause::Unavailable("no server key signs now"))?;
        facts.tell(scene.event("sign_in.accepted").with("subject", &user.subject));
        let response = reply::set_cookie(scene, reply::redirect(&next), SESSION_COOKIE, &sealed, SESSION_SECONDS);
        Ok(reply::done(response, facts))
    }

    /// Only our own two pages are worth coming back to.
    fn way_back(&self, next: Option<&str>) -> String {
        let base = self.scene.server.config.base_path();
        let ours = |next: &str| {
            let rest = next.strip_prefix(base).unwrap_or_default();
            (rest.starts_with("/authorize?") || rest.starts_with("/consent?"))
                && next.bytes().all(|byte| byte.is_ascii_graphic())
        };
        next.filter(|next| ours(next)).map_or_else(|| format!("{base}/authorize"), ToString::to_string)
    }

    fn user_of(&self, facts: &mut Facts, presented: &str) -> Result<Option<(User, u64)>, Pause> {
        let (scene, server) = (&self.scene, &self.scene.server);
        let config = &server.config;
        if let Some(opened) =
            token::open(&config.prefixes, &server.ring, &config.issuer_hash, &[TokenKind::Personal], presented, scene.env.now)
        {
            let (grant_key, subject_key) =
                (server.grant_key(&opened.body.grant), server.subject_key(&opened.body.subject));
            facts.need(&[grant_key.clone(), subject_key.clone()])?;
            let counter = subject_counter(facts, &subject_key)?;
            let grant = facts.live(&grant_key, scene.env.now)?.and_then(|record| Grant::decode(&record.value));
            let Some(grant) = grant else { return Ok(None) };
            let proven = opened.prove(&server.ring, &config.issuer_hash, &grant.salt);
            let live = proven.is_some_and(|token| grant.honours(&token, scene.env.now))
                && grant.is_alive(scene.env.now, counter);
            let user = User { subject: grant.subject.clone(), name: String::new(), claims: grant.claims.clone() };
            return Ok(live.then_some((user, counter)));
        }
        if config.verify_tokens && !presented.is_empty() {
            let decision = facts.decided(Question::Token { token: presented.to_string() })?.clone();
            if matches!(decision, Decision::Credential { expires_at: Some(end), .. } if scene.env.now >= end) {
                return Ok(None);
            }
            if let Decision::SignedIn(user) | Decision::Credential { user, .. } = decision {
                let counter = subject_counter(facts, &server.subject_key(&server.subject_id(&user.subject)))?;
                return Ok(Some((user, counter)));
            }
        }
        Ok(None)
    }
}

impl Rule for SignIn {
    type Output = Answer;

    fn proceed(&mut self, facts: &mut Facts) -> Act<Answer> {
        let decided = self.decide(facts);
        reply::conclude(&self.scene, facts, decided, Shape::Page)
    }

    fn unavailable(&mut self, facts: &mut Facts, what: &'static str) -> Answer {
        reply::unavailable(&self.scene, what, Shape::Page, facts)
    }
}
