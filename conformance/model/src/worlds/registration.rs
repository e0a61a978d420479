//! (g) A registration that is updated and deleted while its client refreshes.

use super::{Size, pair, prepared};
use crate::ask::{Ask, Managed};
use crate::laws::registration::{self as law, FIRST_NAME};
use crate::laws::rotation::{self, newest};
use crate::node::text;
use crate::state::State;
use crate::world::{Actor, World};
use lockstep_conformance::fixture::{REDIRECT, body, config, put, redeem, register, tokens};
use lockstep_conformance::world::World as Host;
use serde_json::{Value, json};

/// The world.
pub fn world(size: Size) -> World {
    let open = |config: &mut Value| put(config, "registration", json!({ "mode": "open" }));
    let mut host = Host::with(open);
    let mut registered = |name: &str| {
        let metadata = json!({
            "client_name": name, "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let told = body(&host.send(register(&metadata)));
        let member = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        (member("client_id"), member("registration_access_token"))
    };
    let ((id, own), (_, other)) = (registered(FIRST_NAME), registered("Another"));
    // A world lives as long as the program that walks through it, and so may a name in it.
    let id: &'static str = id.leak();
    let client = format!("client_id={id}");
    let code = host.code(&[&client]);
    let first = tokens(&host.send(redeem(&code).but(&[&client])));
    let mut config = config();
    open(&mut config);
    let about = "A client that registered itself, refreshes, and has its registration updated and deleted.";
    let mut world = prepared("registration", about, &host, config);
    world.terms.client = id;
    world.terms.tokens = Some(pair(&first));
    world.terms.proofs = vec![text(&own), text(&other), text("lsm_nonsense")];
    world.actors = vec![
        Actor { name: "client", requests: 1, at_once: 1, asks: refreshing },
        Actor { name: "owner", requests: 2, at_once: 2, asks: owner },
        Actor { name: "stranger", requests: 1, at_once: 1, asks: stranger },
    ];
    world.faults = 1;
    if size == Size::Large {
        world.actors[1].requests = 3;
        world.actors[1].at_once = 3;
    }
    world.laws = vec![
        &law::DELETED,
        &law::WHOLE,
        &law::AS_TOLD,
        &law::ITS_TOKEN,
        &rotation::ONE_SUCCESSOR,
        &law::BOTH,
        &law::OVERTAKEN,
    ];
    world
}

fn refreshing(world: &World, state: &State) -> Vec<Ask> {
    newest(world, state).map(|token| Ask::refresh(token, world.terms.client)).into_iter().collect()
}

fn owner(world: &World, _: &State) -> Vec<Ask> {
    let Some(token) = world.terms.proofs.first() else { return Vec::new() };
    let does = [Managed::Replace("First"), Managed::Replace("Second"), Managed::Delete];
    does.into_iter().map(|does| Ask::Manage { client: world.terms.client, token: token.clone(), does }).collect()
}

/// The management tokens of others, and of nobody.
fn stranger(world: &World, _: &State) -> Vec<Ask> {
    let others = world.terms.proofs.iter().skip(1);
    others
        .map(|token| Ask::Manage { client: world.terms.client, token: token.clone(), does: Managed::Delete })
        .collect()
}
