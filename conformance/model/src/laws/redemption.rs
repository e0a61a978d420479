//! Redeeming a code.

use super::{CLIENT, Law, OTHER, all_dead, always, issued, passes, sometimes};
use crate::ask::{Ask, Wrong};
use crate::node::Node;
use crate::state::{Progress, Sent, State};
use crate::world::World;

/// The requests to redeem a code that prove all there is to prove.
fn right(state: &State) -> impl Iterator<Item = &Node<Sent>> + Clone {
    let sent: Vec<_> = state.sent().collect();
    sent.into_iter().filter(|sent| matches!(&sent.ask, Ask::Redeem { client: CLIENT, wrong: None, .. }))
}

/// No such request has tokens, none has written anything, and none would now.
fn none_gets_through(world: &World, state: &State, client: &'static str, wrong: Option<Wrong>) -> bool {
    let sent = state.sent().all(|sent| match sent.ask {
        Ask::Redeem { client: by, wrong: what, .. } if by == client && what == wrong => {
            !sent.succeeded() && !sent.wrote
        }
        _ => true,
    });
    let Some(code) = world.terms.code.clone() else { return false };
    let probe = world.probe(state, Ask::Redeem { code, client, wrong });
    sent && !probe.heard.is_success() && probe.store == state.store
}

/// When the code was redeemed, at the latest.
fn redeemed_at(state: &State) -> Option<u64> {
    state.sent().filter_map(|sent| sent.advanced).min()
}

/// I1.
pub static ONCE: Law = always("I1", "a code gives tokens to at most one request", |_, state| {
    state.sent().filter(|sent| matches!(sent.ask, Ask::Redeem { .. }) && sent.succeeded()).count() <= 1
});

/// I5.
pub static ITS_CLIENT: Law =
    always("I5", "a code is of no use to another client", |world, state| none_gets_through(world, state, OTHER, None));

/// PKCE.
pub static VERIFIER: Law = always("I5", "a code is of no use without its verifier", |world, state| {
    none_gets_through(world, state, CLIENT, Some(Wrong::Verifier))
        && none_gets_through(world, state, CLIENT, Some(Wrong::NoVerifier))
});

/// The redirect URI, for clients that still send it.
pub static REDIRECT: Law = always("I5", "a code is of no use with another redirect URI", |world, state| {
    none_gets_through(world, state, CLIENT, Some(Wrong::Redirect))
});

/// I4 for the resource.
pub static RESOURCE: Law = always("I4", "a code opens no resource that was not approved", |world, state| {
    none_gets_through(world, state, CLIENT, Some(Wrong::Resource))
});

/// Nobody who cannot redeem the code can spend it.
pub static UNSPENT: Law =
    always("", "while nobody who can redeem the code has tried, it can be redeemed until it dies", |world, state| {
        let Some(code) = &world.terms.code else { return false };
        let ask = Ask::Redeem { code: code.clone(), client: CLIENT, wrong: None };
        let redeems = world.probe(state, ask).heard.is_success();
        right(state).count() > 0 || redeems == (state.now < world.terms.code_dies)
    });

/// The code's own end.
pub static LIFETIME: Law = always("", "a code that has died gives no tokens", |world, state| {
    right(state).all(|sent| sent.began < world.terms.code_dies || !sent.succeeded())
});

/// Replay detection.
pub static REPLAY: Law =
    always("", "a spent code that is presented again, later than the race, leaves no token alive", |world, state| {
        let Some(redeemed) = redeemed_at(state) else { return true };
        let late = |sent: &Node<Sent>| {
            let settled = sent.answer().is_some_and(|heard| !heard.is_unavailable());
            settled && sent.began >= redeemed + world.terms.race
        };
        !right(state).any(late) || all_dead(world, state)
    });

/// Races and strangers end nothing.
pub static WINNER: Law = always(
    "",
    "who redeemed the code keeps the tokens, whatever comes within the race or proves less",
    |world, state| {
        let Some(winner) = state.sent().find(|sent| sent.advanced.is_some()) else { return true };
        right(state).any(|sent| sent.began >= winner.began + world.terms.race)
            || issued(world, state).all(|(access, _)| passes(world, state, access))
    },
);

/// The world is not empty.
pub static CONNECTED: Law = sometimes("the client gets its tokens", |world, state| {
    world.sent_by(state, "client").any(|sent| sent.heard().is_some_and(|heard| heard.access.is_some()))
});

/// The thief is not harmless.
pub static STOLEN: Law =
    sometimes("the thief, who has seen code and verifier, gets the tokens first", |world, state| {
        world.sent_by(state, "thief").any(|sent| sent.succeeded())
    });

/// Races happen.
pub static RACED: Law = sometimes("a request loses the race and is refused, and the grant lives", |world, state| {
    let lost = state.answers().any(|(_, heard)| heard.refusal == Some("token.code.raced"));
    lost && issued(world, state).any(|(access, _)| passes(world, state, access))
});

/// Replays happen.
pub static REPLAYED: Law = sometimes("a replay ends the grant", |world, state| {
    let reused = state.answers().any(|(_, heard)| heard.refusal == Some("token.code.reused"));
    reused && issued(world, state).count() > 0 && all_dead(world, state)
});

/// What a lost answer costs.
pub static LOST: Law = sometimes(
    "the answer is lost, and the client must ask the user again: this is what a lost redemption costs",
    |world, state| {
        let lost = world
            .sent_by(state, "client")
            .any(|sent| sent.advanced.is_some() && matches!(sent.progress, Progress::Missed(_) | Progress::Crashed));
        lost && world.sent_by(state, "client").any(|sent| sent.heard().is_some_and(|heard| heard.status == 400))
    },
);

/// Unknown writes are recognised.
pub static RECOGNISED: Law = sometimes("a write of unknown fate is recognised, and answered from", |world, state| {
    is_settled_after_unknown(world, state)
});

fn is_settled_after_unknown(world: &World, state: &State) -> bool {
    let one = state.sent().count() == 1 && state.faults < world.faults;
    one && state.sent().all(|sent| sent.heard().is_some_and(|heard| heard.access.is_some()))
}
