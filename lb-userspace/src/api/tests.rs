//! The server and the client against each other, and against peers that misbehave.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixListener, net::UnixStream},
    path::Path,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use tokio::{runtime::Runtime, sync::oneshot};

use super::{
    BindError, Client, ClientError, bind,
    memory::{self, Asked, Daemon, Memory},
    serve,
    types::{ApiError, ApplyRequest, ChangeRequest, Edit, ListTerms},
};
use crate::model::{AdminState, ListKind, Moment};

/// Sends bytes as they are and returns the status and the error.
fn raw(socket: &Path, request: &str) -> (u16, ApiError) {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

fn get(socket: &Path, path: &str) -> (u16, ApiError) {
    raw(socket, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
}

fn post(socket: &Path, path: &str, body: &str) -> (u16, ApiError) {
    let length = body.len();
    raw(
        socket,
        &format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"),
    )
}

#[test]
fn every_answer_arrives_as_it_was_given() {
    let daemon = Daemon::start();
    let client = daemon.client();
    daemon.runtime.block_on(async {
        assert_eq!(client.status().await.unwrap(), memory::status());
        assert_eq!(client.services().await.unwrap(), memory::services());
        assert_eq!(client.service("dns").await.unwrap(), memory::services()[1]);
        assert_eq!(client.drops().await.unwrap(), memory::drops());
        for kind in ListKind::ALL {
            assert_eq!(client.list(kind.name()).await.unwrap(), memory::list(kind));
        }
        for (ip, matched) in [("192.0.2.9", Some("192.0.2.0/24".to_owned())), ("2001:db8::9", None)] {
            let test = client.list_test("deny", memory::address(ip)).await.unwrap();
            assert_eq!((test.address, test.matched), (memory::address(ip), matched));
        }
    });
}

#[test]
fn every_edit_arrives_as_it_was_asked_for() {
    let (service, backend) = ("web".to_owned(), "web1".to_owned());
    let (list, prefixes) = ("deny".to_owned(), vec!["192.0.2.0/24".to_owned()]);
    let edits = [
        Edit::BackendAdd {
            service: service.clone(),
            name: None,
            address: memory::address("::1"),
            port: Some(1),
            weight: None,
            server_id: Some("0a1b".to_owned()),
        },
        Edit::BackendRemove { service: service.clone(), backend: backend.clone() },
        Edit::BackendState {
            service: service.clone(),
            backend: backend.clone(),
            state: AdminState::Drain,
            drain_until: Some(Moment::from_seconds(1_800_000_000)),
        },
        Edit::BackendState {
            service: service.clone(),
            backend: backend.clone(),
            state: AdminState::Up,
            drain_until: None,
        },
        Edit::BackendWeight { service, backend, weight: 7 },
        Edit::ListAdd { list: list.clone(), prefixes: prefixes.clone(), terms: ListTerms::default() },
        Edit::ListRemove { list, prefixes },
        Edit::Detach { interface: "eth0".to_owned() },
    ];
    let daemon = Daemon::start();
    let mut expected = vec![];
    for edit in edits {
        let request = ChangeRequest { edit, ephemeral: expected.len() % 2 == 0 };
        daemon.runtime.block_on(daemon.client().change(&request)).unwrap();
        expected.push(Asked::Change(request));
    }
    let document = ApplyRequest { origin: "a.toml".to_owned(), text: "[node]\n# ä".to_owned(), confirm_seconds: None };
    for document in [None, Some(document)] {
        daemon.runtime.block_on(daemon.client().apply(document.as_ref())).unwrap();
        expected.push(Asked::Apply(document.clone()));
        daemon.runtime.block_on(daemon.client().plan(document.as_ref())).unwrap();
        expected.push(Asked::Plan(document));
    }
    assert_eq!(daemon.memory.asked(), expected);
}

#[test]
fn an_operator_s_connection_must_be_one() {
    let daemon = Daemon::start();
    let request = "POST /v1/apply HTTP/1.1\r\nHost: x\r\nSluice-Operator: me\r\nConnection: close\r\n\r\n";
    let (status, error) = raw(&daemon.socket(), request);
    assert!(status == 400 && error.error.contains("`me` is no connection"), "{status} {error}");
    assert_eq!(daemon.memory.asked(), []);
    let operator = "192.0.2.7 50000 192.0.2.1 22".parse().ok();
    daemon.runtime.block_on(daemon.client().on_behalf_of(operator).apply(None)).unwrap();
    assert_eq!(daemon.memory.asked(), [Asked::Apply(None)]);
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    let daemon = Daemon::start();
    let socket = daemon.socket();
    let (status, error) = get(&socket, "/v2/nonsense?x");
    assert_eq!((status, error.usage), (404, true));
    assert!(error.error.starts_with("there is no GET /v2/nonsense: there are GET /v1/status, "), "{error}");
    assert!(error.error.ends_with("POST /v1/plan, POST /v1/confirm"), "{error}");
    assert_eq!(get(&socket, "/v1/services/mail"), (404, ApiError::usage("no service `mail`: there are web, dns")));
    assert_eq!(get(&socket, "/v1/lists/block"), (404, ApiError::usage("no list `block`: there are allow, deny")));
    assert_eq!(get(&socket, "/v1/change"), (405, ApiError::usage("/v1/change takes POST, not GET")));
    assert_eq!(post(&socket, "/v1/status", ""), (405, ApiError::usage("/v1/status takes GET, not POST")));
}

#[test]
fn names_travel_whatever_they_are_made_of() {
    let daemon = Daemon::start();
    for name in ["a/b", "ä b?c#d%2f", "..", "\n"] {
        let error = daemon.runtime.block_on(daemon.client().service(name)).unwrap_err();
        assert_eq!(error.to_string(), format!("no service `{name}`: there are web, dns"));
    }
}

#[test]
fn malformed_requests_are_told_where_they_are_wrong() {
    let daemon = Daemon::start();
    let socket = daemon.socket();
    let cases = [
        ("", "the request has no body"),
        ("{\n  \"edit\": nonsense}", "the body is not what this path takes: edit: expected ident at line 2 column 12"),
        ("{\"edit\": {\"kind\": \"backend_remove\", \"service\": \"web\"}}", "missing field `backend`"),
        ("{\"edit\": {\"kind\": \"explode\"}}", "unknown variant `explode`, expected one of `backend_add`, "),
        ("{\"edit\": {\"kind\": \"attach\", \"interface\": \"e\"}, \"ephemerl\": true}", "unknown field `ephemerl`"),
        ("{\"edit\": {\"kind\": \"attach\", \"interface\": \"e\", \"x\": 1}}", "unknown field `x`"),
    ];
    for (body, wanted) in cases {
        let (status, error) = post(&socket, "/v1/change", body);
        assert_eq!((status, error.usage), (400, true), "{body}");
        assert!(error.error.contains(wanted), "{body}: {error}");
    }
    let (status, error) = get(&socket, "/v1/lists/deny/test?address=nonsense");
    assert_eq!((status, error.usage), (400, true));
    assert!(error.error.contains("address: invalid IP address syntax; the query is ?address=ADDRESS"), "{error}");
    assert_eq!(get(&socket, "/v1/lists/deny/test").0, 400);
    assert!(daemon.memory.asked().is_empty());
}

#[test]
fn a_body_beyond_the_limit_is_refused() {
    let daemon = Daemon::start();
    let apply = |bytes| {
        let document = ApplyRequest { origin: "big.toml".to_owned(), text: "#".repeat(bytes), confirm_seconds: None };
        daemon.runtime.block_on(daemon.client().apply(Some(&document)))
    };
    assert!(apply(15 << 20).is_ok());
    for bytes in [16 << 20, 64 << 20] {
        let error = apply(bytes).unwrap_err();
        assert_eq!(error.to_string(), "the request is larger than 16 MiB");
        assert!(error.is_usage());
    }
    let body = " ".repeat((16 << 20) + 1);
    assert_eq!(post(&daemon.socket(), "/v1/apply", &body), (413, ApiError::usage("the request is larger than 16 MiB")));
}

#[test]
fn the_request_or_the_machine_is_at_fault() {
    let daemon = Daemon::start();
    let ask = |edit| daemon.runtime.block_on(daemon.client().change(&ChangeRequest { edit, ephemeral: false }));
    let usage = ask(Edit::BackendRemove { service: "mail".to_owned(), backend: "a".to_owned() }).unwrap_err();
    assert_eq!((usage.to_string(), usage.is_usage()), ("no service `mail`: there is web".to_owned(), true));
    let failure = ask(Edit::Attach { interface: "eth9".to_owned() }).unwrap_err();
    assert_eq!((failure.to_string(), failure.is_usage()), ("cannot attach to eth9".to_owned(), false));
    let body = r#"{"edit": {"kind": "attach", "interface": "eth9"}}"#;
    assert_eq!(post(&daemon.socket(), "/v1/change", body).0, 500);
}

#[test]
fn the_socket_is_for_its_owner_and_group() {
    let daemon = Daemon::start();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&daemon.socket()), 0o660);
    assert_eq!(mode(daemon.socket().parent().unwrap()) & 0o022, 0, "nobody else may replace the socket");
}

#[test]
fn a_second_daemon_is_refused() {
    let daemon = Daemon::start();
    let _context = daemon.runtime.enter();
    let error = bind(&daemon.socket()).unwrap_err();
    let (socket, pid) = (daemon.socket().display().to_string(), std::process::id());
    assert_eq!(
        error.to_string(),
        format!(
            "{socket} is in use by process {pid}: a Sluice daemon already runs there. Stop it first, or give this one \
             a socket of its own with --socket"
        )
    );
    daemon.runtime.block_on(daemon.client().status()).unwrap();
}

#[test]
fn of_many_daemons_that_start_at_once_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("sluice.sock");
    let runtime = Runtime::new().unwrap();
    for _ in 0..20 {
        drop(UnixListener::bind(&socket).unwrap());
        let barrier = Arc::new(Barrier::new(8));
        let starts: Vec<_> = (0..8)
            .map(|_| {
                let (handle, socket, barrier) = (runtime.handle().clone(), socket.clone(), barrier.clone());
                thread::spawn(move || {
                    let _context = handle.enter();
                    barrier.wait();
                    bind(&socket)
                })
            })
            .collect();
        let results: Vec<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    }
}

#[test]
fn the_socket_changes_hands_only_under_the_directory_s_lock() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("sluice.sock");
    let lock = File::open(directory.path()).unwrap();
    lock.lock().unwrap();
    let runtime = Runtime::new().unwrap();
    let (handle, path) = (runtime.handle().clone(), socket.clone());
    let start = thread::spawn(move || {
        let _context = handle.enter();
        bind(&path)
    });
    thread::sleep(Duration::from_millis(100));
    assert!(!socket.exists());
    drop(lock);
    start.join().unwrap().unwrap();
}

#[test]
fn another_s_socket_is_not_removed() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("sluice.sock");
    let runtime = Runtime::new().unwrap();
    let _context = runtime.enter();
    let listener = bind(&socket).unwrap();
    fs::remove_file(&socket).unwrap();
    let _other = UnixListener::bind(&socket).unwrap();
    drop(listener);
    assert!(socket.exists());
}

#[test]
fn a_stale_socket_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("sluice.sock");
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let runtime = Runtime::new().unwrap();
    let _context = runtime.enter();
    let listener = bind(&socket).unwrap();
    UnixStream::connect(&socket).unwrap();
    drop(listener);
    assert!(!socket.exists());
}

#[test]
fn a_file_in_the_way_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("precious");
    fs::write(&socket, "data").unwrap();
    let error = bind(&socket).unwrap_err();
    assert!(matches!(error, BindError::NotASocket { .. }), "{error}");
    assert!(error.to_string().ends_with(
        "precious exists and is not a socket: it was left alone. Move it away, or name another socket with --socket"
    ));
    assert_eq!(fs::read_to_string(&socket).unwrap(), "data");
    let below = bind(&socket.join("sluice.sock")).unwrap_err().to_string();
    assert!(below.starts_with("cannot create the directory ") && below.contains("precious: "), "{below}");
}

#[test]
fn the_socket_goes_with_the_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("sluice.sock");
    let runtime = Runtime::new().unwrap();
    let _context = runtime.enter();
    let listener = bind(&socket).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = runtime.spawn(serve(listener, Memory::default(), async { drop(stopped.await) }));
    // A peer that never finishes its request must not keep the daemon.
    let mut idle = UnixStream::connect(&socket).unwrap();
    idle.write_all(b"GET /v1/st").unwrap();
    runtime.block_on(Client::new(&socket).status()).unwrap();
    stop.send(()).unwrap();
    let ended = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), server).await });
    ended.unwrap().unwrap().unwrap();
    assert!(!socket.exists());
}

#[test]
fn a_daemon_that_is_not_there_is_named_with_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("sluice.sock");
    let runtime = Runtime::new().unwrap();
    let ask = || runtime.block_on(Client::new(&socket).status()).unwrap_err();
    let text = |reason: &str| {
        format!(
            "no Sluice daemon answers at {} ({reason}): start one with `sluice run --config FILE`, or name its socket \
             with --socket",
            socket.display()
        )
    };
    assert_eq!(ask().to_string(), text("there is no such socket"));
    drop(UnixListener::bind(&socket).unwrap());
    assert_eq!(ask().to_string(), text("nobody listens there: the daemon was killed, or it is not a socket"));
    assert!(ask().is_no_daemon());
    assert!(!ask().is_usage());
}

#[test]
fn a_refusal_by_the_file_system_says_who_may() {
    let refused = ClientError::connect("/run/s".into(), std::io::ErrorKind::PermissionDenied.into());
    assert_eq!(
        refused.to_string(),
        "permission denied on /run/s: only root and the socket's group may talk to the daemon. Use sudo, or join that group"
    );
}

#[test]
fn a_daemon_that_hangs_is_not_waited_for_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("sluice.sock");
    let _silent = UnixListener::bind(&socket).unwrap();
    let runtime = Runtime::new().unwrap();
    let client = Client::new(&socket).with_timeout(Duration::from_millis(50));
    assert_eq!(
        runtime.block_on(client.status()).unwrap_err().to_string(),
        format!(
            "the Sluice daemon at {} did not answer within 0.05 s: is it stopped, or the machine overloaded? A change \
             may still take effect; look with `sluice status`",
            socket.display()
        )
    );
}

/// What the client makes of a peer that answers with these bytes and closes.
fn answered_with(bytes: &'static [u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("sluice.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = BufReader::new(&stream).lines().map(Result::unwrap);
        assert!(request.any(|line| line.is_empty()));
        stream.write_all(bytes).unwrap();
    });
    let error = Runtime::new().unwrap().block_on(Client::new(&socket).status()).unwrap_err();
    peer.join().unwrap();
    error.to_string().replace(&socket.display().to_string(), "SOCKET")
}

#[test]
fn strange_answers_are_named() {
    assert_eq!(
        answered_with(b""),
        "the Sluice daemon at SOCKET broke the connection: connection closed before message completed. Its log says why"
    );
    assert_eq!(
        answered_with(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nno!"),
        "what answers at SOCKET does not speak this version of Sluice's API: it answered 502 Bad Gateway. Are `sluice` \
         and the daemon of the same version?"
    );
    assert_eq!(
        answered_with(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        "what answers at SOCKET does not speak this version of Sluice's API: missing field `version` at line 1 column \
         2. Are `sluice` and the daemon of the same version?"
    );
    assert!(
        answered_with(b"SSH-2.0\r\n").starts_with("the Sluice daemon at SOCKET broke the connection: invalid HTTP")
    );
}
