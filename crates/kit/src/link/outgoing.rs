//! The body of a request on its way out; tells when it has been taken by the connection.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::crash_points::{Boundary, CrashPoints};

/// A body of known length.
pub(super) struct Outgoing {
    bytes: Option<Bytes>,
    sent: Option<(CrashPoints, &'static str)>,
}

impl Outgoing {
    /// A body that marks the boundary `sent` when a crash point is armed.
    pub(super) fn new(bytes: Bytes, crash_points: &CrashPoints, kind: &'static str) -> Self {
        let sent = crash_points.is_armed().then(|| (crash_points.clone(), kind));
        Self { bytes: Some(bytes).filter(|bytes| !bytes.is_empty()), sent }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some((crash_points, kind)) = self.sent.take() {
            // The connection flushes in the same turn that takes the body, so a task that is
            // queued now runs after the bytes have left.
            tokio::spawn(async move { crash_points.reached(kind, Boundary::Sent) });
        }
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.bytes.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
    }
}
