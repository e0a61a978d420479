//! The portable verifiers: Rust alone, on every target.

use super::{Algorithm, KeyMaterial, RSA_BITS};
use p256::ecdsa::signature::Verifier as _;
use rsa::{BoxedUint, RsaPublicKey, pkcs1v15, pss};
use sha2::Sha256;

/// A parsed key, ready to verify.
pub(super) enum Verifier {
    Es256(p256::ecdsa::VerifyingKey),
    EdDsa(ed25519_dalek::VerifyingKey),
    Rs256(pkcs1v15::VerifyingKey<Sha256>),
    Ps256(pss::VerifyingKey<Sha256>),
}

impl Verifier {
    /// `None` for numbers that are no key. The caller has checked that algorithm and type agree.
    pub(super) fn new(algorithm: Algorithm, material: &KeyMaterial) -> Option<Self> {
        Some(match material {
            KeyMaterial::P256 { x, y } => {
                let point = p256::Sec1Point::from_affine_coordinates(&(*x).into(), &(*y).into(), false);
                Self::Es256(p256::ecdsa::VerifyingKey::from_sec1_point(&point).ok()?)
            }
            KeyMaterial::Ed25519 { x } => Self::EdDsa(ed25519_dalek::VerifyingKey::from_bytes(x).ok()?),
            KeyMaterial::Rsa { modulus, exponent } => {
                let modulus = BoxedUint::from_be_slice_vartime(modulus);
                let exponent = BoxedUint::from_be_slice_vartime(exponent);
                let key = RsaPublicKey::new_with_size_limits(modulus, exponent, RSA_BITS).ok()?;
                match algorithm {
                    Algorithm::Ps256 => Self::Ps256(pss::VerifyingKey::new(key)),
                    _ => Self::Rs256(pkcs1v15::VerifyingKey::new(key)),
                }
            }
        })
    }

    /// Whether `signature` holds over `message`. The caller has checked its length.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::EdDsa(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Self::Rs256(key) => {
                pkcs1v15::Signature::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
            Self::Ps256(key) => {
                pss::Signature::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
        }
    }
}
