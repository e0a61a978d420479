//! The public keys of our JWT access tokens. A key is published before it signs, and until its last token has expired.

use super::server::Server;
use crate::http::HttpResponse;
use alloc::vec::Vec;
use serde_json::{Value, json};

/// The key set at `now`.
pub(crate) fn document(server: &Server, now: u64) -> HttpResponse {
    let published = server.ring.jwt.iter().filter(|key| now < key.verifies_until);
    let keys: Vec<Value> = published.map(|key| Value::Object(key.jwk.public().to_map())).collect();
    HttpResponse::json(200, &json!({ "keys": keys })).with("Cache-Control", "public, max-age=300")
}
