//! Sanity checks in the tables.

use std::collections::BTreeMap;

use lb_common::{AmplifierPorts, Sanity};

use crate::model::{Exceptions, Model};

/// The elements of the `sanity` array in which a check is on.
pub(super) fn elements(model: &Model, ids: &BTreeMap<String, u32>) -> BTreeMap<u32, u64> {
    let sanity = &model.firewall.sanity;
    // The node itself asks servers for things, and they answer from such ports.
    let of_node = (Sanity::OF_NODE, sanity.bits(&Exceptions::new()) & !Sanity::AMPLIFIERS);
    let services = model.services.iter();
    let services = services.filter_map(|service| Some((*ids.get(&service.name)?, sanity.bits(&service.sanity))));
    services.chain([of_node]).filter(|(_, checks)| *checks != 0).collect()
}

/// The ports of amplifiers: none, if nobody asks for them.
pub(super) fn amplifiers(model: &Model, elements: &BTreeMap<u32, u64>) -> AmplifierPorts {
    let is_asked = elements.values().any(|checks| checks & Sanity::AMPLIFIERS != 0);
    AmplifierPorts::of(if is_asked { &model.firewall.sanity.amplifiers } else { &[] })
}
