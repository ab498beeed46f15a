//! Requests to the kernel and its notifications, over two netlink sockets.
//!
//! Two, because the kernel drops what does not fit into a socket's buffer: on a socket of its own, an answer is never
//! lost to a burst of notifications.

use std::{collections::BTreeMap, future::ready, io, net::IpAddr, pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt, stream::pending};
use netlink_packet_route::{RouteNetlinkMessage, link::LinkMessage};
use rtnetlink::{
    Handle, MulticastGroup, new_connection, new_multicast_connection,
    packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload},
};
use tokio::{task::JoinSet, time::timeout};

use super::{
    Interfaces, RoutesError,
    message::{self, Hint},
    table::{Neighbour, Resolved, Route},
};

/// The kernel answers while the request is being sent; after this time it is not going to.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What the kernel is asked to tell of.
const GROUPS: [MulticastGroup; 8] = [
    MulticastGroup::Neigh,
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Rule,
];

type Payload = NetlinkPayload<RouteNetlinkMessage>;

/// The connections to the kernel.
pub(super) struct Kernel {
    handle: Handle,
    hints: Pin<Box<dyn Stream<Item = Hint> + Send>>,
    /// The tasks that serve the sockets; they end with this value.
    connections: JoinSet<()>,
}

impl Kernel {
    /// Connects for requests only.
    pub(super) fn connect() -> Result<Self, RoutesError> {
        let (mut connection, handle, _) = new_connection().map_err(RoutesError::Open)?;
        // Otherwise the end of a list, an acknowledgement and the end of the connection all look the same.
        connection.set_forward_done(true);
        connection.set_forward_ack(true);
        let mut connections = JoinSet::new();
        connections.spawn(connection);
        Ok(Self { handle, hints: Box::pin(pending()), connections })
    }

    /// Connects for requests and notifications.
    pub(super) fn follow() -> Result<Self, RoutesError> {
        let mut kernel = Self::connect()?;
        let (connection, _, notifications) = new_multicast_connection(&GROUPS).map_err(RoutesError::Open)?;
        kernel.connections.spawn(connection);
        kernel.hints = Box::pin(notifications.filter_map(|(message, _)| ready(hint(&message.payload))));
        Ok(kernel)
    }

    /// Waits for the next notification that says something. Nothing is lost if it is cancelled.
    pub(super) async fn hint(&mut self) -> Result<Hint, RoutesError> {
        self.hints.next().await.ok_or(RoutesError::Broken)
    }

    /// Loses the connections, as if the sockets had died.
    #[cfg(test)]
    pub(super) fn disconnect(&mut self) {
        self.connections.abort_all();
    }

    /// All interfaces by index.
    pub(super) async fn interfaces(&mut self) -> Result<Interfaces, RoutesError> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let mut answers = self.send(request, NLM_F_DUMP)?;
        let mut interfaces = BTreeMap::new();
        loop {
            match answer(&mut answers).await? {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
                    interfaces.extend([message::interface(&link)]);
                }
                NetlinkPayload::Done(_) => return Ok(interfaces),
                NetlinkPayload::Error(error) => return Err(refused("list the network interfaces", error.to_io())),
                _ => {}
            }
        }
    }

    /// The route to a destination, if there is one.
    pub(super) async fn route(&mut self, destination: IpAddr) -> Result<Option<Route>, RoutesError> {
        let request = RouteNetlinkMessage::GetRoute(message::route_request(destination));
        match answer(&mut self.send(request, 0)?).await? {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)) => Ok(message::route(&route)),
            // Unreachable, prohibited, thrown away: whatever the kernel calls it, there is no way.
            _ => Ok(None),
        }
    }

    /// A neighbour's MAC address, if it is known.
    pub(super) async fn neighbour(&mut self, neighbour: Neighbour) -> Result<Option<Resolved>, RoutesError> {
        let request = RouteNetlinkMessage::GetNeighbour(message::neighbour_request(neighbour));
        match answer(&mut self.send(request, 0)?).await? {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(entry)) => Ok(message::resolved(&entry)),
            _ => Ok(None),
        }
    }

    /// Asks the kernel to find (or confirm) a neighbour's MAC address; does not wait for it.
    ///
    /// Never to be used on a permanent entry: since Linux 5.16 `NTF_USE` makes it an ordinary one.
    pub(super) async fn ask(&mut self, neighbour: Neighbour) -> Result<(), RoutesError> {
        let request = RouteNetlinkMessage::NewNeighbour(message::neighbour_use(neighbour));
        match answer(&mut self.send(request, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE)?).await? {
            NetlinkPayload::Error(error) if error.code.is_some() => {
                Err(refused("look for a neighbour's MAC address", error.to_io()))
            }
            _ => Ok(()),
        }
    }

    fn send(
        &mut self,
        request: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<impl Stream<Item = NetlinkMessage<RouteNetlinkMessage>> + use<>, RoutesError> {
        let mut message = NetlinkMessage::from(request);
        message.header.flags = NLM_F_REQUEST | flags;
        self.handle.request(message).map_err(|_| RoutesError::Broken)
    }
}

fn hint(notification: &Payload) -> Option<Hint> {
    match notification {
        NetlinkPayload::Overrun(_) => Some(Hint::Everything),
        NetlinkPayload::InnerMessage(message) => message::hint(message),
        _ => None,
    }
}

/// The next part of an answer.
async fn answer(
    answers: &mut (impl Stream<Item = NetlinkMessage<RouteNetlinkMessage>> + Unpin),
) -> Result<Payload, RoutesError> {
    match timeout(ANSWER_TIMEOUT, answers.next()).await {
        Ok(Some(message)) => Ok(message.payload),
        Ok(None) => Err(RoutesError::Broken),
        Err(_) => Err(RoutesError::NoAnswer(ANSWER_TIMEOUT)),
    }
}

fn refused(request: &'static str, source: io::Error) -> RoutesError {
    RoutesError::Refused { request, source }
}
