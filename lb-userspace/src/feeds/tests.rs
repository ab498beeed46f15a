//! A server that answers what it is told, and what becomes of it.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{FetchError, News, Version, fetch::fetch, jittered};

/// Answers one connection after the other like this; returns what was asked.
fn server(answers: &'static [&'static str]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/list", listener.local_addr().unwrap());
    let thread = thread::spawn(move || {
        let asked = |answer: &&str| {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                connection.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            connection.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap().to_lowercase()
        };
        answers.iter().map(asked).collect()
    });
    (url, thread)
}

fn refused(answers: &'static [&'static str]) -> FetchError {
    let (url, asked) = server(answers);
    let error = fetch(&url, &Version::default()).unwrap_err();
    asked.join().unwrap();
    error
}

#[test]
fn what_has_not_changed_is_not_fetched_again() {
    let (url, asked) = server(&[
        "HTTP/1.1 200 OK\r\nETag: \"7\"\r\nLast-Modified: Fri, 01 Jan 2027 00:00:00 GMT\r\nContent-Length: 13\r\n\
         Connection: close\r\n\r\n192.0.2.0/24\n",
        "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n",
    ]);
    let Ok(News::Fresh(content)) = fetch(&url, &Version::default()) else { panic!("a list") };
    assert_eq!((content.parsed.prefixes.len(), content.bytes.as_slice()), (1, &b"192.0.2.0/24\n"[..]));
    assert!(matches!(fetch(&url, &content.version), Ok(News::Unchanged)));
    let [first, second] = asked.join().unwrap().try_into().unwrap();
    assert!(first.starts_with("get /list http/1.1") && !first.contains("if-none-match"), "{first}");
    assert!(first.contains("user-agent: sluice/"), "{first}");
    assert!(second.contains("if-none-match: \"7\""), "{second}");
    assert!(second.contains("if-modified-since: fri, 01 jan 2027"), "{second}");
}

#[test]
fn redirections_are_followed() {
    let (url, asked) = server(&[
        "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n192.0.2.7\n",
    ]);
    assert!(matches!(fetch(&url, &Version::default()), Ok(News::Fresh(_))));
    assert!(asked.join().unwrap()[1].starts_with("get /other"));
}

#[test]
fn what_is_no_list_is_refused() {
    assert_eq!(
        refused(&["HTTP/1.1 500 Oh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]),
        FetchError::Status(500)
    );
    let large = refused(&["HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\nConnection: close\r\n\r\n1"]);
    assert_eq!(large.to_string(), "it has more than 256 MB");
    let page = refused(&["HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<!DOCTYPE html>"]);
    assert!(page.to_string().starts_with("this is a web page"), "{page}");
    let half = refused(&["HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n192.0.2.7\n"]);
    assert!(matches!(half, FetchError::Failed(_)), "{half}");
}

#[test]
fn intervals_are_jittered_within_bounds() {
    let hour = Duration::from_secs(3600);
    let all: Vec<Duration> = (0..100).map(|random| jittered(hour, random)).collect();
    assert_eq!(all.iter().min(), Some(&Duration::from_secs(3240)));
    assert_eq!(all.iter().max(), Some(&Duration::from_secs(3960)));
}

#[test]
fn a_file_is_read_when_it_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.txt");
    let url = format!("file://{}", path.display());
    let missing = fetch(&url, &Version::default()).unwrap_err();
    assert!(missing.to_string().contains("No such file"), "{missing}");
    std::fs::write(&path, "192.0.2.0/24\n").unwrap();
    let Ok(News::Fresh(content)) = fetch(&url, &Version::default()) else { panic!("a list") };
    assert_eq!((content.parsed.prefixes.len(), content.bytes.as_slice()), (1, &b"192.0.2.0/24\n"[..]));
    assert!(matches!(fetch(&url, &content.version), Ok(News::Unchanged)));
    std::fs::write(&path, "192.0.2.0/24\n198.51.100.0/24\n").unwrap();
    assert!(matches!(fetch(&url, &content.version), Ok(News::Fresh(more)) if more.parsed.prefixes.len() == 2));
    std::fs::write(&path, "<html>").unwrap();
    assert!(matches!(fetch(&url, &content.version), Err(FetchError::Format(_))));
}
