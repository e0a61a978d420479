//! XChaCha20-Poly1305 in Rust alone.

use super::{NONCE_BYTES, TAG_BYTES};
use alloc::vec::Vec;
use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};

/// Encrypts in place and returns the tag; `None` for a key that has not 32 bytes.
pub(super) fn seal(
    key: &[u8],
    nonce: &[u8; NONCE_BYTES],
    associated: &[u8],
    buffer: &mut [u8],
) -> Option<[u8; TAG_BYTES]> {
    let cipher = XChaCha20Poly1305::new_from_slice(key).ok()?;
    let tag = cipher.encrypt_inout_detached(&XNonce::from(*nonce), associated, buffer.into()).ok()?;
    Some(tag.into())
}

/// Turns ciphertext ‖ tag into the plaintext; `None` when the tag does not hold.
pub(super) fn open(key: &[u8], nonce: &[u8; NONCE_BYTES], associated: &[u8], buffer: &mut Vec<u8>) -> Option<()> {
    let cipher = XChaCha20Poly1305::new_from_slice(key).ok()?;
    cipher.decrypt_in_place(&XNonce::from(*nonce), associated, buffer).ok()
}
