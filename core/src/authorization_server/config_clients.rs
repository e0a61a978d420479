//! The part of the configuration that is about clients: those configured by hand, registration, client documents.

use super::config_reader::{Reader, misuse};
use crate::crypto;
use crate::exchange::Misuse;
use crate::jose::JwkSet;
use crate::redirect::{RedirectPolicy, RedirectUri};
use crate::uri::Uri;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A client that the operator registered by hand.
#[derive(Clone, Debug)]
#[cfg_attr(lockstep_model, derive(PartialEq, Eq, Hash))]
pub(crate) struct ConfiguredClient {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) redirects: Vec<RedirectUri>,
    pub(crate) secret_hash: Option<[u8; 32]>,
    pub(crate) jwks: Option<JwkSet>,
    pub(crate) jwks_uri: Option<String>,
    pub(crate) code: bool,
    pub(crate) refresh: bool,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) older_audiences: bool,
    pub(crate) introspects: bool,
    pub(crate) disabled: bool,
}

/// Who may register a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Registration {
    pub(crate) mode: RegistrationMode,
    pub(crate) unused_seconds: u64,
    pub(crate) per_hour: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RegistrationMode {
    Off,
    Open,
    /// With one of these initial access tokens, by hash.
    Guarded(Vec<[u8; 32]>),
}

/// Which client documents are fetched, and how long they are kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientDocuments {
    pub(crate) enabled: bool,
    pub(crate) allow_hosts: Vec<String>,
    pub(crate) deny_hosts: Vec<String>,
    pub(crate) loopback: bool,
    pub(crate) same_host_redirects: bool,
    pub(crate) min_seconds: u64,
    pub(crate) max_seconds: u64,
    pub(crate) stale_seconds: u64,
    pub(crate) per_minute: u32,
}

pub(super) fn read_clients(root: &mut Reader, redirects: &RedirectPolicy) -> Result<Vec<ConfiguredClient>, Misuse> {
    let mut clients: Vec<ConfiguredClient> = Vec::new();
    for (index, mut entry) in root.optional_objects("clients")?.into_iter().enumerate() {
        let at = |field: &str| format!("clients[{index}].{field}");
        let id = entry.text("client_id")?;
        if id.len() > 512 || !id.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Err(misuse(&at("client_id"), "at most 512 printable ASCII characters"));
        }
        if clients.iter().any(|client| client.id == id) {
            return Err(misuse(&at("client_id"), "this client appears twice"));
        }
        let mut uris = Vec::new();
        for text in entry.optional_texts("redirect_uris")?.unwrap_or_default() {
            let uri = RedirectUri::parse(&text, redirects)
                .map_err(|fault| misuse(&at("redirect_uris"), &format!("`{text}`: {fault}")))?;
            uris.push(uri);
        }
        let secret = entry.optional_text("client_secret")?;
        if secret.as_ref().is_some_and(|secret| secret.len() < 16) {
            return Err(misuse(
                &at("client_secret"),
                "at least 16 characters; `python -m lockstep_oauth keys secret` makes one",
            ));
        }
        let jwks = match entry.take("jwks") {
            None => None,
            Some(set) => Some(
                JwkSet::parse(set.to_string().as_bytes()).map_err(|fault| misuse(&at("jwks"), &format!("{fault}")))?,
            ),
        };
        let jwks_uri = entry.optional_url("jwks_uri")?;
        let method = entry.optional_text("token_endpoint_auth_method")?;
        let fits = match method.as_deref() {
            None => usize::from(secret.is_some()) + usize::from(jwks.is_some()) + usize::from(jwks_uri.is_some()) <= 1,
            Some("none") => secret.is_none() && jwks.is_none() && jwks_uri.is_none(),
            Some("client_secret_basic" | "client_secret_post") => {
                secret.is_some() && jwks.is_none() && jwks_uri.is_none()
            }
            Some("private_key_jwt") => secret.is_none() && jwks.is_some() != jwks_uri.is_some(),
            Some(_) => {
                return Err(misuse(
                    &at("token_endpoint_auth_method"),
                    "`none`, `client_secret_basic`, `client_secret_post` or `private_key_jwt`",
                ));
            }
        };
        if !fits {
            return Err(misuse(
                &at("token_endpoint_auth_method"),
                "give exactly what the method needs: nothing, `client_secret`, or one of `jwks` and `jwks_uri`",
            ));
        }
        let types = entry.optional_texts("grant_types")?;
        let has = |wanted: &str| types.as_ref().is_none_or(|types| types.iter().any(|name| name == wanted));
        clients.push(ConfiguredClient {
            name: entry.optional_text("client_name")?.unwrap_or_else(|| id.clone()),
            redirects: uris,
            secret_hash: secret.map(|secret| crypto::sha256(&[secret.as_bytes()])),
            jwks,
            jwks_uri,
            code: has("authorization_code"),
            refresh: has("refresh_token"),
            scopes: entry.optional_texts("scopes")?,
            older_audiences: entry.flag("older_audiences", false)?,
            introspects: entry.flag("introspects", false)?,
            disabled: entry.flag("disabled", false)?,
            id,
        });
        entry.end()?;
    }
    Ok(clients)
}

pub(super) fn read_registration(root: &mut Reader) -> Result<Registration, Misuse> {
    let Some(mut entry) = root.optional_object("registration")? else {
        return Ok(Registration { mode: RegistrationMode::Off, unused_seconds: 0, per_hour: 0 });
    };
    let mode = match entry.optional_text("mode")?.as_deref() {
        None | Some("off") => RegistrationMode::Off,
        Some("open") => RegistrationMode::Open,
        Some("guarded") => {
            let tokens = entry.optional_texts("initial_access_tokens")?.unwrap_or_default();
            if tokens.is_empty() || tokens.iter().any(|token| token.len() < 16) {
                return Err(misuse(
                    "registration.initial_access_tokens",
                    "at least one token of at least 16 characters",
                ));
            }
            RegistrationMode::Guarded(tokens.iter().map(|token| crypto::sha256(&[token.as_bytes()])).collect())
        }
        Some(_) => return Err(misuse("registration.mode", "`off`, `open` or `guarded`")),
    };
    let registration = Registration {
        mode,
        unused_seconds: entry.seconds("unused_seconds", 24 * 3600, 60..=365 * 86_400)?,
        per_hour: entry.optional_number("per_hour", 1..=1_000_000)?.unwrap_or(60) as u32,
    };
    entry.end()?;
    Ok(registration)
}

pub(super) fn read_documents(root: &mut Reader, development: bool) -> Result<ClientDocuments, Misuse> {
    let mut entry = root.optional_object("client_documents")?.unwrap_or_else(|| Reader::empty("client_documents"));
    let loopback = entry.flag("loopback", false)?;
    if loopback && !development {
        return Err(misuse(
            "client_documents.loopback",
            "honoured only where the issuer itself is http on loopback; remove it",
        ));
    }
    let documents = ClientDocuments {
        enabled: entry.flag("enabled", true)?,
        allow_hosts: read_hosts(&mut entry, "allow_hosts")?,
        deny_hosts: read_hosts(&mut entry, "deny_hosts")?,
        loopback,
        same_host_redirects: entry.flag("same_host_redirects", false)?,
        min_seconds: entry.seconds("min_seconds", 60, 1..=86_400)?,
        max_seconds: entry.seconds("max_seconds", 86_400, 1..=30 * 86_400)?,
        stale_seconds: entry.seconds("stale_seconds", 7 * 86_400, 0..=90 * 86_400)?,
        per_minute: entry.optional_number("per_minute", 1..=1_000_000)?.unwrap_or(30) as u32,
    };
    entry.end()?;
    Ok(documents)
}

/// Hosts are compared byte for byte, so one that is spelled in another way would never match, and a deny list would let
/// everybody through.
fn read_hosts(entry: &mut Reader, name: &str) -> Result<Vec<String>, Misuse> {
    let hosts = entry.optional_texts(name)?.unwrap_or_default();
    let is_host = |text: &str| Uri::parse(&format!("https://{text}/")).is_ok_and(|uri| uri.host() == Some(text));
    match hosts.iter().find(|host| !is_host(host.strip_prefix("*.").unwrap_or(host))) {
        None => Ok(hosts),
        Some(wrong) => Err(misuse(
            &format!("client_documents.{name}"),
            &format!(
                "`{wrong}` is no host; write `host.example`, or `*.host.example` for what is below it, in lower case"
            ),
        )),
    }
}
