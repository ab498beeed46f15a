//! `sluice attach`.

use clap::{Args, builder::NonEmptyStringValueParser};

use super::{
    Failure, Session,
    change::{self, Manner},
};
use crate::api::types::Edit;

const EXAMPLES: &str = "\
Examples:
  sluice attach eth1
  sluice attach eth1 --ephemeral    not in the configuration file: until the daemon restarts";

/// Begin to handle the packets of one more interface.
///
/// The daemon attaches its program in the driver, or in the kernel's slower generic path if the driver cannot; `sluice
/// status` says which it is.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Attach {
    /// The interface.
    #[arg(value_name = "IFACE", value_parser = NonEmptyStringValueParser::new())]
    interface: String,

    #[command(flatten)]
    manner: Manner,
}

impl Attach {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        change::request(Edit::Attach { interface: self.interface }, self.manner, session).await
    }
}
