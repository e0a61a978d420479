//! What a successful token request answers with. Functions of the record and the selection alone, so they repeat.

use super::Server;
use super::rule::{Pause, Scene};
use crate::crypto;
use crate::grant::Grant;
use crate::jose;
use crate::token::{self, GrantId, RecordId, TokenKind};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Map, Value, json};

/// The claim by which an aware resource finds the grant of a JWT access token.
pub(crate) const GRANT_CLAIM: &str = "grant_id";
/// The claim that holds the generation.
pub(crate) const GENERATION_CLAIM: &str = "grant_generation";

/// The id of the key that signs JWTs now.
pub(crate) fn signing_kid(scene: &Scene) -> Result<String, Pause> {
    let key = scene.server.ring.signing_jwt(scene.env.now).ok_or(Pause::Unavailable("no JWT key signs now"))?;
    Ok(key.jwk.public().kid().unwrap_or_default().to_string())
}

/// The names that a bitmap selects, in the grant's order, as far as the resource understands them.
pub(crate) fn scope_names(server: &Server, grant: &Grant, resource: u8, scopes: u64) -> Vec<String> {
    let identifier = grant.resources.get(usize::from(resource));
    let index = server.config.resources.iter().position(|resource| Some(&resource.identifier) == identifier);
    let selected = grant.scopes.iter().enumerate().filter(|(bit, _)| *bit < 64 && scopes & (1u64 << *bit) != 0);
    let understood = selected.filter(|(_, name)| index.is_none_or(|index| server.config.understands(index, name)));
    understood.map(|(_, name)| name.clone()).collect()
}

/// The body of a token answer; `None` when the generation's key is no longer in the ring.
pub(crate) fn tokens(
    scene: &Scene,
    grant: &Grant,
    id: GrantId,
    subject: RecordId,
    client: Option<RecordId>,
    resource: u8,
    scopes: u64,
) -> Option<Value> {
    let server = &scene.server;
    let (config, hash) = (&server.config, &server.config.issuer_hash);
    let key = server.ring.key(&grant.generation.key)?;
    let names = scope_names(server, grant, resource, scopes);
    let access = if grant.generation.jwt_kid.is_empty() {
        let body = grant.body(TokenKind::Access, id, subject, client, resource, scopes);
        token::derive(&config.prefixes, key, hash, &grant.salt, &body)
    } else {
        jwt(server, grant, &id, resource, scopes, &names)?
    };
    let mut body = Map::new();
    body.insert("access_token".to_string(), access.into());
    body.insert("token_type".to_string(), "Bearer".into());
    let left = grant.generation.access_expires_at.saturating_sub(grant.effective_time(scene.env.now));
    body.insert("expires_in".to_string(), left.into());
    body.insert("scope".to_string(), names.join(" ").into());
    if grant.refreshable {
        // The refresh token always carries the whole grant (OAuth 2.1 §4.3.3).
        let refresh = grant.body(TokenKind::Refresh, id, subject, client, 0, u64::MAX);
        body.insert(
            "refresh_token".to_string(),
            token::derive(&config.prefixes, key, hash, &grant.salt, &refresh).into(),
        );
    }
    Some(Value::Object(body))
}

fn jwt(server: &Server, grant: &Grant, id: &GrantId, resource: u8, scopes: u64, names: &[String]) -> Option<String> {
    let key = server.ring.jwt.iter().find(|key| key.jwk.public().kid() == Some(grant.generation.jwt_kid.as_str()))?;
    let generation = &grant.generation;
    let jti =
        crypto::sha256(&[b"jti", &grant.salt, &generation.number.to_be_bytes(), &[resource], &scopes.to_be_bytes()]);
    let claims = json!({
        "iss": server.config.issuer(), "sub": grant.subject, "aud": grant.resources.get(usize::from(resource))?,
        "client_id": grant.client_id, "iat": generation.issued_at, "exp": generation.access_expires_at,
        "jti": crypto::base64url(jti.split_at(16).0), "scope": names.join(" "),
        GRANT_CLAIM: crypto::base64url(id), GENERATION_CLAIM: generation.number,
    });
    Some(jose::sign(&key.jwk, "at+jwt", claims.to_string().as_bytes()))
}
