//! `sluice drops --follow`.

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::super::{Failure, Session, units::endpoint};
use crate::api::{
    Followed,
    types::{DropEvent, DropFilter},
};

/// Above the events; each column is as wide as what usually stands there.
const HEADING: &str = "\
TIME (UTC)    REASON               INTERFACE   PROTOCOL  SOURCE -> DESTINATION                          BYTES  SERVICE";

#[derive(Debug, Args)]
pub(super) struct Follow {
    /// Show drops as they come, until Ctrl-C.
    #[arg(long, short, conflicts_with = "top")]
    follow: bool,

    /// With --follow: only drops for these reasons.
    #[arg(long, value_name = "REASON", value_delimiter = ',', requires = "follow")]
    reason: Vec<String>,

    /// With --follow: only packets from this address or prefix.
    #[arg(long, value_name = "PREFIX", requires = "follow")]
    source: Option<String>,

    /// With --follow: only packets for this service, and its replies.
    #[arg(long, value_name = "NAME", requires = "follow")]
    service: Option<String>,
}

impl Follow {
    pub(super) const fn is_asked(&self) -> bool {
        self.follow
    }

    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let filter = DropFilter { reason: self.reason.join(","), source: self.source, service: self.service };
        let mut interrupts = signal(SignalKind::interrupt())
            .map_err(|error| Failure::machine(format_args!("cannot wait for Ctrl-C: {error}")))?;
        let mut drops = session.client.follow_drops(&filter).await?;
        if !session.json {
            session.write_line(HEADING)?;
        }
        loop {
            let next = tokio::select! {
                next = drops.next() => next?,
                _ = interrupts.recv() => return Ok(()),
            };
            match next {
                Followed::Event(event) => session.write_line(&line(&event, session.json)?)?,
                Followed::Quiet if session.is_unread() => return Err(Failure::Unread),
                Followed::Quiet => {}
                Followed::Over => return Err(Failure::machine("the daemon has stopped; drops are no longer recorded")),
            }
        }
    }
}

impl Session<'_> {
    fn write_line(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.out, "{line}")?;
        Ok(self.out.flush()?)
    }
}

fn line(event: &DropEvent, json: bool) -> Result<String, Failure> {
    if !json {
        return Ok(text(event));
    }
    serde_json::to_string(event)
        .map_err(|error| Failure::machine(format_args!("a drop cannot be written as JSON: {error}")))
}

fn text(event: &DropEvent) -> String {
    let at = |address, port: Option<u16>| port.map_or_else(|| format!("{address}"), |port| endpoint(address, port));
    let ends = format!("{} -> {}", at(event.source, event.source_port), at(event.destination, event.destination_port));
    let protocol = [&*event.protocol, &*event.tcp_flags].join(" ");
    // RFC 3339: the time of day is what stands between the `T` and the zone.
    let time = event.time.split_once('T').map_or(&*event.time, |(_, time)| time).trim_end_matches('Z');
    let mut line = format!(
        "{time:12}  {:19}  {:10}  {:8}  {ends:45}  {:>5}  {}",
        event.reason,
        event.interface,
        protocol.trim_end(),
        event.frame_bytes,
        event.service.as_deref().unwrap_or("-"),
    );
    if let Some(rule) = &event.rule {
        line += &format!("  (rule {rule})");
    }
    if event.drops > 1 {
        line += &format!("  (stands for {} drops)", event.drops);
    }
    if event.missed > 0 {
        line += &format!("  ({} before it were not shown: the reader was too slow)", event.missed);
    }
    line
}
