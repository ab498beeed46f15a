//! Against the kernel, in network namespaces.

mod namespace;

use std::{fmt::Write, time::Duration};

use tokio::time::{sleep, timeout};

use self::namespace::{Peer, in_namespace, print, run};
use super::*;

const PATIENCE: Duration = Duration::from_secs(10);
const NEAR: &str = "10.0.0.2";
const FAR: &str = "192.0.2.7";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mac(last: u8) -> Mac {
    Mac::new([2, 0, 0, 0, 0, last])
}

/// Follows destinations; also returns what was known at once.
async fn follow(destinations: &[&str]) -> (Routes, watch::Receiver<Arc<NextHops>>, Arc<NextHops>) {
    let (routes, published) = Routes::start().unwrap();
    let known = routes.set_destinations(destinations.iter().map(|text| ip(text)).collect()).await.unwrap();
    (routes, published.next_hops, known)
}

/// Waits until the next hop is as expected.
async fn wait_for(
    next_hops: &mut watch::Receiver<Arc<NextHops>>,
    destination: &str,
    expected: impl Fn(Option<&NextHop>) -> bool,
) {
    let destination = ip(destination);
    let outcome = timeout(PATIENCE, next_hops.wait_for(|hops| expected(hops.get(&destination)))).await.map(|_| ());
    outcome.unwrap_or_else(|_| panic!("{destination} stayed at {:?}", next_hops.borrow().get(&destination)));
}

#[test]
fn a_neighbour_on_the_link_is_known_at_once() {
    in_namespace(async || {
        run("ip neighbour add 10.0.0.2 lladdr 02:00:00:00:00:02 dev node nud permanent");
        let (_routes, next_hops, known) = follow(&[NEAR]).await;
        let (ifindex, interface) = interfaces().await.unwrap().into_iter().find(|(_, i)| i.name == "node").unwrap();
        let expected = NextHop {
            ifindex,
            vlan: None,
            interface: "node".into(),
            mac: mac(2),
            source_mac: mac(1),
            source: ip("10.0.0.1"),
            mtu: 1500,
            is_local: false,
        };
        assert_eq!(*known, NextHops::from([(ip(NEAR), expected)]));
        assert_eq!(*next_hops.borrow(), known);
        assert_eq!((interface.name, interface.mac, interface.mtu), ("node".into(), mac(1), 1500));
        assert!(interface.up && interface.xdp.is_none() && interface.vlan.is_none() && interface.controller.is_none());
    });
}

#[test]
fn receivers_follow_the_interfaces() {
    in_namespace(async || {
        let (_routes, published) = Routes::start().unwrap();
        let mut interfaces = published.interfaces;
        let known = |interfaces: &Interfaces| {
            let node = interfaces.iter().find(|(_, interface)| interface.name == "node").map(|(&index, _)| index);
            receivers(interfaces, node)
        };
        let mut await_receivers = async |expected: &[Mac]| {
            let found = timeout(PATIENCE, interfaces.wait_for(|interfaces| known(interfaces) == expected)).await;
            let is_found = found.is_ok();
            drop(found);
            assert!(is_found, "not {expected:?} but {:?}", known(&interfaces.borrow()));
        };
        await_receivers(&[mac(1)]).await;
        run("ip link add virtual link node address 00:00:5e:00:01:07 type macvlan");
        let router = Mac::new([0, 0, 0x5e, 0, 1, 7]);
        await_receivers(&[mac(1), router]).await;
        run("ip link set node address 02:00:00:00:00:09");
        await_receivers(&[mac(9), router]).await;
        run("ip link delete virtual");
        await_receivers(&[mac(9)]).await;
    });
}

#[test]
fn a_gateway_stands_in_for_what_is_behind_it() {
    in_namespace(async || {
        run("ip address add 10.0.0.9/32 dev node");
        run("ip route add 192.0.2.0/24 via 10.0.0.2 mtu 1400 src 10.0.0.9");
        run("ip neighbour add 10.0.0.2 lladdr 02:00:00:00:00:02 dev node nud permanent");
        let (_routes, _, known) = follow(&[FAR]).await;
        let hop = &known[&ip(FAR)];
        assert_eq!((hop.mac, hop.source, hop.mtu), (mac(2), ip("10.0.0.9"), 1400));
    });
}

#[test]
fn ipv6_is_followed_and_may_be_the_gateway_of_ipv4() {
    in_namespace(async || {
        run("ip route add 2001:db8:7::/48 via 2001:db8::2");
        run("ip route add 192.0.2.0/24 via inet6 2001:db8::3 dev node");
        run("ip neighbour add 2001:db8::2 lladdr 02:00:00:00:00:02 dev node nud permanent");
        run("ip neighbour add 2001:db8::3 lladdr 02:00:00:00:00:03 dev node nud permanent");
        let (_routes, _, known) = follow(&["2001:db8::2", "2001:db8:7::1", FAR]).await;
        assert_eq!(known[&ip("2001:db8::2")].mac, mac(2));
        assert_eq!(known[&ip("2001:db8::2")].source, ip("2001:db8::1"));
        assert_eq!(known[&ip("2001:db8:7::1")].mac, mac(2));
        assert_eq!((known[&ip(FAR)].mac, known[&ip(FAR)].source), (mac(3), ip("10.0.0.1")));
    });
}

#[test]
fn nothing_is_delivered_to_nowhere() {
    in_namespace(async || {
        run("ip route add blackhole 192.0.2.0/24");
        run("ip route add unreachable 2001:db8:7::/48");
        let (_routes, _, known) = follow(&["10.0.0.255", FAR, "203.0.113.1", "2001:db8:7::1"]).await;
        assert_eq!(*known, NextHops::new());
    });
}

#[test]
fn one_of_the_nodes_own_addresses_is_known_as_such() {
    in_namespace(async || {
        let own = ["10.0.0.1", "2001:db8::1", "127.0.0.1", "::1"];
        let (_routes, mut next_hops, known) = follow(&[&own[..], &[NEAR]].concat()).await;
        assert_eq!(known.len(), own.len());
        assert!(known.values().all(|hop| hop.is_local && hop.interface == "lo"), "{known:?}");
        // An address comes and goes.
        run("ip address add 10.0.0.2/32 dev lo");
        wait_for(&mut next_hops, NEAR, |hop| hop.is_some_and(|hop| hop.is_local)).await;
        run("ip address delete 10.0.0.2/32 dev lo");
        wait_for(&mut next_hops, NEAR, |hop| hop.is_none()).await;
    });
}

#[test]
fn a_neighbour_becomes_known_and_its_change_is_noticed() {
    in_namespace(async || {
        let (routes, mut next_hops, known) = follow(&[NEAR]).await;
        assert!(known.is_empty());
        run("ip neighbour replace 10.0.0.2 lladdr 02:00:00:00:00:02 dev node nud reachable");
        wait_for(&mut next_hops, NEAR, |hop| hop.is_some_and(|hop| hop.mac == mac(2))).await;
        run("ip neighbour replace 10.0.0.2 lladdr 02:00:00:00:00:03 dev node nud reachable");
        wait_for(&mut next_hops, NEAR, |hop| hop.is_some_and(|hop| hop.mac == mac(3))).await;
        assert_eq!(routes.set_destinations(BTreeSet::new()).await.unwrap().len(), 0);
        assert!(next_hops.borrow().is_empty());
    });
}

#[test]
fn an_unknown_neighbour_is_asked_for_until_it_answers() {
    in_namespace(async || {
        let (_routes, mut next_hops, _) = follow(&[NEAR, "2001:db8::2"]).await;
        // Nobody is there for so long that the kernel gives up.
        timeout(PATIENCE, async {
            while !print("ip neighbour show 10.0.0.2").contains("FAILED") {
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await
        .unwrap();
        let _peer = Peer::start();
        wait_for(&mut next_hops, NEAR, |hop| hop.is_some_and(|hop| hop.mac == mac(2))).await;
        wait_for(&mut next_hops, "2001:db8::2", |hop| hop.is_some_and(|hop| hop.mac == mac(2))).await;
    });
}

#[test]
fn a_wanted_neighbour_is_found() {
    in_namespace(async || {
        let _peer = Peer::start();
        let (routes, ..) = follow(&[]).await;
        let node = *interfaces().await.unwrap().iter().find(|(_, i)| i.name == "node").unwrap().0;
        timeout(PATIENCE, async {
            while !print("ip neighbour show 10.0.0.2").contains("02:00:00:00:00:02") {
                routes.want_neighbour(node, ip(NEAR)).await.unwrap();
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await
        .unwrap();
        let refusal = routes.want_neighbour(4711, ip(NEAR)).await.unwrap_err();
        assert!(matches!(refusal, RoutesError::Refused { .. }), "{refusal}");
        routes.set_destinations(BTreeSet::new()).await.expect("a refusal breaks nothing");
    });
}

/// `NTF_USE` would turn it into an ordinary one, which the kernel forgets.
#[test]
fn a_permanent_neighbour_stays_permanent() {
    in_namespace(async || {
        run("ip neighbour add 10.0.0.2 lladdr 02:00:00:00:00:02 dev node nud permanent");
        let (routes, _, known) = follow(&[NEAR]).await;
        routes.want_neighbour(known[&ip(NEAR)].ifindex, ip(NEAR)).await.unwrap();
        assert!(print("ip neighbour show 10.0.0.2").contains("PERMANENT"));
    });
}

#[test]
fn an_interface_without_arp_knows_its_neighbours() {
    in_namespace(async || {
        run("ip link set node arp off");
        let (_routes, mut next_hops, _) = follow(&[NEAR]).await;
        wait_for(&mut next_hops, NEAR, |hop| hop.is_some()).await;
    });
}

#[test]
fn a_change_of_route_or_interface_is_noticed() {
    in_namespace(async || {
        run("ip neighbour add 10.0.0.2 lladdr 02:00:00:00:00:02 dev node nud permanent");
        run("ip neighbour add 10.0.0.3 lladdr 02:00:00:00:00:03 dev node nud permanent");
        let (_routes, mut next_hops, known) = follow(&[FAR]).await;
        assert!(known.is_empty());
        run("ip route add 192.0.2.0/24 via 10.0.0.2");
        wait_for(&mut next_hops, FAR, |hop| hop.is_some_and(|hop| hop.mac == mac(2))).await;
        run("ip route replace 192.0.2.0/24 via 10.0.0.3");
        wait_for(&mut next_hops, FAR, |hop| hop.is_some_and(|hop| hop.mac == mac(3))).await;
        run("ip link set node mtu 1300");
        wait_for(&mut next_hops, FAR, |hop| hop.is_some_and(|hop| hop.mtu == 1300)).await;
        run("ip rule add to 192.0.2.0/24 blackhole");
        wait_for(&mut next_hops, FAR, |hop| hop.is_none()).await;
        run("ip rule delete to 192.0.2.0/24 blackhole");
        wait_for(&mut next_hops, FAR, |hop| hop.is_some()).await;
        run("ip route delete 192.0.2.0/24");
        wait_for(&mut next_hops, FAR, |hop| hop.is_none()).await;
    });
}

#[test]
fn a_link_that_goes_down_takes_its_next_hops_along() {
    in_namespace(async || {
        let peer = Peer::start();
        let (_routes, mut next_hops, _) = follow(&[NEAR]).await;
        wait_for(&mut next_hops, NEAR, |hop| hop.is_some()).await;
        peer.run("ip link set far down");
        wait_for(&mut next_hops, NEAR, |hop| hop.is_none()).await;
        peer.run("ip link set far up");
        wait_for(&mut next_hops, NEAR, |hop| hop.is_some()).await;
        run("ip link set node down");
        wait_for(&mut next_hops, NEAR, |hop| hop.is_none()).await;
        run("ip link set node up");
        wait_for(&mut next_hops, NEAR, |hop| hop.is_some()).await;
        run("ip link delete node");
        wait_for(&mut next_hops, NEAR, |hop| hop.is_none()).await;
    });
}

#[test]
fn without_a_carrier_even_a_permanent_neighbour_is_out_of_reach() {
    in_namespace(async || {
        run("ip neighbour add 10.0.0.2 lladdr 02:00:00:00:00:02 dev node nud permanent");
        let (_routes, mut next_hops, known) = follow(&[NEAR]).await;
        assert!(known.contains_key(&ip(NEAR)));
        run("ip link set far down");
        wait_for(&mut next_hops, NEAR, |hop| hop.is_none()).await;
    });
}

#[test]
fn lost_notifications_lose_no_change() {
    in_namespace(async || {
        run("ip neighbour add 10.0.0.2 lladdr 02:00:00:00:00:02 dev node nud permanent");
        let (_routes, mut next_hops, known) = follow(&[NEAR]).await;
        assert_eq!(known[&ip(NEAR)].mac, mac(2));
        // The first complete reading is to be over: it would find the change without a notification.
        sleep(Duration::from_millis(200)).await;
        // The runtime stands still meanwhile, so nobody empties the socket's buffer: it overflows before the change.
        let mut batch = String::new();
        for host in 0..2000 {
            let (high, low) = (host / 250 + 16, host % 250);
            let _ = writeln!(batch, "neighbour add 10.0.{high}.{low} lladdr 02:00:00:00:00:09 dev node nud permanent");
        }
        batch.push_str("neighbour replace 10.0.0.2 lladdr 02:00:00:00:00:03 dev node nud permanent\n");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), batch).unwrap();
        run(&format!("ip -batch {}", file.path().display()));
        wait_for(&mut next_hops, NEAR, |hop| hop.is_some_and(|hop| hop.mac == mac(3))).await;
    });
}

#[test]
fn a_stale_neighbour_is_confirmed_and_a_broken_connection_is_made_anew() {
    in_namespace(async || {
        let _peer = Peer::start();
        run("ip neighbour replace 10.0.0.2 lladdr 02:00:00:00:00:02 dev node nud stale");
        let (commands, queue) = mpsc::channel(COMMAND_QUEUE);
        let (publish, mut next_hops) = watch::channel(Arc::default());
        let mut kernel = Kernel::follow().unwrap();
        kernel.disconnect();
        tokio::spawn(Follower::new(publish, watch::channel(Arc::default()).0).run(kernel, queue));
        let routes = Routes { commands };
        let destinations = BTreeSet::from([ip(NEAR)]);
        // The first attempt may meet the broken connection. Every reading after a reconnection confirms what is stale.
        if routes.set_destinations(destinations.clone()).await.is_err() {
            routes.set_destinations(destinations).await.unwrap();
        }
        wait_for(&mut next_hops, NEAR, |hop| hop.is_some()).await;
        timeout(PATIENCE, async {
            while !print("ip neighbour show 10.0.0.2").contains("REACHABLE") {
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await
        .unwrap();
    });
}
