//! What the host does for a signed-in user: wrong arguments are misuse, and nothing is read or written for them.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use lockstep_conformance::fixture::{RESOURCE, put};
use lockstep_conformance::transcript::Call;
use lockstep_conformance::world::World;
use lockstep_oauth::authorization_server::operations::Operation;
use serde_json::{Value, json};

const TEN_YEARS: u64 = 10 * 365 * 86_400;

fn personal(subject: &str, name: &str, resource: &str, scopes: &[&str], expires_in: u64) -> Operation {
    Operation::IssuePersonal {
        subject: subject.to_owned(),
        name: name.to_owned(),
        claims: serde_json::Map::new(),
        resource: resource.to_owned(),
        scopes: scopes.iter().map(|name| (*name).to_owned()).collect(),
        expires_in,
    }
}

/// The argument that is wrong; nothing when the operation may be started.
fn wrong(operation: Operation) -> Option<String> {
    World::new().try_begin(Call::Operate(operation)).err().map(|misuse| misuse.at)
}

#[test]
fn a_subject_has_1_to_255_bytes() {
    for (bytes, at) in [(0, Some("subject")), (1, None), (255, None), (256, Some("subject"))] {
        let subject = "s".repeat(bytes);
        let operations = [
            personal(&subject, "", "", &[], 60),
            Operation::RevokeGrant { subject: subject.clone(), grant_id: "g".to_owned() },
            Operation::SignOutEverywhere { subject },
        ];
        for operation in operations {
            assert_eq!(wrong(operation.clone()).as_deref(), at, "{bytes}: {operation:?}");
        }
    }
}

#[test]
fn the_name_of_a_personal_token_has_at_most_100_characters() {
    for (letters, at) in [(0, None), (100, None), (101, Some("name"))] {
        assert_eq!(wrong(personal("alice", &"é".repeat(letters), "", &[], 60)).as_deref(), at, "{letters}");
    }
}

#[test]
fn a_personal_token_is_for_what_is_configured_and_for_at_most_ten_years() {
    assert_eq!(wrong(personal("alice", "", RESOURCE, &["notes:read", "notes:write"], 60)), None);
    let elsewhere = wrong(personal("alice", "", "https://elsewhere.example/mcp", &[], 60));
    assert_eq!(elsewhere.as_deref(), Some("resource"));
    assert_eq!(wrong(personal("alice", "", "", &["notes:read", "notes"], 60)).as_deref(), Some("scopes"));
    for (seconds, at) in [(0, Some("expires_in")), (1, None), (TEN_YEARS, None), (TEN_YEARS + 1, Some("expires_in"))] {
        assert_eq!(wrong(personal("alice", "", "", &[], seconds)).as_deref(), at, "{seconds}");
    }
}

#[test]
fn a_grant_is_listed_until_its_record_ends_and_the_counter_is_that_of_the_record() {
    let mut world = World::new();
    assert_eq!(world.server().subject_counter(None), 0);
    // Approved, and never redeemed.
    world.code(&[]);
    let listed = world.store.list("alice");
    let end = listed.first().unwrap().1.expires_at;
    let shown = |now: u64| world.server().describe(&listed, 0, now).len();
    assert_eq!([shown(world.now), shown(end - 1), shown(end)], [1, 1, 0]);
    for times in 1..=2 {
        world.operate(Operation::SignOutEverywhere { subject: "alice".to_owned() });
        let record = world.store.record(world.server().subject_counter_key("alice").as_str());
        assert_eq!(world.server().subject_counter(record), times);
    }
}

#[test]
fn a_router_is_told_every_path_once_whether_the_issuer_has_one_or_not() {
    let known = |issuer: &str, resources: &[&str]| {
        let resources: Vec<Value> = resources.iter().map(|resource| json!({ "resource": resource })).collect();
        let world = World::with(|config| {
            put(config, "issuer", json!(issuer));
            put(config, "resources", json!(resources));
        });
        let mut paths = world.server().paths();
        paths.retain(|path| path.contains("well-known"));
        assert!(paths.iter().all(|path| world.server().owns(path)), "{paths:?}");
        paths
    };
    let (server, openid, resource) = (
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resource",
    );
    assert_eq!(
        known("https://as.example", &["https://mcp.example/mcp", "https://mcp.example"]),
        [server, openid, resource, "/.well-known/oauth-protected-resource/mcp"]
    );
    assert_eq!(
        known("https://as.example/tenant", &["https://as.example/tenant/mcp"]),
        [
            server,
            "/.well-known/oauth-authorization-server/tenant",
            "/tenant/.well-known/oauth-authorization-server",
            openid,
            "/.well-known/openid-configuration/tenant",
            "/tenant/.well-known/openid-configuration",
            resource,
            "/.well-known/oauth-protected-resource/tenant/mcp",
        ]
    );
}
