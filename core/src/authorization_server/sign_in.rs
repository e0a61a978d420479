//! The built-in sign-in by pasting a personal access token, for hosts without a login of their own.

use super::consent_page::same_origin;
use super::page;
use super::reply::{self, Shape};
use super::rule::{Answer, Pause, Scene};
use super::session::{self, SESSION_COOKIE, SESSION_SECONDS};
use crate::exchange::{Act, Facts, Rule};
use crate::http::{BODY_BYTES, Form, HttpRequest, QUERY_BYTES};
use crate::refusal;
use alloc::format;
use alloc::string::{String, ToString};

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
        let Some((user, _)) = session::holder(scene, facts, token)? else {
            let mut answer = reply::refused(scene, &refusal::SIGN_IN_TOKEN, "", Shape::Page, facts);
            answer.response = page::sign_in(&action, &next, true);
            return Ok(answer);
        };
        let sealed = session::seal(scene, facts, token, &user)?;
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
