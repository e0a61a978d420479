//! Access tokens, refresh tokens and grants that end by themselves.

use super::Size;
use super::rotation::{client, connected_at};
use crate::laws::lifetimes as law;
use crate::world::{Actor, Tick, World};
use lockstep_conformance::fixture::put;
use serde_json::{Value, json};

const ACCESS_SECONDS: u64 = 60;
const IDLE_SECONDS: u64 = 100;
const ABSOLUTE_SECONDS: u64 = 160;

/// The world.
pub fn world(size: Size) -> World {
    let short = |config: &mut Value| {
        put(config, "access_seconds", json!(ACCESS_SECONDS));
        put(config, "idle_seconds", json!(IDLE_SECONDS));
        put(config, "absolute_seconds", json!(ABSOLUTE_SECONDS));
    };
    let mut world =
        connected_at("lifetimes", "A client whose grant, tokens and answers all come to an end.", short, &[], 0);
    world.terms.access_seconds = ACCESS_SECONDS;
    world.terms.idle_seconds = IDLE_SECONDS;
    world.terms.dies = world.now + ABSOLUTE_SECONDS;
    world.actors = vec![Actor { name: "client", requests: 2, at_once: 1, asks: client }];
    // Every end exactly, and the second before it.
    world.ticks = vec![
        Tick { seconds: ACCESS_SECONDS - 1, times: 1 },
        Tick { seconds: 1, times: 1 },
        Tick { seconds: IDLE_SECONDS - ACCESS_SECONDS, times: 1 },
        Tick { seconds: ABSOLUTE_SECONDS - IDLE_SECONDS, times: 1 },
    ];
    if size == Size::Large {
        world.actors[0].requests = 3;
        world.faults = 1;
    }
    world.laws = vec![&law::ACCESS, &law::IDLE, &law::ABSOLUTE, &law::UNTIL_THEN, &law::PROLONGED];
    world
}
