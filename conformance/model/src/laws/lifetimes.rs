//! The ends that come by themselves.

use super::rotation::newest;
use super::{CLIENT, Law, all_dead, always, issued, passes, refreshes, sometimes};
use crate::ask::Ask;
use crate::node::Text;
use crate::state::State;
use crate::world::World;

/// When the last request that gave a token began: no later than that the token was made.
fn given(world: &World, state: &State, refresh: &Text) -> u64 {
    let gave = state.answers().filter(|(_, heard)| heard.refresh.as_ref() == Some(refresh));
    gave.map(|(sent, _)| sent.began).max().unwrap_or(world.now)
}

/// Access tokens end.
pub static ACCESS: Law = always("", "no access token outlives its lifetime", |world, state| {
    issued(world, state).all(|(access, refresh)| {
        let given = refresh.map_or(world.now, |refresh| given(world, state, refresh));
        state.now < given + world.terms.access_seconds || !passes(world, state, access)
    })
});

/// Refresh tokens end.
pub static IDLE: Law =
    always("", "no refresh token begins a new generation after it has lain unused for its lifetime", |world, state| {
        issued(world, state).filter_map(|(_, refresh)| refresh).all(|refresh| {
            state.now < given(world, state, refresh) + world.terms.idle_seconds
                || !world.probe(state, Ask::refresh(refresh, CLIENT)).advances
        })
    });

/// Grants end.
pub static ABSOLUTE: Law =
    always("", "nothing outlives the grant's absolute lifetime, however often it is refreshed", |world, state| {
        state.now < world.terms.dies || all_dead(world, state)
    });

/// And not before.
pub static UNTIL_THEN: Law =
    always("", "until then, the newest access and refresh token of the client are alive", |world, state| {
        let Some(newest) = newest(world, state) else { return false };
        let given = given(world, state, newest);
        let open = state.sent().any(|sent| sent.heard().is_none() && sent.wrote);
        let access = issued(world, state).find(|(_, refresh)| *refresh == Some(newest)).map(|(access, _)| access);
        let early = |seconds: u64| state.now < (given + seconds).min(world.terms.dies);
        open || ((!early(world.terms.access_seconds) || access.is_some_and(|access| passes(world, state, access)))
            && (!early(world.terms.idle_seconds) || refreshes(world, state, newest, CLIENT)))
    });

/// The world is not empty.
pub static PROLONGED: Law = sometimes("a grant that is refreshed outlives its first refresh token", |world, state| {
    state.now >= world.now + world.terms.idle_seconds && !all_dead(world, state)
});
