//! `sluice backend`: changes of a service's backends.

use std::{net::IpAddr, time::Duration};

use clap::{Args, Subcommand, value_parser};

use super::{
    Failure, Session,
    change::{self, Manner},
    drain,
};
use crate::{
    api::types::Edit,
    model::{AdminState, Backend, Moment},
};

const MAX_WEIGHT: i64 = Backend::MAX_WEIGHT as i64;

const EXAMPLES: &str = "\
Examples:
  sluice backend add web 10.0.0.14                  default weight, named after its address
  sluice backend add web 10.0.0.14 --name web4 --weight 50
  sluice backend add h3 10.0.0.15 --server-id 000f  for a service with `quic`
  sluice backend drain web web4                     no new flows; those that there are stay
  sluice backend drain web web4 --deadline 10m --wait && ssh web4 reboot
  sluice backend undrain web web4                   it takes new flows again
  sluice backend weight web web4 200 --ephemeral    a trial: the configuration file stays";

/// Change a service's backends: add, remove, drain, undrain, disable, weight.
///
/// The daemon validates the change, writes it into its configuration file and puts it into effect, or does none of that.
/// Other backends' connections stay where they are.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BackendVerb {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a backend; it takes traffic once its checks pass.
    Add(Add),
    /// Remove a backend at once, its flows included; drain it first to keep them.
    Remove(Named),
    /// Send a backend no new flows, and let those that it has end in peace.
    Drain(Drain),
    /// Send a drained or disabled backend new flows again.
    #[command(visible_alias = "enable")]
    Undrain(Named),
    /// Send a backend nothing at all, and let its flows go; drain it first to keep them.
    Disable(Named),
    /// Change a backend's weight: its share of the flows relative to the others'.
    Weight(Weight),
}

#[derive(Debug, Args)]
struct Add {
    /// The name of the service, or of its pool: then all services of the pool are concerned.
    service: String,

    /// The backend's address.
    address: IpAddr,

    /// The name for commands and output; the address by default.
    #[arg(long)]
    name: Option<String>,

    /// The port, where it is not the service's; only `nat` can change it.
    #[arg(long, value_parser = value_parser!(u16).range(1..))]
    port: Option<u16>,

    /// The weight, 0 to 1000; 100 by default. 0 takes no new flows.
    #[arg(long, value_parser = value_parser!(u32).range(0..=MAX_WEIGHT))]
    weight: Option<u32>,

    /// The server's id in its QUIC connection ids, in hexadecimal digits; for a service with `quic`.
    #[arg(long, value_name = "HEX")]
    server_id: Option<String>,

    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Args)]
struct Named {
    /// The name of the service, or of its pool: then all services of the pool are concerned.
    service: String,

    /// The backend's name or address.
    backend: String,

    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Args)]
struct Drain {
    #[command(flatten)]
    named: Named,

    /// Disable the backend after this time, like `10m`, whatever flows are left; without it the drain lasts until undone.
    #[arg(long, value_name = "TIME", value_parser = deadline)]
    deadline: Option<Duration>,

    /// Wait until no flow is left; exit code 1 if some still are when the deadline comes.
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
struct Weight {
    /// The name of the service, or of its pool: then all services of the pool are concerned.
    service: String,

    /// The backend's name or address.
    backend: String,

    /// The new weight, 0 to 1000. 0 takes no new flows.
    #[arg(value_parser = value_parser!(u32).range(0..=MAX_WEIGHT))]
    weight: u32,

    #[command(flatten)]
    manner: Manner,
}

impl BackendVerb {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let waits_for = match &self.action {
            Action::Drain(Drain { named, wait: true, .. }) => Some((named.service.clone(), named.backend.clone())),
            _ => None,
        };
        let (edit, manner) = self.action.edit();
        change::request(edit, manner, session).await?;
        match waits_for {
            Some((service, backend)) => drain::wait(&service, &backend, session).await,
            None => Ok(()),
        }
    }
}

impl Action {
    fn edit(self) -> (Edit, Manner) {
        match self {
            Self::Add(Add { service, address, name, port, weight, server_id, manner }) => {
                (Edit::BackendAdd { service, name, address, port, weight, server_id }, manner)
            }
            Self::Remove(Named { service, backend, manner }) => (Edit::BackendRemove { service, backend }, manner),
            Self::Drain(Drain { named, deadline, .. }) => {
                named.state(AdminState::Drain, deadline.map(|deadline| Moment::now().after(deadline)))
            }
            Self::Undrain(named) => named.state(AdminState::Up, None),
            Self::Disable(named) => named.state(AdminState::Disabled, None),
            Self::Weight(Weight { service, backend, weight, manner }) => {
                (Edit::BackendWeight { service, backend, weight }, manner)
            }
        }
    }
}

impl Named {
    fn state(self, state: AdminState, drain_until: Option<Moment>) -> (Edit, Manner) {
        (Edit::BackendState { service: self.service, backend: self.backend, state, drain_until }, self.manner)
    }
}

/// How long a drain may take at the most.
const LONGEST_DEADLINE: Duration = Duration::from_secs(365 * 24 * 3600);

fn deadline(text: &str) -> Result<Duration, String> {
    let read =
        humantime::parse_duration(text).ok().filter(|read| (1..=LONGEST_DEADLINE.as_secs()).contains(&read.as_secs()));
    read.ok_or_else(|| "write a number and its unit, like `90s`, `10m` or `2h`, of a second to a year".to_owned())
}
