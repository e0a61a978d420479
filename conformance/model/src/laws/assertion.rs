//! Clients that prove themselves with signed assertions.

use super::rotation::newest;
use super::{Law, always, issued, sometimes};
use crate::ask::{Ask, SIGNER};
use crate::heard::Heard;
use crate::node::{Node, Text};
use crate::state::{Sent, State};

/// The requests that were accepted, with the assertions that proved them.
fn accepted(state: &State) -> impl Iterator<Item = (&Node<Sent>, &Text)> {
    state.sent().filter_map(|sent| match &sent.ask {
        Ask::Signed { assertion, .. } if sent.answer().is_some_and(|heard| heard.status == 200) => {
            Some((sent, assertion))
        }
        _ => None,
    })
}

/// I6.
pub static ONCE: Law = always("I6", "one assertion is accepted at most once, whatever it is sent with", |_, state| {
    let accepted: Vec<&Text> = accepted(state).map(|(_, assertion)| assertion).collect();
    accepted.iter().enumerate().all(|(place, assertion)| !accepted[..place].contains(assertion))
});

/// An assertion ends.
pub static EXPIRED: Law =
    always("I6", "an assertion is accepted no later than a minute after its end", |world, state| {
        accepted(state).all(|(sent, _)| sent.began < world.terms.dies + 60)
    });

/// I5.
pub static PROVEN: Law = always(
    "I5",
    "without an assertion, or with one that the client has not signed, a token of the client is worth nothing",
    |world, state| {
        let Some(forged) = world.terms.proofs.last() else { return false };
        issued(world, state).filter_map(|(_, refresh)| refresh).all(|refresh| {
            let bare = Ask::refresh(refresh, SIGNER);
            let signed = Ask::Signed { inner: Box::new(bare.clone()), assertion: forged.clone() };
            let none = |ask: Ask| {
                let probe = world.probe(state, ask);
                !probe.heard.is_success() && probe.store == state.store
            };
            none(bare) && none(signed)
        })
    },
);

/// A request that proves nothing spends nothing.
pub static UNSPENT: Law =
    always("", "an assertion that was never sent proves its client until it ends", |world, state| {
        let Some(newest) = newest(world, state) else { return false };
        let fresh = world.terms.proofs.iter().take(world.terms.proofs.len().saturating_sub(1)).filter(|proof| {
            !state.sent().any(|sent| matches!(&sent.ask, Ask::Signed { assertion, .. } if assertion == *proof))
        });
        let is_accepted = |proof: &Text| {
            let inner = Box::new(Ask::refresh(newest, SIGNER));
            let heard = world.probe(state, Ask::Signed { inner, assertion: proof.clone() }).heard;
            heard.refusal.is_none_or(|refusal| !refusal.starts_with("client."))
        };
        state.now >= world.terms.dies || fresh.into_iter().all(is_accepted)
    });

/// The world is not empty.
pub static USED: Law = sometimes("the client refreshes twice, with an assertion each", |world, state| {
    world.sent_by(state, "client").filter(|sent| sent.heard().is_some_and(|heard| heard.refresh.is_some())).count() > 1
});

/// Replays happen.
pub static REPLAYED: Law = sometimes("the thief sends an assertion again and is refused", |world, state| {
    let replayed = |heard: &Heard| heard.refusal == Some("client.assertion.replayed");
    world.sent_by(state, "thief").any(|sent| sent.heard().is_some_and(replayed))
});

/// The thief is not harmless.
pub static FIRST: Law =
    sometimes("the thief is faster than the client, whose assertion is then spent", |world, state| {
        let replayed = |heard: &Heard| heard.refusal == Some("client.assertion.replayed");
        world.sent_by(state, "client").any(|sent| sent.heard().is_some_and(replayed))
    });
