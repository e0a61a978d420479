//! Registration management (RFC 7592): a client reads, replaces or deletes its own registration.

use super::clients::registered::{self, Registration};
use super::registration::{Issued, LIMITS, bearer, describe, hash, read};
use super::reply::{self, Shape};
use super::rule::{Answer, Pause, Scene};
use crate::crypto;
use crate::exchange::{Act, Facts, Rule};
use crate::http::{HttpRequest, HttpResponse};
use crate::json;
use crate::refusal;
use crate::store::{Labels, Write};
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::Value;

/// One request to a registration's management endpoint.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub(crate) struct Manage {
    scene: Scene,
    request: HttpRequest,
    id: String,
}

/// New metadata, and the secret that it calls for.
type Replacement = (serde_json::Map<String, Value>, Option<Issued>);

impl Manage {
    pub(crate) fn new(scene: Scene, request: HttpRequest, id: String) -> Self {
        Self { scene, request, id }
    }

    fn decide(&self, facts: &mut Facts) -> Result<Answer, Pause> {
        let scene = &self.scene;
        let config = &scene.server.config;
        let unauthorized = || Pause::from(&refusal::MANAGE_TOKEN);
        let token = bearer(&self.request).ok_or_else(unauthorized)?;
        let record_id = registered::record_id(&self.id).ok_or_else(unauthorized)?;
        let key = scene.server.client_key(&record_id);
        let record = facts.live(&key, scene.env.now)?.ok_or_else(unauthorized)?;
        let stored =
            Registration::decode(&record.value).ok_or(Pause::Unavailable("a stored registration cannot be read"))?;
        if !crate::secret::same(stored.management_hash.as_bytes(), hash(token).as_bytes()) {
            return Err(unauthorized());
        }
        let stamp = crypto::base64url(&scene.stamp());
        let own = stored.stamp == stamp;
        if stored.deleted {
            // Deleted by this very exchange, or before: then the token no longer opens anything.
            return if own { Ok(self.deleted(facts)) } else { Err(unauthorized()) };
        }
        let issued = match self.request.method.as_str() {
            "PUT" => self.replaced(&stored)?,
            _ => None,
        };
        if self.request.method == "GET" || own {
            let event = if own { "client.updated" } else { "client.read" };
            facts.tell(scene.event(event).with("client", &self.id));
            let mut body = describe(config, &self.id, &stored, None);
            if let (Value::Object(body), Some((_, Some(issued)))) = (&mut body, issued)
                && let Some(secret) = issued.secret
            {
                body.insert("client_secret".into(), secret.into());
                body.insert("client_secret_expires_at".into(), 0.into());
            }
            if let Value::Object(body) = &mut body {
                body.insert("registration_access_token".into(), token.into());
            }
            return Ok(reply::done(reply::cors(reply::no_store(HttpResponse::json(200, &body))), facts));
        }
        let mut next = stored.clone();
        next.stamp = stamp;
        match issued {
            None => next.deleted = true,
            Some((metadata, issued)) => {
                next.metadata = metadata;
                match (next.text("token_endpoint_auth_method"), issued) {
                    (_, Some(Issued { secret: Some(secret), .. })) => next.secret_hash = Some(hash(&secret)),
                    (Some("client_secret_basic" | "client_secret_post"), _) => {}
                    _ => next.secret_hash = None,
                }
            }
        }
        let value = next.encode().ok_or(Pause::from(&refusal::REGISTER_METADATA))?;
        let labels = Labels { subject: None, client: Some(self.id.clone()) };
        Err(Pause::Gate(Write::over(Some(record), key, value, stored.expires_at, labels, &scene.env.entropy)))
    }

    /// The metadata that replaces all of the old, and a secret when the new method needs one that is not there.
    fn replaced(&self, stored: &Registration) -> Result<Option<Replacement>, Pause> {
        let wrong = |detail: &str| Pause::because(&refusal::REGISTER_METADATA, detail);
        let metadata = read(&self.scene.server.config, &self.request)?;
        let asked = json::parse_object(&self.request.body, LIMITS).map_err(|_| wrong("not JSON"))?;
        if asked.get("client_id").and_then(Value::as_str) != Some(self.id.as_str()) {
            return Err(wrong("`client_id` must be this client's"));
        }
        let never: Vec<&str> =
            ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"]
                .into_iter()
                .filter(|name| asked.contains_key(*name))
                .collect();
        if !never.is_empty() {
            return Err(wrong("an update must not hold registration members"));
        }
        let own = stored.stamp == crypto::base64url(&self.scene.stamp());
        // After this exchange's own write the secret that it named may be gone already.
        if let Some(secret) = asked.get("client_secret").filter(|_| !own) {
            let matches =
                secret.as_str().is_some_and(|secret| stored.secret_hash.as_deref() == Some(hash(secret).as_str()));
            if !matches {
                return Err(wrong("`client_secret` is not this client's"));
            }
        }
        let issued = Issued::draw(&self.scene, &metadata);
        // A secret that is already there stays; only a client that had none is given one.
        let fresh =
            issued.secret.as_ref().is_some_and(|secret| stored.secret_hash.as_deref() == Some(hash(secret).as_str()));
        let needed = issued.secret.is_some() && (stored.secret_hash.is_none() || (own && fresh));
        Ok(Some((metadata, needed.then_some(issued))))
    }

    fn deleted(&self, facts: &mut Facts) -> Answer {
        facts.tell(self.scene.event("client.deleted").with("client", &self.id));
        reply::done(reply::cors(reply::no_store(HttpResponse::empty(204))), facts)
    }
}

impl Rule for Manage {
    type Output = Answer;

    fn proceed(&mut self, facts: &mut Facts) -> Act<Answer> {
        let decided = self.decide(facts);
        reply::conclude_for_bearer(&self.scene, facts, decided)
    }

    fn unavailable(&mut self, facts: &mut Facts, what: &'static str) -> Answer {
        reply::unavailable(&self.scene, what, Shape::JsonWithCors, facts)
    }
}
