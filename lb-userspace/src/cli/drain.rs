//! Waiting for a drain.

use std::{net::IpAddr, time::Duration};

use super::{Failure, Session, units::duration};
use crate::{
    api::types::{BackendState, BackendStatus, DrainStatus},
    model::AdminState,
};

/// How often the daemon is asked. It looks at the flow table once a second.
const POLL: Duration = Duration::from_millis(500);

/// Waits until nothing is left of a backend that drains, and prints what is left whenever that changes.
pub(super) async fn wait(service: &str, backend: &str, session: &mut Session<'_>) -> Result<(), Failure> {
    let mut said = None;
    loop {
        let status = ask(service, backend, session).await?;
        let flows = match outcome(&status)? {
            Outcome::Drained => return say(session, &status, "nothing is left"),
            Outcome::Left(flows) => flows,
        };
        if said != Some(flows) {
            say(session, &status, &left(flows))?;
            said = Some(flows);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// What is left, in words. Flows that have not spoken since the drain began are not known yet.
fn left(flows: u64) -> String {
    match flows {
        0 => "no flows seen lately".to_owned(),
        1 => "1 flow left".to_owned(),
        _ => format!("{flows} flows left"),
    }
}

/// What became of a drain.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It is done.
    Drained,
    /// It goes on, with so many flows.
    Left(u64),
}

fn outcome(backend: &BackendStatus) -> Result<Outcome, Failure> {
    let name = format!("backend {} of service {}", backend.name, backend.service);
    match (backend.drain, backend.admin) {
        (Some(DrainStatus { drained: true, .. }), _) => Ok(Outcome::Drained),
        (drain, AdminState::Drain) if backend.state == BackendState::Disabled => {
            let flows = drain.map_or(0, |drain| drain.flows);
            Err(Failure::machine(format_args!(
                "{name} was not drained by its deadline, and is disabled; flows were let go: {flows}"
            )))
        }
        (drain, AdminState::Drain) => Ok(Outcome::Left(drain.map_or(0, |drain| drain.flows))),
        (_, AdminState::Up | AdminState::Disabled) => {
            Err(Failure::machine(format_args!("{name} no longer drains: somebody has changed its state")))
        }
    }
}

async fn ask(service: &str, backend: &str, session: &Session<'_>) -> Result<BackendStatus, Failure> {
    let status = session.client.service(service).await?;
    let address: Option<IpAddr> = backend.parse().ok();
    let named = |status: &BackendStatus| status.name == backend || Some(status.address) == address;
    status.backends.into_iter().find(named).ok_or_else(|| {
        Failure::machine(format_args!(
            "backend {backend} of service {service} is there no more: somebody has removed it"
        ))
    })
}

/// A line about the backend, or its status for scripts.
fn say(session: &mut Session<'_>, backend: &BackendStatus, what: &str) -> Result<(), Failure> {
    if session.json {
        let line = serde_json::to_string(backend)
            .map_err(|error| Failure::machine(format_args!("the answer cannot be written as JSON: {error}")))?;
        writeln!(session.out, "{line}")?;
    } else {
        let seconds_left = backend.drain.and_then(|drain| drain.seconds_left);
        let to_go = seconds_left.map(|left| format!(", {} to go", duration(left))).unwrap_or_default();
        writeln!(session.out, "backend {} of service {}: {what}{to_go}", backend.name, backend.service)?;
    }
    Ok(session.out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::memory;

    fn draining(state: BackendState, flows: u64, drained: bool) -> Result<Outcome, String> {
        let drain = Some(memory::drain(flows, drained));
        let status =
            BackendStatus { admin: AdminState::Drain, drain, ..memory::backend("web", "web1", "10.0.0.11", state) };
        outcome(&status).map_err(|failure| {
            let mut errors = Vec::new();
            assert_eq!(failure.report(false, &mut errors), 1);
            String::from_utf8(errors).unwrap()
        })
    }

    #[test]
    fn a_drain_is_done_or_goes_on_or_was_cut_short() {
        assert_eq!(draining(BackendState::Draining, 3, false), Ok(Outcome::Left(3)));
        assert_eq!(draining(BackendState::Draining, 0, true), Ok(Outcome::Drained));
        assert_eq!(draining(BackendState::Disabled, 0, true), Ok(Outcome::Drained), "before its deadline");
        let cut = draining(BackendState::Disabled, 3, false).unwrap_err();
        let expected = "error: backend web1 of service web was not drained by its deadline, and is disabled; flows were let go: 3\n";
        assert_eq!(cut, expected);
        assert_eq!(draining(BackendState::Down, 1, false), Ok(Outcome::Left(1)), "its flows are let go in time");
    }
}
