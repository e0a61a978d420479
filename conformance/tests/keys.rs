//! The key ring at its limits: to the second, and to the last key.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use lockstep_conformance::fixture::{put, redeem, tokens};
use lockstep_conformance::world::World;
use lockstep_oauth::keys::{KeyRing, RING_KEYS};
use serde_json::{Value, json};

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn sizes(text: &str) -> (usize, usize) {
    let ring = read(text);
    (ring["keys"].as_array().unwrap().len(), ring["jwt"].as_array().unwrap().len())
}

/// A ring of so many server keys and so many JWT keys.
fn ring_of(keys: usize, jwt: usize) -> String {
    let rings: Vec<Value> = (1..).take(keys.max(jwt)).map(|seed| read(&KeyRing::generate(1000, &[seed; 32]))).collect();
    let of = |name: &str, count: usize| rings.iter().take(count).map(|ring| ring[name][0].clone()).collect::<Vec<_>>();
    json!({ "v": 1, "keys": of("keys", keys), "jwt": of("jwt", jwt) }).to_string()
}

#[test]
fn a_rotation_drops_keys_in_the_second_in_which_they_end() {
    let first = KeyRing::generate(1000, &[1; 32]);
    let second = KeyRing::rotate(&first, 2000, &[2; 32], 600, 10_000).unwrap();
    assert_eq!(sizes(&second), (2, 2));
    for (now, left) in [(12_599, 3), (12_600, 2)] {
        let third = KeyRing::rotate(&second, now, &[3; 32], 600, 10_000).unwrap();
        assert_eq!(sizes(&third), (left, left), "{now}");
    }
}

#[test]
fn a_ring_has_room_for_32_keys_of_either_sort() {
    assert_eq!(RING_KEYS, 32);
    for (keys, jwt, has_room) in [(31, 31, true), (31, 0, true), (32, 0, false), (1, 31, true), (1, 32, false)] {
        let text = ring_of(keys, jwt);
        assert!(KeyRing::parse(&text, "ring").is_ok());
        let rotated = KeyRing::rotate(&text, 2000, &[99; 32], 600, 10_000);
        assert_eq!(rotated.as_ref().map_err(|misuse| misuse.at.as_str()).is_ok(), has_room, "{keys} {jwt}");
        assert!(has_room || rotated.is_err_and(|misuse| misuse.at == "keys"));
    }
    for (keys, jwt) in [(33, 0), (1, 33)] {
        assert_eq!(KeyRing::parse(&ring_of(keys, jwt), "ring").unwrap_err().at, "ring.keys", "{keys} {jwt}");
    }
}

#[test]
fn a_key_makes_nothing_in_the_second_in_which_it_ends() {
    let ending = |sort: &str| {
        let mut world = World::with(|config| put(config, "access_token_format", json!("jwt")));
        let mut ring = read(world.keys());
        ring[sort][0]["verifies_until"] = json!(world.now + 10);
        world.rekey(ring.to_string());
        world
    };
    let mut world = ending("keys");
    world.wait(9);
    assert_eq!(world.authorize(&[]).response.status, 200);
    world.wait(1);
    assert_eq!(world.authorize(&[]).response.status, 503);

    let mut world = ending("jwt");
    world.wait(9);
    let (early, late) = (world.code(&[]), world.code(&[]));
    assert!(!tokens(&world.send(redeem(&early))).access.is_empty());
    world.wait(1);
    assert_eq!(world.send(redeem(&late)).response.status, 503);
}
