//! Waiting for a drain.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use super::{Failure, Session, units::duration};
use crate::{
    api::types::{BackendState, BackendStatus, DrainStatus, ServiceStatus},
    model::AdminState,
};

/// How often the daemon is asked. It looks at the flow table once a second.
const POLL: Duration = Duration::from_millis(500);

/// Waits until nothing is left of a backend that drains, in all services that are concerned, and prints what is left
/// whenever that changes. `owner` is the name of a service or of a pool.
pub(super) async fn wait(owner: &str, backend: &str, session: &mut Session<'_>) -> Result<(), Failure> {
    let mut said = BTreeMap::new();
    loop {
        let mut is_done = true;
        for status in concerned(session.client.services().await?, owner, backend)? {
            let outcome = outcome(&status)?;
            is_done &= outcome == Outcome::Drained;
            if said.get(&status.service) != Some(&outcome) {
                say(session, &status, &outcome.words())?;
                said.insert(status.service, outcome);
            }
        }
        if is_done {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
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

impl Outcome {
    /// What is left, in words. Flows that have not spoken since the drain began are not known yet.
    fn words(&self) -> String {
        match self {
            Self::Drained => "nothing is left".to_owned(),
            Self::Left(0) => "no flows seen lately".to_owned(),
            Self::Left(1) => "1 flow left".to_owned(),
            Self::Left(flows) => format!("{flows} flows left"),
        }
    }
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

/// The backend in each service that a command on `owner` concerns: a service, or all services of a pool.
fn concerned(services: Vec<ServiceStatus>, owner: &str, backend: &str) -> Result<Vec<BackendStatus>, Failure> {
    let named = services.iter().find(|service| service.name == owner);
    let what = if named.is_some() { "service" } else { "pool" };
    let pool = named.map_or_else(|| Some(owner.to_owned()), |service| service.pool.clone());
    let is_concerned = |service: &ServiceStatus| service.name == owner || (pool.is_some() && service.pool == pool);
    let address: Option<IpAddr> = backend.parse().ok();
    let is_it = |status: &BackendStatus| status.name == backend || Some(status.address) == address;
    let found = services.into_iter().filter(is_concerned).map(|service| service.backends.into_iter().find(is_it));
    let found: Option<Vec<_>> = found.collect();
    found.filter(|found| !found.is_empty()).ok_or_else(|| {
        Failure::machine(format_args!("backend {backend} of {what} {owner} is there no more: somebody has removed it"))
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

    fn service(name: &str, pool: Option<&str>) -> ServiceStatus {
        let backends = vec![memory::backend(name, "web1", "10.0.0.11", BackendState::Draining)];
        ServiceStatus { name: name.to_owned(), pool: pool.map(str::to_owned), backends, ..memory::services().remove(0) }
    }

    #[test]
    fn a_drain_concerns_all_services_of_the_pool() {
        let services =
            || vec![service("web", Some("servers")), service("alone", None), service("tls", Some("servers"))];
        let waited_for = |owner: &str, backend: &str| {
            let found = concerned(services(), owner, backend).ok()?;
            Some(found.into_iter().map(|status| status.service).collect::<Vec<_>>())
        };
        for owner in ["servers", "web", "tls"] {
            assert_eq!(waited_for(owner, "web1").unwrap(), ["web", "tls"], "{owner}");
        }
        assert_eq!(waited_for("alone", "10.0.0.11").unwrap(), ["alone"]);
        assert_eq!((waited_for("servers", "web2"), waited_for("nobody", "web1")), (None, None));
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
