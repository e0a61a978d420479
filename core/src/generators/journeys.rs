//! Whole journeys of clients, thieves and users, as data: what [`walk`](crate::generators::invariants::walk) goes through.

use crate::generators::requests::request;
use crate::generators::target::{Target, arbitrary_by};
use crate::http::HttpRequest;
use alloc::vec::Vec;
use proptest::prelude::*;

/// What is wrong with a redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Another verifier.
    Verifier,
    /// Another client.
    Client,
    /// Another redirect.
    Redirect,
}

/// What happens next on a journey. Codes and tokens are those of the latest approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The user approves a new authorization request.
    Approve,
    /// The code is redeemed; perhaps with a mistake, perhaps again.
    Redeem(Option<Wrong>),
    /// The refresh token of so many generations before the newest is presented.
    Refresh(u8),
    /// Another client presents the newest refresh token.
    RefreshByAnother,
    /// The client revokes its newest refresh token.
    Revoke,
    /// The newest access token is used.
    Use,
    /// So many seconds pass.
    Wait(u8),
    /// A stranger sends this.
    Send(HttpRequest),
}

/// A journey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journey(pub Vec<Action>);

/// A journey with up to so many actions behind its start, most of which mean something where they stand.
pub fn journey(target: &Target, length: usize) -> BoxedStrategy<Journey> {
    let wrong = prop::sample::select(alloc::vec![Wrong::Verifier, Wrong::Client, Wrong::Redirect]);
    let action = prop_oneof![
        1 => Just(Action::Approve),
        3 => prop::option::weighted(0.4, wrong.clone()).prop_map(Action::Redeem),
        8 => prop_oneof![6 => Just(0u8), 3 => Just(1), 1 => 2..4u8].prop_map(Action::Refresh),
        1 => Just(Action::RefreshByAnother),
        1 => Just(Action::Revoke),
        3 => Just(Action::Use),
        1 => (1..4u8).prop_map(Action::Wait),
        2 => request(target).prop_map(Action::Send),
    ];
    // Without a code and tokens nothing else means much; what is wrong comes first, while the code can still be spent.
    let mistakes = prop::collection::vec(wrong.prop_map(|wrong| Action::Redeem(Some(wrong))), 0..3);
    let start = mistakes.prop_map(|mistakes| {
        [Action::Approve].into_iter().chain(mistakes).chain([Action::Redeem(None)]).collect::<Vec<_>>()
    });
    (start, prop::collection::vec(action, 1..length.max(2)))
        .prop_map(|(start, rest)| Journey(start.into_iter().chain(rest).collect()))
        .boxed()
}

arbitrary_by!(Journey, journey(&Target::default(), 12));
