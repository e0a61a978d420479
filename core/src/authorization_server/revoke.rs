//! The revocation endpoint (RFC 7009).

use super::access;
use super::approval::{labels, store_until};
use super::clients::authentication::{ABOUT_TOKEN, Presented, VerifiedClient, authenticate, refuse_query};
use super::reply::{self, Shape};
use super::rule::{Answer, Pause, Scene};
use crate::exchange::{Act, Facts, Rule};
use crate::grant::{Grant, GrantState};
use crate::http::{BODY_BYTES, Form, HttpRequest, HttpResponse};
use crate::refusal;
use crate::store::Write;
use crate::token::{self, TokenKind};

/// One request to the revocation endpoint.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub(crate) struct Revoke {
    scene: Scene,
    request: HttpRequest,
    client: Option<VerifiedClient>,
}

impl Revoke {
    pub(crate) fn new(scene: Scene, request: HttpRequest) -> Self {
        Self { scene, request, client: None }
    }

    fn decide(&mut self, facts: &mut Facts) -> Result<Answer, Pause> {
        let (scene, server) = (&self.scene, &self.scene.server);
        refuse_query(&self.request, &ABOUT_TOKEN)?;
        if !self.request.is_media_type("application/x-www-form-urlencoded") {
            return Err(Pause::from(&refusal::TOKEN_MEDIA_TYPE));
        }
        let form = Form::parse(&self.request.body, BODY_BYTES).map_err(|_| Pause::from(&refusal::TOKEN_MALFORMED))?;
        if let Some(name) = form.repeated(&ABOUT_TOKEN) {
            return Err(Pause::because(&refusal::PARAMETER_REPEATED, name));
        }
        let presented = Presented::read(&self.request, &form)?;
        let text = form.one("token").ok().flatten().ok_or(Pause::from(&refusal::REVOKE_TOKEN_MISSING))?;
        let config = &server.config;
        let kinds = [TokenKind::Refresh, TokenKind::Access];
        let opened = token::open(&config.prefixes, &server.ring, scene.env.now, &config.issuer_hash, &kinds, text);
        let mut wanted = presented.wanted_keys(scene);
        wanted.extend(opened.as_ref().map(|opened| server.grant_key(&opened.body.grant)));
        facts.need(&wanted)?;
        let client = authenticate(&mut self.client, scene, facts, &presented)?;
        client.spend(scene, facts)?;
        let ok = |facts: &mut Facts| Ok(reply::done(reply::cors(reply::no_store(HttpResponse::empty(200))), facts));
        let Some(opened) = opened else {
            if config.jwt && access::read_jwt(server, text, scene.env.now).is_some() {
                return Err(Pause::from(&refusal::REVOKE_JWT));
            }
            return ok(facts);
        };
        let key = server.grant_key(&opened.body.grant);
        let Some(record) = facts.live(&key, scene.env.now)? else { return ok(facts) };
        let grant = Grant::decode(&record.value).ok_or(Pause::Unavailable("a stored grant cannot be read"))?;
        let Some(proven) = opened.prove(&server.ring, &config.issuer_hash, &grant.salt) else { return ok(facts) };
        if grant.client_id != client.client.id {
            facts.tell(scene.event("revoke.foreign").with("client", &client.client.id).with("owner", &grant.client_id));
            return ok(facts);
        }
        let (now, stamp) = (scene.env.now, scene.stamp());
        let whole = proven.body.kind == TokenKind::Refresh;
        let already = grant.state == GrantState::Revoked || (!whole && grant.access_floor >= proven.body.generation);
        if already {
            if grant.stamp == stamp {
                let event = if whole { "grant.revoked" } else { "token.access.revoked" };
                let event = scene.event(event).with("client", &grant.client_id).with("subject", &grant.subject);
                facts.tell(event.with("grant", &crate::crypto::base64url(&proven.body.grant)));
            }
            return ok(facts);
        }
        let next = if whole {
            grant.revoked(now, stamp, "revoked by the client")
        } else {
            grant.access_revoked(proven.body.generation, now, stamp)
        };
        let value = next.encode().ok_or(Pause::Unavailable("a grant is too large"))?;
        let previous = facts.stored(&key)?;
        Err(Pause::Gate(Write::over(
            previous,
            key,
            value,
            store_until(server, &next),
            labels(&next),
            &scene.env.entropy,
        )))
    }
}

impl Rule for Revoke {
    type Output = Answer;

    fn proceed(&mut self, facts: &mut Facts) -> Act<Answer> {
        let decided = self.decide(facts);
        reply::conclude_for_client(&self.scene, facts, decided, self.request.has_header("authorization"))
    }

    fn unavailable(&mut self, facts: &mut Facts, what: &'static str) -> Answer {
        reply::unavailable(&self.scene, what, Shape::JsonWithCors, facts)
    }
}
