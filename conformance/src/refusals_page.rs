//! `docs/REFUSALS.md`: the table of refusals for people.

use lockstep_oauth::refusal::{ALL, Refusal};
use std::fmt::Write;

const GROUPS: [(&str, &str, &str); 11] = [
    ("http.", "Any endpoint", "Before an endpoint has looked at the request."),
    ("server.", "Failures", "The host's world broke; the peer may try again."),
    ("request.", "Any form", "At the token, revocation and introspection endpoints."),
    ("client.", "Clients", "Who the client is, and whether it proved it. People see a page, programs see JSON."),
    (
        "authorize.",
        "Authorization endpoint",
        "With status 302: told to the client by a redirect, once the client and its redirect are proven and the user is \
         signed in. Otherwise a page.",
    ),
    ("consent.", "Consent page", "Always a page."),
    ("sign_in.", "Built-in sign-in", "Always a page."),
    ("token.", "Token endpoint", "JSON."),
    ("revoke.", "Revocation endpoint", "JSON. An unknown token is no refusal: RFC 7009 answers 200."),
    ("introspect.", "Introspection endpoint", "JSON."),
    ("register.", "Registration and its management", "JSON."),
];
const BEARER: (&str, &str, &str) = ("bearer.", "Protected resource", "JSON and one `WWW-Authenticate` challenge.");

/// The page.
pub fn page() -> String {
    let mut page = String::from(
        "# Refusals\n\n\
         Every way in which a request can be refused. The id is stable: it stands in the audit event and, on pages, where\n\
         the user can read it out. The peer is told the error and the sentence and never more; what to do about it is for\n\
         the operator or the client's author. `lockstep_oauth.explain(id)` returns the same.\n\n\
         This page is generated from `core/src/refusal.rs` by `cargo run -p lockstep-conformance --bin bless`.\n",
    );
    for (prefix, title, about) in GROUPS.iter().chain([&BEARER]) {
        let _ = write!(page, "\n## {title}\n\n{about}\n");
        for refusal in ALL.iter().filter(|refusal| refusal.id.starts_with(prefix)) {
            let Refusal { id, status, error, sentence, specification, advice } = refusal;
            let _ = write!(page, "\n### `{id}`\n\n{status} `{error}` · {specification}\n\n> {sentence}\n\n{advice}\n");
        }
    }
    page
}

/// Refusals that stand under no heading.
pub fn homeless() -> Vec<&'static str> {
    let known =
        |refusal: &&Refusal| GROUPS.iter().chain([&BEARER]).any(|(prefix, _, _)| refusal.id.starts_with(prefix));
    ALL.iter().copied().filter(|refusal| !known(refusal)).map(|refusal| refusal.id).collect()
}
