//! A daemon without a kernel: fixed answers behind the real server, for the tests of both ends of the socket.

mod answers;

use std::{
    future::pending,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::mpsc};

use self::answers::entry;
pub(crate) use self::answers::{
    address, backend, drain, drop_events, drops, explanation, limits, list, rules, services, status, top_drops,
};
use super::{
    Client, Control, Operator, bind, serve,
    types::{
        ApiError, ApplyRequest, ChangeRequest, Changed, ConfirmRequest, DropEvent, DropFilter, Drops, Edit,
        ExplainQuery, Explanation, Imported, LimitStatus, List, ListEntry, ListFound, ListSource, ListTest, Refreshed,
        RuleStatus, ServiceStatus, Status, TopDrops,
    },
};
use crate::{
    model::{ListKind, Moment},
    telemetry::By,
};

/// What was asked of a [`Memory`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A change.
    Change(ChangeRequest),
    /// A new configuration.
    Apply(Option<ApplyRequest>),
    /// What a new configuration would do.
    Plan(Option<ApplyRequest>),
    /// The end of a trial.
    Confirm(ConfirmRequest),
    /// An import: the list, how many bytes, and whether somebody insists.
    Import(String, usize, bool),
    /// A fetch of a list.
    Refresh(String),
    /// Drops as they come.
    Follow(DropFilter),
    /// Who is behind most of the drops.
    Top(By, usize),
    /// What would become of a packet.
    Explain(ExplainQuery),
}

/// The fixed answers, and what was asked.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Memory {
    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, asked: Asked) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    }
}

/// A [`Memory`] that answers on a socket of its own until it is dropped.
pub(crate) struct Daemon {
    pub(crate) memory: Memory,
    pub(crate) runtime: Runtime,
    directory: TempDir,
}

impl Daemon {
    pub(crate) fn start() -> Self {
        let memory = Memory::default();
        let daemon =
            Self { memory: memory.clone(), runtime: Runtime::new().unwrap(), directory: tempfile::tempdir().unwrap() };
        let context = daemon.runtime.enter();
        let listener = bind(&daemon.socket()).unwrap();
        daemon.runtime.spawn(serve(listener, memory, pending()));
        drop(context);
        daemon
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("run/sluice.sock")
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.socket())
    }
}

impl Control for Memory {
    async fn status(&self) -> Result<Status, ApiError> {
        Ok(status())
    }

    async fn services(&self) -> Result<Vec<ServiceStatus>, ApiError> {
        Ok(services())
    }

    async fn drops(&self) -> Result<Drops, ApiError> {
        Ok(drops())
    }

    async fn rules(&self) -> Result<Vec<RuleStatus>, ApiError> {
        Ok(rules())
    }

    async fn limits(&self) -> Result<Vec<LimitStatus>, ApiError> {
        Ok(limits())
    }

    /// Has the events at once, and then no more.
    async fn follow_drops(&self, filter: DropFilter) -> Result<mpsc::Receiver<DropEvent>, ApiError> {
        self.note(Asked::Follow(filter.clone()));
        if filter.service.is_some_and(|name| name != "web") {
            return Err(ApiError::usage("there is no such service"));
        }
        let (sender, events) = mpsc::channel(8);
        for event in drop_events() {
            drop(sender.try_send(event));
        }
        Ok(events)
    }

    async fn top_drops(&self, by: By, count: usize) -> Result<TopDrops, ApiError> {
        self.note(Asked::Top(by, count));
        Ok(top_drops(by))
    }

    async fn explain(&self, query: ExplainQuery) -> Result<Explanation, ApiError> {
        self.note(Asked::Explain(query));
        Ok(explanation())
    }

    async fn lists(&self) -> Result<Vec<List>, ApiError> {
        Ok(ListKind::ALL.map(|kind| List { entries: vec![], ..list(kind) }).into())
    }

    async fn list(&self, name: String) -> Result<List, ApiError> {
        let kind = ListKind::ALL.into_iter().find(|kind| kind.name() == name);
        kind.map(list).ok_or_else(|| ApiError::usage(format!("no list `{name}`")))
    }

    async fn list_test(&self, name: String, address: IpAddr) -> Result<ListTest, ApiError> {
        let denied = name == "deny" && address.is_ipv4();
        let matched = denied.then(|| "192.0.2.0/24".to_owned());
        let outcome = if denied { "denied by 192.0.2.0/24" } else { "not filtered by any list" }.to_owned();
        let found = ListFound {
            list: name,
            action: "deny".to_owned(),
            services: vec!["web".to_owned()],
            entry: ListEntry { seconds_left: Some(90), ..entry("192.0.2.0/24", Some("scans"), 7) },
        };
        Ok(ListTest { address, matched, outcome, found: if denied { vec![found] } else { vec![] } })
    }

    async fn list_export(&self, _: String) -> Result<String, ApiError> {
        Ok("192.0.2.0/24 # scans\n2001:db8::/32\n".to_owned())
    }

    async fn list_import(
        &self,
        name: String,
        text: Vec<u8>,
        force: bool,
        _: Option<Operator>,
    ) -> Result<Imported, ApiError> {
        self.note(Asked::Import(name, text.len(), force));
        let source = ListSource {
            name: "import".to_owned(),
            prefixes: 2,
            duplicates: 1,
            covered: 0,
            fetched: None,
            problem: None,
        };
        Ok(Imported { source, microseconds: 1_500 })
    }

    /// Only the list `allow` has a feed, which has brought something new the first time.
    async fn list_refresh(&self, name: String) -> Result<Refreshed, ApiError> {
        let is_first = self.asked().is_empty();
        self.note(Asked::Refresh(name.clone()));
        if name != "allow" {
            return Err(ApiError::failure(format!("the feed of list {name}: it is empty")));
        }
        let source = ListSource {
            name: "https://lists.example/friends".to_owned(),
            prefixes: 7,
            duplicates: 0,
            covered: 1,
            fetched: Some(Moment::from_seconds(1_800_000_000)),
            problem: None,
        };
        Ok(if is_first {
            Refreshed { source, added: 3, removed: 2 }
        } else {
            Refreshed { source, added: 0, removed: 0 }
        })
    }

    /// Knows the service `web` and no interface that could be attached to.
    async fn plan(&self, document: Option<ApplyRequest>, _: Option<Operator>) -> Result<Changed, ApiError> {
        self.note(Asked::Plan(document));
        Ok(Changed { changes: vec!["added service dns".to_owned()], microseconds: 0, warnings: vec![] })
    }

    async fn change(&self, request: ChangeRequest, _: Option<Operator>) -> Result<Changed, ApiError> {
        self.note(Asked::Change(request.clone()));
        let changes = match request.edit {
            Edit::BackendRemove { service, .. } if service != "web" => {
                return Err(ApiError::usage(format!("no service `{service}`: there is web")));
            }
            Edit::Attach { interface } => return Err(ApiError::failure(format!("cannot attach to {interface}"))),
            Edit::ListRemove { .. } => vec![],
            edit => vec![format!("{edit:?}")],
        };
        Ok(Changed { changes, microseconds: 3_200, warnings: vec![] })
    }

    async fn confirm(&self, request: ConfirmRequest) -> Result<Changed, ApiError> {
        self.note(Asked::Confirm(request));
        if request.undo {
            return Err(ApiError::usage("no configuration is on trial"));
        }
        Ok(Changed { changes: vec!["confirmed".to_owned()], microseconds: 0, warnings: vec![] })
    }

    async fn apply(&self, document: Option<ApplyRequest>, _: Option<Operator>) -> Result<Changed, ApiError> {
        self.note(Asked::Apply(document.clone()));
        match document {
            Some(document) if document.text.is_empty() => {
                let origin = document.origin;
                Err(ApiError::usage(format!("{origin}:1:1: no interface\n{origin}:1:1: no service")))
            }
            _ => Ok(Changed {
                changes: vec!["backend web3 added to web".to_owned(), "192.0.2.0/24 removed from deny".to_owned()],
                microseconds: 850,
                warnings: vec!["eth1 has no native mode: generic".to_owned()],
            }),
        }
    }
}
