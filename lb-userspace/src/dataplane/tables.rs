//! The maps, typed.

use aya::{
    maps::{Array, DevMapHash, HashMap, Map, MapData, MapError, PerCpuArray, PerCpuValues, RingBuf},
    util::nr_cpus,
};
use lb_common::{
    BackendValue, EndpointKey, Hits, LimitHits, NodeAddress, PortBlock, ReplyValue, RingElement, RuleBlock, Settings,
    SynLine, SynSettings, SynTraffic, Traffic,
};

use super::{
    DataplaneError, FlowTable, Plain, SessionArray,
    lists::{self, Maps},
    services::Services,
    sources::Sources,
};
use crate::lists::ListTables;

/// Every map of the load balancer.
pub(super) struct Tables {
    pub(super) settings: Array<MapData, Plain<Settings>>,
    pub(super) syn: Array<MapData, Plain<SynSettings>>,
    pub(super) services: Services,
    pub(super) port_ranges: Array<MapData, Plain<PortBlock>>,
    pub(super) sanity: Array<MapData, u64>,
    pub(super) sources: Sources,
    pub(super) rings: Array<MapData, Plain<RingElement>>,
    pub(super) backends: Array<MapData, Plain<BackendValue>>,
    pub(super) replies: HashMap<MapData, Plain<EndpointKey>, Plain<ReplyValue>>,
    pub(super) node_addresses: Array<MapData, Plain<NodeAddress>>,
    pub(super) devices: DevMapHash<MapData>,
    pub(super) rules: Array<MapData, Plain<RuleBlock>>,
    pub(super) rule_hits: PerCpuArray<MapData, Plain<Hits>>,
    pub(super) lists: ListTables<Maps>,
    pub(super) service_traffic: PerCpuArray<MapData, Plain<Traffic>>,
    pub(super) backend_traffic: PerCpuArray<MapData, Plain<Traffic>>,
    pub(super) limit_hits: PerCpuArray<MapData, Plain<LimitHits>>,
    pub(super) totals: Array<MapData, u64>,
    pub(super) syn_traffic: PerCpuArray<MapData, Plain<SynTraffic>>,
    pub(super) syn_sources: Array<MapData, Plain<SynLine>>,
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
pub(super) fn take<T>(ebpf: &mut aya::Ebpf, name: &'static str) -> Result<T, DataplaneError>
where
    T: TryFrom<Map, Error = MapError>,
{
    take_map(ebpf, name).and_then(|map| T::try_from(map).map_err(|source| failed("open", name, source)))
}

pub(super) fn take_map(ebpf: &mut aya::Ebpf, name: &'static str) -> Result<Map, DataplaneError> {
    ebpf.take_map(name).ok_or_else(|| failed("open", name, MapError::InvalidName { name: name.to_owned() }))
}

/// An error about a map.
pub(super) fn failed(action: &'static str, map: &'static str, source: MapError) -> DataplaneError {
    DataplaneError::Map { action, map, source: Box::new(source) }
}

impl Tables {
    /// Takes the maps out of the loaded object.
    pub(super) fn take(ebpf: &mut aya::Ebpf) -> Result<(Self, Rings), DataplaneError> {
        let pinned = lists::pinned(ebpf)?;
        let tables = Self {
            settings: take(ebpf, "settings")?,
            syn: take(ebpf, "syn")?,
            services: Services::open(take(ebpf, "services")?).map_err(|source| failed("read", "services", source))?,
            port_ranges: take(ebpf, "port_ranges")?,
            sanity: take(ebpf, "sanity")?,
            sources: Sources(take(ebpf, "sources")?),
            rings: take(ebpf, "rings")?,
            backends: take(ebpf, "backends")?,
            replies: take(ebpf, "replies")?,
            node_addresses: take(ebpf, "node_addresses")?,
            devices: take(ebpf, "devices")?,
            rules: take(ebpf, "rules")?,
            rule_hits: take(ebpf, "rule_hits")?,
            lists: lists::opened(ebpf, &pinned)?,
            service_traffic: take(ebpf, "service_traffic")?,
            backend_traffic: take(ebpf, "backend_traffic")?,
            limit_hits: take(ebpf, "limit_hits")?,
            totals: take(ebpf, "totals")?,
            syn_traffic: take(ebpf, "syn_traffic")?,
            syn_sources: take(ebpf, "syn_sources")?,
            drops: take(ebpf, "drops")?,
            overflows: take(ebpf, "overflows")?,
            flows: FlowTable::map(take_map(ebpf, "flows")?).map_err(|source| failed("map", "flows", source))?,
            sessions: SessionArray::map(take_map(ebpf, "sessions")?)
                .map_err(|source| failed("map", "sessions", source))?,
        };
        Ok((tables, Rings { events: Some(take(ebpf, "events")?), samples: Some(take(ebpf, "samples")?) }))
    }
}

/// Lets a counter begin at zero, on every CPU.
pub(super) fn reset<T: Default + Copy>(map: &mut PerCpuArray<MapData, Plain<T>>, index: u32) -> Result<(), MapError>
where
    Plain<T>: aya::Pod + Default,
{
    let cpus = nr_cpus().map_err(|(_, error)| MapError::IoError(error))?;
    let zeros = PerCpuValues::try_from(vec![Plain(T::default()); cpus.get() as usize]).map_err(MapError::IoError)?;
    map.set(index, zeros, 0)
}
