//! Holds the core to the traces that spin printed from `formal/traces.pml`: the same events, the same answers, the same
//! record after each. `rotation_traces WINDOW BUDGET FILE` exits with 0 when every line agrees, and with 1 when one does not;
//! a budget of 255 is none. With `--first` behind it, it stops at the first disagreement.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a trace that cannot be followed ends the run"
)]

use lockstep_conformance::fixture::{put, refresh, tokens};
use lockstep_conformance::running::{Ended, Running, Waiting};
use lockstep_conformance::transcript::{Call, Given};
use lockstep_conformance::world::{BEGINNING, MemoryStore, World};
use lockstep_oauth::authorization_server::operations::Operation;
use lockstep_oauth::env::Env;
use lockstep_oauth::grant::{Grant, GrantState};
use lockstep_oauth::question::Decision;
use lockstep_oauth::store::{Committed, Record, Write};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// How many disagreements are printed.
const SHOWN: usize = 5;

/// What `NONE` is in `rule.pml`.
const NO_BUDGET: u8 = 255;

/// One grant, from its redemption on.
struct Follower<'a> {
    world: &'a World,
    key: &'a str,
    store: MemoryStore,
    /// What a fail-over brings back.
    before: Record,
    clock: u64,
    exchanges: u8,
    hosts: [Option<Running>; 2],
    /// The refresh token of each generation, as it was first answered.
    made: BTreeMap<u8, String>,
    failed_over: bool,
}

impl Follower<'_> {
    /// Does what the step says, and says what came of it, as the step does.
    fn follow(&mut self, step: &[u8]) -> String {
        let (what, host, presented) = (step[0], step[1], step[2]);
        let came = match what {
            b'b' | b'd' => {
                let token = self.made[&(presented - b'0')].clone();
                let now = self.clock - u64::from(what == b'd');
                let running = self.start(&refresh(&token).call(), now);
                self.settle(host, running)
            }
            b'c' | b'u' | b'l' => {
                let running = self.hosts[usize::from(host - b'0')].take().expect("an exchange that wants to write");
                let Waiting::Commit(write) = running.waiting() else { panic!("an exchange that wants to write") };
                let write = write.clone();
                let given = match what {
                    b'c' => self.commit(&write),
                    b'u' => {
                        self.commit(&write);
                        Committed::Unknown
                    }
                    _ => Committed::Unknown,
                };
                self.settle(host, running.give(Given::Committed(given)))
            }
            b't' => {
                self.clock += 1;
                "--".to_owned()
            }
            b'r' => {
                let grant_id = self.key.rsplit('/').next().unwrap_or_default().to_owned();
                let operation = Operation::RevokeGrant { subject: "alice".to_owned(), grant_id };
                let mut running = self.start(&Call::Operate(operation), self.clock);
                while let Waiting::Commit(write) = running.waiting() {
                    let given = self.commit(&write.clone());
                    running = self.to_a_write(running.give(Given::Committed(given)));
                }
                "--".to_owned()
            }
            b'f' => {
                self.failed_over = true;
                self.store.put(self.key, self.before.clone());
                "--".to_owned()
            }
            _ => panic!("no such event"),
        };
        format!("{}{came}{}", String::from_utf8_lossy(&step[..3]), self.record())
    }

    fn start(&mut self, call: &Call, now: u64) -> Running {
        self.exchanges += 1;
        let env = Env::new(BEGINNING + now, [self.exchanges; 32]).expect("a seed that is not zero");
        let running = Running::start(self.world.server(), call, env).expect("a call that is right");
        self.to_a_write(running)
    }

    /// Answers loads and questions until the exchange wants to write, or is done.
    fn to_a_write(&self, mut running: Running) -> Running {
        loop {
            let given = match running.waiting() {
                Waiting::Load(keys) => Given::Loaded(self.store.load(keys)),
                Waiting::Decide(_) => Given::Decided(Decision::Allow),
                Waiting::Commit(_) | Waiting::Done => return running,
                Waiting::Fetch(_) => panic!("a refresh fetches nothing here"),
            };
            running = running.give(given);
        }
    }

    fn commit(&mut self, write: &Write) -> Committed {
        assert_eq!(write.key.as_str(), self.key, "a refresh writes one record");
        let old = self.store.record(self.key).expect("the grant").clone();
        let outcome = self.store.commit(write);
        if outcome == Committed::Committed {
            self.before = old;
        }
        outcome
    }

    fn settle(&mut self, host: u8, running: Running) -> String {
        let running = self.to_a_write(running);
        let Some(ended) = running.ended() else {
            self.hosts[usize::from(host - b'0')] = Some(running);
            return ".-".to_owned();
        };
        let Ended::Http(answer) = ended else { panic!("a refresh ends with an answer") };
        match answer.response.status {
            200 => {
                let token = tokens(&answer).refresh;
                let generation = self.generation_of(&token);
                // A second token for one generation is a second branch, but where a fail-over forgot the first.
                let known = self.made.entry(generation).or_insert_with(|| token.clone());
                assert!(self.failed_over || *known == token, "generation {generation} was answered with two tokens");
                format!("={generation}")
            }
            400 => {
                let body: Value = serde_json::from_slice(&answer.response.body).unwrap_or_default();
                assert_eq!(body["error"], "invalid_grant");
                "x-".to_owned()
            }
            503 => "!-".to_owned(),
            status => panic!("{status} is no answer to a refresh"),
        }
    }

    /// The generation that a token belongs to: the one that it was first answered for, or else the record's.
    fn generation_of(&self, token: &str) -> u8 {
        let known = self.made.iter().find(|(_, made)| *made == token).map(|(generation, _)| *generation);
        known.unwrap_or_else(|| u8::try_from(self.grant().generation.number).expect("few generations"))
    }

    fn grant(&self) -> Grant {
        let record = self.store.record(self.key).expect("the grant");
        Grant::decode(&record.value).expect("a grant")
    }

    fn record(&self) -> String {
        let grant = self.grant();
        if grant.state == GrantState::Revoked {
            return format!("R{}-", grant.generation.number);
        }
        let marked = if grant.generation.retried { b'A' } else { b'a' };
        let streak = char::from(marked + u8::try_from(grant.streak).expect("few retries"));
        format!("L{}{streak}", grant.generation.number)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [window, budget, file, first @ ..] = arguments.as_slice() else {
        panic!("usage: rotation_traces WINDOW BUDGET FILE [--first]")
    };
    let shown = if first.is_empty() { SHOWN } else { 1 };
    let (window, budget): (u64, u8) = (window.parse().expect("a number"), budget.parse().expect("a number"));
    let mut world = World::with(|config| {
        put(config, "retry_window_seconds", window.into());
        if budget != NO_BUDGET {
            put(config, "overlap_budget", budget.into());
        }
    });
    let connected = world.connect();
    let key = world.store.keys("grant").pop().expect("the grant");
    let before = world.store.record(&key).expect("the grant").clone();
    let lines = std::fs::read_to_string(file).expect("the traces can be read");
    let (mut followed, mut steps, mut wrong) = (0, 0, 0);
    for line in lines.lines() {
        let mut follower = Follower {
            world: &world,
            key: &key,
            store: world.store.clone(),
            before: before.clone(),
            clock: 0,
            exchanges: 0,
            hosts: [None, None],
            made: BTreeMap::from([(1, connected.refresh.clone())]),
            failed_over: false,
        };
        followed += 1;
        for (at, step) in line.split(' ').enumerate() {
            steps += 1;
            let came = follower.follow(step.as_bytes());
            if came != step {
                wrong += 1;
                if wrong <= shown {
                    println!("{line}\n  step {}: the model says {step}, the core {came}", at + 1);
                }
                break;
            }
        }
        if wrong > 0 && !first.is_empty() {
            break;
        }
    }
    println!("{followed} traces, {steps} steps, {wrong} disagreements");
    if followed > 0 && wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
