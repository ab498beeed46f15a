//! Against real sockets.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

use super::*;
use crate::model::Probe;

const PATIENCE: Duration = Duration::from_secs(10);
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

fn http() -> Probe {
    Probe::Http { path: "/health".into(), host: Some("web.example".into()), status: vec![(200, 299), (401, 401)] }
}

fn target(address: SocketAddr, probe: Probe) -> Target {
    let check = HealthCheck {
        probe,
        port: None,
        interval: Duration::from_millis(20),
        jitter_percent: 10,
        timeout: Duration::from_millis(300),
        rise: 2,
        fall: 3,
    };
    let subject = Subject { owner: "web".into(), backend: "one".into(), address, check };
    Target { subject: subject.into(), initially_up: false }
}

/// A checker with one target.
fn check(target: Target) -> (Checker, UnboundedReceiver<Report>) {
    let (sender, reports) = unbounded_channel();
    let mut checker = Checker::new(sender);
    checker.set_targets(vec![target]);
    (checker, reports)
}

async fn next(reports: &mut UnboundedReceiver<Report>) -> (bool, String) {
    let report = timeout(PATIENCE, reports.recv()).await.expect("a report").unwrap();
    assert_eq!((report.subject.owner.as_str(), report.subject.backend.as_str()), ("web", "one"));
    (report.up, report.reason)
}

fn up(reason: &str) -> (bool, String) {
    (true, reason.into())
}

fn down(reason: &str) -> (bool, String) {
    (false, reason.into())
}

/// A server that treats every connection so.
async fn server<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> (SocketAddr, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    // Not 127.0.0.1, which clients have: none of them can take the port of a server that is away for a moment.
    let listener = TcpListener::bind("127.0.0.7:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream));
        }
    });
    (address, task)
}

/// A server that reads the request and then writes this.
async fn answering(answer: String) -> SocketAddr {
    let serve = move |mut stream: TcpStream| {
        let answer = answer.clone();
        async move {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    };
    server(serve).await.0
}

/// An address where nobody listens; nobody else can take it while the socket lives.
fn nobody() -> (SocketAddr, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    (socket.local_addr().unwrap(), socket)
}

/// What the first check of a server that answers so is reported as.
async fn first_report(answer: impl Into<String>) -> (bool, String) {
    let (_checker, mut reports) = check(target(answering(answer.into()).await, http()));
    next(&mut reports).await
}

#[tokio::test]
async fn one_passed_check_is_enough_to_begin_with() {
    let (address, _) = server(async |_| ()).await;
    let (_checker, mut reports) = check(target(address, Probe::Tcp));
    assert_eq!(next(&mut reports).await, up("1 check passed"));
}

#[tokio::test]
async fn one_failed_check_is_enough_to_begin_with() {
    let (address, _socket) = nobody();
    let (_checker, mut reports) = check(target(address, Probe::Tcp));
    assert_eq!(next(&mut reports).await, down("connection refused"));
}

#[tokio::test]
async fn http_statuses_decide() {
    assert_eq!(first_report(OK).await, up("1 check passed"));
    assert_eq!(first_report("HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n").await, up("1 check passed"));
    let unavailable = first_report("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(unavailable, down("HTTP status 503, expected 200-299, 401"));
}

#[tokio::test]
async fn what_is_no_http_answer_fails() {
    assert_eq!(first_report("SSH-2.0-OpenSSH_9.2\r\n").await, down("the answer is not HTTP"));
    assert_eq!(first_report("").await, down("connection closed before an HTTP answer"));
    let endless = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(1_000_000));
    assert_eq!(first_report(endless).await, down("the HTTP header is longer than 65536 bytes"));
}

#[tokio::test]
async fn a_server_that_hangs_or_trickles_fails() {
    let (address, _) = server(async |stream| {
        sleep(PATIENCE).await;
        drop(stream);
    })
    .await;
    let (_checker, mut reports) = check(target(address, http()));
    assert_eq!(next(&mut reports).await, down("connected, but no HTTP answer within 300ms"));

    let (address, _) = server(async |mut stream| {
        for byte in OK.bytes() {
            sleep(Duration::from_millis(20)).await;
            let _ = stream.write_all(&[byte]).await;
        }
    })
    .await;
    let (_checker, mut reports) = check(target(address, http()));
    assert_eq!(next(&mut reports).await, down("connected, but no HTTP answer within 300ms"));
}

#[tokio::test]
async fn a_machine_that_is_silent_fails() {
    // With the queue full the kernel drops further SYNs: nobody accepts here.
    let (address, socket) = nobody();
    let _listener = socket.listen(0).unwrap();
    let _full = TcpStream::connect(address).await.unwrap();
    let (_checker, mut reports) = check(target(address, Probe::Tcp));
    assert_eq!(next(&mut reports).await, down("no answer within 300ms"));
}

#[tokio::test]
async fn a_server_that_goes_and_returns_is_counted_out_and_in() {
    let (address, serving) = server(async |_| ()).await;
    let (_checker, mut reports) = check(target(address, Probe::Tcp));
    assert_eq!(next(&mut reports).await, up("1 check passed"));
    serving.abort();
    assert_eq!(next(&mut reports).await, down("connection refused"));
    let _listener = TcpListener::bind(address).await.unwrap();
    assert_eq!(next(&mut reports).await, up("2 checks passed"));
}

#[tokio::test]
async fn what_was_up_before_is_not_reported_until_it_has_failed_often_enough() {
    let (address, serving) = server(async |_| ()).await;
    let (_checker, mut reports) = check(Target { initially_up: true, ..target(address, Probe::Tcp) });
    timeout(Duration::from_millis(300), reports.recv()).await.expect_err("nothing has changed");
    serving.abort();
    assert_eq!(next(&mut reports).await, down("connection refused"));
}

#[tokio::test]
async fn unchanged_targets_go_on_and_others_stop() {
    let (address, _) = server(async |_| ()).await;
    let first = target(address, Probe::Tcp);
    let (mut checker, mut reports) = check(Target { initially_up: true, ..first.clone() });
    checker.set_targets(vec![first]);
    timeout(Duration::from_millis(300), reports.recv()).await.expect_err("it was up and is up");
    let (elsewhere, _socket) = nobody();
    checker.set_targets(vec![target(elsewhere, Probe::Tcp)]);
    assert_eq!(next(&mut reports).await, down("connection refused"), "a new address begins anew");
    checker.set_targets(vec![]);
    drop(checker);
    timeout(PATIENCE, async { while reports.recv().await.is_some() {} }).await.expect("all tasks have ended");
}

/// While a state is in doubt, checks are twice as frequent.
#[tokio::test]
async fn failures_in_a_row_come_at_half_the_interval() {
    let (address, _socket) = nobody();
    let mut target = Target { initially_up: true, ..target(address, Probe::Tcp) };
    let check_of = &mut Arc::make_mut(&mut target.subject).check;
    (check_of.interval, check_of.jitter_percent) = (Duration::from_secs(1), 0);
    let start = Instant::now();
    let (_checker, mut reports) = check(target);
    assert_eq!(next(&mut reports).await, down("connection refused"));
    let elapsed_ms = start.elapsed().as_millis();
    assert!(
        (1000..1800).contains(&elapsed_ms),
        "three checks took {elapsed_ms} ms, not the 1000 to 1100 of two halves"
    );
}

/// A server that is still writing would be told by a RST that its connection was cut off.
#[tokio::test]
async fn connections_are_closed_in_good_order() {
    const PIECES: [&str; 3] = ["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "ok", "ok"];
    for probe in [Probe::Tcp, http()] {
        let (seen, mut ends) = unbounded_channel();
        let (address, _) = server(move |mut stream| {
            let seen = seen.clone();
            async move {
                let mut outcome = Ok(());
                for piece in PIECES {
                    outcome = outcome.and(stream.write_all(piece.as_bytes()).await);
                    sleep(Duration::from_millis(50)).await;
                }
                outcome = outcome.and(stream.shutdown().await);
                let mut request = Vec::new();
                outcome = outcome.and(stream.read_to_end(&mut request).await.map(|_| ()));
                let _ = seen.send((outcome.map_err(|error| error.kind()), String::from_utf8(request).unwrap()));
            }
        })
        .await;
        let (_checker, mut reports) = check(target(address, probe.clone()));
        assert_eq!(next(&mut reports).await, up("1 check passed"));
        let (outcome, request) = timeout(PATIENCE, ends.recv()).await.unwrap().unwrap();
        assert_eq!(outcome, Ok(()), "{probe:?}");
        if probe != Probe::Tcp {
            let user_agent = concat!("user-agent: sluice/", env!("CARGO_PKG_VERSION"), "\r\n");
            assert!(request.starts_with("GET /health HTTP/1.1\r\n"), "{request}");
            assert!(request.contains("host: web.example\r\n") && request.contains(user_agent), "{request}");
            assert!(request.contains("connection: close\r\n"), "{request}");
        }
    }
}
