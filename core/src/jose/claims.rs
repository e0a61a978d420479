//! The registered claims of a JWT (RFC 7519 §4.1), checked as a pure function of the claims, the time and what is
//! expected.

use crate::json::{self, JsonFault, Map};
use core::fmt;

/// Which `aud` is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AudienceRule<'a> {
    /// This one string; an array is refused, even one that holds nothing else. For client assertions.
    Exactly(&'a str),
    /// This string, alone or in an array.
    Contains(&'a str),
    /// Any of these strings, alone or in an array.
    OneOf(&'a [&'a str]),
}

impl AudienceRule<'_> {
    fn allows(self, audience: &str) -> bool {
        match self {
            Self::Exactly(wanted) | Self::Contains(wanted) => audience == wanted,
            Self::OneOf(wanted) => wanted.contains(&audience),
        }
    }
}

/// What the claims are checked against. `exp` is always required.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expect<'a> {
    /// The issuer, compared as bytes; `None` asks for no `iss`.
    pub issuer: Option<&'a str>,
    /// The audience, compared as bytes.
    pub audience: AudienceRule<'a>,
    /// The time of the check, in seconds since 1970.
    pub now: u64,
    /// How far the other side's clock may be off, in seconds.
    pub leeway_seconds: u64,
    /// The longest time from `iat`, and from now, to `exp`, in seconds; `None` for any.
    pub max_lifetime_seconds: Option<u64>,
    /// Other claims that must be there, such as `sub`, `jti`, `client_id`, `iat`.
    pub required: &'a [&'static str],
}

/// Why claims are refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ClaimsFault {
    /// Not JSON as it is wanted; a claim that is missing or of the wrong type, times with a fraction among them.
    Json(JsonFault),
    /// `iss` is another one.
    Issuer,
    /// `aud` is another one, or not of the form wanted.
    Audience,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` is in the future.
    NotYetValid,
    /// `exp` is further from `iat`, or from now, than allowed.
    TooLongLived,
    /// The named claim is an empty string.
    Empty(&'static str),
}

impl From<JsonFault> for ClaimsFault {
    fn from(fault: JsonFault) -> Self {
        Self::Json(fault)
    }
}

impl fmt::Display for ClaimsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json(fault) => return fault.fmt(f),
            Self::Empty(name) => return write!(f, "the claim `{name}` is empty"),
            Self::Issuer => "the claims are another issuer's",
            Self::Audience => "the claims are for another audience",
            Self::Expired => "the claims have expired",
            Self::NotYetValid => "the claims are not valid yet",
            Self::TooLongLived => "the claims are valid for too long",
        })
    }
}

impl core::error::Error for ClaimsFault {}

/// Claims that [`check`] let through.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(lockstep_model, derive(Hash))]
pub struct Claims {
    map: Map,
    expires_at: u64,
}

impl Claims {
    /// `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// `sub`; means something together with the issuer alone.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// `jti`.
    pub fn token_id(&self) -> Option<&str> {
        self.text("jti")
    }

    /// `client_id` (RFC 8693 §4.3).
    pub fn client_id(&self) -> Option<&str> {
        self.text("client_id")
    }

    /// `exp`, in seconds since 1970.
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// `iat`, in seconds since 1970.
    pub fn issued_at(&self) -> Option<u64> {
        self.map.get("iat").and_then(json::Value::as_u64)
    }

    /// All claims, the unregistered ones as they came.
    pub fn map(&self) -> &Map {
        &self.map
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.map.get(name).and_then(json::Value::as_str)
    }
}

/// Checks claims. Says nothing about who made them: that is [`Verified`](super::Verified)'s part, or an introspection
/// answer's.
///
/// # Errors
/// A [`ClaimsFault`].
pub fn check(map: Map, expect: &Expect<'_>) -> Result<Claims, ClaimsFault> {
    for name in expect.required {
        if !map.contains_key(*name) {
            return Err(JsonFault::Missing(name).into());
        }
    }
    for name in ["iss", "sub", "jti", "client_id"] {
        if json::string(&map, name)?.is_some_and(str::is_empty) {
            return Err(ClaimsFault::Empty(name));
        }
    }
    if let Some(wanted) = expect.issuer
        && json::required("iss", json::string(&map, "iss")?)? != wanted
    {
        return Err(ClaimsFault::Issuer);
    }
    check_audience(&map, expect.audience)?;
    let expires_at = check_times(&map, expect)?;
    Ok(Claims { map, expires_at })
}

fn check_audience(map: &Map, rule: AudienceRule<'_>) -> Result<(), ClaimsFault> {
    let allowed = match json::required("aud", map.get("aud"))? {
        json::Value::String(audience) => rule.allows(audience),
        json::Value::Array(_) => {
            let audiences = json::strings(map, "aud")?.unwrap_or_default();
            !matches!(rule, AudienceRule::Exactly(_)) && audiences.into_iter().any(|audience| rule.allows(audience))
        }
        _ => return Err(JsonFault::WrongType("aud").into()),
    };
    if allowed { Ok(()) } else { Err(ClaimsFault::Audience) }
}

fn check_times(map: &Map, expect: &Expect<'_>) -> Result<u64, ClaimsFault> {
    let expires_at = json::required("exp", time(map, "exp")?)?;
    let (issued_at, not_before) = (time(map, "iat")?, time(map, "nbf")?);
    let latest_start = expect.now.saturating_add(expect.leeway_seconds);
    if expires_at.saturating_add(expect.leeway_seconds) <= expect.now {
        return Err(ClaimsFault::Expired);
    }
    if [issued_at, not_before].into_iter().flatten().any(|start| start > latest_start) {
        return Err(ClaimsFault::NotYetValid);
    }
    if let Some(longest) = expect.max_lifetime_seconds {
        let from_issue = issued_at.map_or(0, |issued_at| expires_at.saturating_sub(issued_at));
        if from_issue > longest || expires_at > latest_start.saturating_add(longest) {
            return Err(ClaimsFault::TooLongLived);
        }
    }
    Ok(expires_at)
}

/// A `NumericDate` without fraction, not before 1970.
fn time(map: &Map, name: &'static str) -> Result<Option<u64>, JsonFault> {
    let wrong = |_| JsonFault::WrongType(name);
    json::integer(map, name)?.map(|seconds| u64::try_from(seconds).map_err(wrong)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, parse_object};
    use alloc::format;

    const ISSUER: &str = "https://as.example";
    const HERE: &str = "https://mcp.example/mcp";
    const EXPECT: Expect<'_> = Expect {
        issuer: Some(ISSUER),
        audience: AudienceRule::Contains(HERE),
        now: 1000,
        leeway_seconds: 0,
        max_lifetime_seconds: None,
        required: &[],
    };

    fn outcome(text: &str, expect: &Expect<'_>) -> Result<Claims, ClaimsFault> {
        check(parse_object(text.as_bytes(), Limits { bytes: 1000, depth: 3, members: 50 }).unwrap(), expect)
    }

    /// The fault of claims that are right but for these members.
    fn with(members: &str, expect: &Expect<'_>) -> Option<ClaimsFault> {
        outcome(&format!(r#"{{"iss":"{ISSUER}","aud":"{HERE}",{members}}}"#), expect).err()
    }

    fn audience(aud: &str, rule: AudienceRule<'_>) -> Option<ClaimsFault> {
        let expect = Expect { audience: rule, ..EXPECT };
        outcome(&format!(r#"{{"iss":"{ISSUER}","exp":2000,"aud":{aud}}}"#), &expect).err()
    }

    #[test]
    fn the_claims_are_readable_once_checked() {
        let text = r#"{"iss":"https://as.example","aud":["https://mcp.example/mcp","b"],"exp":2000,"iat":900,"nbf":900,
            "sub":"s","jti":"j","client_id":"c","x":[1]}"#;
        let claims = outcome(text, &Expect { required: &["sub", "jti", "client_id", "iat", "x"], ..EXPECT }).unwrap();
        assert_eq!(claims.issuer(), Some(ISSUER));
        assert_eq!((claims.subject(), claims.token_id(), claims.client_id()), (Some("s"), Some("j"), Some("c")));
        assert_eq!((claims.expires_at(), claims.issued_at()), (2000, Some(900)));
        assert!(claims.map().contains_key("x"));
    }

    #[test]
    fn the_issuer_is_compared_byte_by_byte() {
        for iss in ["https://as.example/", "https://AS.example", "https://as.exampl", "https://other.example"] {
            let text = format!(r#"{{"iss":"{iss}","aud":"{HERE}","exp":2000}}"#);
            assert_eq!(outcome(&text, &EXPECT), Err(ClaimsFault::Issuer), "{iss}");
        }
        let without = format!(r#"{{"aud":"{HERE}","exp":2000}}"#);
        assert_eq!(outcome(&without, &EXPECT), Err(JsonFault::Missing("iss").into()));
        assert!(outcome(&without, &Expect { issuer: None, ..EXPECT }).is_ok());
    }

    #[test]
    fn the_audience_follows_its_rule() {
        let (exactly, contains) = (AudienceRule::Exactly(HERE), AudienceRule::Contains(HERE));
        let one_of = AudienceRule::OneOf(&["a", HERE]);
        let (alone, array, both) =
            (format!("\"{HERE}\""), format!("[\"{HERE}\"]"), format!("[\"https://other.example\",\"{HERE}\"]"));
        for rule in [exactly, contains, one_of] {
            assert_eq!(audience(&alone, rule), None);
        }
        for aud in [&array, &both] {
            assert_eq!(audience(aud, exactly), Some(ClaimsFault::Audience));
            assert_eq!(audience(aud, contains), None);
            assert_eq!(audience(aud, one_of), None);
        }
        assert_eq!(audience("\"a\"", one_of), None);
        for aud in
            ["\"\"", "[]", "\"https://mcp.example/mcp/\"", "\"https://mcp.example\"", "\"https://MCP.example/mcp\""]
        {
            for rule in [exactly, contains, one_of] {
                assert_eq!(audience(aud, rule), Some(ClaimsFault::Audience), "{aud}");
            }
        }
        for aud in ["1", "null", "{}", "[1]", &format!("[\"{HERE}\",1]")] {
            assert_eq!(audience(aud, contains), Some(JsonFault::WrongType("aud").into()), "{aud}");
        }
        let without = format!(r#"{{"iss":"{ISSUER}","exp":2000}}"#);
        assert_eq!(outcome(&without, &EXPECT), Err(JsonFault::Missing("aud").into()));
    }

    #[test]
    fn claims_expire_at_their_time_and_not_after_the_leeway() {
        let late = Expect { leeway_seconds: 60, ..EXPECT };
        assert_eq!(with(r#""exp":1001"#, &EXPECT), None);
        assert_eq!(with(r#""exp":1000"#, &EXPECT), Some(ClaimsFault::Expired));
        assert_eq!(with(r#""exp":941"#, &late), None);
        assert_eq!(with(r#""exp":940"#, &late), Some(ClaimsFault::Expired));
        assert_eq!(with(r#""sub":"s""#, &EXPECT), Some(JsonFault::Missing("exp").into()));
    }

    #[test]
    fn claims_from_the_future_are_refused_beyond_the_leeway() {
        let skewed = Expect { leeway_seconds: 60, ..EXPECT };
        for name in ["nbf", "iat"] {
            assert_eq!(with(&format!(r#""exp":2000,"{name}":1000"#), &EXPECT), None);
            assert_eq!(with(&format!(r#""exp":2000,"{name}":1001"#), &EXPECT), Some(ClaimsFault::NotYetValid));
            assert_eq!(with(&format!(r#""exp":2000,"{name}":1060"#), &skewed), None);
            assert_eq!(with(&format!(r#""exp":2000,"{name}":1061"#), &skewed), Some(ClaimsFault::NotYetValid));
        }
    }

    #[test]
    fn a_long_life_is_refused_from_issue_and_from_now() {
        let short = Expect { max_lifetime_seconds: Some(300), leeway_seconds: 10, ..EXPECT };
        assert_eq!(with(r#""exp":1310"#, &short), None);
        assert_eq!(with(r#""exp":1311"#, &short), Some(ClaimsFault::TooLongLived));
        assert_eq!(with(r#""exp":1200,"iat":900"#, &short), None);
        assert_eq!(with(r#""exp":1201,"iat":900"#, &short), Some(ClaimsFault::TooLongLived));
        assert_eq!(with(r#""exp":9223372036854775807"#, &short), Some(ClaimsFault::TooLongLived));
    }

    #[test]
    fn a_time_is_a_whole_number_of_seconds() {
        for name in ["exp", "nbf", "iat"] {
            for value in ["\"2000\"", "2000.0", "2000.5", "1e30", "-1", "9223372036854775808", "null", "[2000]", "true"]
            {
                let members =
                    if name == "exp" { format!(r#""exp":{value}"#) } else { format!(r#""exp":2000,"{name}":{value}"#) };
                assert_eq!(with(&members, &EXPECT), Some(JsonFault::WrongType(name).into()), "{members}");
            }
        }
        let endless = Expect { leeway_seconds: u64::MAX, max_lifetime_seconds: Some(u64::MAX), ..EXPECT };
        assert_eq!(with(r#""exp":9223372036854775807,"iat":0"#, &endless), None);
        let last = Expect { now: u64::MAX, ..endless };
        assert_eq!(with(r#""exp":9223372036854775807,"iat":0"#, &last), Some(ClaimsFault::Expired));
    }

    #[test]
    fn a_required_claim_is_there_and_a_text_claim_says_something() {
        let expect = Expect { required: &["jti"], ..EXPECT };
        assert_eq!(with(r#""exp":2000"#, &expect), Some(JsonFault::Missing("jti").into()));
        for name in ["sub", "jti", "client_id"] {
            assert_eq!(with(&format!(r#""exp":2000,"{name}":"""#), &EXPECT), Some(ClaimsFault::Empty(name)));
            for value in ["1", "null", "[]"] {
                let fault = Some(JsonFault::WrongType(name).into());
                assert_eq!(with(&format!(r#""exp":2000,"{name}":{value}"#), &EXPECT), fault);
            }
        }
    }
}
