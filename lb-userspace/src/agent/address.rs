//! The services' addresses on the loopback interface.

use std::net::IpAddr;

use futures_util::TryStreamExt;
use ipnet::IpNet;
use netlink_packet_route::{
    address::AddressHeaderFlags,
    route::{RouteMessage, RouteScope, RouteType},
};
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, RouteMessageBuilder};

/// The routing table of the machine's own addresses (`RT_TABLE_LOCAL`).
const LOCAL_TABLE: u32 = 255;

/// Addresses that were added to the loopback interface.
pub(super) struct Loopback {
    handle: Handle,
    added: Vec<IpAddr>,
    added_prefixes: Vec<RouteMessage>,
}

impl Loopback {
    /// The loopback interface of this network namespace.
    pub(super) fn connect() -> anyhow::Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        Ok(Self { handle, added: Vec::new(), added_prefixes: Vec::new() })
    }

    /// Adds an address as a host route; one that is there already is left alone, then and at the end.
    pub(super) async fn add(&mut self, address: IpAddr) -> anyhow::Result<()> {
        let index = self.index().await?;
        let mut request = self.handle.address().add(index, address, host_bits(address));
        // Otherwise an IPv6 address is tentative for a moment, and servers cannot listen on it. Loopback has no neighbours
        // that could have it, too.
        request.message_mut().header.flags |= AddressHeaderFlags::Nodad;
        match request.execute().await {
            Ok(()) => self.added.push(address),
            Err(error) if errno(&error) == Some(libc::EEXIST) => {
                tracing::warn!(%address, "the address is on the loopback interface already; it stays there at the end");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Makes all addresses of a prefix the machine's own, by a route; one that is there already is left alone.
    pub(super) async fn add_prefix(&mut self, prefix: IpNet) -> anyhow::Result<()> {
        let index = self.index().await?;
        let route = RouteMessageBuilder::<IpAddr>::new().destination_prefix(prefix.network(), prefix.prefix_len())?;
        let route = route.output_interface(index).table_id(LOCAL_TABLE).kind(RouteType::Local);
        let route = route.scope(RouteScope::Host).build();
        match self.handle.route().add(route.clone()).execute().await {
            Ok(()) => self.added_prefixes.push(route),
            Err(error) if errno(&error) == Some(libc::EEXIST) => {
                tracing::warn!(%prefix, "the prefix is local already; it stays so at the end");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Brings the interface up, without which its addresses are not used, and returns its index.
    async fn index(&self) -> anyhow::Result<u32> {
        let mut links = self.handle.link().get().match_name("lo".to_owned()).execute();
        let link = links.try_next().await?.ok_or_else(|| anyhow::anyhow!("there is no loopback interface"))?;
        let index = link.header.index;
        let up = LinkMessageBuilder::<LinkUnspec>::default().index(index).up().build();
        self.handle.link().set(up).execute().await?;
        Ok(index)
    }

    /// Removes what was added.
    pub(super) async fn remove_added(&mut self) {
        for address in std::mem::take(&mut self.added) {
            if let Err(error) = self.remove(address).await {
                tracing::error!(%address, %error, "could not remove an address from the loopback interface");
            }
        }
        self.remove_added_prefixes().await;
    }

    /// Removes what was added as prefixes.
    async fn remove_added_prefixes(&mut self) {
        for route in std::mem::take(&mut self.added_prefixes) {
            if let Err(error) = self.handle.route().del(route).execute().await {
                tracing::error!(%error, "could not remove a local prefix");
            }
        }
    }

    async fn remove(&self, address: IpAddr) -> anyhow::Result<()> {
        let index = self.index().await?;
        let filter = self.handle.address().get().set_link_index_filter(index).set_address_filter(address);
        let mut found = filter.execute();
        while let Some(message) = found.try_next().await? {
            self.handle.address().del(message).execute().await?;
        }
        Ok(())
    }
}

const fn host_bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn errno(error: &rtnetlink::Error) -> Option<i32> {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.code.map(|code| code.get().abs()),
        _ => None,
    }
}
