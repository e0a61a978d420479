//! Ending a grant, against whatever is under way.

use super::{CLIENT, Law, OTHER, all_dead, always, issued, passes, refreshes, sometimes};
use crate::ask::Ask;
use crate::laws::rotation::newest;
use crate::node::{Node, Text};
use crate::state::{Sent, State};
use crate::world::{Action, Fate, World};
use stateright::Model;

/// The user whose grant it is.
pub const USER: &str = "alice";

/// The requests that end the whole grant, where the peer has been told so.
fn ended<'a>(world: &'a World, state: &'a State) -> impl Iterator<Item = &'a Node<Sent>> {
    state.sent().filter(|sent| sent.heard().is_some_and(|heard| heard.status == 200)).filter(|sent| match &sent.ask {
        Ask::EndGrant { subject, .. } | Ask::SignOut { subject } => *subject == USER,
        Ask::Revoke { token, client } => *client == CLIENT && is_refresh(world, state, token),
        _ => false,
    })
}

fn is_refresh(world: &World, state: &State, token: &Text) -> bool {
    issued(world, state).any(|(_, refresh)| refresh == Some(token))
}

/// Whether anybody who may has asked for the end of the whole grant.
fn is_ending(world: &World, state: &State) -> bool {
    state.sent().any(|sent| match &sent.ask {
        Ask::EndGrant { subject, .. } | Ask::SignOut { subject } => *subject == USER,
        Ask::Revoke { token, client } => *client == CLIENT && is_refresh(world, state, token),
        _ => false,
    })
}

/// Whether the code that the world began with could be redeemed now.
fn redeems(world: &World, state: &State) -> bool {
    world.terms.code.clone().is_some_and(|code| {
        let ask = Ask::Redeem { code, client: CLIENT, wrong: None };
        world.probe(state, ask).heard.is_success()
    })
}

/// I3.
pub static NOTHING_LIVES: Law = always(
    "I3",
    "once a revocation has been acknowledged, no code and no opaque token of the grant opens anything, ever",
    |world, state| ended(world, state).count() == 0 || (all_dead(world, state) && !redeems(world, state)),
);

/// I3 for signed access tokens.
pub static SIGNED_DIE: Law = always(
    "I3",
    "once a revocation has been acknowledged, no refresh token works, and no signed access token outlives the access \
     lifetime",
    |world, state| {
        let acknowledged = ended(world, state).filter_map(|sent| sent.ended).min();
        acknowledged.is_none_or(|acknowledged| {
            let late = state.now >= acknowledged + world.terms.access_seconds;
            issued(world, state).all(|(access, refresh)| {
                !(late && passes(world, state, access))
                    && refresh.is_none_or(|refresh| !refreshes(world, state, refresh, CLIENT))
            })
        })
    },
);

/// RFC 7009 for one access token.
pub static ACCESS_DIES: Law = always(
    "I3",
    "once the revocation of an access token has been acknowledged, that token opens nothing",
    |world, state| {
        state.sent().all(|sent| match &sent.ask {
            Ask::Revoke { token, client: CLIENT } if sent.heard().is_some_and(|heard| heard.status == 200) => {
                !passes(world, state, token)
            }
            _ => true,
        })
    },
);

/// And no more than that.
pub static REFRESH_SURVIVES: Law =
    always("", "who revokes an access token, or what is not theirs, ends no connection", |world, state| {
        let lost = world.sent_by(state, "client").any(|sent| sent.wrote && sent.heard().is_none());
        is_ending(world, state)
            || lost
            || newest(world, state).is_none_or(|newest| refreshes(world, state, newest, CLIENT))
    });

/// Nor one token more.
pub static YOUNGER_SURVIVE: Law = always("", "who revokes an access token ends no younger one", |world, state| {
    // In the order in which they were issued: the generations of one process come one after the other.
    let tokens: Vec<&Text> = issued(world, state).map(|(access, _)| access).collect();
    let revoked = state.sent().filter_map(|sent| match &sent.ask {
        Ask::Revoke { token, .. } => tokens.iter().rposition(|access| *access == token),
        _ => None,
    });
    let younger = revoked.max().and_then(|last| tokens.get(last + 1..)).unwrap_or_default();
    is_ending(world, state) || younger.iter().all(|access| passes(world, state, access))
});

/// What belongs to others.
pub static NOT_THEIRS: Law =
    always("I5", "another client and another user change nothing about the grant", |_, state| {
        state.sent().all(|sent| {
            let foreign = match &sent.ask {
                Ask::EndGrant { subject, .. } => *subject != USER,
                Ask::Revoke { client, .. } => *client == OTHER,
                _ => false,
            };
            !foreign || !sent.wrote
        })
    });

/// The world is not empty.
pub static REFRESHED: Law = sometimes("the client refreshes while the user is there", |world, state| {
    world.sent_by(state, "client").any(|sent| sent.heard().is_some_and(|heard| heard.refresh.is_some()))
});

/// Revocations happen.
pub static ENDED: Law = sometimes("the grant is ended", |world, state| ended(world, state).count() > 0);

/// Races are won by tokens that are dead on arrival.
pub static DEAD_ON_ARRIVAL: Law = sometimes(
    "a request that was under way is answered with tokens after the user was told that all is over, and they are dead",
    |world, state| {
        let ended = ended(world, state).count() > 0;
        let open = |request: &usize| state.requests[*request].as_ref().is_some_and(|sent| sent.is_open());
        ended
            && (0..state.requests.len()).filter(open).any(|request| {
                let next = world.next_state(state, Action::Step { request, fate: Fate::Plain });
                next.is_some_and(|next| {
                    let given = next.requests[request].as_ref().and_then(|sent| sent.heard()?.access.as_ref());
                    given.is_some() && all_dead(world, &next)
                })
            })
    },
);

/// One access token alone.
pub static ONE_TOKEN: Law =
    sometimes("an access token is revoked, and the client refreshes all the same", |world, state| {
        let (access, refresh) = match &world.terms.tokens {
            Some((access, refresh)) => (access, refresh),
            None => return false,
        };
        !passes(world, state, access) && refreshes(world, state, refresh, CLIENT)
    });

/// Signed tokens linger.
pub static LINGERS: Law = sometimes(
    "a signed access token still passes after the revocation: this is what signed access tokens cost",
    |world, state| {
        ended(world, state).count() > 0 && issued(world, state).any(|(access, _)| passes(world, state, access))
    },
);
