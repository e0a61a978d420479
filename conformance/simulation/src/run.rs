//! One run: everything that happens, one thing at a time, in an order and with faults that the seed alone decides.

use crate::coverage::Coverage;
use crate::plan::{Defect, Plan, config};
use crate::random::Random;
use crate::request::{Exchange, Purpose};
use crate::session::{Phase, Session};
use crate::store::{Fate, Store};
use crate::witness::{Family, Violation, Witness, holds};
use lockstep_conformance::fixture::{keys, user};
use lockstep_conformance::running::{Running, Waiting};
use lockstep_conformance::transcript::{Given, Transcript, Turn};
use lockstep_conformance::world::{BEGINNING, serve};
use lockstep_oauth::authorization_server::AuthorizationServer;
use lockstep_oauth::env::Env;
use lockstep_oauth::http::Fetched;
use lockstep_oauth::question::{Decision, Question};
use lockstep_oauth::store::{Committed, Record, Write};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// No exchange of these runs takes more steps: a few loads and commits, tried at most four times.
const STEPS: u32 = 20;
/// By how much a clock jumps at most.
const JUMP_SECONDS: u64 = 4000;
/// When a run ends, in milliseconds.
const END: u64 = 900_000;

/// Something that happens at its time.
#[derive(Clone, Debug)]
pub enum Event {
    /// A request arrives at a host.
    Arrive(usize),
    /// An exchange takes its next step.
    Move(usize),
    /// An answer reaches whom it is for.
    Deliver(usize),
    /// A session's timer.
    Wake(usize, u64),
    /// The thief tries something.
    Steal,
    /// Somebody ends something.
    Ending,
    /// A write of an exchange, which was thought lost, lands.
    Land(usize, Write),
    /// A broken store loses a write that it had acknowledged.
    Lose(String, Option<Record>),
    /// A host loses everything it was doing, and starts again.
    Crash(usize),
    /// The store loses its last write.
    FailOver,
    /// A host's clock jumps.
    Jump,
}

/// The servers of all policies. They hold no state, so every run and every host uses the same ones.
pub struct Servers(Vec<(Value, AuthorizationServer)>);

impl Servers {
    /// One server for each policy.
    pub fn new() -> Self {
        let policies = 0..crate::plan::POLICIES.len();
        Self(policies.map(config).map(|config| (config.clone(), serve(&config, &keys()))).collect())
    }
}

impl Default for Servers {
    fn default() -> Self {
        Self::new()
    }
}

/// A run.
pub struct Run<'a> {
    servers: &'a Servers,
    /// Its circumstances.
    pub plan: Plan,
    /// Its choices.
    pub random: Random,
    /// Milliseconds since 1970.
    pub now: u64,
    /// How many things have happened.
    pub happened: u64,
    events: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
    clocks: Vec<i64>,
    /// The store.
    pub store: Store,
    /// The sessions.
    pub sessions: Vec<Session>,
    /// Every request.
    pub exchanges: Vec<Exchange>,
    /// What was seen.
    pub witness: Witness,
    /// Who has asked to be signed out everywhere.
    pub signing_out: BTreeSet<usize>,
    /// When the store lost a write, as a number of events, and of which key.
    pub fell_back: Option<(u64, String)>,
    /// What was reached.
    pub coverage: Coverage,
    /// What happened, as lines, when it is told.
    pub story: Option<Vec<String>>,
    /// The order in which exchanges moved, when it is told.
    pub order: Vec<usize>,
}

impl<'a> Run<'a> {
    /// The run of a seed. Its story and transcripts are kept only when somebody wants to read them.
    pub fn new(servers: &'a Servers, seed: u64, defect: Defect, told: bool) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::draw(&mut random, defect);
        let skew = i64::try_from(plan.skew).unwrap_or_default();
        let clocks = (0..plan.hosts).map(|_| random.between(0, plan.skew).cast_signed() - skew / 2).collect();
        let now = BEGINNING * 1000;
        let mut run = Self {
            servers,
            plan,
            random,
            now,
            happened: 0,
            events: BTreeMap::new(),
            scheduled: 0,
            clocks,
            store: Store::default(),
            sessions: Vec::new(),
            exchanges: Vec::new(),
            witness: Witness::default(),
            signing_out: BTreeSet::new(),
            fell_back: None,
            coverage: Coverage::default(),
            story: told.then(Vec::new),
            order: Vec::new(),
        };
        run.begin();
        run
    }

    fn begin(&mut self) {
        let plan = self.plan.clone();
        self.log(|| format!("{plan:?}"));
        for number in 0..plan.sessions {
            let session = Session {
                client: self.random.place(3),
                person: self.random.place(2),
                writes: self.random.chance(500),
                cookie: String::new(),
                phase: Phase::Away,
                refreshes: plan.refreshes,
                logins: 3,
                history: Vec::new(),
                timer: 0,
            };
            self.sessions.push(session);
            self.wake_in(number, 0, 30_000);
        }
        let sometime = |run: &mut Self, times: u64, event: &Event| {
            for _ in 0..times {
                let at = run.now + run.random.below(END * 2 / 3);
                run.schedule(at, event.clone());
            }
        };
        sometime(self, plan.thefts, &Event::Steal);
        sometime(self, plan.endings, &Event::Ending);
        sometime(self, u64::from(plan.fail_over), &Event::FailOver);
        sometime(self, u64::from(plan.clock_jump), &Event::Jump);
    }

    /// Lets everything happen.
    ///
    /// # Errors
    /// The first invariant that did not hold.
    pub fn finish(&mut self) -> Result<(), Violation> {
        let end = self.now + END;
        while let Some(((at, _), event)) = self.events.pop_first() {
            self.now = at;
            self.happened += 1;
            if at > end && matches!(event, Event::Wake(..) | Event::Steal | Event::Ending) {
                continue;
            }
            self.happen(event)?;
        }
        self.audit()
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Arrive(exchange) => self.arrive(exchange),
            Event::Move(exchange) => return self.step(exchange),
            Event::Deliver(exchange) => {
                if let Some(session) = self.exchanges[exchange].waiting {
                    self.answered(session, exchange);
                }
            }
            Event::Wake(session, timer) if self.sessions[session].timer == timer => self.act(session),
            Event::Wake(..) => {}
            Event::Steal => self.steal(),
            Event::Ending => self.end_something(),
            Event::Land(number, write) => {
                let landed = self.store.commit(&write, self.plan.defect) == Committed::Committed;
                if landed && write.key.as_str().contains("/grant/") {
                    self.wrote(number);
                }
                let what = if landed { "late write landed" } else { "late write found another version" };
                self.coverage.reached(what);
                self.log(|| what.to_owned());
            }
            Event::Lose(key, before) => {
                self.log(|| format!("the store loses a write of {key}"));
                self.store.put_back(&key, before);
            }
            Event::Crash(host) => self.crash(host),
            Event::FailOver => {
                if let Some(key) = self.store.fall_back() {
                    self.witness.fell_back(&key);
                    self.fell_back = Some((self.happened, key.clone()));
                    self.coverage.reached("fail-over lost a write");
                    self.log(|| format!("fail-over: the last write, of {key}, is lost"));
                }
            }
            Event::Jump => {
                let host = self.random.place(self.clocks.len());
                let by = self.random.between(0, 2 * JUMP_SECONDS).cast_signed() - JUMP_SECONDS.cast_signed();
                self.clocks[host] += by;
                self.coverage.reached("clock jump");
                self.log(|| format!("the clock of host {host} jumps by {by} s"));
            }
        }
        Ok(())
    }

    /// Something will happen.
    pub fn schedule(&mut self, at: u64, event: Event) {
        self.scheduled += 1;
        self.events.insert((at, self.scheduled), event);
    }

    /// A line of the story.
    pub fn log(&mut self, line: impl FnOnce() -> String) {
        let since = self.now - BEGINNING * 1000;
        if let Some(story) = &mut self.story {
            story.push(format!("{:>9.3} s  {}", std::time::Duration::from_millis(since).as_secs_f64(), line()));
        }
    }

    fn later(&mut self) -> u64 {
        self.now + 1 + self.random.below(self.plan.latency)
    }

    /// A request leaves.
    pub fn send(&mut self, mut exchange: Exchange) {
        exchange.host = self.random.place(self.plan.hosts);
        self.exchanges.push(exchange);
        let at = self.later();
        self.schedule(at, Event::Arrive(self.exchanges.len() - 1));
    }

    fn arrive(&mut self, number: usize) {
        let clock = self.clocks[self.exchanges[number].host];
        let (now, seed) = ((self.now / 1000).saturating_add_signed(clock), self.random.seed());
        let (config, server) = &self.servers.0[self.plan.policy];
        let Some(env) = Env::new(now, seed) else { return };
        let Ok(running) = Running::start(server, &self.exchanges[number].call, env) else { return };
        let promised = self.arrived(number);
        let exchange = &mut self.exchanges[number];
        (exchange.arrived, exchange.arrived_at, exchange.promised) = (self.happened, self.now, promised);
        exchange.running = Some(running);
        if self.story.is_some() {
            let (config, call) = (config.clone(), exchange.call.clone());
            let (keys, turns, outcome) = (keys(), Vec::new(), Value::Null);
            exchange.transcript = Some(Transcript { config, keys, now, seed, call, turns, outcome });
            self.order.push(number);
        }
        if self.plan.crashes > 0 && self.random.chance(60) {
            self.plan.crashes -= 1;
            let at = self.later() + self.later() - self.now;
            self.schedule(at, Event::Crash(self.exchanges[number].host));
        }
        let told = format!("x{number} at host {}: {:?}", self.exchanges[number].host, self.exchanges[number].purpose);
        self.log(|| told);
        let at = self.later();
        self.schedule(at, Event::Move(number));
    }

    fn step(&mut self, number: usize) -> Result<(), Violation> {
        let Some(running) = self.exchanges[number].running.take() else { return Ok(()) };
        if let Some(ended) = running.ended() {
            if let Some(transcript) = &mut self.exchanges[number].transcript {
                transcript.outcome = ended.to_json();
            }
            self.exchanges[number].ended = Some(ended);
            self.judge(number)?;
            if self.random.chance(self.plan.lost_answers) {
                self.coverage.reached("answer lost");
                self.log(|| format!("x{number}: its answer is lost"));
            } else {
                let at = self.later();
                self.schedule(at, Event::Deliver(number));
            }
            return Ok(());
        }
        self.exchanges[number].steps += 1;
        let steps = self.exchanges[number].steps;
        holds(steps <= STEPS, "steps_are_bounded", || format!("x{number} takes {steps} steps"))?;
        let asked = if self.story.is_some() { running.asked() } else { None };
        let given = self.give(number, &running);
        if let (Some(asked), Some(transcript)) = (asked, &mut self.exchanges[number].transcript) {
            transcript.turns.push(Turn { asked, given: given.clone() });
            self.order.push(number);
        }
        self.exchanges[number].running = Some(running.give(given));
        let at = self.later();
        self.schedule(at, Event::Move(number));
        Ok(())
    }

    fn give(&mut self, number: usize, running: &Running) -> Given {
        match running.waiting() {
            Waiting::Load(keys) => {
                self.exchanges[number].loaded.get_or_insert(self.happened);
                self.exchanges[number].keys.extend(keys.iter().map(|key| key.as_str().to_owned()));
                if self.random.chance(self.plan.failed_loads) {
                    self.coverage.reached("load failed");
                    self.exchanges[number].load_failed = true;
                    self.log(|| format!("x{number}: the load fails"));
                    return Given::LoadFailed;
                }
                Given::Loaded(self.store.load(keys))
            }
            Waiting::Commit(write) => {
                let before = self.store.load(std::slice::from_ref(&write.key));
                let fits = before.first().and_then(Option::as_ref).map(|record| record.version) == write.expect;
                let fate = self.store.try_commit(write, &self.plan, &mut self.random);
                let (committed, what) = match fate {
                    Fate::Later => {
                        let at = self.now + self.random.between(1, 3 * self.plan.latency);
                        self.schedule(at, Event::Land(number, write.clone()));
                        (Committed::Unknown, "unknown, written later")
                    }
                    Fate::Answered(Committed::Conflict) if fits => (Committed::Conflict, "conflict without reason"),
                    Fate::Answered(Committed::Conflict) => (Committed::Conflict, "conflict of two writers"),
                    Fate::Answered(Committed::Unknown) => {
                        let written = self.store.load(std::slice::from_ref(&write.key)) != before;
                        (Committed::Unknown, if written { "unknown, written" } else { "unknown, not written" })
                    }
                    Fate::Answered(Committed::Committed) => (Committed::Committed, "committed"),
                };
                let written = self.store.load(std::slice::from_ref(&write.key)) != before;
                if written && write.key.as_str().contains("/grant/") {
                    self.wrote(number);
                }
                if self.plan.defect == Defect::LosesWrites
                    && committed == Committed::Committed
                    && self.random.chance(150)
                {
                    let at = self.now + self.random.between(1, 60_000);
                    let before = before.into_iter().next().flatten();
                    self.schedule(at, Event::Lose(write.key.as_str().to_owned(), before));
                }
                self.coverage.reached(what);
                self.exchanges[number].failures += u32::from(committed != Committed::Committed);
                let key = write.key.as_str().to_owned();
                self.log(|| format!("x{number}: its write of {key}: {what}"));
                Given::Committed(committed)
            }
            Waiting::Fetch(_) => Given::Fetched(Fetched::Failed("nobody is there".to_owned())),
            Waiting::Decide(question) => Given::Decided(match question {
                Question::SignIn(_) => Decision::SignedIn(user(crate::request::person(self.exchanges[number].person))),
                Question::Consent(_) => Decision::BuiltIn,
                Question::Refresh { .. } | Question::Admit { .. } => Decision::Allow,
                Question::Token { .. } => Decision::Refuse,
            }),
            Waiting::Done => Given::DecideFailed,
        }
    }

    fn crash(&mut self, host: usize) {
        let mut lost = Vec::new();
        for (number, exchange) in self.exchanges.iter_mut().enumerate().filter(|(_, exchange)| exchange.host == host) {
            if exchange.running.take().is_some() {
                lost.push(number);
            }
        }
        if !lost.is_empty() {
            self.coverage.reached("crash with requests under way");
        }
        for number in &lost {
            self.gone(*number);
        }
        self.log(|| format!("host {host} crashes and loses {lost:?}"));
    }

    /// Whether at most one refresh token of each family is accepted, once all windows are over.
    ///
    /// Each is tried on a copy of the store, as if it were the only one. Where the store has lost a write, two tokens may
    /// bear the number of the current generation; then they are tried one after the other, the newest first, and the
    /// second use must fail.
    fn audit(&mut self) -> Result<(), Violation> {
        // A record may remember a clock that was ahead by as much as clocks jump.
        let begin = self.now / 1000 + 2 * JUMP_SECONDS;
        for family in 0..self.witness.families.len() {
            let Family { dead, fell_back, .. } = self.witness.families[family];
            let (mut store, mut now, mut accepted) = (self.store.clone(), begin, Vec::new());
            let own = |token: &usize| self.witness.refreshes[*token].family == family;
            for token in (0..self.witness.refreshes.len()).rev().filter(own) {
                if !fell_back {
                    store = self.store.clone();
                }
                if self.refreshes(&mut store, token, now) {
                    accepted.push(token);
                }
                now += 100;
            }
            holds(dead.is_none() || fell_back || accepted.is_empty(), "nothing_lives_after_revocation", || {
                format!("family F{family} is dead, and at the end R{accepted:?} still refreshes")
            })?;
            holds(accepted.len() <= 1, "one_current_generation", || {
                format!("at the end, refresh tokens R{accepted:?} of family F{family} are all accepted")
            })?;
        }
        Ok(())
    }

    /// Whether a store accepts a refresh token at that time.
    fn refreshes(&self, store: &mut Store, token: usize, now: u64) -> bool {
        let server = &self.servers.0[self.plan.policy].1;
        // Entropy of its own: an exchange knows its writes by it.
        let mut seed = [9; 32];
        seed[..8].copy_from_slice(&(token as u64).to_le_bytes());
        let Some(env) = Env::new(now, seed) else { return false };
        let Ok(mut running) = Running::start(server, &self.audit_call(token, now), env) else { return false };
        while running.ended().is_none() {
            let given = match running.waiting() {
                Waiting::Load(keys) => Given::Loaded(store.load(keys)),
                Waiting::Commit(write) => Given::Committed(store.commit(write, Defect::None)),
                Waiting::Decide(_) => Given::Decided(Decision::Allow),
                Waiting::Fetch(_) | Waiting::Done => Given::Fetched(Fetched::Failed("nobody is there".to_owned())),
            };
            running = running.give(given);
        }
        running.ended().is_some_and(|ended| crate::judge::status(&ended) == 200)
    }

    /// A request that will never be answered.
    pub fn gone(&mut self, number: usize) {
        match self.exchanges[number].purpose {
            Purpose::Redeem { code, .. } => self.witness.codes[code].running -= 1,
            Purpose::Refresh { token, .. } => self.witness.refreshes[token].running -= 1,
            _ => {}
        }
    }
}
