//! What would become of a packet, and why: the datapath as a library, over what the kernel's tables hold.
//!
//! Nothing is sent, counted or remembered: the twin of the tables has counters, a flow table, sessions and proofs of sources of
//! its own, into which the packet's place in the kernel's is copied. What the twin has counted afterwards tells which way the packet took.

mod frame;
mod steps;

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use lb_common::{DropReason, Flow, Mac, Session, SessionId};
use lb_ebpf::{
    balance, drops,
    frame::MemoryFrame,
    parse::{self, Packet},
    service::lookup::Endpoint,
    syn,
    tables::{Route, Socket, Tables as _},
    verdict::Verdict,
    wire::protocol,
};

pub(super) use self::frame::Probe;
use self::steps::Findings;
use super::{clock, guard, sessions, state::State};
use crate::{
    api::types::{ApiError, ExplainProtocol, ExplainQuery, Explanation},
    dataplane::OpenSession,
    plan::Snapshot,
    twin::{Counts, FlowMemory, SessionMemory, SnapshotTables, SynMemory},
};

/// Room before the packet, for an outer header.
const HEADROOM: usize = 128;

/// The source port if none was named: one of those that clients choose.
const CLIENT_PORT: u16 = 50_000;

/// What the twin did with a packet.
pub(super) struct Run {
    verdict: Verdict,
    counts: Counts,
    /// The packet as it was parsed.
    packet: Packet,
    /// The `full-nat` session that it belongs to.
    session: Option<(SessionId, Session)>,
    /// Whether the kernel was asked for the route to the packet's destination, which is not this node.
    asked_for_route: bool,
}

impl Run {
    /// Why the packet is dropped, if it is.
    pub(super) fn reason(&self) -> Option<DropReason> {
        self.counts.drops.keys().next().copied()
    }
}

impl State {
    /// Says what would become of a packet.
    pub(super) fn explain(&self, query: &ExplainQuery) -> Result<Explanation, ApiError> {
        let (probe, ingress) = (probe(query)?, self.ingress(query)?);
        let run = self.try_out(&self.snapshot, &probe, ingress.1)?;
        let findings = Findings { state: self, run: &run };
        let (reason, words) = (run.reason(), probe.words());
        Ok(Explanation {
            packet: format!("{words}, by {}", ingress.0),
            outcome: findings.outcome(),
            reason: reason.map(|reason| reason.name().to_owned()),
            advice: reason.map(|reason| reason.advice().to_owned()),
            steps: findings.steps(),
        })
    }

    /// The name and index of the interface that the packet comes in by: the one that was named, or any of ours.
    fn ingress(&self, query: &ExplainQuery) -> Result<(String, u32), ApiError> {
        let Some(name) = &query.interface else {
            let first = self.interfaces.first_key_value();
            return Ok(first.map_or_else(|| ("no interface".to_owned(), 0), |(name, index)| (name.clone(), *index)));
        };
        let ours = || self.interfaces.keys().cloned().collect::<Vec<_>>().join(", ");
        let index = self.interfaces.get(name).ok_or_else(|| {
            ApiError::usage(format_args!(
                "Sluice is not attached to {}; it is to: {}",
                crate::config::quote(name),
                ours()
            ))
        })?;
        Ok((name.clone(), *index))
    }

    /// Runs the datapath over a packet, with these tables instead of the kernel's.
    pub(super) fn try_out(&self, held: &Snapshot, probe: &Probe, ingress: u32) -> Result<Run, ApiError> {
        let mut buffer = vec![0; HEADROOM];
        buffer.extend(probe.frame(held.settings.macs[0]));
        let mut frame = MemoryFrame::new(&mut buffer, HEADROOM, ingress);
        let mut place = None;
        let packet = *parse::packet(&frame, &mut place).ok_or_else(|| ApiError::failure("this is no IP packet"))?;
        let asked = std::cell::Cell::new(false);
        // What XDP would be told of a route nobody can be asked; it is taken to lead back to where the packet came from.
        let route = |packet: &Packet| {
            if guard::is_own(packet.destination.into()) {
                return Route::Local;
            }
            asked.set(true);
            Route::Neighbour { ifindex: ingress, mac: Mac::default(), source_mac: Mac::default() }
        };
        let open = self.session_of(&packet);
        let sessions = open.as_ref().map_or_else(SessionMemory::default, |open| {
            let hash = client_flow(open).hash(&self.snapshot.settings.hash_key);
            SessionMemory::of_session(open.id, open.session, hash)
        });
        // Lists may be as long as millions of prefixes.
        let lists = Arc::new(held.lists.about(packet.source.into(), clock::now_s()));
        let snapshot = Snapshot { lists, ..held.clone() };
        // Sockets are not looked for: who asks says whether there is a connection.
        let socket = |_: &Packet| if probe.established { Socket::Connected } else { Socket::Open };
        let tables = SnapshotTables::with_flows(&snapshot, route, self.flows_of(&packet))
            .with_sessions(Rc::new(sessions))
            .with_syn(self.proofs_of(&packet)?)
            .with_sockets(socket);
        let verdict = match lb_ebpf::process(&mut frame, &tables) {
            Verdict::Redirect(egress) if !held.devices.contains(&egress) => {
                drops::note(&frame, DropReason::EgressUnknown, 0, &tables);
                Verdict::Drop
            }
            verdict => verdict,
        };
        let counts = tables.counts();
        drop(tables);
        let session = open.map(|open| (open.id, open.session));
        Ok(Run { verdict, counts, packet, session, asked_for_route: asked.get() })
    }

    /// The session that the packet belongs to: its client's flow, or the answer to it.
    fn session_of(&self, packet: &Packet) -> Option<OpenSession<'_>> {
        let flow = packet.flow();
        let node = |open: &OpenSession<'_>| self.snapshot.node_addresses.get(&open.id.address());
        let answers = |open: &OpenSession<'_>| {
            (packet.source, packet.source_port) == (open.session.backend, open.session.backend_port)
                && packet.destination_port == open.id.port()
                && node(open).is_some_and(|node| node.address == packet.destination)
        };
        sessions::open(&self.kernel, &self.snapshot)
            .filter(|open| client_flow(open).protocol == packet.protocol)
            .find(|open| open.session.is_of(&flow) || answers(open))
    }

    /// What SYN protection knows of the packet's source.
    fn proofs_of(&self, packet: &Packet) -> Result<Rc<SynMemory>, ApiError> {
        let number = syn::line_of(&packet.source, &self.snapshot.settings.hash_key);
        let line = self.kernel.counters().syn_sources(number).map_err(ApiError::failure)?;
        Ok(Rc::new(SynMemory::of_sources(number, line, clock::now_ms())))
    }

    /// The place of the packet's flow in the kernel's flow table, as a table of its own.
    fn flows_of(&self, packet: &Packet) -> Rc<FlowMemory> {
        let tables = SnapshotTables::new(&self.snapshot, |_| Route::Local);
        let endpoint =
            Endpoint { address: &packet.destination, port: packet.destination_port, protocol: packet.protocol };
        let settings = &self.snapshot.settings;
        let hash =
            tables.service_at(endpoint).map_or(0, |service| balance::hash(&packet.flow(), &service, settings, &tables));
        Rc::new(FlowMemory::of_set(self.kernel.flows().set(hash), clock::now_s()))
    }
}

/// The flow of a session's client.
const fn client_flow(open: &OpenSession<'_>) -> Flow {
    let Session { client, service, client_port, service_port, .. } = open.session;
    Flow {
        source: client,
        destination: service,
        source_port: client_port,
        destination_port: service_port,
        protocol: if open.id.is_tcp() { protocol::TCP } else { protocol::UDP },
    }
}

/// The packet that is asked about.
fn probe(query: &ExplainQuery) -> Result<Probe, ApiError> {
    let ExplainQuery { from, to, protocol, established, .. } = query;
    if from.is_ipv4() != to.is_ipv4() {
        return Err(ApiError::usage(format_args!("{from} and {to} are not of the same family: no packet has both")));
    }
    let ports = match (protocol, query.from_port, query.to_port) {
        (ExplainProtocol::Icmp, None, None) => (0, 0),
        (ExplainProtocol::Icmp, ..) => {
            return Err(ApiError::usage("an echo request has no ports: leave them out"));
        }
        (_, _, None) => {
            return Err(ApiError::usage(format_args!(
                "the destination's port is missing: write it like {}",
                SocketAddr::new(*to, 80)
            )));
        }
        (_, source, Some(destination)) => (source.unwrap_or(CLIENT_PORT), destination),
    };
    if *established && *protocol != ExplainProtocol::Tcp {
        return Err(ApiError::usage("only TCP has connections that can be established"));
    }
    Ok(Probe { from: *from, to: *to, ports, protocol: *protocol, established: *established })
}
