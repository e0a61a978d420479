//! (b) Rotating refresh tokens.

use super::revocation::grant_of;
use super::{Size, pair, prepared};
use crate::ask::Ask;
use crate::laws::rotation::{self as law, newest};
use crate::laws::{self, CLIENT, issued};
use crate::node::Text;
use crate::state::State;
use crate::world::{Actor, Tick, World};
use lockstep_conformance::fixture::{RESOURCE, RESOURCE_2, config, put, two_resources};
use lockstep_conformance::world::World as Host;
use serde_json::{Value, json};

const WINDOW_SECONDS: u64 = 30;

/// One process that asks again when it has no answer.
pub fn retries(size: Size) -> World {
    let mut world = beginning("retries", "One process of a client, whose answers are lost.", None);
    world.actors = vec![Actor { name: "client", requests: 4, at_once: 1, asks: client }];
    world.faults = 3;
    if size == Size::Large {
        world.actors[0].requests = 5;
        world.ticks[0].times = 2;
    }
    world.laws.extend([&law::NOT_LOCKED_OUT, &law::NOT_REFUSED, &law::SAVED, &law::WAITED]);
    world
}

/// The same where every retry is counted.
pub fn budget(size: Size) -> World {
    let mut world =
        beginning("budget", "One process of a client, whose answers are lost, and an overlap budget.", Some(1));
    world.actors = vec![Actor { name: "client", requests: 5, at_once: 1, asks: client }];
    world.faults = 2;
    if size == Size::Large {
        world.actors[0].requests = 6;
        world.faults = 3;
    }
    world.laws.extend([&law::NOT_LOCKED_OUT, &law::NOT_REFUSED, &law::SAVED, &law::OVERSPENT]);
    world
}

/// Two processes that share a token.
pub fn processes(size: Size) -> World {
    let mut world =
        beginning("processes", "Two processes of a client that refresh at once, and wait for each other.", None);
    world.actors = vec![Actor { name: "client", requests: 3, at_once: 2, asks: patient_client }];
    world.faults = 2;
    if size == Size::Large {
        world.actors[0].requests = 4;
        world.actors[0].at_once = 3;
        world.faults = 1;
    }
    world.laws.extend([&law::NOT_LOCKED_OUT, &law::NOT_REFUSED, &law::SAVED]);
    world
}

/// Two processes that do not wait for each other.
pub fn careless(size: Size) -> World {
    let mut world = beginning("careless", "Two processes of a client that do not wait for each other.", None);
    world.actors = vec![Actor { name: "client", requests: 3, at_once: 2, asks: client }];
    if size == Size::Large {
        world.actors[0].requests = 4;
        world.actors[0].at_once = 3;
        world.faults = 1;
    }
    world.laws.push(&law::CARELESS);
    world
}

/// A thief with every token that was ever issued.
pub fn theft(size: Size) -> World {
    let mut world = beginning("theft", "A client, and a thief who holds every token that was ever issued.", None);
    world.actors = vec![
        Actor { name: "client", requests: 2, at_once: 1, asks: client },
        Actor { name: "thief", requests: 2, at_once: 1, asks: thief },
    ];
    world.faults = 1;
    if size == Size::Large {
        // One more request of the client takes the place of the fault.
        world.actors[0].requests = 3;
        world.faults = 0;
    }
    world.laws.extend([&law::NOTICED, &law::UNNOTICED]);
    world
}

/// A thief who hits the window every time, and a budget.
pub fn lockstep(size: Size) -> World {
    let budget = if size == Size::Large { 2 } else { 1 };
    let mut world =
        beginning("lockstep", "A client, a thief who hits the window every time, and a budget.", Some(budget));
    world.actors = vec![
        Actor { name: "client", requests: 3, at_once: 1, asks: client },
        Actor { name: "thief", requests: 3, at_once: 1, asks: thief },
    ];
    world.ticks = vec![Tick { seconds: WINDOW_SECONDS, times: 1 }];
    if size == Size::Large {
        world.actors[1].requests = 4;
    }
    world.laws.extend([&law::FOLLOWED, &law::NOTICED, &law::WITHIN]);
    world
}

/// A client that asks for less than was approved.
pub fn selection(size: Size) -> World {
    let both = |config: &mut Value| {
        two_resources(config);
        put(config, "several_resources", json!(true));
    };
    let more = ["scope=notes:read notes:write", &format!("+resource={RESOURCE_2}")];
    let mut world = connected("selection", "A client that selects scopes and resources as it refreshes.", both, &more);
    world.terms.approved = "notes:read notes:write";
    world.actors = vec![Actor { name: "client", requests: 3, at_once: 2, asks: chooser }];
    if size == Size::Large {
        world.actors[0].requests = 4;
        world.faults = 1;
    }
    world.laws = vec![&law::SELECTION, &law::ONE_SUCCESSOR, &law::ONE_CURRENT, &laws::ONE_CLIENT, &law::NARROWED];
    world
}

fn beginning(name: &'static str, about: &'static str, budget: Option<u32>) -> World {
    let change = move |config: &mut Value| {
        two_resources(config);
        if let Some(budget) = budget {
            put(config, "overlap_budget", json!(budget));
        }
    };
    let mut world = connected(name, about, change, &[]);
    world.terms.budget = budget;
    // Exactly the window, and one second more.
    world.ticks = vec![Tick { seconds: WINDOW_SECONDS, times: 1 }, Tick { seconds: 1, times: 1 }];
    world.laws = vec![
        &law::ONE_SUCCESSOR,
        &law::ONE_CURRENT,
        &law::APART,
        &law::TOO_LATE,
        &law::USABLE,
        &laws::LOSERS,
        &laws::WITHIN_APPROVAL,
        &laws::ONE_CLIENT,
        &laws::ONE_KIND,
        &laws::NOBODY_WAITS,
        &law::TWICE,
    ];
    world
}

/// A world in which the client has had its tokens for a while.
pub fn connected(name: &'static str, about: &'static str, change: impl Fn(&mut Value), asked: &[&str]) -> World {
    connected_at(name, about, change, asked, 600)
}

/// A world in which the client has had its tokens for so many seconds.
pub fn connected_at(
    name: &'static str,
    about: &'static str,
    change: impl Fn(&mut Value),
    asked: &[&str],
    seconds: u64,
) -> World {
    let mut host = Host::with(&change);
    let code = host.code(asked);
    let tokens = lockstep_conformance::fixture::tokens(&host.send(lockstep_conformance::fixture::redeem(&code)));
    host.wait(seconds);
    let mut config = config();
    change(&mut config);
    let mut world = prepared(name, about, &host, config);
    world.terms.window = WINDOW_SECONDS;
    world.terms.tokens = Some(pair(&tokens));
    world.terms.grant = Some(grant_of(&host));
    world
}

/// The client refreshes with the newest token that it has heard of, as long as it is not refused.
pub fn client(world: &World, state: &State) -> Vec<Ask> {
    let refused = world.sent_by(state, "client").any(|sent| sent.heard().is_some_and(|heard| heard.status == 400));
    if refused {
        Vec::new()
    } else {
        newest(world, state).map(|token| Ask::refresh(token, CLIENT)).into_iter().collect()
    }
}

/// The same, but not while a request with another token is under way.
pub fn patient_client(world: &World, state: &State) -> Vec<Ask> {
    let mut asks = client(world, state);
    asks.retain(|ask| {
        world.sent_by(state, "client").filter(|sent| sent.is_open()).all(|sent| sent.ask.presented() == ask.presented())
    });
    asks
}

/// Any refresh token that was ever issued, whether its answer arrived or not.
fn thief(world: &World, state: &State) -> Vec<Ask> {
    let mut tokens: Vec<&Text> = issued(world, state).filter_map(|(_, refresh)| refresh).collect();
    tokens.sort_by_key(|token| token.as_str());
    tokens.dedup();
    tokens.into_iter().map(|token| Ask::refresh(token, CLIENT)).collect()
}

fn chooser(world: &World, state: &State) -> Vec<Ask> {
    let Some(token) = newest(world, state) else { return Vec::new() };
    let choices =
        [(None, None), (Some("notes:read"), None), (Some("notes:read"), Some(RESOURCE_2)), (None, Some(RESOURCE))];
    let ask = |(scope, resource)| Ask::Refresh { token: token.clone(), client: CLIENT, scope, resource };
    choices.into_iter().map(ask).collect()
}
