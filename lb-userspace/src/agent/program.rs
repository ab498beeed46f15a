//! The agent's XDP program.

use anyhow::Context;
use aya::{
    Ebpf,
    maps::{Array, HashMap, LpmTrie, lpm_trie::Key},
    programs::{ProgramError, Xdp, XdpMode},
};
use ipnet::IpNet;
use lb_common::Address;
use nix::net::if_::if_nametoindex;

use super::{Options, is_prefix};
use crate::dataplane::{AGENT_OBJECT, Plain};

/// The name of the program in the agent's object.
const NAME: &str = "sluice_agent";

/// The loaded and attached program. Dropping it detaches it.
pub(super) struct Program {
    _ebpf: Ebpf,
}

impl Program {
    /// Loads the program, tells it the addresses, and attaches it.
    pub(super) fn attach(options: &Options) -> anyhow::Result<Self> {
        let index = if_nametoindex(options.interface.as_str())
            .with_context(|| format!("there is no interface {}", options.interface))?;
        let mut ebpf = Ebpf::load(AGENT_OBJECT)?;
        let (prefixes, addresses): (Vec<IpNet>, Vec<IpNet>) = options.addresses.iter().partition(|net| is_prefix(net));
        fill(&mut ebpf, "addresses", &addresses.iter().map(IpNet::addr).collect::<Vec<_>>())?;
        fill_prefixes(&mut ebpf, &prefixes)?;
        fill(&mut ebpf, "nodes", &options.from)?;
        set(&mut ebpf, "restricted", u32::from(!options.from.is_empty()))?;
        set(&mut ebpf, "gue_port", options.gue_port.into())?;
        let program: &mut Xdp = ebpf.program_mut(NAME).context("the object has no program")?.try_into()?;
        program.load()?;
        attach(program, index, &options.interface)?;
        Ok(Self { _ebpf: ebpf })
    }
}

fn fill_prefixes(ebpf: &mut Ebpf, prefixes: &[IpNet]) -> anyhow::Result<()> {
    let map = ebpf.map_mut("prefixes").context("no map `prefixes`")?;
    let mut map: LpmTrie<_, [u8; 16], u32> = map.try_into()?;
    for prefix in prefixes {
        // The mapped form of an IPv4 address has 96 bits in front of it.
        let bits = u32::from(prefix.prefix_len()) + if prefix.addr().is_ipv4() { 96 } else { 0 };
        map.insert(&Key::new(bits, Address::from(prefix.network()).octets()), &1, 0)?;
    }
    Ok(())
}

fn fill(ebpf: &mut Ebpf, name: &str, addresses: &[std::net::IpAddr]) -> anyhow::Result<()> {
    let map = ebpf.map_mut(name).with_context(|| format!("no map `{name}`"))?;
    let mut map: HashMap<_, Plain<Address>, u32> = map.try_into()?;
    for address in addresses {
        map.insert(&Plain(Address::from(*address)), &1, 0)?;
    }
    Ok(())
}

/// Sets the only element of an array.
fn set(ebpf: &mut Ebpf, name: &str, value: u32) -> anyhow::Result<()> {
    let mut map: Array<_, u32> = ebpf.map_mut(name).with_context(|| format!("no map `{name}`"))?.try_into()?;
    Ok(map.set(0, &value, 0)?)
}

fn attach(program: &mut Xdp, index: u32, interface: &str) -> Result<(), ProgramError> {
    if let Err(error) = program.attach(index, XdpMode::Driver) {
        tracing::warn!(interface, %error, "no native XDP here; using the generic mode");
        program.attach(index, XdpMode::Skb)?;
    }
    Ok(())
}
