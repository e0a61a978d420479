//! HTTP messages as the core sees them, and the strict readers of their parts.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The largest request body that is read, in bytes.
pub const BODY_BYTES: usize = 64 * 1024;
/// The largest query that is read, in bytes.
pub const QUERY_BYTES: usize = 16 * 1024;
/// The most parameters that a form may hold.
pub const FORM_PARAMETERS: usize = 100;
/// The longest parameter name, in bytes. No parameter that we know comes near.
pub const FORM_NAME_BYTES: usize = 128;

/// A request as it arrived: raw bytes and raw header pairs, the path stripped of the host's mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HttpRequest {
    /// The method, upper case as sent.
    pub method: String,
    /// The path of the target, not decoded.
    pub path: String,
    /// The query without its `?`; empty when there is none.
    pub query: Vec<u8>,
    /// Header pairs in order, duplicates kept.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body. A host stops reading one byte past [`BODY_BYTES`].
    pub body: Vec<u8>,
    /// The peer's address, for budgets and audit events; empty when the host does not say.
    pub peer: String,
}

/// A response to be sent as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Header pairs in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// More than one header of a name that may appear once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated;

impl HttpRequest {
    /// The value of a header that may appear once; `Ok(None)` when it is absent or not valid UTF-8 text.
    pub fn header(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut values = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(Repeated),
            (Some((_, value)), None) => Ok(core::str::from_utf8(value).ok().map(str::trim_ascii_both)),
        }
    }

    /// Whether a header of this name is there, whatever it holds.
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name))
    }

    /// Whether `Content-Type` names this media type, parameters apart.
    pub fn is_media_type(&self, wanted: &str) -> bool {
        let Ok(Some(value)) = self.header("content-type") else { return false };
        value.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(wanted))
    }

    /// The value of one cookie, when exactly one cookie of that name was sent.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let mut found = None;
        for (_, value) in self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case("cookie")) {
            for pair in core::str::from_utf8(value).ok()?.split(';') {
                if let Some((key, value)) = pair.trim().split_once('=')
                    && key == name
                {
                    if found.is_some() {
                        return None;
                    }
                    found = Some(value);
                }
            }
        }
        found
    }
}

trait TrimAscii {
    fn trim_ascii_both(&self) -> &str;
}

impl TrimAscii for str {
    fn trim_ascii_both(&self) -> &str {
        self.trim_matches([' ', '\t'])
    }
}

impl HttpResponse {
    /// An empty response.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A JSON response.
    pub fn json(status: u16, body: &impl serde::Serialize) -> Self {
        let written = serde_json::to_vec(body);
        debug_assert!(written.is_ok(), "what we answer has names for keys");
        Self { status, headers: Vec::with_capacity(6), body: written.unwrap_or_default() }
            .with("Content-Type", "application/json")
    }

    /// The same response with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        debug_assert!(
            value.bytes().all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte)),
            "a header value is printable ASCII"
        );
        self.headers.push((name.to_string(), value.to_string()));
        self
    }

    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Why a form could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormFault {
    /// Larger, or with more parameters or longer names, than any honest request.
    TooLarge,
    /// A percent sign that two hexadecimal digits do not follow.
    Malformed,
    /// Bytes that are not UTF-8 once decoded.
    NotUtf8,
}

/// Decoded parameters in order. An empty value counts as absent (OAuth 2.1 §3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded` bytes. `;` is data; decoding happens once.
    pub fn parse(bytes: &[u8], limit: usize) -> Result<Self, FormFault> {
        if bytes.len() > limit {
            return Err(FormFault::TooLarge);
        }
        let mut pairs = Vec::new();
        for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == FORM_PARAMETERS {
                return Err(FormFault::TooLarge);
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = form_decode(halves.next().unwrap_or_default())?;
            let value = form_decode(halves.next().unwrap_or_default())?;
            if name.len() > FORM_NAME_BYTES {
                return Err(FormFault::TooLarge);
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The one value of a parameter that must not repeat.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        let first = values.next();
        if values.next().is_some() {
            return Err(Repeated);
        }
        Ok(first.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty()))
    }

    /// Every non-empty value of a parameter that may repeat, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The first of `names` that appears more than once.
    pub fn repeated<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.one(name).is_err())
    }
}

fn form_decode(bytes: &[u8]) -> Result<String, FormFault> {
    percent_decode(bytes, true)
}

/// Decodes percent-encoding once; `+` becomes a space when `plus` says so.
pub(crate) fn percent_decode(bytes: &[u8], plus: bool) -> Result<String, FormFault> {
    let encoded = |byte: &u8| *byte == b'%' || (plus && *byte == b'+');
    if !bytes.iter().any(encoded) {
        return String::from_utf8(bytes.to_vec()).map_err(|_| FormFault::NotUtf8);
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' if plus => decoded.push(b' '),
            b'%' => {
                let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                    return Err(FormFault::Malformed);
                };
                decoded.push((high * 16 + low) as u8);
            }
            byte => decoded.push(*byte),
        }
    }
    String::from_utf8(decoded).map_err(|_| FormFault::NotUtf8)
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3).
pub fn percent_encode(text: &str, to: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let reserved = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | '_' | '~');
    // Each piece has one reserved character, at its end; the last piece may have none.
    for piece in text.split_inclusive(reserved) {
        let plain = piece.trim_end_matches(reserved);
        to.push_str(plain);
        for byte in piece.bytes().skip(plain.len()) {
            to.push('%');
            for nibble in [byte >> 4, byte & 15] {
                to.push(HEX.get(usize::from(nibble)).map_or('0', |digit| char::from(*digit)));
            }
        }
    }
}

/// A request for the host's HTTP client. It sends no credentials, no cookies and no `Accept-Encoding`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FetchRequest {
    /// `GET`, or `POST` where a body is sent.
    pub method: String,
    /// An absolute URL. The host connects to it and follows no redirect.
    pub url: String,
    /// Headers to send.
    pub headers: Vec<(String, String)>,
    /// The body to send.
    pub body: Vec<u8>,
    /// The most bytes of body to read; one more means failure.
    pub limit_bytes: usize,
    /// The time for the whole fetch, in milliseconds.
    pub timeout_ms: u64,
    /// What the host's budget counts when it really starts a fetch. One that joins a fetch under way costs nothing.
    pub admission: Admission,
    /// Which addresses the host may connect to. Every resolved address is checked, and the connection goes to a checked one.
    pub addresses: crate::address::AddressRule,
}

/// One entry of the host's [`crate::budget::Budget`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Admission {
    /// What is counted, such as `fetch:client.example`.
    pub key: String,
    /// How many are allowed in the period.
    pub limit: u32,
    /// The period, in seconds.
    pub period_seconds: u32,
}

/// What came of a fetch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fetched {
    /// The server answered.
    Response(HttpResponse),
    /// No answer: transport failure, time-out, too large, or an address that the rule forbids.
    Failed(String),
    /// Nothing was sent: the budget of [`FetchRequest::admission`] is spent.
    OverBudget,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Result<Form, FormFault> {
        Form::parse(text.as_bytes(), BODY_BYTES)
    }

    #[test]
    fn a_form_is_decoded_once_and_a_semicolon_is_data() {
        let form = form("a=%2541&b=x+y;c=1&%63=2&empty=").unwrap();
        assert_eq!(form.one("a"), Ok(Some("%41")));
        assert_eq!(form.one("b"), Ok(Some("x y;c=1")));
        assert_eq!(form.one("c"), Ok(Some("2")));
        assert_eq!(form.one("empty"), Ok(None));
    }

    #[test]
    fn a_repeated_parameter_is_noticed_after_decoding() {
        assert_eq!(form("%63=1&c=2").unwrap().one("c"), Err(Repeated));
        assert_eq!(form("c=&c=").unwrap().one("c"), Err(Repeated));
        assert_eq!(form("c=1&d=2").unwrap().repeated(&["d", "c"]), None);
    }

    #[test]
    fn malformed_encodings_are_refused() {
        for text in ["a=%", "a=%z1", "a=%u0041", "%4=1"] {
            assert_eq!(form(text), Err(FormFault::Malformed), "{text}");
        }
        for text in ["a=%ff%fe", "a=%c0%af", "a=%ed%a0%80"] {
            assert_eq!(form(text), Err(FormFault::NotUtf8), "{text}");
        }
        assert_eq!(form(&"a=1&".repeat(101)), Err(FormFault::TooLarge));
        assert_eq!(form(&"a".repeat(129)), Err(FormFault::TooLarge));
    }

    #[test]
    fn a_cookie_that_comes_twice_is_no_cookie() {
        let request = |cookie: &str| HttpRequest {
            headers: alloc::vec![("Cookie".into(), cookie.as_bytes().to_vec())],
            ..HttpRequest::default()
        };
        assert_eq!(request("a=1; b=2").cookie("b"), Some("2"));
        assert_eq!(request("b=1; b=2").cookie("b"), None);
    }
}
