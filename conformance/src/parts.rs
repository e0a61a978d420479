//! Properties of the small readers: addresses, header fields, cookies, media types and `Basic` credentials.
//!
//! Each is held to `url`, to the standard library or to a plain definition, never to the code it is about.
#![allow(clippy::expect_used, reason = "a property fails by panicking")]

use crate::hostile::{NOW, SECRET, Tape, World, env};
use lockstep_oauth::address::{AddressRule, literal, permits};
use lockstep_oauth::http::{HttpRequest, Repeated};
use lockstep_oauth::uri::Uri;
use std::net::IpAddr;
use url::{Host, Url};

/// The host of a URL is an address to us exactly where it is one to `url`, and the same one; no address that is meant for
/// a machine, a site or nobody may be fetched from.
pub fn address_property(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(address) = text.parse::<IpAddr>() {
        address_is_judged(address);
    }
    let Ok(uri) = Uri::parse(&format!("https://{text}/")) else { return };
    let Ok(theirs) = Url::parse(uri.as_str()) else { return };
    let address = match theirs.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        _ => None,
    };
    assert_eq!(uri.host().and_then(literal), address, "{text}");
    if let Some(address) = address {
        address_is_judged(address);
    }
}

fn address_is_judged(address: IpAddr) {
    let (public, loopback) = (permits(AddressRule::Public, address), permits(AddressRule::PublicOrLoopback, address));
    assert_eq!(loopback, public || address.is_loopback(), "{address}");
    if !public {
        return;
    }
    assert!(!address.is_loopback() && !address.is_unspecified() && !address.is_multicast(), "{address}");
    match address {
        IpAddr::V4(address) => {
            assert!(!address.is_private() && !address.is_link_local() && !address.is_broadcast(), "{address}");
            assert!(!address.is_documentation() && !matches!(address.octets(), [0 | 240.., ..]), "{address}");
        }
        IpAddr::V6(address) => {
            assert!(!address.is_unique_local() && !address.is_unicast_link_local(), "{address}");
            // Whatever wraps an address of the older family: mapped, compatible, NAT64, 6to4, Teredo.
            assert!(address.to_ipv4().is_none(), "{address}");
            assert!(!matches!(address.segments(), [0x64, 0xff9b, ..] | [0x2002, ..] | [0x2001, 0, ..]), "{address}");
        }
    }
}

/// Each line is a header field. A field is read when it comes once, its cookies and media type by their definitions.
pub fn header_property(data: &[u8]) {
    let fields: Vec<(String, Vec<u8>)> = data
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at(colon);
            Some((String::from_utf8(name.to_vec()).ok()?, value.get(1..)?.to_vec()))
        })
        .collect();
    let request = HttpRequest { headers: fields.clone(), ..HttpRequest::default() };
    let named = |name: &str| -> Vec<&[u8]> {
        fields.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice()).collect()
    };
    for name in fields.iter().map(|(name, _)| name.to_ascii_uppercase()).chain(["absent".to_owned()]) {
        let values = named(&name);
        assert_eq!(request.has_header(&name), !values.is_empty());
        let expected = match values.as_slice() {
            [] => Ok(None),
            [value] => Ok(str::from_utf8(value).ok().map(|value| value.trim_matches([' ', '\t']))),
            _ => Err(Repeated),
        };
        assert_eq!(request.header(&name), expected, "{name}");
    }
    let essence = match named("content-type").as_slice() {
        [value] => str::from_utf8(value).ok().map(|value| value.split(';').next().unwrap_or_default().trim()),
        _ => None,
    };
    for wanted in ["application/json", "application/x-www-form-urlencoded"] {
        let is = essence.is_some_and(|essence| essence.eq_ignore_ascii_case(wanted));
        assert_eq!(request.is_media_type(wanted), is, "{essence:?}");
    }
    let lines: Option<Vec<&str>> = named("cookie").into_iter().map(|value| str::from_utf8(value).ok()).collect();
    let pairs: Vec<(&str, &str)> = lines
        .iter()
        .flatten()
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .collect();
    for name in pairs.iter().map(|(name, _)| *name).chain(["absent"]) {
        let values: Vec<&str> = pairs.iter().filter(|(key, _)| *key == name).map(|(_, value)| *value).collect();
        match (values.as_slice(), request.cookie(name)) {
            ([one], read) => assert_eq!(read, Some(*one)),
            // A line that is no text may end the search early; it never brings a cookie out.
            (_, read) => assert_eq!(read, None, "{name}"),
        }
    }
}

/// `Basic` credentials, as they stand (first byte odd) or still to be encoded. A client is let in by its name and secret
/// and by nothing else, and by them it is.
pub fn basic_property(data: &[u8]) {
    let (mut tape, text) = Tape::split(data, 1);
    let credentials = if tape.byte() % 2 == 1 { text.to_vec() } else { base64(text).into_bytes() };
    let mut world = World::new(0);
    let mut request = world.request("POST", "/introspect", b"token=x", 7);
    request.headers.push(("Authorization".to_owned(), [b"Basic ", credentials.as_slice()].concat()));
    let step = world.server.handle(request, env(NOW, 9));
    let (answer, _) = world.drive(step, &mut Tape::split(&[], 0).0, NOW);
    let names_the_client = || {
        let text =
            String::from_utf8(from_base64(str::from_utf8(&credentials).ok()?.trim_matches([' ', '\t']))?).ok()?;
        let (name, secret) = text.split_once(':')?;
        Some(half(name) == "secret" && half(secret) == SECRET)
    };
    let expected = names_the_client().unwrap_or(false);
    assert_eq!(answer.response.status == 200, expected, "{:?} {:?}", credentials.escape_ascii().to_string(), answer);
}

/// One half of `Basic` credentials as `url` reads a form's value.
fn half(text: &str) -> String {
    let value = format!("v={}", text.replace('&', "%26"));
    url::form_urlencoded::parse(value.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    let digit = |index: u32| ALPHABET.get(index as usize % 64).map_or('=', |digit| char::from(*digit));
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let group = chunk.iter().chain([&0, &0]).take(3).fold(0, |group, byte| group << 8 | u32::from(*byte));
            let digits = [18, 12, 6, 0].map(|shift| digit(group >> shift));
            digits.into_iter().take(chunk.len() + 1).chain(std::iter::repeat_n('=', 3 - chunk.len()))
        })
        .collect()
}

/// The bytes that exactly this Base64 stands for.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    let mut bits = Vec::new();
    for letter in bare.bytes() {
        let value = ALPHABET.iter().position(|digit| *digit == letter)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let bytes: Vec<u8> =
        bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | *bit as u8)).collect();
    (base64(&bytes) == text).then_some(bytes)
}
