//! Proof Key for Code Exchange, S256 only (RFC 7636, OAuth 2.1).

use crate::crypto::{base64url, from_base64url, sha256};
use crate::secret::{Secret, same};
use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

/// Length of an S256 challenge, in characters.
pub const CHALLENGE_CHARACTERS: usize = 43;
/// The shortest verifier, in characters (RFC 7636 §4.1).
pub const MIN_VERIFIER_CHARACTERS: usize = 43;
/// The longest verifier, in characters (RFC 7636 §4.1).
pub const MAX_VERIFIER_CHARACTERS: usize = 128;

/// An S256 `code_challenge`: the SHA-256 of a verifier that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Challenge {
    text: String,
    digest: [u8; 32],
}

impl Challenge {
    /// Reads a `code_challenge`: exactly 43 base64url characters without padding or stray bits.
    ///
    /// # Errors
    /// [`PkceFault::Challenge`] for anything else.
    pub fn parse(text: &str) -> Result<Self, PkceFault> {
        if text.len() != CHALLENGE_CHARACTERS {
            return Err(PkceFault::Challenge);
        }
        let digest = from_base64url(text).and_then(|bytes| bytes.try_into().ok()).ok_or(PkceFault::Challenge)?;
        Ok(Self { text: text.to_owned(), digest })
    }

    /// The challenge of a verifier, for the client role.
    pub fn of(verifier: &Verifier) -> Self {
        let digest = sha256(&[verifier.0.expose()]);
        Self { text: base64url(&digest), digest }
    }

    /// The challenge as it was spelled.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `verifier` is the one behind this challenge. The digests are compared in constant time.
    pub fn proves(&self, verifier: &Verifier) -> bool {
        same(&sha256(&[verifier.0.expose()]), &self.digest)
    }
}

/// A `code_verifier`: 43 to 128 unreserved characters, secret until the code is redeemed.
#[derive(Clone, Debug)]
#[cfg_attr(lockstep_model, derive(PartialEq, Eq, Hash))]
pub struct Verifier(Secret);

impl Verifier {
    /// Reads a `code_verifier`.
    ///
    /// # Errors
    /// [`PkceFault::Verifier`] unless it is 43 to 128 unreserved characters.
    pub fn parse(text: &str) -> Result<Self, PkceFault> {
        let long_enough = (MIN_VERIFIER_CHARACTERS..=MAX_VERIFIER_CHARACTERS).contains(&text.len());
        if !long_enough || !text.bytes().all(crate::uri::is_unreserved) {
            return Err(PkceFault::Verifier);
        }
        Ok(Self(Secret::new(text.as_bytes().to_vec())))
    }

    /// Makes the verifier of 32 random bytes, for the client role.
    pub fn from_entropy(bytes: &[u8; 32]) -> Self {
        Self(Secret::new(base64url(bytes).into_bytes()))
    }

    /// The verifier itself, for the token request of the client role. Keep it out of logs.
    pub fn expose(&self) -> &str {
        core::str::from_utf8(self.0.expose()).unwrap_or_default()
    }
}

/// Why a PKCE parameter is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PkceFault {
    /// The `code_challenge` is not an S256 challenge.
    Challenge,
    /// The `code_verifier` is malformed.
    Verifier,
}

impl fmt::Display for PkceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Challenge => "the code challenge is not 43 base64url characters",
            Self::Verifier => "the code verifier is not 43 to 128 unreserved characters",
        })
    }
}

impl core::error::Error for PkceFault {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_rfc_7636_appendix_b_holds() {
        let challenge = Challenge::parse(CHALLENGE).unwrap();
        let verifier = Verifier::parse(VERIFIER).unwrap();
        assert!(challenge.proves(&verifier));
        assert_eq!(Challenge::of(&verifier), challenge);
        assert_eq!(challenge.as_str(), CHALLENGE);
        assert_eq!(verifier.expose(), VERIFIER);
    }

    #[test]
    fn another_verifier_proves_nothing() {
        let challenge = Challenge::parse(CHALLENGE).unwrap();
        for index in 0..VERIFIER.len() {
            let mut other = VERIFIER.as_bytes().to_vec();
            other[index] = if other[index] == b'a' { b'b' } else { b'a' };
            let other = Verifier::parse(core::str::from_utf8(&other).unwrap()).unwrap();
            assert!(!challenge.proves(&other), "{index}");
        }
        assert!(!challenge.proves(&Verifier::parse(CHALLENGE).unwrap()));
        let (lower, upper) = (VERIFIER.to_ascii_lowercase(), VERIFIER.to_ascii_uppercase());
        for (own, other) in [(&lower, &upper), (&upper, &lower)] {
            let challenge = Challenge::of(&Verifier::parse(own).unwrap());
            assert!(!challenge.proves(&Verifier::parse(other).unwrap()), "{other}");
        }
        assert!(!challenge.proves(&Verifier::parse(&format!("{VERIFIER}a")).unwrap()));
    }

    #[test]
    fn a_challenge_is_exactly_one_encoded_digest() {
        let filled = |tail: &str| format!("{}{tail}", &CHALLENGE[..CHALLENGE.len() - tail.len()]);
        for wrong in ["", "=", "+", "/", "%", " ", "\n", "\0", "é", "N", "cN", "~"] {
            let text = filled(wrong);
            assert_eq!(Challenge::parse(&text).is_ok(), wrong.is_empty(), "{text:?}");
        }
        for length in [0, 42, 44, 128] {
            assert_eq!(Challenge::parse(&"A".repeat(length)), Err(PkceFault::Challenge), "{length}");
        }
        assert_eq!(Challenge::parse(&format!("{CHALLENGE}=")), Err(PkceFault::Challenge));
    }

    #[test]
    fn a_verifier_is_43_to_128_unreserved_characters() {
        for (length, accepted) in [(0, false), (42, false), (43, true), (128, true), (129, false)] {
            assert_eq!(Verifier::parse(&"~".repeat(length)).is_ok(), accepted, "{length}");
        }
        for wrong in [" ", "\0", "\n", "/", "+", "=", "%", "é"] {
            assert!(Verifier::parse(&format!("{VERIFIER}{wrong}")).is_err(), "{wrong:?}");
        }
        assert!(Verifier::parse(&format!("{VERIFIER}-._~09azAZ")).is_ok());
    }

    #[test]
    fn a_verifier_made_of_entropy_can_be_read_back_and_is_not_printed() {
        let verifier = Verifier::from_entropy(&[7; 32]);
        assert!(Challenge::of(&verifier).proves(&Verifier::parse(verifier.expose()).unwrap()));
        assert!(!format!("{verifier:?}").contains(verifier.expose()));
    }
}
