//! The only module that names a cryptography crate.
//!
//! Everything here is deterministic: the same inputs give the same bytes, so that a transcript replays exactly.

#[cfg(feature = "native-verify")]
mod aead_native;
#[cfg(not(feature = "native-verify"))]
mod aead_portable;
mod key;
mod sign;
#[cfg(feature = "native-verify")]
mod verify_native;
#[cfg(not(feature = "native-verify"))]
mod verify_portable;

#[cfg(feature = "native-verify")]
use aead_native as aead;
#[cfg(not(feature = "native-verify"))]
use aead_portable as aead;
#[cfg(feature = "native-verify")]
use verify_native as backend;
#[cfg(not(feature = "native-verify"))]
use verify_portable as backend;

pub use key::{Algorithm, KeyFault, KeyMaterial, PublicKey, RSA_BITS};
pub use sign::SigningKey;

use crate::secret::Secret;
use alloc::string::String;
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

/// Length of a synthetic nonce, in bytes.
pub const NONCE_BYTES: usize = 24;
/// Length of an authentication tag, in bytes.
pub const TAG_BYTES: usize = 16;

/// SHA-256 of the concatenated parts.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// HMAC-SHA-256 of the concatenated parts.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    mac_over(keyed(key), parts)
}

/// A key for HMAC-SHA256 that is used again and again: half of the work of a short message is done once.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// Prepares a key.
    pub fn new(secret: &Secret) -> Self {
        Self(keyed(secret.expose()))
    }

    /// HMAC-SHA256 over the parts, one after the other.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        mac_over(self.0.clone(), parts)
    }
}

impl core::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MacKey(…)")
    }
}

#[cfg(lockstep_model)]
impl PartialEq for MacKey {
    fn eq(&self, other: &Self) -> bool {
        self.mac(&[]) == other.mac(&[])
    }
}

#[cfg(lockstep_model)]
impl Eq for MacKey {}

#[cfg(lockstep_model)]
impl core::hash::Hash for MacKey {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.mac(&[]).hash(state);
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // A key of up to a block is padded with zeros and a longer one is hashed first, as RFC 2104 says.
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    match block.get_mut(..key.len()) {
        Some(start) => start.copy_from_slice(key),
        None => block.iter_mut().zip(sha256(&[key])).for_each(|(to, from)| *to = from),
    }
    <Hmac<Sha256> as hmac::KeyInit>::new(&block)
}

fn mac_over(mut mac: Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// A pair of keys for deterministic authenticated encryption (XChaCha20-Poly1305 under a synthetic nonce).
#[derive(Clone, Debug)]
#[cfg_attr(lockstep_model, derive(PartialEq, Eq, Hash))]
pub struct SealingKey {
    encrypt: Secret,
    nonce: MacKey,
}

impl SealingKey {
    /// Derives the pair from a server key and a label that names the purpose.
    pub fn derive(server_key: &Secret, label: &str) -> Self {
        let derive = |what: &str| {
            Secret::new(hmac_sha256(server_key.expose(), &[what.as_bytes(), b"\0", label.as_bytes()]).to_vec())
        };
        Self { encrypt: derive("seal"), nonce: MacKey::new(&derive("nonce")) }
    }

    /// Seals `plaintext`: nonce ‖ ciphertext ‖ tag. The same inputs give the same bytes, and nothing else is revealed.
    pub fn seal(&self, associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let length = (associated.len() as u64).to_be_bytes();
        let mac = self.nonce.mac(&[&length, associated, plaintext]);
        let mut nonce = [0u8; NONCE_BYTES];
        nonce.copy_from_slice(mac.split_at(NONCE_BYTES).0);
        let mut sealed = Vec::with_capacity(NONCE_BYTES + plaintext.len() + TAG_BYTES);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let (_, buffer) = sealed.split_at_mut(NONCE_BYTES);
        let Some(tag) = aead::seal(self.encrypt.expose(), &nonce, associated, buffer) else {
            debug_assert!(false, "a sealing key has 32 bytes, and a token is far below the cipher's limit");
            return Vec::new();
        };
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Opens what [`SealingKey::seal`] made with the same associated data; `None` for anything else.
    pub fn open(&self, associated: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, ciphertext) = sealed.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let mut plaintext = ciphertext.to_vec();
        aead::open(self.encrypt.expose(), &nonce, associated, &mut plaintext)?;
        Some(plaintext)
    }
}

/// Base64 with padding (RFC 4648 §4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads base64 with padding, strictly.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Base64url without padding (RFC 4648 §5).
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Writes base64url without padding behind what is there.
pub(crate) fn push_base64url(text: &mut String, bytes: &[u8]) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Reads exactly `N` bytes of base64url, as strictly as [`from_base64url`].
pub(crate) fn array_from_base64url<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) == Ok(N)).then_some(bytes)
}

/// Reads base64url strictly: no padding, no whitespace, no stray bits in the last character.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// The points of Ed25519 whose order divides eight.
    pub(super) const SMALL_ORDER: [[u8; 32]; 8] = {
        let mut points = [[0; 32]; 8];
        points[1][31] = 0x80;
        points[2][0] = 1;
        points[3] = [0xff; 32];
        (points[3][0], points[3][31]) = (0xec, 0x7f);
        points[4] = [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ];
        points[5] = points[4];
        points[5][31] |= 0x80;
        points[6] = [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ];
        points[7] = points[6];
        points[7][31] |= 0x80;
        points
    };

    pub(super) fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn what_is_sealed_opens_only_under_the_same_key_and_data() {
        let key = SealingKey::derive(&Secret::new(vec![7; 32]), "token");
        let other = SealingKey::derive(&Secret::new(vec![7; 32]), "ticket");
        let sealed = key.seal(b"kind", b"plaintext");
        assert_eq!(key.open(b"kind", &sealed).as_deref(), Some(&b"plaintext"[..]));
        assert_eq!(key.open(b"kine", &sealed), None);
        assert_eq!(other.open(b"kind", &sealed), None);
        assert_eq!(sealed, key.seal(b"kind", b"plaintext"));
        for index in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[index] ^= 1;
            assert_eq!(key.open(b"kind", &broken), None);
        }
    }

    /// The vector of draft-irtf-cfrg-xchacha-03 A.3.1, so that both ways of sealing give the same bytes.
    #[test]
    fn the_cipher_is_xchacha20_poly1305() {
        let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
            sunscreen would be it.";
        let key: Vec<u8> = (0x80..0xa0).collect();
        let nonce: [u8; NONCE_BYTES] = core::array::from_fn(|index| 0x40 + index as u8);
        let associated = hex("50515253c0c1c2c3c4c5c6c7");
        let mut buffer = text.to_vec();
        let tag = aead::seal(&key, &nonce, &associated, &mut buffer).unwrap();
        assert_eq!(buffer[..16], hex("bd6d179d3e83d43b9576579493c0e939"));
        assert_eq!(tag.to_vec(), hex("c0875924c1c7987947deafd8780acf49"));
        buffer.extend_from_slice(&tag);
        let mut broken = buffer.clone();
        aead::open(&key, &nonce, &associated, &mut buffer).unwrap();
        assert_eq!(buffer, text);
        broken[3] ^= 1;
        assert!(aead::open(&key, &nonce, &associated, &mut broken).is_none());
        assert!(aead::open(&key, &nonce, &associated, &mut Vec::new()).is_none());
        assert!(aead::seal(&key[1..], &nonce, &associated, &mut []).is_none());
    }

    #[test]
    fn base64url_is_read_strictly() {
        assert_eq!(from_base64url("AA"), Some(vec![0]));
        for wrong in ["AA==", "AB", "A", "A A", "A+", "A/"] {
            assert_eq!(from_base64url(wrong), None, "{wrong}");
        }
    }
}
