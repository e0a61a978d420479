//! (e) Client assertions: each is spent by the first request that uses it.

use super::{Size, pair, prepared};
use crate::ask::{Ask, SIGNER};
use crate::laws::assertion as law;
use crate::laws::rotation::{self, newest};
use crate::node::{Text, text};
use crate::state::State;
use crate::world::{Actor, Tick, World};
use lockstep_conformance::fixture::{
    assertion, assertion_claims, by_assertion, config, key_clients, put, redeem, tokens,
};
use lockstep_conformance::world::World as Host;
use serde_json::json;

const ASSERTION_SECONDS: u64 = 300;

/// The world.
pub fn world(size: Size) -> World {
    let mut host = Host::with(key_clients);
    let code = host.code(&["client_id=signer"]);
    let sign = |number: u8, jti: &str, now: u64| {
        let mut claims = assertion_claims(SIGNER, now);
        put(&mut claims, "jti", json!(jti));
        assertion(number, &claims)
    };
    let by = by_assertion(SIGNER, &sign(1, "j0", host.now));
    let first = tokens(&host.send(redeem(&code).but(&by.each_ref().map(String::as_str))));
    let mut config = config();
    key_clients(&mut config);
    let about = "A client that signs assertions, and a thief who sends them again.";
    let mut world = prepared("assertion", about, &host, config);
    world.terms.client = SIGNER;
    world.terms.tokens = Some(pair(&first));
    world.terms.dies = host.now + ASSERTION_SECONDS;
    // The last one is signed by another client's key.
    let signed = [sign(1, "j1", host.now), sign(1, "j2", host.now), sign(2, "j3", host.now)];
    world.terms.proofs = signed.iter().map(|proof| text(proof)).collect();
    world.actors = vec![
        Actor { name: "client", requests: 2, at_once: 2, asks: client },
        Actor { name: "thief", requests: 1, at_once: 1, asks: thief },
    ];
    world.faults = 1;
    // The first second in which an assertion counts no more.
    world.ticks = vec![Tick { seconds: ASSERTION_SECONDS + 60, times: 1 }];
    if size == Size::Large {
        // And the last one in which it does.
        world.ticks = vec![Tick { seconds: ASSERTION_SECONDS + 59, times: 1 }, Tick { seconds: 1, times: 1 }];
        world.faults = 2;
    }
    world.laws = vec![
        &law::ONCE,
        &law::EXPIRED,
        &law::PROVEN,
        &law::UNSPENT,
        &rotation::ONE_SUCCESSOR,
        &law::USED,
        &law::REPLAYED,
        &law::FIRST,
    ];
    world
}

/// The client refreshes with an assertion that it has not used in an answered request.
fn client(world: &World, state: &State) -> Vec<Ask> {
    let Some(token) = newest(world, state) else { return Vec::new() };
    let own = world.terms.proofs.split_last().map(|(_, own)| own).unwrap_or_default();
    let used = |proof: &Text| {
        world
            .sent_by(state, "client")
            .any(|sent| !sent.is_open() && matches!(&sent.ask, Ask::Signed { assertion, .. } if assertion == proof))
    };
    // Which assertion is the first does not matter: they are used in order.
    let sent = world.sent_by(state, "client").count();
    let inner = Ask::refresh(token, SIGNER);
    own.iter().take(sent + 1).filter(|proof| !used(proof)).map(|proof| signed(&inner, proof)).collect()
}

/// The thief has seen every assertion that the client has sent, and sends it with a token or to the revocation endpoint.
fn thief(world: &World, state: &State) -> Vec<Ask> {
    let Some((_, first)) = &world.terms.tokens else { return Vec::new() };
    let Some(newest) = newest(world, state) else { return Vec::new() };
    let mut asks = Vec::new();
    for proof in &world.terms.proofs {
        let sent = |sent: &Ask| matches!(sent, Ask::Signed { assertion, .. } if assertion == proof);
        if world.sent_by(state, "client").any(|other| sent(&other.ask)) {
            asks.push(signed(&Ask::refresh(newest, SIGNER), proof));
            asks.push(signed(&Ask::Revoke { token: first.clone(), client: SIGNER }, proof));
        }
    }
    asks
}

fn signed(inner: &Ask, proof: &Text) -> Ask {
    Ask::Signed { inner: Box::new(inner.clone()), assertion: proof.clone() }
}
