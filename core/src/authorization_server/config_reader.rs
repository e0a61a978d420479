//! Reads one object of the configuration field by field, and knows where it is when something is wrong.

use crate::exchange::Misuse;
use crate::uri::Uri;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use serde_json::{Map, Value};

pub(super) fn misuse(at: &str, message: &str) -> Misuse {
    Misuse::new(at, message)
}

/// An object whose fields are taken one by one; what is left at the end is unknown. `null` counts as absent.
pub(super) struct Reader {
    at: String,
    fields: Map<String, Value>,
}

impl Reader {
    pub(super) fn new(at: &str, value: Value) -> Result<Self, Misuse> {
        let Value::Object(mut fields) = value else {
            let at = if at.is_empty() { "config" } else { at };
            return Err(misuse(at, "an object with named fields"));
        };
        fields.retain(|_, value| !value.is_null());
        Ok(Self { at: at.to_string(), fields })
    }

    pub(super) fn empty(at: &str) -> Self {
        Self { at: at.to_string(), fields: Map::new() }
    }

    fn at(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_string() } else { format!("{}.{name}", self.at) }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name)
    }

    pub(super) fn optional_text(&mut self, name: &str) -> Result<Option<String>, Misuse> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(misuse(&self.at(name), "a text that is not empty")),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String, Misuse> {
        self.optional_text(name)?.ok_or_else(|| misuse(&self.at(name), "missing; this field is required"))
    }

    pub(super) fn optional_texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Misuse> {
        let wrong = |at: String| misuse(&at, "a list of texts");
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(items)) => {
                let text = |item: Value| match item {
                    Value::String(text) => Ok(text),
                    _ => Err(wrong(self.at(name))),
                };
                items.into_iter().map(text).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(wrong(self.at(name))),
        }
    }

    /// An https URL, or http on loopback, kept as it is spelled.
    pub(super) fn optional_url(&mut self, name: &str) -> Result<Option<String>, Misuse> {
        let Some(text) = self.optional_text(name)? else { return Ok(None) };
        let fine = Uri::parse(&text).is_ok_and(|uri| uri.is_https() || uri.is_http_loopback());
        if fine { Ok(Some(text)) } else { Err(misuse(&self.at(name), "an absolute https URL")) }
    }

    pub(super) fn flag(&mut self, name: &str, default: bool) -> Result<bool, Misuse> {
        match self.take(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(misuse(&self.at(name), "true or false")),
        }
    }

    pub(super) fn optional_number(&mut self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Misuse> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_u64().filter(|number| range.contains(number));
        let wrong = || misuse(&self.at(name), &format!("a whole number from {} to {}", range.start(), range.end()));
        number.map(Some).ok_or_else(wrong)
    }

    pub(super) fn seconds(&mut self, name: &str, default: u64, range: RangeInclusive<u64>) -> Result<u64, Misuse> {
        Ok(self.optional_number(name, range)?.unwrap_or(default))
    }

    pub(super) fn optional_object(&mut self, name: &str) -> Result<Option<Self>, Misuse> {
        self.take(name).map(|value| Self::new(&self.at(name), value)).transpose()
    }

    pub(super) fn optional_objects(&mut self, name: &str) -> Result<Vec<Self>, Misuse> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let at = self.at(name);
                items.into_iter().enumerate().map(|(index, item)| Self::new(&format!("{at}[{index}]"), item)).collect()
            }
            Some(_) => Err(misuse(&self.at(name), "a list of objects")),
        }
    }

    pub(super) fn objects(&mut self, name: &str) -> Result<Vec<Self>, Misuse> {
        if self.fields.contains_key(name) {
            self.optional_objects(name)
        } else {
            Err(misuse(&self.at(name), "missing; this field is required"))
        }
    }

    /// Says that no field is left. An unknown field is a spelling mistake that would otherwise weaken something in silence.
    pub(super) fn end(self) -> Result<(), Misuse> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(name) => Err(misuse(&self.at(name), "this field is not known; check its spelling")),
        }
    }
}
