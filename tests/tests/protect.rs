//! The protected node: who gets in, what goes on, and that nobody locks himself out without meaning to.

use std::{
    fs,
    io::{self, Read, Write},
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use lb_userspace::api::types::{Drops, Explanation};
use tests::{
    lab::{Family, Site, Sluice, node_section, service_section},
    traffic::UdpEcho,
};

/// Where the operator's shell listens.
const SHELL: u16 = 2222;
const DNS: u16 = 53;
/// An answer takes some microseconds, but the machine may be busy with something else.
const LOST: Duration = Duration::from_secs(2);

struct Running {
    sluice: Sluice,
    /// The configuration without a firewall.
    bare: String,
    _echo: UdpEcho,
    site: Site,
}

/// An address of the node's.
fn node(family: Family) -> IpAddr {
    family.host(9, 2)
}

impl Running {
    fn start() -> anyhow::Result<Self> {
        let site = Site::new(1)?;
        let echo = UdpEcho::start(&site.servers[0], "web1", SocketAddr::new(Family::V4.server(0), DNS))?;
        shell(site.node.enter(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, SHELL)))??);
        let settings = "address = \"192.0.2.80\"\nport = 53\nprotocol = \"udp\"\ndelivery = \"l2\"";
        let bare = node_section(&["eth0"]) + &service_section("dns", settings, &site.backends(Family::V4));
        let sluice = Sluice::start(&site.node, &bare)?;
        sluice.await_ready()?;
        Ok(Self { sluice, bare, _echo: echo, site })
    }

    /// Another connection to the node's shell.
    fn connect(&self, family: Family) -> anyhow::Result<io::Result<TcpStream>> {
        let connect = || {
            let stream = TcpStream::connect_timeout(&SocketAddr::new(node(family), SHELL), LOST)?;
            stream.set_read_timeout(Some(LOST))?;
            Ok(stream)
        };
        self.site.client.enter(connect)
    }

    fn is_open(&self, family: Family) -> anyhow::Result<bool> {
        Ok(self.connect(family)?.is_ok())
    }

    /// Writes the configuration with this firewall; nobody is told.
    fn write(&self, firewall: &str) -> anyhow::Result<()> {
        Ok(fs::write(self.sluice.configuration(), format!("{}\n{firewall}", self.bare))?)
    }

    /// What the daemon says to somebody whose command it refuses.
    fn refused(&self, over: &TcpStream, arguments: &[&str]) -> anyhow::Result<String> {
        let answer = self.sluice.cli_over(&connection(over)?, arguments)?;
        assert_eq!(answer.code, 2, "{answer:?}");
        Ok(answer.stderr)
    }

    fn accepted(&self, over: &TcpStream, arguments: &[&str]) -> anyhow::Result<String> {
        let answer = self.sluice.cli_over(&connection(over)?, arguments)?;
        assert_eq!(answer.code, 0, "{answer:?}");
        Ok(answer.stdout)
    }
}

/// Says what it hears, on every connection.
fn shell(listener: TcpListener) {
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || io::copy(&mut stream.try_clone()?, &mut stream));
        }
    });
}

/// What sshd would write into the environment of a shell on this connection.
fn connection(stream: &TcpStream) -> anyhow::Result<String> {
    let (client, server) = (stream.local_addr()?, stream.peer_addr()?);
    Ok(format!("{} {} {} {}", client.ip(), client.port(), server.ip(), server.port()))
}

/// Whether a connection still carries bytes to the node and back.
fn is_alive(mut stream: &TcpStream) -> bool {
    let mut heard = [0; 5];
    stream.write_all(b"hello").is_ok() && stream.read_exact(&mut heard).is_ok() && heard == *b"hello"
}

const PROTECTED: &str = "[firewall]\nprotect = \"node\"\n";

#[test]
fn what_is_open_stays_open_and_what_is_new_must_be_let_in() -> anyhow::Result<()> {
    let running = Running::start()?;
    let open = [Family::V4, Family::V6].map(|family| running.connect(family));
    let open = open.into_iter().map(|stream| Ok(stream??)).collect::<anyhow::Result<Vec<_>>>()?;
    running.write(PROTECTED)?;
    let said = running.sluice.succeed(&["apply"])?;
    assert!(said.contains("the node itself is protected"), "{said}");
    for (family, open) in [Family::V4, Family::V6].into_iter().zip(&open) {
        assert!(is_alive(open), "a connection from before goes on");
        assert!(!running.is_open(family)?, "nobody has let {family:?} in");
    }
    let dropped = running.sluice.json::<Drops>(&["drops"])?.reasons["node_protected"].packets;
    assert!(dropped >= 2, "{dropped}");
    let explained: Explanation = running.sluice.json(&["explain", "--from", "10.9.0.1", "--to", "10.9.0.2:2222"])?;
    assert_eq!(explained.reason.as_deref(), Some("node_protected"));
    assert!(explained.steps.iter().any(|step| step.stage == "node"), "{explained:?}");

    let rule =
        "[[rule]]\nname = \"ssh\"\naction = \"pass\"\nprotocol = \"tcp\"\nport = 2222\nsource = \"10.9.0.0/24\"\n";
    running.write(&format!("{PROTECTED}{rule}"))?;
    running.sluice.succeed(&["apply"])?;
    assert!(running.is_open(Family::V4)? && !running.is_open(Family::V6)?, "the rule lets IPv4 in");
    running.sluice.succeed(&["allow", "add", "fd00:9::/64"])?;
    assert!(running.is_open(Family::V6)?, "the list lets IPv6 in");
    running.write("")?;
    running.sluice.succeed(&["apply"])?;
    assert!(running.is_open(Family::V4)? && running.is_open(Family::V6)?, "nothing is protected any more");
    Ok(())
}

#[test]
fn what_the_node_asks_for_and_what_is_for_services_gets_through() -> anyhow::Result<()> {
    let running = Running::start()?;
    running.write(PROTECTED)?;
    running.sluice.succeed(&["apply"])?;
    let ask = |socket: UdpSocket, server: SocketAddr| {
        socket.set_read_timeout(Some(LOST))?;
        socket.send_to(b"who are you?", server)?;
        socket.recv(&mut [0; 64])
    };
    let server = SocketAddr::new(Family::V4.server(0), DNS);
    let answered = running.site.node.enter(|| ask(UdpSocket::bind("0.0.0.0:0")?, server))??;
    assert!(answered > 0, "the node gets answers to what it asks");
    let (client, service) = (Family::V4.host(9, 1), SocketAddr::new(Family::V4.service(), DNS));
    running.site.servers[0].own(Family::V4.service())?;
    let echo = UdpEcho::start(&running.site.servers[0], "web1", service)?;
    let answered = running.site.client.enter(|| ask(UdpSocket::bind((client, 0))?, service))??;
    assert!(answered > 0, "services go on");
    drop(echo);
    running.site.client.run("ping", &["-c", "1", "-W", "5", "10.9.0.2"])?;
    Ok(())
}

#[test]
fn nobody_locks_himself_out_without_insisting() -> anyhow::Result<()> {
    let running = Running::start()?;
    for family in [Family::V4, Family::V6] {
        let typing = running.connect(family)??;
        let before = "[firewall]\nprotect = \"services\"\n";
        running.write(before)?;
        running.sluice.succeed(&["apply"])?;
        running.write(PROTECTED)?;
        for verb in ["apply", "plan"] {
            let refused = running.refused(&typing, &[verb])?;
            assert!(refused.contains("keep you from connecting again"), "{refused}");
            assert!(refused.contains("node_protected") && refused.contains("--force"), "{refused}");
        }
        assert!(running.is_open(family)?, "nothing was changed");
        let planned = running.accepted(&typing, &["plan", "--force"])?;
        assert!(
            planned.contains("the node itself is protected") && planned.contains("Nothing was changed"),
            "{planned}"
        );
        assert!(running.is_open(family)?, "a plan changes nothing");

        let rule =
            format!("{PROTECTED}[[rule]]\nname = \"ssh\"\naction = \"pass\"\nprotocol = \"tcp\"\nport = {SHELL}\n");
        running.write(&rule)?;
        running.accepted(&typing, &["apply"])?;
        assert!(running.is_open(family)? && is_alive(&typing));
        running.write(PROTECTED)?;
        running.accepted(&typing, &["apply", "--force"])?;
        assert!(is_alive(&typing) && !running.is_open(family)?);
        running.write(before)?;
        running.sluice.succeed(&["apply"])?;

        let own = typing.local_addr()?.ip().to_string();
        let refused = running.refused(&typing, &["deny", "add", &own])?;
        assert!(refused.contains("cut off the connection") && refused.contains("denied"), "{refused}");
        let refused = running.refused(&typing, &["deny", "add", &own, "--for", "1h"])?;
        assert!(refused.contains("cut off the connection"), "{refused}");
        assert!(is_alive(&typing));
        // Somebody else may be denied, and whoever insists may deny himself.
        running.accepted(&typing, &["deny", "add", "203.0.113.7"])?;
        running.accepted(&typing, &["deny", "add", &own, "--force"])?;
        assert!(!is_alive(&typing));
        running.accepted(&typing, &["deny", "remove", &own])?;
        running.accepted(&typing, &["deny", "remove", "203.0.113.7"])?;
    }
    Ok(())
}
