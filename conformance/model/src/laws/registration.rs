//! Managing a registration while its client is at work.

use super::{Law, all_dead, always, issued, passes, sometimes};
use crate::ask::{Ask, Managed};
use crate::heard::Heard;
use crate::node::{Node, Text};
use crate::state::{Sent, State};
use crate::world::World;

fn managed(state: &State) -> impl Iterator<Item = (&Node<Sent>, &Text, Managed)> {
    state.sent().filter_map(|sent| match &sent.ask {
        Ask::Manage { token, does, .. } => Some((sent, token, *does)),
        _ => None,
    })
}

fn own(world: &World) -> Option<&Text> {
    world.terms.proofs.first()
}

/// What a client would read now.
fn read(world: &World, state: &State, token: &Text) -> Option<String> {
    let ask = Ask::Manage { client: world.terms.client, token: token.clone(), does: Managed::Read };
    let heard = world.probe(state, ask).heard;
    heard.is_success().then(|| heard.name.clone())
}

/// Deleted is deleted.
pub static DELETED: Law = always(
    "I3",
    "once the deletion of a registration has been acknowledged, its tokens open nothing, and it is never there again",
    |world, state| {
        let deleted = managed(state)
            .any(|(sent, _, does)| does == Managed::Delete && sent.heard().is_some_and(Heard::is_success));
        !deleted || (all_dead(world, state) && own(world).is_some_and(|token| read(world, state, token).is_none()))
    },
);

/// Updates do not mix.
pub static WHOLE: Law = always(
    "",
    "a registration is what one request has made it, and one that was acknowledged alone is what is read",
    |world, state| {
        let Some(token) = own(world) else { return false };
        let Some(name) = read(world, state, token) else { return true };
        let replaced: Vec<_> = managed(state)
            .filter_map(|(sent, _, does)| match does {
                Managed::Replace(name) if sent.wrote => Some(name),
                _ => None,
            })
            .collect();
        match replaced.as_slice() {
            [] => name == FIRST_NAME,
            names => names.contains(&name.as_str()),
        }
    },
);

/// An answer says what is stored.
pub static AS_TOLD: Law = always("", "who is told that an update was made is told what was asked for", |_, state| {
    managed(state).all(|(sent, _, does)| match (does, sent.answer()) {
        (Managed::Replace(name), Some(heard)) if heard.status == 200 => sent.wrote && heard.name == name,
        (Managed::Delete, Some(heard)) if heard.is_success() => sent.wrote,
        _ => true,
    })
});

/// I5 for management tokens.
pub static ITS_TOKEN: Law =
    always("I5", "a registration is neither read nor changed without its own management token", |world, state| {
        let Some((own, others)) = world.terms.proofs.split_first() else { return false };
        managed(state).filter(|(_, token, _)| *token != own).all(|(sent, _, _)| !sent.wrote && !sent.succeeded())
            && others.iter().all(|other| read(world, state, other).is_none())
    });

/// The name that the client registered with.
pub const FIRST_NAME: &str = "Self Made";

/// The world is not empty.
pub static BOTH: Law =
    sometimes("two updates are both acknowledged, and the client is as alive as before", |world, state| {
        let made = managed(state).filter(|(sent, _, does)| {
            matches!(does, Managed::Replace(_)) && sent.heard().is_some_and(|heard| heard.status == 200)
        });
        made.count() > 1 && issued(world, state).any(|(access, _)| passes(world, state, access))
    });

/// An update meets a deletion.
pub static OVERTAKEN: Law = sometimes("an update that was under way finds the registration deleted", |_, state| {
    managed(state).any(|(sent, _, does)| {
        matches!(does, Managed::Replace(_)) && sent.heard().is_some_and(|heard| heard.status == 401)
    }) && managed(state).any(|(sent, _, does)| does == Managed::Delete && sent.wrote)
});
