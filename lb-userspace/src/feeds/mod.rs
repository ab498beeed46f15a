//! Lists from URLs, of servers or of files: fetched on schedule, one task each.
//!
//! A task only asks and reads; whether an answer is taken is decided by who gets the message, and the task is told, so that it
//! asks again for what was not taken. Schedules are jittered, or a thousand nodes that an update has restarted at once would ask
//! at once from then on.

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
};

pub use self::client::FetchError;
pub(crate) use self::client::{Client, body};
use crate::{lists::formats::Parsed, model::Feed};

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
    tasks: BTreeMap<(String, Feed), AbortHandle>,
    fetched: mpsc::UnboundedSender<Fetched>,
}

impl Feeds {
    /// No tasks yet; they will send what they fetch.
    pub const fn new(fetched: mpsc::UnboundedSender<Fetched>) -> Self {
        Self { tasks: BTreeMap::new(), fetched }
    }

    /// Follows these feeds, by list, and no others. `held` says which version of a list is there already.
    pub fn follow(&mut self, wanted: BTreeSet<(String, Feed)>, held: impl Fn(&str) -> Version) {
        self.tasks.retain(|key, task| {
            let stays = wanted.contains(key);
            if !stays {
                task.abort();
            }
            stays
        });
        for key in wanted {
            if !self.tasks.contains_key(&key) {
                let (list, feed) = key.clone();
                let version = held(&list);
                let task = tokio::spawn(follow(list, feed, version, self.fetched.clone()));
                self.tasks.insert(key, task.abort_handle());
            }
        }
    }
}

impl Drop for Feeds {
    fn drop(&mut self) {
        self.tasks.values().for_each(AbortHandle::abort);
    }
}

async fn follow(list: String, feed: Feed, mut version: Version, fetched: mpsc::UnboundedSender<Fetched>) {
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
        let message = Fetched { list: list.clone(), url: feed.url.clone(), result, taken };
        if fetched.send(message).is_err() {
            return;
        }
        let is_taken = answer.await.unwrap_or(false);
        if let Some(next) = next.filter(|_| is_taken) {
            version = next;
        }
        let pause = if is_taken { feed.interval } else { feed.interval.min(RETRY) };
        tokio::time::sleep(jittered(pause, std::hash::RandomState::new().hash_one(&list))).await;
    }
}

/// An interval, longer or shorter by chance.
fn jittered(interval: Duration, random: u64) -> Duration {
    let percent = 100 - JITTER_PERCENT + random % (2 * JITTER_PERCENT + 1);
    interval * percent as u32 / 100
}
