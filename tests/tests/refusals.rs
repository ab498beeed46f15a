//! What cannot be is refused: with a message that names the thing and the remedy, with exit code 2 for the operator's
//! mistakes and 1 for the machine's, and with nothing half done.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
    process::Command,
};

use anyhow::Context;
use aya::{
    Ebpf,
    programs::{Xdp, XdpMode},
};
use lb_userspace::{api::types::Status, dataplane::AGENT_OBJECT};
use nix::net::if_::if_nametoindex;
use tempfile::TempDir;
use tests::lab::{Answer, Namespace, Sluice, Switch, node_section, sluice_binary};

/// A node with one interface, and a folder for what a daemon needs.
struct Machine {
    node: Namespace,
    _switch: Switch,
    folder: TempDir,
}

impl Machine {
    fn new() -> anyhow::Result<Self> {
        let switch = Switch::new("switch")?;
        let node = switch.host("node", &["10.9.0.2/24"])?;
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("sluice.toml"), node_section(&["eth0"]))?;
        Ok(Self { node, _switch: switch, folder })
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A folder for pins that nobody has made.
    fn pins(&self) -> String {
        format!("/sys/fs/bpf/sluice-refused-{}", std::process::id())
    }

    /// `sluice` with these words; the socket is the folder's.
    fn command(&self, words: &[&str]) -> anyhow::Result<Command> {
        let mut command = self.node.command(sluice_binary()?.to_str().context("a path that is not UTF-8")?);
        command.args(["--socket", &self.path("sluice.sock")]).args(words);
        Ok(command)
    }

    /// Runs `sluice run`, which must end by itself.
    fn run(&self, more: &[&str]) -> anyhow::Result<Answer> {
        let (config, state, pins) = (self.path("sluice.toml"), self.path("state"), self.pins());
        let mut command = self.command(&["run", "--config", &config, "--state", &state])?;
        if !more.contains(&"--pins") {
            command.args(["--pins", &pins]);
        }
        let answer = Answer::from(command.args(more).output()?);
        assert!(!Path::new(&pins).exists(), "pins were left behind");
        assert!(!self.node.ip("link show eth0")?.contains("xdp"), "a program was left on eth0");
        Ok(answer)
    }
}

#[track_caller]
fn assert_refused(answer: &Answer, code: i32, words: &[&str]) {
    assert_eq!(answer.code, code, "{}{}", answer.stdout, answer.stderr);
    for word in words {
        assert!(answer.stderr.contains(word), "no {word:?} in: {}", answer.stderr);
    }
}

#[test]
fn commands_without_a_daemon() -> anyhow::Result<()> {
    let machine = Machine::new()?;
    for words in [&["status"][..], &["backends"], &["deny", "add", "203.0.113.7"], &["apply"]] {
        let answer = Answer::from(machine.command(words)?.output()?);
        assert_refused(&answer, 1, &["sluice.sock", "there is no such socket", "sluice run"]);
    }
    Ok(())
}

#[test]
fn a_second_daemon_on_the_same_socket() -> anyhow::Result<()> {
    let machine = Machine::new()?;
    let sluice = Sluice::start(&machine.node, &node_section(&["eth0"]))?;
    let pid = sluice.json::<Status>(&["status"])?.pid.to_string();
    let socket = sluice.socket().display().to_string();
    let config = machine.path("sluice.toml");
    let second = sluice.cli(&["run", "--config", &config, "--pins", &machine.pins()])?;
    assert!(!Path::new(&machine.pins()).exists(), "pins were left behind");
    assert_refused(&second, 1, &[&socket, &pid, "--socket"]);
    assert_eq!(sluice.json::<Status>(&["status"])?.pid.to_string(), pid);
    Ok(())
}

#[test]
fn a_second_daemon_on_the_same_pins() -> anyhow::Result<()> {
    let machine = Machine::new()?;
    let sluice = Sluice::start(&machine.node, &node_section(&["eth0"]))?;
    let pins = sluice.pins().display().to_string();
    let (config, state) = (machine.path("sluice.toml"), machine.path("state"));
    let words = ["run", "--config", &config, "--state", &state, "--pins", &pins];
    let second = Answer::from(machine.command(&words)?.output()?);
    assert_refused(&second, 1, &[&pins, "--pins"]);
    assert!(!Path::new(&machine.path("sluice.sock")).exists(), "its socket was left behind");
    sluice.succeed(&["status"])?;
    Ok(())
}

#[test]
fn a_socket_that_a_killed_daemon_left_is_replaced() -> anyhow::Result<()> {
    let machine = Machine::new()?;
    let mut sluice = Sluice::start(&machine.node, &node_section(&["eth0"]))?;
    sluice.kill9();
    assert!(sluice.socket().exists());
    assert_refused(&sluice.cli(&["status"])?, 1, &["nobody listens there", "sluice run"]);
    sluice.restart()?;
    sluice.succeed(&["status"])?;
    Ok(())
}

#[test]
fn a_file_in_the_place_of_the_socket_is_left_alone() -> anyhow::Result<()> {
    let machine = Machine::new()?;
    fs::write(machine.path("sluice.sock"), "precious")?;
    assert_refused(&machine.run(&[])?, 1, &["sluice.sock", "is not a socket", "--socket"]);
    assert_eq!(fs::read_to_string(machine.path("sluice.sock"))?, "precious");
    Ok(())
}

#[test]
fn a_socket_of_another_program() -> anyhow::Result<()> {
    let machine = Machine::new()?;
    let _other = UnixListener::bind(machine.path("sluice.sock"))?;
    assert_refused(&machine.run(&[])?, 1, &["sluice.sock", "--socket"]);
    Ok(())
}

#[test]
fn an_interface_that_does_not_exist() -> anyhow::Result<()> {
    let machine = Machine::new()?;
    fs::write(machine.path("sluice.toml"), node_section(&["eth0", "eth7"]))?;
    assert_refused(&machine.run(&[])?, 2, &["eth7", "eth0", "lo"]);
    Ok(())
}

#[test]
fn somebody_who_is_not_root() -> anyhow::Result<()> {
    const AS_NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let machine = Machine::new()?;
    // Neither the folder nor the binary may be what stops them.
    fs::set_permissions(machine.folder.path(), fs::Permissions::from_mode(0o777))?;
    let sluice = machine.path("sluice");
    fs::copy(sluice_binary()?, &sluice)?;
    let ask = |words: &[&str]| -> anyhow::Result<Answer> {
        let mut command = machine.node.command("setpriv");
        Ok(Answer::from(command.args(AS_NOBODY).arg(&sluice).args(words).output()?))
    };
    let config = machine.path("sluice.toml");
    let socket = machine.path("sluice.sock");
    let words = ["--socket", &socket, "run", "--config", &config];
    let answer = ask(&words)?;
    assert_refused(&answer, 1, &["root", "sudo"]);
    let words = ["agent", "--interface", "eth0", "--address", "192.0.2.80"];
    let answer = ask(&words)?;
    assert_refused(&answer, 1, &["root"]);

    let daemon = Sluice::start(&machine.node, &node_section(&["eth0"]))?;
    fs::set_permissions(daemon.configuration().with_file_name(""), fs::Permissions::from_mode(0o755))?;
    let socket = daemon.socket().display().to_string();
    let words = ["--socket", &socket, "status"];
    let answer = ask(&words)?;
    assert_refused(&answer, 1, &[&socket, "sudo"]);
    Ok(())
}

#[test]
fn an_interface_with_another_xdp_program() -> anyhow::Result<()> {
    let machine = Machine::new()?;
    let mut other = Ebpf::load(AGENT_OBJECT)?;
    let program: &mut Xdp = other.program_mut("sluice_agent").context("the object has no program")?.try_into()?;
    program.load()?;
    let id = machine.node.enter(|| anyhow::Ok(program.attach(if_nametoindex("eth0")?, XdpMode::Driver)?))??;

    let pins = machine.pins();
    let (config, state) = (machine.path("sluice.toml"), machine.path("state"));
    let words = ["run", "--config", &config, "--state", &state, "--pins", &pins];
    assert_refused(&Answer::from(machine.command(&words)?.output()?), 1, &["eth0", "another XDP program"]);
    assert!(!Path::new(&pins).exists(), "pins were left behind");

    let sluice = Sluice::start(&machine.node, &node_section(&[]))?;
    let answer = sluice.cli(&["attach", "eth0"])?;
    assert_refused(&answer, 1, &["eth0", "another XDP program", "ip link set dev eth0 xdp off"]);
    assert!(!fs::read_to_string(sluice.configuration())?.contains("eth0"));
    program.detach(id)?;
    sluice.succeed(&["attach", "eth0"])?;
    Ok(())
}

#[test]
fn files_that_are_no_configuration() -> anyhow::Result<()> {
    let machine = Machine::new()?;
    let config = machine.path("sluice.toml");
    for (text, words) in [
        (&b"<xml>\n"[..], &[":1:1", "error"][..]),
        (b"[node]\ninterfaces = eth0\n", &[":2:14", "\"eth0\""]),
        (b"[node]\ninterfaces = [\"\xff\"]\n", &[":2", "UTF-8"]),
        (b"[nod]\n", &[":1:2", "nod", "node"]),
    ] {
        fs::write(&config, text)?;
        for answer in [machine.run(&[])?, Answer::from(machine.command(&["check", &config])?.output()?)] {
            assert_refused(&answer, 2, &[&[config.as_str()], words].concat());
        }
    }
    fs::remove_file(&config)?;
    assert_refused(&machine.run(&[])?, 2, &[&config, "there is no configuration file"]);
    Ok(())
}

#[test]
fn pins_outside_of_a_bpf_file_system() -> anyhow::Result<()> {
    let machine = Machine::new()?;
    let pins = machine.path("pins");
    assert_refused(&machine.run(&["--pins", &pins])?, 1, &[&pins, "/sys/fs/bpf"]);
    Ok(())
}

#[test]
fn an_agent_on_an_interface_that_does_not_exist() -> anyhow::Result<()> {
    let machine = Machine::new()?;
    let words = ["agent", "--interface", "eth7", "--address", "192.0.2.80"];
    let answer = Answer::from(machine.command(&words)?.output()?);
    assert_refused(&answer, 1, &["eth7"]);
    assert!(!machine.node.ip("address show dev lo")?.contains("192.0.2.80"));
    Ok(())
}
