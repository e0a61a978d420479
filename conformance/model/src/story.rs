//! A path through a world in plain words, and as a vector that replays without any world.

use crate::ask::{Answered, Ask, Managed, Wrong};
use crate::heard::Heard;
use crate::laws::Law;
use crate::machine::{Moving, Start};
use crate::node::Text;
use crate::search::Path;
use crate::state::{Progress, Sent, State};
use crate::world::{Action, Event, Fate, World};
use lockstep_conformance::fixture::{RESOURCE, RESOURCE_2};
use lockstep_conformance::replay::replay;
use lockstep_conformance::running::{Running, Waiting};
use lockstep_conformance::transcript::{Transcript, Turn, Vector};
use lockstep_oauth::env::Env;
use serde_json::Value;
use std::collections::BTreeMap;

/// One line for each thing that happens.
pub fn tell(world: &World, path: &Path) -> Vec<String> {
    let mut names = Names::new(world);
    let mut lines = Vec::new();
    let mut before = &path.beginning;
    for (action, after) in &path.steps {
        lines.push(line(world, &mut names, before, action, after));
        before = after;
    }
    lines
}

/// What codes and tokens are called in a story.
struct Names {
    known: Vec<(Text, String)>,
    counts: BTreeMap<&'static str, usize>,
}

impl Names {
    fn new(world: &World) -> Self {
        let mut names = Self { known: Vec::new(), counts: BTreeMap::new() };
        if let Some(code) = &world.terms.code {
            names.known.push((code.clone(), "the code".to_owned()));
        }
        if let Some((access, refresh)) = &world.terms.tokens {
            names.name(access, "access token");
            names.name(refresh, "refresh token");
        }
        names
    }

    fn name(&mut self, text: &Text, kind: &'static str) -> String {
        if let Some((_, name)) = self.known.iter().find(|(known, _)| known == text) {
            return name.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let name = format!("{kind} {count}");
        self.known.push((text.clone(), name.clone()));
        name
    }
}

fn line(world: &World, names: &mut Names, before: &State, action: &Action, after: &State) -> String {
    let who = |request: usize| {
        let actor = world.actor_of(request);
        let number = request - world.range(actor).start + 1;
        let several = world.actors[actor].requests > 1;
        let name = world.actors[actor].name;
        if several { format!("the {name}'s request {number}") } else { format!("the {name}'s request") }
    };
    match action {
        Action::Begin { request, ask, host } => {
            let place = if before.hosts.len() > 1 { format!(" at host {}", host + 1) } else { String::new() };
            let end = after.requests[*request].as_ref().and_then(|sent| sent.answer());
            let end = end.map(|heard| format!("; it is {}", said(names, heard))).unwrap_or_default();
            format!("{} arrives{place}: {}{end}", who(*request), asked(names, ask))
        }
        Action::Step { request, fate } => {
            let (old, new) = (before.requests[*request].as_ref(), after.requests[*request].as_ref());
            let (Some(old), Some(new)) = (old, new) else { return String::new() };
            format!("{}: {}", who(*request), step(names, old, new, *fate, before.store != after.store))
        }
        Action::Tick(index) => format!("{} seconds pass", world.ticks[*index].seconds),
        Action::Event(index) => match world.events[*index].0 {
            Event::Deploy(host) => format!("host {} is given the next configuration and keys", host + 1),
            Event::FailOver => "the store fails over to a copy that never saw the last acknowledged write".to_owned(),
        },
    }
}

fn step(names: &mut Names, old: &Sent, new: &Sent, fate: Fate, stored: bool) -> String {
    let Progress::Waits(lane) = &old.progress else { return String::new() };
    let what = match (lane.waiting(), fate) {
        (_, Fate::Crash) => return "its host crashes".to_owned(),
        (Waiting::Commit(_), Fate::AppliedThenCrash) => {
            return "its write is applied, and its host crashes before it goes on".to_owned();
        }
        (Waiting::Commit(_), Fate::UnknownApplied) => "its write is applied, but the store does not say so",
        (Waiting::Commit(_), Fate::UnknownLost) => "its write is lost, and the store does not say so",
        (Waiting::Commit(_), _) if stored => "its write is applied",
        (Waiting::Commit(_), _) => "its write conflicts with another",
        (Waiting::Load(_), _) => "the records are loaded",
        (Waiting::Decide(_), _) => "the host decides",
        (Waiting::Fetch(_) | Waiting::Done, _) => "",
    };
    match &new.progress {
        Progress::Heard(heard) => format!("{what}; it is {}", said(names, heard)),
        Progress::Missed(heard) => format!("{what}; it is {}, but the answer is lost on the way", said(names, heard)),
        Progress::Waits(_) | Progress::Crashed => what.to_owned(),
    }
}

fn asked(names: &mut Names, ask: &Ask) -> String {
    match ask {
        Ask::Redeem { code, client, wrong } => {
            let how = match wrong {
                None => "",
                Some(Wrong::Verifier) => ", with a wrong verifier",
                Some(Wrong::NoVerifier) => ", without a verifier",
                Some(Wrong::Redirect) => ", with another redirect URI",
                Some(Wrong::Resource) => ", for another resource",
            };
            format!("redeem {} as client `{client}`{how}", names.name(code, "code"))
        }
        Ask::Refresh { token, client, scope, resource } => {
            let mut text = format!("refresh with {} as client `{client}`", names.name(token, "refresh token"));
            for (name, value) in [("scope", scope), ("resource", resource)] {
                if let Some(value) = value {
                    text.push_str(&format!(", {name} `{value}`"));
                }
            }
            text
        }
        Ask::Revoke { token, client } => format!("revoke {} as client `{client}`", names.name(token, "token")),
        Ask::Check { token, resource } => {
            let at = match *resource {
                RESOURCE => "",
                RESOURCE_2 => " at the other resource",
                _ => " elsewhere",
            };
            format!("use {}{at}", names.name(token, "token"))
        }
        Ask::Consent { cookie, person, answer, .. } => {
            let answer = match answer {
                Answered::Yes => "says yes",
                Answered::YesAndMore => "says yes to everything",
                Answered::No => "says no",
            };
            format!("{person} {answer} in {}", names.name(cookie, "browser"))
        }
        Ask::Signed { inner, assertion } => {
            let proof = names.name(assertion, "assertion");
            format!("{}, proven by {proof}", asked(names, inner))
        }
        Ask::Manage { token, does, .. } => {
            let with = names.name(token, "management token");
            match does {
                Managed::Read => format!("read the registration with {with}"),
                Managed::Replace(name) => format!("rename the registration to `{name}` with {with}"),
                Managed::Delete => format!("delete the registration with {with}"),
            }
        }
        Ask::EndGrant { subject, .. } => format!("{subject} ends the connection"),
        Ask::SignOut { subject } => format!("{subject} signs out everywhere"),
    }
}

fn said(names: &mut Names, heard: &Heard) -> String {
    if let Some(code) = &heard.code {
        return format!("answered with {}", names.name(code, "code"));
    }
    match (&heard.access, &heard.refresh, heard.refusal) {
        (Some(access), Some(refresh), _) => {
            let (access, refresh) = (names.name(access, "access token"), names.name(refresh, "refresh token"));
            format!("answered with {access} and {refresh}")
        }
        (Some(access), None, _) => format!("answered with {}", names.name(access, "access token")),
        (None, _, Some(refusal)) => format!("refused ({}, `{refusal}`)", heard.status),
        (None, _, None) => format!("answered {}", heard.status),
    }
}

/// The exchanges of a path that came to an answer, in the order in which they moved, as a vector. Exchanges that are open
/// at its end are moved on until they have ended; what a crashed one has written shows in what the others load.
///
/// # Panics
/// When the path is not one of this world.
pub fn vector(world: &World, law: &Law, path: &Path) -> Vector {
    let mut lanes: BTreeMap<usize, (Running, Transcript)> = BTreeMap::new();
    let mut order = Vec::new();
    let mut state = path.beginning.clone();
    let mut rest: Vec<Action> = path.steps.iter().map(|(action, _)| action.clone()).rev().collect();
    loop {
        let open = || state.requests.iter().position(|sent| sent.as_ref().is_some_and(|sent| sent.is_open()));
        let action = rest.pop().or_else(|| open().map(|request| Action::Step { request, fate: Fate::Plain }));
        let Some(action) = action else { break };
        let next = stateright::Model::next_state(world, &state, action.clone());
        match &action {
            Action::Begin { request, ask, host } => {
                let start = Start { ask: ask.clone(), host: state.hosts[*host], now: state.now, number: *request };
                lanes.insert(*request, begun(world, &start));
                order.push(*request);
            }
            Action::Step { request, fate } => {
                let sent = state.requests[*request].as_deref().unwrap_or_else(|| panic!("a step of a request"));
                let Progress::Waits(lane) = &sent.progress else { panic!("a step of an open request") };
                let reply = world.reply(&mut state.clone(), &mut sent.clone(), lane, *fate);
                if let (Some(reply), Moving::Waits(..), Some((running, mut transcript))) =
                    (reply, &**lane, lanes.remove(request))
                {
                    let asked = running.asked().unwrap_or_else(|| panic!("an open exchange asks"));
                    let running = running.give(reply.given());
                    transcript.turns.push(Turn { asked, given: reply.given() });
                    transcript.outcome = running.ended().map(|ended| ended.to_json()).unwrap_or_default();
                    lanes.insert(*request, (running, transcript));
                    order.push(*request);
                }
            }
            Action::Tick(_) | Action::Event(_) => {}
        }
        state = next.unwrap_or_else(|| panic!("a path of this world"));
    }
    order.retain(|request| lanes.contains_key(request));
    let places: Vec<usize> = lanes.keys().copied().collect();
    Vector {
        id: format!("model/{}", world.name),
        title: law.name.to_owned(),
        spec: Vec::new(),
        why: tell(world, path).join("; "),
        order: order.iter().filter_map(|request| places.iter().position(|known| known == request)).collect(),
        exchanges: lanes.into_values().map(|(_, transcript)| transcript).collect(),
    }
}

/// Writes a path as a vector, reads it again and replays it, without the world. A path on which nobody asks for anything has
/// no vector.
///
/// # Errors
/// What differs.
pub fn replays(world: &World, law: &Law, path: &Path) -> Result<(), String> {
    let vector = vector(world, law, path);
    if vector.exchanges.is_empty() {
        return Ok(());
    }
    let read = Vector::read(&vector.write()).map_err(|unreadable| unreadable.0)?;
    replay(&read)
}

fn begun(world: &World, start: &Start) -> (Running, Transcript) {
    let deployment = &world.machines.deployments[start.host];
    let (call, seed) = (start.ask.call(), start.seed());
    let lane = world.machines.start(start.clone());
    let running = match &*lane {
        Moving::Waits(_, running) => Running::clone(running),
        Moving::Ended(_) => {
            let env = Env::new(start.now, seed).unwrap_or_else(|| panic!("a hash is not zero"));
            Running::start(deployment.server(), &call, env).unwrap_or_else(|misuse| panic!("{misuse}"))
        }
    };
    let outcome = running.ended().map(|ended| ended.to_json()).unwrap_or(Value::Null);
    let (config, keys, now) = (deployment.config.clone(), deployment.keys.clone(), start.now);
    (running, Transcript { config, keys, now, seed, call, turns: Vec::new(), outcome })
}
