//! URIs that are checked once and then kept byte for byte as they were spelled (design decision D8).
//!
//! The reader accepts only what every parser reads alike, and nothing here ever re-serialises.

use crate::address::{self, AddressRule};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::net::IpAddr;
use grammar::{Parts, check, split_port};

mod grammar;

pub(crate) use grammar::{is_unreserved, is_uri_byte};

/// The longest URI that is read, in bytes.
pub const MAX_URI_BYTES: usize = 2048;
/// The longest host name, in bytes (RFC 1035 §3.1).
pub const MAX_HOST_BYTES: usize = 253;
/// The longest label of a host name, in bytes (RFC 1035 §3.1).
pub const MAX_LABEL_BYTES: usize = 63;

/// An absolute URI without fragment, checked and kept byte for byte as spelled.
///
/// Equality, order and hash are those of the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uri(String);

impl Uri {
    /// Reads an absolute URI strictly.
    ///
    /// At most [`MAX_URI_BYTES`] of RFC 3986 characters; lower-case scheme and host; canonical IPv4 and IPv6 literals; a
    /// port from 1 to 65535 that is not the scheme's default. No userinfo, fragment, dot segment (also one that only
    /// some readers see: `..;`, `%2F..`), trailing dot, percent-encoded unreserved character, `'` in the query, or scheme
    /// `file`. An empty path after an authority is allowed and kept.
    ///
    /// # Errors
    /// The first fault found.
    pub fn parse(text: &str) -> Result<Self, UriFault> {
        check(text)?;
        Ok(Self(text.to_owned()))
    }

    /// Reads an issuer: https, or http on a loopback host; no query (RFC 8414 §2).
    ///
    /// # Errors
    /// [`UriFault::Insecure`], [`UriFault::Query`], or a fault of [`Uri::parse`].
    pub fn issuer(text: &str) -> Result<Self, UriFault> {
        let uri = Self::secure_or_loopback(text)?;
        if uri.query().is_some() { Err(UriFault::Query) } else { Ok(uri) }
    }

    /// Reads the URL of a client's metadata document: https, a path beyond `/`, no query, any port.
    ///
    /// Its host is not loopback and no special-use address; with `allow_loopback` (development) loopback is allowed, by
    /// http too. The addresses behind a name are judged when it is fetched.
    ///
    /// # Errors
    /// [`UriFault::Insecure`], [`UriFault::Path`], [`UriFault::Query`], [`UriFault::SpecialUse`], or a fault of
    /// [`Uri::parse`].
    pub fn client_document(text: &str, allow_loopback: bool) -> Result<Self, UriFault> {
        let uri = Self::endpoint(text, allow_loopback)?;
        if matches!(uri.path(), "" | "/") {
            return Err(UriFault::Path);
        }
        if uri.query().is_some() { Err(UriFault::Query) } else { Ok(uri) }
    }

    /// Reads the URL of an endpoint that we fetch, such as a `jwks_uri`: https, and no host that is loopback or a
    /// special-use address; with `allow_loopback` loopback is allowed, by http too.
    ///
    /// # Errors
    /// [`UriFault::Insecure`], [`UriFault::SpecialUse`], or a fault of [`Uri::parse`].
    pub fn endpoint(text: &str, allow_loopback: bool) -> Result<Self, UriFault> {
        let uri = Self::secure_or_loopback(text)?;
        if allow_loopback {
            return if uri.is_permitted(AddressRule::PublicOrLoopback) { Ok(uri) } else { Err(UriFault::SpecialUse) };
        }
        if !uri.is_https() {
            return Err(UriFault::Insecure);
        }
        let local_name = uri.host().is_some_and(|host| host == "localhost" || host.ends_with(".localhost"));
        if local_name || !uri.is_permitted(AddressRule::Public) { Err(UriFault::SpecialUse) } else { Ok(uri) }
    }

    /// Reads what may carry a token or be asked for one: https, or http on a loopback host.
    pub(crate) fn secure_or_loopback(text: &str) -> Result<Self, UriFault> {
        let uri = Self::parse(text)?;
        if uri.is_https() || uri.is_http_loopback() { Ok(uri) } else { Err(UriFault::Insecure) }
    }

    /// The URI as it was spelled.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The scheme, without its colon.
    pub fn scheme(&self) -> &str {
        Parts::of(&self.0).scheme
    }

    /// The host, an IPv6 literal with its brackets; `None` where there is no authority or an empty one.
    pub fn host(&self) -> Option<&str> {
        Parts::of(&self.0).authority.map(|authority| split_port(authority).0).filter(|host| !host.is_empty())
    }

    /// The port, where one is spelled.
    pub fn port(&self) -> Option<u16> {
        Parts::of(&self.0).authority.and_then(|authority| split_port(authority).1)?.parse().ok()
    }

    /// The path, possibly empty.
    pub fn path(&self) -> &str {
        Parts::of(&self.0).path
    }

    /// The query without its question mark; an empty query is `Some("")`.
    pub fn query(&self) -> Option<&str> {
        Parts::of(&self.0).query
    }

    /// `scheme://host[:port]`; `None` where there is no host.
    pub fn origin(&self) -> Option<String> {
        let parts = Parts::of(&self.0);
        parts.authority.filter(|authority| !authority.is_empty()).map(|host| format!("{}://{host}", parts.scheme))
    }

    /// Whether the scheme is https.
    pub fn is_https(&self) -> bool {
        self.scheme() == "https"
    }

    /// Whether this is http on a loopback host.
    pub fn is_http_loopback(&self) -> bool {
        self.scheme() == "http" && self.host_is_loopback()
    }

    /// Whether the host is `localhost`, `127.0.0.1` or `[::1]`: no other spelling counts.
    pub fn host_is_loopback(&self) -> bool {
        matches!(self.host(), Some("localhost" | "127.0.0.1" | "[::1]"))
    }

    /// The host as an address, where it is a literal.
    pub fn host_ip(&self) -> Option<IpAddr> {
        self.host().and_then(address::literal)
    }

    fn is_permitted(&self, rule: AddressRule) -> bool {
        self.host_ip().is_none_or(|address| address::permits(rule, address))
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not accepted as a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UriFault {
    /// Longer than [`MAX_URI_BYTES`].
    TooLong,
    /// A character that its place in a URI does not allow.
    Character,
    /// A percent sign without two hexadecimal digits, or before an encoded unreserved character.
    Percent,
    /// No scheme, one with upper-case letters, or one that parsers read differently.
    Scheme,
    /// The host is missing where the scheme needs one.
    NoHost,
    /// A user name or password before the host.
    Userinfo,
    /// A host name that is malformed, in upper case, or ends in a dot.
    Host,
    /// An address that is not in its canonical spelling.
    Address,
    /// A port that is empty, zero, too large, with leading zeros, or the scheme's default.
    Port,
    /// A `.` or `..` segment.
    DotSegment,
    /// A missing path, or none beyond `/` where one is needed.
    Path,
    /// A query where none is allowed.
    Query,
    /// A fragment.
    Fragment,
    /// Neither https nor http on an allowed loopback host.
    Insecure,
    /// A host of loopback or special use, which we do not connect to.
    SpecialUse,
}

impl fmt::Display for UriFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the URI is longer than 2048 bytes",
            Self::Character => "the URI has a character that is not allowed there",
            Self::Percent => "the URI has a malformed or needless percent-encoding",
            Self::Scheme => "the URI has no usable lower-case scheme",
            Self::NoHost => "the URI has no host",
            Self::Userinfo => "the URI has a user name or password",
            Self::Host => "the host of the URI is not a lower-case host name",
            Self::Address => "the address in the URI is not in its canonical spelling",
            Self::Port => "the port of the URI is not a number from 1 to 65535 or is the default one",
            Self::DotSegment => "the path of the URI has a dot segment",
            Self::Path => "the URI needs a path",
            Self::Query => "the URI must not have a query",
            Self::Fragment => "the URI must not have a fragment",
            Self::Insecure => "the URI is neither https nor http on an allowed loopback host",
            Self::SpecialUse => "the host of the URI is not on the public internet",
        })
    }
}

impl core::error::Error for UriFault {}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv6Addr;

    #[test]
    fn the_accessors_return_what_was_spelled() {
        let uri = Uri::parse("https://h.example:8443/a%2Fb/?q=1&r=%C3%A9").unwrap();
        assert_eq!((uri.scheme(), uri.host(), uri.port()), ("https", Some("h.example"), Some(8443)));
        assert_eq!((uri.path(), uri.query()), ("/a%2Fb/", Some("q=1&r=%C3%A9")));
        assert_eq!(uri.origin().as_deref(), Some("https://h.example:8443"));
        assert!(uri.is_https() && !uri.is_http_loopback() && uri.host_ip().is_none());
        let uri = Uri::parse("http://[::1]:9").unwrap();
        assert_eq!((uri.host(), uri.port(), uri.path(), uri.query()), (Some("[::1]"), Some(9), "", None));
        assert_eq!(uri.host_ip(), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert!(uri.is_http_loopback());
        let uri = Uri::parse("com.example.app:/cb?").unwrap();
        assert_eq!((uri.host(), uri.port(), uri.path(), uri.query()), (None, None, "/cb", Some("")));
        assert_eq!(uri.origin(), None);
        let uri = Uri::parse("cursor://anysphere.cursor-mcp/oauth/callback").unwrap();
        assert_eq!((uri.host(), uri.path()), (Some("anysphere.cursor-mcp"), "/oauth/callback"));
    }

    #[test]
    #[rustfmt::skip]
    fn what_every_parser_reads_alike_is_accepted() {
        for text in [
            "https://h", "https://h/", "https://h?x", "https://h/?", "https://xn--bcher-kva.example/",
            "https://a_b.example/", "https://1.2.3.4:1/", "https://h:65535/", "https://[2001:db8::1]/",
            "https://h/a;b=c,d@e:f!$&'()*+=~", "https://h/a//b", "https://h/...", "https://h/.well-known/x",
            "https://1a.0xg/", "http://h:443/", "https://h:80/", "com.example.app:cb", "com.example.app:///cb",
            "myapp://cb", "myapp://h:80/",
        ] {
            assert_eq!(Uri::parse(text).as_ref().map(Uri::as_str), Ok(text));
        }
    }

    #[test]
    #[rustfmt::skip]
    fn what_parsers_read_differently_is_refused() {
        use UriFault::*;
        for (text, fault) in [
            ("", Scheme), ("/cb", Scheme), ("//h/cb", Scheme), (":x", Scheme), ("HTTPS://h/", Scheme),
            ("1a://h/", Scheme), ("h_t:/x", Scheme), ("file:///x", Scheme), ("https:/h/cb", NoHost),
            ("https:h", NoHost), ("https:///x", NoHost), ("https://", NoHost), ("myapp:", Path), ("myapp://", Path),
            ("myapp:?x", Path), ("https://u@h/", Userinfo), ("https://@h/", Userinfo), ("https://u:p@h/", Userinfo),
            ("https://h/#", Fragment), ("https://h/#x", Fragment), ("https://H/", Host), ("https://h./", Host),
            ("https://a..b/", Host), ("https://.h/", Host), ("https://-h/", Host), ("https://h-/", Host),
            ("https://*.h/", Host), ("https://h%2e/", Percent), ("https://h%2f/", Host), ("https://[::1/", Host),
            ("https://::1/", Host), ("https://a:b:1/", Host), ("https://:1/", Host), ("https://127.1/", Address),
            ("https://2130706433/", Address), ("https://0x7f.0.0.1/", Address), ("https://0177.0.0.1/", Address),
            ("https://127.0.0.0x1/", Address), ("https://127.0.0.0x/", Address), ("https://127.0.0.1./", Host),
            ("https://h.1/", Address), ("https://1.2.3.256/", Address), ("https://[0:0:0:0:0:0:0:1]/", Address),
            ("https://[2001:DB8::1]/", Address), ("https://[::ffff:1.2.3.4]/", Address),
            ("https://[::ffff:102:304]/", Address), ("https://[::1.2.3.4]/", Address), ("https://[v1.x]/", Address),
            ("https://[]/", Address), ("https://[fe80::1%25e]/", Address), ("https://[::1]x/", Host),
            ("https://h:/", Port), ("https://h:0/", Port), ("https://h:00/", Port), ("https://h:080/", Port),
            ("https://h:65536/", Port), ("https://h:+80/", Port), ("https://h:443/", Port), ("http://h:80/", Port),
            ("ws://h:80/", Port), ("wss://h:443/", Port), ("ftp://h:21/", Port), ("https://h/.", DotSegment),
            ("https://h/..", DotSegment), ("https://h/a/../b", DotSegment), ("https://h/./b", DotSegment),
            ("https://h/..;/b", DotSegment), ("https://h/a%2F..", DotSegment), ("https://h/a%5c../b", DotSegment),
            ("https://h/..%2fb", DotSegment), ("https://h/.%5Cb", DotSegment), ("app.x:..", DotSegment),
            ("https://h/%2e%2e/", Percent), ("https://h/%63", Percent), ("https://h/%7E", Percent),
            ("https://h/%", Percent), ("https://h/%4", Percent), ("https://h/%zz", Percent), ("https://h/%+1", Percent),
            ("https://h/a b", Character), (" https://h/", Character), ("https://h/\n", Character),
            ("https://h/\0", Character), ("https://h/\\x", Character), ("https://h/é", Character),
            ("https://h/\"", Character), ("https://h/[", Character), ("https://h/?'", Character),
            ("https://h/?[]", Character), ("https://h/?|", Character), ("https://h/^", Character),
        ] {
            assert_eq!(Uri::parse(text), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn lengths_are_bounded_exactly() {
        let of = |length: usize| format!("https://h/{}", "a".repeat(length - 10));
        assert!(Uri::parse(&of(MAX_URI_BYTES)).is_ok());
        assert_eq!(Uri::parse(&of(MAX_URI_BYTES + 1)), Err(UriFault::TooLong));
        assert!(Uri::parse(&format!("https://{}.b/", "a".repeat(63))).is_ok());
        assert_eq!(Uri::parse(&format!("https://{}.b/", "a".repeat(64))), Err(UriFault::Host));
        assert!(Uri::parse(&format!("https://{}b/", "a.".repeat(126))).is_ok());
        assert_eq!(Uri::parse(&format!("https://{}bb/", "a.".repeat(126))), Err(UriFault::Host));
    }

    #[test]
    #[rustfmt::skip]
    fn an_issuer_is_https_or_loopback_without_query() {
        for text in [
            "https://as.example", "https://as.example/t", "http://localhost:8000", "http://127.0.0.1", "http://[::1]:1",
        ] {
            assert!(Uri::issuer(text).is_ok(), "{text}");
        }
        for text in ["http://as.example", "http://127.0.0.2", "http://localhost.example", "app.x:/a", "ws://localhost"]
        {
            assert_eq!(Uri::issuer(text), Err(UriFault::Insecure), "{text}");
        }
        assert_eq!(Uri::issuer("https://as.example?"), Err(UriFault::Query));
    }

    #[test]
    #[rustfmt::skip]
    fn a_client_document_is_public_https_with_a_path() {
        use UriFault::*;
        assert!(Uri::client_document("https://client.example:8443/c.json", false).is_ok());
        assert!(Uri::client_document("https://8.8.8.8/c.json", false).is_ok());
        for (text, fault) in [
            ("http://client.example/c", Insecure), ("http://127.0.0.1/c", Insecure), ("http://localhost/c", Insecure),
            ("https://client.example", Path), ("https://client.example/", Path), ("https://client.example/c?x", Query),
            ("https://client.example/c?", Query), ("https://10.0.0.1/c", SpecialUse), ("https://[::1]/c", SpecialUse),
            ("https://127.0.0.1/c", SpecialUse), ("https://localhost/c", SpecialUse),
            ("https://a.localhost/c", SpecialUse), ("https://[64:ff9b::a00:1]/c", SpecialUse),
            ("https://169.254.169.254/c", SpecialUse),
        ] {
            assert_eq!(Uri::client_document(text, false), Err(fault), "{text}");
        }
        for text in ["http://localhost:1/c", "https://127.0.0.1:9/c", "http://[::1]/c", "https://client.example/c"] {
            assert!(Uri::client_document(text, true).is_ok(), "{text}");
        }
        assert_eq!(Uri::client_document("https://10.0.0.1/c", true), Err(SpecialUse));
        assert_eq!(Uri::client_document("http://client.example/c", true), Err(Insecure));
        assert_eq!(Uri::client_document("http://localhost/", true), Err(Path));
    }

    #[test]
    fn an_endpoint_may_have_a_query_and_no_path() {
        assert!(Uri::endpoint("https://h.example?tenant=1", false).is_ok());
        assert!(Uri::endpoint("http://127.0.0.1:5/jwks", true).is_ok());
        assert_eq!(Uri::endpoint("http://127.0.0.1:5/jwks", false), Err(UriFault::Insecure));
        assert_eq!(Uri::endpoint("https://192.168.0.1/jwks", true), Err(UriFault::SpecialUse));
    }
}
