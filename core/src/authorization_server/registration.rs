//! What a registration may say, and how it is told back: shared by registering and managing.

use super::clients::registered::Registration;
use super::config::{Config, OFFLINE_ACCESS, RefreshPolicy};
use super::rule::{Pause, Scene};
use crate::crypto;
use crate::http::HttpRequest;
use crate::jose::JwkSet;
use crate::json;
use crate::redirect::RedirectUri;
use crate::refusal;
use crate::scope::Scopes;
use crate::uri::Uri;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Map, Value};

pub(crate) const LIMITS: json::Limits = json::Limits { bytes: 32 * 1024, depth: 10, members: 500 };
/// The most redirects one registration may hold.
const REDIRECTS: usize = 20;
/// The longest text of one field, in bytes.
const FIELD_BYTES: usize = 2048;
const NAME_BYTES: usize = 200;

/// What is told once and then kept as a hash only.
pub(crate) struct Issued {
    pub(crate) secret: Option<String>,
    pub(crate) management: String,
}

impl Issued {
    /// Draws what the metadata calls for: no secret where none was asked for.
    pub(crate) fn draw(scene: &Scene, metadata: &Map<String, Value>) -> Self {
        let method = metadata.get("token_endpoint_auth_method").and_then(Value::as_str);
        let wants_secret = matches!(method, Some("client_secret_basic" | "client_secret_post"));
        let draw = |label: &str| crypto::base64url(&scene.env.entropy.draw::<32>(label));
        Self {
            secret: wants_secret.then(|| format!("lss_{}", draw("client secret"))),
            management: format!("lsm_{}", draw("management token")),
        }
    }
}

pub(crate) fn hash(text: &str) -> String {
    crypto::base64url(&crypto::sha256(&[text.as_bytes()]))
}

/// The one bearer token of a request's header.
pub(crate) fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = request.header("authorization").ok()??.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ')).then_some(token)
}

/// The answer to a registration, a read or an update: what is stored, and no empty or null member.
pub(crate) fn describe(
    config: &Config,
    client_id: &str,
    registration: &Registration,
    issued: Option<&Issued>,
) -> Value {
    let mut body = registration.metadata.clone();
    let mut put = |name: &str, value: Value| body.insert(name.to_string(), value);
    put("client_id", client_id.into());
    put("client_id_issued_at", registration.issued_at.into());
    put("registration_client_uri", config.endpoint(&format!("/register/{client_id}")).into());
    if let Some(issued) = issued {
        put("registration_access_token", issued.management.as_str().into());
        if let Some(secret) = &issued.secret {
            put("client_secret", secret.as_str().into());
            put("client_secret_expires_at", 0.into());
        }
    }
    Value::Object(body)
}

/// Reads client metadata: strict where security depends on it, deaf to what it does not know.
pub(crate) fn read(config: &Config, request: &HttpRequest) -> Result<Map<String, Value>, Pause> {
    if !request.is_media_type("application/json") {
        return Err(Pause::from(&refusal::REGISTER_MEDIA_TYPE));
    }
    let asked = json::parse_object(&request.body, LIMITS)
        .map_err(|fault| Pause::because(&refusal::REGISTER_METADATA, fault.to_string()))?;
    let mut metadata = Map::new();
    for name in ["client_name", "client_uri", "logo_uri", "tos_uri", "policy_uri", "software_id", "software_version"] {
        if let Some(text) = text(&asked, name)? {
            let limit = if name == "client_name" { NAME_BYTES } else { FIELD_BYTES };
            if text.len() > limit || text.chars().any(char::is_control) {
                return Err(wrong(&format!("`{name}` is too long or holds control characters")));
            }
            if name.ends_with("_uri") && !Uri::parse(text).is_ok_and(|uri| uri.is_https() || uri.is_http_loopback()) {
                return Err(wrong(&format!("`{name}` is not an https URL")));
            }
            metadata.insert(name.to_string(), text.into());
        }
    }
    if let Some(contacts) = texts(&asked, "contacts")?.filter(|contacts| !contacts.is_empty()) {
        metadata.insert("contacts".to_string(), contacts.into_iter().take(10).collect());
    }
    let redirects = redirects(config, &asked)?;
    let application_type = application_type(&asked)?;
    metadata.insert("redirect_uris".to_string(), redirects.into_iter().collect());
    if let Some(application_type) = application_type {
        metadata.insert("application_type".to_string(), application_type.into());
    }
    grants(config, &asked, &mut metadata)?;
    authentication(config, &asked, &mut metadata)?;
    scopes(config, &asked, &mut metadata)?;
    Ok(metadata)
}

fn wrong(detail: &str) -> Pause {
    Pause::because(&refusal::REGISTER_METADATA, detail)
}

fn text<'a>(asked: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Pause> {
    match asked.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(wrong(&format!("`{name}` is not a text"))),
    }
}

fn texts<'a>(asked: &'a Map<String, Value>, name: &str) -> Result<Option<Vec<&'a str>>, Pause> {
    match asked.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) => {
            let texts: Option<Vec<&str>> =
                items.iter().map(|item| item.as_str().filter(|text| text.len() <= FIELD_BYTES)).collect();
            texts.map(Some).ok_or_else(|| wrong(&format!("`{name}` is not a list of texts")))
        }
        Some(_) => Err(wrong(&format!("`{name}` is not a list"))),
    }
}

fn redirects(config: &Config, asked: &Map<String, Value>) -> Result<Vec<String>, Pause> {
    let uris = texts(asked, "redirect_uris")?.unwrap_or_default();
    if uris.is_empty() || uris.len() > REDIRECTS {
        return Err(Pause::because(&refusal::REGISTER_REDIRECT, "between 1 and 20 redirect URIs are needed"));
    }
    for uri in &uris {
        RedirectUri::parse(uri, &config.redirects)
            .map_err(|fault| Pause::because(&refusal::REGISTER_REDIRECT, format!("{uri}: {fault}")))?;
    }
    Ok(uris.into_iter().map(String::from).collect())
}

/// `web` or `native`; what is absent is left absent, because the redirects already say what the client is.
fn application_type(asked: &Map<String, Value>) -> Result<Option<String>, Pause> {
    match text(asked, "application_type")? {
        None => Ok(None),
        Some(kind @ ("web" | "native")) => Ok(Some(kind.to_string())),
        Some(_) => Err(wrong("`application_type` is `web` or `native`")),
    }
}

fn grants(config: &Config, asked: &Map<String, Value>, metadata: &mut Map<String, Value>) -> Result<(), Pause> {
    let asked_grants = texts(asked, "grant_types")?.unwrap_or_else(|| alloc::vec!["authorization_code"]);
    let asked_responses = texts(asked, "response_types")?.unwrap_or_else(|| alloc::vec!["code"]);
    if !asked_grants.contains(&"authorization_code") || !asked_responses.contains(&"code") {
        return Err(wrong("`grant_types` needs `authorization_code` and `response_types` needs `code`"));
    }
    let refresh = config.refresh != RefreshPolicy::Never && asked_grants.contains(&"refresh_token");
    let granted =
        if refresh { alloc::vec!["authorization_code", "refresh_token"] } else { alloc::vec!["authorization_code"] };
    metadata.insert("grant_types".to_string(), granted.into_iter().collect());
    metadata.insert("response_types".to_string(), ["code"].into_iter().collect());
    Ok(())
}

fn authentication(config: &Config, asked: &Map<String, Value>, metadata: &mut Map<String, Value>) -> Result<(), Pause> {
    let (keys, keys_at) = (asked.get("jwks").filter(|keys| !keys.is_null()), text(asked, "jwks_uri")?);
    if keys.is_some() && keys_at.is_some() {
        return Err(wrong("`jwks` and `jwks_uri` exclude each other"));
    }
    // The default of RFC 7591 is a secret; a client that names no method but has keys means them.
    let method = text(asked, "token_endpoint_auth_method")?;
    let method =
        method.unwrap_or(if keys.is_some() || keys_at.is_some() { "private_key_jwt" } else { "client_secret_basic" });
    match method {
        "none" | "client_secret_basic" | "client_secret_post" => {}
        "private_key_jwt" => {
            if let Some(keys) = keys {
                let set = serde_json::to_vec(keys).ok().and_then(|bytes| JwkSet::parse(&bytes).ok());
                let set = set.ok_or_else(|| wrong("`jwks` is not a set of public keys"))?;
                if set.keys().is_empty() || !set.passed_over().is_empty() {
                    return Err(wrong(
                        "`jwks` holds a key that cannot be used: P-256, Ed25519 or RSA of 2048 to 4096 bits",
                    ));
                }
                metadata.insert("jwks".to_string(), Value::Object(set.to_map()));
            } else if let Some(uri) = keys_at {
                Uri::endpoint(uri, config.documents.loopback).map_err(|_| wrong("`jwks_uri` is not an https URL"))?;
                metadata.insert("jwks_uri".to_string(), uri.into());
            } else {
                return Err(wrong("`private_key_jwt` needs `jwks` or `jwks_uri`"));
            }
        }
        _ => return Err(wrong("`token_endpoint_auth_method` is not supported")),
    }
    metadata.insert("token_endpoint_auth_method".to_string(), method.into());
    Ok(())
}

/// The scopes that the client may ask for later: those it names and we have; all of ours when it names none.
fn scopes(config: &Config, asked: &Map<String, Value>, metadata: &mut Map<String, Value>) -> Result<(), Pause> {
    let Some(text) = text(asked, "scope")? else { return Ok(()) };
    let scopes = Scopes::parse(text).map_err(|fault| wrong(&format!("`scope`: {fault}")))?;
    let known: Vec<&str> = scopes
        .iter()
        .map(|name| name.as_str())
        .filter(|name| config.scope(name).is_some() || *name == OFFLINE_ACCESS)
        .collect();
    if known.is_empty() {
        // Some clients register with scopes of a vendor; what they may have is decided when they ask.
        return Ok(());
    }
    metadata.insert("scope".to_string(), known.join(" ").into());
    Ok(())
}
