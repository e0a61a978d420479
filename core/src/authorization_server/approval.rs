//! Turning a person's yes into a grant and its code: one conditional write, repeatable by the same person.

use super::clients::registered::{Life, Registration};
use super::clients::{Client, Origin};
use super::config::{OFFLINE_ACCESS, RefreshPolicy};
use super::reply;
use super::rule::{Answer, Pause, Scene};
use super::server::Server;
use super::ticket::Ticket;
use crate::crypto;
use crate::exchange::Facts;
use crate::grant::{Generation, Grant, GrantState};
use crate::question::User;
use crate::redirect::CheckedRedirect;
use crate::refusal;
use crate::store::{Key, Labels, Record, Write};
use crate::token::{self, RecordId, TokenKind};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Value, json};

/// How much longer than its last use a record is kept, for hosts whose clocks differ, in seconds.
pub(crate) const CLOCK_SKEW_SECONDS: u64 = 60;

/// Who says yes, to what.
pub(crate) struct Approval<'a> {
    pub(crate) client: &'a Client,
    pub(crate) ticket: &'a Ticket,
    pub(crate) user: &'a User,
    pub(crate) scopes: Vec<String>,
}

/// Commits the grant and sends its code to the redirect.
pub(crate) fn approve(scene: &Scene, facts: &mut Facts, approval: Approval<'_>) -> Result<Answer, Pause> {
    let server = &scene.server;
    let ticket = approval.ticket;
    let id = ticket.grant_id().ok_or(Pause::from(&refusal::TICKET_INVALID))?;
    let redirect = CheckedRedirect::from_sealed(ticket.redirect.clone());
    if approval.scopes.is_empty() {
        return Ok(reply::redirect_refusal(
            scene,
            facts,
            &redirect,
            ticket.state.as_deref(),
            &refusal::ACCESS_DENIED,
            "no scope was left",
        ));
    }
    let grant_key = server.grant_key(&id);
    let subject = server.subject_id(&approval.user.subject);
    let subject_key = server.subject_key(&subject);
    facts.need(&[grant_key.clone(), subject_key.clone()])?;
    let counter = subject_counter(facts, &subject_key)?;
    if let Some(record) = facts.live(&grant_key, scene.env.now)? {
        let grant = Grant::decode(&record.value).ok_or(Pause::Unavailable("a stored grant cannot be read"))?;
        let same = grant.state == GrantState::Granted
            && grant.subject == approval.user.subject
            && grant.client_id == approval.client.id
            && grant.scopes == approval.scopes
            && grant.resources == ticket.resources
            && grant.is_alive(scene.env.now, counter);
        if !same {
            return Err(Pause::from(&refusal::CONSENT_DECIDED));
        }
        let event = if grant.stamp == scene.stamp() { "consent.approved" } else { "consent.repeated" };
        facts.tell(
            scene
                .event(event)
                .with("client", &grant.client_id)
                .with("subject", &grant.subject)
                .with("grant", &ticket.grant)
                .with("scope", &grant.scopes.join(" ")),
        );
        let code = code(server, &grant, &id, &subject, approval.client)
            .ok_or(Pause::Unavailable("the key of a fresh grant is gone"))?;
        return Ok(reply::done(answer_with_code(scene, &redirect, ticket, &code), facts));
    }
    let grant = granted(scene, &approval, counter)?;
    let value = grant.encode_new().ok_or(Pause::from(&refusal::AUTHORIZE_TOO_LARGE))?;
    extend_registration(scene, facts, approval.client, grant.expires_at)?;
    let expires_at = store_until(&scene.server, &grant);
    let labels = labels(&grant);
    let previous = facts.stored(&grant_key)?;
    Err(Pause::Gate(Write::over(previous, grant_key, value, expires_at, labels, &scene.env.entropy)))
}

fn granted(scene: &Scene, approval: &Approval<'_>, counter: u64) -> Result<Grant, Pause> {
    let config = &scene.server.config;
    let key = scene.server.ring.signing(scene.env.now).ok_or(Pause::Unavailable("no server key signs now"))?;
    // INVARIANT: a decision is never earlier than what it answers. Otherwise a clock that went back would end the record
    // before the ticket, and the ticket could be answered twice.
    let now = scene.env.now.max(approval.ticket.expires_at.saturating_sub(config.ticket_seconds));
    let offline = approval.scopes.iter().any(|scope| scope == OFFLINE_ACCESS);
    let refreshable = match config.refresh {
        RefreshPolicy::Never => false,
        RefreshPolicy::OfflineAccess => offline,
        RefreshPolicy::GrantTypes => offline || approval.client.refresh,
    };
    let expires_at = now.saturating_add(config.absolute_seconds);
    Ok(Grant {
        v: crate::grant_record::GRANT_VERSION,
        state: GrantState::Granted,
        client_id: approval.client.id.clone(),
        subject: approval.user.subject.clone(),
        claims: approval.user.claims.clone(),
        subject_counter: counter,
        scopes: approval.scopes.clone(),
        resources: approval.ticket.resources.clone(),
        redirect_uri: approval.ticket.redirect.clone(),
        challenge: approval.ticket.challenge.clone(),
        salt: scene.env.entropy.draw("grant salt"),
        created_at: now,
        expires_at,
        refreshable,
        generation: Generation {
            number: 0,
            key: key.id,
            issued_at: now,
            access_expires_at: now,
            // A code that outlived its grant would keep the record of what is over.
            refresh_expires_at: now.saturating_add(config.code_seconds).min(expires_at),
            retried: false,
            jwt_kid: String::new(),
        },
        streak: 0,
        access_floor: 0,
        last_at: now,
        stamp: scene.stamp(),
        revoked_because: String::new(),
        name: String::new(),
        client_name: approval.client.name.chars().take(80).collect(),
        confirmation: None,
    })
}

/// A registration that a person has trusted lives as long as their grant.
fn extend_registration(scene: &Scene, facts: &Facts, client: &Client, until: u64) -> Result<(), Pause> {
    let Origin::Registered(id) = client.origin else { return Ok(()) };
    let key = scene.server.client_key(&id);
    let record = facts.live(&key, scene.env.now)?.ok_or(Pause::from(&refusal::CLIENT_UNKNOWN))?;
    let unreadable = Pause::Unavailable("a stored registration cannot be read");
    let Some(life) = Life::decode(&record.value) else { return Err(unreadable) };
    if life.deleted {
        return Err(Pause::because(&refusal::CLIENT_UNKNOWN, client.id.clone()));
    }
    // Within a day of the wanted end is close enough: not every approval should rewrite the registration.
    if life.expires_at.saturating_add(86_400) >= until {
        return Ok(());
    }
    let mut registration = Registration::decode(&record.value).ok_or(unreadable)?;
    registration.expires_at = until;
    registration.stamp = crypto::base64url(&scene.stamp());
    let value = registration.encode().ok_or(Pause::Unavailable("a registration is too large"))?;
    let labels = Labels { subject: None, client: Some(client.id.clone()) };
    Err(Pause::Gate(Write::over(Some(record), key, value, until, labels, &scene.env.entropy)))
}

/// The counter at the subject's key; 0 while there is none. It never expires.
pub(crate) fn subject_counter(facts: &Facts, key: &Key) -> Result<u64, Pause> {
    facts.stored(key)?.map_or(Some(0), read_counter).ok_or(Pause::Unavailable("a subject's counter cannot be read"))
}

pub(crate) fn read_counter(record: &Record) -> Option<u64> {
    let value: Value = serde_json::from_slice(&record.value).ok()?;
    (value.get("v")?.as_u64()? == 1).then(|| value.get("counter")?.as_u64())?
}

/// The bytes of a subject's counter.
pub(crate) fn counter_value(counter: u64, stamp: &[u8]) -> Vec<u8> {
    json!({ "v": 1, "counter": counter, "stamp": crypto::base64url(stamp) }).to_string().into_bytes()
}

/// How long a grant's record is kept: longer than anything that could still name it.
pub(crate) fn store_until(server: &Server, grant: &Grant) -> u64 {
    let ticket = grant.created_at.saturating_add(server.config.ticket_seconds);
    let last_use = match grant.state {
        GrantState::Granted => grant.generation.refresh_expires_at,
        GrantState::Live => grant.generation.refresh_expires_at.max(grant.generation.access_expires_at),
        GrantState::Revoked => grant.expires_at,
    };
    last_use.max(ticket).saturating_add(CLOCK_SKEW_SECONDS)
}

/// What rides along with a grant's record.
pub(crate) fn labels(grant: &Grant) -> Labels {
    let client = (!grant.client_id.is_empty()).then(|| grant.client_id.clone());
    Labels { subject: Some(grant.subject.clone()), client }
}

fn code(server: &Server, grant: &Grant, id: &[u8; 16], subject: &RecordId, client: &Client) -> Option<String> {
    let key = server.ring.key(&grant.generation.key)?;
    let body = grant.body(TokenKind::Code, *id, *subject, client.record_id(), 0, 0);
    Some(token::derive(&server.config.prefixes, key, &server.config.issuer_hash, &grant.salt, &body))
}

fn answer_with_code(
    scene: &Scene,
    redirect: &CheckedRedirect,
    ticket: &Ticket,
    code: &str,
) -> crate::http::HttpResponse {
    let mut parameters = alloc::vec![("code", code)];
    parameters.extend(ticket.state.as_deref().map(|state| ("state", state)));
    let issuer = scene.server.config.issuer().to_string();
    parameters.push(("iss", &issuer));
    reply::redirect(&redirect.with_parameters(&parameters))
}
