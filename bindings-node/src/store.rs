//! Records and writes.

use crate::misuse;
use lockstep_oauth::store::{self, Labels};
use napi::Env;
use napi::bindgen_prelude::{BufferSlice, Result, Uint8ArraySlice};
use napi_derive::napi;

/// A record as a store holds it.
#[napi(object, object_to_js = false)]
pub(crate) struct Record<'a> {
    /// A whole number below 2^53.
    pub version: i64,
    /// Bytes that only the core reads.
    pub value: Uint8ArraySlice<'a>,
    /// Seconds since 1970.
    pub expires_at: i64,
}

impl Record<'_> {
    pub(crate) fn to_core(&self) -> Result<store::Record> {
        let Self { version, value, expires_at } = self;
        let number = |number: i64| u64::try_from(number).map_err(|_| misuse("record", "a negative version or expiry"));
        Ok(store::Record {
            version: number(*version)?,
            value: value.as_ref().to_vec(),
            expires_at: number(*expires_at)?,
        })
    }
}

/// One conditional write of one record.
#[napi(object, object_from_js = false)]
pub(crate) struct Write<'a> {
    pub key: String,
    /// The version that must be there; undefined: the key must be absent.
    pub expect: Option<i64>,
    /// A whole number below 2^53.
    pub version: i64,
    /// Bytes that only the core reads.
    pub value: BufferSlice<'a>,
    /// Seconds since 1970.
    pub expires_at: i64,
    /// A label for `list`.
    pub subject: Option<String>,
    /// A label.
    pub client: Option<String>,
}

impl<'a> Write<'a> {
    pub(crate) fn of(env: &'a Env, write: &store::Write) -> Result<Self> {
        let store::Write { key, expect, version, value, expires_at, labels: Labels { subject, client } } = write;
        Ok(Self {
            key: key.as_str().to_owned(),
            expect: expect.map(number),
            version: number(*version),
            value: BufferSlice::copy_from(env, value)?,
            expires_at: number(*expires_at),
            subject: subject.clone(),
            client: client.clone(),
        })
    }
}

/// A number that the core keeps below 2^53.
pub(crate) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
