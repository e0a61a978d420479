//! Codes and tokens: derived from the grant's record and the server key, never stored.
//!
//! A token is `prefix_` ‖ base64url(key id ‖ sealed body). Sealing hides the body and refuses forgeries without any
//! storage; the proof inside binds the body to the record's salt, so that a stolen key alone mints nothing.

use crate::crypto;
use crate::keys::{KeyId, KeyRing, ServerKey};
use alloc::string::String;
use alloc::vec::Vec;

/// The longest text that is read as a token, in bytes.
pub const TOKEN_BYTES: usize = 512;
/// Room for all of a body but the client and the proof.
const FIXED_BYTES: usize = 63;
const PROOF_BYTES: usize = 32;
const HAS_CLIENT_KEY: u8 = 1;

/// A grant's identifier: 16 random bytes, drawn with its ticket.
pub type GrantId = [u8; 16];
/// A hash that names a subject's or a registered client's record.
pub type RecordId = [u8; 16];

/// What a token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// An authorization code.
    Code,
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
    /// A personal access token.
    Personal,
}

impl TokenKind {
    fn tag(self) -> u8 {
        match self {
            Self::Code => 1,
            Self::Access => 2,
            Self::Refresh => 3,
            Self::Personal => 4,
        }
    }

    fn from_tag(tag: u8) -> Option<Self> {
        [Self::Code, Self::Access, Self::Refresh, Self::Personal].into_iter().find(|kind| kind.tag() == tag)
    }
}

/// The text in front of each kind of token, for people and secret scanners.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prefixes {
    /// In front of an authorization code.
    pub code: String,
    /// In front of an access token.
    pub access: String,
    /// In front of a refresh token.
    pub refresh: String,
    /// In front of a personal access token.
    pub personal: String,
}

impl Default for Prefixes {
    fn default() -> Self {
        Self { code: "lsc_".into(), access: "lsa_".into(), refresh: "lsr_".into(), personal: "lsp_".into() }
    }
}

impl Prefixes {
    /// The prefix of one kind.
    pub fn of(&self, kind: TokenKind) -> &str {
        match kind {
            TokenKind::Code => &self.code,
            TokenKind::Access => &self.access,
            TokenKind::Refresh => &self.refresh,
            TokenKind::Personal => &self.personal,
        }
    }
}

/// What a token says, apart from its proof.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Body {
    /// What it may be used for.
    pub kind: TokenKind,
    /// The grant it belongs to.
    pub grant: GrantId,
    /// The record of its subject's counter.
    pub subject: RecordId,
    /// The record of its client, when that client registered itself.
    pub client: Option<RecordId>,
    /// The generation of the grant it belongs to; 0 for a code.
    pub generation: u32,
    /// The index of its resource in the grant.
    pub resource: u8,
    /// A bitmap over the grant's scopes, bit 0 the first.
    pub scopes: u64,
    /// Seconds since 1970 from which it is dead.
    pub expires_at: u64,
}

impl Body {
    fn encode(&self, issuer_hash: &[u8; 8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED_BYTES + 16 + PROOF_BYTES);
        bytes.push(self.kind.tag());
        // The other bits are reserved for a key binding (`cnf`).
        bytes.push(if self.client.is_some() { HAS_CLIENT_KEY } else { 0 });
        bytes.extend_from_slice(issuer_hash);
        bytes.extend_from_slice(&self.grant);
        bytes.extend_from_slice(&self.subject);
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.push(self.resource);
        bytes.extend_from_slice(&self.scopes.to_be_bytes());
        bytes.extend_from_slice(&self.expires_at.to_be_bytes());
        if let Some(client) = &self.client {
            bytes.extend_from_slice(client);
        }
        bytes
    }

    fn decode(bytes: &[u8], issuer_hash: &[u8; 8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let kind = TokenKind::from_tag(reader.take::<1>()?[0])?;
        let flags = reader.take::<1>()?[0];
        if reader.take::<8>()? != *issuer_hash || flags & !HAS_CLIENT_KEY != 0 {
            return None;
        }
        let body = Self {
            kind,
            grant: reader.take()?,
            subject: reader.take()?,
            generation: u32::from_be_bytes(reader.take()?),
            resource: reader.take::<1>()?[0],
            scopes: u64::from_be_bytes(reader.take()?),
            expires_at: u64::from_be_bytes(reader.take()?),
            client: if flags & HAS_CLIENT_KEY == 0 { None } else { Some(reader.take()?) },
        };
        reader.0.is_empty().then_some(body)
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }
}

/// Derives the token that `body` describes. The same inputs give the same token, which is how an answer is repeated.
pub(crate) fn derive(
    prefixes: &Prefixes,
    key: &ServerKey,
    issuer_hash: &[u8; 8],
    salt: &[u8; 32],
    body: &Body,
) -> String {
    let mut bytes = body.encode(issuer_hash);
    let proof = key.proof.mac(&[salt, &bytes]);
    bytes.extend_from_slice(&proof);
    let sealed = key.tokens.seal(&key.id, &bytes);
    let mut named = Vec::with_capacity(key.id.len() + sealed.len());
    named.extend_from_slice(&key.id);
    named.extend_from_slice(&sealed);
    let prefix = prefixes.of(body.kind);
    let mut token = String::with_capacity(prefix.len() + named.len() * 4 / 3 + 1);
    token.push_str(prefix);
    crypto::push_base64url(&mut token, &named);
    token
}

/// A token that this server sealed. Whether its grant stands behind it is still to be proven.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Opened {
    pub(crate) key: KeyId,
    pub(crate) body: Body,
    proof: [u8; PROOF_BYTES],
}

/// Opens a token of one of `kinds`: `None` when it is malformed, forged, of another kind or of another issuer, or under a
/// key that no longer verifies.
pub(crate) fn open(
    prefixes: &Prefixes,
    ring: &KeyRing,
    now: u64,
    issuer_hash: &[u8; 8],
    kinds: &[TokenKind],
    token: &str,
) -> Option<Opened> {
    if token.len() > TOKEN_BYTES {
        return None;
    }
    kinds.iter().find_map(|kind| {
        let encoded = token.strip_prefix(prefixes.of(*kind))?;
        let bytes = crypto::from_base64url(encoded)?;
        let (id, sealed) = bytes.split_first_chunk::<4>()?;
        let key = ring.verifying(id, now)?;
        let plaintext = key.tokens.open(id, sealed)?;
        let (body, proof) = plaintext.split_last_chunk::<PROOF_BYTES>()?;
        let body = Body::decode(body, issuer_hash)?;
        (body.kind == *kind).then_some(Opened { key: *id, body, proof: *proof })
    })
}

/// A token whose proof holds under its grant's salt. Only [`Opened::prove`] makes one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ProvenToken {
    pub(crate) key: KeyId,
    pub(crate) body: Body,
}

impl Opened {
    /// Proves the token against its grant's salt, in constant time.
    pub(crate) fn prove(&self, ring: &KeyRing, issuer_hash: &[u8; 8], salt: &[u8; 32]) -> Option<ProvenToken> {
        let key = ring.key(&self.key)?;
        let proof = key.proof.mac(&[salt, &self.body.encode(issuer_hash)]);
        crate::secret::same(&proof, &self.proof).then(|| ProvenToken { key: self.key, body: self.body.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: [u8; 8] = [9; 8];

    fn ring() -> KeyRing {
        KeyRing::parse(&KeyRing::generate(100, &[5; 32]), "keys").unwrap()
    }

    fn body(kind: TokenKind, client: Option<RecordId>) -> Body {
        let (grant, subject) = ([1; 16], [2; 16]);
        Body { kind, grant, subject, client, generation: 7, resource: 1, scopes: 5, expires_at: 1000 }
    }

    #[test]
    fn a_token_opens_as_what_it_was_derived_from() {
        let (ring, prefixes) = (ring(), Prefixes::default());
        let key = ring.signing(100).unwrap();
        for client in [None, Some([3; 16])] {
            let body = body(TokenKind::Access, client);
            let token = derive(&prefixes, key, &ISSUER, &[4; 32], &body);
            assert_eq!(token, derive(&prefixes, key, &ISSUER, &[4; 32], &body));
            let opened =
                open(&prefixes, &ring, 100, &ISSUER, &[TokenKind::Refresh, TokenKind::Access], &token).unwrap();
            assert_eq!(opened.body, body);
            assert!(opened.prove(&ring, &ISSUER, &[4; 32]).is_some());
            assert!(opened.prove(&ring, &ISSUER, &[5; 32]).is_none());
        }
    }

    #[test]
    fn a_token_of_another_kind_or_issuer_does_not_open() {
        let (ring, prefixes) = (ring(), Prefixes::default());
        let token = derive(&prefixes, ring.signing(100).unwrap(), &ISSUER, &[4; 32], &body(TokenKind::Access, None));
        assert!(open(&prefixes, &ring, 100, &ISSUER, &[TokenKind::Refresh], &token).is_none());
        assert!(open(&prefixes, &ring, 100, &[8; 8], &[TokenKind::Access], &token).is_none());
        let renamed = token.replace("lsa_", "lsr_");
        assert!(open(&prefixes, &ring, 100, &ISSUER, &[TokenKind::Refresh], &renamed).is_none());
    }

    #[test]
    fn no_changed_character_survives() {
        let (ring, prefixes) = (ring(), Prefixes::default());
        let token = derive(&prefixes, ring.signing(100).unwrap(), &ISSUER, &[4; 32], &body(TokenKind::Code, None));
        for index in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(open(&prefixes, &ring, 100, &ISSUER, &[TokenKind::Code], &changed).is_none(), "{index}");
        }
        for changed in
            [&token[..token.len() - 1], &(token.clone() + "A"), &(token.clone() + "="), &token.to_uppercase()]
        {
            assert!(open(&prefixes, &ring, 100, &ISSUER, &[TokenKind::Code], changed).is_none());
        }
    }
}
