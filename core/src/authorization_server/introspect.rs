//! The introspection endpoint (RFC 7662), for resource servers that the operator has named.

use super::approval::subject_counter;
use super::clients::authentication::{ABOUT_TOKEN, Presented, VerifiedClient, authenticate, refuse_query};
use super::mint;
use super::reply::{self, Shape};
use super::rule::{Answer, Pause, Scene};
use crate::exchange::{Act, Facts, Rule};
use crate::grant::Grant;
use crate::http::{BODY_BYTES, Form, HttpRequest, HttpResponse};
use crate::refusal;
use crate::token::{self, TokenKind};
use alloc::string::ToString;
use serde_json::{Map, Value, json};

/// One request to the introspection endpoint.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub(crate) struct Introspect {
    scene: Scene,
    request: HttpRequest,
    client: Option<VerifiedClient>,
}

impl Introspect {
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
        let kinds = [TokenKind::Access, TokenKind::Personal];
        let opened = token::open(&config.prefixes, &server.ring, scene.env.now, &config.issuer_hash, &kinds, text);
        let mut wanted = presented.wanted_keys(scene);
        if let Some(opened) = &opened {
            wanted.extend([server.grant_key(&opened.body.grant), server.subject_key(&opened.body.subject)]);
            wanted.extend(opened.body.client.iter().map(|id| server.client_key(id)));
        }
        facts.need(&wanted)?;
        let caller = authenticate(&mut self.client, scene, facts, &presented)?;
        if !caller.client.introspects || !caller.client.is_confidential() {
            return Err(Pause::because(&refusal::INTROSPECT_CALLER, caller.client.id.clone()));
        }
        caller.spend(scene, facts)?;
        let active = match &opened {
            Some(opened) => self.active(facts, opened)?,
            None => self.active_jwt(facts, text)?,
        };
        let body = active.unwrap_or_else(|| json!({ "active": false }));
        Ok(reply::done(reply::no_store(HttpResponse::json(200, &body)), facts))
    }

    fn active(&self, facts: &Facts, opened: &token::Opened) -> Result<Option<Value>, Pause> {
        let (scene, server) = (&self.scene, &self.scene.server);
        let now = scene.env.now;
        let counter = subject_counter(facts, &server.subject_key(&opened.body.subject))?;
        let Some(record) = facts.live(&server.grant_key(&opened.body.grant), now)? else { return Ok(None) };
        let Some(grant) = Grant::decode(&record.value) else { return Ok(None) };
        let Some(proven) = opened.prove(&server.ring, &server.config.issuer_hash, &grant.salt) else { return Ok(None) };
        if !grant.honours(&proven, now) || !grant.is_alive(now, counter) || self.client_is_gone(facts, &proven.body)? {
            return Ok(None);
        }
        let body = &proven.body;
        let names = mint::scope_names(server, &grant, body.resource, body.scopes);
        Ok(Some(self.describe(&grant, body.resource, &names.join(" "), body.expires_at)))
    }

    fn client_is_gone(&self, facts: &Facts, body: &token::Body) -> Result<bool, Pause> {
        super::clients::registered::is_gone(&self.scene, facts, body.client.as_ref())
    }

    /// A JWT of ours is as live as its grant: what introspection says is better than what its signature says.
    fn active_jwt(&self, facts: &Facts, text: &str) -> Result<Option<Value>, Pause> {
        let (scene, server) = (&self.scene, &self.scene.server);
        if !server.config.jwt {
            return Ok(None);
        }
        let Some(seen) = super::access::read_jwt(server, text, scene.env.now) else { return Ok(None) };
        let (grant_key, subject_key) =
            (server.grant_key(&seen.grant), server.subject_key(&server.subject_id(&seen.subject)));
        let client = super::clients::registered::record_id(&seen.client);
        let mut wanted = alloc::vec![grant_key.clone(), subject_key.clone()];
        wanted.extend(client.iter().map(|id| server.client_key(id)));
        facts.need(&wanted)?;
        let counter = subject_counter(facts, &subject_key)?;
        let Some(grant) = facts.live(&grant_key, scene.env.now)?.and_then(|record| Grant::decode(&record.value)) else {
            return Ok(None);
        };
        let is_gone = super::clients::registered::is_gone(scene, facts, client.as_ref())?;
        if is_gone || !grant.is_alive(scene.env.now, counter) || seen.generation <= grant.access_floor {
            return Ok(None);
        }
        let resource = grant.resources.iter().position(|resource| *resource == seen.resource);
        let Some(resource) = resource.and_then(|index| u8::try_from(index).ok()) else { return Ok(None) };
        Ok(Some(self.describe(&grant, resource, &seen.scopes.join(" "), seen.expires_at)))
    }

    fn describe(&self, grant: &Grant, resource: u8, scope: &str, expires_at: u64) -> Value {
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| body.insert(name.to_string(), value);
        put("active", true.into());
        put("iss", self.scene.server.config.issuer().into());
        put("sub", grant.subject.as_str().into());
        put("scope", scope.into());
        put("token_type", "Bearer".into());
        put("exp", expires_at.into());
        put("iat", grant.generation.issued_at.into());
        if !grant.is_personal() {
            put("client_id", grant.client_id.as_str().into());
        }
        if let Some(resource) = grant.resources.get(usize::from(resource)) {
            put("aud", resource.as_str().into());
        }
        Value::Object(body)
    }
}

impl Rule for Introspect {
    type Output = Answer;

    fn proceed(&mut self, facts: &mut Facts) -> Act<Answer> {
        let decided = self.decide(facts);
        reply::conclude_for_client(&self.scene, facts, decided, self.request.has_header("authorization"))
    }

    fn unavailable(&mut self, facts: &mut Facts, what: &'static str) -> Answer {
        reply::unavailable(&self.scene, what, Shape::Json, facts)
    }
}
