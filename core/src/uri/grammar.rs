//! The grammar that the strict reader accepts: RFC 3986, less what any parser reads differently.

use super::{MAX_HOST_BYTES, MAX_LABEL_BYTES, MAX_URI_BYTES, UriFault};
use alloc::borrow::ToOwned;
use alloc::format;
use core::net::{Ipv4Addr, Ipv6Addr};

/// Whether a byte is an unreserved character of RFC 3986 §2.3.
pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether a byte may stand anywhere in a URI without fragment.
pub(crate) fn is_uri_byte(byte: u8) -> bool {
    is_path_byte(byte) || matches!(byte, b'?' | b'[' | b']')
}

/// The parts of a text that was checked; of any other text, parts without meaning.
pub(super) struct Parts<'a> {
    pub(super) scheme: &'a str,
    pub(super) authority: Option<&'a str>,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let (hierarchy, query) = rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
        let (authority, path) = match hierarchy.strip_prefix("//") {
            Some(after) => {
                let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
                (Some(authority), path)
            }
            None => (None, hierarchy),
        };
        Self { scheme, authority, path, query }
    }
}

/// Splits the port off an authority.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// The whole rule of [`super::Uri::parse`].
pub(super) fn check(text: &str) -> Result<(), UriFault> {
    if text.len() > MAX_URI_BYTES {
        return Err(UriFault::TooLong);
    }
    if text.contains('#') {
        return Err(UriFault::Fragment);
    }
    if !text.bytes().all(is_uri_byte) {
        return Err(UriFault::Character);
    }
    check_percent(text)?;
    let parts = Parts::of(text);
    check_scheme(parts.scheme)?;
    match parts.authority {
        Some(authority) => check_authority(parts.scheme, authority)?,
        None if is_web(parts.scheme) => return Err(UriFault::NoHost),
        None => {}
    }
    if parts.path.is_empty() && parts.authority.is_none_or(str::is_empty) {
        return Err(UriFault::Path);
    }
    if !parts.path.bytes().all(is_path_byte) {
        return Err(UriFault::Character);
    }
    if has_dot_segment(parts.path) {
        return Err(UriFault::DotSegment);
    }
    // Browsers rewrite an apostrophe in the query of a web address; so it is not read alike by all.
    let is_query_byte = |byte| byte == b'?' || (is_path_byte(byte) && byte != b'\'');
    if !parts.query.unwrap_or_default().bytes().all(is_query_byte) {
        return Err(UriFault::Character);
    }
    Ok(())
}

fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte) || b"%!$&'()*+,;=:@/".contains(&byte)
}

fn check_percent(text: &str) -> Result<(), UriFault> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        let digits = after.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let octet = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or(UriFault::Percent)?;
        if is_unreserved(octet) {
            return Err(UriFault::Percent);
        }
        rest = after;
    }
    Ok(())
}

fn check_scheme(scheme: &str) -> Result<(), UriFault> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    // Hosts and drive letters of `file` differ from parser to parser.
    let usable = scheme.starts_with(|first: char| first.is_ascii_lowercase()) && scheme != "file";
    if usable && scheme.bytes().all(allowed) { Ok(()) } else { Err(UriFault::Scheme) }
}

/// The schemes for which browsers have rules of their own always have a host, and these default ports.
fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        "ftp" => Some(21),
        _ => None,
    }
}

fn is_web(scheme: &str) -> bool {
    default_port(scheme).is_some()
}

fn check_authority(scheme: &str, authority: &str) -> Result<(), UriFault> {
    if authority.contains('@') {
        return Err(UriFault::Userinfo);
    }
    if authority.is_empty() {
        return if is_web(scheme) { Err(UriFault::NoHost) } else { Ok(()) };
    }
    let (host, port) = split_port(authority);
    check_host(host)?;
    let Some(port) = port else { return Ok(()) };
    let canonical = !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
    let number = port.parse::<u16>().ok().filter(|_| canonical).ok_or(UriFault::Port)?;
    if default_port(scheme) == Some(number) { Err(UriFault::Port) } else { Ok(()) }
}

fn check_host(host: &str) -> Result<(), UriFault> {
    if let Some(rest) = host.strip_prefix('[') {
        return check_ipv6(rest.strip_suffix(']').ok_or(UriFault::Host)?);
    }
    let labels_are_good = host.split('.').all(is_label);
    if host.len() > MAX_HOST_BYTES || !labels_are_good {
        return Err(UriFault::Host);
    }
    // Browsers read every host whose last label is a number as an address; the standard library reads one spelling only.
    let last = host.rsplit('.').next().unwrap_or_default();
    let decimal = last.bytes().all(|byte| byte.is_ascii_digit());
    let hexadecimal = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if (decimal || hexadecimal) && host.parse::<Ipv4Addr>().is_err() { Err(UriFault::Address) } else { Ok(()) }
}

/// RFC 5952, without the mixed form: for mapped addresses, parsers disagree on which form is canonical.
fn check_ipv6(text: &str) -> Result<(), UriFault> {
    let address: Ipv6Addr = text.parse().map_err(|_| UriFault::Address)?;
    if !text.contains('.') && format!("{address}") == text { Ok(()) } else { Err(UriFault::Address) }
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=MAX_LABEL_BYTES).contains(&label.len())
        && label.bytes().all(allowed)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Also finds the segments that only some servers take for dots: behind an encoded slash, or before path parameters.
fn has_dot_segment(path: &str) -> bool {
    let unfolded = ["%2F", "%2f", "%5C", "%5c"].iter().fold(path.to_owned(), |path, slash| path.replace(slash, "/"));
    unfolded.split('/').any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}
