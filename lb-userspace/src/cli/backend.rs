//! `sluice backend`: changes of a service's backends.

use std::net::IpAddr;

use clap::{Args, Subcommand, value_parser};

use super::{
    Failure, Session,
    change::{self, Lasting},
};
use crate::{
    api::types::Edit,
    model::{AdminState, Backend},
};

const MAX_WEIGHT: i64 = Backend::MAX_WEIGHT as i64;

const EXAMPLES: &str = "\
Examples:
  sluice backend add web 10.0.0.14                  default weight, named after its address
  sluice backend add web 10.0.0.14 --name web4 --weight 50
  sluice backend drain web web4                     no new flows; those that there are stay
  sluice backend weight web web4 200 --ephemeral    a trial: the configuration file stays";

/// Change a service's backends: add, remove, drain, undrain, weight.
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
    Drain(Named),
    /// Send a drained backend new flows again.
    Undrain(Named),
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

    #[command(flatten)]
    lasting: Lasting,
}

#[derive(Debug, Args)]
struct Named {
    /// The name of the service, or of its pool: then all services of the pool are concerned.
    service: String,

    /// The backend's name or address.
    backend: String,

    #[command(flatten)]
    lasting: Lasting,
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
    lasting: Lasting,
}

impl BackendVerb {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let (edit, lasting) = self.action.edit();
        change::request(edit, lasting, session).await
    }
}

impl Action {
    fn edit(self) -> (Edit, Lasting) {
        match self {
            Self::Add(Add { service, address, name, port, weight, lasting }) => {
                (Edit::BackendAdd { service, name, address, port, weight }, lasting)
            }
            Self::Remove(Named { service, backend, lasting }) => (Edit::BackendRemove { service, backend }, lasting),
            Self::Drain(named) => named.state(AdminState::Drain),
            Self::Undrain(named) => named.state(AdminState::Up),
            Self::Weight(Weight { service, backend, weight, lasting }) => {
                (Edit::BackendWeight { service, backend, weight }, lasting)
            }
        }
    }
}

impl Named {
    fn state(self, state: AdminState) -> (Edit, Lasting) {
        (Edit::BackendState { service: self.service, backend: self.backend, state }, self.lasting)
    }
}
