//! What the host does for a signed-in user: personal access tokens, connected apps, signing out everywhere.
//!
//! The host has authenticated the user; these operations check nothing about that.

use super::approval::{counter_value, labels, store_until, subject_counter};
use super::rule::{Ending, Pause, Scene};
use super::server::AuthorizationServer;
use crate::audit::AuditEvent;
use crate::crypto;
use crate::env::Env;
use crate::exchange::{self, Act, Endpoint, Facts, Misuse, Rule, Step};
use crate::grant::{Generation, Grant, GrantState};
use crate::refusal;
use crate::store::{Labels, NEVER, Record, Write};
use crate::token::{self, GrantId, TokenKind};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Map, Value};

/// The longest name of a personal access token, in characters.
const NAME_CHARACTERS: usize = 100;

/// An operation on behalf of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(lockstep_model, derive(Hash))]
pub enum Operation {
    /// Makes a personal access token for local clients that cannot run a browser.
    IssuePersonal {
        /// Whose token it is.
        subject: String,
        /// What the user calls it.
        name: String,
        /// Claims that ride along.
        claims: Map<String, Value>,
        /// The resource it is for; the first one when empty.
        resource: String,
        /// What it may do; all default scopes when empty.
        scopes: Vec<String>,
        /// How long it lives, in seconds.
        expires_in: u64,
    },
    /// Ends one grant or personal access token of that user.
    RevokeGrant {
        /// Whose grant it must be.
        subject: String,
        /// The grant.
        grant_id: String,
    },
    /// Ends every grant, personal access token and built-in session of that user. Also for a user who was disabled.
    SignOutEverywhere {
        /// The user.
        subject: String,
    },
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operated {
    /// The token, shown once.
    Issued {
        /// The token itself.
        token: String,
        /// Its grant.
        grant_id: String,
        /// Seconds since 1970.
        expires_at: u64,
    },
    /// The grant is dead.
    Revoked,
    /// Everything of that user is dead.
    SignedOut,
    /// There is no such grant of that user.
    NotFound,
    /// The store failed; try again.
    Unavailable,
}

/// The end of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OperationOutcome {
    /// What became of it.
    pub operated: Operated,
    /// What happened, for the operator.
    pub events: Vec<AuditEvent>,
}

/// One line of a user's list of connected apps and personal access tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrantSummary {
    /// The grant.
    pub grant_id: String,
    /// The client; empty for a personal access token.
    pub client_id: String,
    /// The client's own name, or the token's.
    pub name: String,
    /// Whether it is a personal access token.
    pub personal: bool,
    /// The approved scopes.
    pub scopes: Vec<String>,
    /// The approved resources.
    pub resources: Vec<String>,
    /// Seconds since 1970.
    pub created_at: u64,
    /// When its current generation began, in seconds since 1970.
    pub used_at: u64,
    /// Seconds since 1970.
    pub expires_at: u64,
}

impl AuthorizationServer {
    /// Starts an operation.
    ///
    /// # Errors
    /// `Misuse` that names the argument, before anything is read or written.
    pub fn operate(&self, operation: Operation, env: Env) -> Result<Step<OperationExchange>, Misuse> {
        self.check_operation(&operation)?;
        let scene = Scene { server: self.server.clone(), env, peer: String::new() };
        Ok(exchange::begin(OperationExchange { scene, operation }))
    }

    fn check_operation(&self, operation: &Operation) -> Result<(), Misuse> {
        let config = &self.server.config;
        let subject = match operation {
            Operation::IssuePersonal { subject, .. }
            | Operation::RevokeGrant { subject, .. }
            | Operation::SignOutEverywhere { subject } => subject,
        };
        if subject.is_empty() || subject.len() > 255 {
            return Err(Misuse::new("subject", "a subject has 1 to 255 bytes"));
        }
        let Operation::IssuePersonal { name, resource, scopes, expires_in, .. } = operation else { return Ok(()) };
        if name.chars().count() > NAME_CHARACTERS {
            return Err(Misuse::new("name", "at most 100 characters"));
        }
        if !resource.is_empty() && config.resource_table.find(resource).is_none() {
            return Err(Misuse::new("resource", "not one of the configured resources"));
        }
        if let Some(unknown) = scopes.iter().find(|name| config.scope(name).is_none()) {
            return Err(Misuse {
                at: "scopes".into(),
                message: format!("`{unknown}` is not one of the configured scopes"),
            });
        }
        if !scopes.is_empty() && scopes.iter().all(|name| name == super::config::OFFLINE_ACCESS) {
            return Err(Misuse::new("scopes", "a personal access token has nothing to refresh; name another scope"));
        }
        if !(1..=10 * 365 * 86_400).contains(expires_in) {
            return Err(Misuse::new("expires_in", "between one second and ten years"));
        }
        Ok(())
    }

    /// Reads what the store's `list(subject)` returned: the live grants and tokens, newest first.
    ///
    /// `counter` is the subject's counter, if the host has loaded it; 0 shows grants that signing out has killed.
    pub fn describe(&self, records: &[(String, Record)], counter: u64, now: u64) -> Vec<GrantSummary> {
        let prefix = self.server.key("grant", "").as_str().to_string();
        let mut summaries: Vec<GrantSummary> = records
            .iter()
            .filter_map(|(key, record)| {
                let grant_id = key.strip_prefix(&prefix)?;
                let grant = Grant::decode(&record.value)
                    .filter(|grant| now < record.expires_at && grant.is_alive(now, counter))?;
                Some(GrantSummary {
                    grant_id: grant_id.to_string(),
                    personal: grant.is_personal(),
                    name: if grant.is_personal() { grant.name } else { grant.client_name },
                    client_id: grant.client_id,
                    scopes: grant.scopes,
                    resources: grant.resources,
                    created_at: grant.created_at,
                    used_at: grant.generation.issued_at,
                    expires_at: grant.expires_at,
                })
            })
            .collect();
        summaries
            .sort_by(|left, right| right.created_at.cmp(&left.created_at).then(left.grant_id.cmp(&right.grant_id)));
        summaries
    }

    /// The key of a subject's counter, for a host that lists grants.
    pub fn subject_counter_key(&self, subject: &str) -> crate::store::Key {
        self.server.subject_key(&self.server.subject_id(subject))
    }

    /// Reads a subject's counter from its record.
    pub fn subject_counter(&self, record: Option<&Record>) -> u64 {
        record.and_then(super::approval::read_counter).unwrap_or(0)
    }
}

/// The exchange of one operation.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub struct OperationExchange {
    scene: Scene,
    operation: Operation,
}

impl OperationExchange {
    fn decide(&self, facts: &mut Facts) -> Result<Operated, Pause> {
        match &self.operation {
            Operation::IssuePersonal { subject, name, claims, resource, scopes, expires_in } => {
                self.issue(facts, subject, name, claims, resource, scopes, *expires_in)
            }
            Operation::RevokeGrant { subject, grant_id } => self.revoke(facts, subject, grant_id),
            Operation::SignOutEverywhere { subject } => self.sign_out(facts, subject),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one variant, by name at the only call")]
    fn issue(
        &self,
        facts: &mut Facts,
        subject: &str,
        name: &str,
        claims: &Map<String, Value>,
        resource: &str,
        scopes: &[String],
        expires_in: u64,
    ) -> Result<Operated, Pause> {
        let (scene, server, now) = (&self.scene, &self.scene.server, self.scene.env.now);
        let config = &server.config;
        let id: GrantId = scene.env.entropy.draw("grant id");
        let subject_id = server.subject_id(subject);
        let (key, subject_key) = (server.grant_key(&id), server.subject_key(&subject_id));
        facts.need(&[key.clone(), subject_key.clone()])?;
        let counter = subject_counter(facts, &subject_key)?;
        let previous = facts.stored(&key)?;
        let issued_by = |grant: &Grant| {
            let body = grant.body(TokenKind::Personal, id, subject_id, None, 0, u64::MAX);
            Some(token::derive(
                &config.prefixes,
                server.ring.key(&grant.generation.key)?,
                &config.issuer_hash,
                &grant.salt,
                &body,
            ))
        };
        if let Some(grant) = previous.and_then(|record| Grant::decode(&record.value)) {
            let token = issued_by(&grant).filter(|_| grant.stamp == scene.stamp());
            let token = token.ok_or(Pause::Unavailable("a fresh grant id is taken"))?;
            let grant_id = crypto::base64url(&id);
            facts.tell(
                scene
                    .event("personal_token.issued")
                    .with("subject", subject)
                    .with("grant", &grant_id)
                    .with("scope", &grant.scopes.join(" ")),
            );
            return Ok(Operated::Issued { token, grant_id, expires_at: grant.expires_at });
        }
        let signing = server.ring.signing(now).ok_or(Pause::Unavailable("no server key signs now"))?;
        let index = if resource.is_empty() { 0 } else { config.resource_table.find(resource).unwrap_or(0) };
        let resource = config.resources.get(index).map(|resource| resource.identifier.clone());
        let expires_at = now.saturating_add(expires_in);
        // In the order of the configuration, each once: the bitmap of a token has room for no more.
        let chosen = |scope: &&super::config::ScopeConfig| match scopes {
            [] => scope.default,
            scopes => scopes.contains(&scope.name),
        };
        let scopes = config.scopes.iter().filter(chosen).map(|scope| scope.name.clone());
        let grant = Grant {
            v: crate::grant_record::GRANT_VERSION,
            state: GrantState::Live,
            client_id: String::new(),
            subject: subject.to_string(),
            claims: claims.clone(),
            subject_counter: counter,
            scopes: scopes.filter(|name| name != super::config::OFFLINE_ACCESS).collect(),
            resources: resource.into_iter().collect(),
            redirect_uri: String::new(),
            challenge: String::new(),
            salt: scene.env.entropy.draw("grant salt"),
            created_at: now,
            expires_at,
            refreshable: false,
            generation: Generation {
                number: 1,
                key: signing.id,
                issued_at: now,
                access_expires_at: expires_at,
                refresh_expires_at: expires_at,
                retried: false,
                jwt_kid: String::new(),
            },
            streak: 0,
            access_floor: 0,
            last_at: now,
            stamp: scene.stamp(),
            revoked_because: String::new(),
            name: name.to_string(),
            client_name: String::new(),
            confirmation: None,
        };
        let value = grant.encode_new().ok_or(Pause::from(&refusal::AUTHORIZE_TOO_LARGE))?;
        Err(Pause::Gate(Write::over(
            previous,
            key,
            value,
            store_until(server, &grant),
            labels(&grant),
            &scene.env.entropy,
        )))
    }

    fn revoke(&self, facts: &mut Facts, subject: &str, grant_id: &str) -> Result<Operated, Pause> {
        let (scene, server) = (&self.scene, &self.scene.server);
        let id: Option<GrantId> = crypto::from_base64url(grant_id).and_then(|bytes| bytes.try_into().ok());
        let Some(id) = id else { return Ok(Operated::NotFound) };
        let key = server.grant_key(&id);
        let Some(record) = facts.live(&key, scene.env.now)? else { return Ok(Operated::NotFound) };
        let grant = Grant::decode(&record.value).ok_or(Pause::Unavailable("a stored grant cannot be read"))?;
        if grant.subject != subject {
            return Ok(Operated::NotFound);
        }
        if grant.state == GrantState::Revoked {
            if grant.stamp == scene.stamp() {
                let event = scene.event("grant.revoked").with("client", &grant.client_id).with("subject", subject);
                facts.tell(event.with("grant", grant_id).with("by", "the user"));
            }
            return Ok(Operated::Revoked);
        }
        let dead = grant.revoked(scene.env.now, scene.stamp(), "revoked by the user");
        let value = dead.encode().ok_or(Pause::Unavailable("a grant is too large"))?;
        Err(Pause::Gate(Write::over(
            Some(record),
            key,
            value,
            store_until(server, &dead),
            labels(&dead),
            &scene.env.entropy,
        )))
    }

    fn sign_out(&self, facts: &mut Facts, subject: &str) -> Result<Operated, Pause> {
        let (scene, server) = (&self.scene, &self.scene.server);
        let key = server.subject_key(&server.subject_id(subject));
        let counter = subject_counter(facts, &key)?;
        let stamp = scene.stamp();
        let record = facts.stored(&key)?;
        if record.is_some_and(|record| record.value == counter_value(counter, &stamp)) {
            facts.tell(scene.event("subject.signed_out").with("subject", subject));
            return Ok(Operated::SignedOut);
        }
        let value = counter_value(counter.saturating_add(1), &stamp);
        // No label: the counter is no grant, and must not show up in a list of them.
        Err(Pause::Gate(Write::over(record, key, value, NEVER, Labels::default(), &scene.env.entropy)))
    }
}

impl Endpoint for OperationExchange {
    type Outcome = OperationOutcome;
}

impl Rule for OperationExchange {
    type Output = OperationOutcome;

    fn proceed(&mut self, facts: &mut Facts) -> Act<OperationOutcome> {
        let operated = match self.decide(facts).map_err(Pause::into_act) {
            Ok(operated) => operated,
            Err(Ok(act)) => return act,
            Err(Err(Ending::Refused(refusal, detail))) => {
                facts.tell(self.scene.event(refusal.id).with("detail", &detail));
                Operated::Unavailable
            }
            Err(Err(Ending::Unavailable(what))) => return Act::Done(self.unavailable(facts, what)),
        };
        Act::Done(OperationOutcome { operated, events: core::mem::take(&mut facts.events) })
    }

    fn unavailable(&mut self, facts: &mut Facts, what: &'static str) -> OperationOutcome {
        facts.tell(self.scene.event(refusal::UNAVAILABLE.id).with("detail", what));
        OperationOutcome { operated: Operated::Unavailable, events: core::mem::take(&mut facts.events) }
    }
}
