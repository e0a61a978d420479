//! (h) A store that acknowledges before its copy has the write, and then fails over.

use super::revocation::grant_of;
use super::{Size, prepared};
use crate::ask::Ask;
use crate::laws::failover::{self as law, newest_of};
use crate::laws::revocation::USER;
use crate::laws::{self, CLIENT, issued};
use crate::node::{Text, text};
use crate::state::State;
use crate::world::{Actor, Event, Tick, World};
use lockstep_conformance::fixture::{config, two_resources};
use lockstep_conformance::world::World as Host;

/// The world.
pub fn world(size: Size) -> World {
    let mut host = Host::with(two_resources);
    let code = host.code(&[]);
    let grant = grant_of(&host);
    let mut config = config();
    two_resources(&mut config);
    let about = "A code, its client, a user who ends the grant, and a store that loses its last acknowledged write.";
    let mut world = prepared("failover", about, &host, config);
    world.terms.code = Some(text(&code));
    world.terms.grant = Some(grant);
    world.actors = vec![
        Actor { name: "client", requests: 3, at_once: 1, asks: client },
        Actor { name: "thief", requests: 1, at_once: 1, asks: thief },
        Actor { name: "user", requests: 1, at_once: 1, asks: user },
    ];
    world.events = vec![(Event::FailOver, 1)];
    world.ticks = vec![Tick { seconds: 5, times: 1 }];
    if size == Size::Large {
        world.faults = 1;
    }
    world.laws = vec![
        &law::ONE_FAMILY,
        &law::ONE_LINE,
        &law::AHEAD,
        &law::ENDS_NOTHING,
        &law::BEFORE,
        &laws::WITHIN_APPROVAL,
        &laws::ONE_CLIENT,
        &laws::ONE_KIND,
        &law::TWICE,
        &law::UNENDED,
        &law::LOCKED_OUT,
        &law::BRANCH,
    ];
    world
}

fn client(world: &World, state: &State) -> Vec<Ask> {
    match (newest_of(world, state), &world.terms.code) {
        (Some(token), _) => vec![Ask::refresh(token, CLIENT)],
        (None, Some(code)) => vec![redeem(code)],
        (None, None) => Vec::new(),
    }
}

/// Whatever was ever seen.
fn thief(world: &World, state: &State) -> Vec<Ask> {
    let mut tokens: Vec<&Text> = issued(world, state).filter_map(|(_, refresh)| refresh).collect();
    tokens.sort_by_key(|token| token.as_str());
    tokens.dedup();
    let refreshes = tokens.into_iter().map(|token| Ask::refresh(token, CLIENT));
    world.terms.code.iter().map(redeem).chain(refreshes).collect()
}

fn user(world: &World, _: &State) -> Vec<Ask> {
    world.terms.grant.clone().map(|grant| Ask::EndGrant { subject: USER, grant }).into_iter().collect()
}

fn redeem(code: &Text) -> Ask {
    Ask::Redeem { code: code.clone(), client: CLIENT, wrong: None }
}
