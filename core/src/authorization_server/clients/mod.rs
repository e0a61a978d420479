//! Who a client is: configured by the operator, registered by itself, or described by its own document.

pub(crate) mod authentication;
pub(crate) mod document;
pub(crate) mod keys;
pub(crate) mod registered;

use super::rule::{Pause, Scene};
use super::server::Server;
use crate::exchange::Facts;
use crate::jose::JwkSet;
use crate::redirect::{self, CheckedRedirect, RedirectPolicy, RedirectUri};
use crate::refusal;
use crate::store::Key;
use crate::token::RecordId;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The longest client identifier that is looked at, in bytes.
pub(crate) const CLIENT_ID_BYTES: usize = 512;

/// A client as this request sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(lockstep_model, derive(Hash))]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) name: String,
    redirects: Redirects,
    pub(crate) authentication: Authentication,
    pub(crate) code: bool,
    pub(crate) refresh: bool,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) origin: Origin,
    pub(crate) older_audiences: bool,
    pub(crate) introspects: bool,
}

/// Where a client's answers may go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(lockstep_model, derive(Hash))]
enum Redirects {
    Read(Vec<RedirectUri>),
    /// As registered. Only one endpoint has a use for them, so they are read there.
    Stored(Vec<String>),
}

/// How a client proves that it is itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(lockstep_model, derive(Hash))]
pub(crate) enum Authentication {
    None,
    Secret([u8; 32]),
    InlineKeys(JwkSet),
    KeysAt(String),
}

/// Where we know a client from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    Configured,
    Registered(RecordId),
    Document { host: String },
}

impl Client {
    /// Finds the redirect that a request asks for among the client's own.
    pub(crate) fn redirect(&self, asked: &str, policy: &RedirectPolicy) -> Option<CheckedRedirect> {
        match &self.redirects {
            Redirects::Read(redirects) => redirect::match_registered(asked, redirects),
            Redirects::Stored(texts) => {
                let read = texts.iter().filter_map(|text| RedirectUri::parse(text, policy).ok());
                redirect::match_registered(asked, &read.collect::<Vec<_>>())
            }
        }
    }

    /// The record of a client that registered itself.
    pub(crate) fn record_id(&self) -> Option<RecordId> {
        match self.origin {
            Origin::Registered(id) => Some(id),
            Origin::Configured | Origin::Document { .. } => None,
        }
    }

    /// The host of a client document's URL, for the consent page.
    pub(crate) fn host(&self) -> &str {
        match &self.origin {
            Origin::Document { host } => host,
            Origin::Configured | Origin::Registered(_) => "",
        }
    }

    pub(crate) fn is_confidential(&self) -> bool {
        self.authentication != Authentication::None
    }
}

/// What kind of client an identifier names, before anything is loaded.
pub(crate) enum Kind {
    Configured,
    Registered(RecordId),
    Document,
    Unknown,
}

/// Sorts an identifier by its spelling alone. A configured identifier wins, even one that looks like a URL.
pub(crate) fn kind(server: &Server, id: &str) -> Kind {
    if server.config.clients.iter().any(|client| client.id == id) {
        Kind::Configured
    } else if let Some(record) = registered::record_id(id) {
        Kind::Registered(record)
    } else if server.config.documents.enabled
        && (id.starts_with("https://") || (server.config.documents.loopback && id.starts_with("http://")))
    {
        Kind::Document
    } else {
        Kind::Unknown
    }
}

/// Whether a client's tokens are dead by the configuration alone: the operator has disabled the client, or removed it.
pub(crate) fn is_refused(server: &Server, id: &str) -> bool {
    match kind(server, id) {
        Kind::Configured => server.config.clients.iter().any(|client| client.id == id && client.disabled),
        Kind::Registered(_) | Kind::Document => false,
        Kind::Unknown => true,
    }
}

/// The keys that resolving this client will want, so that they can be loaded together with others.
pub(crate) fn wanted_keys(server: &Server, id: &str) -> Option<Key> {
    match kind(server, id) {
        Kind::Registered(record) => Some(server.client_key(&record)),
        Kind::Document if id.len() <= CLIENT_ID_BYTES => Some(document::cache_key(server, id)),
        _ => None,
    }
}

/// Finds the client behind an identifier. Every endpoint resolves it anew: what was true at `authorize` may have changed.
pub(crate) fn resolve(scene: &Scene, facts: &mut Facts, id: &str) -> Result<Client, Pause> {
    if id.len() > CLIENT_ID_BYTES {
        return Err(Pause::from(&refusal::CLIENT_UNKNOWN));
    }
    let server = &scene.server;
    match kind(server, id) {
        Kind::Configured => {
            let found = server.config.clients.iter().find(|client| client.id == id);
            let found = found.ok_or(Pause::from(&refusal::CLIENT_UNKNOWN))?;
            if found.disabled {
                return Err(Pause::because(&refusal::CLIENT_DISABLED, id));
            }
            let authentication = match (&found.secret_hash, &found.jwks, &found.jwks_uri) {
                (Some(hash), _, _) => Authentication::Secret(*hash),
                (None, Some(set), _) => Authentication::InlineKeys(set.clone()),
                (None, None, Some(uri)) => Authentication::KeysAt(uri.clone()),
                (None, None, None) => Authentication::None,
            };
            Ok(Client {
                id: found.id.clone(),
                name: found.name.clone(),
                redirects: Redirects::Read(found.redirects.clone()),
                authentication,
                code: found.code,
                refresh: found.refresh,
                scopes: found.scopes.clone(),
                origin: Origin::Configured,
                older_audiences: found.older_audiences,
                introspects: found.introspects,
            })
        }
        Kind::Registered(record) => registered::load(scene, facts, id, &record),
        Kind::Document => document::load(scene, facts, id),
        Kind::Unknown => Err(Pause::because(&refusal::CLIENT_UNKNOWN, id.to_string())),
    }
}
