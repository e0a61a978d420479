//! Rotating refresh tokens: one successor, a window for lost answers, a budget for those who need it too often.

use super::{CLIENT, Law, all_dead, always, issued, passes, refreshes, sometimes};
use crate::ask::Ask;
use crate::node::{Node, Text};
use crate::state::{Progress, Sent, State};
use crate::world::World;

/// The refreshes that were sent in the client's name. Whoever holds a public client's token can send one.
fn rotations(state: &State) -> impl Iterator<Item = (&Text, &Node<Sent>)> {
    state.sent().filter_map(|sent| match &sent.ask {
        Ask::Refresh { token, client: CLIENT, scope: _, resource: _ } => Some((token, sent)),
        _ => None,
    })
}

/// The refresh tokens from the first one on, each with the token that it was answered with: as far as `heard` says.
fn chain<'a>(first: &'a Text, answers: &[(&'a Text, &'a Text)]) -> Vec<&'a Text> {
    let mut chain = vec![first];
    while let Some((_, next)) = answers.iter().find(|(from, to)| chain.last() == Some(from) && !chain.contains(to)) {
        chain.push(next);
    }
    chain
}

/// The token that the client holds: the end of all that it has heard.
pub fn newest<'a>(world: &'a World, state: &'a State) -> Option<&'a Text> {
    held(world, state).last().copied()
}

/// Every refresh token that the client has held, oldest first.
fn held<'a>(world: &'a World, state: &'a State) -> Vec<&'a Text> {
    let Some((_, first)) = &world.terms.tokens else { return Vec::new() };
    let heard = world.sent_by(state, "client");
    let answers: Vec<_> = heard.filter_map(|sent| pair(sent, sent.heard()?.refresh.as_ref()?)).collect();
    chain(first, &answers)
}

fn pair<'a>(sent: &'a Node<Sent>, to: &'a Text) -> Option<(&'a Text, &'a Text)> {
    Some((sent.ask.presented()?, to))
}

/// When the client first sent a token.
fn first_sent(world: &World, state: &State, token: &Text) -> Option<u64> {
    world.sent_by(state, "client").filter(|sent| sent.ask.presented() == Some(token)).map(|sent| sent.began).min()
}

/// How many generations in a row, up to this one, the client would have presented more than once if it sent its newest
/// token once more than it did.
fn retried_in_a_row(world: &World, state: &State, again: usize) -> usize {
    let sent = |token: &Text| world.sent_by(state, "client").filter(|sent| sent.ask.presented() == Some(token)).count();
    let tokens = held(world, state);
    let newest = tokens.len().saturating_sub(1);
    let times = |(place, token): (usize, &&Text)| sent(token) + if place == newest { again } else { 0 };
    tokens.iter().enumerate().rev().map(times).take_while(|times| *times > 1).count()
}

/// Within the budget, as the client itself can count.
fn within_budget(world: &World, state: &State, again: usize) -> bool {
    let retried = retried_in_a_row(world, state, again);
    world.terms.budget.is_none_or(|budget| retried <= usize::try_from(budget).unwrap_or(usize::MAX))
}

/// I2, seen by those who are answered.
pub static ONE_SUCCESSOR: Law = always(
    "I2",
    "whoever presents one refresh token, and however often, is given one and the same successor",
    |_, state| {
        let answered: Vec<_> =
            rotations(state).filter_map(|(token, sent)| Some((token, sent.answer()?.refresh.as_ref()?))).collect();
        answered.iter().all(|(token, next)| answered.iter().all(|(other, after)| token != other || next == after))
    },
);

/// I2, seen by the store.
pub static ONE_CURRENT: Law =
    always("I2", "of all refresh tokens that ever existed, at most one can begin a new generation", |world, state| {
        let mut advancing: Vec<&Text> = issued(world, state)
            .filter_map(|(_, refresh)| refresh)
            .filter(|refresh| world.probe(state, Ask::refresh(refresh, CLIENT)).advances)
            .collect();
        advancing.dedup();
        advancing.windows(2).all(|two| two[0] == two[1])
    });

/// Whether the client has asked for nothing again later than the window after it first asked.
pub fn keeps_to_the_window(world: &World, state: &State) -> bool {
    world.sent_by(state, "client").all(|sent| {
        let first = sent.ask.presented().and_then(|token| first_sent(world, state, token));
        first.is_some_and(|first| sent.began <= first + world.terms.window)
    })
}

/// L1, for what may still be sent.
pub static NOT_LOCKED_OUT: Law = always(
    "L1",
    "a client that lost an answer, and asks again inside the window and the budget, is never locked out",
    |world, state| {
        let Some(newest) = newest(world, state) else { return false };
        let first = first_sent(world, state, newest);
        let inside = first.is_none_or(|first| state.now <= first + world.terms.window);
        let promised = inside && keeps_to_the_window(world, state) && within_budget(world, state, 1);
        !promised || refreshes(world, state, newest, CLIENT)
    },
);

/// L1, for what was sent.
pub static NOT_REFUSED: Law =
    always("L1", "no request of a client that keeps to the window and the budget is refused", |world, state| {
        let promised = keeps_to_the_window(world, state) && within_budget(world, state, 0);
        let fine = |sent: &Node<Sent>| sent.answer().is_none_or(|heard| heard.is_success() || heard.is_unavailable());
        !promised || world.sent_by(state, "client").all(fine)
    });

/// The two uses of one token that are further apart than the window, where the second has been answered.
fn apart<'a>(world: &'a World, state: &'a State) -> impl Iterator<Item = &'a Node<Sent>> {
    let used = move |token: &Text, before: u64| {
        rotations(state)
            .any(|(other, sent)| other == token && sent.advanced.is_some_and(|at| before > at + world.terms.window))
    };
    rotations(state).filter(move |(token, sent)| used(token, sent.began)).map(|(_, sent)| sent)
}

/// L2.
pub static APART: Law = always(
    "L2",
    "two uses of one generation that are further apart than the window leave no token of the grant alive",
    |world, state| {
        let settled = |sent: &Node<Sent>| sent.answer().is_some_and(|heard| !heard.is_unavailable());
        !apart(world, state).any(settled) || all_dead(world, state)
    },
);

/// L2, seen by whoever comes too late.
pub static TOO_LATE: Law = always(
    "L2",
    "a refresh token that is used again later than the window is answered with nothing",
    |world, state| apart(world, state).all(|sent| !sent.succeeded()),
);

/// L3.
pub static FOLLOWED: Law = always(
    "L3",
    "a thief in lockstep with the client is followed for at most as many generations in a row as the budget allows",
    |world, state| world.terms.budget.is_none_or(|budget| followed(world, state) <= budget),
);

/// How many generations in a row both have been answered for one token.
fn followed(world: &World, state: &State) -> u32 {
    let Some((_, first)) = &world.terms.tokens else { return 0 };
    let answers: Vec<_> = state.answers().filter_map(|(sent, heard)| pair(sent, heard.refresh.as_ref()?)).collect();
    let has = |who: &str, token: &Text| {
        world.sent_by(state, who).any(|sent| sent.ask.presented() == Some(token) && sent.succeeded())
    };
    let mut longest = 0;
    let mut row = 0;
    for token in chain(first, &answers) {
        row = if has("client", token) && has("thief", token) { row + 1 } else { 0 };
        longest = longest.max(row);
    }
    longest
}

/// The world is not empty.
pub static TWICE: Law = sometimes("the client refreshes twice in a row", |world, state| held(world, state).len() > 2);

/// The window is of use.
pub static SAVED: Law =
    sometimes("the answer is lost, and the client that asks again is given the same tokens", |world, state| {
        let lost = world.sent_by(state, "client").filter_map(|sent| match &sent.progress {
            Progress::Missed(heard) => heard.refresh.as_ref(),
            _ => None,
        });
        let heard: Vec<_> = world.sent_by(state, "client").filter_map(|sent| sent.heard()?.refresh.as_ref()).collect();
        lost.into_iter().any(|lost| heard.contains(&lost))
    });

/// What the window costs those who wait too long.
pub static WAITED: Law = sometimes(
    "a client that lost the answer, and asks again after the window, must ask the user again: this is what the window costs",
    |world, state| {
        world
            .sent_by(state, "client")
            .any(|sent| sent.heard().is_some_and(|heard| heard.refusal == Some("token.refresh.reused")))
    },
);

/// What the budget costs.
pub static OVERSPENT: Law = sometimes(
    "a client that loses more answers in a row than the budget allows must ask the user again: this is what a budget costs",
    |world, state| {
        let over =
            |sent: &Node<Sent>| sent.heard().is_some_and(|heard| heard.refusal == Some("token.refresh.over_budget"));
        world.sent_by(state, "client").any(over)
    },
);

/// What the assumption excludes.
pub static CARELESS: Law = sometimes(
    "a client that uses the next token while a request with the one before is still under way locks itself out, even inside \
     the window: this is what L1 assumes away",
    |world, state| {
        keeps_to_the_window(world, state)
            && newest(world, state).is_some_and(|newest| !refreshes(world, state, newest, CLIENT))
    },
);

/// Thieves are noticed.
pub static NOTICED: Law =
    sometimes("the thief and the client use one generation, and the grant ends", |world, state| {
        world.sent_by(state, "thief").any(|sent| sent.succeeded()) && all_dead(world, state)
    });

/// What having no budget costs.
pub static UNNOTICED: Law = sometimes(
    "without a budget, a thief that hits the window every time is followed: this is what having none costs",
    |world, state| world.terms.budget.is_none() && followed(world, state) >= 2 && !all_dead(world, state),
);

/// The budget is used up and not more.
pub static WITHIN: Law = sometimes("the thief is followed for exactly as long as the budget allows", |world, state| {
    world.terms.budget.is_some_and(|budget| followed(world, state) == budget && budget > 0)
});

/// A selection is honoured.
pub static SELECTION: Law = always(
    "I4",
    "an access token carries what its request selected, and a later request selects from all that was approved",
    |world, state| {
        state.answers().all(|(sent, heard)| {
            let (Ask::Refresh { scope, resource, .. }, Some(access)) = (&sent.ask, &heard.access) else { return true };
            let wanted = scope.unwrap_or(world.terms.approved);
            let there = resource.unwrap_or(lockstep_conformance::fixture::RESOURCE);
            let check = world.probe(state, Ask::Check { token: access.clone(), resource: there }).heard;
            heard.scope == wanted && (!check.is_success() || (check.scope == wanted && check.resource == there))
        })
    },
);

/// Selections are made.
pub static NARROWED: Law = sometimes("an access token is narrowed, and the next one is whole again", |world, state| {
    let scopes: Vec<_> =
        world.sent_by(state, "client").filter_map(|sent| sent.heard()).map(|heard| heard.scope.as_str()).collect();
    let narrow = scopes.iter().position(|scope| *scope != world.terms.approved);
    narrow.is_some_and(|narrow| scopes.iter().skip(narrow).any(|scope| *scope == world.terms.approved))
});

/// The newest access token of the client works as long as nobody has ended anything.
pub static USABLE: Law = always("", "tokens that an honest client is given are alive", |world, state| {
    let ended = state
        .answers()
        .any(|(_, heard)| matches!(heard.refusal, Some("token.refresh.reused" | "token.refresh.over_budget")));
    let crashed =
        state.sent().any(|sent| sent.wrote && matches!(sent.progress, Progress::Crashed | Progress::Waits(_)));
    ended || crashed || issued(world, state).all(|(access, _)| passes(world, state, access))
});
