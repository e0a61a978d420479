//! A small deterministic host: a store, other servers, a user, budgets, a clock and seeds. It moves exchanges step by
//! step, alone or interleaved, injects faults, and keeps the transcript of everything.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a world that goes wrong fails the test that lives in it"
)]

use crate::running::{Ended, Running, Waiting};
use crate::transcript::{Asked, Call, Given, Transcript, Turn};
use lockstep_oauth::audit::AuditEvent;
use lockstep_oauth::authorization_server::config::Config;
use lockstep_oauth::authorization_server::operations::{Operation, OperationOutcome};
use lockstep_oauth::authorization_server::{Answer, AuthorizationServer};
use lockstep_oauth::budget::Budget;
use lockstep_oauth::crypto::sha256;
use lockstep_oauth::env::Env;
use lockstep_oauth::exchange::Misuse;
use lockstep_oauth::http::{Admission, FetchRequest, Fetched, HttpRequest};
use lockstep_oauth::keys::KeyRing;
use lockstep_oauth::protected_resource::{CheckRequest, Checked};
use lockstep_oauth::question::{Decision, Question};
use lockstep_oauth::store::{Committed, Key, Labels, Record, Write};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// When every world begins: 2027-01-15T08:00:00Z.
pub const BEGINNING: u64 = 1_800_000_000;

/// A store that keeps the contract of `lockstep_oauth::store`.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    records: BTreeMap<String, (Record, Labels)>,
}

impl MemoryStore {
    /// The record, or nothing, for each key in order.
    pub fn load(&self, keys: &[Key]) -> Vec<Option<Record>> {
        keys.iter().map(|key| self.record(key.as_str()).cloned()).collect()
    }

    /// Puts the record if, and only if, the key is at the expected version.
    pub fn commit(&mut self, write: &Write) -> Committed {
        if self.record(write.key.as_str()).map(|record| record.version) != write.expect {
            return Committed::Conflict;
        }
        let record = Record { version: write.version, value: write.value.clone(), expires_at: write.expires_at };
        self.records.insert(write.key.as_str().to_owned(), (record, write.labels.clone()));
        Committed::Committed
    }

    /// The record at a key.
    pub fn record(&self, key: &str) -> Option<&Record> {
        self.records.get(key).map(|(record, _)| record)
    }

    /// What `list(subject)` of an adapter returns.
    pub fn list(&self, subject: &str) -> Vec<(String, Record)> {
        let own = self.records.iter().filter(|(_, (_, labels))| labels.subject.as_deref() == Some(subject));
        own.map(|(key, (record, _))| (key.clone(), record.clone())).collect()
    }

    /// The keys of one kind, such as `grant`.
    pub fn keys(&self, kind: &str) -> Vec<String> {
        let infix = format!("/{kind}/");
        self.records.keys().filter(|key| key.contains(&infix)).cloned().collect()
    }

    /// Puts a record there past the contract, as a restored backup or an older release would.
    pub fn put(&mut self, key: &str, record: Record) {
        self.records.insert(key.to_owned(), (record, Labels::default()));
    }

    /// Removes what has expired for more than a day, as an adapter's broom does.
    pub fn purge(&mut self, now: u64) {
        self.records.retain(|_, (record, _)| now < record.expires_at.saturating_add(86_400));
    }
}

/// What goes wrong at the next opportunity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The next commit is answered `Conflict`, and not applied.
    Conflict,
    /// The next commit is applied, and answered `Unknown`.
    UnknownApplied,
    /// The next commit is not applied, and answered `Unknown`.
    UnknownLost,
    /// The next load fails.
    LoadFails,
}

/// One exchange of a world.
pub struct Lane {
    running: Option<Running>,
    transcript: Transcript,
}

/// The host and everything around it.
pub struct World {
    server: AuthorizationServer,
    config: Value,
    keys: String,
    /// Seconds since 1970.
    pub now: u64,
    /// The host's store.
    pub store: MemoryStore,
    /// What goes wrong next, in order.
    pub faults: VecDeque<Fault>,
    /// Who is signed in: the answer to the next questions.
    pub sign_in: Decision,
    /// The answer to consent questions.
    pub page: Decision,
    /// The answer to refresh questions.
    pub refresh: Decision,
    /// Tokens that the host knows.
    pub credentials: BTreeMap<String, Decision>,
    /// Whether the host's decisions fail.
    pub undecided: bool,
    /// What other servers answer, by URL; what is not here fails.
    pub servers: BTreeMap<String, Fetched>,
    /// Every fetch that was made.
    pub fetches: Vec<FetchRequest>,
    /// The host's one budget.
    pub budget: Budget,
    /// Whether the budget is spent, whatever it says.
    pub spent: bool,
    /// The browser's cookies.
    pub cookies: BTreeMap<String, String>,
    lanes: Vec<Lane>,
    order: Vec<usize>,
    seeds: u64,
}

impl World {
    /// A world with this configuration and these keys.
    pub fn of(config: Value, keys: String) -> Self {
        Self {
            server: serve(&config, &keys),
            config,
            keys,
            now: BEGINNING,
            store: MemoryStore::default(),
            faults: VecDeque::new(),
            sign_in: Decision::Deny,
            page: Decision::BuiltIn,
            refresh: Decision::Allow,
            credentials: BTreeMap::new(),
            undecided: false,
            servers: BTreeMap::new(),
            fetches: Vec::new(),
            budget: Budget::default(),
            spent: false,
            cookies: BTreeMap::new(),
            lanes: Vec::new(),
            order: Vec::new(),
            seeds: 0,
        }
    }

    /// The server as it is configured now.
    pub fn server(&self) -> &AuthorizationServer {
        &self.server
    }

    /// The key ring's text.
    pub fn keys(&self) -> &str {
        &self.keys
    }

    /// Deploys another configuration on the same store.
    pub fn reconfigure(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.config);
        self.server = serve(&self.config, &self.keys);
    }

    /// Deploys other keys on the same store.
    pub fn rekey(&mut self, keys: String) {
        self.server = serve(&self.config, &keys);
        self.keys = keys;
    }

    /// Starts an exchange at the present instant and says which one it is.
    ///
    /// # Errors
    /// `Misuse` when an operation's arguments are wrong.
    pub fn try_begin(&mut self, call: Call) -> Result<usize, Misuse> {
        self.seeds += 1;
        let seed = sha256(&[b"seed of exchange", &self.seeds.to_be_bytes()]);
        let env = Env::new(self.now, seed).expect("a hash is not zero");
        let running = Running::start(&self.server, &call, env)?;
        let (config, keys) = (self.config.clone(), self.keys.clone());
        let transcript =
            Transcript { config, keys, now: self.now, seed, call, turns: Vec::new(), outcome: Value::Null };
        self.lanes.push(Lane { running: Some(running), transcript });
        self.order.push(self.lanes.len() - 1);
        Ok(self.lanes.len() - 1)
    }

    /// The same for a call that is right.
    pub fn begin(&mut self, call: Call) -> usize {
        self.try_begin(call).unwrap_or_else(|misuse| panic!("{misuse}"))
    }

    /// What an exchange waits for: `load`, `commit`, `fetch`, `decide` or `done`.
    pub fn waits_for(&self, lane: usize) -> &'static str {
        match self.lanes[lane].running.as_ref().map(Running::waiting) {
            Some(Waiting::Load(_)) => "load",
            Some(Waiting::Commit(_)) => "commit",
            Some(Waiting::Fetch(_)) => "fetch",
            Some(Waiting::Decide(_)) => "decide",
            Some(Waiting::Done) | None => "done",
        }
    }

    /// Answers one step of an exchange. False when it is done.
    pub fn step(&mut self, lane: usize) -> bool {
        let running = self.lanes[lane].running.take().expect("an exchange is moved by one hand at a time");
        let Some(asked) = running.asked() else {
            self.lanes[lane].running = Some(running);
            return false;
        };
        let given = self.answer(&running);
        self.move_on(lane, running, asked, given);
        true
    }

    /// Moves an exchange until it waits for a step of this sort, or is done.
    pub fn step_to(&mut self, lane: usize, sort: &str) {
        while self.waits_for(lane) != sort && self.step(lane) {}
    }

    /// Moves an exchange to its end.
    pub fn finish(&mut self, lane: usize) -> Ended {
        while self.step(lane) {}
        let ended = self.lanes[lane].running.as_ref().and_then(Running::ended).expect("an exchange that is done");
        self.lanes[lane].transcript.outcome = ended.to_json();
        ended
    }

    /// Moves these exchanges in turn, one step each, until all are done.
    pub fn interleave(&mut self, lanes: &[usize]) {
        let mut moving = true;
        while moving {
            moving = false;
            for lane in lanes {
                moving |= self.step(*lane);
            }
        }
        for lane in lanes {
            self.finish(*lane);
        }
    }

    /// Runs a call to its end.
    pub fn run(&mut self, call: Call) -> Ended {
        let lane = self.begin(call);
        self.finish(lane)
    }

    /// Runs a request to the authorization server, and keeps the cookies that it sets.
    pub fn http(&mut self, request: HttpRequest) -> Answer {
        let Ended::Http(answer) = self.run(Call::Http(request)) else { panic!("a request ends with an answer") };
        for (_, value) in answer.response.headers.iter().filter(|(name, _)| name == "Set-Cookie") {
            if let Some((name, value)) = value.split(';').next().and_then(|pair| pair.split_once('=')) {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// The end of an exchange over HTTP that was begun with [`World::begin`].
    pub fn answer_of(&mut self, lane: usize) -> Answer {
        match self.finish(lane) {
            Ended::Http(answer) => answer,
            ended => panic!("not an answer: {ended:?}"),
        }
    }

    /// Runs a check.
    pub fn check(&mut self, request: CheckRequest) -> Checked {
        match self.run(Call::Check(request)) {
            Ended::Check(checked) => checked,
            ended => panic!("not a check: {ended:?}"),
        }
    }

    /// Runs an operation.
    pub fn operate(&mut self, operation: Operation) -> OperationOutcome {
        match self.run(Call::Operate(operation)) {
            Ended::Operate(outcome) => outcome,
            ended => panic!("not an operation: {ended:?}"),
        }
    }

    /// Passes time.
    pub fn wait(&mut self, seconds: u64) {
        self.now += seconds;
    }

    /// How many exchanges there were.
    pub fn count(&self) -> usize {
        self.lanes.len()
    }

    /// The transcripts of the exchanges from `first` on, and the order in which they moved.
    pub fn transcripts(&self, first: usize) -> (Vec<Transcript>, Vec<usize>) {
        let transcripts = self.lanes.iter().skip(first).map(|lane| lane.transcript.clone()).collect();
        let order = self.order.iter().filter(|lane| **lane >= first).map(|lane| lane - first).collect();
        (transcripts, order)
    }

    fn move_on(&mut self, lane: usize, running: Running, asked: Asked, given: Given) {
        self.lanes[lane].running = Some(running.give(given.clone()));
        self.lanes[lane].transcript.turns.push(Turn { asked, given });
        self.order.push(lane);
    }

    fn answer(&mut self, running: &Running) -> Given {
        match running.waiting() {
            Waiting::Load(keys) => match self.fault(&[Fault::LoadFails]) {
                Some(_) => Given::LoadFailed,
                None => Given::Loaded(self.store.load(keys)),
            },
            Waiting::Commit(write) => {
                Given::Committed(match self.fault(&[Fault::Conflict, Fault::UnknownApplied, Fault::UnknownLost]) {
                    None => self.store.commit(write),
                    Some(Fault::UnknownApplied) => match self.store.commit(write) {
                        Committed::Committed => Committed::Unknown,
                        other => other,
                    },
                    Some(Fault::UnknownLost) => Committed::Unknown,
                    Some(Fault::Conflict | Fault::LoadFails) => Committed::Conflict,
                })
            }
            Waiting::Fetch(FetchRequest { admission: Admission { key, limit, period_seconds }, .. })
                if self.spent || !self.budget.admit(key, *limit, *period_seconds, self.now) =>
            {
                Given::Fetched(Fetched::OverBudget)
            }
            Waiting::Fetch(request) => {
                self.fetches.push(request.clone());
                let none = || Fetched::Failed("connection refused".to_owned());
                Given::Fetched(self.servers.get(&request.url).cloned().unwrap_or_else(none))
            }
            Waiting::Decide(_) if self.undecided => Given::DecideFailed,
            Waiting::Decide(question) => Given::Decided(match question {
                Question::SignIn(_) => self.sign_in.clone(),
                Question::Consent(_) => self.page.clone(),
                Question::Refresh { .. } => self.refresh.clone(),
                Question::Token { token } => self.credentials.get(token).cloned().unwrap_or(Decision::Refuse),
                Question::Admit { key, limit, period_seconds } => {
                    let admitted = self.budget.admit(key, *limit, *period_seconds, self.now) && !self.spent;
                    if admitted { Decision::Allow } else { Decision::Refuse }
                }
            }),
            Waiting::Done => panic!("an exchange that is done waits for nothing"),
        }
    }

    /// Takes the next fault if it is one of these.
    fn fault(&mut self, these: &[Fault]) -> Option<Fault> {
        if these.contains(self.faults.front()?) { self.faults.pop_front() } else { None }
    }
}

/// The server of a configuration and its keys.
pub fn serve(config: &Value, keys: &str) -> AuthorizationServer {
    let config = Config::parse(&config.to_string()).unwrap_or_else(|misuse| panic!("{misuse}"));
    let ring = KeyRing::parse(keys, "keys").unwrap_or_else(|misuse| panic!("{misuse}"));
    AuthorizationServer::new(config, ring).unwrap_or_else(|misuse| panic!("{misuse}"))
}

/// The first event of that id.
pub fn event<'a>(events: &'a [AuditEvent], id: &str) -> Option<&'a AuditEvent> {
    events.iter().find(|event| event.id == id)
}
