//! The authorization request in progress: a sealed ticket, bound to one browser. Nothing is stored before a person decides.

use super::rule::{Pause, Scene};
use crate::crypto;
use crate::refusal;
use crate::token::GrantId;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The largest ticket, sealed, in bytes. It travels in a form body.
pub(crate) const TICKET_BYTES: usize = 8 * 1024;
const TICKET: &str = "ticket";
const CONSENT: &str = "consent";

/// A checked authorization request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Ticket {
    /// The grant that approving it will make.
    pub(crate) grant: String,
    pub(crate) client: String,
    pub(crate) redirect: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) challenge: String,
    pub(crate) expires_at: u64,
    /// Hash of the browser's secret.
    pub(crate) browser: String,
}

impl Ticket {
    pub(crate) fn grant_id(&self) -> Option<GrantId> {
        crypto::from_base64url(&self.grant)?.try_into().ok()
    }

    pub(crate) fn seal(&self, scene: &Scene) -> Result<String, Pause> {
        let text = serde_json::to_vec(self).map_err(|_| Pause::Unavailable("a ticket cannot be written"))?;
        let sealed = scene.server.seal(scene.env.now, TICKET, &text);
        let sealed = sealed.ok_or(Pause::Unavailable("no server key signs now"))?;
        if sealed.len() > TICKET_BYTES { Err(Pause::from(&refusal::AUTHORIZE_TOO_LARGE)) } else { Ok(sealed) }
    }

    /// Opens a ticket that was made for this browser and has not expired.
    pub(crate) fn open(scene: &Scene, sealed: &str, browser: Option<&str>) -> Result<Self, Pause> {
        if sealed.len() > TICKET_BYTES {
            return Err(Pause::from(&refusal::TICKET_INVALID));
        }
        let text = scene.server.unseal(scene.env.now, TICKET, sealed).ok_or(Pause::from(&refusal::TICKET_INVALID))?;
        let ticket: Self = serde_json::from_slice(&text).map_err(|_| Pause::from(&refusal::TICKET_INVALID))?;
        let browser = browser.map(browser_hash).unwrap_or_default();
        if !crate::secret::same(browser.as_bytes(), ticket.browser.as_bytes()) {
            return Err(Pause::from(&refusal::TICKET_BROWSER));
        }
        if scene.env.now >= ticket.expires_at {
            return Err(Pause::from(&refusal::TICKET_EXPIRED));
        }
        Ok(ticket)
    }
}

/// What the page showed, to whom. A form without it, or of another user, approves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ConsentSeal {
    ticket: String,
    pub(crate) subject: String,
    pub(crate) shown: Vec<String>,
}

impl ConsentSeal {
    pub(crate) fn new(ticket: &str, subject: &str, shown: Vec<String>) -> Self {
        Self { ticket: hash(ticket), subject: subject.into(), shown }
    }

    pub(crate) fn seal(&self, scene: &Scene) -> Result<String, Pause> {
        let text = serde_json::to_vec(self).map_err(|_| Pause::Unavailable("a consent form cannot be written"))?;
        scene.server.seal(scene.env.now, CONSENT, &text).ok_or(Pause::Unavailable("no server key signs now"))
    }

    /// Opens the seal that belongs to `ticket`.
    pub(crate) fn open(scene: &Scene, sealed: &str, ticket: &str) -> Result<Self, Pause> {
        let invalid = || Pause::from(&refusal::CONSENT_SEAL);
        let text = scene.server.unseal(scene.env.now, CONSENT, sealed).ok_or_else(invalid)?;
        let seal: Self = serde_json::from_slice(&text).map_err(|_| invalid())?;
        if crate::secret::same(seal.ticket.as_bytes(), hash(ticket).as_bytes()) { Ok(seal) } else { Err(invalid()) }
    }
}

fn hash(text: &str) -> String {
    crypto::base64url(&crypto::sha256(&[text.as_bytes()]))
}

/// What a ticket keeps of the browser's secret.
pub(crate) fn browser_hash(secret: &str) -> String {
    hash(secret)
}
