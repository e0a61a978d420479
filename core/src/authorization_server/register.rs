//! Dynamic client registration (RFC 7591): off, open, or guarded by an initial access token.

use super::clients::registered::{self, Registration};
use super::config::RegistrationMode;
use super::registration::{Issued, bearer, describe, hash, read};
use super::reply::{self, Shape};
use super::rule::{Answer, Pause, Scene};
use crate::crypto;
use crate::exchange::{Act, Facts, Rule};
use crate::http::{HttpRequest, HttpResponse};
use crate::refusal;
use crate::store::{Labels, Write};
use alloc::format;

/// One request to the registration endpoint.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub(crate) struct Register {
    scene: Scene,
    request: HttpRequest,
}

impl Register {
    pub(crate) fn new(scene: Scene, request: HttpRequest) -> Self {
        Self { scene, request }
    }

    fn decide(&self, facts: &mut Facts) -> Result<Answer, Pause> {
        let scene = &self.scene;
        let config = &scene.server.config;
        let now = scene.env.now;
        if let RegistrationMode::Guarded(hashes) = &config.registration.mode {
            let token = bearer(&self.request).ok_or(Pause::from(&refusal::REGISTER_TOKEN))?;
            let hash = crypto::sha256(&[token.as_bytes()]);
            if hashes.iter().filter(|known| crate::secret::same(known.as_slice(), &hash)).count() == 0 {
                return Err(Pause::from(&refusal::REGISTER_TOKEN));
            }
        }
        let metadata = read(config, &self.request)?;
        let budget = format!("register:{}", scene.peer);
        if !facts.admitted(budget, config.registration.per_hour, 3600)? {
            return Err(Pause::from(&refusal::REGISTER_LIMITED));
        }
        let id = scene.env.entropy.draw::<16>("client id");
        let key = scene.server.client_key(&id);
        let issued = Issued::draw(scene, &metadata);
        let registration = Registration {
            v: 1,
            metadata,
            secret_hash: issued.secret.as_ref().map(|secret| hash(secret)),
            management_hash: hash(&issued.management),
            issued_at: now,
            expires_at: now.saturating_add(config.registration.unused_seconds),
            deleted: false,
            stamp: crypto::base64url(&scene.stamp()),
        };
        let client_id = registered::client_id(&id);
        let record = facts.stored(&key)?;
        if let Some(stored) = record.and_then(|record| Registration::decode(&record.value)) {
            // Found under 16 fresh random bytes: it can only be this exchange's own write.
            if stored.stamp != registration.stamp {
                return Err(Pause::Unavailable("a fresh client id is taken"));
            }
            facts.tell(
                scene
                    .event("client.registered")
                    .with("client", &client_id)
                    .with("name", stored.text("client_name").unwrap_or_default()),
            );
            let body = describe(config, &client_id, &stored, Some(&issued));
            return Ok(reply::done(reply::cors(reply::no_store(HttpResponse::json(201, &body))), facts));
        }
        let value = registration.encode().ok_or(Pause::from(&refusal::REGISTER_METADATA))?;
        let labels = Labels { subject: None, client: Some(client_id) };
        Err(Pause::Gate(Write::over(record, key, value, registration.expires_at, labels, &scene.env.entropy)))
    }
}

impl Rule for Register {
    type Output = Answer;

    fn proceed(&mut self, facts: &mut Facts) -> Act<Answer> {
        let decided = self.decide(facts);
        reply::conclude_for_bearer(&self.scene, facts, decided)
    }

    fn unavailable(&mut self, facts: &mut Facts, what: &'static str) -> Answer {
        reply::unavailable(&self.scene, what, Shape::JsonWithCors, facts)
    }
}
