//! The rules about strings: redirects, resources, scopes and verifiers, from their definitions.

use crate::policy::{ALIAS, Policy, RESOURCES, SCOPES, Scopes};

/// Whether a redirect is one of the registered ones: the same string, but for the port of http on loopback
/// (OAuth 2.1 §2.3.1, RFC 8252 §7.3, NAT-3, NAT-4).
pub fn redirect_is_registered(requested: &str, registered: &[&str]) -> bool {
    registered.iter().any(|one| {
        *one == requested
            || match (on_loopback(one), on_loopback(requested)) {
                (Some(known), Some(asked)) => known == asked,
                _ => false,
            }
    })
}

/// Host and the rest of an http redirect on loopback, without its port. `None` for every other string.
fn on_loopback(redirect: &str) -> Option<(&str, &str)> {
    let after_scheme = redirect.strip_prefix("http://")?;
    let host = ["127.0.0.1", "localhost", "[::1]"].into_iter().find(|host| after_scheme.starts_with(host))?;
    let after_host = &after_scheme[host.len()..];
    let rest = match after_host.strip_prefix(':') {
        None => after_host,
        Some(port) => {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = port.split_at(digits);
            // A port is 1 to 65535 without leading zeros: other spellings are not read alike everywhere.
            let valid = !number.starts_with('0') && number.parse::<u16>().is_ok();
            if !valid {
                return None;
            }
            rest
        }
    };
    // An end of the host that is none (`localhost.evil.example`, `127.0.0.1@evil.example`) is no loopback.
    if rest.is_empty() || rest.starts_with('/') || rest.starts_with('?') { Some((host, rest)) } else { None }
}

/// The configured resource that a `resource` value means: the same string, but for the case of scheme and host, a lone
/// slash after the host, and the operator's aliases (RFC 8707, MCP-P4, CF-4).
pub fn resource_of(requested: &str, policy: &Policy) -> Option<&'static str> {
    let spelled = [(RESOURCES[0], RESOURCES[0]), (RESOURCES[1], RESOURCES[1]), (ALIAS, RESOURCES[1])];
    let known = spelled.iter().filter(|(_, means)| policy.resources().contains(means));
    let mut meant = known.filter(|(one, _)| plain(one) == plain(requested)).map(|(_, means)| *means);
    meant.next()
}

/// A URI with scheme and host in lower case, and without a path that is a slash alone.
fn plain(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else { return uri.to_owned() };
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let path = if path == "/" { "" } else { path };
    format!("{}://{}{path}", scheme.to_ascii_lowercase(), host.to_ascii_lowercase())
}

/// The names in a `scope` value; `None` when it holds a character that no scope has (RFC 6749 §3.3).
pub fn scope_names(value: &str) -> Option<Scopes> {
    let allowed = |letter: char| letter == ' ' || (letter.is_ascii_graphic() && letter != '"' && letter != '\\');
    value.chars().all(allowed).then(|| value.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// The scopes of a request that names none.
pub fn default_scopes() -> Scopes {
    SCOPES.iter().filter(|scope| scope.default).map(|scope| scope.name.to_owned()).collect()
}

/// Whether a scope is one of the operator's.
pub fn scope_is_known(name: &str) -> bool {
    SCOPES.iter().any(|scope| scope.name == name)
}

/// Whether the user may leave a scope out.
pub fn scope_is_optional(name: &str) -> bool {
    SCOPES.iter().any(|scope| scope.name == name && scope.optional)
}

/// Whether these scopes allow what one scope names, by the operator's hierarchy (MCP-E4).
pub fn scopes_cover(held: &Scopes, needed: &str) -> bool {
    held.contains(needed)
        || SCOPES.iter().any(|scope| scope.implies.contains(&needed) && scopes_cover(held, scope.name))
}

/// Whether a verifier has the form of RFC 7636 §4.1.
pub fn verifier_is_well_formed(verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved)
}
