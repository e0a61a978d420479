//! The configuration: read from JSON once, checked once. Nothing else validates it.

use super::config_reader::{Reader, misuse};
use crate::crypto;
use crate::exchange::Misuse;
use crate::grant::{GrantPolicy, RETRY_WINDOW_LIMIT_SECONDS};
use crate::jose::JwkSet;
use crate::redirect::{RedirectPolicy, RedirectUri};
use crate::resource::ResourceTable;
use crate::scope::{Hierarchy, ScopeName};
use crate::token::Prefixes;
use crate::uri::Uri;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::Value;

/// The scope that asks for a refresh token (OpenID Connect; MCP SEP-2207).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// A checked configuration of an authorization server and the resources it protects.
#[derive(Clone, Debug)]
#[cfg_attr(lockstep_model, derive(PartialEq, Eq, Hash))]
pub struct Config {
    pub(crate) issuer: Uri,
    pub(crate) issuer_hash: [u8; 8],
    pub(crate) resources: Vec<ResourceConfig>,
    pub(crate) resource_table: ResourceTable,
    pub(crate) scopes: Vec<ScopeConfig>,
    pub(crate) hierarchy: Hierarchy,
    pub(crate) refuse_unknown_scopes: bool,
    pub(crate) clients: Vec<ConfiguredClient>,
    pub(crate) registration: Registration,
    pub(crate) documents: ClientDocuments,
    pub(crate) redirects: RedirectPolicy,
    pub(crate) code_seconds: u64,
    pub(crate) ticket_seconds: u64,
    pub(crate) absolute_seconds: u64,
    pub(crate) policy: GrantPolicy,
    pub(crate) refresh: RefreshPolicy,
    pub(crate) jwt: bool,
    pub(crate) prefixes: Prefixes,
    pub(crate) personal_sign_in: bool,
    pub(crate) custom_consent: bool,
    pub(crate) ask_refresh: bool,
    pub(crate) verify_tokens: bool,
    pub(crate) several_resources: bool,
    pub(crate) service_documentation: Option<String>,
    pub(crate) extra_documents: Vec<ExtraDocument>,
}

/// One protected resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ResourceConfig {
    pub(crate) identifier: String,
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) documentation: Option<String>,
}

/// One scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ScopeConfig {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) optional: bool,
    pub(crate) default: bool,
}

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

/// When a grant has refresh tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RefreshPolicy {
    /// When the client's grant types say so, or `offline_access` was approved.
    GrantTypes,
    /// Only when `offline_access` was approved.
    OfflineAccess,
    Never,
}

/// A discovery document whose content the host supplies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ExtraDocument {
    pub(crate) path: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Config {
    /// Reads a configuration from JSON text.
    ///
    /// # Errors
    /// `Misuse` that names the field and the fix.
    pub fn parse(text: &str) -> Result<Self, Misuse> {
        let value: Value = serde_json::from_str(text).map_err(|_| misuse("config", "the configuration is not JSON"))?;
        let mut root = Reader::new("", value)?;
        let issuer_text = root.text("issuer")?;
        let issuer = Uri::issuer(&issuer_text).map_err(|fault| {
            misuse("issuer", &format!("{fault}; use https://host[/path], or http on loopback for development"))
        })?;
        let issuer_hash = crypto::sha256(&[b"issuer", issuer.as_str().as_bytes()]);
        let issuer_hash = issuer_hash.first_chunk::<8>().copied().unwrap_or_default();

        let (resources, aliases) = read_resources(&mut root)?;
        let (scopes, hierarchy) = read_scopes(&mut root)?;
        for (index, resource) in resources.iter().enumerate() {
            if let Some(unknown) = resource.scopes.iter().find(|name| !scopes.iter().any(|scope| scope.name == **name))
            {
                return Err(misuse(
                    &format!("resources[{index}].scopes"),
                    &format!("`{unknown}` is not one of the configured scopes"),
                ));
            }
        }
        let table = resources.iter().map(|resource| resource.identifier.clone()).zip(aliases).collect();
        let resource_table = ResourceTable::new(table)
            .map_err(|fault| misuse("resources", &format!("{fault}; use absolute https URIs without a fragment")))?;

        let schemes = root.optional_texts("private_schemes")?;
        let redirects =
            schemes.map_or_else(RedirectPolicy::default, |private_schemes| RedirectPolicy { private_schemes });
        if let Some(scheme) = redirects.unusable_scheme() {
            return Err(misuse("private_schemes", &format!("`{scheme}` can never be a redirect's scheme; remove it")));
        }
        let clients = read_clients(&mut root, &redirects)?;
        let registration = read_registration(&mut root)?;
        let documents = read_documents(&mut root, issuer.is_http_loopback())?;
        let jwt = match root.optional_text("access_token_format")?.as_deref() {
            None | Some("opaque") => false,
            Some("jwt") => true,
            Some(_) => return Err(misuse("access_token_format", "`opaque` or `jwt`")),
        };
        let policy = GrantPolicy {
            code_race_seconds: root.seconds("code_race_seconds", 5, 0..=60)?,
            retry_window_seconds: root.seconds("retry_window_seconds", 30, 0..=RETRY_WINDOW_LIMIT_SECONDS)?,
            overlap_budget: root
                .optional_number("overlap_budget", 0..=u64::from(u32::MAX))?
                .map(|budget| budget as u32),
            access_seconds: root.seconds("access_seconds", if jwt { 300 } else { 3600 }, 1..=86_400)?,
            idle_seconds: root.seconds("idle_seconds", 30 * 86_400, 1..=10 * 365 * 86_400)?,
        };
        let config = Self {
            issuer_hash,
            resource_table,
            refuse_unknown_scopes: match root.optional_text("unknown_scopes")?.as_deref() {
                None | Some("drop") => false,
                Some("refuse") => true,
                Some(_) => return Err(misuse("unknown_scopes", "`drop` or `refuse`")),
            },
            code_seconds: root.seconds("code_seconds", 60, 1..=600)?,
            ticket_seconds: root.seconds("ticket_seconds", 600, 10..=3600)?,
            absolute_seconds: root.seconds("absolute_seconds", 180 * 86_400, 60..=10 * 365 * 86_400)?,
            refresh: match root.optional_text("refresh")?.as_deref() {
                None | Some("grant_types") => RefreshPolicy::GrantTypes,
                Some("offline_access") => RefreshPolicy::OfflineAccess,
                Some("never") => RefreshPolicy::Never,
                Some(_) => return Err(misuse("refresh", "`grant_types`, `offline_access` or `never`")),
            },
            prefixes: read_prefixes(&mut root)?,
            personal_sign_in: match root.optional_text("sign_in")?.as_deref() {
                None | Some("host") => false,
                Some("personal_token") => true,
                Some(_) => return Err(misuse("sign_in", "`host` or `personal_token`")),
            },
            custom_consent: root.flag("custom_consent", false)?,
            ask_refresh: root.flag("ask_refresh", false)?,
            verify_tokens: root.flag("verify_tokens", false)?,
            several_resources: root.flag("several_resources", false)?,
            service_documentation: root.optional_url("service_documentation")?,
            extra_documents: read_extra_documents(&mut root)?,
            issuer,
            resources,
            scopes,
            hierarchy,
            clients,
            registration,
            documents,
            redirects,
            policy,
            jwt,
        };
        root.end()?;
        Ok(config)
    }

    /// The issuer, exactly as configured.
    pub fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    /// The resource identifiers, exactly as configured.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().map(|resource| resource.identifier.as_str())
    }

    /// An endpoint's absolute URL. A slash at the end of the issuer is not doubled.
    pub(crate) fn endpoint(&self, path: &str) -> String {
        let base = self.issuer.as_str();
        format!("{}{path}", base.strip_suffix('/').unwrap_or(base))
    }

    /// The issuer's path without a slash at its end: the prefix of every endpoint's path.
    pub(crate) fn base_path(&self) -> &str {
        self.issuer.path().trim_end_matches('/')
    }

    /// Whether the issuer is plain http on loopback, where a browser keeps no `Secure` cookie.
    pub(crate) fn is_development(&self) -> bool {
        self.issuer.is_http_loopback()
    }

    /// The name of the cookie that binds a ticket or a session to one browser.
    pub(crate) fn cookie_name(&self, what: &str) -> String {
        if self.is_development() { format!("lockstep{what}") } else { format!("__Host-lockstep{what}") }
    }

    pub(crate) fn scope(&self, name: &str) -> Option<&ScopeConfig> {
        self.scopes.iter().find(|scope| scope.name == name)
    }

    /// The scopes of a request that names none.
    pub(crate) fn default_scopes(&self) -> Vec<String> {
        self.scopes.iter().filter(|scope| scope.default).map(|scope| scope.name.clone()).collect()
    }

    /// Whether a scope means anything at the resource of that index.
    pub(crate) fn understands(&self, resource: usize, scope: &str) -> bool {
        self.resources.get(resource).is_none_or(|resource| {
            resource.scopes.is_empty() || scope == OFFLINE_ACCESS || resource.scopes.iter().any(|name| name == scope)
        })
    }
}

fn read_resources(root: &mut Reader) -> Result<(Vec<ResourceConfig>, Vec<Vec<String>>), Misuse> {
    let (mut resources, mut aliases) = (Vec::new(), Vec::new());
    for mut entry in root.objects("resources")? {
        aliases.push(entry.optional_texts("aliases")?.unwrap_or_default());
        resources.push(ResourceConfig {
            identifier: entry.text("resource")?,
            name: entry.optional_text("name")?.unwrap_or_default(),
            scopes: entry.optional_texts("scopes")?.unwrap_or_default(),
            documentation: entry.optional_url("documentation")?,
        });
        entry.end()?;
    }
    if resources.is_empty() || resources.len() > 200 {
        return Err(misuse(
            "resources",
            "name at least one resource: the URL that MCP clients connect to, such as https://host/mcp",
        ));
    }
    Ok((resources, aliases))
}

fn read_scopes(root: &mut Reader) -> Result<(Vec<ScopeConfig>, Hierarchy), Misuse> {
    let (mut scopes, mut pairs): (Vec<ScopeConfig>, Vec<(String, Vec<String>)>) = (Vec::new(), Vec::new());
    for (index, mut entry) in root.objects("scopes")?.into_iter().enumerate() {
        let name = entry.text("name")?;
        let at = format!("scopes[{index}].name");
        if ScopeName::parse(&name).is_err() {
            return Err(misuse(&at, "a scope is printable ASCII without spaces, quotes or backslashes"));
        }
        if scopes.iter().any(|scope| scope.name == name) {
            return Err(misuse(&at, "this scope appears twice"));
        }
        pairs.push((name.clone(), entry.optional_texts("implies")?.unwrap_or_default()));
        scopes.push(ScopeConfig {
            description: entry.optional_text("description")?.unwrap_or_default(),
            optional: entry.flag("optional", false)?,
            default: entry.flag("default", name != OFFLINE_ACCESS)?,
            name,
        });
        entry.end()?;
    }
    // A grant holds at most 64, and clients may add `offline_access` whether it is configured or not.
    let added = usize::from(!scopes.iter().any(|scope| scope.name == OFFLINE_ACCESS));
    if scopes.is_empty() || scopes.len() + added > 64 {
        return Err(misuse("scopes", "name between 1 and 64 scopes, `offline_access` among them or not"));
    }
    for (name, implied) in &pairs {
        if let Some(unknown) = implied.iter().find(|implied| !scopes.iter().any(|scope| scope.name == **implied)) {
            return Err(misuse("scopes", &format!("`{name}` implies `{unknown}`, which is not configured")));
        }
    }
    if !scopes.iter().any(|scope| scope.default) {
        return Err(misuse("scopes", "at least one scope must be a default, for clients that ask for none"));
    }
    let hierarchy = Hierarchy::new(&pairs).map_err(|fault| misuse("scopes", &fault.to_string()))?;
    Ok((scopes, hierarchy))
}

fn read_clients(root: &mut Reader, redirects: &RedirectPolicy) -> Result<Vec<ConfiguredClient>, Misuse> {
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

fn read_registration(root: &mut Reader) -> Result<Registration, Misuse> {
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

fn read_documents(root: &mut Reader, development: bool) -> Result<ClientDocuments, Misuse> {
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

fn read_prefixes(root: &mut Reader) -> Result<Prefixes, Misuse> {
    let mut prefixes = Prefixes::default();
    let Some(mut entry) = root.optional_object("token_prefixes")? else { return Ok(prefixes) };
    for (name, prefix) in [
        ("code", &mut prefixes.code),
        ("access", &mut prefixes.access),
        ("refresh", &mut prefixes.refresh),
        ("personal", &mut prefixes.personal),
    ] {
        if let Some(text) = entry.optional_text(name)? {
            let fine = (2..=20).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
            if !fine || !text.ends_with('_') {
                return Err(misuse(
                    &format!("token_prefixes.{name}"),
                    "2 to 20 letters, digits, `-` and `_`, ending with `_`",
                ));
            }
            *prefix = text;
        }
    }
    let mut all = [&prefixes.code, &prefixes.access, &prefixes.refresh, &prefixes.personal];
    all.sort_unstable();
    if all.iter().zip(all.iter().skip(1)).any(|(left, right)| left == right) {
        return Err(misuse("token_prefixes", "each kind of token needs a prefix of its own"));
    }
    entry.end()?;
    Ok(prefixes)
}

fn read_extra_documents(root: &mut Reader) -> Result<Vec<ExtraDocument>, Misuse> {
    let mut documents = Vec::new();
    for (index, mut entry) in root.optional_objects("documents")?.into_iter().enumerate() {
        let document = ExtraDocument {
            path: entry.text("path")?,
            content_type: entry.optional_text("content_type")?.unwrap_or_else(|| "application/json".to_string()),
            body: entry.text("body")?,
        };
        let graphic = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !document.path.starts_with("/.well-known/") || !graphic(&document.path) || !graphic(&document.content_type) {
            return Err(misuse(
                &format!("documents[{index}].path"),
                "a path under /.well-known/ and a printable content type",
            ));
        }
        documents.push(document);
        entry.end()?;
    }
    Ok(documents)
}
