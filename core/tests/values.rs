//! Properties of the parsed values through the public API.

use lockstep_oauth::address::{AddressRule, literal, permits};
use lockstep_oauth::pkce::{Challenge, Verifier};
use lockstep_oauth::redirect::{RedirectPolicy, RedirectUri, match_registered};
use lockstep_oauth::resource::ResourceTable;
use lockstep_oauth::scope::{Scopes, Selection};
use lockstep_oauth::uri::Uri;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_parser_panic(text in any::<String>()) {
        let accepted = Uri::parse(&text).is_ok_and(|uri| uri.as_str() == text);
        let redirect = RedirectUri::parse(&text, &RedirectPolicy::default());
        prop_assert!(accepted || redirect.is_err());
        prop_assert!(accepted || ResourceTable::new(vec![(text.clone(), vec![])]).is_err());
        let _ = (Scopes::parse(&text), Challenge::parse(&text), Verifier::parse(&text), literal(&text));
    }

    #[test]
    fn a_part_in_any_place_that_is_not_its_own_spelling_is_refused(path in "/[a-z]{1,5}", index in 0usize..20, insert in "[#\\\\ \t\u{e9}@<>\"{}|^`]") {
        let mut text = format!("https://host.example:8443{path}");
        text.insert_str(index, &insert);
        prop_assert!(Uri::parse(&text).is_err(), "{}", text);
    }

    #[test]
    fn an_ipv6_host_has_one_spelling(segments in any::<[u16; 8]>(), zeros in any::<u8>()) {
        let mut segments = segments;
        for (index, segment) in segments.iter_mut().enumerate() {
            if zeros >> index & 1 == 1 { *segment = 0 }
        }
        let address = Ipv6Addr::from(segments);
        let compressed = format!("http://[{address}]:9/");
        let full = format!("http://[{}]:9/", segments.map(|segment| format!("{segment:x}")).join(":"));
        prop_assert_eq!(Uri::parse(&compressed).is_ok(), address.to_ipv4_mapped().is_none());
        prop_assert!(full == compressed || Uri::parse(&full).is_err());
        if let Ok(uri) = Uri::parse(&compressed) {
            prop_assert_eq!(uri.host_ip(), Some(IpAddr::V6(address)));
        }
    }

    #[test]
    fn an_ipv4_host_has_one_spelling(bits in any::<u32>()) {
        let address = Ipv4Addr::from_bits(bits);
        let [a, b, c, d] = address.octets();
        prop_assert_eq!(Uri::parse(&format!("https://{address}/x")).ok().and_then(|uri| uri.host_ip()), Some(IpAddr::V4(address)));
        for other in [bits.to_string(), format!("{bits:#x}"), format!("{a:#x}.{b}.{c}.{d}"), format!("0{a}.{b}.{c}.{d}"), format!("{a}.{b}.{d}")] {
            prop_assert!(Uri::parse(&format!("https://{other}/x")).is_err(), "{}", other);
        }
    }

    #[test]
    fn what_the_standard_library_calls_local_is_never_public(bits in any::<u32>(), high in any::<u128>()) {
        let v4 = Ipv4Addr::from_bits(bits);
        let local = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified();
        prop_assert!(!(local && permits(AddressRule::Public, IpAddr::V4(v4))));
        let v6 = Ipv6Addr::from_bits(high);
        let local = v6.is_loopback() || v6.is_multicast() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local();
        prop_assert!(!(local && permits(AddressRule::Public, IpAddr::V6(v6))));
        for carrier in [v4.to_ipv6_mapped(), v4.to_ipv6_compatible(), Ipv6Addr::from_bits((0x64_ff9b << 96) | u128::from(bits))] {
            prop_assert!(!permits(AddressRule::Public, IpAddr::V6(carrier)));
        }
    }

    #[test]
    fn a_loopback_port_is_free(host in "(localhost|127\\.0\\.0\\.1|\\[::1\\])", one in 1u16.., two in 1u16.., path in "(/[a-z]{0,3})?") {
        prop_assume!(one != 80 && two != 80);
        let registered = [RedirectUri::parse(&format!("http://{host}:{one}{path}"), &RedirectPolicy::default()).map_err(|fault| TestCaseError::fail(fault.to_string()))?];
        for requested in [format!("http://{host}:{two}{path}"), format!("http://{host}{path}")] {
            prop_assert!(match_registered(&requested, &registered).is_some());
        }
        for requested in [format!("https://{host}:{two}{path}"), format!("http://{host}:{two}{path}x"), format!("http://{host}x:{two}{path}"), format!("http://{host}:{two}0000{path}")] {
            prop_assert!(match_registered(&requested, &registered).is_none(), "{}", requested);
        }
    }

    #[test]
    fn a_narrowed_selection_names_what_was_chosen(approved in "([a-k] ){1,12}", bits in any::<u64>()) {
        let approved = Scopes::parse(&approved).map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        let all = Selection::all(&approved);
        prop_assert_eq!(Selection::from_bits(bits, &approved).is_some(), bits & !all.bits() == 0);
        if let Some(selection) = Selection::from_bits(bits & all.bits(), &approved) {
            prop_assert_eq!(Selection::of(&approved, &selection.names(&approved)), Some(selection));
        }
    }

    #[test]
    fn only_its_verifier_proves_a_challenge(one in "[A-Za-z0-9._~-]{43,128}", two in "[A-Za-z0-9._~-]{43,128}") {
        if let (Ok(one), Ok(two)) = (Verifier::parse(&one), Verifier::parse(&two)) {
            prop_assert!(Challenge::of(&one).proves(&one));
            prop_assert_eq!(Challenge::of(&one).proves(&two), one.expose() == two.expose());
        } else {
            prop_assert!(false, "a verifier of the right form is refused");
        }
    }
}
