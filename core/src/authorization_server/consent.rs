//! The consent page and its answer. The form carries a seal over the ticket, the user and the scopes shown.

use super::approval::{self, Approval};
use super::clients;
use super::consent_page::{same_origin, show};
use super::reply::{self, Shape};
use super::rule::{Answer, Pause, Scene};
use super::session;
use super::ticket::{ConsentSeal, Ticket};
use crate::exchange::{Act, Facts, Rule};
use crate::http::{BODY_BYTES, Form, HttpRequest, QUERY_BYTES};
use crate::question::{Decision, SignInQuestion};
use crate::redirect::CheckedRedirect;
use crate::refusal;
use alloc::format;
use alloc::vec::Vec;

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
        let mut ticket = Ticket::open(scene, sealed, cookie)?;
        let client = clients::resolve(scene, facts, &ticket.client)?;
        let question = SignInQuestion {
            return_to: format!("{}/consent?ticket={sealed}", scene.server.config.base_path()),
            client_id: client.id.clone(),
            client_name: client.name.clone(),
            scopes: ticket.scopes.clone(),
            resource: ticket.resources.first().cloned().unwrap_or_default(),
        };
        let (decided, reach) = session::who(scene, facts, &self.request, &question)?;
        let user = match decided {
            Decision::SignIn { location } => return Ok(reply::done(reply::redirect(&location), facts)),
            Decision::SignedIn(user) | Decision::Approve { user, .. } => user,
            _ => return Ok(denied(scene, facts, &ticket)),
        };
        if let Some(reach) = &reach {
            ticket.scopes = reach.narrow(&scene.server, &ticket.scopes, &ticket.resources);
        }
        if ticket.scopes.is_empty() {
            return Ok(denied(scene, facts, &ticket));
        }
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
                let approved =
                    |name: &&alloc::string::String| !is_optional(scene, name) || ticked.contains(&name.as_str());
                let within = |name: &&alloc::string::String| ticket.scopes.contains(name);
                let scopes = seal.shown.iter().filter(approved).filter(within).cloned().collect();
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
    reply::redirect_refusal(scene, facts, &redirect, ticket.state.as_deref(), &refusal::ACCESS_DENIED, "")
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
