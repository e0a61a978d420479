//! (f) A new key ring reaches two hosts, one after the other, while a client refreshes at both.

use super::Size;
use super::rotation::{connected, patient_client};
use crate::laws::keys as law;
use crate::laws::rotation;
use crate::machine::Deployment;
use crate::world::{Actor, Event, Tick, World};
use lockstep_conformance::fixture::{config, keys};
use lockstep_oauth::keys::KeyRing;

const LEAD_SECONDS: u64 = 20;
const KEEP_SECONDS: u64 = 40;

/// The world.
pub fn world(size: Size) -> World {
    let about = "A new key ring on its way to two hosts, and a client that refreshes at both.";
    let mut world = connected("keys", about, |_| {}, &[]);
    let ring = KeyRing::rotate(&keys(), world.now, &[9; 32], LEAD_SECONDS, KEEP_SECONDS);
    let ring = ring.unwrap_or_else(|misuse| panic!("{misuse}"));
    world.machines.deployments.push(Deployment::new(config(), ring));
    world.hosts = vec![0, 0];
    world.events = vec![(Event::Deploy(0), 1), (Event::Deploy(1), 1)];
    world.terms.signs_from = world.now + LEAD_SECONDS;
    world.terms.dies = world.now + LEAD_SECONDS + KEEP_SECONDS;
    world.actors = vec![Actor { name: "client", requests: 2, at_once: 2, asks: patient_client }];
    world.faults = 1;
    // The moments at which the new key signs and the old one dies, and one in between.
    world.ticks =
        vec![Tick { seconds: LEAD_SECONDS, times: 2 }, Tick { seconds: KEEP_SECONDS - LEAD_SECONDS, times: 1 }];
    if size == Size::Large {
        world.actors[0].requests = 3;
    }
    world.laws = vec![
        &law::CARRIED_OVER,
        &law::SAME_EVERYWHERE,
        &law::OLD_KEY,
        &rotation::ONE_SUCCESSOR,
        &rotation::ONE_CURRENT,
        &law::ACROSS,
        &law::REPEATED,
    ];
    world
}
