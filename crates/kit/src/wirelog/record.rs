//! A kept exchange: one compact buffer, decoded when it is read.

use std::ops::Range;
use std::time::Duration;

use wire::time::Timestamp;

use super::entry::{AnswerEntry, Entry, EntryFacts, RequestEntry, exchange_id, signature_base};
use super::mask::{mask_body_into, mask_header, mask_query};
use super::{Exchange, HeaderPairs, Outcome, Side};
use crate::facts::Facts;

/// Memory of a record beside its buffer and the texts of its facts, estimated.
const FIXED_BYTES: usize = 512;

/// Body bytes kept of one message; longer ones are cut.
const BODY_BYTES_MAX: usize = 64 * 1024;

pub(super) struct Record {
    pub(super) seq: u64,
    at: Timestamp,
    link: &'static str,
    side: Side,
    pub(super) facts: Facts,
    answer: Option<(Timestamp, u16)>,
    outcome: Outcome,
    fault: Option<String>,
    request_verdict: Option<&'static str>,
    answer_verdict: Option<&'static str>,
    duration: Duration,
    /// Everything of variable length, masked.
    pub(super) buffer: Vec<u8>,
    parts: Parts,
}

/// Where the buffer holds what: each part ends where the next begins.
struct Parts {
    method: u32,
    authority: u32,
    path: u32,
    query: u32,
    request_headers: u32,
    request_body: u32,
    answer_headers: u32,
}

impl Record {
    /// Masks an exchange into a buffer that may have been used before.
    pub(super) fn new(exchange: Exchange<'_>, mut buffer: Vec<u8>) -> Self {
        let Exchange { link, side, at, facts, request, answer, .. } = exchange;
        let body_length = |body: &[u8]| body.len().min(BODY_BYTES_MAX).saturating_add(768);
        let expected = body_length(request.body)
            .saturating_add(answer.as_ref().map_or(0, |answer| body_length(answer.body)));
        buffer.clear();
        buffer.reserve(expected);
        let method = push(&mut buffer, request.method);
        let authority = push(&mut buffer, request.authority);
        let path = push(&mut buffer, request.path);
        let query = push(&mut buffer, &mask_query(request.query));
        push_headers(&mut buffer, request.headers);
        let request_headers = end(&buffer);
        push_body(&mut buffer, request.headers, request.body);
        let request_body = end(&buffer);
        if let Some(answer) = &answer {
            push_headers(&mut buffer, answer.headers);
        }
        let answer_headers = end(&buffer);
        if let Some(answer) = &answer {
            push_body(&mut buffer, answer.headers, answer.body);
        }
        Self {
            seq: 0,
            at,
            link,
            side,
            facts,
            answer: answer.map(|answer| (answer.at, answer.status)),
            outcome: exchange.outcome,
            fault: exchange.fault,
            request_verdict: exchange.request_verdict,
            answer_verdict: exchange.answer_verdict,
            duration: exchange.duration,
            buffer,
            parts: Parts {
                method,
                authority,
                path,
                query,
                request_headers,
                request_body,
                answer_headers,
            },
        }
    }

    pub(super) fn size(&self) -> usize {
        self.buffer.capacity().saturating_add(FIXED_BYTES)
    }

    pub(super) fn entry(&self, program: &str) -> Entry {
        let parts = &self.parts;
        let end_of_buffer = end(&self.buffer);
        let headers = self.headers(parts.query..parts.request_headers);
        let mut request = RequestEntry {
            method: self.text(0..parts.method),
            authority: self.text(parts.method..parts.authority),
            path: self.text(parts.authority..parts.path),
            query: self.text(parts.path..parts.query),
            headers,
            body: self.text(parts.request_headers..parts.request_body),
            signature_base: None,
        };
        request.signature_base = signature_base(&request);
        Entry {
            seq: self.seq,
            at: self.at,
            program: program.to_owned(),
            link: self.link.to_owned(),
            side: self.side,
            exchange: exchange_id(&request.headers),
            trace_id: self.facts.trace,
            facts: EntryFacts::from(&self.facts),
            request,
            answer: self.answer.map(|(at, status)| AnswerEntry {
                at,
                status,
                headers: self.headers(parts.request_body..parts.answer_headers),
                body: self.text(parts.answer_headers..end_of_buffer),
            }),
            outcome: self.outcome,
            fault: self.fault.clone(),
            request_verdict: self.request_verdict.map(str::to_owned),
            answer_verdict: self.answer_verdict.map(str::to_owned),
            duration_ms: u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn bytes(&self, range: Range<u32>) -> &[u8] {
        let start = usize::try_from(range.start).unwrap_or(usize::MAX);
        let end = usize::try_from(range.end).unwrap_or(usize::MAX);
        self.buffer.get(start..end).unwrap_or_default()
    }

    fn text(&self, range: Range<u32>) -> String {
        String::from_utf8_lossy(self.bytes(range)).into_owned()
    }

    fn headers(&self, range: Range<u32>) -> Vec<(String, String)> {
        let lines = self.bytes(range).split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines
            .map(|line| {
                let line = String::from_utf8_lossy(line);
                let (name, value) = line.split_once(':').unwrap_or((&line, ""));
                (name.to_owned(), value.to_owned())
            })
            .collect()
    }
}

fn end(buffer: &[u8]) -> u32 {
    u32::try_from(buffer.len()).unwrap_or(u32::MAX)
}

fn push(buffer: &mut Vec<u8>, text: &str) -> u32 {
    buffer.extend_from_slice(text.as_bytes());
    end(buffer)
}

/// Header values hold no line feed, so one line each is enough.
fn push_headers(buffer: &mut Vec<u8>, headers: &dyn HeaderPairs) {
    headers.each(&mut |name, value| {
        buffer.extend_from_slice(name.as_bytes());
        buffer.push(b':');
        mask_header(name, value, buffer);
        buffer.push(b'\n');
    });
}

fn push_body(buffer: &mut Vec<u8>, headers: &dyn HeaderPairs, body: &[u8]) {
    if body.is_empty() {
        return;
    }
    let mut kind = BodyKind::Other;
    headers.each(&mut |name, value| {
        if name == "content-type" {
            kind = BodyKind::of(value);
        }
    });
    match kind {
        BodyKind::Page => {
            let note = format!("({} bytes of a page)", body.len());
            buffer.extend_from_slice(note.as_bytes());
        }
        BodyKind::Form => {
            let text = String::from_utf8_lossy(body);
            buffer.extend_from_slice(mask_query(&text).as_bytes());
        }
        BodyKind::Other => {
            let kept = body.get(..BODY_BYTES_MAX).unwrap_or(body);
            mask_body_into(kept, buffer);
        }
    }
}

enum BodyKind {
    Page,
    Form,
    Other,
}

impl BodyKind {
    fn of(content_type: &[u8]) -> Self {
        if content_type.starts_with(b"text/html") {
            Self::Page
        } else if content_type.starts_with(b"application/x-www-form-urlencoded") {
            Self::Form
        } else {
            Self::Other
        }
    }
}
