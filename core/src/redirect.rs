//! Redirect URIs: checked at registration, matched byte for byte, and extended with an answer.
//!
//! Sources: OAuth 2.1-15 §2.3 and §8.4, RFC 8252 §7 and §8, RFC 9700 §2.1; conflicts CF-5 and CF-6 of the catalogue.

use crate::http::percent_encode;
use crate::uri::{Uri, UriFault};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Query parameters that an authorization response owns. No redirect URI may bring its own.
pub const RESPONSE_PARAMETERS: [&str; 7] =
    ["code", "state", "iss", "error", "error_description", "error_uri", "response"];

/// Schemes that are never a redirect, whatever a policy allows: a browser runs them, reads local data with them, or has
/// rules of its own for them.
const REFUSED_SCHEMES: [&str; 25] = [
    "about",
    "blob",
    "chrome",
    "chrome-extension",
    "content",
    "data",
    "feed",
    "file",
    "filesystem",
    "ftp",
    "intent",
    "jar",
    "javascript",
    "livescript",
    "mailto",
    "mhtml",
    "ms-its",
    "resource",
    "sms",
    "tel",
    "vbscript",
    "view-source",
    "ws",
    "wss",
    "wyciwyg",
];

/// Which private-use schemes an authorization server accepts beside reverse-domain ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RedirectPolicy {
    /// Schemes without a period, accepted by name: lower case, without colon.
    pub private_schemes: Vec<String>,
}

impl RedirectPolicy {
    /// The first scheme in the list that can never be accepted: malformed, dangerous, or one of the web. A configuration
    /// that has one is wrong.
    pub fn unusable_scheme(&self) -> Option<&str> {
        let usable = |scheme: &str| {
            Uri::parse(&format!("{scheme}:/x")).is_ok_and(|uri| uri.scheme() == scheme) && !is_refused(scheme)
        };
        self.private_schemes.iter().map(String::as_str).find(|scheme| !usable(scheme))
    }

    fn accepts(&self, scheme: &str) -> bool {
        let reverse_domain = scheme.contains('.') && scheme.split('.').all(|label| !label.is_empty());
        !is_refused(scheme) && (reverse_domain || self.private_schemes.iter().any(|allowed| allowed == scheme))
    }
}

impl Default for RedirectPolicy {
    /// The editors that are known to register such schemes.
    fn default() -> Self {
        Self { private_schemes: ["cursor", "vscode", "vscode-insiders", "windsurf"].map(ToOwned::to_owned).into() }
    }
}

/// A redirect URI that was accepted at registration, kept as spelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RedirectUri(Uri);

impl RedirectUri {
    /// Checks a redirect URI for registration.
    ///
    /// Accepted are https on any host, http on `localhost`, `127.0.0.1` and `[::1]` with or without port, and private-use
    /// schemes that are reverse-domain or allowed by `policy`.
    ///
    /// # Errors
    /// The first fault found.
    pub fn parse(text: &str, policy: &RedirectPolicy) -> Result<Self, RedirectFault> {
        if text.contains('*') {
            return Err(RedirectFault::Wildcard);
        }
        let uri = Uri::parse(text).map_err(RedirectFault::Uri)?;
        match uri.scheme() {
            "https" => {}
            "http" if uri.host_is_loopback() => {}
            "http" => return Err(RedirectFault::Insecure),
            scheme if policy.accepts(scheme) => {}
            _ => return Err(RedirectFault::Scheme),
        }
        // `example.com:3000/cb` is a web address without its scheme, not an app called `example.com`.
        if uri.path().starts_with(|first: char| first.is_ascii_digit()) {
            return Err(RedirectFault::Scheme);
        }
        // Some readers split at semicolons too.
        let mut names = uri.query().unwrap_or_default().split(['&', ';']).map(|pair| pair.split('=').next());
        if names.any(|name| name.is_some_and(|name| RESPONSE_PARAMETERS.contains(&name))) {
            return Err(RedirectFault::ResponseParameter);
        }
        Ok(Self(uri))
    }

    /// The redirect URI as it was spelled.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The URI itself.
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether it leads to an app on the user's own machine by http.
    pub fn is_loopback(&self) -> bool {
        self.0.is_http_loopback()
    }
}

/// Finds a requested redirect URI among the registered ones.
///
/// It must equal one of them byte for byte. On http loopback the port is free on both sides, and may be missing on
/// either; host spelling, path and query must still be equal (RFC 8252 §7.3, extended to `localhost`).
pub fn match_registered(requested: &str, registered: &[RedirectUri]) -> Option<CheckedRedirect> {
    if registered.iter().any(|candidate| candidate.as_str() == requested) {
        return Some(CheckedRedirect(requested.to_owned()));
    }
    let uri = Uri::parse(requested).ok().filter(Uri::is_http_loopback)?;
    let same_but_for_port = |candidate: &RedirectUri| {
        let candidate = candidate.uri();
        candidate.is_http_loopback()
            && candidate.host() == uri.host()
            && candidate.path() == uri.path()
            && candidate.query() == uri.query()
    };
    registered.iter().any(same_but_for_port).then(|| CheckedRedirect(requested.to_owned()))
}

/// Proof that a redirect URI is one of the client's: where an answer may be sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckedRedirect(String);

impl CheckedRedirect {
    /// Rebuilds the proof from a ticket or record that this server sealed. The text must come from nowhere else.
    #[allow(dead_code, reason = "the endpoints that open tickets are above this file")]
    pub(crate) fn from_sealed(text: String) -> Self {
        Self(text)
    }

    /// The redirect URI as it was requested.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What to show a person as the place the answer goes to: `host` or `host:port` of a web address, else the scheme.
    ///
    /// Source: MCP-X11. It is plain text and still needs escaping.
    pub fn host_label(&self) -> String {
        let (scheme, rest) = self.0.split_once(':').unwrap_or((&self.0, ""));
        let authority = rest.strip_prefix("//").and_then(|rest| rest.split(['/', '?']).next());
        match authority {
            Some(authority) if matches!(scheme, "http" | "https") => authority.to_owned(),
            _ => scheme.to_owned(),
        }
    }

    /// Whether the answer goes to an app on the user's own machine by http: any program there could be listening.
    pub fn is_loopback(&self) -> bool {
        Uri::parse(&self.0).is_ok_and(|uri| uri.is_http_loopback())
    }

    /// The URI with parameters added behind its own query, form-encoded (RFC 6749 §4.1.2).
    ///
    /// Everything but unreserved characters is percent-encoded, a space as `%20`, which form decoders read too.
    pub fn with_parameters(&self, parameters: &[(&str, &str)]) -> String {
        let mut text = self.0.clone();
        let mut separator = match self.0.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        for (name, value) in parameters {
            text.push_str(separator);
            percent_encode(name, &mut text);
            text.push('=');
            percent_encode(value, &mut text);
            separator = "&";
        }
        text
    }
}

/// Why a redirect URI is refused at registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RedirectFault {
    /// It is not a URI that every parser reads alike.
    Uri(UriFault),
    /// http on a host that is not loopback.
    Insecure,
    /// A scheme that is dangerous, or private but neither reverse-domain nor allowed by name.
    Scheme,
    /// An asterisk: wildcards do not exist, and a literal one is always a mistake.
    Wildcard,
    /// A query parameter that belongs to the authorization response.
    ResponseParameter,
}

impl fmt::Display for RedirectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uri(fault) => return fault.fmt(f),
            Self::Insecure => "the redirect URI uses http on a host that is not loopback",
            Self::Scheme => "the scheme of the redirect URI is not allowed",
            Self::Wildcard => "the redirect URI has an asterisk, and wildcards are not supported",
            Self::ResponseParameter => "the query of the redirect URI has a parameter of the authorization response",
        })
    }
}

impl core::error::Error for RedirectFault {}

fn is_refused(scheme: &str) -> bool {
    matches!(scheme, "http" | "https") || REFUSED_SCHEMES.contains(&scheme)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn register(text: &str) -> Result<RedirectUri, RedirectFault> {
        RedirectUri::parse(text, &RedirectPolicy::default())
    }

    fn matches(registered: &str, requested: &str) -> bool {
        match_registered(requested, &[register(registered).unwrap()]).is_some()
    }

    fn checked(text: &str) -> CheckedRedirect {
        match_registered(text, &[register(text).unwrap()]).unwrap()
    }

    #[test]
    #[rustfmt::skip]
    fn what_real_clients_register_is_accepted() {
        for text in [
            "https://client.example/cb", "https://client.example/cb?tenant=1", "https://10.0.0.1/cb",
            "http://127.0.0.1/", "http://127.0.0.1:33418/", "http://localhost/callback", "http://[::1]:8/cb",
            "https://vscode.dev/redirect", "https://claude.ai/api/mcp/auth_callback",
            "cursor://anysphere.cursor-mcp/oauth/callback", "vscode://publisher.extension/cb", "com.example.app:/cb",
            "com.example.app:cb", "com.raycast:/oauth?package_name=x", "https://h/cb?Code=x",
            "https://h/cb?codex=1&x=code", "https://h/code=1",
        ] {
            assert_eq!(register(text).as_ref().map(RedirectUri::as_str), Ok(text));
        }
    }

    #[test]
    #[rustfmt::skip]
    fn what_could_harm_is_refused_at_registration() {
        use RedirectFault::*;
        for (text, fault) in [
            ("http://client.example/cb", Insecure), ("http://127.0.0.2/cb", Insecure),
            ("http://0.0.0.0:5/cb", Insecure), ("http://localhost.evil.example/cb", Insecure),
            ("http://127.0.0.1.evil.example:5/cb", Insecure), ("http://app.localhost/cb", Insecure),
            ("javascript:alert(1)//client.example/cb", Scheme), ("data:text/html,x", Scheme), ("vbscript:x", Scheme),
            ("blob:https://h/x", Scheme), ("about:blank", Scheme), ("ftp://h/x", Scheme), ("ws://h/x", Scheme),
            ("wss://h/x", Scheme), ("myapp:/cb", Scheme), ("a..b:/cb", Scheme), ("app.:/cb", Scheme),
            ("localhost:3000/cb", Scheme), ("example.com:3000/cb", Scheme), ("JavaScript:x", Uri(UriFault::Scheme)),
            ("file:///x", Uri(UriFault::Scheme)), ("/cb", Uri(UriFault::Scheme)),
            ("https://h/cb#", Uri(UriFault::Fragment)), ("https://u@h/cb", Uri(UriFault::Userinfo)),
            ("https://evil.example\\@h/cb", Uri(UriFault::Character)), ("https://*.h/cb", Wildcard),
            ("https://h/*", Wildcard), ("http://localhost:*/cb", Wildcard),
            ("https://h/cb?x;code=1", ResponseParameter), ("https://h/cb?%63ode=1", Uri(UriFault::Percent)),
        ] {
            assert_eq!(register(text), Err(fault), "{text}");
        }
        for name in RESPONSE_PARAMETERS {
            for text in [format!("https://h/?{name}=x"), format!("https://h/?a=1&{name}"), format!("app.x:/cb?{name}=")]
            {
                assert_eq!(register(&text), Err(ResponseParameter), "{text}");
            }
        }
    }

    #[test]
    fn no_policy_can_allow_a_dangerous_scheme() {
        for scheme in ["javascript", "data", "http", "https", "wss", "file", "Upper", "", "a:b", "intent"] {
            let policy = RedirectPolicy { private_schemes: vec!["fine".to_owned(), scheme.to_owned()] };
            assert_eq!(policy.unusable_scheme(), Some(scheme));
        }
        let policy = RedirectPolicy { private_schemes: vec!["javascript".to_owned(), "fine".to_owned()] };
        assert_eq!(RedirectUri::parse("javascript:x", &policy), Err(RedirectFault::Scheme));
        assert!(RedirectUri::parse("fine:/x", &policy).is_ok());
        assert_eq!(RedirectPolicy::default().unusable_scheme(), None);
    }

    #[test]
    #[rustfmt::skip]
    fn a_web_redirect_matches_only_its_own_bytes() {
        assert!(matches("https://client.example/cb", "https://client.example/cb"));
        for requested in [
            "", "https://client.example/cb/FAKEPATH", "https://client.example/cb%2FFAKEPATH",
            "https://client.example/cb/..%252F", "https://client.example/FAKEPATH/../cb",
            "https://client.example/..;/cb", "https://client.example/cb?x=1", "https://client.example/cb#",
            "https://client.example/cb?", "https://client.example/cb/", "https://CLIENT.example/cb",
            "HTTPS://client.example/cb", "https://client.example:443/cb", "https://client.example:8443/cb",
            "https://client.example./cb", "https://client.example/%63b", "http://client.example/cb",
            "https://client.example/CB", "https://client.example/c\tb", " https://client.example/cb",
            "https://client.example/cb ", "https://client.example.evil.example/cb", "https://evilclient.example/cb",
            "//client.example/cb", "/cb",
        ] {
            assert!(!matches("https://client.example/cb", requested), "{requested:?}");
        }
        assert!(!matches("cursor://a.b/cb", "cursor://a.b:5/cb"));
        assert!(!matches("https://127.0.0.1/cb", "https://127.0.0.1:5/cb"));
        assert!(!matches("https://127.0.0.1/cb", "http://127.0.0.1:5/cb"));
    }

    #[test]
    #[rustfmt::skip]
    fn a_loopback_redirect_matches_on_any_port_and_nothing_else() {
        for (registered, requested) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb"),
            ("http://127.0.0.1:8080/cb", "http://127.0.0.1:9090/cb"),
            ("http://127.0.0.1:8080/cb", "http://127.0.0.1/cb"), ("http://localhost/cb", "http://localhost:3000/cb"),
            ("http://[::1]/cb", "http://[::1]:9/cb"), ("http://127.0.0.1/", "http://127.0.0.1:5/"),
            ("http://localhost/cb?t=1", "http://localhost:65535/cb?t=1"),
        ] {
            assert!(matches(registered, requested), "{requested}");
        }
        for requested in [
            "http://127.0.0.1:51004/cb/", "http://127.0.0.1:51004/CB", "http://127.0.0.1:51004/cb?x=1",
            "http://127.0.0.1:5/", "https://127.0.0.1:51004/cb", "http://localhost:5/cb", "http://[::1]:5/cb",
            "http://127.1:5/cb", "http://127.0.0.1:5/cb?", "http://2130706433:5/cb", "http://0x7f.0.0.1:5/cb",
            "http://0177.0.0.1:5/cb", "http://127.0.0.1.:5/cb", "http://[::ffff:127.0.0.1]:5/cb", "http://0.0.0.0:5/cb",
            "http://127.0.0.2:5/cb", "http://127.0.0.1evil.example/cb", "http://127.0.0.1.evil.example:5/cb",
            "http://127.0.0.1:51004@evil.example/cb", "http://user@127.0.0.1:5/cb", "http://127.0.0.1:0/cb",
            "http://127.0.0.1:65536/cb", "http://127.0.0.1:/cb", "http://127.0.0.1:+80/cb", "http://127.0.0.1:0080/cb",
            "http://127.0.0.1:80/cb", "http://127.0.0.1:８０/cb", "http://127.0.0.1:5/cb#x",
        ] {
            assert!(!matches("http://127.0.0.1/cb", requested), "{requested}");
        }
        assert!(!matches("http://[::1]/cb", "http://[0:0:0:0:0:0:0:1]:9/cb"));
        assert!(!matches("http://localhost/cb", "http://localhost.evil.example/cb"));
        assert!(match_registered("http://127.0.0.1:5/cb", &[]).is_none());
    }

    #[test]
    fn parameters_are_added_behind_the_existing_query() {
        for (redirect, expected) in [
            ("https://h/cb", "https://h/cb?code=a%26b%20c%2B&iss=https%3A%2F%2Fas"),
            ("https://h", "https://h?code=a%26b%20c%2B&iss=https%3A%2F%2Fas"),
            ("https://h/cb?tenant=1", "https://h/cb?tenant=1&code=a%26b%20c%2B&iss=https%3A%2F%2Fas"),
            ("https://h/cb?", "https://h/cb?code=a%26b%20c%2B&iss=https%3A%2F%2Fas"),
            ("https://h/cb?a&", "https://h/cb?a&code=a%26b%20c%2B&iss=https%3A%2F%2Fas"),
            ("app.x:cb", "app.x:cb?code=a%26b%20c%2B&iss=https%3A%2F%2Fas"),
        ] {
            assert_eq!(checked(redirect).with_parameters(&[("code", "a&b c+"), ("iss", "https://as")]), expected);
            assert_eq!(checked(redirect).with_parameters(&[]), redirect);
        }
        let text = checked("https://h/").with_parameters(&[("s\r\n", "é#\0~")]);
        assert_eq!(text, "https://h/?s%0D%0A=%C3%A9%23%00~");
    }

    #[test]
    #[rustfmt::skip]
    fn a_person_sees_the_host_or_the_scheme() {
        for (redirect, label, loopback) in [
            ("https://client.example/cb", "client.example", false), ("https://h:8443?x=/", "h:8443", false),
            ("http://localhost:5/cb", "localhost:5", true), ("http://[::1]/", "[::1]", true),
            ("cursor://anysphere.cursor-mcp/x", "cursor", false), ("com.example.app:/cb", "com.example.app", false),
        ] {
            let redirect = CheckedRedirect::from_sealed(checked(redirect).as_str().to_owned());
            assert_eq!((redirect.host_label().as_str(), redirect.is_loopback()), (label, loopback));
        }
    }
}
