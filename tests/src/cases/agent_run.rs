//! Runs the agent's cases, through the library and through the loaded program.

use std::{cell::Cell, net::IpAddr};

use anyhow::{Context, Result, ensure};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, HashMap, LpmTrie, PerCpuArray, lpm_trie::Key},
    programs::Xdp,
};
use ipnet::IpNet;
use lb_common::{Address, Hits};
use lb_ebpf::{
    agent::{AgentTables, decapsulate},
    frame::MemoryFrame,
    verdict::Verdict,
};
use lb_userspace::dataplane::{AGENT_OBJECT, Plain};

use super::{
    agent::{ADDRESSES, AgentCase, GUE_PORT, NODES, PREFIXES},
    poison::Poison,
};

/// What a run has left of a packet, and what it has counted.
pub type Left = (Vec<u8>, Hits);

/// What a run has to leave.
pub fn expected(case: &AgentCase) -> Left {
    let hits = Hits { packets: 1, bytes: case.frame.len() as u64 };
    match &case.unwrapped {
        Some(frame) => (frame.clone(), hits),
        None => (case.frame.clone(), Hits::default()),
    }
}

fn parsed(addresses: [&str; 2]) -> [Address; 2] {
    addresses.map(|address| address.parse::<IpAddr>().expect("an address").into())
}

struct HostTables {
    restricted: bool,
    hits: Cell<Hits>,
}

impl AgentTables for HostTables {
    fn serves(&self, address: &Address) -> bool {
        let in_prefix = |(network, bits): &(&str, u8)| {
            let network: IpAddr = network.parse().expect("an address");
            IpNet::new(network, *bits).expect("a prefix").contains(&IpAddr::from(*address))
        };
        parsed(ADDRESSES).contains(address) || PREFIXES.iter().any(in_prefix)
    }

    fn trusts(&self, source: &Address) -> bool {
        !self.restricted || parsed(NODES).contains(source)
    }

    fn gue_port(&self) -> u16 {
        GUE_PORT
    }

    fn count_decapsulated(&self, bytes: u64) {
        let Hits { packets, bytes: before } = self.hits.get();
        self.hits.set(Hits { packets: packets + 1, bytes: before + bytes });
    }
}

/// Runs a case through the library.
pub fn host(case: &AgentCase) -> Left {
    let tables = HostTables { restricted: case.restricted, hits: Cell::default() };
    let mut bytes = case.frame.clone();
    let mut frame = MemoryFrame::new(&mut bytes, 0, 1).in_pieces(case.first_bytes());
    assert_eq!(decapsulate(&mut frame, &tables), Verdict::Pass, "the agent passes everything");
    (frame.bytes().to_vec(), tables.hits.get())
}

/// The loaded agent.
pub struct Agent {
    ebpf: Ebpf,
    poison: Poison,
}

impl Agent {
    /// Loads the program and fills its maps; nothing is pinned.
    ///
    /// # Errors
    ///
    /// The kernel refuses something. Root is needed.
    pub fn load() -> Result<Self> {
        let mut ebpf = EbpfLoader::new().load(AGENT_OBJECT)?;
        let program: &mut Xdp = ebpf.program_mut("sluice_agent").context("there is no program")?.try_into()?;
        program.load()?;
        let poison = Poison::around(program)?;
        for (map, addresses) in [("addresses", ADDRESSES), ("nodes", NODES)] {
            let map = ebpf.map_mut(map).with_context(|| format!("there is no map {map}"))?;
            let mut map = HashMap::<_, Plain<Address>, u32>::try_from(map)?;
            for address in parsed(addresses) {
                map.insert(&Plain(address), &1, 0)?;
            }
        }
        let map = ebpf.map_mut("prefixes").context("there is no map prefixes")?;
        let mut map = LpmTrie::<_, [u8; 16], u32>::try_from(map)?;
        for (network, bits) in PREFIXES {
            let network: IpAddr = network.parse()?;
            let mapped_bits = if network.is_ipv4() { 96 } else { 0 };
            map.insert(&Key::new(mapped_bits + u32::from(bits), Address::from(network).octets()), &1, 0)?;
        }
        let mut agent = Self { ebpf, poison };
        agent.set("gue_port", GUE_PORT.into())?;
        Ok(agent)
    }

    /// Sets the only element of an array.
    fn set(&mut self, map: &str, value: u32) -> Result<()> {
        let map = self.ebpf.map_mut(map).with_context(|| format!("there is no map {map}"))?;
        Ok(Array::<_, u32>::try_from(map)?.set(0, &value, 0)?)
    }

    /// Runs a case.
    ///
    /// # Errors
    ///
    /// The kernel refuses the run, or the program does anything but pass.
    pub fn run(&mut self, case: &AgentCase) -> Result<Left> {
        /// The loopback interface, which every network has.
        const LOOPBACK: u32 = 1;
        self.set("restricted", case.restricted.into())?;
        let before = self.hits()?;
        let (action, frame) = self.poison.run(&case.frame, case.first_bytes(), LOOPBACK)?;
        ensure!(action == 2, "{}: the program returned {action}, not XDP_PASS", case.name);
        let after = self.hits()?;
        let hits = Hits { packets: after.packets - before.packets, bytes: after.bytes - before.bytes };
        Ok((frame, hits))
    }

    fn hits(&self) -> Result<Hits> {
        let map = self.ebpf.map("decapsulated").context("there is no map `decapsulated`")?;
        let slots = PerCpuArray::<_, Plain<Hits>>::try_from(map)?.get(&0, 0)?;
        let sum = slots.iter().fold(Hits::default(), |sum, Plain(slot)| Hits {
            packets: sum.packets + slot.packets,
            bytes: sum.bytes + slot.bytes,
        });
        Ok(sum)
    }
}
