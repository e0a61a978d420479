//! What the readers say when they refuse: the operator's log and the client's `error_description` are made of it.

use lockstep_oauth::crypto::KeyFault;
use lockstep_oauth::exchange::Misuse;
use lockstep_oauth::jose::{ClaimsFault, JwkFault, JwsFault, LookupFault};
use lockstep_oauth::json::JsonFault;
use lockstep_oauth::pkce::PkceFault;
use lockstep_oauth::redirect::RedirectFault;
use lockstep_oauth::resource::{ResourceTable, ResourceTableFault};
use lockstep_oauth::scope::{ScopeFault, Scopes};
use lockstep_oauth::uri::{Uri, UriFault};
use std::collections::BTreeSet;

/// Every fault of one reader is told in words of its own, which fit into an `error_description` (RFC 6749 §5.2).
fn tells_apart(faults: &[&dyn ToString]) {
    let told: BTreeSet<String> = faults.iter().map(|fault| fault.to_string()).collect();
    assert_eq!(told.len(), faults.len(), "{told:?}");
    for text in told {
        assert!(text.len() > 10, "{text:?}");
        assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'), "{text:?}");
    }
}

#[test]
fn every_fault_is_told_in_its_own_words() {
    tells_apart(&[
        &UriFault::TooLong,
        &UriFault::Character,
        &UriFault::Percent,
        &UriFault::Scheme,
        &UriFault::NoHost,
        &UriFault::Userinfo,
        &UriFault::Host,
        &UriFault::Address,
        &UriFault::Port,
        &UriFault::DotSegment,
        &UriFault::Path,
        &UriFault::Query,
        &UriFault::Fragment,
        &UriFault::Insecure,
        &UriFault::SpecialUse,
    ]);
    tells_apart(&[
        &RedirectFault::Uri(UriFault::Port),
        &RedirectFault::Insecure,
        &RedirectFault::Scheme,
        &RedirectFault::Wildcard,
        &RedirectFault::ResponseParameter,
    ]);
    tells_apart(&[
        &ResourceTableFault::TooMany,
        &ResourceTableFault::Spelling { index: 1, fault: UriFault::Port },
        &ResourceTableFault::Alias { index: 1, alias: 0 },
        &ResourceTableFault::Ambiguous { index: 1 },
    ]);
    tells_apart(&[&ScopeFault::Name, &ScopeFault::TooLong, &ScopeFault::TooMany]);
    tells_apart(&[&PkceFault::Challenge, &PkceFault::Verifier]);
    tells_apart(&[
        &JsonFault::TooLong,
        &JsonFault::TooDeep,
        &JsonFault::TooManyMembers,
        &JsonFault::DuplicateMember,
        &JsonFault::Malformed,
        &JsonFault::NotAnObject,
        &JsonFault::WrongType("a"),
        &JsonFault::Missing("a"),
        &JsonFault::Missing("b"),
    ]);
    tells_apart(&[
        &JwsFault::TooLong,
        &JwsFault::Malformed,
        &JwsFault::Header(JsonFault::TooDeep),
        &JwsFault::Algorithm,
        &JwsFault::Type,
        &JwsFault::Extension,
        &JwsFault::KidTooLong,
        &JwsFault::Signature,
    ]);
    tells_apart(&[
        &JwkFault::Json(JsonFault::TooDeep),
        &JwkFault::Private,
        &JwkFault::Unsupported,
        &JwkFault::NotForSignatures,
        &JwkFault::Encoding("x"),
        &JwkFault::KidTooLong,
        &JwkFault::Key(KeyFault::WrongAlgorithm),
        &JwkFault::Key(KeyFault::Invalid),
        &JwkFault::Key(KeyFault::Weak),
        &JwkFault::Mismatch,
        &JwkFault::TooManyKeys,
    ]);
    tells_apart(&[&LookupFault::NotFound, &LookupFault::Ambiguous]);
    tells_apart(&[
        &ClaimsFault::Json(JsonFault::TooDeep),
        &ClaimsFault::Empty("sub"),
        &ClaimsFault::Issuer,
        &ClaimsFault::Audience,
        &ClaimsFault::Expired,
        &ClaimsFault::NotYetValid,
        &ClaimsFault::TooLongLived,
    ]);
}

#[test]
fn what_is_read_prints_as_it_was_spelled() {
    let text = "https://h.example:8443/a?b=c";
    assert_eq!(Uri::parse(text).map(|uri| uri.to_string()), Ok(text.to_owned()));
    let scopes = Scopes::parse("b a").unwrap_or_default();
    let names: Vec<String> = (&scopes).into_iter().map(ToString::to_string).collect();
    assert_eq!((scopes.to_string(), names), ("b a".to_owned(), vec!["b".to_owned(), "a".to_owned()]));
    assert_eq!(Misuse::new("scopes.0", "no name").to_string(), "scopes.0: no name");
}

#[test]
fn a_table_knows_whether_it_is_empty() {
    let tables = [Vec::new(), vec![("https://h/mcp".to_owned(), Vec::new())]].map(ResourceTable::new);
    let counted: Vec<_> = tables.iter().flatten().map(|table| (table.len(), table.is_empty())).collect();
    assert_eq!(counted, [(0, true), (1, false)]);
}

/// Hosts size their buffers, columns and proxies by these.
#[test]
fn the_limits_are_what_the_pages_say() {
    use lockstep_oauth::{http, jose, store, token};
    assert_eq!((http::BODY_BYTES, http::QUERY_BYTES), (65_536, 16_384));
    assert_eq!((http::FORM_PARAMETERS, http::FORM_NAME_BYTES), (100, 128));
    assert_eq!((store::GRANT_BYTES, store::RECORD_BYTES), (8_192, 65_536));
    assert_eq!((jose::TOKEN_BYTES, jose::SET_BYTES, jose::SET_KEYS, token::TOKEN_BYTES), (16_384, 65_536, 100, 512));
}
