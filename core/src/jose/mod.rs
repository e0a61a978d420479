//! Signed JSON: keys, signatures and claims (RFC 7515, 7517, 7518, 7519).
//!
//! A token is read in three steps, each of which gives a type that the next one needs:
//! [`Unverified::read`] → [`Unverified::verify`] → [`Verified::claims`].

mod claims;
mod jwk;
mod jwk_set;
mod jws;

pub use crate::crypto::{Algorithm, KeyFault, KeyMaterial, PublicKey};
pub use claims::{AudienceRule, Claims, ClaimsFault, Expect, check};
pub use jwk::{Jwk, JwkFault, KID_LIMIT, PrivateJwk};
pub use jwk_set::{JwkSet, LookupFault, SET_BYTES, SET_KEYS};
pub use jws::{Accept, JwsFault, TOKEN_BYTES, Unverified, Verified, sign};
