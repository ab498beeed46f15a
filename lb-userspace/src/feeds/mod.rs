//! Lists from URLs, of servers or of files: fetched on schedule, one task each.
//!
//! A task only asks and reads; whether an answer is taken is decided by who gets the message, and the task is told, so that it
//! asks again for what was not taken. Whoever does not want to wait for the schedule asks the task, which then fetches at once
//! and has the outcome told. Schedules are jittered, or a thousand nodes that an update has restarted at once would ask at once
//! from then on.

mod client;
mod fetch;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::BuildHasher,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::timeout,
};

pub use self::client::FetchError;
pub(crate) use self::client::{Client, body};
use crate::{
    api::types::{ApiError, Refreshed},
    lists::formats::Parsed,
    model::Feed,
};

/// After a failure the next attempt is not later than this.
const RETRY: Duration = Duration::from_secs(60);

/// An interval is at most so many hundredths longer or shorter.
const JITTER_PERCENT: u64 = 10;

/// Which version of its content a server says that this is; of a file, `modified` is time and length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The header `ETag`.
    pub etag: Option<String>,
    /// The header `Last-Modified`.
    pub modified: Option<String>,
}

/// What became of a fetch that somebody has asked for.
pub type Outcome = Result<Refreshed, ApiError>;

/// What a task has to say.
#[derive(Debug)]
pub struct Fetched {
    /// The list's name.
    pub list: String,
    /// Where it was fetched.
    pub url: String,
    /// What was.
    pub result: Result<News, FetchError>,
    /// To be told whether the answer was taken.
    pub taken: oneshot::Sender<bool>,
    /// Who has asked for it, to be told what became of it.
    pub askers: Vec<oneshot::Sender<Outcome>>,
}

/// An answer.
#[derive(Debug)]
pub enum News {
    /// What was fetched last is still what there is.
    Unchanged,
    /// Something else.
    Fresh(Content),
}

/// What a server has sent.
#[derive(Debug)]
pub struct Content {
    /// As it came.
    pub bytes: Vec<u8>,
    /// The prefixes.
    pub parsed: Parsed,
    /// Which version it is.
    pub version: Version,
}

/// The tasks, by list and feed.
#[derive(Debug)]
pub struct Feeds {
    tasks: BTreeMap<(String, Feed), Task>,
    fetched: mpsc::UnboundedSender<Fetched>,
}

/// A task, which ends with this.
#[derive(Debug)]
struct Task {
    handle: AbortHandle,
    askers: mpsc::UnboundedSender<oneshot::Sender<Outcome>>,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl Feeds {
    /// No tasks yet; they will send what they fetch.
    pub const fn new(fetched: mpsc::UnboundedSender<Fetched>) -> Self {
        Self { tasks: BTreeMap::new(), fetched }
    }

    /// Follows these feeds, by list, and no others. `held` says which version of a list is there already.
    pub fn follow(&mut self, wanted: BTreeSet<(String, Feed)>, held: impl Fn(&str) -> Version) {
        self.tasks.retain(|key, _| wanted.contains(key));
        for key in wanted {
            if !self.tasks.contains_key(&key) {
                let (list, feed) = key.clone();
                let version = held(&list);
                let (askers, asking) = mpsc::unbounded_channel();
                let task = tokio::spawn(follow(list, feed, version, asking, self.fetched.clone()));
                self.tasks.insert(key, Task { handle: task.abort_handle(), askers });
            }
        }
    }

    /// Has a list fetched at once, if it has a feed. No outcome comes if the feed is no longer followed by then.
    pub fn refresh(&self, list: &str) -> Option<oneshot::Receiver<Outcome>> {
        let (_, task) = self.tasks.iter().find(|((name, _), _)| name == list)?;
        let (asker, outcome) = oneshot::channel();
        // Of a task that has ended no outcome comes.
        let _ = task.askers.send(asker);
        Some(outcome)
    }
}

async fn follow(
    list: String,
    feed: Feed,
    mut version: Version,
    mut asking: mpsc::UnboundedReceiver<oneshot::Sender<Outcome>>,
    fetched: mpsc::UnboundedSender<Fetched>,
) {
    let mut waiting = Vec::new();
    loop {
        let (url, known) = (feed.url.clone(), version.clone());
        let result = tokio::task::spawn_blocking(move || fetch::fetch(&url, &known)).await;
        let result = result.unwrap_or_else(|error| Err(FetchError::Failed(error.to_string())));
        let next = match &result {
            Ok(News::Fresh(content)) => Some(content.version.clone()),
            Ok(News::Unchanged) => Some(version.clone()),
            Err(_) => None,
        };
        let (taken, answer) = oneshot::channel();
        let askers = std::mem::take(&mut waiting);
        let message = Fetched { list: list.clone(), url: feed.url.clone(), result, taken, askers };
        if fetched.send(message).is_err() {
            return;
        }
        let is_taken = answer.await.unwrap_or(false);
        if let Some(next) = next.filter(|_| is_taken) {
            version = next;
        }
        let pause = if is_taken { feed.interval } else { feed.interval.min(RETRY) };
        let pause = jittered(pause, std::hash::RandomState::new().hash_one(&list));
        // Who has asked during a fetch waits for another one: what came may be older than the question.
        let _ = timeout(pause, asking.recv_many(&mut waiting, usize::MAX)).await;
    }
}

/// An interval, longer or shorter by chance.
fn jittered(interval: Duration, random: u64) -> Duration {
    let percent = 100 - JITTER_PERCENT + random % (2 * JITTER_PERCENT + 1);
    interval * percent as u32 / 100
}
