//! What a run is like: drawn from its seed before it begins. Each run turns some faults off altogether, so that every
//! combination of them comes up.

use crate::random::Random;
use lockstep_conformance::fixture::{self, REDIRECT, key_clients, two_resources};
use serde_json::{Value, json};

/// A deliberately broken store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The store keeps its contract.
    None,
    /// It writes whatever version is there.
    IgnoresVersions,
    /// It sometimes says `Committed` and has written nothing.
    SaysCommitted,
    /// It sometimes loses a write that it had acknowledged.
    LosesWrites,
}

/// The policies of the runs: retry window, overlap budget, code race.
pub const POLICIES: [(u64, Option<u64>, u64); 5] =
    [(30, None, 5), (60, Some(2), 5), (0, None, 0), (30, Some(1), 0), (60, None, 30)];
/// Life of an access token, in seconds.
pub const ACCESS_SECONDS: u64 = 300;

/// Life of a code, in seconds.
pub const CODE_SECONDS: u64 = 60;

/// The configuration of a policy.
pub fn config(policy: usize) -> Value {
    let (window, budget, race) = POLICIES[policy];
    let mut config = fixture::config();
    two_resources(&mut config);
    key_clients(&mut config);
    fixture::put_client(&mut config, "signer", "redirect_uris", json!([REDIRECT]));
    fixture::put(&mut config, "access_seconds", json!(ACCESS_SECONDS));
    fixture::put(&mut config, "code_seconds", json!(CODE_SECONDS));
    fixture::put(&mut config, "retry_window_seconds", json!(window));
    fixture::put(&mut config, "code_race_seconds", json!(race));
    if let Some(budget) = budget {
        fixture::put(&mut config, "overlap_budget", json!(budget));
    }
    config
}

/// One run's circumstances. Chances are in a thousand.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which of the policies.
    pub policy: usize,
    /// How many hosts.
    pub hosts: usize,
    /// By how many seconds two hosts' clocks differ at most.
    pub skew: u64,
    /// How many sessions: a client on behalf of a person.
    pub sessions: usize,
    /// How often a session refreshes.
    pub refreshes: u64,
    /// How long a step takes at most, in milliseconds.
    pub latency: u64,
    /// A commit is answered `Conflict` and not applied.
    pub conflicts: u64,
    /// A commit is answered `Unknown`: applied, not applied, or applied later.
    pub unknowns: u64,
    /// A load fails.
    pub failed_loads: u64,
    /// An answer is lost on its way.
    pub lost_answers: u64,
    /// A request is sent twice.
    pub doubles: u64,
    /// How many times a host crashes.
    pub crashes: u64,
    /// Whether the store fails over and loses its last write.
    pub fail_over: bool,
    /// Whether a host's clock jumps.
    pub clock_jump: bool,
    /// How many things a thief tries.
    pub thefts: u64,
    /// How many times a person ends something.
    pub endings: u64,
    /// What is wrong with the store.
    pub defect: Defect,
}

impl Plan {
    /// The circumstances that a seed draws.
    pub fn draw(random: &mut Random, defect: Defect) -> Self {
        let mut sometimes = |chance: u64, most: u64| if random.chance(chance) { random.between(1, most) } else { 0 };
        let (conflicts, unknowns, failed_loads) = (sometimes(400, 150), sometimes(500, 200), sometimes(250, 60));
        let (lost_answers, doubles, crashes) = (sometimes(500, 300), sometimes(500, 400), sometimes(300, 3));
        let (thefts, endings, skew) = (sometimes(500, 12), sometimes(400, 4), sometimes(400, 5));
        Self {
            policy: random.place(POLICIES.len()),
            hosts: 1 + random.place(3),
            skew,
            sessions: 1 + random.place(3),
            refreshes: random.between(1, 5),
            latency: if random.chance(800) { 60 } else { 1500 },
            conflicts,
            unknowns,
            failed_loads,
            lost_answers,
            doubles,
            crashes,
            fail_over: random.chance(100),
            clock_jump: random.chance(100),
            thefts,
            endings,
            defect,
        }
    }

    /// The retry window of this run.
    pub fn window(&self) -> u64 {
        POLICIES[self.policy].0
    }

    /// Its code race.
    pub fn race(&self) -> u64 {
        POLICIES[self.policy].2
    }

    /// How long a client asks again for the answer to a refresh, in milliseconds: as long as the window is sure to be open.
    pub fn patience(&self) -> u64 {
        self.window().saturating_sub(2 * self.skew + 8) * 1000
    }

    /// Its overlap budget.
    pub fn budget(&self) -> Option<u64> {
        POLICIES[self.policy].1
    }
}
