//! Strict JSON: what two readers could understand differently is refused.
//!
//! Around `serde_json`, which already refuses a byte order mark, trailing bytes, invalid UTF-8, lone surrogates, `NaN`
//! and comments; this file adds limits and refuses duplicate members, at any depth.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
pub use serde_json::Value;

/// A JSON object: member name to value, in the order of the names.
pub type Map = serde_json::Map<String, Value>;

/// The deepest nesting that any [`Limits`] can allow; `serde_json` itself stops one level later.
pub const DEEPEST: usize = 126;

/// What a document may cost to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Size of the whole document, in bytes.
    pub bytes: usize,
    /// Objects and arrays inside each other: `0` allows scalars alone, `1` a flat object. At most [`DEEPEST`] counts.
    pub depth: usize,
    /// Members of objects and elements of arrays, counted over the whole document.
    pub members: usize,
}

/// Why a document, or a member of it, was not read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum JsonFault {
    /// More bytes than allowed.
    TooLong,
    /// More objects and arrays inside each other than allowed.
    TooDeep,
    /// More members and elements than allowed.
    TooManyMembers,
    /// A member name twice in one object (compared after unescaping).
    DuplicateMember,
    /// Not one JSON text in UTF-8, with nothing before or after it.
    Malformed,
    /// JSON, but not an object where an object is wanted.
    NotAnObject,
    /// The named member is of another type, `null` or out of range.
    WrongType(&'static str),
    /// The named member is missing.
    Missing(&'static str),
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the JSON document is too long"),
            Self::TooDeep => f.write_str("the JSON document is nested too deeply"),
            Self::TooManyMembers => f.write_str("the JSON document has too many members"),
            Self::DuplicateMember => f.write_str("a JSON object has a member twice"),
            Self::Malformed => f.write_str("not a JSON document"),
            Self::NotAnObject => f.write_str("not a JSON object"),
            Self::WrongType(name) => write!(f, "the member `{name}` has the wrong type"),
            Self::Missing(name) => write!(f, "the member `{name}` is missing"),
        }
    }
}

impl core::error::Error for JsonFault {}

/// Reads one JSON value.
///
/// # Errors
/// A [`JsonFault`] for whatever is not exactly one well-formed document within the limits.
pub fn parse(bytes: &[u8], limits: Limits) -> Result<Value, JsonFault> {
    if bytes.len() > limits.bytes {
        return Err(JsonFault::TooLong);
    }
    let budget = Budget { members: Cell::new(limits.members), fault: Cell::new(JsonFault::Malformed) };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let strict = Strict { budget: &budget, depth: limits.depth.min(DEEPEST) };
    let value = strict.deserialize(&mut reader).map_err(|_| budget.fault.get())?;
    reader.end().map_err(|_| JsonFault::Malformed)?;
    Ok(value)
}

/// Reads one JSON object.
///
/// # Errors
/// Those of [`parse`], and [`JsonFault::NotAnObject`].
pub fn parse_object(bytes: &[u8], limits: Limits) -> Result<Map, JsonFault> {
    match parse(bytes, limits)? {
        Value::Object(map) => Ok(map),
        _ => Err(JsonFault::NotAnObject),
    }
}

/// The string `name`; `None` if the member is absent.
///
/// # Errors
/// [`JsonFault::WrongType`] for anything but a string, `null` included.
pub fn string<'a>(map: &'a Map, name: &'static str) -> Result<Option<&'a str>, JsonFault> {
    read(map, name, Value::as_str)
}

/// The integer `name`; `None` if the member is absent.
///
/// # Errors
/// [`JsonFault::WrongType`] for anything but a number spelled without fraction and exponent that fits an `i64`.
pub fn integer(map: &Map, name: &'static str) -> Result<Option<i64>, JsonFault> {
    read(map, name, Value::as_i64)
}

/// The boolean `name`; `None` if the member is absent.
///
/// # Errors
/// [`JsonFault::WrongType`] for anything but `true` and `false`.
pub fn boolean(map: &Map, name: &'static str) -> Result<Option<bool>, JsonFault> {
    read(map, name, Value::as_bool)
}

/// The array of strings `name`, possibly empty; `None` if the member is absent.
///
/// # Errors
/// [`JsonFault::WrongType`] for anything but an array that holds strings alone.
pub fn strings<'a>(map: &'a Map, name: &'static str) -> Result<Option<Vec<&'a str>>, JsonFault> {
    read(map, name, |value| value.as_array()?.iter().map(Value::as_str).collect())
}

/// The array `name`; `None` if the member is absent.
///
/// # Errors
/// [`JsonFault::WrongType`] for anything but an array.
pub fn array<'a>(map: &'a Map, name: &'static str) -> Result<Option<&'a [Value]>, JsonFault> {
    read(map, name, |value| value.as_array().map(Vec::as_slice))
}

/// The object `name`; `None` if the member is absent.
///
/// # Errors
/// [`JsonFault::WrongType`] for anything but an object.
pub fn object<'a>(map: &'a Map, name: &'static str) -> Result<Option<&'a Map>, JsonFault> {
    read(map, name, Value::as_object)
}

/// What a reader returned, if the member was there.
///
/// # Errors
/// [`JsonFault::Missing`].
pub fn required<T>(name: &'static str, value: Option<T>) -> Result<T, JsonFault> {
    value.ok_or(JsonFault::Missing(name))
}

fn read<'a, T>(
    map: &'a Map,
    name: &'static str,
    typed: impl FnOnce(&'a Value) -> Option<T>,
) -> Result<Option<T>, JsonFault> {
    map.get(name).map(|value| typed(value).ok_or(JsonFault::WrongType(name))).transpose()
}

/// What is left to spend, and the fault to report should the reader stop.
struct Budget {
    members: Cell<usize>,
    fault: Cell<JsonFault>,
}

impl Budget {
    fn stop<E: serde::de::Error>(&self, fault: JsonFault) -> E {
        self.fault.set(fault);
        E::custom("refused")
    }

    fn spend<E: serde::de::Error>(&self) -> Result<(), E> {
        match self.members.get().checked_sub(1) {
            Some(left) => self.members.set(left),
            None => return Err(self.stop(JsonFault::TooManyMembers)),
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    budget: &'a Budget,
    depth: usize,
}

impl Strict<'_> {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(self.budget.stop(JsonFault::TooDeep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(inner)? {
            self.budget.spend()?;
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            self.budget.spend()?;
            if map.contains_key(&name) {
                return Err(self.budget.stop(JsonFault::DuplicateMember));
            }
            map.insert(name, members.next_value_seed(inner)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const LIMITS: Limits = Limits { bytes: 1000, depth: 3, members: 10 };

    fn fault(text: &str) -> JsonFault {
        parse(text.as_bytes(), LIMITS).unwrap_err()
    }

    #[test]
    fn a_plain_document_is_read_as_serde_json_reads_it() {
        let text = r#" {"a":[1,-2,3.5,"\u00e9\ud83d\ude00",null,true],"b":{"c":{}}} "#;
        let limits = Limits { members: 9, ..LIMITS };
        assert_eq!(parse(text.as_bytes(), limits), Ok(serde_json::from_str(text).unwrap()));
        assert_eq!(parse(text.as_bytes(), Limits { members: 8, ..LIMITS }), Err(JsonFault::TooManyMembers));
        assert_eq!(parse(b"7", Limits { bytes: 1, depth: 0, members: 0 }), Ok(Value::from(7)));
    }

    #[test]
    fn a_member_twice_is_refused_at_any_depth_and_however_it_is_spelled() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"[{"b":{"a":1,"b":2,"a":3}}]"#] {
            assert_eq!(fault(text), JsonFault::DuplicateMember, "{text}");
        }
        assert!(parse(br#"{"a":{"a":1},"A":1}"#, LIMITS).is_ok());
    }

    #[test]
    fn what_is_not_exactly_one_document_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "{}x",
            "{}{}",
            "\u{feff}{}",
            "NaN",
            "Infinity",
            "-",
            "01",
            "+1",
            "1.",
            "{'a':1}",
            "{\"a\":1,}",
            "[1,]",
            "/**/1",
            r#""\ud800""#,
            r#""\udc00""#,
            "\"\n\"",
            "\"\u{0}\"",
            "1e400",
            "nul",
            "{a:1}",
        ] {
            assert_eq!(fault(text), JsonFault::Malformed, "{text}");
        }
        for bytes in [&b"\"\xff\""[..], b"\"\xc0\x80\"", b"\"\xed\xa0\x80\"", b"\xff\xfe{\0}\0", b"\0{\0}"] {
            assert_eq!(parse(bytes, LIMITS), Err(JsonFault::Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn the_limits_hold_at_their_edges() {
        assert_eq!(fault(&format!("\"{}\"", "a".repeat(999))), JsonFault::TooLong);
        assert!(parse(format!("\"{}\"", "a".repeat(998)).as_bytes(), LIMITS).is_ok());
        assert_eq!(fault("[[[[]]]]"), JsonFault::TooDeep);
        assert_eq!(fault(r#"{"a":{"a":{"a":{}}}}"#), JsonFault::TooDeep);
        assert!(parse(b"[[[]]]", LIMITS).is_ok());
        assert_eq!(fault("[1,2,3,4,5,6,7,8,9,0,1]"), JsonFault::TooManyMembers);
        assert!(parse(b"[1,2,3,4,5,6,7,8,9,0]", LIMITS).is_ok());
        let wide = Limits { bytes: usize::MAX, depth: usize::MAX, members: usize::MAX };
        assert_eq!(parse("[".repeat(100_000).as_bytes(), wide), Err(JsonFault::TooDeep));
        assert!(parse(format!("{}{}", "[".repeat(DEEPEST), "]".repeat(DEEPEST)).as_bytes(), wide).is_ok());
        assert_eq!(
            parse(format!("{}{}", "[".repeat(DEEPEST + 1), "]".repeat(DEEPEST + 1)).as_bytes(), wide),
            Err(JsonFault::TooDeep)
        );
    }

    #[test]
    fn only_an_object_is_an_object() {
        for text in ["[]", "\"x\"", "null", "1"] {
            assert_eq!(parse_object(text.as_bytes(), LIMITS), Err(JsonFault::NotAnObject), "{text}");
        }
    }

    #[test]
    fn a_reader_takes_its_own_type_alone() {
        let map = parse_object(
            br#"{"s":"x","i":-3,"b":true,"l":["a","b"],"m":["a",1],"o":{},"n":null}"#,
            Limits { members: 20, ..LIMITS },
        )
        .unwrap();
        assert_eq!(string(&map, "s"), Ok(Some("x")));
        assert_eq!(integer(&map, "i"), Ok(Some(-3)));
        assert_eq!(boolean(&map, "b"), Ok(Some(true)));
        assert_eq!(strings(&map, "l"), Ok(Some(["a", "b"].to_vec())));
        assert_eq!(array(&map, "m").unwrap().map(<[Value]>::len), Some(2));
        assert_eq!(object(&map, "o"), Ok(Some(&Map::new())));
        assert_eq!(string(&map, "absent"), Ok(None));
        assert_eq!(required::<&str>("absent", None), Err(JsonFault::Missing("absent")));
        assert_eq!(string(&map, "n"), Err(JsonFault::WrongType("n")));
        assert_eq!(integer(&map, "n"), Err(JsonFault::WrongType("n")));
        assert_eq!(boolean(&map, "i"), Err(JsonFault::WrongType("i")));
        assert_eq!(strings(&map, "m"), Err(JsonFault::WrongType("m")));
        assert_eq!(strings(&map, "s"), Err(JsonFault::WrongType("s")));
        assert_eq!(array(&map, "o"), Err(JsonFault::WrongType("o")));
        assert_eq!(object(&map, "l"), Err(JsonFault::WrongType("l")));
    }

    #[test]
    fn an_integer_is_spelled_as_one() {
        for text in
            ["1.0", "1e3", "1e30", "9223372036854775808", "18446744073709551616", "-9223372036854775809", "\"1\"", "-0"]
        {
            let map = parse_object(format!(r#"{{"i":{text}}}"#).as_bytes(), LIMITS).unwrap();
            assert_eq!(integer(&map, "i"), Err(JsonFault::WrongType("i")), "{text}");
        }
        let map = parse_object(br#"{"i":9223372036854775807}"#, LIMITS).unwrap();
        assert_eq!(integer(&map, "i"), Ok(Some(i64::MAX)));
    }
}
