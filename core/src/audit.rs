//! What happened, for the operator: generic on the wire, exact here, and never a secret.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Map, Value};

/// One event of an exchange. Its text values are bounded and hold no token, code, secret or verifier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AuditEvent {
    /// A stable id, such as `token.refreshed`, or the id of a refusal.
    pub id: String,
    /// Seconds since 1970.
    pub at: u64,
    /// Named details, in order.
    pub details: Vec<(&'static str, String)>,
}

/// The longest detail, in bytes; longer ones are cut.
const DETAIL_BYTES: usize = 512;

impl AuditEvent {
    /// An event with no details yet.
    pub fn new(id: &str, at: u64) -> Self {
        Self { id: id.to_string(), at, details: Vec::with_capacity(6) }
    }

    /// The same event with one more detail; an empty value is left out.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        if !value.is_empty() {
            let mut end = value.len().min(DETAIL_BYTES);
            while !value.is_char_boundary(end) {
                end -= 1;
            }
            self.details.push((name, value.get(..end).unwrap_or_default().to_string()));
        }
        self
    }

    /// The event as one line of JSON. Control characters are escaped, so a value can neither start a line nor steer a
    /// terminal.
    pub fn to_json(&self) -> String {
        let mut object = Map::new();
        object.insert("event".to_string(), Value::from(self.id.as_str()));
        object.insert("at".to_string(), Value::from(self.at));
        for (name, value) in &self.details {
            object.insert((*name).to_string(), Value::from(value.as_str()));
        }
        let text = Value::Object(object).to_string();
        let raw = |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
        if !text.contains(raw) {
            return text;
        }
        // JSON itself leaves DEL, the second row of control characters and two line separators as they are.
        let mut escaped = String::with_capacity(text.len() + 16);
        for letter in text.chars() {
            if raw(letter) { escaped.push_str(&format!("\\u{:04x}", u32::from(letter))) } else { escaped.push(letter) }
        }
        escaped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_it_holds() {
        let line = AuditEvent::new("x", 1).with("client", "a\r\nb\u{0}").with("empty", "").to_json();
        assert_eq!(line, r#"{"at":1,"client":"a\r\nb\u0000","event":"x"}"#);
        let line = AuditEvent::new("x", 1).with("client", "\u{7f}\u{9b}\u{85}\u{2028}\u{e9}").to_json();
        assert_eq!(line, r#"{"at":1,"client":"\u007f\u009b\u0085\u2028é","event":"x"}"#);
    }
}
