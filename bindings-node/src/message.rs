//! HTTP messages. Text crosses as one string of lines, because a crossing costs more than a split.

use crate::misuse;
use lockstep_oauth::http::{HttpRequest, HttpResponse};
use napi::JsString;
use napi::bindgen_prelude::Result;

/// The lines before the headers: method, path, query, peer.
const PLACES: usize = 4;

/// Reads the lines of a request: method, path, query, peer, and then each header's name and value. `count` is how many lines
/// the headers have; another number means that some text held a line break, and nothing is read into it.
pub(crate) fn request(lines: JsString<'_>, count: u32, body: Option<&[u8]>) -> Result<HttpRequest> {
    let text = lines.into_latin1()?;
    let mut lines = Lines::new(text.as_slice(), PLACES.saturating_add(count as usize))?;
    Ok(HttpRequest {
        method: latin1(lines.next()),
        path: latin1(lines.next()),
        query: lines.next().to_vec(),
        peer: latin1(lines.next()),
        headers: lines.pairs(),
        body: body.map(<[u8]>::to_vec).unwrap_or_default(),
    })
}

/// Reads header pairs alone.
pub(crate) fn headers(lines: JsString<'_>, count: u32) -> Result<Vec<(String, Vec<u8>)>> {
    let text = lines.into_latin1()?;
    Ok(Lines::new(text.as_slice(), count as usize)?.pairs())
}

/// Reads header pairs of another server: bytes as they came, read as Latin-1, which never fails and loses nothing.
pub(crate) fn text_headers(lines: JsString<'_>, count: u32) -> Result<Vec<(String, String)>> {
    Ok(headers(lines, count)?.into_iter().map(|(name, value)| (name, latin1(&value))).collect())
}

/// Reads the values of the `Authorization` headers of a request, which are all that a check looks at.
pub(crate) fn credentials(lines: JsString<'_>, count: u32) -> Result<Vec<(String, Vec<u8>)>> {
    let text = lines.into_latin1()?;
    let lines = Lines::new(text.as_slice(), count as usize)?;
    Ok(lines.rest().map(|value| ("authorization".to_owned(), value.to_vec())).collect())
}

/// The text as bytes of Latin-1: a query.
pub(crate) fn bytes(text: JsString<'_>) -> Result<Vec<u8>> {
    Ok(text.into_latin1()?.as_slice().to_vec())
}

/// The header pairs of a response as lines, and its length, which the core leaves to the host. To a HEAD, and with a 204, no
/// length: the core has not built the body.
pub(crate) fn head(response: &HttpResponse, head: bool) -> String {
    let HttpResponse { status, headers, body } = response;
    let mut lines = String::with_capacity(512);
    for (name, value) in headers {
        for text in [name, value] {
            lines.push_str(text);
            lines.push('\n');
        }
    }
    if head || *status == 204 {
        lines.pop();
    } else {
        lines.push_str("Content-Length\n");
        lines.push_str(&body.len().to_string());
    }
    lines
}

fn latin1(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.to_owned(),
        _ => bytes.iter().copied().map(char::from).collect(),
    }
}

type IsBreak = fn(&u8) -> bool;

struct Lines<'a>(Option<std::slice::Split<'a, u8, IsBreak>>);

impl<'a> Lines<'a> {
    fn new(text: &'a [u8], wanted: usize) -> Result<Self> {
        if wanted == 0 {
            return Ok(Self(None));
        }
        if text.iter().filter(|byte| **byte == b'\n').count() != wanted - 1 {
            return Err(misuse("request", "a line break in a method, target, address or header"));
        }
        let breaks: IsBreak = |byte| *byte == b'\n';
        Ok(Self(Some(text.split(breaks))))
    }

    fn next(&mut self) -> &'a [u8] {
        self.0.as_mut().and_then(Iterator::next).unwrap_or_default()
    }

    fn rest(self) -> impl Iterator<Item = &'a [u8]> {
        self.0.into_iter().flatten()
    }

    fn pairs(self) -> Vec<(String, Vec<u8>)> {
        let mut rest = self.rest();
        let mut pairs = Vec::with_capacity(16);
        while let (Some(name), Some(value)) = (rest.next(), rest.next()) {
            pairs.push((latin1(name), value.to_vec()));
        }
        pairs
    }
}
