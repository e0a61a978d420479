//! The native verifiers: aws-lc, for hosts with a C compiler.

use super::{Algorithm, KeyMaterial};
use alloc::vec::Vec;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents,
};

/// Y coordinates of the points of small order, without the sign bit. The portable verifier refuses them as `R`, so this
/// one does too.
const SMALL_ORDER: [[u8; 32]; 5] = [
    edge(0x00, 0x00, 0x00),
    edge(0x01, 0x00, 0x00),
    edge(0xec, 0xff, 0x7f),
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
];

/// A parsed key, ready to verify.
pub(super) struct Verifier {
    key: ParsedPublicKey,
    edwards: bool,
}

impl Verifier {
    /// `None` for numbers that are no key. The caller has checked that algorithm and type agree.
    pub(super) fn new(algorithm: Algorithm, material: &KeyMaterial) -> Option<Self> {
        let key = match material {
            KeyMaterial::P256 { x, y } => {
                let point: Vec<u8> = [&[4], x.as_slice(), y].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok()?
            }
            KeyMaterial::Ed25519 { x } => ParsedPublicKey::new(&ED25519, x).ok()?,
            KeyMaterial::Rsa { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }
                .to_parsed_public_key(match algorithm {
                    Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                    _ => &RSA_PKCS1_2048_8192_SHA256,
                })
                .ok()?,
        };
        Some(Self { key, edwards: algorithm == Algorithm::EdDsa })
    }

    /// Whether `signature` holds over `message`. The caller has checked its length.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        if self.edwards && begins_with_small_order(signature) {
            return false;
        }
        self.key.verify_sig(message, signature).is_ok()
    }
}

fn begins_with_small_order(signature: &[u8]) -> bool {
    let Some(mut y) = signature.first_chunk::<32>().copied() else { return true };
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    SMALL_ORDER.contains(&y)
}

const fn edge(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut y = [middle; 32];
    let [y_first, .., y_last] = &mut y;
    *y_first = first;
    *y_last = last;
    y
}
