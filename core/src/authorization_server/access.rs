//! JWT access tokens of our own, read back (RFC 9068 §4).

use super::mint::{GENERATION_CLAIM, GRANT_CLAIM};
use super::server::Server;
use crate::crypto;
use crate::jose::{Accept, Algorithm, AudienceRule, Expect, Unverified};
use crate::token::GrantId;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::Value;

/// What a verified JWT access token of ours says.
#[derive(Clone, Debug)]
pub(crate) struct SignedAccess {
    pub(crate) grant: GrantId,
    pub(crate) generation: u32,
    pub(crate) subject: String,
    pub(crate) client: String,
    pub(crate) resource: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires_at: u64,
}

/// Verifies a token by our own keys: signature, type, issuer, audience among our resources, and expiry.
pub(crate) fn read_jwt(server: &Server, text: &str, now: u64) -> Option<SignedAccess> {
    let accept = Accept { algorithms: &[Algorithm::Es256, Algorithm::EdDsa], types: &["at+jwt"], untyped: false };
    let unverified = Unverified::read(text, &accept).ok()?;
    let kid = unverified.kid()?;
    let key = server.ring.jwt.iter().find(|key| key.jwk.public().kid() == Some(kid))?;
    if now < key.verifies_until {
        let verified = unverified.verify(key.jwk.public()).ok()?;
        let resources: Vec<&str> = server.config.resources().collect();
        let expect = Expect {
            issuer: Some(server.config.issuer()),
            audience: AudienceRule::OneOf(&resources),
            now,
            leeway_seconds: 0,
            max_lifetime_seconds: None,
            required: &["sub", "client_id", "jti", "iat"],
        };
        let claims = verified.claims(&expect).ok()?;
        let text = |name: &str| claims.map().get(name).and_then(Value::as_str);
        return Some(SignedAccess {
            grant: crypto::from_base64url(text(GRANT_CLAIM)?)?.try_into().ok()?,
            generation: claims.map().get(GENERATION_CLAIM)?.as_u64()?.try_into().ok()?,
            subject: claims.subject()?.to_string(),
            client: claims.client_id()?.to_string(),
            resource: text("aud")?.to_string(),
            scopes: text("scope")?.split(' ').filter(|name| !name.is_empty()).map(ToString::to_string).collect(),
            expires_at: claims.expires_at(),
        });
    }
    None
}
