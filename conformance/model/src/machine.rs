//! The production exchanges as a transition table: each is run once for each answer, and remembered.
//!
//! An exchange is a pure function of itself and of the answer to its step. So its next step is looked up by both, compared
//! by content, and the core runs only when the pair is new.

use crate::ask::Ask;
use crate::heard::Heard;
use crate::node::{Node, Remembered};
use crate::state::Kept;
use lockstep_conformance::fixture::user;
use lockstep_conformance::running::{Running, Waiting};
use lockstep_conformance::transcript::Given;
use lockstep_conformance::world::serve;
use lockstep_oauth::authorization_server::AuthorizationServer;
use lockstep_oauth::crypto::sha256;
use lockstep_oauth::env::Env;
use lockstep_oauth::question::{Decision, Question};
use lockstep_oauth::store::Committed;
use serde_json::Value;

/// An exchange between two steps, or its end.
pub type Lane = Node<Moving>;

/// An exchange on its way.
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Moving {
    /// It waits for an answer, on the deployment of this index.
    Waits(usize, Box<Running>),
    /// It has ended.
    Ended(Node<Heard>),
}

/// The answer to a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The records, or none, at the keys.
    Loaded(Vec<Option<Node<Kept>>>),
    /// What became of the write.
    Committed(Committed),
    /// What the host decides.
    Decided(Decision),
}

/// A configuration with its keys, as it is deployed on a host.
#[derive(Debug)]
pub struct Deployment {
    /// The configuration.
    pub config: Value,
    /// The key ring's text.
    pub keys: String,
    server: AuthorizationServer,
}

impl Deployment {
    /// Deploys a configuration with its keys.
    pub fn new(config: Value, keys: String) -> Self {
        Self { server: serve(&config, &keys), config, keys }
    }

    /// The server.
    pub fn server(&self) -> &AuthorizationServer {
        &self.server
    }
}

/// What an exchange is started with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Start {
    /// The request.
    pub ask: Ask,
    /// The deployment that it meets.
    pub host: usize,
    /// The instant.
    pub now: u64,
    /// The exchange's number, from which its seed is made.
    pub number: usize,
}

impl Start {
    /// The seed: every exchange of a world draws other random bytes.
    pub fn seed(&self) -> [u8; 32] {
        sha256(&[b"seed of the model's exchange", &(self.number as u64).to_be_bytes()])
    }
}

/// All exchanges of a world.
#[derive(Debug)]
pub struct Machines {
    /// The deployments.
    pub deployments: Vec<Deployment>,
    started: Remembered<Start, Lane>,
    moved: Remembered<(Lane, Reply), Lane>,
}

impl Machines {
    /// No exchange has run yet.
    pub fn new(deployments: Vec<Deployment>) -> Self {
        Self { deployments, started: Remembered::default(), moved: Remembered::default() }
    }

    /// Starts an exchange.
    ///
    /// # Panics
    /// When a request of the model is misuse: then the model is wrong.
    pub fn start(&self, start: Start) -> Lane {
        self.started.or_else(start, |start| {
            let env = Env::new(start.now, start.seed()).unwrap_or_else(|| panic!("a hash is not zero"));
            let server = &self.deployments[start.host].server;
            let running = Running::start(server, &start.ask.call(), env).unwrap_or_else(|misuse| panic!("{misuse}"));
            moving(start.host, running)
        })
    }

    /// Answers a step.
    ///
    /// # Panics
    /// When the exchange has ended.
    pub fn go_on(&self, lane: &Lane, reply: Reply) -> Lane {
        self.moved.or_else((lane.clone(), reply), |(lane, reply)| {
            let Moving::Waits(host, running) = &**lane else { panic!("an exchange that has ended takes no answer") };
            moving(*host, Running::clone(running).give(reply.given()))
        })
    }
}

fn moving(host: usize, running: Running) -> Lane {
    Node::new(match running.ended() {
        Some(ended) => Moving::Ended(Heard::of(&ended)),
        None => Moving::Waits(host, Box::new(running)),
    })
}

impl Moving {
    /// What it waits for.
    pub fn waiting(&self) -> Waiting<'_> {
        match self {
            Self::Waits(_, running) => running.waiting(),
            Self::Ended(_) => Waiting::Done,
        }
    }

    /// What it says, once it has ended.
    pub fn heard(&self) -> Option<&Node<Heard>> {
        match self {
            Self::Waits(..) => None,
            Self::Ended(heard) => Some(heard),
        }
    }
}

impl Reply {
    /// The answer as the core takes it.
    pub fn given(&self) -> Given {
        match self {
            Self::Loaded(records) => {
                Given::Loaded(records.iter().map(|kept| kept.as_ref().map(|kept| kept.record.clone())).collect())
            }
            Self::Committed(outcome) => Given::Committed(*outcome),
            Self::Decided(decision) => Given::Decided(decision.clone()),
        }
    }
}

/// What the host of every world decides: the person before the browser is signed in, and no budget is spent.
pub fn decide(question: &Question, who: &str) -> Decision {
    match question {
        Question::SignIn(_) => Decision::SignedIn(user(who)),
        Question::Consent(_) => Decision::BuiltIn,
        Question::Refresh { .. } | Question::Admit { .. } => Decision::Allow,
        Question::Token { .. } => Decision::Refuse,
    }
}
