//! What a successful token request answers with. Functions of the record and the selection alone, so they repeat.

use super::rule::{Pause, Scene};
use super::server::Server;
use crate::crypto;
use crate::grant::Grant;
use crate::jose;
use crate::token::{self, GrantId, RecordId, TokenKind};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;
use serde_json::json;

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

/// The body of a token answer. The members are in the order of their names, as in every other JSON that we write.
#[derive(Serialize)]
pub(crate) struct TokenAnswer {
    access_token: String,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    scope: String,
    token_type: &'static str,
}

/// The answer of the current generation; `None` when its key is no longer in the ring.
pub(crate) fn tokens(
    scene: &Scene,
    grant: &Grant,
    id: GrantId,
    subject: RecordId,
    client: Option<RecordId>,
    resource: u8,
    scopes: u64,
) -> Option<TokenAnswer> {
    let server = &scene.server;
    let key = server.ring.key(&grant.generation.key)?;
    let derive = |body| token::derive(&server.config.prefixes, key, &server.config.issuer_hash, &grant.salt, &body);
    let names = scope_names(server, grant, resource, scopes);
    let access_token = if grant.generation.jwt_kid.is_empty() {
        derive(grant.body(TokenKind::Access, id, subject, client, resource, scopes))
    } else {
        jwt(server, grant, &id, resource, scopes, &names)?
    };
    // The refresh token always carries the whole grant (OAuth 2.1 §4.3.3).
    let refresh = || derive(grant.body(TokenKind::Refresh, id, subject, client, 0, u64::MAX));
    Some(TokenAnswer {
        access_token,
        expires_in: grant.generation.access_expires_at.saturating_sub(grant.effective_time(scene.env.now)),
        refresh_token: grant.refreshable.then(refresh),
        scope: names.join(" "),
        token_type: "Bearer",
    })
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
