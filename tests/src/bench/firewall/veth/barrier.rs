//! What drops the packets.

use std::{fmt::Write as _, fs};

use anyhow::{Context as _, Result};
use aya::{Ebpf, EbpfLoader};
use lb_common::BenchPacket;
use lb_userspace::{api::types::List, dataplane::BENCH_OBJECT, lists::Prefixes};
use tempfile::TempDir;

use super::line::{DESTINATION, set_packet};
use crate::{
    bench::{
        firewall::trie::Trie,
        traffic::{attach, program},
    },
    lab::{Namespace, Sluice, node_section, service_section},
};

/// Something that drops all packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Barrier {
    /// An XDP program that looks nothing up.
    Drop,
    /// One that reads the source, which another processor has just written.
    Read,
    /// Sluice with a list.
    Sluice,
    /// An XDP program with a trie of the kernel's.
    Trie,
    /// A chain of nftables' that looks nothing up.
    Chain,
    /// The same with an interval set.
    Intervals,
}

pub(super) const BARRIERS: [Barrier; 6] =
    [Barrier::Drop, Barrier::Read, Barrier::Sluice, Barrier::Trie, Barrier::Chain, Barrier::Intervals];

/// What must live as long as a barrier stands.
pub(super) enum Standing {
    /// The program stays attached as long as its object lives.
    Program { ebpf: Ebpf },
    /// The daemon, and the folder with its list.
    Sluice { sluice: Sluice, _folder: TempDir },
    /// The table is the namespace's.
    Nftables,
}

impl Barrier {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Read => "read",
            Self::Sluice => "sluice",
            Self::Trie => "trie",
            Self::Chain => "chain",
            Self::Intervals => "intervals",
        }
    }

    /// Interfaces whose packets a thread receives are told apart by their names.
    pub(super) const fn letter(self) -> char {
        (b'a' + self as u8) as char
    }

    /// Puts it at an interface, with these prefixes.
    pub(super) fn stand(self, node: &Namespace, front: &str, nets: &Prefixes, packet: BenchPacket) -> Result<Standing> {
        match self {
            Self::Drop => with_program(node, front, Ebpf::load(BENCH_OBJECT)?, "sluice_sink"),
            Self::Read => {
                let mut ebpf = Ebpf::load(BENCH_OBJECT)?;
                set_packet(&mut ebpf, packet)?;
                with_program(node, front, ebpf, "sluice_source_sink")
            }
            Self::Trie => {
                let mut ebpf = EbpfLoader::new().map_max_entries("trie", nets.len() as u32).load(BENCH_OBJECT)?;
                set_packet(&mut ebpf, packet)?;
                let mut standing = with_program(node, front, ebpf, "sluice_trie_sink")?;
                if let Standing::Program { ebpf } = &mut standing {
                    Trie::open(ebpf.take_map("trie").context("the object has no map trie")?)?.fill(nets)?;
                }
                Ok(standing)
            }
            Self::Sluice => with_sluice(node, front, nets),
            Self::Chain => with_nftables(node, front, None),
            Self::Intervals => with_nftables(node, front, Some(nets)),
        }
    }
}

impl Standing {
    /// How many packets were found on the list. nftables counts them, too, but needs a minute to say so, because it reads the
    /// whole set before.
    pub(super) fn counted(&self) -> Result<Option<u64>> {
        let Self::Sluice { sluice, .. } = self else { return Ok(None) };
        let lists: Vec<List> = sluice.json(&["deny", "stats"])?;
        Ok(Some(lists.iter().map(|list| list.packets).sum()))
    }
}

fn with_program(node: &Namespace, front: &str, mut ebpf: Ebpf, name: &str) -> Result<Standing> {
    let program = program(&mut ebpf, name)?;
    program.load()?;
    attach(node, program, front)?;
    Ok(Standing::Program { ebpf })
}

fn with_sluice(node: &Namespace, front: &str, nets: &Prefixes) -> Result<Standing> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("list");
    fs::write(&file, lines(nets, "\n"))?;
    let (address, port) = DESTINATION.split_once(':').unwrap_or_default();
    let service = format!("address = \"{address}\"\nport = {port}\nprotocol = \"tcp\"\ndelivery = \"l2\"\n");
    let list =
        format!("\n[[list]]\nname = \"bench\"\naction = \"deny\"\nfile = \"{}\"\nforce = true\n", file.display());
    let sluice = Sluice::start(node, &(node_section(&[front]) + &service_section("nobody", &service, &[]) + &list))?;
    Ok(Standing::Sluice { sluice, _folder: folder })
}

fn with_nftables(node: &Namespace, front: &str, nets: Option<&Prefixes>) -> Result<Standing> {
    let mut rules = "table netdev bench {\n".to_owned();
    if let Some(nets) = nets {
        let elements = lines(nets, ",\n");
        writeln!(rules, " set banned {{ type ipv4_addr; flags interval; elements = {{ {elements} }}; }}")?;
    }
    let look_up = if nets.is_some() { "ip saddr @banned counter drop;" } else { "" };
    let hook = format!("type filter hook ingress device \"{front}\" priority 0; policy drop;");
    writeln!(rules, " chain ingress {{ {hook} {look_up} }}\n}}")?;
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), rules)?;
    node.run("nft", &["--file", &file.path().to_string_lossy()])?;
    Ok(Standing::Nftables)
}

fn lines(nets: &Prefixes, between: &str) -> String {
    let mut text = String::new();
    for net in nets.iter() {
        text.push_str(if text.is_empty() { "" } else { between });
        // Writing to a string cannot fail.
        let _ = write!(text, "{net}");
    }
    text
}
