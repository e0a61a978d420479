//! Challenges: one `WWW-Authenticate` header, `Bearer` first, absolute `resource_metadata`, all scopes at once.

use crate::authorization_server::config::{Config, ResourceConfig};
use crate::http::HttpResponse;
use crate::refusal::{self, Refusal};
use alloc::string::String;
use serde_json::json;

/// A refusal of a bearer token. A request without any token gets no error code (RFC 6750 §3).
pub(super) fn refused(config: &Config, resource: usize, scopes: &[String], refusal: &'static Refusal) -> HttpResponse {
    if refusal.status == 503 {
        let body = json!({ "error": refusal.error, "error_description": refusal.sentence });
        return shared(HttpResponse::json(503, &body)).with("Retry-After", "1");
    }
    let mut value = String::from("Bearer ");
    let silent = core::ptr::eq(refusal, &refusal::BEARER_MISSING);
    if !silent {
        parameter(&mut value, "error", refusal.error);
        parameter(&mut value, "error_description", refusal.sentence);
    }
    if !scopes.is_empty() && refusal.status != 400 {
        parameter(&mut value, "scope", &scopes.join(" "));
    }
    let resource = config.resources.get(resource);
    parameter(&mut value, "resource_metadata", &resource.map(ResourceConfig::metadata_url).unwrap_or_default());
    let body = json!({ "error": refusal.error, "error_description": refusal.sentence });
    shared(HttpResponse::json(refusal.status, &body)).with("WWW-Authenticate", &value)
}

/// 403 for an operation that needs more scopes than the token has.
pub(super) fn insufficient_scope(config: &Config, resource: usize, scopes: &[String]) -> HttpResponse {
    refused(config, resource, scopes, &refusal::BEARER_SCOPE)
}

fn shared(response: HttpResponse) -> HttpResponse {
    response
        .with("Cache-Control", "no-store")
        .with("Access-Control-Allow-Origin", "*")
        .with("Access-Control-Expose-Headers", "WWW-Authenticate")
}

/// One quoted parameter. Values come from the configuration and the table of refusals, never from the request; a
/// character that has no place in a quoted string is left out.
fn parameter(value: &mut String, name: &str, text: &str) {
    if !value.ends_with(' ') {
        value.push_str(", ");
    }
    value.push_str(name);
    value.push_str("=\"");
    value.extend(text.chars().filter(|letter| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\')));
    value.push('"');
}
