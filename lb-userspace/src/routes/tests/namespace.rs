//! Network namespaces for tests: each is a thread of its own, and is gone when the thread ends, however it ends.

use std::{
    process::Command,
    sync::mpsc::{Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::{
    sched::{CloneFlags, unshare},
    unistd::{Pid, gettid},
};

/// Runs a test in a fresh namespace, which has the two ends of a link: `node` (10.0.0.1, 2001:db8::1) and `far`.
pub(super) fn in_namespace(test: impl AsyncFnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("these tests need root, to make network namespaces");
        // No automatic addresses and no duplicate address detection: nothing here takes time or talks unasked. Neighbour
        // solicitations come from a link-local address, so there is one.
        set("ipv6/conf/default/addr_gen_mode", 1);
        set("ipv6/conf/default/accept_dad", 0);
        run("ip link set lo up");
        run("ip link add node address 02:00:00:00:00:01 type veth peer name far address 02:00:00:00:00:02");
        // The kernel gives a neighbour up after three of these.
        set("ipv4/neigh/node/retrans_time_ms", 100);
        set("ipv6/neigh/node/retrans_time_ms", 100);
        run("ip address add 10.0.0.1/24 dev node");
        run("ip address add 2001:db8::1/64 dev node nodad");
        run("ip address add fe80::1/64 dev node nodad");
        run("ip link set node up");
        run("ip link set far up");
        // The kernel notices a carrier in a work queue.
        let has_carrier = || print("ip link show node").contains("state UP");
        let noticed = (0..1000).any(|_| {
            has_carrier() || {
                thread::sleep(Duration::from_millis(5));
                false
            }
        });
        assert!(noticed, "the link between the namespaces does not come up");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Sets one of the `net` sysctls in the namespace of the calling thread.
fn set(key: &str, value: u32) {
    std::fs::write(format!("/proc/sys/net/{key}"), value.to_string()).unwrap();
}

/// Runs a command in the namespace of the calling thread.
pub(super) fn run(command: &str) {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What a command prints in the namespace of the calling thread.
pub(super) fn print(command: &str) -> String {
    let mut words = command.split_whitespace();
    String::from_utf8(Command::new(words.next().unwrap()).args(words).output().unwrap().stdout).unwrap()
}

/// Another machine, at the far end of the link: it has 10.0.0.2 and 2001:db8::2 and answers for them.
pub(super) struct Peer {
    commands: Option<Sender<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Takes `far` away to a namespace of its own.
    pub(super) fn start() -> Self {
        let (ready, started) = channel::<Pid>();
        let (commands, queue) = channel::<String>();
        let thread = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            ready.send(gettid()).unwrap();
            queue.into_iter().for_each(|command| run(&command));
        });
        run(&format!("ip link set far netns {}", started.recv().unwrap()));
        let peer = Self { commands: Some(commands), thread: Some(thread) };
        peer.run("ip address add 10.0.0.2/24 dev far");
        peer.run("ip address add 2001:db8::2/64 dev far nodad");
        peer.run("ip address add fe80::2/64 dev far nodad");
        peer.run("ip link set far up");
        peer
    }

    /// Runs a command there, some time soon.
    pub(super) fn run(&self, command: &str) {
        self.commands.as_ref().unwrap().send(command.into()).unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.commands.take());
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking(), "a command of the peer failed");
    }
}
