//! What the runs have reached: a simulation that never meets a race proves nothing about races.

use std::collections::BTreeMap;

/// What a few hundred runs must reach, each at least once.
pub const SOMETIMES: [&str; 32] = [
    "approval",
    "approval repeated",
    "approval in another browser refused",
    "redemption",
    "redemptions of one code at once",
    "refresh",
    "refresh repeated with the same answer",
    "refreshes of one token at once",
    "check allowed",
    "check refused",
    "conflict of two writers",
    "conflict without reason",
    "unknown, written",
    "unknown, not written",
    "unknown, written later",
    "late write landed",
    "late write found another version",
    "load failed",
    "503",
    "answer lost",
    "crash with requests under way",
    "clock jump",
    "fail-over lost a write",
    "code replay ended a grant",
    "code race lost",
    "reuse ended a grant",
    "budget ended a grant",
    "token ahead of the store",
    "revocation",
    "user ended a grant",
    "sign-out everywhere",
    "assertion replay refused",
];

/// How often each thing happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(pub BTreeMap<&'static str, u64>);

impl Coverage {
    /// It happened.
    pub fn reached(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    /// It happened in another run as well.
    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    /// What never happened.
    pub fn missing(&self) -> Vec<&'static str> {
        SOMETIMES.iter().copied().filter(|what| !self.0.contains_key(what)).collect()
    }
}
