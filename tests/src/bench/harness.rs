//! The wrapper program, and one measurement with it.

use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, Map, MapData, ProgramArray},
    programs::{ProgramFd, TestRun as _, TestRunOptions, Xdp},
};
use lb_common::BenchPacket;
use lb_userspace::dataplane::{BENCH_OBJECT, Plain};
use nix::time::{ClockId, clock_gettime};

use super::host::Outcome;

/// No output is longer, in bytes.
const MAX_OUTPUT_BYTES: usize = 4096;

/// The loaded wrapper.
pub struct Harness {
    ebpf: Ebpf,
    wrapper: &'static str,
    packet: Array<MapData, Plain<BenchPacket>>,
    counter: Array<MapData, u64>,
    target: ProgramArray<MapData>,
    /// The program that only transmits.
    pub floor: ProgramFd,
}

/// Many runs of one program.
#[derive(Debug)]
pub struct Runs {
    /// Nanoseconds of one run.
    pub ns: f64,
    /// The number of the last packet, if the packets walk.
    pub last: u64,
    /// What became of it.
    pub outcome: Outcome,
}

impl Harness {
    /// Loads wrapper and floor for Sluice's own programs.
    ///
    /// # Errors
    ///
    /// The kernel refuses them.
    pub fn load() -> Result<Self> {
        Self::with("sluice_wrapper", "sluice_floor", "target")
    }

    /// Loads wrapper and floor for any program: those for frames in several buffers and others cannot call each other.
    ///
    /// # Errors
    ///
    /// The kernel refuses them, or the program in either.
    pub fn around(subject: &ProgramFd) -> Result<Self> {
        let mut harness = Self::load()?;
        if harness.target.set(0, subject, 0).is_err() {
            harness = Self::with("sluice_linear_wrapper", "sluice_linear_floor", "linear_target")?;
        }
        Ok(harness)
    }

    /// Loads the wrapper that gives packets these sources, as many as a power of two, and the floor; and room for `prefixes` in
    /// a trie of the kernel's.
    ///
    /// # Errors
    ///
    /// The kernel refuses them.
    pub fn from_sources(count: u32, prefixes: u32) -> Result<Self> {
        let mut loader = EbpfLoader::new();
        loader.map_max_entries("sources", count).map_max_entries("trie", prefixes);
        let ebpf = loader.load(BENCH_OBJECT).context("could not load the bench's object")?;
        Self::of(ebpf, "sluice_sources", "sluice_floor", "target")
    }

    /// Gives packets these sources, as many as there is room for.
    ///
    /// # Errors
    ///
    /// The kernel refuses them.
    pub fn set_sources(&mut self, sources: &[[u32; 4]]) -> Result<()> {
        let map = self.ebpf.map_mut("sources").context("the object has no map sources")?;
        let mut map = Array::<_, [u32; 4]>::try_from(map)?;
        ensure!(sources.len() == map.len() as usize, "{} sources in a map of {}", sources.len(), map.len());
        for (number, source) in (0..).zip(sources) {
            map.set(number, source, 0)?;
        }
        let mask = self.ebpf.map_mut("source_mask").context("the object has no map source_mask")?;
        Ok(Array::<_, u64>::try_from(mask)?.set(0, &(sources.len() as u64 - 1), 0)?)
    }

    /// Another program of the object, loaded.
    ///
    /// # Errors
    ///
    /// The kernel refuses it.
    pub fn other(&mut self, name: &str) -> Result<ProgramFd> {
        let program = program(&mut self.ebpf, name)?;
        program.load().with_context(|| format!("could not load {name}"))?;
        Ok(program.fd()?.try_clone()?)
    }

    /// Another map of the object, which can be taken once.
    ///
    /// # Errors
    ///
    /// There is no such map, or it has been taken.
    pub fn map(&mut self, name: &str) -> Result<Map> {
        self.ebpf.take_map(name).with_context(|| format!("the object has no map {name}"))
    }

    fn with(wrapper: &'static str, floor: &str, target: &str) -> Result<Self> {
        let ebpf = Ebpf::load(BENCH_OBJECT).context("could not load the bench's object")?;
        Self::of(ebpf, wrapper, floor, target)
    }

    fn of(mut ebpf: Ebpf, wrapper: &'static str, floor: &str, target: &str) -> Result<Self> {
        for name in [wrapper, floor] {
            program(&mut ebpf, name)?.load().with_context(|| format!("could not load {name}"))?;
        }
        let floor = program(&mut ebpf, floor)?.fd()?.try_clone()?;
        let map = |ebpf: &mut Ebpf, name| ebpf.take_map(name).with_context(|| format!("the object has no map {name}"));
        Ok(Self {
            packet: map(&mut ebpf, "packet")?.try_into()?,
            counter: map(&mut ebpf, "counter")?.try_into()?,
            target: map(&mut ebpf, target)?.try_into()?,
            floor,
            ebpf,
            wrapper,
        })
    }

    /// Says which packet is restored, and starts to count packets anew.
    ///
    /// # Errors
    ///
    /// The kernel refuses to write a map.
    pub fn restore(&mut self, packet: BenchPacket) -> Result<()> {
        self.packet.set(0, &Plain(packet), 0)?;
        Ok(self.counter.set(0, &0, 0)?)
    }

    /// Runs a program on the packet, `repeat` times in a row.
    ///
    /// The time is that of this thread on its CPU: the kernel's own figure is cut down to whole nanoseconds.
    ///
    /// # Errors
    ///
    /// The kernel refuses the program as the target of a tail call, or the test run.
    pub fn run(&mut self, subject: &ProgramFd, frame: &[u8], repeat: u32) -> Result<Runs> {
        self.target.set(0, subject, 0).context("the program cannot be called by the wrapper")?;
        let mut output = vec![0; MAX_OUTPUT_BYTES];
        let wrapper = program(&mut self.ebpf, self.wrapper)?;
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.data_out = Some(&mut output);
        options.repeat = repeat;
        let start = cpu_ns()?;
        let result = wrapper.test_run(options)?;
        let elapsed = cpu_ns()? - start;
        ensure!(result.return_value != 0, "the wrapper could not restore the packet or call the program");
        output.truncate(result.data_size_out as usize);
        Ok(Runs {
            ns: elapsed as f64 / f64::from(repeat),
            last: self.counter.get(&0, 0)?,
            outcome: Outcome { action: result.return_value, frame: output },
        })
    }
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let program = ebpf.program_mut(name).with_context(|| format!("the object has no program {name}"))?;
    Ok(program.try_into()?)
}

/// The time that this thread has had on a CPU, in nanoseconds.
pub(super) fn cpu_ns() -> Result<i64> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    Ok(time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}
