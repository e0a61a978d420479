//! Properties of the parsed values, against the `url` crate and plain definitions.
//!
//! Each takes any bytes, does nothing with what is no input of its kind, and panics where a property does not hold.

use lockstep_oauth::pkce::{Challenge, Verifier};
use lockstep_oauth::redirect::{RESPONSE_PARAMETERS, RedirectPolicy, RedirectUri, match_registered};
use lockstep_oauth::resource::ResourceTable;
use lockstep_oauth::scope::{Hierarchy, Scopes, Selection};
use lockstep_oauth::uri::Uri;
use std::collections::BTreeSet;
use url::Url;

/// What the reader accepts, `url` parses, takes apart alike, and prints unchanged.
pub fn uri_property(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let stricter = [
        Uri::issuer(text),
        Uri::client_document(text, false),
        Uri::client_document(text, true),
        Uri::endpoint(text, false),
        Uri::endpoint(text, true),
    ];
    let Ok(uri) = Uri::parse(text) else {
        assert!(stricter.iter().all(Result::is_err), "{text:?} is refused for one use and accepted for another");
        return;
    };
    assert_eq!(uri.as_str(), text);
    assert!(!text.contains(['#', '\\', ' ', '<', '"']) && !uri.query().is_some_and(|query| query.contains('\'')));
    let Some(read) = oracle(&uri) else { return };
    assert_eq!(read.as_str(), printed(&uri));
    assert_eq!(uri.scheme(), read.scheme());
    assert_eq!(uri.host(), read.host_str().filter(|host| !host.is_empty()));
    assert_eq!(uri.port(), read.port());
    assert_eq!(uri.query(), read.query());
    assert!(uri.path() == read.path() || (uri.path().is_empty() && read.path() == "/"));
    assert_eq!((read.username(), read.password(), read.fragment()), ("", None, None));
    if let Some(origin) = uri.origin() {
        assert!(text.strip_prefix(&origin).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?'])));
    }
    if let [_, Ok(document), ..] = &stricter {
        assert!(document.is_https() && !document.host_is_loopback() && document.query().is_none());
    }
}

/// The first line is registered, the second requested, the rest an answer's value. A match differs in nothing but a
/// loopback port, and an answer reads back exactly.
pub fn redirect_property(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let (registered, requested) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let value = lines.next().unwrap_or_default();
    let Ok(registered) = RedirectUri::parse(registered, &RedirectPolicy::default()) else { return };
    assert!(match_registered(registered.as_str(), std::slice::from_ref(&registered)).is_some());
    let Some(checked) = match_registered(requested, std::slice::from_ref(&registered)) else {
        assert_ne!(registered.as_str(), requested);
        return;
    };
    assert_eq!(checked.as_str(), requested);
    let Ok(uri) = Uri::parse(requested) else { panicked(requested, "a match is no URI") };
    let (Some(old), Some(new)) = (oracle(registered.uri()), oracle(&uri)) else { return };
    assert_eq!(
        (old.scheme(), old.host_str(), old.path(), old.query()),
        (new.scheme(), new.host_str(), new.path(), new.query())
    );
    assert!(new.scheme() != "http" || matches!(new.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")));
    let loopback = old.scheme() == "http" && matches!(old.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    assert_eq!((registered.is_loopback(), checked.is_loopback()), (loopback, loopback));
    assert!(registered.as_str() == requested || (new.scheme() == "http" && checked.is_loopback()));

    let before = new.query_pairs().count();
    let answer = checked.with_parameters(&[("code", value), ("a&b", "=")]);
    assert!(answer.starts_with(requested));
    let Ok(answer) = Url::parse(&answer) else { panicked(requested, "an answer is no URI") };
    let pairs: Vec<_> = answer.query_pairs().skip(before).collect();
    assert_eq!(pairs, [("code".into(), value.into()), ("a&b".into(), "=".into())]);
    assert!(answer.query_pairs().take(before).all(|(name, _)| !RESPONSE_PARAMETERS.contains(&name.as_ref())));
    assert_eq!(answer.fragment(), None);
    assert_eq!((answer.host_str(), answer.path()), (new.host_str(), new.path()));
}

/// The first line is a configured resource, the second requested. What is found is, to `url`, the same address.
pub fn resource_property(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (spelling, requested) = text.split_once('\n').unwrap_or((text, text));
    let Ok(table) = ResourceTable::new(vec![(spelling.to_owned(), Vec::new())]) else { return };
    assert_eq!(table.find(spelling), Some(0));
    assert_eq!(table.spelling(0), Some(spelling));
    if table.find(requested).is_none() {
        return;
    }
    assert!(!requested.contains('#'));
    let Some(configured) = Uri::parse(spelling).ok().and_then(|uri| oracle(&uri)) else { return };
    assert_eq!(Url::parse(requested).as_ref(), Ok(&configured));
}

/// The first line is a requested list, the second an approved one, the others are `name implied…`. Lists, selections and
/// hierarchies agree with sets.
pub fn scope_property(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let (Some(requested), Some(approved)) = (lines.next(), lines.next()) else { return };
    let (Ok(requested_list), Ok(approved_list)) = (Scopes::parse(requested), Scopes::parse(approved)) else { return };
    let (requested, approved) = (words(requested), words(approved));
    assert_eq!(requested_list.iter().map(|name| name.as_str()).collect::<BTreeSet<_>>(), requested);
    assert_eq!((requested_list.len(), approved_list.len()), (requested.len(), approved.len()));
    assert_eq!(Scopes::parse(&requested_list.to_string()), Ok(requested_list.clone()));
    assert_eq!(requested_list.is_subset(&approved_list), requested.is_subset(&approved));

    let kept = requested_list.retained(&approved_list);
    let Some(selection) = Selection::of(&approved_list, &kept) else { panicked(approved, "known scopes are refused") };
    let names = selection.names(&approved_list);
    assert_eq!(words(&names.to_string()), requested.intersection(&approved).copied().collect());
    assert_eq!(Selection::of(&approved_list, &requested_list).is_some(), requested.is_subset(&approved));
    assert_eq!(Selection::of(&approved_list, &names), Some(selection));
    assert_eq!(Selection::from_bits(selection.bits(), &approved_list), Some(selection));
    assert!(selection.is_subset(Selection::all(&approved_list)));
    assert!(requested.iter().all(|name| selection.contains(&approved_list, name) == approved.contains(name)));

    let pairs: Vec<(&str, Vec<&str>)> = lines.take(16).filter_map(pair).collect();
    let Ok(hierarchy) = Hierarchy::new(&pairs) else { return };
    let reached = closure(requested.clone(), &pairs);
    let asked = pairs.iter().flat_map(|(name, implied)| implied.iter().chain([name])).chain(&approved);
    for name in asked {
        assert_eq!(hierarchy.covers(requested_list.as_slice(), name), reached.contains(name), "{name}");
    }
}

/// The first line is a challenge, the second a verifier. Both are read by their definitions, and only the maker of a
/// challenge proves it.
pub fn pkce_property(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (first, second) = text.split_once('\n').unwrap_or((text, text));
    let challenge = Challenge::parse(first);
    let base64url = first.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    // The last of 43 characters carries four bits: its index in the alphabet is a multiple of four.
    let whole = first.ends_with(|last| "AEIMQUYcgkosw048".contains(last));
    assert_eq!(challenge.is_ok(), first.len() == 43 && base64url && whole, "{first:?}");
    let verifier = Verifier::parse(second);
    let unreserved = second.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    assert_eq!(verifier.is_ok(), (43..=128).contains(&second.len()) && unreserved, "{second:?}");
    let Ok(verifier) = verifier else { return };
    let made = Challenge::of(&verifier);
    assert!(made.proves(&verifier));
    assert_eq!(Challenge::parse(made.as_str()), Ok(made.clone()));
    if let Ok(challenge) = challenge {
        assert_eq!(challenge.as_str(), first);
        assert_eq!(challenge.proves(&verifier), challenge == made);
    }
}

/// Runs every property on the same bytes.
pub fn every_property(data: &[u8]) {
    uri_property(data);
    redirect_property(data);
    resource_property(data);
    scope_property(data);
    pkce_property(data);
}

/// What `url` makes of an accepted URI. It decodes `xn--` labels and may refuse one, but never reads it as another host.
fn oracle(uri: &Uri) -> Option<Url> {
    match Url::parse(uri.as_str()) {
        Ok(read) => Some(read),
        Err(_) if uri.host().is_some_and(|host| host.contains("xn--")) => None,
        Err(error) => panicked(uri, &error.to_string()),
    }
}

/// How `url` prints a URI: it gives web addresses without path a slash.
fn printed(uri: &Uri) -> String {
    let web = matches!(uri.scheme(), "http" | "https" | "ws" | "wss" | "ftp");
    match uri.origin().filter(|_| web && uri.path().is_empty()) {
        Some(origin) => uri.as_str().replacen(&origin, &format!("{origin}/"), 1),
        None => uri.as_str().to_owned(),
    }
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(' ').filter(|word| !word.is_empty()).collect()
}

fn pair(line: &str) -> Option<(&str, Vec<&str>)> {
    let mut names = line.split(' ').filter(|name| !name.is_empty());
    Some((names.next()?, names.collect()))
}

fn closure<'a>(mut reached: BTreeSet<&'a str>, pairs: &[(&'a str, Vec<&'a str>)]) -> BTreeSet<&'a str> {
    for _ in 0..=pairs.len() {
        for (name, implied) in pairs {
            if reached.contains(name) {
                reached.extend(implied);
            }
        }
    }
    reached
}

fn panicked(input: impl std::fmt::Debug, problem: &str) -> ! {
    #[allow(clippy::panic, reason = "a broken property must fail loudly")]
    {
        panic!("{problem}: {input:?}")
    }
}
