//! The lab and its traffic tell the truth: a plain network works, and what breaks is reported as what it is.

use std::{
    net::SocketAddr,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Context;
use tests::{
    lab::{Namespace, Nginx, NginxOptions, Switch, curl, until},
    traffic::{
        Direction, Failure, Load, LoadOptions, Transfer, TransferOptions, TransferServer, UdpEcho, UdpOptions, ask_udp,
    },
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A client and a server on one switch.
struct Pair {
    switch: Switch,
    client: Namespace,
    server: Namespace,
}

fn pair() -> anyhow::Result<Pair> {
    let switch = Switch::new("switch")?;
    let client = switch.host("client", &["10.9.0.1/24", "fd09::1/64"])?;
    let server = switch.host("server", &["10.9.0.2/24", "fd09::2/64"])?;
    Ok(Pair { switch, client, server })
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn curl_reaches_nginx_by_both_families() -> anyhow::Result<()> {
    let Pair { switch: _switch, client, server } = pair()?;
    let nginx = Nginx::start(&server, "web1", NginxOptions { ports: vec![80, 8080], ..NginxOptions::default() })?;
    for url in ["http://10.9.0.2/", "http://10.9.0.2:8080/", "http://[fd09::2]/", "http://[fd09::2]:8080/"] {
        let answer = curl(&client, url, &["--include"])?;
        assert!(answer.contains("X-Backend: web1") && answer.ends_with("web1\n"), "{url}: {answer}");
    }
    let status = ["--output", "/dev/null", "--write-out", "%{http_code}"];
    assert_eq!(curl(&client, "http://10.9.0.2/health", &status)?, "200");
    nginx.set_healthy(false)?;
    assert_eq!(curl(&client, "http://10.9.0.2/health", &status)?, "503");
    assert_eq!(curl(&client, "http://10.9.0.2/", &status)?, "200");
    nginx.set_healthy(true)?;
    assert_eq!(curl(&client, "http://10.9.0.2/health", &status)?, "200");
    Ok(())
}

#[test]
fn nginx_gives_and_takes_files() -> anyhow::Result<()> {
    let Pair { switch: _switch, client, server } = pair()?;
    let options = NginxOptions { files: vec![("large".into(), 3_000_001)], ..NginxOptions::default() };
    let nginx = Nginx::start(&server, "web1", options)?;
    let large = nginx.files().join("large");
    let copy = nginx.files().join("fetched");
    let path = |path: &std::path::Path| path.to_str().map(str::to_owned).context("a path that is not UTF-8");
    curl(&client, "http://10.9.0.2/files/large", &["--output", &path(&copy)?])?;
    assert!(std::fs::read(&large)? == std::fs::read(&copy)?);
    curl(&client, "http://10.9.0.2/files/put", &["--upload-file", &path(&large)?])?;
    assert!(std::fs::read(&large)? == std::fs::read(nginx.files().join("put"))?);
    Ok(())
}

#[test]
fn load_counts_answers_and_flows() -> anyhow::Result<()> {
    let Pair { switch: _switch, client, server } = pair()?;
    let _nginx = Nginx::start(&server, "web1", NginxOptions::default())?;
    let options = LoadOptions { requests_per_connection: 5, ..LoadOptions::default() };
    let load = Load::start(&client, address("10.9.0.2:80"), options)?;
    sleep(Duration::from_millis(500));
    let report = load.stop()?;
    assert!(report.answered() > 100, "{report:?}");
    assert_eq!(report.failed(), 0, "{}", report.reasons());
    assert_eq!(report.share("web1"), 1.0);
    let full = report.answered() / 5;
    assert!((full..=full + 4).contains(&report.connections), "{} for {full}", report.connections);
    assert!(report.latency(0.5) <= report.latency(0.99));
    Ok(())
}

#[test]
fn load_keeps_its_rate() -> anyhow::Result<()> {
    let Pair { switch: _switch, client, server } = pair()?;
    let _nginx = Nginx::start(&server, "web1", NginxOptions::default())?;
    let options = LoadOptions { rate_per_second: Some(100.0), ..LoadOptions::default() };
    let start = Instant::now();
    let load = Load::start(&client, address("[fd09::2]:80"), options)?;
    sleep(Duration::from_secs(1));
    let report = load.stop()?;
    // The first request of each of the four clients does not wait.
    let most = start.elapsed().as_secs_f64() * 100.0 + 4.0;
    assert!((20.0..=most).contains(&(report.requests() as f64)), "{} of {most}", report.requests());
    Ok(())
}

#[test]
fn failures_have_their_names() -> anyhow::Result<()> {
    let Pair { switch: _switch, client, server } = pair()?;
    let mut nginx = Nginx::start(&server, "web1", NginxOptions::default())?;
    let failing = |target: &str, path: &str| -> anyhow::Result<Failure> {
        let timeout = Duration::from_millis(200);
        let options = LoadOptions { connections: 1, path: path.into(), timeout, ..LoadOptions::default() };
        let load = Load::start(&client, address(target), options)?;
        until("a request should fail", PATIENCE, || load.take().failures.pop_first().map(|(failure, _)| failure))
    };
    assert_eq!(failing("10.9.0.2:80", "/missing")?, Failure::Status(404));
    assert_eq!(failing("10.9.0.2:81", "/")?, Failure::Refused);
    assert_eq!(failing("10.10.0.2:80", "/")?, Failure::Unreachable);
    assert_eq!(failing("10.9.0.3:80", "/")?, Failure::ConnectTimeout);
    nginx.kill();
    assert_eq!(failing("10.9.0.2:80", "/")?, Failure::Refused);
    nginx.restart()?;
    assert_eq!(failing("10.9.0.2:80", "/missing")?, Failure::Status(404));
    Ok(())
}

#[test]
fn a_pulled_plug_is_seen_and_healed() -> anyhow::Result<()> {
    let Pair { switch, client, server } = pair()?;
    let _nginx = Nginx::start(&server, "web1", NginxOptions::default())?;
    let options = LoadOptions { timeout: Duration::from_millis(200), ..LoadOptions::default() };
    let load = Load::start(&client, address("10.9.0.2:80"), options)?;
    until("there should be answers", PATIENCE, || (load.take().answered() > 0).then_some(()))?;
    switch.namespace().ip("link set port1 down")?;
    until("requests should fail", PATIENCE, || (load.take().failed() > 0).then_some(()))?;
    switch.namespace().ip("link set port1 up")?;
    until("there should be answers again", PATIENCE, || {
        let report = load.take();
        (report.answered() > 0 && report.failed() == 0).then_some(())
    })
}

#[test]
fn transfers_arrive_whole() -> anyhow::Result<()> {
    let Pair { switch: _switch, client, server } = pair()?;
    let _server = TransferServer::start(&server, "web1", 9000)?;
    for target in ["10.9.0.2:9000", "[fd09::2]:9000"] {
        for direction in [Direction::Download, Direction::Upload] {
            let options = TransferOptions { direction, size_bytes: 10_000_003, rate_bytes_per_second: None };
            let transfer = Transfer::start(&client, address(target), options)?;
            assert_eq!(transfer.await_backend(PATIENCE)?, "web1");
            transfer.finish(PATIENCE).with_context(|| format!("{direction:?} from {target}"))?;
        }
    }
    Ok(())
}

#[test]
fn a_slow_transfer_breaks_when_its_server_goes() -> anyhow::Result<()> {
    let Pair { switch: _switch, client, server } = pair()?;
    for direction in [Direction::Download, Direction::Upload] {
        let peer = TransferServer::start(&server, "web1", 9000)?;
        let options = TransferOptions { direction, size_bytes: 100_000_000, rate_bytes_per_second: Some(1_000_000) };
        let transfer = Transfer::start(&client, address("10.9.0.2:9000"), options)?;
        until("bytes should move", PATIENCE, || (transfer.moved_bytes() > 50_000).then_some(()))?;
        assert!(transfer.moved_bytes() < 10_000_000, "not slow: {}", transfer.moved_bytes());
        drop(peer);
        let error = format!("{:#}", transfer.finish(PATIENCE).expect_err("the server is gone"));
        assert!(error.contains("the transfer broke after"), "{direction:?}: {error}");
    }
    Ok(())
}

#[test]
fn datagrams_come_back_from_the_address_they_went_to() -> anyhow::Result<()> {
    let Pair { switch: _switch, client, server } = pair()?;
    server.ip("address add 192.0.2.80/32 dev lo")?;
    client.ip("route add 192.0.2.80 via 10.9.0.2")?;
    for target in ["192.0.2.80:5300", "[fd09::2]:5300"].map(address) {
        let _echo = UdpEcho::start(&server, "dns1", target)?;
        let report = ask_udp(&client, target, UdpOptions { payload_bytes: 1400, ..UdpOptions::default() })?;
        assert_eq!((report.share("dns1"), report.requests(), report.failed()), (1.0, 100, 0), "{report:?}");
    }
    let lost = ask_udp(&client, address("10.9.0.3:5300"), UdpOptions { flows: 1, ..UdpOptions::default() })?;
    assert_eq!(lost.failed(), 1);
    Ok(())
}

#[test]
fn checksums_are_computed_and_not_left_to_a_card() -> anyhow::Result<()> {
    let Pair { switch, client, .. } = pair()?;
    for (namespace, device) in [(&client, "eth0"), (switch.namespace(), "port0")] {
        let features = namespace.run("ethtool", &["--show-features", device])?;
        for feature in ["tx-checksumming: off", "tx-tcp-segmentation: off", "generic-receive-offload: on"] {
            assert!(features.contains(feature), "{device} has not {feature}:\n{features}");
        }
    }
    Ok(())
}

#[test]
fn links_carry_what_the_switch_says() -> anyhow::Result<()> {
    let switch = Switch::with_mtu("jumbo", 3000)?;
    let left = switch.host("left", &["10.9.0.1/24"])?;
    let _right = switch.host("right", &["10.9.0.2/24"])?;
    left.run("ping", &["-c1", "-W1", "-Mdo", "-s2972", "10.9.0.2"])?;
    assert!(left.run("ping", &["-c1", "-W1", "-Mdo", "-s2973", "10.9.0.2"]).is_err());
    Ok(())
}

#[test]
fn a_host_can_stand_on_two_switches() -> anyhow::Result<()> {
    let (front, back) = (Switch::new("front")?, Switch::new("back")?);
    let client = front.host("client", &["10.1.0.1/24"])?;
    let server = back.host("server", &["10.2.0.1/24"])?;
    let node = Namespace::new("node")?;
    front.attach(&node, "front", &["10.1.0.2/24"])?;
    back.attach(&node, "back", &["10.2.0.2/24"])?;
    node.set("ipv4/ip_forward", "1")?;
    client.ip("route add default via 10.1.0.2")?;
    server.ip("route add default via 10.2.0.2")?;
    client.run("ping", &["-c1", "-W1", "10.2.0.1"]).map(drop)
}

#[test]
fn a_published_namespace_can_be_entered_by_name_until_it_is_dropped() -> anyhow::Result<()> {
    let host = Namespace::new("host")?;
    host.ip("address add 192.0.2.80/32 dev lo")?;
    let elsewhere = Namespace::new("elsewhere")?;
    let name = format!("sluice-test-{}", std::process::id());
    let published = host.publish(&name)?;
    let shown = elsewhere.ip(&format!("netns exec {name} ip address show dev lo"))?;
    assert!(shown.contains("192.0.2.80"), "{shown}");
    assert!(host.publish(&name).is_err(), "the name is taken");
    drop(published);
    assert!(!elsewhere.ip("netns list")?.contains(&name));
    Ok(())
}

#[test]
fn a_command_that_fails_says_where_and_why() -> anyhow::Result<()> {
    let host = Namespace::new("host")?;
    let error = host.ip("link set missing up").expect_err("there is no such device").to_string();
    assert!(error.starts_with("`ip link set missing up` in host failed") && error.contains("missing"), "{error}");
    let error = format!("{:#}", host.run("no-such-program", &[]).expect_err("there is no such program"));
    assert!(error.contains("is no-such-program installed?"), "{error}");
    Ok(())
}
