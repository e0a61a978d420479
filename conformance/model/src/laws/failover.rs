//! A store that fails over to a copy without the last acknowledged write: what is promised then, and what is not.

use super::rotation::newest;
use super::{CLIENT, Law, always, issued, passes, refreshes, sometimes};
use crate::ask::Ask;
use crate::node::Text;
use crate::state::{Progress, State};
use crate::world::World;

fn has_failed_over(state: &State) -> bool {
    state.events.contains(&0)
}

fn ended(state: &State) -> bool {
    state.sent().any(|sent| sent.ask.is_ending() && sent.heard().is_some_and(|heard| heard.status == 200))
}

/// One family, whatever happens.
pub static ONE_FAMILY: Law = always(
    "I1",
    "even after a fail-over, a code has one grant, and everything made from it dies with that grant",
    |world, state| {
        let grants: Vec<_> = state.store.iter().filter(|kept| kept.generation.is_some()).collect();
        let dead = grants.iter().all(|kept| kept.revoked);
        grants.len() <= 1
            && (!dead
                || issued(world, state).all(|(access, refresh)| {
                    !passes(world, state, access)
                        && refresh.is_none_or(|refresh| !refreshes(world, state, refresh, CLIENT))
                }))
    },
);

/// Tokens of the lost future end nothing.
pub static AHEAD: Law = always("", "a token that is ahead of the record is refused, and ends nothing", |_, state| {
    state.sent().all(|sent| {
        let ahead = sent.answer().is_some_and(|heard| heard.refusal == Some("token.refresh.ahead"));
        !ahead || !sent.wrote
    })
});

/// No second line of generations.
pub static ONE_LINE: Law = always(
    "I2",
    "even after a fail-over, all refresh tokens that can begin a new generation begin the same one",
    |world, state| {
        let begun = |refresh: &Text| {
            let probe = world.probe(state, Ask::refresh(refresh, CLIENT));
            let number = probe.store.iter().find_map(|kept| kept.generation);
            number.filter(|_| probe.advances)
        };
        let mut begun = issued(world, state).filter_map(|(_, refresh)| begun(refresh?));
        begun.next().is_none_or(|first| begun.all(|number| number == first))
    },
);

/// A fail-over is no theft.
pub static ENDS_NOTHING: Law = always(
    "",
    "a fail-over ends no grant: a client that presents nothing twice, with no thief about, is never taken for one",
    |world, state| {
        let asked = state.sent().any(|sent| sent.ask.is_ending()) || world.sent_by(state, "thief").count() > 0;
        let mut presented: Vec<_> = world.sent_by(state, "client").filter_map(|sent| sent.ask.presented()).collect();
        presented.sort_by_key(|text| text.as_str());
        let twice = presented.windows(2).any(|two| two[0] == two[1]);
        asked || twice || state.store.iter().all(|kept| !kept.revoked)
    },
);

/// Before it, everything is promised as ever.
pub static BEFORE: Law =
    always("I3", "until a fail-over, what has been acknowledged as ended stays ended", |world, state| {
        has_failed_over(state) || !ended(state) || super::all_dead(world, state)
    });

/// Not promised: I1.
pub static TWICE: Law =
    sometimes("not promised: the redemption is lost, and its code gives tokens once more", |_, state| {
        state.sent().filter(|sent| matches!(sent.ask, Ask::Redeem { .. }) && sent.succeeded()).count() > 1
    });

/// Not promised: I3.
pub static UNENDED: Law =
    sometimes("not promised: an acknowledged revocation is lost, and the tokens are alive again", |world, state| {
        ended(state) && issued(world, state).any(|(access, _)| passes(world, state, access))
    });

/// Not promised: L1.
pub static LOCKED_OUT: Law = sometimes(
    "not promised: the refresh is lost, and the client that holds its answer must ask the user again",
    |world, state| {
        let refreshed = world.sent_by(state, "client").any(|sent| {
            matches!(sent.ask, Ask::Refresh { .. }) && matches!(sent.progress, Progress::Heard(_)) && sent.succeeded()
        });
        refreshed
            && !ended(state)
            && newest_of(world, state).is_some_and(|newest| {
                let heard = world.probe(state, Ask::refresh(newest, CLIENT)).heard;
                heard.refusal == Some("token.refresh.ahead")
            })
    },
);

/// Not promised: one successor.
pub static BRANCH: Law = sometimes("not promised: one refresh token is given two different successors", |_, state| {
    let answered: Vec<_> = state
        .sent()
        .filter(|sent| matches!(sent.ask, Ask::Refresh { .. }))
        .filter_map(|sent| Some((sent.ask.presented()?, sent.answer()?.refresh.as_ref()?)))
        .collect();
    answered.iter().any(|(token, next)| answered.iter().any(|(other, after)| token == other && next != after))
});

/// The last refresh token that the client has heard of.
pub fn newest_of<'a>(world: &'a World, state: &'a State) -> Option<&'a Text> {
    if world.terms.tokens.is_some() {
        return newest(world, state);
    }
    world.sent_by(state, "client").filter_map(|sent| sent.heard()?.refresh.as_ref()).last()
}
