//! Drops as they come: the two ends of `GET /v1/drops/events`.
//!
//! The answer has no end. Its body is a line of JSON for each event, and an empty line whenever there was none for a second, so that
//! either end notices when the other is gone.

use std::{convert::Infallible, path::PathBuf, time::Duration};

use axum::{
    body::Body,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use tokio::{sync::mpsc, time::timeout};

use super::{ClientError, types::DropEvent};

/// After how long without an event an empty line is sent.
const QUIET: Duration = Duration::from_secs(1);

/// How many events are sent together if they are there.
const BATCH: usize = 64;

/// The events as an answer.
pub(super) fn answer(events: mpsc::Receiver<DropEvent>) -> Response {
    let lines = stream::unfold(events, async |mut events| {
        let lines = next_lines(&mut events).await?;
        Some((Ok::<_, Infallible>(lines), events))
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

/// What there is to send next; `None` if no more is to come.
async fn next_lines(events: &mut mpsc::Receiver<DropEvent>) -> Option<String> {
    let mut batch = Vec::with_capacity(BATCH);
    match timeout(QUIET, events.recv_many(&mut batch, BATCH)).await {
        Err(_) => Some("\n".to_owned()),
        Ok(0) => None,
        Ok(_) => {
            let lines = batch.iter().filter_map(|event| serde_json::to_string(event).ok());
            Some(lines.map(|line| line + "\n").collect())
        }
    }
}

/// What comes next of a [`DropStream`].
#[derive(Debug)]
pub enum Followed {
    /// A drop.
    Event(Box<DropEvent>),
    /// There was none for a second.
    Quiet,
    /// No more is to come: the daemon stops.
    Over,
}

/// Drops as they come. The daemon stops recording them when this is dropped.
#[derive(Debug)]
pub struct DropStream {
    body: Incoming,
    /// What has arrived and was not taken yet.
    buffer: Vec<u8>,
    socket: PathBuf,
    /// How long the daemon may say nothing, not even that there is nothing.
    timeout: Duration,
}

impl DropStream {
    pub(super) const fn new(body: Incoming, socket: PathBuf, timeout: Duration) -> Self {
        Self { body, buffer: Vec::new(), socket, timeout }
    }

    /// Waits for what comes next. Nothing is lost if it is cancelled.
    ///
    /// # Errors
    ///
    /// The connection broke, or the daemon hangs.
    pub async fn next(&mut self) -> Result<Followed, ClientError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return self.read(line.trim_ascii());
            }
            match self.arriving().await? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None => return Ok(Followed::Over),
            }
        }
    }

    async fn arriving(&mut self) -> Result<Option<Bytes>, ClientError> {
        let expired = |_| ClientError::Timeout { socket: self.socket.clone(), timeout: self.timeout };
        match timeout(self.timeout, self.body.frame()).await.map_err(expired)? {
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
            Some(Err(source)) => Err(ClientError::Broken { socket: self.socket.clone(), source }),
            None => Ok(None),
        }
    }

    fn read(&self, line: &[u8]) -> Result<Followed, ClientError> {
        if line.is_empty() {
            return Ok(Followed::Quiet);
        }
        let event = serde_json::from_slice(line)
            .map_err(|error| ClientError::Foreign { socket: self.socket.clone(), reason: error.to_string() })?;
        Ok(Followed::Event(event))
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Runtime;

    use super::*;
    use crate::{
        api::{
            memory::{self, Asked, Daemon},
            types::DropFilter,
        },
        telemetry::By,
    };

    #[test]
    fn drops_arrive_as_they_were_recorded_and_then_it_is_over() {
        let daemon = Daemon::start();
        let filter = DropFilter {
            reason: "denied,no_backend".to_owned(),
            source: Some("2001:db8::/32".to_owned()),
            service: Some("web".to_owned()),
        };
        daemon.runtime.block_on(async {
            let mut drops = daemon.client().follow_drops(&filter).await.unwrap();
            for expected in memory::drop_events() {
                let Followed::Event(event) = drops.next().await.unwrap() else { panic!("no event") };
                assert_eq!(*event, expected);
            }
            assert!(matches!(drops.next().await.unwrap(), Followed::Over));
        });
        assert_eq!(daemon.memory.asked(), [Asked::Follow(filter)]);
    }

    #[test]
    fn a_stream_that_is_refused_says_why() {
        let daemon = Daemon::start();
        let filter = DropFilter { service: Some("mail & more".to_owned()), ..DropFilter::default() };
        let error = daemon.runtime.block_on(daemon.client().follow_drops(&filter)).unwrap_err();
        assert_eq!((error.to_string(), error.is_usage()), ("there is no such service".to_owned(), true));
        assert_eq!(daemon.memory.asked(), [Asked::Follow(filter)]);
    }

    #[test]
    fn the_top_is_asked_for_as_it_was_meant() {
        let daemon = Daemon::start();
        for by in By::ALL {
            let top = daemon.runtime.block_on(daemon.client().top_drops(by, 7)).unwrap();
            assert_eq!(top, memory::top_drops(by));
        }
        assert_eq!(daemon.memory.asked(), By::ALL.map(|by| Asked::Top(by, 7)));
    }

    #[test]
    fn either_end_hears_of_the_other_when_there_is_nothing_to_say() {
        Runtime::new().unwrap().block_on(async {
            let (sender, mut events) = mpsc::channel(8);
            assert_eq!(next_lines(&mut events).await, Some("\n".to_owned()));
            for event in memory::drop_events() {
                sender.send(event).await.unwrap();
            }
            let lines = next_lines(&mut events).await.unwrap();
            let read: Vec<DropEvent> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(read, memory::drop_events());
            drop(sender);
            assert_eq!(next_lines(&mut events).await, None);
        });
    }
}
