//! CrowdSec: asks its local API whom to ban, as what CrowdSec calls a bouncer.
//!
//! The first answer has all decisions, later ones what is new and what is over. After any failure all are asked for again, so
//! that nothing that was said meanwhile is missed. Without an answer, bans last as long as they were meant to.

mod decision;

use std::{fs, time::Duration};

use serde::Deserialize;
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
};

pub use self::decision::Decision;
use self::decision::Raw;
use crate::{
    feeds::{Client, FetchError, body},
    model::{CrowdSec, CrowdSecKey},
};

/// Hundreds of thousands of decisions.
const MOST_BYTES: u64 = 128_000_000;

/// After a failure the next attempt is not later than this.
const RETRY: Duration = Duration::from_secs(10);

/// What CrowdSec has decided.
#[derive(Debug)]
pub struct Decisions {
    /// Whether these are all, and what is not among them is over.
    pub are_all: bool,
    /// Whom to ban.
    pub new: Vec<Decision>,
    /// Whom not to ban any more.
    pub over: Vec<Decision>,
}

/// What the task has to say.
#[derive(Debug)]
pub struct Told {
    /// The decisions, or why there are none.
    pub result: Result<Decisions, FetchError>,
    /// To be told whether they were taken.
    pub taken: oneshot::Sender<bool>,
}

/// The task that asks.
#[derive(Debug)]
pub struct Bouncer {
    task: Option<(CrowdSec, AbortHandle)>,
    told: mpsc::UnboundedSender<Told>,
}

impl Bouncer {
    /// No task yet; it will send what it is told.
    pub const fn new(told: mpsc::UnboundedSender<Told>) -> Self {
        Self { task: None, told }
    }

    /// Asks this CrowdSec, or none.
    pub fn follow(&mut self, wanted: Option<&CrowdSec>) {
        if self.task.as_ref().map(|(asked, _)| asked) == wanted {
            return;
        }
        self.stop();
        self.task = wanted.map(|wanted| {
            let task = tokio::spawn(follow(wanted.clone(), self.told.clone()));
            (wanted.clone(), task.abort_handle())
        });
    }

    fn stop(&mut self) {
        if let Some((_, task)) = self.task.take() {
            task.abort();
        }
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn follow(crowdsec: CrowdSec, told: mpsc::UnboundedSender<Told>) {
    let mut all = true;
    loop {
        let asked = crowdsec.clone();
        let result = tokio::task::spawn_blocking(move || ask(&asked, all)).await;
        let result = result.unwrap_or_else(|error| Err(FetchError::Failed(error.to_string())));
        let (taken, answer) = oneshot::channel();
        if told.send(Told { result, taken }).is_err() {
            return;
        }
        all = !answer.await.unwrap_or(false);
        tokio::time::sleep(if all { crowdsec.interval.min(RETRY) } else { crowdsec.interval }).await;
    }
}

/// An answer of the local API.
#[derive(Default, Deserialize)]
struct Stream {
    new: Option<Vec<Raw>>,
    deleted: Option<Vec<Raw>>,
}

fn ask(crowdsec: &CrowdSec, all: bool) -> Result<Decisions, FetchError> {
    let key = match &crowdsec.key {
        CrowdSecKey::Text(key) => key.clone(),
        CrowdSecKey::File(path) => {
            let text = fs::read_to_string(path);
            let text = text.map_err(|error| FetchError::Failed(format!("cannot read {}: {error}", path.display())))?;
            text.trim().to_owned()
        }
    };
    let url = format!("{}/v1/decisions/stream?startup={all}", crowdsec.url.trim_end_matches('/'));
    let answer = Client::new().get(&url, &[("x-api-key", &key)])?;
    match answer.status().as_u16() {
        200 => {}
        403 => return Err(FetchError::Failed("it refuses the API key: make one with `cscli bouncers add`".to_owned())),
        status => return Err(FetchError::Status(status)),
    }
    read(&body(answer, MOST_BYTES)?, all)
}

fn read(bytes: &[u8], are_all: bool) -> Result<Decisions, FetchError> {
    let stream: Stream = serde_json::from_slice(bytes)
        .map_err(|error| FetchError::Format(format!("it answers something else: {error}")))?;
    let bans = |decisions: Option<Vec<Raw>>| decisions.unwrap_or_default().iter().filter_map(Raw::ban).collect();
    Ok(Decisions { are_all, new: bans(stream.new), over: bans(stream.deleted) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_crowdsec_answers() {
        let text = r#"{"deleted":null,"new":[
            {"duration":"1m28.821049933s","id":2,"origin":"cscli","scenario":"manual 'ban'","scope":"Range","type":"ban","value":"198.51.100.0/24"},
            {"duration":"59m58.8s","id":1,"origin":"crowdsec","scenario":"crowdsecurity/ssh-bf","scope":"Ip","type":"ban","value":"2001:db8::9"},
            {"duration":"4h","id":3,"origin":"CAPI","scenario":"x","scope":"Country","type":"ban","value":"FR"},
            {"duration":"4h","id":4,"origin":"CAPI","scenario":"x","scope":"Ip","type":"captcha","value":"192.0.2.1"}]}"#;
        let decisions = read(text.as_bytes(), true).unwrap();
        let told = |decisions: &[Decision]| -> Vec<_> {
            decisions.iter().map(|ban| (ban.net.to_string(), ban.seconds, ban.reason.clone())).collect()
        };
        let expected = [
            ("198.51.100.0/24".to_owned(), 89, "manual 'ban' (cscli)".to_owned()),
            ("2001:db8::9/128".to_owned(), 3599, "crowdsecurity/ssh-bf (crowdsec)".to_owned()),
        ];
        assert_eq!((told(&decisions.new), decisions.over.len()), (expected.to_vec(), 0));
        let text = r#"{"deleted":[{"duration":"-77.898926ms","origin":"cscli","scenario":"s","scope":"ip","type":"ban","value":"203.0.113.9"}],"new":null}"#;
        let decisions = read(text.as_bytes(), false).unwrap();
        assert_eq!((decisions.new.len(), told(&decisions.over)[0].0.as_str()), (0, "203.0.113.9/32"));
        assert!(read(b"<html>", false).unwrap_err().to_string().starts_with("it answers something else"));
    }
}
