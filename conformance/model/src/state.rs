//! One instant of a world: the clock, the store, and every request that was ever sent.

use crate::ask::Ask;
use crate::heard::Heard;
use crate::machine::Lane;
use crate::node::Node;
use lockstep_oauth::grant::{Grant, GrantState};
use lockstep_oauth::store::Record;

/// A record of the store.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Kept {
    /// Where it is.
    pub key: String,
    /// The record itself.
    pub record: Record,
    /// What it says, if it is a grant's: only the generation's number and whether it was redeemed are looked at.
    pub generation: Option<u32>,
    /// Whether it is a grant's, and the grant is dead for good.
    pub revoked: bool,
}

impl Kept {
    /// A record at its key.
    pub fn new(key: &str, record: Record) -> Node<Self> {
        let grant = if key.contains("/grant/") { Grant::decode(&record.value) } else { None };
        let revoked = grant.as_ref().is_some_and(|grant| grant.state == GrantState::Revoked);
        let generation =
            grant.map(|grant| if grant.state == GrantState::Granted { 0 } else { grant.generation.number });
        Node::new(Self { key: key.to_owned(), record, generation, revoked })
    }
}

/// The store: one record a key, in the order of the keys.
pub type Store = Vec<Node<Kept>>;

/// A request that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sent {
    /// What was asked.
    pub ask: Ask,
    /// When it began, by the world's clock.
    pub began: u64,
    /// When its write began a new generation of a grant, if one did: the first, for a code.
    pub advanced: Option<u64>,
    /// Whether it would have been answered with tokens when its exchange first looked, had nothing come between.
    pub promising: Option<bool>,
    /// Whether it ended a grant although it had been promising.
    pub betrayed: bool,
    /// When it ended, where a law wants to know.
    pub ended: Option<u64>,
    /// Whether any write of it was applied.
    pub wrote: bool,
    /// How far it has come.
    pub progress: Progress,
}

/// How far a request has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Its exchange waits between two steps.
    Waits(Lane),
    /// Its answer has arrived.
    Heard(Node<Heard>),
    /// Its answer was lost on the way. A thief may have seen it.
    Missed(Node<Heard>),
    /// Its host crashed before there was an answer.
    Crashed,
}

/// One instant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// Seconds since 1970.
    pub now: u64,
    /// The store.
    pub store: Store,
    /// What the store was before the last write that was acknowledged, where a fail-over may still lose it.
    pub before: Option<Store>,
    /// Every request of every actor, in the world's order; nothing where none was sent yet.
    pub requests: Vec<Option<Node<Sent>>>,
    /// How many faults may still happen.
    pub faults: u8,
    /// How often each passage of time may still happen.
    pub ticks: Vec<u8>,
    /// How often each event of the world may still happen.
    pub events: Vec<u8>,
    /// The deployment of each host.
    pub hosts: Vec<usize>,
}

impl State {
    /// The record at a key.
    pub fn record(&self, key: &str) -> Option<&Node<Kept>> {
        self.store.iter().find(|kept| kept.key == key)
    }

    /// The requests that were sent.
    pub fn sent(&self) -> impl Iterator<Item = &Node<Sent>> {
        self.requests.iter().flatten()
    }

    /// The answers that left the server, whether they arrived or not.
    pub fn answers(&self) -> impl Iterator<Item = (&Node<Sent>, &Heard)> {
        self.sent().filter_map(|sent| sent.answer().map(|heard| (sent, heard)))
    }
}

/// Puts a record where the store keeps it.
pub fn put(store: &mut Store, kept: Node<Kept>) {
    match store.binary_search_by(|known| known.key.as_str().cmp(&kept.key)) {
        Ok(at) => store[at] = kept,
        Err(at) => store.insert(at, kept),
    }
}

impl Sent {
    /// The answer, once one has left the server.
    pub fn answer(&self) -> Option<&Heard> {
        match &self.progress {
            Progress::Heard(heard) | Progress::Missed(heard) => Some(heard),
            Progress::Waits(_) | Progress::Crashed => None,
        }
    }

    /// The answer, once it has arrived.
    pub fn heard(&self) -> Option<&Heard> {
        match &self.progress {
            Progress::Heard(heard) => Some(heard),
            _ => None,
        }
    }

    /// Whether its exchange is still under way.
    pub fn is_open(&self) -> bool {
        matches!(self.progress, Progress::Waits(_))
    }

    /// Whether an answer with tokens or a code left the server.
    pub fn succeeded(&self) -> bool {
        self.answer().is_some_and(Heard::is_success)
    }
}
