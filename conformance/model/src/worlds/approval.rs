//! (d) The consent page: a double click, two browsers, a stolen page.

use super::{Size, prepared};
use crate::ask::{Answered, Ask};
use crate::laws::approval as law;
use crate::laws::{self, CLIENT, redemption};
use crate::node::{Text, text};
use crate::state::State;
use crate::world::{Actor, Tick, World};
use lockstep_conformance::fixture::{config, hidden, user};
use lockstep_conformance::world::World as Host;
use lockstep_oauth::question::Decision;

const TICKET_SECONDS: u64 = 600;

/// The world.
pub fn world(size: Size) -> World {
    let mut host = Host::new();
    let pages = vec![page(&mut host, "alice"), page(&mut host, "mallory")];
    let about = "A consent page that is answered twice at once, and a thief who has all of it but the browser.";
    let mut world = prepared("approval", about, &host, config());
    world.terms.pages = pages;
    world.terms.dies = host.now + TICKET_SECONDS;
    world.actors = vec![
        Actor { name: "user", requests: 2, at_once: 2, asks: answers },
        Actor { name: "thief", requests: 1, at_once: 1, asks: thief },
        Actor { name: "client", requests: 1, at_once: 1, asks: client },
    ];
    world.faults = 1;
    world.ticks = vec![Tick { seconds: TICKET_SECONDS, times: 1 }];
    if size == Size::Large {
        world.actors[0].requests = 3;
        world.actors[2].requests = 2;
    }
    world.laws = vec![
        &law::ONE_GRANT,
        &law::SPENT,
        &law::BOUND,
        &law::EXPIRED,
        &law::DENIED,
        &law::AS_TICKED,
        &law::REPEATABLE,
        &redemption::ONCE,
        &laws::ONE_CLIENT,
        &laws::NOBODY_WAITS,
        &law::DOUBLE,
        &law::MORE,
        &law::DECIDED,
    ];
    world
}

/// A page that was shown to a person in a browser of their own.
fn page(host: &mut Host, person: &str) -> [Text; 3] {
    host.cookies.clear();
    host.sign_in = Decision::SignedIn(user(person));
    let page = host.authorize(&["scope=notes:read notes:write"]);
    let cookies: Vec<String> = host.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    [text(&cookies.join("; ")), text(&hidden(&page, "ticket")), text(&hidden(&page, "seal"))]
}

fn answers(world: &World, _: &State) -> Vec<Ask> {
    let Some([cookie, ticket, seal]) = world.terms.pages.first() else { return Vec::new() };
    let answers = [Answered::Yes, Answered::YesAndMore, Answered::No];
    let ask = |answer| Ask::Consent {
        cookie: cookie.clone(),
        person: "alice",
        ticket: ticket.clone(),
        seal: seal.clone(),
        answer,
    };
    answers.into_iter().map(ask).collect()
}

/// Everything but the right browser, the right person and the right page at once.
fn thief(world: &World, _: &State) -> Vec<Ask> {
    let [own, other] = world.terms.pages.as_slice() else { return Vec::new() };
    let ask = |cookie: &Text, person, ticket: &Text, seal: &Text| Ask::Consent {
        cookie: cookie.clone(),
        person,
        ticket: ticket.clone(),
        seal: seal.clone(),
        answer: Answered::YesAndMore,
    };
    vec![
        // The stolen page in the thief's browser, and in a browser where alice is signed in as well.
        ask(&other[0], "mallory", &own[1], &own[2]),
        ask(&other[0], "alice", &own[1], &own[2]),
        // The page on a shared computer, where somebody else has signed in since.
        ask(&own[0], "bob", &own[1], &own[2]),
        // One half of each page.
        ask(&own[0], "alice", &own[1], &other[2]),
        ask(&own[0], "mallory", &own[1], &other[2]),
    ]
}

/// The client redeems whatever code it is given.
fn client(_: &World, state: &State) -> Vec<Ask> {
    let mut codes: Vec<&Text> = state.answers().filter_map(|(_, heard)| heard.code.as_ref()).collect();
    codes.dedup();
    codes.into_iter().map(|code| Ask::Redeem { code: code.clone(), client: CLIENT, wrong: None }).collect()
}
