//! `sluice explain`.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use clap::{Args, builder::PossibleValuesParser, builder::TypedValueParser};

use super::{Failure, Session, table};
use crate::api::types::{ExplainProtocol, ExplainQuery, Explanation};

const EXAMPLES: &str = "\
Examples:
  sluice explain --from 203.0.113.9 --to 192.0.2.80:80
  sluice explain --from 203.0.113.9:4000 --to 192.0.2.80:80 --established
  sluice explain --from 2001:db8::9 --to [2001:db8::1]:53 udp
  sluice explain --from 203.0.113.9 --to 192.0.2.80 icmp

`sluice drops REASON` explains a drop reason.";

/// Say what would become of a packet, and why: which list, service and backend, or which drop.
///
/// The daemon runs the datapath over a packet without payload and over what the kernel's tables hold at this moment, the flow
/// table included. Nothing is sent, counted or remembered. What a payload would decide (a QUIC connection id) and the kernel's
/// own routes, by which `nat` replies go, are left out.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Explain {
    /// Where the packet comes from: an address, or an address and a port.
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    from: End,

    /// Where it goes: an address and a port, or the address alone for an echo request.
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    to: End,

    /// What it is: a TCP segment, a UDP datagram or an echo request.
    #[arg(value_name = "PROTOCOL", default_value = ExplainProtocol::Tcp.name(), value_parser = protocols())]
    protocol: ExplainProtocol,

    /// A segment of an established connection, instead of the one that opens it.
    #[arg(long)]
    established: bool,

    /// The interface that it comes in by; any of Sluice's, if it is left out.
    #[arg(long, value_name = "IFACE")]
    interface: Option<String>,
}

/// An address, and a port if there is one.
#[derive(Clone, Copy, Debug)]
struct End {
    address: IpAddr,
    port: Option<u16>,
}

impl FromStr for End {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse() {
            return Ok(Self { address, port: None });
        }
        let socket: Result<SocketAddr, _> = text.parse();
        let socket = socket.map_err(|_| "write `192.0.2.80:80`, `[2001:db8::1]:80`, or the address alone")?;
        Ok(Self { address: socket.ip(), port: Some(socket.port()) })
    }
}

fn protocols() -> impl TypedValueParser<Value = ExplainProtocol> {
    let named = |name: String| ExplainProtocol::ALL.into_iter().find(|protocol| protocol.name() == name);
    PossibleValuesParser::new(ExplainProtocol::ALL.map(ExplainProtocol::name))
        .map(move |name| named(name).unwrap_or(ExplainProtocol::Tcp))
}

impl Explain {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let query = ExplainQuery {
            from: self.from.address,
            from_port: self.from.port,
            to: self.to.address,
            to_port: self.to.port,
            protocol: self.protocol,
            established: self.established,
            interface: self.interface,
        };
        let explanation = session.client.explain(&query).await?;
        session.show(&explanation, |explanation, _| text(explanation))
    }
}

fn text(explanation: &Explanation) -> String {
    let mut fields = vec![("packet", explanation.packet.clone())];
    fields.extend(explanation.steps.iter().map(|step| (&*step.stage, step.finding.clone())));
    fields.push(("outcome", explanation.outcome.clone()));
    fields.extend(explanation.advice.clone().map(|advice| ("to do", advice)));
    table::fields(&fields)
}
