//! Answering the consent page.

use super::{Law, always, issued, passes, sometimes};
use crate::ask::{Answered, Ask};
use crate::node::{Node, Text};
use crate::state::{Sent, State};
use crate::world::World;

/// Whether this answer comes from the browser and the person that the page was shown to, with the page's own seal.
fn is_own(world: &World, ask: &Ask) -> bool {
    match (ask, world.terms.pages.first()) {
        (Ask::Consent { cookie, person, ticket, seal, .. }, Some(page)) => {
            *person == "alice" && [cookie, ticket, seal].into_iter().eq(page.iter())
        }
        _ => false,
    }
}

fn consents(state: &State) -> impl Iterator<Item = &Node<Sent>> {
    state.sent().filter(|sent| matches!(sent.ask, Ask::Consent { .. }))
}

/// The codes that were given out, with the answers that earned them.
fn codes(state: &State) -> impl Iterator<Item = (&Node<Sent>, &Text)> {
    consents(state).filter_map(|sent| Some((sent, sent.answer()?.code.as_ref()?)))
}

fn answer_of(sent: &Sent) -> Option<Answered> {
    match sent.ask {
        Ask::Consent { answer, .. } => Some(answer),
        _ => None,
    }
}

/// What would now become of another answer on the page.
fn again(world: &World, state: &State, answer: Answered) -> bool {
    let Some([cookie, ticket, seal]) = world.terms.pages.first().cloned() else { return false };
    let ask = Ask::Consent { cookie, person: "alice", ticket, seal, answer };
    world.probe(state, ask).heard.code.is_some()
}

/// I6.
pub static ONE_GRANT: Law = always("I6", "one ticket makes at most one grant, and one code", |_, state| {
    let first = codes(state).next();
    let grants = state.store.iter().filter(|kept| kept.generation.is_some()).count();
    grants <= 1 && codes(state).all(|(_, code)| first.is_none_or(|(_, first)| first == code))
});

/// I6, once the code was redeemed.
pub static SPENT: Law = always("I6", "a ticket whose code was redeemed gives no code any more", |world, state| {
    let redeemed = state.sent().any(|sent| sent.advanced.is_some());
    !redeemed || !(again(world, state, Answered::Yes) || again(world, state, Answered::YesAndMore))
});

/// Tickets are bound.
pub static BOUND: Law = always(
    "I6",
    "a ticket is worth nothing in another browser, to another user, or with the seal of another page",
    |world, state| {
        consents(state).filter(|sent| !is_own(world, &sent.ask)).all(|sent| !sent.wrote && !sent.succeeded())
    },
);

/// Tickets end.
pub static EXPIRED: Law = always("I6", "a ticket that has died gives no code", |world, state| {
    let late = |sent: &Node<Sent>| sent.began >= world.terms.dies;
    consents(state).filter(|sent| late(sent)).all(|sent| !sent.succeeded())
});

/// A no is a no.
pub static DENIED: Law = always("I4", "who says no grants nothing", |_, state| {
    consents(state).filter(|sent| answer_of(sent) == Some(Answered::No)).all(|sent| !sent.wrote && !sent.succeeded())
});

/// I4 from the page to the token.
pub static AS_TICKED: Law = always(
    "I4",
    "a code is given only to an answer that says exactly what it carries, and its tokens carry no scope that was not ticked",
    |_, state| {
        let given: Vec<Answered> = codes(state).filter_map(|(sent, _)| answer_of(sent)).collect();
        let decided = consents(state).find(|sent| sent.wrote).and_then(|sent| answer_of(sent));
        let scope = if decided == Some(Answered::YesAndMore) { "notes:read notes:write" } else { "notes:read" };
        given.iter().all(|answer| Some(*answer) == decided)
            && state.answers().filter(|(_, heard)| heard.access.is_some()).all(|(_, heard)| heard.scope == scope)
    },
);

/// A double click is no dead end.
pub static REPEATABLE: Law = always(
    "",
    "until its code is redeemed or its ticket dies, the same answer on the same page is given the code once more",
    |world, state| {
        let redeemed =
            state.sent().any(|sent| sent.advanced.is_some() || (sent.is_open() && sent.ask.presented().is_some()));
        let decided = consents(state).find(|sent| sent.wrote).and_then(|sent| answer_of(sent));
        redeemed || state.now >= world.terms.dies || decided.is_none_or(|answer| again(world, state, answer))
    },
);

/// The world is not empty.
pub static DOUBLE: Law =
    sometimes("a double click is given one and the same code twice", |_, state| codes(state).count() == 2);

/// Nor is the rest of it.
pub static MORE: Law = sometimes("the client is given tokens for everything that was ticked", |world, state| {
    state.answers().any(|(_, heard)| heard.scope == "notes:read notes:write")
        && issued(world, state).any(|(access, _)| passes(world, state, access))
});

/// Changing one's mind in the middle of it.
pub static DECIDED: Law = sometimes("a second, different answer is told that all is decided", |_, state| {
    state.answers().any(|(_, heard)| heard.refusal == Some("consent.decided"))
});
