//! Public keys and the algorithms they verify.

use super::backend::Verifier;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::RangeInclusive;

/// The sizes of an RSA modulus that are accepted, in bits.
pub const RSA_BITS: RangeInclusive<usize> = 2048..=4096;
/// The smallest public exponent that is accepted; the largest has 32 bits.
const RSA_EXPONENT: u32 = 65_537;
/// Length of an ES256 or EdDSA signature, in bytes.
const CURVE_SIGNATURE_BYTES: usize = 64;

/// A signature algorithm. There is no `none` and none with a shared secret: they cannot be named, let alone chosen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4); signs and verifies.
    Es256,
    /// Ed25519 (RFC 8037); signs and verifies.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3); verifies only.
    Rs256,
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes (RFC 7518 §3.5); verifies only.
    Ps256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Es256, Self::EdDsa, Self::Rs256, Self::Ps256];

    /// The registered name that is written into headers and keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
        }
    }

    /// Reads a registered name, to the letter. `Ed25519` (RFC 9864) is another name for [`Algorithm::EdDsa`].
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Whether this crate can sign with it; it can verify all of them.
    pub const fn signs(self) -> bool {
        matches!(self, Self::Es256 | Self::EdDsa)
    }
}

/// The numbers of a public key, big-endian as a JWK has them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum KeyMaterial {
    /// A point of P-256.
    P256 {
        /// The first coordinate.
        x: [u8; 32],
        /// The second coordinate.
        y: [u8; 32],
    },
    /// A compressed point of Ed25519.
    Ed25519 {
        /// The point, as RFC 8032 encodes it.
        x: [u8; 32],
    },
    /// An RSA key.
    Rsa {
        /// The modulus `n`, without leading zeros.
        modulus: Vec<u8>,
        /// The public exponent `e`, without leading zeros.
        exponent: Vec<u8>,
    },
}

/// Why a public key is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyFault {
    /// The algorithm is for keys of another type.
    WrongAlgorithm,
    /// The numbers are no key: a point off the curve, an even modulus, leading zeros.
    Invalid,
    /// A key that does not protect: a modulus outside [`RSA_BITS`] or with the pattern of CVE-2017-15361, an exponent
    /// below 65537, a point of small order.
    Weak,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongAlgorithm => "the algorithm does not fit the key's type",
            Self::Invalid => "the numbers are no public key",
            Self::Weak => "the key is too weak",
        })
    }
}

impl core::error::Error for KeyFault {}

/// A checked public key, bound to the one algorithm it verifies. It is parsed once; a clone costs a counter.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    algorithm: Algorithm,
    material: KeyMaterial,
    verifier: Verifier,
}

impl PublicKey {
    /// Checks a key and prepares it for verifying.
    ///
    /// # Errors
    /// A [`KeyFault`] for a key of another type, for numbers that are no key and for a key that does not protect.
    pub fn new(algorithm: Algorithm, material: KeyMaterial) -> Result<Self, KeyFault> {
        match (algorithm, &material) {
            (Algorithm::Es256, KeyMaterial::P256 { .. }) => {}
            (Algorithm::EdDsa, KeyMaterial::Ed25519 { x }) => check_edwards(x)?,
            (Algorithm::Rs256 | Algorithm::Ps256, KeyMaterial::Rsa { modulus, exponent }) => {
                check_rsa(modulus, exponent)?
            }
            _ => return Err(KeyFault::WrongAlgorithm),
        }
        let verifier = Verifier::new(algorithm, &material).ok_or(KeyFault::Invalid)?;
        Ok(Self(Arc::new(Inner { algorithm, material, verifier })))
    }

    /// The one algorithm this key verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The numbers of the key.
    pub fn material(&self) -> &KeyMaterial {
        &self.0.material
    }

    /// Whether `signature` (raw `r ‖ s`, `R ‖ S`, or as long as the RSA modulus) is this key's over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let length = match &self.0.material {
            KeyMaterial::P256 { .. } | KeyMaterial::Ed25519 { .. } => CURVE_SIGNATURE_BYTES,
            KeyMaterial::Rsa { modulus, .. } => modulus.len(),
        };
        signature.len() == length && self.0.verifier.verifies(message, signature)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm() == other.algorithm() && self.material() == other.material()
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.algorithm().hash(state);
        self.material().hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.algorithm()).field(self.material()).finish()
    }
}

/// Refuses points of small order, under which one signature fits many messages, and a second spelling of a point.
fn check_edwards(x: &[u8; 32]) -> Result<(), KeyFault> {
    let key = ed25519_dalek::VerifyingKey::from_bytes(x).map_err(|_| KeyFault::Invalid)?;
    if key.is_weak() {
        return Err(KeyFault::Weak);
    }
    if key.to_edwards().compress().to_bytes() != *x {
        return Err(KeyFault::Invalid);
    }
    Ok(())
}

fn check_rsa(modulus: &[u8], exponent: &[u8]) -> Result<(), KeyFault> {
    let (Some(first @ 1..), Some(last)) = (modulus.first(), modulus.last()) else { return Err(KeyFault::Invalid) };
    let (Some(1..), Some(exponent_last)) = (exponent.first(), exponent.last()) else { return Err(KeyFault::Invalid) };
    if last % 2 == 0 || exponent_last % 2 == 0 {
        return Err(KeyFault::Invalid);
    }
    let bits = modulus.len() * 8 - first.leading_zeros() as usize;
    let exponent = exponent.iter().try_fold(0u32, |number, byte| number.checked_mul(256).map(|n| n | u32::from(*byte)));
    if !RSA_BITS.contains(&bits) || exponent.is_none_or(|number| number < RSA_EXPONENT) || has_roca_pattern(modulus) {
        return Err(KeyFault::Weak);
    }
    Ok(())
}

/// Whether the modulus is of the form that the smart cards of CVE-2017-15361 made, whose factors can be found: modulo
/// each of these primes it is a power of 65537. Another modulus looks like that with a probability far below 2^-100.
fn has_roca_pattern(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
        109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.into_iter().all(|prime| {
        let residue = modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        (0..prime).any(|_| {
            power = power * (65_537 % prime) % prime;
            power == residue
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::SigningKey;
    use super::*;
    use alloc::vec;

    fn es256() -> (SigningKey, PublicKey) {
        let key = SigningKey::generate(Algorithm::Es256, &[1; 32]).unwrap();
        let public = key.public_key().clone();
        (key, public)
    }

    #[test]
    fn a_name_is_read_to_the_letter() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        }
        assert_eq!(Algorithm::from_name("Ed25519"), Some(Algorithm::EdDsa));
        for wrong in ["none", "None", "nOnE", "", "HS256", "es256", "ES384", "RS512", "ES256 ", "Ed448"] {
            assert_eq!(Algorithm::from_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let (_, public) = es256();
        let KeyMaterial::P256 { x, y } = public.material().clone() else { panic!("an elliptic key") };
        assert!(PublicKey::new(Algorithm::Es256, KeyMaterial::P256 { x, y }).is_ok());
        for (x, y) in [
            (
                {
                    let mut x = x;
                    x[31] ^= 1;
                    x
                },
                y,
            ),
            (x, {
                let mut y = y;
                y[0] ^= 1;
                y
            }),
            ([0; 32], [0; 32]),
            (x, [255; 32]),
        ] {
            assert_eq!(PublicKey::new(Algorithm::Es256, KeyMaterial::P256 { x, y }), Err(KeyFault::Invalid));
        }
    }

    #[test]
    fn an_edwards_point_that_is_weak_or_spelled_twice_is_refused() {
        let refused = |x| PublicKey::new(Algorithm::EdDsa, KeyMaterial::Ed25519 { x }).unwrap_err();
        for x in super::super::tests::SMALL_ORDER {
            assert_eq!(refused(x), KeyFault::Weak);
        }
        // 2 is the second coordinate of no point.
        let mut x = [0; 32];
        x[0] = 2;
        assert_eq!(refused(x), KeyFault::Invalid);
        // p + 3 spells 3 again, which is the second coordinate of a point.
        let mut x = [0xff; 32];
        (x[0], x[31]) = (0xf0, 0x7f);
        assert_eq!(refused(x), KeyFault::Invalid);
        let mut x = [0; 32];
        x[0] = 3;
        assert!(PublicKey::new(Algorithm::EdDsa, KeyMaterial::Ed25519 { x }).is_ok());
    }

    #[test]
    fn an_rsa_key_is_refused_when_weak_or_malformed() {
        let modulus = |bytes: usize, first: u8| {
            let mut modulus = vec![0xab; bytes];
            modulus[0] = first;
            modulus
        };
        let new = |modulus: Vec<u8>, exponent: &[u8]| {
            PublicKey::new(Algorithm::Rs256, KeyMaterial::Rsa { modulus, exponent: exponent.to_vec() }).map(|_| ())
        };
        const F4: &[u8] = &[1, 0, 1];
        assert_eq!(new(modulus(256, 0x80), F4), Ok(()));
        assert_eq!(new(modulus(512, 0xff), F4), Ok(()));
        assert_eq!(new(modulus(256, 0x80), &[0xff; 4]), Ok(()));
        for (modulus, exponent) in [
            (modulus(256, 0x7f), F4),
            (modulus(513, 0x01), F4),
            (modulus(128, 0xff), F4),
            (modulus(256, 0x80), &[1]),
            (modulus(256, 0x80), &[3]),
            (modulus(256, 0x80), &[0xff, 0xff]),
            (modulus(256, 0x80), &[1, 0, 0, 0, 1]),
        ] {
            assert_eq!(new(modulus, exponent), Err(KeyFault::Weak));
        }
        let mut even = modulus(256, 0x80);
        even[255] = 2;
        for (modulus, exponent) in [
            (even, F4),
            (modulus(257, 0), F4),
            (Vec::new(), F4),
            (modulus(256, 0x80), &[]),
            (modulus(256, 0x80), &[0, 1, 0, 1]),
            (modulus(256, 0x80), &[1, 0, 2]),
        ] {
            assert_eq!(new(modulus, exponent), Err(KeyFault::Invalid));
        }
    }

    #[test]
    fn an_algorithm_takes_keys_of_its_own_type_alone() {
        let (_, public) = es256();
        for algorithm in [Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Ps256] {
            assert_eq!(PublicKey::new(algorithm, public.material().clone()), Err(KeyFault::WrongAlgorithm));
        }
    }
}
