//! Client ID Metadata Documents: which are fetched, what they must say, and how long they are believed.

use super::{Authentication, Client, Origin, Redirects};
use crate::address::AddressRule;
use crate::authorization_server::rule::{Pause, Scene};
use crate::authorization_server::server::Server;
use crate::crypto;
use crate::exchange::Facts;
use crate::http::{Admission, FetchRequest, Fetched, HttpResponse};
use crate::jose::JwkSet;
use crate::json;
use crate::redirect::RedirectUri;
use crate::refusal::{self, Refusal};
use crate::store::{Key, Labels, Write};
use crate::uri::Uri;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Map, Value, json};

/// The largest client document, in bytes (CIMD §6.6).
pub(crate) const DOCUMENT_BYTES: usize = 5 * 1024;
const FETCH_TIMEOUT_MS: u64 = 10_000;
const LIMITS: json::Limits = json::Limits { bytes: DOCUMENT_BYTES, depth: 8, members: 200 };

pub(crate) fn cache_key(server: &Server, url: &str) -> Key {
    server.key("cimd", &crypto::base64url(&crypto::sha256(&[url.as_bytes()])))
}

/// Resolves the client behind a document's URL: from the cache while it is fresh, else by fetching.
pub(crate) fn load(scene: &Scene, facts: &mut Facts, url: &str) -> Result<Client, Pause> {
    let host = allowed(&scene.server, url)?;
    let cached = cached(scene, facts, url)?;
    if facts.fetched(url).is_none()
        && let Some(cached) = cached.as_ref().filter(|cached| scene.env.now < cached.fresh_until)
    {
        return client(&scene.server, url, &host, cached.document.as_bytes());
    }
    // A document that is known has a budget of its own: strangers who make up others at its host must not keep it stale.
    let key = if cached.is_some() { format!("refetch:{url}") } else { format!("fetch:{host}") };
    let limit = scene.server.config.documents.per_minute;
    fetch(scene, facts, url, &host, Admission { key, limit, period_seconds: 60 })
}

/// Resolves the client anew although its cached document is fresh, because it seems to have changed.
pub(super) fn reload(scene: &Scene, facts: &mut Facts, url: &str) -> Result<Client, Pause> {
    let host = allowed(&scene.server, url)?;
    let admission =
        Admission { key: format!("reload:{url}"), limit: super::keys::REFETCHES_PER_MINUTE, period_seconds: 60 };
    fetch(scene, facts, url, &host, admission)
}

fn fetch(scene: &Scene, facts: &mut Facts, url: &str, host: &str, admission: Admission) -> Result<Client, Pause> {
    let key = cache_key(&scene.server, url);
    let now = scene.env.now;
    let response = match facts.fetched(url) {
        None => return Err(Pause::Fetch(request(&scene.server, url, admission))),
        Some(Fetched::OverBudget) => {
            return last_good_copy(scene, facts, url, host, &refusal::DOCUMENT_BUDGET, "too many fetches");
        }
        Some(Fetched::Failed(reason)) => {
            let reason = reason.clone();
            return last_good_copy(scene, facts, url, host, &refusal::DOCUMENT_UNREACHABLE, &reason);
        }
        Some(Fetched::Response(response)) => response,
    };
    if matches!(response.status, 403 | 429 | 500..=599) {
        let reason = format!("status {}", response.status);
        return last_good_copy(scene, facts, url, host, &refusal::DOCUMENT_UNREACHABLE, &reason);
    }
    if response.status != 200 {
        forget_if_gone(scene, facts, key, response.status)?;
        return Err(Pause::because(&refusal::DOCUMENT_STATUS, format!("status {}", response.status)));
    }
    judge_media_type(response)?;
    let body = response.body.clone();
    let client = client(&scene.server, url, host, &body)?;
    if !facts.settled(&key) {
        let fresh_seconds = fresh_seconds(&scene.server, response);
        let previous = facts.stored(&key)?;
        let text = String::from_utf8(body).map_err(|_| Pause::from(&refusal::DOCUMENT_JSON))?;
        let expires_at = now.saturating_add(fresh_seconds).saturating_add(scene.server.config.documents.stale_seconds);
        let value = json!({ "v": 1, "document": text, "fresh_until": now.saturating_add(fresh_seconds) });
        let value = value.to_string().into_bytes();
        return Err(Pause::Cache(Write::over(previous, key, value, expires_at, Labels::default(), &scene.env.entropy)));
    }
    Ok(client)
}

/// 404 and 410 are their owner's word: the copy that is kept is good for no outage any more, nor for a spent budget, which
/// anybody can bring about.
pub(super) fn forget_if_gone(scene: &Scene, facts: &Facts, key: Key, status: u16) -> Result<(), Pause> {
    let now = scene.env.now;
    if !matches!(status, 404 | 410) || facts.settled(&key) || facts.live(&key, now)?.is_none() {
        return Ok(());
    }
    let previous = facts.stored(&key)?;
    let value = json!({ "v": 1 }).to_string().into_bytes();
    Err(Pause::Cache(Write::over(previous, key, value, now, Labels::default(), &scene.env.entropy)))
}

/// Which URLs are fetched at all. Nothing is sent anywhere before this has passed.
fn allowed(server: &Server, url: &str) -> Result<String, Pause> {
    let documents = &server.config.documents;
    let uri = Uri::client_document(url, documents.loopback)
        .map_err(|fault| Pause::because(&refusal::DOCUMENT_URL, fault.to_string()))?;
    let host = uri.host().unwrap_or_default().to_string();
    if uri.origin() == server.config.issuer.origin() {
        return Err(Pause::because(&refusal::DOCUMENT_SELF, "the document would be fetched from this server itself"));
    }
    let named = |list: &[String]| {
        list.iter().any(|entry| {
            *entry == host
                || entry
                    .strip_prefix("*.")
                    .is_some_and(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
        })
    };
    if named(&documents.deny_hosts) || (!documents.allow_hosts.is_empty() && !named(&documents.allow_hosts)) {
        return Err(Pause::because(&refusal::DOCUMENT_TRUST, host));
    }
    Ok(host)
}

pub(super) fn address_rule(server: &Server) -> AddressRule {
    if server.config.documents.loopback { AddressRule::PublicOrLoopback } else { AddressRule::Public }
}

fn request(server: &Server, url: &str, admission: Admission) -> FetchRequest {
    FetchRequest {
        method: "GET".into(),
        url: url.into(),
        headers: alloc::vec![("Accept".into(), "application/json".into())],
        body: Vec::new(),
        limit_bytes: DOCUMENT_BYTES,
        timeout_ms: FETCH_TIMEOUT_MS,
        admission,
        addresses: address_rule(server),
    }
}

/// An outage of the document's host does not lock users out: the last good copy holds until it is too old.
fn last_good_copy(
    scene: &Scene,
    facts: &mut Facts,
    url: &str,
    host: &str,
    refusal: &'static Refusal,
    reason: &str,
) -> Result<Client, Pause> {
    let Some(cached) = cached(scene, facts, url)? else { return Err(Pause::because(refusal, reason)) };
    facts.tell(scene.event("client.document.stale").with("client", url).with("reason", reason));
    client(&scene.server, url, host, cached.document.as_bytes())
}

fn judge_media_type(response: &HttpResponse) -> Result<(), Pause> {
    let mut types =
        response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type")).map(|(_, value)| value);
    let (Some(value), None) = (types.next(), types.next()) else {
        return Err(Pause::because(&refusal::DOCUMENT_MEDIA_TYPE, "one Content-Type is needed"));
    };
    let name = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let fine = name == "application/json" || (name.starts_with("application/") && name.ends_with("+json"));
    if fine { Ok(()) } else { Err(Pause::because(&refusal::DOCUMENT_MEDIA_TYPE, name)) }
}

/// How long the answer may be believed without asking again, by its `Cache-Control` within our bounds.
pub(super) fn fresh_seconds(server: &Server, response: &HttpResponse) -> u64 {
    let documents = &server.config.documents;
    let control = response.header("cache-control").unwrap_or_default().to_ascii_lowercase();
    let mut seconds = 3600;
    for directive in control.split(',').map(str::trim) {
        if matches!(directive, "no-store" | "no-cache") {
            return documents.min_seconds.min(documents.max_seconds);
        }
        if let Some(age) = directive.strip_prefix("max-age=").and_then(|age| age.trim_matches('"').parse::<u64>().ok())
        {
            seconds = age;
        }
    }
    let age = response.header("age").and_then(|age| age.trim().parse::<u64>().ok()).unwrap_or(0);
    seconds.saturating_sub(age).clamp(documents.min_seconds, documents.max_seconds.max(documents.min_seconds))
}

/// The copy that is kept, fresh or stale.
fn cached(scene: &Scene, facts: &Facts, url: &str) -> Result<Option<Cached>, Pause> {
    let record = facts.live(&cache_key(&scene.server, url), scene.env.now)?;
    Ok(record.and_then(|record| Cached::decode(&record.value)))
}

struct Cached {
    document: String,
    fresh_until: u64,
}

impl Cached {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        if value.get("v")?.as_u64()? != 1 {
            return None;
        }
        Some(Self {
            document: value.get("document")?.as_str()?.to_string(),
            fresh_until: value.get("fresh_until")?.as_u64()?,
        })
    }
}

/// Reads a document strictly where security depends on it, and ignores what it does not know.
fn client(server: &Server, url: &str, host: &str, body: &[u8]) -> Result<Client, Pause> {
    let fields =
        json::parse_object(body, LIMITS).map_err(|fault| Pause::because(&refusal::DOCUMENT_JSON, fault.to_string()))?;
    if fields.get("client_id").and_then(Value::as_str) != Some(url) {
        return Err(Pause::because(&refusal::DOCUMENT_MISMATCH, "`client_id` is not the URL it was fetched from"));
    }
    let wrong = |what: &str| Pause::because(&refusal::DOCUMENT_FIELDS, what);
    if fields.contains_key("client_secret") || fields.contains_key("client_secret_expires_at") {
        return Err(wrong("a document holds no shared secret"));
    }
    let name = fields.get("client_name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| wrong("`client_name` is missing"))?;
    let redirects = redirects(server, &fields, host)?;
    let authentication = authentication(server, &fields)?;
    let grants = texts(&fields, "grant_types");
    let has = |wanted: &str| grants.as_ref().is_none_or(|grants| grants.contains(&wanted));
    Ok(Client {
        id: url.to_string(),
        name: name.to_string(),
        redirects: Redirects::Read(redirects),
        authentication,
        code: has("authorization_code"),
        refresh: grants.as_ref().is_some_and(|grants| grants.contains(&"refresh_token")),
        scopes: None,
        origin: Origin::Document { host: host.to_string() },
        older_audiences: false,
        introspects: false,
    })
}

fn redirects(server: &Server, fields: &Map<String, Value>, host: &str) -> Result<Vec<RedirectUri>, Pause> {
    let wrong = |what: String| Pause::because(&refusal::DOCUMENT_REDIRECT, what);
    let uris = texts(fields, "redirect_uris")
        .filter(|uris| !uris.is_empty())
        .ok_or_else(|| wrong("`redirect_uris` is missing".into()))?;
    let mut redirects = Vec::with_capacity(uris.len());
    for text in uris {
        let uri =
            RedirectUri::parse(text, &server.config.redirects).map_err(|fault| wrong(format!("{text}: {fault}")))?;
        if server.config.documents.same_host_redirects {
            let elsewhere = Uri::parse(text).is_ok_and(|uri| uri.is_https() && uri.host() != Some(host));
            if elsewhere {
                return Err(wrong(format!("{text}: policy wants the document's own host")));
            }
        }
        redirects.push(uri);
    }
    Ok(redirects)
}

/// The strongest method that the document offers and we support. Absent means `none`: a document holds no secret.
fn authentication(server: &Server, fields: &Map<String, Value>) -> Result<Authentication, Pause> {
    let wrong = |what: &str| Pause::because(&refusal::DOCUMENT_FIELDS, what);
    let method = match fields.get("token_endpoint_auth_method") {
        None => "none",
        Some(Value::String(method)) => method.as_str(),
        Some(_) => return Err(wrong("`token_endpoint_auth_method` is not a text")),
    };
    match method {
        "none" => Ok(Authentication::None),
        "private_key_jwt" => match (fields.get("jwks"), fields.get("jwks_uri")) {
            (Some(set), None) => {
                let set = serde_json::to_vec(set).ok().and_then(|bytes| JwkSet::parse(&bytes).ok());
                set.map(Authentication::InlineKeys).ok_or_else(|| wrong("`jwks` is not a set of public keys"))
            }
            (None, Some(Value::String(uri))) => {
                let fine = Uri::endpoint(uri, server.config.documents.loopback).is_ok();
                if fine {
                    Ok(Authentication::KeysAt(uri.clone()))
                } else {
                    Err(wrong("`jwks_uri` is not an https URL"))
                }
            }
            _ => Err(wrong("`private_key_jwt` needs exactly one of `jwks` and `jwks_uri`")),
        },
        _ => Err(wrong("a document may use `none` or `private_key_jwt`")),
    }
}

fn texts<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<Vec<&'a str>> {
    fields.get(name)?.as_array()?.iter().map(Value::as_str).collect()
}
