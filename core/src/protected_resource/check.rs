//! The bearer check: one token in the header, live, for this resource, with every scope that is needed.

use super::challenge;
use crate::authorization_server::access;
use crate::authorization_server::approval::subject_counter;
use crate::authorization_server::clients::{self, registered};
use crate::authorization_server::mint;
use crate::authorization_server::rule::{Answer, Ending, Pause, Scene};
use crate::crypto;
use crate::exchange::{Act, Endpoint, Facts, Rule};
use crate::grant::Grant;
use crate::http::{Form, QUERY_BYTES};
use crate::question::{Decision, Question};
use crate::refusal::{self, Refusal};
use crate::store::NEVER;
use crate::token::{self, Opened, TokenKind};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Map, Value};

/// The longest bearer token that is read, in bytes.
const BEARER_BYTES: usize = 16 * 1024;

/// What the check looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CheckRequest {
    /// Header pairs in order, duplicates kept.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The query without its `?`: a token there is never accepted, and together with one in the header it is an error.
    pub query: Vec<u8>,
    /// The resource that is asked for, as configured. The first one when empty.
    pub resource: String,
    /// Every scope that the operation needs.
    pub scopes: Vec<String>,
    /// The peer's address, for audit events.
    pub peer: String,
}

/// What kind of credential an identity came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentityKind {
    /// An access token of a client.
    Access,
    /// A personal access token.
    Personal,
    /// A credential that the host knows.
    External,
}

/// Who asks, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(lockstep_model, derive(Hash))]
pub struct Identity {
    /// The user.
    pub subject: String,
    /// The client; empty for personal and external credentials.
    pub client_id: String,
    /// The scopes of this token, in the order of its grant.
    pub scopes: Vec<String>,
    /// The resource that the token is for, as configured.
    pub resource: String,
    /// The user's claims at approval. Empty for a JWT that was checked by its key alone.
    pub claims: Map<String, Value>,
    /// The grant; empty for external credentials.
    pub grant_id: String,
    /// Seconds since 1970.
    pub expires_at: u64,
    /// What kind of credential it was.
    pub kind: IdentityKind,
}

/// The end of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(lockstep_model, derive(Hash))]
pub enum Checked {
    /// Go on; this is who asks.
    Allowed(Identity),
    /// Send this instead.
    Refused(Answer),
}

/// The exchange of one check.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub struct CheckExchange {
    scene: Scene,
    request: CheckRequest,
    resource: usize,
    presented: Presented,
}

#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
enum Presented {
    Wrong(&'static Refusal),
    Opaque(Opened),
    Text(String),
}

impl CheckExchange {
    pub(crate) fn new(scene: Scene, request: CheckRequest) -> Self {
        let config = &scene.server.config;
        let resource =
            if request.resource.is_empty() { Some(0) } else { config.resource_table.find(&request.resource) };
        let presented = match read(&request) {
            Err(refusal) => Presented::Wrong(refusal),
            Ok(token) => {
                let kinds = [TokenKind::Access, TokenKind::Personal];
                match token::open(
                    &config.prefixes,
                    &scene.server.ring,
                    scene.env.now,
                    &config.issuer_hash,
                    &kinds,
                    token,
                ) {
                    Some(opened) => Presented::Opaque(opened),
                    None => Presented::Text(token.to_string()),
                }
            }
        };
        // A resource that is not configured is the caller's mistake; refusing every token is the safe reading of it.
        Self { presented, resource: resource.unwrap_or(usize::MAX), scene, request }
    }

    fn decide(&self, facts: &Facts) -> Result<Identity, Pause> {
        let identity = match &self.presented {
            Presented::Wrong(refusal) => return Err(Pause::from(*refusal)),
            Presented::Opaque(opened) => self.opaque(facts, opened)?,
            Presented::Text(text) => self.text(facts, text)?,
        };
        let hierarchy = &self.scene.server.config.hierarchy;
        match self.request.scopes.iter().find(|needed| !hierarchy.covers(&identity.scopes, needed)) {
            Some(missing) => Err(Pause::because(&refusal::BEARER_SCOPE, missing.clone())),
            None => Ok(identity),
        }
    }

    fn opaque(&self, facts: &Facts, opened: &Opened) -> Result<Identity, Pause> {
        let (server, now) = (&self.scene.server, self.scene.env.now);
        let invalid = |detail: &str| Pause::because(&refusal::BEARER_INVALID, detail);
        if now >= opened.body.expires_at {
            return Err(Pause::from(&refusal::BEARER_EXPIRED));
        }
        let (grant_key, subject_key) = (server.grant_key(&opened.body.grant), server.subject_key(&opened.body.subject));
        let client_key = opened.body.client.as_ref().map(|id| server.client_key(id));
        if facts.record(&grant_key).is_err() {
            let mut wanted = alloc::vec![grant_key, subject_key];
            wanted.extend(client_key);
            return Err(Pause::Load(wanted));
        }
        let record = facts.live(&grant_key, now)?.ok_or_else(|| invalid("no such grant"))?;
        let grant = Grant::decode(&record.value).ok_or(Pause::Unavailable("a stored grant cannot be read"))?;
        let proven =
            opened.prove(&server.ring, &server.config.issuer_hash, &grant.salt).ok_or_else(|| invalid("no proof"))?;
        let counter = subject_counter(facts, &subject_key)?;
        if !grant.honours(&proven, now) || !grant.is_alive(now, counter) {
            return Err(Pause::because(&refusal::BEARER_REVOKED, crypto::base64url(&opened.body.grant)));
        }
        if !grant.is_personal() && clients::is_refused(server, &grant.client_id) {
            return Err(Pause::because(&refusal::BEARER_REVOKED, "the client is disabled or no longer configured"));
        }
        if registered::is_gone(&self.scene, facts, opened.body.client.as_ref())? {
            return Err(Pause::because(&refusal::BEARER_REVOKED, "the client is gone"));
        }
        let resource = grant.resources.get(usize::from(proven.body.resource)).cloned().unwrap_or_default();
        if Some(resource.as_str()) != self.identifier() {
            return Err(Pause::because(&refusal::BEARER_AUDIENCE, resource));
        }
        let scopes = mint::scope_names(server, &grant, proven.body.resource, proven.body.scopes);
        let kind = if grant.is_personal() { IdentityKind::Personal } else { IdentityKind::Access };
        Ok(Identity {
            scopes,
            resource,
            grant_id: crypto::base64url(&opened.body.grant),
            expires_at: proven.body.expires_at,
            kind,
            subject: grant.subject,
            client_id: grant.client_id,
            claims: grant.claims,
        })
    }

    fn text(&self, facts: &Facts, text: &str) -> Result<Identity, Pause> {
        let server = &self.scene.server;
        if server.config.jwt
            && let Some(seen) = access::read_jwt(server, text, self.scene.env.now)
        {
            if Some(seen.resource.as_str()) != self.identifier() {
                return Err(Pause::because(&refusal::BEARER_AUDIENCE, seen.resource));
            }
            return Ok(Identity {
                subject: seen.subject,
                client_id: seen.client,
                scopes: seen.scopes,
                resource: seen.resource,
                claims: Map::new(),
                grant_id: crypto::base64url(&seen.grant),
                expires_at: seen.expires_at,
                kind: IdentityKind::Access,
            });
        }
        if server.config.verify_tokens
            && let Decision::Credential { user, scopes, expires_at } =
                facts.decided(Question::Token { token: text.to_string() })?
        {
            let Some(resource) = self.identifier() else {
                return Err(Pause::because(&refusal::BEARER_AUDIENCE, self.request.resource.clone()));
            };
            if expires_at.is_some_and(|expires_at| self.scene.env.now >= expires_at) {
                return Err(Pause::from(&refusal::BEARER_EXPIRED));
            }
            return Ok(Identity {
                subject: user.subject.clone(),
                client_id: String::new(),
                scopes: scopes.clone(),
                resource: resource.to_string(),
                claims: user.claims.clone(),
                grant_id: String::new(),
                expires_at: expires_at.unwrap_or(NEVER),
                kind: IdentityKind::External,
            });
        }
        Err(Pause::because(&refusal::BEARER_INVALID, "not a token of ours"))
    }

    fn identifier(&self) -> Option<&str> {
        self.scene.server.config.resources.get(self.resource).map(|resource| resource.identifier.as_str())
    }

    fn refuse(&self, facts: &mut Facts, refusal: &'static Refusal, detail: &str) -> Checked {
        let config = &self.scene.server.config;
        let index = if self.resource == usize::MAX { 0 } else { self.resource };
        let response = challenge::refused(config, index, &self.request.scopes, refusal);
        if !core::ptr::eq(refusal, &refusal::BEARER_MISSING) {
            facts.tell(self.scene.event(refusal.id).with("detail", detail));
        }
        Checked::Refused(Answer { response, refusal: Some(refusal.id), events: core::mem::take(&mut facts.events) })
    }
}

/// The one bearer token of the request: from the header, and from nowhere else.
fn read(request: &CheckRequest) -> Result<&str, &'static Refusal> {
    let mut headers =
        request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization")).map(|(_, value)| value);
    let Some(header) = headers.next() else { return Err(&refusal::BEARER_MISSING) };
    if headers.next().is_some() {
        return Err(&refusal::BEARER_SEVERAL);
    }
    let text = core::str::from_utf8(header).map_err(|_| &refusal::BEARER_MALFORMED)?.trim_matches([' ', '\t']);
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(&refusal::BEARER_MISSING);
    }
    let token = token.trim_matches(' ');
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
    if token.is_empty() || token.len() > BEARER_BYTES || !token.bytes().all(fits) {
        return Err(&refusal::BEARER_MALFORMED);
    }
    if !request.query.is_empty() {
        let form = Form::parse(&request.query, QUERY_BYTES).unwrap_or_default();
        if form.one("access_token") != Ok(None) {
            return Err(&refusal::BEARER_SEVERAL);
        }
    }
    Ok(token)
}

impl Endpoint for CheckExchange {
    type Outcome = Checked;
}

impl Rule for CheckExchange {
    type Output = Checked;

    fn proceed(&mut self, facts: &mut Facts) -> Act<Checked> {
        match self.decide(facts).map_err(Pause::into_act) {
            Ok(identity) => Act::Done(Checked::Allowed(identity)),
            Err(Ok(act)) => act,
            Err(Err(Ending::Refused(refusal, detail))) => Act::Done(self.refuse(facts, refusal, &detail)),
            Err(Err(Ending::Unavailable(what))) => Act::Done(self.unavailable(facts, what)),
        }
    }

    fn unavailable(&mut self, facts: &mut Facts, what: &'static str) -> Checked {
        self.refuse(facts, &refusal::UNAVAILABLE, what)
    }
}
