//! The interfaces that the program is attached to.

use std::collections::{BTreeMap, BTreeSet};

use super::DaemonError;
use crate::{
    dataplane::{Attached, Kernel},
    model::Model,
    routes,
};

/// The indexes of the model's interfaces, by name.
///
/// # Errors
///
/// One of them does not exist.
pub(super) async fn wanted(model: &Model) -> Result<BTreeMap<String, u32>, DaemonError> {
    let present = routes::interfaces().await?;
    let mut wanted = BTreeMap::new();
    for name in &model.node.interfaces {
        let found = present.iter().find(|(_, interface)| interface.name == *name);
        let (&index, _) = found.ok_or_else(|| DaemonError::NoInterface {
            name: name.clone(),
            present: present.values().map(|interface| interface.name.as_str()).collect::<Vec<_>>().join(", "),
        })?;
        wanted.insert(name.clone(), index);
    }
    Ok(wanted)
}

/// Attaches the program where it is wanted; where it already was, `replace` tells whether to put the new program there.
/// Returns the interfaces that it was not attached to before.
///
/// # Errors
///
/// One interface refused; those before it that were new have been detached again.
pub(super) async fn attach(
    kernel: &mut Kernel,
    wanted: &BTreeMap<String, u32>,
    replace: bool,
) -> Result<Vec<Attached>, DaemonError> {
    let before: BTreeSet<u32> = kernel.attached()?.into_iter().map(|attached| attached.ifindex).collect();
    let mut new = Vec::new();
    for (name, &ifindex) in wanted {
        if before.contains(&ifindex) && !replace {
            continue;
        }
        match kernel.attach(ifindex, name) {
            Ok(attached) if !before.contains(&ifindex) => new.push(attached),
            Ok(_) => {}
            Err(error) => {
                detach(kernel, &new).await;
                return Err(error.into());
            }
        }
    }
    Ok(new)
}

/// Detaches the program from interfaces; failures are logged, because nothing better can be done about them.
pub(super) async fn detach(kernel: &mut Kernel, interfaces: &[Attached]) {
    for attached in interfaces {
        match kernel.detach(attached.ifindex) {
            Ok(()) => tracing::info!(interface = attached.name, "detached"),
            Err(error) => tracing::error!(interface = attached.name, %error, "could not detach"),
        }
    }
    let indexes = interfaces.iter().map(|attached| attached.ifindex).collect();
    if let Err(error) = routes::await_detached(&indexes).await {
        tracing::error!(%error, "could not see whether the program is detached");
    }
}

/// Detaches the program from every interface where it is not wanted.
pub(super) async fn detach_others(kernel: &mut Kernel, wanted: &BTreeMap<String, u32>) -> Result<(), DaemonError> {
    let keep: BTreeSet<u32> = wanted.values().copied().collect();
    let others: Vec<Attached> =
        kernel.attached()?.into_iter().filter(|attached| !keep.contains(&attached.ifindex)).collect();
    detach(kernel, &others).await;
    Ok(())
}
