//! The strict reader of one object, bytes that are shown as text where they are text, and the printer.

use super::{Read, Unreadable, wrong};
use lockstep_oauth::crypto::{base64url, from_base64url};
use serde_json::{Map, Value, json};

pub(super) fn bytes_json(bytes: &[u8]) -> Value {
    match core::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64url": base64url(bytes) }),
    }
}

pub(super) fn read_bytes(value: Value) -> Read<Vec<u8>> {
    match value {
        Value::String(text) => Ok(text.into_bytes()),
        Value::Object(map) => {
            let mut fields = Fields(map);
            let encoded = fields.text("base64url")?;
            fields.end()?;
            from_base64url(&encoded).ok_or(Unreadable("base64url".to_owned()))
        }
        _ => wrong("bytes"),
    }
}

pub(super) fn headers_json(headers: &[(String, Vec<u8>)]) -> Value {
    headers.iter().map(|(name, value)| json!([name, bytes_json(value)])).collect()
}

pub(super) fn text(value: Value) -> Read<String> {
    match value {
        Value::String(text) => Ok(text),
        _ => wrong("text"),
    }
}

/// An object whose members are taken one by one; what is left at the end is unknown.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    pub(super) fn new(map: Map<String, Value>) -> Self {
        Self(map)
    }

    pub(super) fn of(value: Value) -> Read<Self> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            _ => wrong("object"),
        }
    }

    pub(super) fn optional(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    pub(super) fn take(&mut self, name: &str) -> Read<Value> {
        self.0.remove(name).ok_or_else(|| Unreadable(format!("`{name}` is missing")))
    }

    /// Takes the member if it is null.
    pub(super) fn is_null(&mut self, name: &str) -> bool {
        let null = self.0.get(name).is_some_and(Value::is_null);
        if null {
            self.0.remove(name);
        }
        null
    }

    pub(super) fn text(&mut self, name: &str) -> Read<String> {
        text(self.take(name)?).map_err(|_| Unreadable(format!("`{name}` is no text")))
    }

    pub(super) fn number(&mut self, name: &str) -> Read<u64> {
        self.take(name)?.as_u64().ok_or_else(|| Unreadable(format!("`{name}` is no number")))
    }

    pub(super) fn array(&mut self, name: &str) -> Read<Vec<Value>> {
        match self.take(name)? {
            Value::Array(items) => Ok(items),
            _ => wrong(name),
        }
    }

    pub(super) fn texts(&mut self, name: &str) -> Read<Vec<String>> {
        self.array(name)?.into_iter().map(text).collect()
    }

    pub(super) fn object(&mut self, name: &str) -> Read<Self> {
        Self::of(self.take(name)?).map_err(|_| Unreadable(format!("`{name}` is no object")))
    }

    pub(super) fn bytes(&mut self, name: &str) -> Read<Vec<u8>> {
        read_bytes(self.take(name)?)
    }

    pub(super) fn headers(&mut self, name: &str) -> Read<Vec<(String, Vec<u8>)>> {
        let read = |pair: Value| match pair {
            Value::Array(pair) => match <[Value; 2]>::try_from(pair) {
                Ok([name, value]) => Ok((text(name)?, read_bytes(value)?)),
                Err(_) => wrong("header"),
            },
            _ => wrong("header"),
        };
        self.array(name)?.into_iter().map(read).collect()
    }

    pub(super) fn end(self) -> Read<()> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => wrong(&format!("`{name}` is not known")),
        }
    }
}

/// Prints JSON so that what fits on a line is on one line, and a change of one value is a change of one line.
pub(super) fn pretty(value: &Value, indent: usize, to: &mut String) {
    const COLUMNS: usize = 110;
    let compact = value.to_string();
    let items: Vec<(String, &Value)> = match value {
        Value::Array(items) if compact.len() + indent > COLUMNS => {
            items.iter().map(|item| (String::new(), item)).collect()
        }
        Value::Object(map) if compact.len() + indent > COLUMNS => {
            map.iter().map(|(name, item)| (format!("{}: ", json!(name)), item)).collect()
        }
        _ => return to.push_str(&compact),
    };
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    to.push(open);
    for (index, (name, item)) in items.into_iter().enumerate() {
        to.push_str(if index == 0 { "\n" } else { ",\n" });
        to.extend(core::iter::repeat_n(' ', indent + 2));
        to.push_str(&name);
        pretty(item, indent + 2, to);
    }
    to.push('\n');
    to.extend(core::iter::repeat_n(' ', indent));
    to.push(close);
}
