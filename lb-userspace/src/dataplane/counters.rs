//! Counters, summed over the CPUs.

use aya::{
    Pod,
    maps::{MapData, MapError, PerCpuArray},
};
use ipnet::IpNet;
use lb_common::{DropReason, Hits, LimitHits, SynLine, SynTraffic, Traffic};

use super::{
    DataplaneError, Plain,
    tables::{Tables, failed},
};

/// Reads the datapath's counters.
pub struct Counters<'a> {
    pub(super) tables: &'a Tables,
}

impl Counters<'_> {
    /// What was forwarded for a service.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn service(&self, id: u32) -> Result<Traffic, DataplaneError> {
        let sum = sum(&self.tables.service_traffic, id, |total: Traffic, Plain(cpu)| add(total, cpu));
        sum.map_err(|source| failed("read", "service_traffic", source))
    }

    /// What was forwarded to a backend.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn backend(&self, slot: u16) -> Result<Traffic, DataplaneError> {
        let sum = sum(&self.tables.backend_traffic, slot.into(), |total: Traffic, Plain(cpu)| add(total, cpu));
        sum.map_err(|source| failed("read", "backend_traffic", source))
    }

    /// What SYN protection has counted for a service.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn syn(&self, id: u32) -> Result<SynTraffic, DataplaneError> {
        let add = |mut total: SynTraffic, Plain(cpu): Plain<SynTraffic>| {
            total.0.iter_mut().zip(cpu.0).for_each(|(total, cpu)| *total = total.wrapping_add(cpu));
            total
        };
        sum(&self.tables.syn_traffic, id, add).map_err(|source| failed("read", "syn_traffic", source))
    }

    /// The line with this number of the sources that have proved themselves to SYN protection.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn syn_sources(&self, number: u32) -> Result<SynLine, DataplaneError> {
        let line = self.tables.syn_sources.get(&number, 0);
        line.map(|Plain(line)| line).map_err(|source| failed("read", "syn_sources", source))
    }

    /// What a list has matched.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn list(&self, number: u32) -> Result<Hits, DataplaneError> {
        let map = self.tables.lists.memory().pinned().lists();
        sum(&map, number, add_hits).map_err(|source| failed("read", "list_hits", source))
    }

    /// What an entry of a list has matched; `None` if it does not count by itself.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn list_entry(&self, number: u32, net: IpNet) -> Result<Option<Hits>, DataplaneError> {
        let Some(slot) = self.tables.lists.counted().get(number, net) else { return Ok(None) };
        let map = self.tables.lists.memory().pinned().entries();
        let hits = sum(&map, slot, add_hits).map_err(|source| failed("read", "list_entry_hits", source))?;
        Ok(Some(hits))
    }

    /// What a rule has matched, by its number.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn rule(&self, rule: u32) -> Result<Hits, DataplaneError> {
        sum(&self.tables.rule_hits, rule, add_hits).map_err(|source| failed("read", "rule_hits", source))
    }

    /// What a limit has done, by its number.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn limit(&self, limit: u32) -> Result<LimitHits, DataplaneError> {
        let add = |total: LimitHits, Plain(cpu): Plain<LimitHits>| LimitHits {
            passed: total.passed.wrapping_add(cpu.passed),
            limited: total.limited.wrapping_add(cpu.limited),
            limited_bytes: total.limited_bytes.wrapping_add(cpu.limited_bytes),
        };
        sum(&self.tables.limit_hits, limit, add).map_err(|source| failed("read", "limit_hits", source))
    }

    /// How many packets were dropped for a reason.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn drops(&self, reason: DropReason) -> Result<u64, DataplaneError> {
        sum(&self.tables.drops, reason as u32, u64::wrapping_add).map_err(|source| failed("read", "drops", source))
    }
}

fn add(total: Traffic, cpu: Traffic) -> Traffic {
    Traffic {
        packets: total.packets.wrapping_add(cpu.packets),
        bytes: total.bytes.wrapping_add(cpu.bytes),
        flows: total.flows.wrapping_add(cpu.flows),
    }
}

fn add_hits(total: Hits, Plain(cpu): Plain<Hits>) -> Hits {
    Hits { packets: total.packets.wrapping_add(cpu.packets), bytes: total.bytes.wrapping_add(cpu.bytes) }
}

fn sum<V: Pod, T: Default>(map: &PerCpuArray<MapData, V>, index: u32, add: impl Fn(T, V) -> T) -> Result<T, MapError> {
    Ok(map.get(&index, 0)?.iter().fold(T::default(), |total, cpu| add(total, *cpu)))
}
