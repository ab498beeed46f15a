//! Test runs with a headroom full of poison: `BPF_PROG_TEST_RUN` leaves zeros there, and a byte of a header that a delivery
//! never writes would look right.

use anyhow::{Context, Result, ensure};
use aya::{
    Ebpf, TestRun, TestRunOptions,
    maps::{MapData, ProgramArray},
    programs::Xdp,
};
use lb_userspace::dataplane::BENCH_OBJECT;
use zerocopy::{Immutable, IntoBytes};

/// The largest frame that a test run can leave behind.
const MAX_FRAME_BYTES: usize = 16_384;

/// How many bytes a test run's first buffer holds: a page, without headroom and `struct skb_shared_info`.
pub(super) const FIRST_BUFFER_BYTES: usize = 4096 - 256 - 320;

/// The kernel's `struct xdp_md`.
#[derive(Default, IntoBytes, Immutable)]
#[repr(C)]
struct XdpContext {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_ifindex: u32,
    rx_queue_index: u32,
    egress_ifindex: u32,
}

/// A program that poisons the headroom and calls the program under test.
pub(super) struct Poison {
    ebpf: Ebpf,
    /// What holds the program under test.
    _target: ProgramArray<MapData>,
}

impl Poison {
    /// Around a loaded program.
    pub(super) fn around(subject: &Xdp) -> Result<Self> {
        let mut ebpf = Ebpf::load(BENCH_OBJECT).context("cannot load the tests' object")?;
        program(&mut ebpf)?.load().context("cannot load the program that poisons")?;
        let map = ebpf.take_map("target").context("the object has no map `target`")?;
        let mut target = ProgramArray::try_from(map)?;
        target.set(0, subject.fd()?, 0).context("the program cannot be called")?;
        Ok(Self { ebpf, _target: target })
    }

    /// Runs the program on a frame that came in by an interface, with this many bytes in its first buffer; returns its action
    /// and the frame as it left it.
    pub(super) fn run(&mut self, frame: &[u8], first_bytes: usize, ingress: u32) -> Result<(u32, Vec<u8>)> {
        let context = XdpContext { data_end: first_bytes as u32, ingress_ifindex: ingress, ..XdpContext::default() };
        let mut output = vec![0; MAX_FRAME_BYTES];
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut output),
            ctx_in: Some(context.as_bytes()),
            ..TestRunOptions::default()
        };
        let result = program(&mut self.ebpf)?.test_run(options)?;
        ensure!(result.return_value != 0, "the headroom could not be poisoned, or the program not be called");
        output.truncate(result.data_size_out as usize);
        Ok((result.return_value, output))
    }
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp> {
    Ok(ebpf.program_mut("sluice_poison").context("the object has no program `sluice_poison`")?.try_into()?)
}
