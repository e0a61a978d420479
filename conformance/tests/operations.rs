//! What the host does for a signed-in user: wrong arguments are misuse, and nothing is read or written for them.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use lockstep_conformance::fixture::RESOURCE;
use lockstep_conformance::transcript::Call;
use lockstep_conformance::world::World;
use lockstep_oauth::authorization_server::operations::Operation;

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
