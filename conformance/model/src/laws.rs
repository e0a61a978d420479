//! What must hold in every state, and what must happen in some: one sentence each, and the function that decides it.

use crate::ask::Ask;
use crate::node::{Node, Text};
use crate::state::State;
use crate::world::World;
use lockstep_conformance::fixture::RESOURCE_2;

pub mod redemption;
pub mod rotation;
pub mod revocation;
pub mod approval;
pub mod assertion;
pub mod keys;
pub mod registration;
pub mod failover;
pub mod lifetimes;

/// A property of a world.
#[derive(Debug)]
pub struct Law {
    /// The invariant of the design that it belongs to, such as `I1`; empty for what shows that a world is not empty.
    pub of: &'static str,
    /// The law itself, as a sentence.
    pub name: &'static str,
    /// Whether it holds in every state; otherwise it must hold in some.
    pub always: bool,
    /// Whether it holds in this state.
    pub holds: fn(&World, &State) -> bool,
}

/// A law that holds in every state.
const fn always(of: &'static str, name: &'static str, holds: fn(&World, &State) -> bool) -> Law {
    Law { of, name, always: true, holds }
}

/// Something that happens in some state.
const fn sometimes(name: &'static str, holds: fn(&World, &State) -> bool) -> Law {
    Law { of: "", name, always: false, holds }
}

/// Every pair of tokens that left the server, and those that the world began with.
pub fn issued<'a>(world: &'a World, state: &'a State) -> impl Iterator<Item = (&'a Text, Option<&'a Text>)> {
    let began = world.terms.tokens.iter().map(|(access, refresh)| (access, Some(refresh)));
    began.chain(state.answers().filter_map(|(_, heard)| Some((heard.access.as_ref()?, heard.refresh.as_ref()))))
}

/// Whether no token that was ever issued opens anything.
fn all_dead(world: &World, state: &State) -> bool {
    issued(world, state).all(|(access, refresh)| {
        !passes(world, state, access)
            && refresh.is_none_or(|refresh| !refreshes(world, state, refresh, world.terms.client))
    })
}

/// Whether an access token would pass the gate now.
fn passes(world: &World, state: &State, access: &Text) -> bool {
    world.probe(state, Ask::check(access)).heard.is_success()
}

/// Whether a refresh token would be answered with tokens now.
fn refreshes(world: &World, state: &State, token: &Text, client: &'static str) -> bool {
    world.probe(state, Ask::refresh(token, client)).heard.is_success()
}

/// Whether a host has crashed, a store has not answered or an answer was lost.
fn is_faulty(world: &World, state: &State) -> bool {
    state.faults < world.faults
}

/// The client to which everything was issued.
pub const CLIENT: &str = "web";
/// Another client of the same server.
pub const OTHER: &str = "other";
/// The scopes that the user approved.
pub const APPROVED: &str = "notes:read";

/// No request is turned away because others ask at the same time.
pub static NOBODY_WAITS: Law = always("", "while nothing fails, nobody is told to come back later", |world, state| {
    is_faulty(world, state) || state.answers().all(|(_, heard)| !heard.is_unavailable())
});

/// Losing a race is no theft.
pub static LOSERS: Law = always(
    "",
    "a request that could have been answered when it first looked never ends the grant, where there is no budget",
    |world, state| world.terms.budget.is_some() || state.sent().all(|sent| !sent.betrayed),
);

/// A token says no more than the user approved.
pub static WITHIN_APPROVAL: Law =
    always("I4", "a token carries no scope and no resource beyond what the user approved", |world, state| {
        let mut answered = state.answers().filter(|(_, heard)| heard.access.is_some());
        answered.all(|(_, heard)| heard.scope.split(' ').all(|scope| APPROVED.split(' ').any(|one| one == scope)))
            && issued(world, state).all(|(access, _)| {
                let here = world.probe(state, Ask::check(access)).heard;
                let there = Ask::Check { token: access.clone(), resource: RESOURCE_2 };
                (!here.is_success() || APPROVED.contains(&here.scope)) && !world.probe(state, there).heard.is_success()
            })
    });

/// A token is of use to one client.
pub static ONE_CLIENT: Law =
    always("I5", "a refresh token works for no client but the one that it was issued to", |world, state| {
        let mut foreign =
            state.sent().filter(|sent| matches!(&sent.ask, Ask::Refresh { client, .. } if *client != CLIENT));
        foreign.all(|sent| !sent.succeeded() && !sent.wrote)
            && issued(world, state)
                .filter_map(|(_, refresh)| refresh)
                .all(|refresh| !refreshes(world, state, refresh, OTHER))
    });

/// A token is what it was issued as.
pub static ONE_KIND: Law = always(
    "I5",
    "a code, an access token and a refresh token are each refused where another of them belongs, whatever their prefix",
    |world, state| {
        let codes = world.terms.code.iter().map(|code| (code, 0));
        let access = issued(world, state).map(|(access, _)| (access, 1));
        let refresh = issued(world, state).filter_map(|(_, refresh)| Some((refresh?, 2)));
        codes.chain(access).chain(refresh).all(|(text, kind)| {
            let body = text.split_once('_').map_or("", |(_, body)| body);
            let named = |prefix: &str| Node::new(format!("{prefix}{body}"));
            let asks = |code: &Text, access: &Text, refresh: &Text| {
                let redeem = Ask::Redeem { code: code.clone(), client: CLIENT, wrong: None };
                [redeem, Ask::check(access), Ask::refresh(refresh, CLIENT)]
            };
            [asks(text, text, text), asks(&named("lsc_"), &named("lsa_"), &named("lsr_"))].into_iter().all(|asks| {
                let mut foreign = asks.into_iter().enumerate().filter(|(place, _)| *place != kind);
                foreign.all(|(_, ask)| !world.probe(state, ask).heard.is_success())
            })
        })
    },
);
