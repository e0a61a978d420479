//! What the host does for a signed-in user.

use super::{Book, case};
use crate::fixture::user;
use crate::world::{Fault, World};
use lockstep_oauth::authorization_server::operations::{Operated, Operation};
use serde_json::json;

fn issue(scopes: &[&str]) -> Operation {
    Operation::IssuePersonal {
        subject: "alice".into(),
        name: "laptop".into(),
        claims: user("alice").claims,
        resource: String::new(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        expires_in: 30 * 86_400,
    }
}

fn sign_out() -> Operation {
    Operation::SignOutEverywhere { subject: "alice".into() }
}

/// Ends the only grant of a world.
fn revoke(world: &World, subject: &str) -> Operation {
    let key = world.store.keys("grant").into_iter().next().unwrap_or_default();
    let grant_id = key.rsplit('/').next().unwrap_or_default().to_owned();
    Operation::RevokeGrant { subject: subject.into(), grant_id }
}

pub(super) fn scenarios(book: &mut Book) {
    let operating = |operation: Operation, fault: Option<Fault>| {
        move || {
            let mut world = World::new();
            world.faults.extend(fault);
            world.operate(operation);
            world
        }
    };
    book.one(case("issued", "A personal access token is issued with the default scopes.", "RFC 6750 §2.1", "It is shown once.", "issued"), operating(issue(&[]), None));
    book.one(case("issued-scopes", "It has the scopes that are named, in the configuration's order, each once.", "RFC 6750 §2.1", "Tokens hold a bitmap over them.", "issued"), operating(issue(&["notes:write", "notes:read", "notes:write"]), None));
    book.one(case("issued-unknown", "One that was applied unnoticed is recognised by its stamp.", "D4; S-02", "The token must be the one that the store holds.", "issued"), operating(issue(&[]), Some(Fault::UnknownApplied)));
    book.one(case("issued-lost", "One that was lost is written again.", "D4; S-02", "The same.", "issued"), operating(issue(&[]), Some(Fault::UnknownLost)));
    book.one(case("unread", "A store that cannot be read is unavailable.", "S-01", "Try again.", "unavailable"), operating(issue(&[]), Some(Fault::LoadFails)));
    book.one(
        case("too-large", "A token whose claims no record can hold is not issued.", "RFC 9110 §15.5.14", "Refused at the decision.", "unavailable"),
        || {
            let mut world = World::new();
            let Operation::IssuePersonal { subject, name, mut claims, resource, scopes, expires_in } = issue(&[]) else {
                return world;
            };
            claims.insert("photo".into(), json!("x".repeat(8 * 1024)));
            world.operate(Operation::IssuePersonal { subject, name, claims, resource, scopes, expires_in });
            world
        },
    );
    let grants = |subject: &'static str, fault: Option<Fault>, times: usize| {
        move || {
            let mut world = World::new();
            world.connect();
            let operation = revoke(&world, subject);
            world.faults.extend(fault);
            for _ in 0..times {
                world.operate(operation.clone());
            }
            world
        }
    };
    book.one(case("revoked", "A user ends one of their grants.", "RFC 7009 §2.1", "The list of connected apps.", "revoked"), grants("alice", None, 1));
    book.one(case("revoked-again", "Ending it twice writes once.", "RFC 7009 §2.2", "It is dead already.", "revoked"), grants("alice", None, 2));
    book.one(case("revoked-unknown", "An end that was applied unnoticed is recognised by its stamp.", "D4; S-02", "The promise must hold.", "revoked"), grants("alice", Some(Fault::UnknownApplied), 1));
    book.one(case("revoked-foreign", "Nobody ends the grant of another.", "RFC 7009 §2.1; V-04", "The answer is the same as for none.", "not_found"), grants("bob", None, 1));
    book.one(
        case("revoked-nonsense", "A grant that is none is not found.", "RFC 7009 §2.2", "Without looking into the store.", "not_found"),
        operating(Operation::RevokeGrant { subject: "alice".into(), grant_id: "nonsense".into() }, None),
    );
    book.one(
        case("revoked-personal", "A user ends a personal access token.", "RFC 7009 §2.1", "It is a grant like any other.", "revoked"),
        || {
            let mut world = World::new();
            let outcome = world.operate(issue(&[]));
            let Operated::Issued { grant_id, .. } = outcome.operated else { panic!("{outcome:?}") };
            world.operate(Operation::RevokeGrant { subject: "alice".into(), grant_id });
            world
        },
    );
    book.one(case("signed-out", "Signing out everywhere raises the subject's counter.", "D3", "Whatever was approved under a lower one is dead.", "signed_out"), operating(sign_out(), None));
    book.one(
        case("signed-out-again", "And raises it again.", "D3", "It only grows, and never expires.", "signed_out"),
        || {
            let mut world = World::new();
            world.operate(sign_out());
            world.operate(sign_out());
            world
        },
    );
    book.one(case("signed-out-unknown", "A rise that was applied unnoticed is recognised by its stamp.", "D4; S-02", "It must not rise twice.", "signed_out"), operating(sign_out(), Some(Fault::UnknownApplied)));
    book.one(case("signed-out-lost", "A rise that was lost is written again.", "D4; S-02", "The promise must hold.", "signed_out"), operating(sign_out(), Some(Fault::UnknownLost)));
    book.one(
        case("signed-out-unsettled", "A rise that does not settle is not promised.", "D4; S-01", "The host tells the user to try again.", "unavailable"),
        || {
            let mut world = World::new();
            world.faults.extend([Fault::UnknownLost; 4]);
            world.operate(sign_out());
            world
        },
    );
}
