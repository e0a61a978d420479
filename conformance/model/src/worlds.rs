//! The worlds, and what each begins with.

use crate::laws::CLIENT;
use crate::machine::{Deployment, Machines};
use crate::node::{Remembered, Text, text};
use crate::state::{Kept, Store, put};
use crate::world::{Terms, World};
use lockstep_conformance::fixture::Tokens;
use lockstep_conformance::world::World as Host;
use serde_json::Value;

pub mod redemption;
pub mod rotation;
pub mod revocation;
pub mod approval;
pub mod assertion;
pub mod keys;
pub mod registration;
pub mod failover;
pub mod lifetimes;

/// How large a world is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// For every change: seconds.
    Small,
    /// For `make prove`: minutes.
    Large,
}

impl Size {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
        }
    }
}

/// A world's name and how it is made.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The part of the proof that it belongs to.
    pub part: &'static str,
    /// The name, by which it is asked for.
    pub name: &'static str,
    /// Makes it.
    pub make: fn(Size) -> World,
}

/// How many different states every world has: `NAME SIZE STATES` a line. `lockstep-model count` writes it.
const COUNTED: &str = include_str!("../counted.txt");

/// How many different states a world was found to have when it was last counted.
pub fn counted(name: &str, size: Size) -> Option<usize> {
    let words = COUNTED.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let own = words.into_iter().find(|words| words.get(..2) == Some(&[name, size.name()]));
    own?.get(2)?.parse().ok()
}

/// Every world.
pub const ALL: &[Entry] = &[
    Entry { part: "a", name: "redemption", make: redemption::races },
    Entry { part: "a", name: "strangers", make: redemption::strangers },
    Entry { part: "b", name: "retries", make: rotation::retries },
    Entry { part: "b", name: "budget", make: rotation::budget },
    Entry { part: "b", name: "processes", make: rotation::processes },
    Entry { part: "b", name: "careless", make: rotation::careless },
    Entry { part: "b", name: "theft", make: rotation::theft },
    Entry { part: "b", name: "lockstep", make: rotation::lockstep },
    Entry { part: "b", name: "selection", make: rotation::selection },
    Entry { part: "c", name: "revocation", make: revocation::rotations },
    Entry { part: "c", name: "changed-mind", make: revocation::redemptions },
    Entry { part: "c", name: "signed", make: revocation::signed },
    Entry { part: "d", name: "approval", make: approval::world },
    Entry { part: "e", name: "assertion", make: assertion::world },
    Entry { part: "f", name: "keys", make: keys::world },
    Entry { part: "g", name: "registration", make: registration::world },
    Entry { part: "h", name: "failover", make: failover::world },
    Entry { part: "i", name: "lifetimes", make: lifetimes::world },
];

/// A world over a host that has been prepared: its store, its deployment and its instant. Nobody acts in it yet.
fn prepared(name: &'static str, about: &'static str, host: &Host, config: Value) -> World {
    World {
        name,
        about,
        machines: Machines::new(vec![Deployment::new(config, host.keys().to_owned())]),
        store: stored(host),
        actors: Vec::new(),
        faults: 0,
        ticks: Vec::new(),
        events: Vec::new(),
        hosts: vec![0],
        now: host.now,
        terms: Terms { client: CLIENT, ..Terms::default() },
        laws: Vec::new(),
        probed: Remembered::default(),
    }
}

/// Everything that the host has stored.
fn stored(host: &Host) -> Store {
    let mut store = Store::new();
    for kind in ["grant", "subject", "client", "seen"] {
        for key in host.store.keys(kind) {
            if let Some(record) = host.store.record(&key) {
                put(&mut store, Kept::new(&key, record.clone()));
            }
        }
    }
    store
}

/// Tokens as the terms of a world name them.
fn pair(tokens: &Tokens) -> (Text, Text) {
    (text(&tokens.access), text(&tokens.refresh))
}
