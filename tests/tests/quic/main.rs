//! Real QUIC connections survive a client's change of address, and changes of the backends at the same time.

mod endpoint;

use std::{fmt::Write as _, net::SocketAddr};

use anyhow::{Context as _, ensure};
use endpoint::{Client, Identity, serve};
use lb_userspace::api::types::{BackendState, BackendStatus};
use quinn::Endpoint;
use tests::lab::{Agent, Family, Namespace, Site, Sluice, node_section};

const PORT: u16 = 443;
const ROTATION: u8 = 3;
/// The first port of the clients.
const FIRST: u16 = 40_000;
/// Among so many ports there are some for each of three servers, whatever the hash.
const PORTS: u16 = 40;

/// Three servers behind one service.
struct Running {
    sluice: Sluice,
    identity: Identity,
    _servers: Vec<Endpoint>,
    _agents: Vec<Agent>,
    site: Site,
}

fn service() -> SocketAddr {
    (Family::V4.service(), PORT).into()
}

/// The configuration, with or without server ids.
fn configuration(site: &Site, has_ids: bool) -> String {
    let address = Family::V4.service();
    let mut text = node_section(&["eth0"]);
    let _ = write!(
        text,
        "\n[[service]]\nname = \"h3\"\naddress = \"{address}\"\nport = {PORT}\nprotocol = \"udp\"\ndelivery = \"ipip\"\n"
    );
    if has_ids {
        let _ = writeln!(text, "quic = {{ server_id_bytes = 2, config_rotation = {ROTATION} }}");
    }
    for (number, (name, address)) in (1..).zip(site.backends(Family::V4)) {
        let _ = writeln!(text, "\n[[service.backend]]\nname = \"{name}\"\naddress = \"{address}\"");
        if has_ids {
            let _ = writeln!(text, "server_id = \"{}\"", server_id(number));
        }
    }
    text
}

/// The id of a server, by its number from 1.
fn server_id(number: u8) -> String {
    format!("0a{number:02x}")
}

fn name(number: u8) -> String {
    format!("web{number}")
}

impl Running {
    fn start(has_ids: bool) -> anyhow::Result<Self> {
        let site = Site::new(3)?;
        let identity = Identity::new()?;
        let start = |host: &Namespace| Agent::start(host, "eth0", &[Family::V4.service()]);
        let agents = site.servers.iter().map(start).collect::<Result<_, _>>()?;
        let servers = (1..).zip(&site.servers);
        let servers = servers
            .map(|(number, host)| serve(host, service(), &identity, ROTATION, number))
            .collect::<Result<_, _>>()?;
        let sluice = Sluice::start(&site.node, &configuration(&site, has_ids))?;
        sluice.await_ready()?;
        Ok(Self { sluice, identity, _servers: servers, _agents: agents, site })
    }

    async fn connect(&self, port: u16) -> anyhow::Result<Client> {
        Client::connect(&self.site.client, port, service(), &self.identity).await
    }

    /// The server that a new connection from a port is given, which is what the ring says of the port.
    async fn ring_says(&self, port: u16) -> anyhow::Result<u8> {
        let mut client = self.connect(port).await?;
        let server = client.ask().await?;
        client.close().await;
        Ok(server)
    }

    /// Two ports that the ring gives to different servers, and these.
    async fn ports(&self) -> anyhow::Result<[(u16, u8); 2]> {
        let first = self.ring_says(FIRST).await?;
        for port in FIRST + 1..FIRST + PORTS {
            let other = self.ring_says(port).await?;
            if other != first {
                return Ok([(FIRST, first), (port, other)]);
            }
        }
        anyhow::bail!("the ring gives all ports to server {first}")
    }

    fn backend(&self, number: u8) -> anyhow::Result<BackendStatus> {
        let backends = self.sluice.backends("h3")?;
        backends.into_iter().find(|backend| backend.name == name(number)).context("no such backend")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_survives_a_change_of_address() -> anyhow::Result<()> {
    let running = Running::start(true)?;
    let [(from, server), (to, other)] = running.ports().await?;
    ensure!(running.backend(server)?.server_id == Some(server_id(server)), "the id is not shown");
    let before = running.backend(server)?.traffic.flows;

    let mut client = running.connect(from).await?;
    assert_eq!(client.ask().await?, server);
    client.move_to(to)?;
    for _ in 0..5 {
        assert_eq!(client.ask().await?, server, "and the ring gives port {to} to server {other}");
    }
    client.move_to(from)?;
    assert_eq!(client.ask().await?, server);
    assert_eq!(running.backend(server)?.traffic.flows, before + 1, "one connection was opened");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_server_ids_a_change_of_address_breaks_a_stream() -> anyhow::Result<()> {
    let running = Running::start(false)?;
    let [(from, server), (to, _)] = running.ports().await?;
    let mut client = running.connect(from).await?;
    assert_eq!(client.ask().await?, server);
    client.move_to(to)?;
    assert_eq!(client.ask().await.map_err(|error| error.to_string()), Err("no answer".to_owned()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_survives_a_drain_a_weight_and_another_daemon() -> anyhow::Result<()> {
    let mut running = Running::start(true)?;
    let [(from, server), (to, other)] = running.ports().await?;
    let backend = name(server);
    let mut client = running.connect(from).await?;
    assert_eq!(client.ask().await?, server);

    running.sluice.succeed(&["backend", "drain", "h3", &backend])?;
    assert_eq!(client.ask().await?, server);
    client.move_to(to)?;
    assert_eq!(client.ask().await?, server, "it drains, and this connection is its own");
    // A new connection is known as one, although its row's datagrams still belong to the server that drains.
    client.move_to(from + PORTS)?;
    assert_ne!(running.ring_says(from).await?, server);
    assert_eq!(running.backend(server)?.state, BackendState::Draining);

    running.sluice.succeed(&["backend", "weight", "h3", &name(other), "1"])?;
    assert_eq!(client.ask().await?, server);
    running.sluice.kill9();
    running.sluice.restart()?;
    client.move_to(to)?;
    assert_eq!(client.ask().await?, server, "the next daemon knows the ids");

    running.sluice.succeed(&["backend", "undrain", "h3", &backend])?;
    assert_eq!(client.ask().await?, server);
    // A server that is removed is followed no longer.
    running.sluice.succeed(&["backend", "remove", "h3", &backend])?;
    assert!(client.ask().await.is_err(), "nobody else knows this connection");
    Ok(())
}
