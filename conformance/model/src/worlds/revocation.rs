//! (c) Revocation, against rotation and redemption under way.

use super::rotation::{client, connected};
use super::{Size, prepared};
use crate::ask::Ask;
use crate::laws::revocation::{self as law, USER};
use crate::laws::{CLIENT, OTHER, issued, redemption, rotation};
use crate::node::{Text, text};
use crate::state::State;
use crate::world::{Actor, Tick, World};
use lockstep_conformance::fixture::{config, put};
use lockstep_conformance::world::World as Host;
use serde_json::json;

const JWT_SECONDS: u64 = 300;

/// A user, the client's own revocation and others, while the client refreshes.
pub fn rotations(size: Size) -> World {
    let mut world =
        connected("revocation", "A client that refreshes, and everybody who would end the grant.", |_| {}, &[]);
    world.actors = vec![
        Actor { name: "client", requests: 2, at_once: 1, asks: client },
        Actor { name: "revoker", requests: 2, at_once: 2, asks: revoker },
    ];
    world.faults = 1;
    if size == Size::Large {
        world.actors[0].at_once = 2;
        world.ticks = vec![Tick { seconds: 31, times: 1 }];
    }
    world.laws = vec![
        &law::NOTHING_LIVES,
        &law::ACCESS_DIES,
        &law::NOT_THEIRS,
        &rotation::ONE_SUCCESSOR,
        &rotation::ONE_CURRENT,
        &law::REFRESHED,
        &law::ENDED,
        &law::DEAD_ON_ARRIVAL,
        &law::ONE_TOKEN,
    ];
    if size == Size::Small {
        // In the large world the client may also be locked out by its own two processes.
        world.laws.extend([&law::REFRESH_SURVIVES, &law::YOUNGER_SURVIVE]);
    }
    world
}

/// A user who ends the grant while its code is being redeemed.
pub fn redemptions(size: Size) -> World {
    let mut host = Host::new();
    let code = host.code(&[]);
    let grant = grant_of(&host);
    let about = "A client that redeems its code and refreshes, and a user who changes their mind.";
    let mut world = prepared("changed-mind", about, &host, config());
    world.terms.code = Some(text(&code));
    world.terms.grant = Some(grant);
    world.actors = vec![
        Actor { name: "client", requests: 2, at_once: 2, asks: redeemer },
        Actor { name: "user", requests: 1, at_once: 1, asks: user },
    ];
    world.faults = 2;
    if size == Size::Large {
        world.actors[0].requests = 3;
        world.actors[1].requests = 2;
    }
    world.laws =
        vec![&redemption::ONCE, &law::NOTHING_LIVES, &redemption::CONNECTED, &law::ENDED, &law::DEAD_ON_ARRIVAL];
    world
}

/// The same with access tokens that resources check by themselves.
pub fn signed(size: Size) -> World {
    let jwt = |config: &mut serde_json::Value| put(config, "access_token_format", json!("jwt"));
    let mut world = connected("signed", "A client with signed access tokens, and a user who ends the grant.", jwt, &[]);
    world.terms.access_seconds = JWT_SECONDS;
    world.actors = vec![
        Actor { name: "client", requests: 2, at_once: 2, asks: client },
        Actor { name: "user", requests: 1, at_once: 1, asks: user },
    ];
    world.faults = 1;
    // One second less than the access lifetime, and exactly that.
    world.ticks = vec![Tick { seconds: JWT_SECONDS - 1, times: 1 }, Tick { seconds: 1, times: 1 }];
    if size == Size::Large {
        world.actors[0].requests = 3;
    }
    world.laws = vec![&law::SIGNED_DIE, &law::REFRESHED, &law::ENDED, &law::LINGERS];
    world
}

/// The only grant of a host.
pub fn grant_of(host: &Host) -> Text {
    let keys = host.store.keys("grant");
    text(keys.first().and_then(|key| key.rsplit('/').next()).unwrap_or_default())
}

fn user(world: &World, _: &State) -> Vec<Ask> {
    let ends = world.terms.grant.clone().map(|grant| Ask::EndGrant { subject: USER, grant });
    ends.into_iter().chain([Ask::SignOut { subject: USER }]).collect()
}

/// The user, the client at the revocation endpoint, another client there, and another user.
fn revoker(world: &World, state: &State) -> Vec<Ask> {
    let mut asks = user(world, state);
    asks.extend(world.terms.grant.clone().map(|grant| Ask::EndGrant { subject: "mallory", grant }));
    let mut tokens: Vec<&Text> = issued(world, state).map(|(access, _)| access).collect();
    let refresh = issued(world, state).filter_map(|(_, refresh)| refresh);
    tokens.extend(refresh);
    tokens.sort_by_key(|token| token.as_str());
    tokens.dedup();
    for client in [CLIENT, OTHER] {
        asks.extend(tokens.iter().map(|token| Ask::Revoke { token: (*token).clone(), client }));
    }
    asks
}

/// The client redeems the code until it has tokens, and then refreshes them.
fn redeemer(world: &World, state: &State) -> Vec<Ask> {
    let heard = world.sent_by(state, "client").filter_map(|sent| sent.heard()?.refresh.as_ref()).last();
    match (heard, &world.terms.code) {
        (Some(token), _) => vec![Ask::refresh(token, CLIENT)],
        (None, Some(code)) => vec![Ask::Redeem { code: code.clone(), client: CLIENT, wrong: None }],
        (None, None) => Vec::new(),
    }
}
