//! (a) Redeeming a code: two processes of its client, a thief who has seen their requests, and strangers.

use super::{Size, prepared};
use crate::ask::{Ask, Wrong};
use crate::laws::{self, CLIENT, OTHER, redemption as law};
use crate::node::text;
use crate::state::State;
use crate::world::{Actor, Tick, World};
use lockstep_conformance::fixture::{config, two_resources};
use lockstep_conformance::world::World as Host;

const RACE_SECONDS: u64 = 5;
const CODE_SECONDS: u64 = 60;

/// The code's client in two processes, and a thief who has seen what they send.
pub fn races(size: Size) -> World {
    let mut world =
        beginning("redemption", "A code, its client in two processes, and a thief who sees what they send.");
    world.actors = vec![
        Actor { name: "client", requests: 2, at_once: 2, asks: client },
        Actor { name: "thief", requests: 1, at_once: 1, asks: thief },
    ];
    world.faults = 2;
    if size == Size::Large {
        world.actors[1].requests = 2;
    }
    world.laws.extend([&law::STOLEN, &law::RACED, &law::REPLAYED, &law::LOST, &law::RECOGNISED]);
    world
}

/// The code's client, and those who cannot prove everything.
pub fn strangers(size: Size) -> World {
    let mut world =
        beginning("strangers", "A code, its client, and two requests of those who cannot prove everything.");
    world.actors = vec![
        Actor { name: "client", requests: 1, at_once: 1, asks: client },
        Actor { name: "stranger", requests: 2, at_once: 2, asks: stranger },
    ];
    if size == Size::Large {
        world.actors[0].requests = 2;
        world.faults = 1;
    }
    world
}

fn beginning(name: &'static str, about: &'static str) -> World {
    let mut host = Host::with(two_resources);
    let code = host.code(&[]);
    let mut config = config();
    two_resources(&mut config);
    let mut world = prepared(name, about, &host, config);
    // Exactly to the end of the race, and exactly to the end of the code.
    world.ticks =
        vec![Tick { seconds: RACE_SECONDS, times: 1 }, Tick { seconds: CODE_SECONDS - RACE_SECONDS, times: 1 }];
    world.terms.race = RACE_SECONDS;
    world.terms.code_dies = host.now + CODE_SECONDS;
    world.terms.code = Some(text(&code));
    world.laws = vec![
        &law::ONCE,
        &law::ITS_CLIENT,
        &law::VERIFIER,
        &law::REDIRECT,
        &law::RESOURCE,
        &law::UNSPENT,
        &law::LIFETIME,
        &law::REPLAY,
        &law::WINNER,
        &laws::LOSERS,
        &laws::WITHIN_APPROVAL,
        &laws::ONE_CLIENT,
        &laws::ONE_KIND,
        &laws::NOBODY_WAITS,
        &law::CONNECTED,
    ];
    world
}

fn redemption(world: &World, client: &'static str, wrong: Option<Wrong>) -> Option<Ask> {
    world.terms.code.clone().map(|code| Ask::Redeem { code, client, wrong })
}

/// The client tries again as long as it has no tokens.
fn client(world: &World, state: &State) -> Vec<Ask> {
    let connected = world.sent_by(state, "client").any(|sent| sent.heard().is_some_and(|heard| heard.access.is_some()));
    if connected { Vec::new() } else { redemption(world, CLIENT, None).into_iter().collect() }
}

/// Whoever has seen the client's request can send it too.
fn thief(world: &World, _: &State) -> Vec<Ask> {
    redemption(world, CLIENT, None).into_iter().collect()
}

/// Another client, and those who have seen the code alone.
fn stranger(world: &World, _: &State) -> Vec<Ask> {
    let wrongs = [Wrong::Verifier, Wrong::NoVerifier, Wrong::Redirect, Wrong::Resource];
    let wrong = wrongs.into_iter().filter_map(|wrong| redemption(world, CLIENT, Some(wrong)));
    redemption(world, OTHER, None).into_iter().chain(wrong).collect()
}
