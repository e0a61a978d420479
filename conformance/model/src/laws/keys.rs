//! Rotating the server's keys while clients refresh at several hosts.

use super::rotation::{keeps_to_the_window, newest};
use super::{CLIENT, Law, always, issued, sometimes};
use crate::ask::Ask;
use crate::node::Text;
use crate::state::State;
use crate::world::World;

/// Whether a request would succeed at every host.
fn everywhere(world: &World, state: &State, ask: &Ask) -> bool {
    state.hosts.iter().all(|host| world.probe_on(&state.store, state.now, *host, ask.clone()).heard.is_success())
}

/// Whether every request that may have made this token began when the new key was signing.
fn is_new(world: &World, state: &State, token: &Text) -> bool {
    let gave = |sent: &crate::state::Sent| sent.answer().is_some_and(|heard| heard.refresh.as_ref() == Some(token));
    let presented = state.sent().find(|sent| gave(sent)).and_then(|sent| sent.ask.presented());
    presented.is_some_and(|presented| {
        let same = |sent: &&crate::node::Node<crate::state::Sent>| sent.ask.presented() == Some(presented);
        state.sent().filter(same).all(|sent| sent.began >= world.terms.signs_from)
    })
}

/// Nobody is locked out by a rotation that keeps to its lead.
pub static CARRIED_OVER: Law = always(
    "",
    "while the keys are rotated, the client's newest token works at every host, until the key that made it has died",
    |world, state| {
        let Some(newest) = newest(world, state) else { return false };
        let alive = state.now < world.terms.dies || is_new(world, state, newest);
        let unsettled = world.sent_by(state, "client").any(|sent| sent.heard().is_none());
        unsettled
            || !alive
            || !keeps_to_the_window(world, state)
            || everywhere(world, state, &Ask::refresh(newest, CLIENT))
    },
);

/// Access tokens are carried over, too.
pub static SAME_EVERYWHERE: Law = always(
    "",
    "whether an access token passes does not depend on the host, once every host has the new ring",
    |world, state| {
        state.hosts.contains(&0)
            || issued(world, state).all(|(access, _)| {
                let passes = |host: &usize| world.probe_on(&state.store, state.now, *host, Ask::check(access)).heard;
                let first = state.hosts.first().map(passes);
                state.hosts.iter().all(|host| Some(passes(host)) == first)
            })
    },
);

/// Keys end.
pub static OLD_KEY: Law = always(
    "",
    "once the old key has died, nothing that it made opens anything at a host with the new ring",
    |world, state| {
        let Some((access, refresh)) = &world.terms.tokens else { return false };
        let dead = |host: &usize, ask: Ask| !world.probe_on(&state.store, state.now, *host, ask).heard.is_success();
        state.now < world.terms.dies
            || state
                .hosts
                .iter()
                .filter(|host| **host > 0)
                .all(|host| dead(host, Ask::check(access)) && dead(host, Ask::refresh(refresh, CLIENT)))
    },
);

/// The world is not empty.
pub static ACROSS: Law =
    sometimes("the client holds tokens of the new key while the old one is dead", |world, state| {
        newest(world, state).is_some_and(|newest| {
            state.now >= world.terms.dies && everywhere(world, state, &Ask::refresh(newest, CLIENT))
        })
    });

/// An answer is repeated by another host.
pub static REPEATED: Law = sometimes("an answer of the old key is repeated when the new key signs", |world, state| {
    let mut answered: Vec<_> = world
        .sent_by(state, "client")
        .filter_map(|sent| Some((sent.began, sent.answer()?.refresh.as_ref()?)))
        .collect();
    answered.sort_by_key(|(began, _)| *began);
    answered
        .windows(2)
        .any(|two| two[0].1 == two[1].1 && two[0].0 < world.terms.signs_from && two[1].0 >= world.terms.signs_from)
});
