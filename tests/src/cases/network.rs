//! A network namespace in which the kernel knows the world's interfaces, routes and neighbours.

use anyhow::Result;

use crate::{
    lab::Namespace,
    world::{INTERFACES, Interface, WAYS, Way, interface_mac, mac_of},
};

/// Makes the network; it ends with the value.
///
/// # Errors
///
/// The network could not be made: that takes root.
pub(super) fn make() -> Result<Namespace> {
    let network = Namespace::new("the packet table")?;
    network.set("ipv4/ip_forward", "1")?;
    network.set("ipv6/conf/all/forwarding", "1")?;
    for command in commands() {
        network.ip(&command)?;
    }
    for interface in INTERFACES.iter().filter(|interface| !interface.forwards) {
        network.set(&format!("ipv4/conf/{}/forwarding", interface.name), "0")?;
        network.set(&format!("ipv6/conf/{}/forwarding", interface.name), "0")?;
    }
    Ok(network)
}

/// The commands that make the world.
fn commands() -> Vec<String> {
    let interfaces = INTERFACES.iter().flat_map(interface);
    interfaces.chain(WAYS.iter().flat_map(|(prefix, way)| way_commands(prefix, way))).collect()
}

fn interface(interface: &Interface) -> Vec<String> {
    let Interface { ifindex, name, v4, v6, .. } = interface;
    let mac = written(interface_mac(*ifindex));
    vec![
        format!("link add {name} index {ifindex} address {mac} type veth peer name {name}-peer"),
        format!("link set {name}-peer up"),
        format!("link set {name} up"),
        format!("address add {v4}/24 dev {name}"),
        format!("address add {v6}/64 dev {name} nodad"),
    ]
}

fn way_commands(prefix: &str, way: &Way) -> Vec<String> {
    match way {
        // The interfaces' addresses and networks bring these.
        Way::Local | Way::Direct { known: false, .. } => Vec::new(),
        Way::Direct { ifindex, known: true } => {
            let host = prefix.split('/').next().unwrap_or(prefix);
            vec![neighbour(host, *ifindex)]
        }
        Way::Via { ifindex, router, known, mtu } => {
            let family = if router.contains(':') { "inet6 " } else { "" };
            let route = format!("route add {prefix} via {family}{router} mtu lock {mtu}");
            known.then(|| neighbour(router, *ifindex)).into_iter().chain([route]).collect()
        }
        Way::Unreachable => vec![format!("route add unreachable {prefix}")],
    }
}

fn neighbour(address: &str, ifindex: u32) -> String {
    let name = INTERFACES.iter().find(|interface| interface.ifindex == ifindex).map_or("", |interface| interface.name);
    format!("neighbour replace {address} lladdr {} dev {name} nud permanent", written(mac_of(address)))
}

fn written(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
