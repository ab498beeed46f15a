//! For which MAC addresses an interface gets frames.

use std::collections::BTreeSet;

use lb_common::Mac;

use super::{Interface, Interfaces};

/// The MAC addresses that frames coming in by these interfaces may be sent to: first those of the interfaces themselves, then
/// those of everything that gets its frames through them. These are VLANs and macvlans on them (a virtual router's address of
/// VRRP is one of the latter), and bridges and bonds that they belong to.
///
/// None if that is not known of one of the interfaces: it is no Ethernet, or has not been read yet.
pub fn receivers(interfaces: &Interfaces, attached: impl IntoIterator<Item = u32>) -> Vec<Mac> {
    let attached: Vec<u32> = attached.into_iter().collect();
    let mut known: BTreeSet<u32> = attached.iter().copied().collect();
    let mut order = attached.clone();
    while let Some((&index, _)) = interfaces.iter().find(|&(index, interface)| {
        !known.contains(index)
            && (is_above(*index, interface, interfaces, &known) || is_joined(*index, interfaces, &known))
    }) {
        known.insert(index);
        order.push(index);
    }
    let mac = |index: &u32| interfaces.get(index).map_or_else(Mac::default, |interface| interface.mac);
    if attached.iter().any(|index| mac(index) == Mac::default()) {
        return Vec::new();
    }
    let mut receivers = Vec::new();
    for mac in order.iter().map(mac).filter(|mac| *mac != Mac::default()) {
        if !receivers.contains(&mac) {
            receivers.push(mac);
        }
    }
    receivers
}

/// Whether the interface stands on one of these. The ends of a veth each name the other, and neither stands on the other.
fn is_above(index: u32, interface: &Interface, interfaces: &Interfaces, known: &BTreeSet<u32>) -> bool {
    let Some(parent) = interface.parent.filter(|parent| known.contains(parent)) else { return false };
    interfaces.get(&parent).is_some_and(|parent| parent.parent != Some(index))
}

/// Whether one of these belongs to the interface.
fn is_joined(index: u32, interfaces: &Interfaces, known: &BTreeSet<u32>) -> bool {
    known.iter().filter_map(|known| interfaces.get(known)).any(|member| member.controller == Some(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mac(last: u8) -> Mac {
        Mac::new([2, 0, 0, 0, 0, last])
    }

    fn interface(last: u8, parent: Option<u32>, controller: Option<u32>) -> Interface {
        let name = format!("eth{last}");
        Interface { name, mac: mac(last), mtu: 1500, up: true, xdp: None, vlan: None, parent, controller }
    }

    #[test]
    fn the_interfaces_own_come_first_and_then_what_stands_on_them() {
        let interfaces = Interfaces::from([
            (1, interface(1, Some(5), None)),
            (2, interface(2, None, None)),
            (5, interface(5, None, None)),
            (7, interface(7, Some(1), None)),
            (8, interface(5, Some(5), None)),
        ]);
        assert_eq!(receivers(&interfaces, [5]), [mac(5), mac(1), mac(7)]);
        assert_eq!(receivers(&interfaces, [2]), [mac(2)]);
        assert_eq!(receivers(&interfaces, [5, 2]), [mac(5), mac(2), mac(1), mac(7)]);
    }

    #[test]
    fn a_bridge_gets_its_ports_frames_and_other_ports_do_not() {
        let interfaces = Interfaces::from([
            (1, interface(1, None, Some(3))),
            (2, interface(2, None, Some(3))),
            (3, interface(3, None, None)),
            (4, interface(4, Some(3), None)),
        ]);
        assert_eq!(receivers(&interfaces, [1]), [mac(1), mac(3), mac(4)]);
    }

    #[test]
    fn the_ends_of_a_veth_do_not_get_each_others_frames() {
        let ends = [(1, interface(1, Some(2), None)), (2, interface(2, Some(1), None))];
        assert_eq!(receivers(&Interfaces::from(ends), [1]), [mac(1)]);
    }

    #[test]
    fn what_is_not_known_of_one_is_not_known_at_all() {
        let mut interfaces = Interfaces::from([(1, interface(1, None, None)), (2, interface(2, None, None))]);
        assert!(receivers(&interfaces, [1, 9]).is_empty());
        interfaces.get_mut(&2).unwrap().mac = Mac::default();
        assert!(receivers(&interfaces, [1, 2]).is_empty());
        assert_eq!(receivers(&interfaces, [1]), [mac(1)]);
    }
}
