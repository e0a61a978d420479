//! The discovery documents: RFC 8414 at every form that clients probe, and RFC 9728. Only what is really there is named.

use super::config::{Config, OFFLINE_ACCESS, PROTECTED_RESOURCE, RefreshPolicy, RegistrationMode};
use super::route::Route;
use crate::http::HttpResponse;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Map, Value, json};

const AUTHORIZATION_SERVER: &str = "oauth-authorization-server";
const OPENID: &str = "openid-configuration";
const MAX_AGE: &str = "public, max-age=300";

/// The document behind `/.well-known/{rest}`.
pub(crate) fn route(config: &Config, rest: &str) -> Option<Route> {
    let full = format!("/.well-known/{rest}");
    if let Some(index) = config.extra_documents.iter().position(|document| document.path == full) {
        return Some(Route::Document(index));
    }
    for form in [AUTHORIZATION_SERVER, OPENID] {
        if let Some(path) = rest.strip_prefix(form) {
            // The root form answers for an issuer with a path too: some clients know no other.
            let ours = path.is_empty() || path.trim_end_matches('/') == config.base_path();
            return ours.then_some(Route::Metadata);
        }
    }
    let path = rest.strip_prefix(PROTECTED_RESOURCE)?;
    let at = |index: usize| config.resources.get(index).map(|_| Route::ResourceMetadata(index));
    let by_path = config.resources.iter().position(|resource| resource.path() == path);
    match by_path {
        Some(index) => at(index),
        None if path.is_empty() || path == "/" => at(0),
        None => None,
    }
}

/// Every path that [`route`] answers.
pub(crate) fn paths(config: &Config) -> Vec<String> {
    let base = config.base_path();
    let mut paths: Vec<String> = config.extra_documents.iter().map(|document| document.path.clone()).collect();
    for form in [AUTHORIZATION_SERVER, OPENID] {
        paths.push(format!("/.well-known/{form}"));
        if !base.is_empty() {
            paths.push(format!("/.well-known/{form}{base}"));
            paths.push(format!("{base}/.well-known/{form}"));
        }
    }
    paths.push(format!("/.well-known/{PROTECTED_RESOURCE}"));
    for resource in &config.resources {
        let path = format!("/.well-known/{PROTECTED_RESOURCE}{}", resource.path());
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// The authorization server's metadata (RFC 8414).
pub(crate) fn authorization_server(config: &Config) -> HttpResponse {
    let mut document = Map::new();
    let mut put = |name: &str, value: Value| document.insert(name.to_string(), value);
    let mut methods = alloc::vec!["none", "client_secret_basic", "client_secret_post"];
    methods.push("private_key_jwt");
    let algorithms = json!(["ES256", "EdDSA", "RS256", "PS256"]);
    put("issuer", config.issuer().into());
    put("authorization_endpoint", config.endpoint("/authorize").into());
    put("token_endpoint", config.endpoint("/token").into());
    put("revocation_endpoint", config.endpoint("/revoke").into());
    put("introspection_endpoint", config.endpoint("/introspect").into());
    put("response_types_supported", json!(["code"]));
    put("response_modes_supported", json!(["query"]));
    let mut grants = alloc::vec!["authorization_code"];
    if config.refresh != RefreshPolicy::Never {
        grants.push("refresh_token");
    }
    put("grant_types_supported", json!(grants));
    put("code_challenge_methods_supported", json!(["S256"]));
    put("authorization_response_iss_parameter_supported", true.into());
    put("client_id_metadata_document_supported", config.documents.enabled.into());
    put("token_endpoint_auth_methods_supported", json!(methods));
    put("token_endpoint_auth_signing_alg_values_supported", algorithms.clone());
    put("revocation_endpoint_auth_methods_supported", json!(methods));
    put("revocation_endpoint_auth_signing_alg_values_supported", algorithms.clone());
    put(
        "introspection_endpoint_auth_methods_supported",
        json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]),
    );
    put("introspection_endpoint_auth_signing_alg_values_supported", algorithms);
    let scopes: Vec<&str> = config.scopes.iter().map(|scope| scope.name.as_str()).collect();
    put("scopes_supported", json!(scopes));
    let resources: Vec<&str> = config.resources().collect();
    put("protected_resources", json!(resources));
    if config.registration.mode != RegistrationMode::Off {
        put("registration_endpoint", config.endpoint("/register").into());
    }
    if config.jwt {
        put("jwks_uri", config.endpoint("/jwks").into());
    }
    if let Some(url) = &config.service_documentation {
        put("service_documentation", url.as_str().into());
    }
    HttpResponse::json(200, &Value::Object(document)).with("Cache-Control", MAX_AGE)
}

/// A protected resource's metadata (RFC 9728). `offline_access` is no scope of a resource, so it is never named.
pub(crate) fn protected_resource(config: &Config, index: usize) -> HttpResponse {
    let Some(resource) = config.resources.get(index) else { return HttpResponse::empty(404) };
    let mut document = Map::new();
    let mut put = |name: &str, value: Value| document.insert(name.to_string(), value);
    put("resource", resource.identifier.as_str().into());
    put("authorization_servers", json!([config.issuer()]));
    put("bearer_methods_supported", json!(["header"]));
    let offered = |name: &str| name != OFFLINE_ACCESS && config.understands(index, name);
    let scopes: Vec<&str> =
        config.scopes.iter().map(|scope| scope.name.as_str()).filter(|name| offered(name)).collect();
    if !scopes.is_empty() {
        put("scopes_supported", json!(scopes));
    }
    if !resource.name.is_empty() {
        put("resource_name", resource.name.as_str().into());
    }
    if let Some(url) = &resource.documentation {
        put("resource_documentation", url.as_str().into());
    }
    HttpResponse::json(200, &Value::Object(document)).with("Cache-Control", MAX_AGE)
}

/// A document that the host supplied.
pub(crate) fn extra(config: &Config, index: usize) -> HttpResponse {
    let Some(document) = config.extra_documents.get(index) else { return HttpResponse::empty(404) };
    let mut response =
        HttpResponse::empty(200).with("Content-Type", &document.content_type).with("Cache-Control", MAX_AGE);
    response.body = document.body.clone().into_bytes();
    response
}
