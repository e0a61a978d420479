//! The words that languages without sum types use.

use lockstep_oauth::address::{self, AddressRule};
use lockstep_oauth::env::Env;
use lockstep_oauth::exchange::Misuse;
use lockstep_oauth::protected_resource::IdentityKind;
use lockstep_oauth::store::Committed;

/// What a store calls the outcome of a write.
///
/// # Errors
/// Any other word is a misuse.
pub fn committed(word: &str) -> Result<Committed, Misuse> {
    match word {
        "committed" => Ok(Committed::Committed),
        "conflict" => Ok(Committed::Conflict),
        "unknown" => Ok(Committed::Unknown),
        _ => Err(Misuse::new("committed", "the outcome is `committed`, `conflict` or `unknown`")),
    }
}

/// The word for an address rule.
pub type AddressWord = &'static str;
const PUBLIC: AddressWord = "public";
const PUBLIC_OR_LOOPBACK: AddressWord = "public_or_loopback";

/// The word for an address rule.
#[must_use]
pub fn address_word(rule: AddressRule) -> AddressWord {
    match rule {
        AddressRule::Public => PUBLIC,
        AddressRule::PublicOrLoopback => PUBLIC_OR_LOOPBACK,
    }
}

/// The address rule of that word.
///
/// # Errors
/// Any other word is a misuse.
pub fn address_rule(word: &str) -> Result<AddressRule, Misuse> {
    match word {
        PUBLIC => Ok(AddressRule::Public),
        PUBLIC_OR_LOOPBACK => Ok(AddressRule::PublicOrLoopback),
        _ => Err(Misuse::new("addresses", "`public` or `public_or_loopback`")),
    }
}

/// Whether the rule lets a fetch connect to this numeric address. A name, or a trick spelling, is never permitted.
///
/// # Errors
/// An unknown rule is a misuse.
pub fn permitted(address: &str, rule: &str) -> Result<bool, Misuse> {
    let rule = address_rule(rule)?;
    Ok(address::literal(address).is_some_and(|address| address::permits(rule, address)))
}

/// The word for the kind of an identity.
#[must_use]
pub fn identity_word(kind: IdentityKind) -> &'static str {
    match kind {
        IdentityKind::Access => "access",
        IdentityKind::Personal => "personal",
        IdentityKind::External => "external",
    }
}

/// The kind of an identity of that word.
///
/// # Errors
/// Any other word is a misuse.
pub fn identity_kind(word: &str) -> Result<IdentityKind, Misuse> {
    let kinds = [IdentityKind::Access, IdentityKind::Personal, IdentityKind::External];
    kinds
        .into_iter()
        .find(|kind| identity_word(*kind) == word)
        .ok_or_else(|| Misuse::new("kind", "`access`, `personal` or `external`"))
}

/// The env of one exchange, unless the seed is none.
#[must_use]
pub fn seed(now: u64, seed: &[u8]) -> Option<Env> {
    <[u8; 32]>::try_from(seed).ok().and_then(|seed| Env::new(now, seed))
}
