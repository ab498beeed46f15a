//! The maps, typed.

use aya::maps::{Array, DevMapHash, HashMap, LpmTrie, Map, MapData, MapError, PerCpuArray, RingBuf, lpm_trie::Key};
use ipnet::IpNet;
use lb_common::{
    BackendValue, EndpointKey, Hits, ListKind, ListValue, NodeAddress, PortBlock, ReplyValue, RingElement, Settings,
    SynLine, SynSettings, SynTraffic, Traffic,
};

use super::{DataplaneError, FlowTable, Plain, SessionArray, services::Services, sources::Sources};

/// A list's maps, one for each family.
pub(super) struct Lists {
    pub(super) v4: LpmTrie<MapData, [u8; 4], Plain<ListValue>>,
    pub(super) v6: LpmTrie<MapData, [u8; 16], Plain<ListValue>>,
}

/// Every map of the load balancer.
pub(super) struct Tables {
    pub(super) settings: Array<MapData, Plain<Settings>>,
    pub(super) syn: Array<MapData, Plain<SynSettings>>,
    pub(super) services: Services,
    pub(super) port_ranges: Array<MapData, Plain<PortBlock>>,
    pub(super) sources: Sources,
    pub(super) rings: Array<MapData, Plain<RingElement>>,
    pub(super) backends: Array<MapData, Plain<BackendValue>>,
    pub(super) replies: HashMap<MapData, Plain<EndpointKey>, Plain<ReplyValue>>,
    pub(super) node_addresses: Array<MapData, Plain<NodeAddress>>,
    pub(super) devices: DevMapHash<MapData>,
    pub(super) allow: Lists,
    pub(super) deny: Lists,
    pub(super) service_traffic: PerCpuArray<MapData, Plain<Traffic>>,
    pub(super) backend_traffic: PerCpuArray<MapData, Plain<Traffic>>,
    pub(super) syn_traffic: PerCpuArray<MapData, Plain<SynTraffic>>,
    pub(super) syn_sources: Array<MapData, Plain<SynLine>>,
    pub(super) list_hits: PerCpuArray<MapData, Plain<Hits>>,
    pub(super) drops: PerCpuArray<MapData, u64>,
    pub(super) overflows: Array<MapData, u64>,
    pub(super) flows: FlowTable,
    pub(super) sessions: SessionArray,
}

/// A ring buffer that the datapath writes its records into.
pub type Records = RingBuf<MapData>;

/// The ring buffers of a program; each has one reader.
pub(super) struct Rings {
    /// What the datapath asks of the daemon.
    pub(super) events: Option<Records>,
    /// Drops, while somebody looks.
    pub(super) samples: Option<Records>,
}

/// Takes a map out of the loaded object.
fn take<T>(ebpf: &mut aya::Ebpf, name: &'static str) -> Result<T, DataplaneError>
where
    T: TryFrom<Map, Error = MapError>,
{
    take_map(ebpf, name).and_then(|map| T::try_from(map).map_err(|source| failed("open", name, source)))
}

fn take_map(ebpf: &mut aya::Ebpf, name: &'static str) -> Result<Map, DataplaneError> {
    ebpf.take_map(name).ok_or_else(|| failed("open", name, MapError::InvalidName { name: name.to_owned() }))
}

/// An error about a map.
pub(super) fn failed(action: &'static str, map: &'static str, source: MapError) -> DataplaneError {
    DataplaneError::Map { action, map, source: Box::new(source) }
}

impl Tables {
    /// Takes the maps out of the loaded object.
    pub(super) fn take(ebpf: &mut aya::Ebpf) -> Result<(Self, Rings), DataplaneError> {
        let tables = Self {
            settings: take(ebpf, "settings")?,
            syn: take(ebpf, "syn")?,
            services: Services::open(take(ebpf, "services")?).map_err(|source| failed("read", "services", source))?,
            port_ranges: take(ebpf, "port_ranges")?,
            sources: Sources(take(ebpf, "sources")?),
            rings: take(ebpf, "rings")?,
            backends: take(ebpf, "backends")?,
            replies: take(ebpf, "replies")?,
            node_addresses: take(ebpf, "node_addresses")?,
            devices: take(ebpf, "devices")?,
            allow: Lists { v4: take(ebpf, "allow_v4")?, v6: take(ebpf, "allow_v6")? },
            deny: Lists { v4: take(ebpf, "deny_v4")?, v6: take(ebpf, "deny_v6")? },
            service_traffic: take(ebpf, "service_traffic")?,
            backend_traffic: take(ebpf, "backend_traffic")?,
            syn_traffic: take(ebpf, "syn_traffic")?,
            syn_sources: take(ebpf, "syn_sources")?,
            list_hits: take(ebpf, "list_hits")?,
            drops: take(ebpf, "drops")?,
            overflows: take(ebpf, "overflows")?,
            flows: FlowTable::map(take_map(ebpf, "flows")?).map_err(|source| failed("map", "flows", source))?,
            sessions: SessionArray::map(take_map(ebpf, "sessions")?)
                .map_err(|source| failed("map", "sessions", source))?,
        };
        Ok((tables, Rings { events: Some(take(ebpf, "events")?), samples: Some(take(ebpf, "samples")?) }))
    }

    /// A list's maps.
    pub(super) const fn list(&mut self, kind: ListKind) -> &mut Lists {
        match kind {
            ListKind::Allow => &mut self.allow,
            ListKind::Deny => &mut self.deny,
        }
    }
}

impl Lists {
    pub(super) fn add(&mut self, prefix: IpNet) -> Result<(), MapError> {
        let value = Plain(ListValue::default());
        match prefix {
            IpNet::V4(net) => self.v4.insert(&Key::new(net.prefix_len().into(), net.network().octets()), &value, 0),
            IpNet::V6(net) => self.v6.insert(&Key::new(net.prefix_len().into(), net.network().octets()), &value, 0),
        }
    }

    pub(super) fn remove(&mut self, prefix: IpNet) -> Result<(), MapError> {
        match prefix {
            IpNet::V4(net) => self.v4.remove(&Key::new(net.prefix_len().into(), net.network().octets())),
            IpNet::V6(net) => self.v6.remove(&Key::new(net.prefix_len().into(), net.network().octets())),
        }
    }

    /// The prefixes that are in the maps.
    pub(super) fn prefixes(&self) -> Result<Vec<IpNet>, MapError> {
        let mut prefixes = Vec::new();
        for key in self.v4.keys() {
            let key = key?;
            prefixes.extend(prefix(key.data().into(), key.prefix_len()));
        }
        for key in self.v6.keys() {
            let key = key?;
            prefixes.extend(prefix(key.data().into(), key.prefix_len()));
        }
        Ok(prefixes)
    }
}

fn prefix(address: std::net::IpAddr, length: u32) -> Option<IpNet> {
    u8::try_from(length).ok().and_then(|length| IpNet::new(address, length).ok())
}
