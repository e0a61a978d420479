//! A world: who may send what, what may go wrong how often, and what must hold. Stateright walks through all of it.

use crate::ask::Ask;
use crate::heard::Heard;
use crate::laws::Law;
use crate::machine::{Lane, Machines, Reply, Start, decide};
use crate::node::{Node, Remembered, Text};
use crate::state::{Kept, Progress, Sent, State, Store, put};
use lockstep_conformance::running::Waiting;
use lockstep_oauth::question::Question;
use lockstep_oauth::store::{Committed, Record, Write};
use stateright::{Expectation, Model, Property};

/// Somebody who sends requests. They are numbered in the order in which they begin.
#[derive(Debug, Clone, Copy)]
pub struct Actor {
    /// Who it is, for the story.
    pub name: &'static str,
    /// How many requests it sends at most.
    pub requests: u8,
    /// How many of them may be under way at once.
    pub at_once: u8,
    /// What it may send in a state.
    pub asks: fn(&World, &State) -> Vec<Ask>,
}

/// A passage of time.
#[derive(Debug, Clone, Copy)]
pub struct Tick {
    /// How long it takes.
    pub seconds: u64,
    /// How often it may happen.
    pub times: u8,
}

/// What happens to the servers themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The next deployment reaches a host.
    Deploy(usize),
    /// The store fails over to a copy that has not seen the last acknowledged write.
    FailOver,
}

/// How a step of an exchange goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// As it should.
    Plain,
    /// The write is applied, and the store's answer is lost: the exchange hears that nothing is known.
    UnknownApplied,
    /// The write is lost, and the exchange hears that nothing is known.
    UnknownLost,
    /// The write is applied, and the host crashes before the exchange goes on.
    AppliedThenCrash,
    /// The host crashes before the step.
    Crash,
    /// The exchange ends with this step, and its answer is lost on the way.
    AnswerLost,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// A request reaches a host.
    Begin {
        /// Which request it is.
        request: usize,
        /// What it asks.
        ask: Ask,
        /// The host that it reaches.
        host: usize,
    },
    /// An exchange takes a step.
    Step {
        /// Which request it is.
        request: usize,
        /// How it goes.
        fate: Fate,
    },
    /// Time passes.
    Tick(usize),
    /// Something happens to the servers.
    Event(usize),
}

/// What would happen if a request were sent now and nothing came between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The answer.
    pub heard: Node<Heard>,
    /// Whether a new generation of a grant would begin.
    pub advances: bool,
    /// The store afterwards.
    pub store: Store,
}

/// What a world's laws refer to.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// The client to which everything is issued.
    pub client: &'static str,
    /// Consent pages: browser, ticket and seal.
    pub pages: Vec<[Text; 3]>,
    /// Assertions or management tokens: the first ones are the client's own.
    pub proofs: Vec<Text>,
    /// When a ticket, an assertion or an old key dies, in seconds since 1970.
    pub dies: u64,
    /// When a new key begins to sign, in seconds since 1970.
    pub signs_from: u64,
    /// How long a refresh token may lie unused, in seconds.
    pub idle_seconds: u64,
    /// The retry window, in seconds.
    pub window: u64,
    /// The overlap budget.
    pub budget: Option<u32>,
    /// How soon after its redemption a code may be presented again without ending the grant.
    pub race: u64,
    /// When the code dies, in seconds since 1970.
    pub code_dies: u64,
    /// The code that the world begins with.
    pub code: Option<Text>,
    /// The tokens that the world begins with: access and refresh.
    pub tokens: Option<(Text, Text)>,
    /// How long an access token lives, in seconds.
    pub access_seconds: u64,
    /// The scopes that the user approved.
    pub approved: &'static str,
    /// The grant that the world begins with.
    pub grant: Option<Text>,
}

/// A world.
#[derive(Debug)]
pub struct World {
    /// Its name.
    pub name: &'static str,
    /// What it is about, as a sentence.
    pub about: &'static str,
    /// The exchanges.
    pub machines: Machines,
    /// The store at the beginning.
    pub store: Store,
    /// Who acts.
    pub actors: Vec<Actor>,
    /// How many faults happen at most.
    pub faults: u8,
    /// How time passes.
    pub ticks: Vec<Tick>,
    /// What happens to the servers, and how often.
    pub events: Vec<(Event, u8)>,
    /// The deployment of each host at the beginning.
    pub hosts: Vec<usize>,
    /// When it begins, in seconds since 1970.
    pub now: u64,
    /// What the laws refer to.
    pub terms: Terms,
    /// What must hold, and what must happen.
    pub laws: Vec<&'static Law>,
    /// What was probed before.
    pub probed: Remembered<(Ask, usize, u64, Store), Probe>,
}

/// The number of an exchange that is only imagined.
const PROBE: usize = 10_000;

impl World {
    /// The actor whose request this is.
    pub fn actor_of(&self, request: usize) -> usize {
        let mut first = 0;
        for (index, actor) in self.actors.iter().enumerate() {
            first += usize::from(actor.requests);
            if request < first {
                return index;
            }
        }
        self.actors.len()
    }

    /// The requests of one actor.
    pub fn range(&self, actor: usize) -> std::ops::Range<usize> {
        let before: usize = self.actors.iter().take(actor).map(|actor| usize::from(actor.requests)).sum();
        before..before + self.actors.get(actor).map_or(0, |actor| usize::from(actor.requests))
    }

    /// What an actor has sent.
    pub fn sent_by<'a>(&self, state: &'a State, name: &str) -> impl Iterator<Item = &'a Node<Sent>> {
        let actor = self.actors.iter().position(|actor| actor.name == name).unwrap_or(self.actors.len());
        state.requests.get(self.range(actor)).into_iter().flatten().flatten()
    }

    /// What would happen if `ask` were sent in this state and nothing came between.
    pub fn probe(&self, state: &State, ask: Ask) -> Probe {
        self.probe_on(&state.store, state.now, state.hosts.first().copied().unwrap_or_default(), ask)
    }

    /// The same on a store, at an instant, against a deployment.
    pub fn probe_on(&self, store: &Store, now: u64, host: usize, ask: Ask) -> Probe {
        self.probed.or_else((ask, host, now, store.clone()), |(ask, host, now, store)| {
            let mut store = store.clone();
            let mut lane = self.machines.start(Start { ask: ask.clone(), host: *host, now: *now, number: PROBE });
            let mut advances = false;
            while lane.heard().is_none() {
                let reply = match lane.waiting() {
                    Waiting::Commit(write) => {
                        let applied = apply(&mut store, write);
                        advances |= applied.as_ref().is_ok_and(|applied| applied.advanced);
                        Reply::Committed(applied.map_or(Committed::Conflict, |_| Committed::Committed))
                    }
                    waiting => self.answer(&store, &waiting, ask),
                };
                lane = self.machines.go_on(&lane, reply);
            }
            let heard = lane.heard().cloned().unwrap_or_else(|| Node::new(Heard::default()));
            Probe { heard, advances, store }
        })
    }

    fn answer(&self, store: &Store, waiting: &Waiting<'_>, ask: &Ask) -> Reply {
        match waiting {
            Waiting::Load(keys) => Reply::Loaded(
                keys.iter().map(|key| store.iter().find(|kept| kept.key == key.as_str()).cloned()).collect(),
            ),
            Waiting::Decide(question) => Reply::Decided(self.decide(question, ask)),
            Waiting::Fetch(_) | Waiting::Commit(_) | Waiting::Done => panic!("no exchange of a world fetches"),
        }
    }

    fn decide(&self, question: &Question, ask: &Ask) -> lockstep_oauth::question::Decision {
        decide(question, ask.person())
    }

    /// The reply that a step gets, and what it does to the world. `None` when the exchange has crashed by then.
    pub fn reply(&self, state: &mut State, sent: &mut Sent, lane: &Lane, fate: Fate) -> Option<Reply> {
        let Waiting::Commit(write) = lane.waiting() else {
            if sent.promising.is_none() && sent.ask.is_timed() {
                sent.promising = Some(self.probe(state, sent.ask.clone()).heard.is_success());
            }
            let reply = self.answer(&state.store, &lane.waiting(), &sent.ask);
            return (fate != Fate::Crash).then_some(reply);
        };
        let outcome = match fate {
            Fate::Crash => return None,
            Fate::UnknownLost => Committed::Unknown,
            Fate::Plain | Fate::AnswerLost | Fate::UnknownApplied | Fate::AppliedThenCrash => {
                let before = state.store.clone();
                match apply(&mut state.store, write) {
                    Err(()) => Committed::Conflict,
                    Ok(Applied { advanced, revoked }) => {
                        sent.wrote = true;
                        sent.betrayed |= revoked && sent.promising == Some(true);
                        if advanced {
                            sent.advanced = Some(state.now);
                        }
                        if self.fails_over() {
                            state.before = Some(before);
                        }
                        if fate == Fate::UnknownApplied { Committed::Unknown } else { Committed::Committed }
                    }
                }
            }
        };
        (fate != Fate::AppliedThenCrash).then_some(Reply::Committed(outcome))
    }

    fn fails_over(&self) -> bool {
        self.events.iter().any(|(event, _)| *event == Event::FailOver)
    }

    fn begin(&self, state: &State, request: usize, ask: Ask, host: usize) -> State {
        let mut next = state.clone();
        let start = Start { ask: ask.clone(), host: state.hosts[host], now: state.now, number: request };
        let lane = self.machines.start(start);
        let progress = match lane.heard() {
            Some(heard) => Progress::Heard(heard.clone()),
            None => Progress::Waits(lane),
        };
        let sent = Sent {
            ask,
            began: state.now,
            advanced: None,
            promising: None,
            betrayed: false,
            ended: None,
            wrote: false,
            progress,
        };
        next.requests[request] = Some(Node::new(sent));
        next
    }

    fn step(&self, state: &State, request: usize, fate: Fate) -> Option<State> {
        let mut next = state.clone();
        let mut sent = Sent::clone(state.requests[request].as_ref()?);
        let Progress::Waits(lane) = sent.progress.clone() else { return None };
        let is_commit = matches!(lane.waiting(), Waiting::Commit(_));
        let of_commits = matches!(fate, Fate::UnknownApplied | Fate::UnknownLost | Fate::AppliedThenCrash);
        if of_commits && !is_commit {
            return None;
        }
        sent.progress = match self.reply(&mut next, &mut sent, &lane, fate) {
            None => Progress::Crashed,
            Some(reply) => {
                let lane = self.machines.go_on(&lane, reply);
                match (lane.heard(), fate) {
                    (Some(heard), Fate::AnswerLost) => Progress::Missed(heard.clone()),
                    (None, Fate::AnswerLost) => return None,
                    (Some(heard), _) => Progress::Heard(heard.clone()),
                    (None, _) => Progress::Waits(lane),
                }
            }
        };
        if !sent.is_open() {
            sent.promising = None;
            if !sent.ask.is_timed() {
                sent.began = 0;
            }
            if sent.ask.is_ending() {
                sent.ended = Some(state.now);
            }
        }
        // A write that is lost or conflicts anyway cannot also be applied before a crash.
        if fate == Fate::AppliedThenCrash && next.store == state.store {
            return None;
        }
        if fate != Fate::Plain {
            next.faults -= 1;
        }
        next.requests[request] = Some(Node::new(sent));
        Some(next)
    }

    fn happen(&self, state: &State, index: usize) -> Option<State> {
        let mut next = state.clone();
        next.events[index] -= 1;
        match self.events[index].0 {
            Event::Deploy(host) => {
                next.hosts[host] += 1;
                if next.hosts[host] >= self.machines.deployments.len() {
                    return None;
                }
            }
            Event::FailOver => next.store = next.before.take()?,
        }
        Some(next)
    }
}

/// What a write did to a grant.
struct Applied {
    /// A new generation began.
    advanced: bool,
    /// The grant was ended.
    revoked: bool,
}

/// Applies a write as the storage contract says, or finds a conflict.
fn apply(store: &mut Store, write: &Write) -> Result<Applied, ()> {
    let present = store.iter().find(|kept| kept.key == write.key.as_str());
    if present.map(|kept| kept.record.version) != write.expect {
        return Err(());
    }
    let before = present.and_then(|kept| kept.generation);
    let was_revoked = present.is_some_and(|kept| kept.revoked);
    let record = Record { version: write.version, value: write.value.clone(), expires_at: write.expires_at };
    let kept = Kept::new(write.key.as_str(), record);
    let advanced = kept.generation.is_some_and(|number| before.is_some_and(|before| number > before));
    let revoked = kept.revoked && !was_revoked;
    put(store, kept);
    Ok(Applied { advanced, revoked })
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            now: self.now,
            store: self.store.clone(),
            before: None,
            requests: vec![None; self.actors.iter().map(|actor| usize::from(actor.requests)).sum()],
            faults: self.faults,
            ticks: self.ticks.iter().map(|tick| tick.times).collect(),
            events: self.events.iter().map(|(_, times)| *times).collect(),
            hosts: self.hosts.clone(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, sent) in state.requests.iter().enumerate() {
            if sent.as_ref().is_some_and(|sent| sent.is_open()) {
                let fates = [
                    Fate::Plain,
                    Fate::UnknownApplied,
                    Fate::UnknownLost,
                    Fate::AppliedThenCrash,
                    Fate::Crash,
                    Fate::AnswerLost,
                ];
                let possible = if state.faults > 0 { &fates[..] } else { &fates[..1] };
                actions.extend(possible.iter().map(|fate| Action::Step { request: index, fate: *fate }));
            }
        }
        for (index, actor) in self.actors.iter().enumerate() {
            let range = self.range(index);
            let own = &state.requests[range.clone()];
            let open = own.iter().flatten().filter(|sent| sent.is_open()).count();
            let Some(first) = own.iter().position(Option::is_none) else { continue };
            if open >= usize::from(actor.at_once) {
                continue;
            }
            for ask in (actor.asks)(self, state) {
                for host in 0..state.hosts.len() {
                    actions.push(Action::Begin { request: range.start + first, ask: ask.clone(), host });
                }
            }
        }
        // A new key reaches every host before it signs: those who deploy keep to that, and so do the worlds.
        let waits = state.now < self.terms.signs_from && state.hosts.contains(&0);
        let ticking = state.ticks.iter().enumerate().filter(|(_, left)| **left > 0);
        let ticking =
            ticking.filter(|(index, _)| !waits || state.now + self.ticks[*index].seconds < self.terms.signs_from);
        actions.extend(ticking.map(|(index, _)| Action::Tick(index)));
        let happening = state.events.iter().enumerate().filter(|(_, left)| **left > 0);
        actions.extend(happening.map(|(index, _)| Action::Event(index)));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        match action {
            Action::Begin { request, ask, host } => Some(self.begin(state, request, ask, host)),
            Action::Step { request, fate } => self.step(state, request, fate),
            Action::Tick(index) => {
                let mut next = state.clone();
                next.ticks[index] -= 1;
                next.now += self.ticks[index].seconds;
                Some(next)
            }
            Action::Event(index) => self.happen(state, index),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let property = |law: &&'static Law| Property {
            expectation: if law.always { Expectation::Always } else { Expectation::Sometimes },
            name: law.name,
            condition: law.holds,
        };
        self.laws.iter().map(property).collect()
    }
}
