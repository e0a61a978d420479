//! What has been seen of the tokens of a run, and the invariants that it must keep.

use std::collections::{BTreeMap, BTreeSet};

/// The invariants, by name.
pub const INVARIANTS: [&str; 13] = [
    "one_code_one_family",
    "one_current_generation",
    "nothing_lives_after_revocation",
    "within_what_was_approved",
    "only_for_its_client",
    "a_ticket_once",
    "an_assertion_once",
    "a_race_ends_nothing",
    "an_honest_client_is_never_locked_out",
    "a_fresh_token_opens",
    "no_server_error_without_a_fault",
    "steps_are_bounded",
    "no_panic",
];

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name.
    pub invariant: &'static str,
    /// What was seen.
    pub seen: String,
}

/// A violation, unless it holds.
pub fn holds(holds: bool, invariant: &'static str, seen: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { invariant, seen: seen() }) }
}

/// A consent page that was shown, and what was approved on it.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The session.
    pub session: usize,
    /// The sealed ticket and the form's seal.
    pub form: (String, String),
    /// When the first answer to it arrived, in milliseconds.
    pub first_answer: Option<u64>,
    /// Its family, once there is one.
    pub family: Option<usize>,
}

/// All tokens that come of one approval.
#[derive(Clone, Debug)]
pub struct Family {
    /// The session that asked.
    pub session: usize,
    /// What the user approved.
    pub scopes: BTreeSet<String>,
    /// The keys under which the store has it.
    pub keys: BTreeSet<String>,
    /// When its approval was answered, as a number of events.
    pub approved: u64,
    /// When its end was first asked for or may have been brought about: nothing is promised to its client any more.
    pub threatened: bool,
    /// An access token of it is being revoked: no access token is promised any more.
    pub spoiled: bool,
    /// When its end was acknowledged.
    pub dead: Option<u64>,
    /// The store has lost a write of it: what had been promised was promised by a store that broke its word.
    pub fell_back: bool,
}

impl Family {
    /// The grant's own name. After a fail-over that lost an approval, two families may have had one name.
    pub fn grant_id(&self) -> Option<&str> {
        self.keys.iter().find(|key| key.contains("/grant/"))?.rsplit('/').next()
    }
}

/// A code.
#[derive(Clone, Debug)]
pub struct Code {
    /// The code itself.
    pub text: String,
    /// Its page.
    pub ticket: usize,
    /// Its family.
    pub family: usize,
    /// When its redemption was written, as a number of events.
    pub spent: Option<u64>,
    /// How many answers gave tokens for it.
    pub redeemed: u32,
    /// How many redemptions of it are under way.
    pub running: u32,
    /// How many redemptions by its client, with the verifier, arrived.
    pub uses: u32,
    /// When the first one did, in milliseconds.
    pub first_use: Option<u64>,
}

/// An access or a refresh token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token itself.
    pub text: String,
    /// Its family.
    pub family: usize,
    /// What it was issued for.
    pub scopes: BTreeSet<String>,
    /// When its request arrived, in milliseconds.
    pub asked_at: u64,
    /// The refresh tokens that came of it.
    pub successors: BTreeSet<usize>,
    /// How many refreshes with it are under way.
    pub running: u32,
    /// How many refreshes with it, by its client, arrived.
    pub uses: u32,
    /// When the first one did, in milliseconds.
    pub first_use: Option<u64>,
    /// When its successor was written, as a number of events.
    pub spent: Option<u64>,
    /// When its own revocation was acknowledged.
    pub dead: Option<u64>,
}

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    /// The consent pages.
    pub tickets: Vec<Ticket>,
    /// The families.
    pub families: Vec<Family>,
    /// The codes.
    pub codes: Vec<Code>,
    /// The refresh tokens.
    pub refreshes: Vec<Token>,
    /// The access tokens.
    pub accesses: Vec<Token>,
    /// The assertions, and how many requests each one proved.
    pub assertions: Vec<(String, u32)>,
    names: BTreeMap<String, usize>,
}

impl Witness {
    /// The code of an approval, which is the one of before or the first one.
    pub fn coded(&mut self, ticket: usize, text: &str, family: impl FnOnce() -> Family) -> Result<usize, Violation> {
        if let Some(code) = self.codes.iter().position(|code| code.text == text) {
            return Ok(code);
        }
        let fell_back = self.tickets[ticket].family.is_some_and(|family| self.families[family].fell_back);
        let first = self.tickets[ticket].family.is_none() || fell_back;
        holds(first, "a_ticket_once", || format!("the page T{ticket} was answered with a second code"))?;
        self.families.push(family());
        let family = self.families.len() - 1;
        self.tickets[ticket].family = Some(family);
        self.codes.push(Code {
            text: text.to_owned(),
            ticket,
            family,
            spent: None,
            redeemed: 0,
            running: 0,
            uses: 0,
            first_use: None,
        });
        Ok(self.codes.len() - 1)
    }

    /// The place of a token among its kind; a new one is added.
    pub fn token(
        &mut self,
        refresh: bool,
        text: &str,
        family: usize,
        scopes: &BTreeSet<String>,
        asked_at: u64,
    ) -> usize {
        if let Some(place) = self.names.get(text) {
            return *place;
        }
        let tokens = if refresh { &mut self.refreshes } else { &mut self.accesses };
        tokens.push(Token {
            text: text.to_owned(),
            family,
            scopes: scopes.clone(),
            asked_at,
            successors: BTreeSet::new(),
            running: 0,
            uses: 0,
            first_use: None,
            spent: None,
            dead: None,
        });
        self.names.insert(text.to_owned(), tokens.len() - 1);
        tokens.len() - 1
    }

    /// The place of a token that was seen, among its kind.
    pub fn place(&self, text: &str) -> Option<usize> {
        self.names.get(text).copied()
    }

    /// What had been acknowledged about this key is not there any more.
    pub fn fell_back(&mut self, key: &str) {
        for family in self.families.iter_mut().filter(|family| family.keys.contains(key)) {
            family.fell_back = true;
            family.threatened = true;
        }
    }
}
