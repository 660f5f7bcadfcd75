//! The journal as an iterator over server-sent events.

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use view::api;

use crate::{Error, Result};

/// Longest single event that is accepted, in bytes.
const MAX_EVENT: usize = 1 << 20;

/// Entries of a node's journal as they come. Ends when the node closes the stream.
pub struct Events {
    runtime: tokio::runtime::Runtime,
    body: Incoming,
    path: PathBuf,
    buffer: Vec<u8>,
}

impl Events {
    pub(crate) fn new(runtime: tokio::runtime::Runtime, body: Incoming, path: PathBuf) -> Self {
        Events { runtime, body, path, buffer: Vec::new() }
    }

    /// The next entry; `Ok(None)` if none came within `limit`, or at the end of the stream (see
    /// [`Events::ended`]).
    pub fn next_within(&mut self, limit: Duration) -> Result<Option<api::Event>> {
        let deadline = std::time::Instant::now() + limit;
        loop {
            if let Some(event) = self.take()? {
                return Ok(Some(event));
            }
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            let body = &mut self.body;
            match self.runtime.block_on(async { tokio::time::timeout(left, body.frame()).await }) {
                Err(_) | Ok(None) => return Ok(None),
                Ok(Some(frame)) => self.feed(frame)?,
            }
        }
    }

    /// Whether the node has closed the stream.
    pub fn ended(&self) -> bool {
        hyper::body::Body::is_end_stream(&self.body)
    }

    fn feed(
        &mut self,
        frame: std::result::Result<hyper::body::Frame<hyper::body::Bytes>, hyper::Error>,
    ) -> Result<()> {
        let frame = frame.map_err(|error| self.broken(error.to_string()))?;
        if let Some(data) = frame.data_ref() {
            self.buffer.extend_from_slice(data);
        }
        if self.buffer.len() > MAX_EVENT {
            return Err(self.broken("an event is longer than 1 MiB".to_owned()));
        }
        Ok(())
    }

    /// Takes one complete event out of the buffer; comments and keep-alives give nothing.
    fn take(&mut self) -> Result<Option<api::Event>> {
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&block);
            let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data:")).collect();
            if data.is_empty() {
                continue;
            }
            return serde_json::from_str(&data.join("\n"))
                .map(Some)
                .map_err(|error| self.broken(format!("an event is not understood: {error}")));
        }
        Ok(None)
    }

    fn broken(&self, message: String) -> Error {
        Error::Broken { path: self.path.clone(), message }
    }
}

impl Iterator for Events {
    type Item = Result<api::Event>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.take() {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
            let body = &mut self.body;
            let frame = self.runtime.block_on(body.frame())?;
            if let Err(error) = self.feed(frame) {
                return Some(Err(error));
            }
        }
    }
}
