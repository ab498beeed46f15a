//! What decides where a flow goes, read from the pinned maps: no daemon is asked.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use anyhow::Context;
use aya::maps::{Array, Map, MapData};
use lb_common::{EndpointKey, LAYOUT_VERSION, ROWS_PER_ELEMENT, RingElement, Row, ServiceLine, ServiceValue};
use lb_userspace::{dataplane::Plain, model::Protocol};

/// Every row, and where each service's ring begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steering {
    elements: Vec<RingElement>,
    services: BTreeMap<EndpointKey, ServiceValue>,
}

impl Steering {
    /// Reads the maps below the folder of the pins.
    pub fn read(pins: &Path) -> anyhow::Result<Self> {
        let folder = pins.join(format!("v{LAYOUT_VERSION}"));
        let open = |name: &str| MapData::from_pin(folder.join(name)).with_context(|| format!("no map {name}"));
        let rings: Array<_, Plain<RingElement>> = Map::Array(open("rings")?).try_into()?;
        let lines: Array<_, Plain<ServiceLine>> = Map::Array(open("services")?).try_into()?;
        let elements = rings.iter().map(|element| element.map(|Plain(element)| element)).collect::<Result<_, _>>()?;
        let lines = lines.iter().collect::<Result<Vec<_>, _>>()?;
        let entries = lines.into_iter().flat_map(|Plain(line)| line.0).filter(|entry| !entry.is_vacant());
        let services = entries.map(|entry| (entry.key, entry.value)).collect();
        Ok(Self { elements, services })
    }

    /// The slot of each row's backend; [`Row::NOBODY`] where there is none.
    pub fn slots(&self, service: SocketAddr, protocol: Protocol) -> anyhow::Result<Vec<u16>> {
        let key = EndpointKey::new(service.ip().into(), service.port(), protocol.number());
        let value = self.services.get(&key).with_context(|| format!("the kernel has no service {service}"))?;
        let elements = (1u32 << value.ring_bits) / ROWS_PER_ELEMENT;
        let ring = &self.elements[usize::from(value.ring)..usize::from(value.ring) + elements as usize];
        Ok(ring.iter().flat_map(|element| element.0).map(|word| Row::from_word(word).current()).collect())
    }
}
