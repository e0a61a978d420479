//! Private keys: made from a seed, read, and used to sign.

use super::{Algorithm, KeyMaterial, PublicKey, hmac_sha256};
use crate::secret::Secret;
use core::fmt;
use ed25519_dalek::Signer as _;

/// A private key for ES256 or EdDSA. Signing needs no randomness: RFC 6979 for ES256, RFC 8032 for EdDSA.
#[derive(Clone)]
pub struct SigningKey {
    inner: Inner,
    secret: Secret,
    public: PublicKey,
}

#[derive(Clone)]
enum Inner {
    P256(p256::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

impl SigningKey {
    /// Derives a key from 32 bytes of entropy; the same seed gives the same key, and other algorithms unrelated ones.
    ///
    /// `None` for the RSA algorithms, which only verify.
    pub fn generate(algorithm: Algorithm, seed: &[u8; 32]) -> Option<Self> {
        // One draw in 2^32 is no scalar of P-256; the next one is taken then.
        (0..=u8::MAX).find_map(|draw| {
            let secret = hmac_sha256(seed, &[b"lockstep signing key ", algorithm.name().as_bytes(), &[0, draw]]);
            Self::from_secret(algorithm, Secret::new(secret.to_vec()))
        })
    }

    /// Takes the 32 bytes that a private JWK has in `d`.
    ///
    /// `None` for the RSA algorithms, for another length, and for ES256 if the number is zero or not below the group's
    /// order.
    pub fn from_secret(algorithm: Algorithm, secret: Secret) -> Option<Self> {
        let bytes: &[u8; 32] = secret.expose().try_into().ok()?;
        let (inner, material) = match algorithm {
            Algorithm::Es256 => {
                let key = p256::ecdsa::SigningKey::from_slice(bytes).ok()?;
                let point = key.verifying_key().to_sec1_point(false);
                let material = KeyMaterial::P256 { x: (*point.x()?).into(), y: (*point.y()?).into() };
                (Inner::P256(key), material)
            }
            Algorithm::EdDsa => {
                let key = ed25519_dalek::SigningKey::from_bytes(bytes);
                let x = key.verifying_key().to_bytes();
                (Inner::Ed25519(key), KeyMaterial::Ed25519 { x })
            }
            Algorithm::Rs256 | Algorithm::Ps256 => return None,
        };
        let public = PublicKey::new(algorithm, material).ok()?;
        Some(Self { inner, secret, public })
    }

    /// The algorithm this key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    /// The 32 secret bytes, `d` of a private JWK.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message`: 64 bytes, `r ‖ s` or `R ‖ S`. The same message gives the same bytes.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        match &self.inner {
            Inner::P256(key) => {
                let signature: Result<p256::ecdsa::Signature, _> = key.try_sign(message);
                debug_assert!(signature.is_ok(), "RFC 6979 finds a nonce for every message");
                // INVARIANT: zeros are refused by every verifier.
                signature.map_or([0; 64], |signature| signature.to_bytes().into())
            }
            Inner::Ed25519(key) => key.sign(message).to_bytes(),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).field("secret", &self.secret).finish()
    }
}

#[cfg(lockstep_model)]
impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.public == other.public
    }
}

#[cfg(lockstep_model)]
impl Eq for SigningKey {}

#[cfg(lockstep_model)]
impl core::hash::Hash for SigningKey {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.public.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SMALL_ORDER, hex};
    use super::*;
    use alloc::vec::Vec;
    use alloc::{format, vec};

    fn both() -> [SigningKey; 2] {
        [Algorithm::Es256, Algorithm::EdDsa].map(|algorithm| SigningKey::generate(algorithm, &[9; 32]).unwrap())
    }

    #[test]
    fn es256_signs_as_rfc_6979_says() {
        // RFC 6979, appendix A.2.5.
        let secret = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
        let key = SigningKey::from_secret(Algorithm::Es256, Secret::new(secret)).unwrap();
        let sample = hex(concat!(
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
        ));
        let test = hex(concat!(
            "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367",
            "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083"
        ));
        assert_eq!(key.sign(b"sample").to_vec(), sample);
        assert_eq!(key.sign(b"test").to_vec(), test);
        assert!(key.public_key().verifies(b"sample", &sample));
    }

    #[test]
    fn ed25519_signs_as_rfc_8032_says() {
        // RFC 8032 §7.1, test 3.
        let secret = hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
        let key = SigningKey::from_secret(Algorithm::EdDsa, Secret::new(secret)).unwrap();
        let signature = hex(concat!(
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac",
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ));
        assert_eq!(key.sign(&[0xaf, 0x82]).to_vec(), signature);
        assert!(key.public_key().verifies(&[0xaf, 0x82], &signature));
    }

    #[test]
    fn a_key_is_a_function_of_its_seed() {
        let seeds = [[0; 32], [1; 32]];
        let keys: Vec<_> = seeds
            .iter()
            .flat_map(|seed| [Algorithm::Es256, Algorithm::EdDsa].map(|a| SigningKey::generate(a, seed).unwrap()))
            .collect();
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(keys.iter().position(|other| other.secret.matches(key.secret.expose())), Some(index));
            assert!(
                SigningKey::generate(key.algorithm(), &seeds[index / 2]).unwrap().secret.matches(key.secret.expose())
            );
        }
        assert!(SigningKey::generate(Algorithm::Rs256, &[0; 32]).is_none());
        assert!(SigningKey::generate(Algorithm::Ps256, &[0; 32]).is_none());
    }

    #[test]
    fn a_number_that_is_no_key_is_refused() {
        for secret in [vec![0; 32], vec![0xff; 32], vec![1; 31], vec![1; 33], vec![]] {
            assert!(SigningKey::from_secret(Algorithm::Es256, Secret::new(secret)).is_none());
        }
        for secret in [vec![1; 31], vec![1; 33], vec![]] {
            assert!(SigningKey::from_secret(Algorithm::EdDsa, Secret::new(secret)).is_none());
        }
    }

    #[test]
    fn a_signature_fits_one_message_one_key_and_one_spelling() {
        for key in both() {
            let signature = key.sign(b"message");
            let other = SigningKey::generate(key.algorithm(), &[8; 32]).unwrap();
            assert!(key.public_key().verifies(b"message", &signature));
            assert!(!key.public_key().verifies(b"massage", &signature));
            assert!(!other.public_key().verifies(b"message", &signature));
            for bit in 0..512 {
                let mut broken = signature;
                broken[bit / 8] ^= 1 << (bit % 8);
                assert!(!key.public_key().verifies(b"message", &broken), "bit {bit}");
            }
            for length in [0, 1, 32, 63] {
                assert!(!key.public_key().verifies(b"message", &signature[..length]));
            }
            assert!(!key.public_key().verifies(b"message", &[&signature[..], &[0]].concat()));
        }
    }

    #[test]
    fn es256_refuses_zeros_der_and_numbers_beyond_the_order() {
        let [key, _] = both();
        let (order, zero) = (hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"), vec![0; 32]);
        let signature = key.sign(b"message");
        let (r, s) = signature.split_at(32);
        for (r, s) in [(&zero[..], &zero[..]), (&zero, s), (r, &zero), (&order, s), (r, &order), (&order, &order)] {
            assert!(!key.public_key().verifies(b"message", &[r, s].concat()));
        }
        let der = p256::ecdsa::Signature::from_slice(&signature).unwrap().to_der();
        assert!(!key.public_key().verifies(b"message", der.as_bytes()));
    }

    #[test]
    fn ed25519_refuses_a_large_scalar_and_a_point_of_small_order() {
        let [_, key] = both();
        let signature = key.sign(b"message");
        let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut carry = 0;
        let mut larger = signature;
        for (byte, add) in larger[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert!(!key.public_key().verifies(b"message", &larger));
        for small in SMALL_ORDER {
            assert!(!key.public_key().verifies(b"message", &[&small[..], &signature[32..]].concat()));
        }
    }

    #[test]
    fn a_private_key_is_never_printed() {
        for key in both() {
            let printed = format!("{key:?}");
            assert!(printed.contains("Secret(…)"));
            assert!(!printed.contains(&format!("{:?}", key.secret.expose())));
        }
    }
}
