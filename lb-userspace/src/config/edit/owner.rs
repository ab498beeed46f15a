//! Whom a command's backend belongs to: a service, or the pool that it shares with others.

use std::net::IpAddr;

use toml_edit::{DocumentMut, TableLike};

use super::{EditError, table};
use crate::{
    config::names::listed,
    model::{Backend, Model, Service},
};

/// A service with backends of its own, or a pool.
pub(super) struct Owner<'a> {
    pub(super) name: &'a str,
    pub(super) backends: &'a [Backend],
    /// The services that use the pool; of a service's own backends nobody.
    users: Vec<&'a str>,
}

impl<'a> Owner<'a> {
    /// The owner with a name, or the pool of the service with this name.
    pub(super) fn find(model: &'a Model, name: &str) -> Result<Self, EditError> {
        let services = || model.services.iter();
        let by_name = services().find(|service| service.name == name);
        let found = by_name.or_else(|| services().find(|service| service.pool.as_deref() == Some(name)));
        let Service { name, pool, backends, .. } =
            found.ok_or_else(|| EditError::UnknownService { service: name.to_owned(), known: known(model) })?;
        Ok(match pool {
            None => Self { name, backends, users: Vec::new() },
            Some(pool) => {
                let users = services().filter(|service| service.pool.as_ref() == Some(pool));
                Self { name: pool, backends, users: users.map(|service| service.name.as_str()).collect() }
            }
        })
    }

    /// The array of tables that it stands in.
    pub(super) const fn section(&self) -> &'static str {
        if self.users.is_empty() { "service" } else { "pool" }
    }

    /// The owner as messages call it.
    pub(super) fn called(&self) -> String {
        format!("{} `{}`", self.section(), self.name)
    }

    /// The same, with the services that are concerned.
    pub(super) fn with_users(&self) -> String {
        let called = self.called();
        match self.users.as_slice() {
            [] => called,
            [only] => format!("{called}, which service `{only}` uses"),
            several => format!("{called}, which services {} use", listed(several)),
        }
    }

    pub(super) fn table<'t>(&self, tree: &'t mut DocumentMut) -> Option<&'t mut dyn TableLike> {
        table::named(tree.get_mut(self.section())?, self.name)
    }

    /// The backend with this name, or else the only one with this address.
    pub(super) fn backend(&self, wanted: &str) -> Result<(usize, &'a Backend), EditError> {
        let all = || self.backends.iter().enumerate();
        if let Some(found) = all().find(|(_, backend)| backend.name == wanted) {
            return Ok(found);
        }
        let address: Option<IpAddr> = wanted.parse().ok();
        let found: Vec<_> = all().filter(|(_, backend)| Some(backend.address) == address).collect();
        let names = |backends: &[(usize, &Backend)]| backends.iter().map(|(_, backend)| backend.name.clone()).collect();
        let owner = self.called();
        match found.as_slice() {
            [only] => Ok(*only),
            [] => Err(EditError::UnknownBackend {
                owner,
                backend: wanted.to_owned(),
                known: names(&all().collect::<Vec<_>>()),
            }),
            several => Err(EditError::AmbiguousBackend { owner, address: wanted.to_owned(), names: names(several) }),
        }
    }
}

/// The names of all services and pools.
fn known(model: &Model) -> Vec<String> {
    let mut known: Vec<String> = model.services.iter().map(|service| service.name.clone()).collect();
    for pool in model.services.iter().filter_map(|service| service.pool.as_ref()) {
        if !known.contains(pool) {
            known.push(pool.clone());
        }
    }
    known
}
