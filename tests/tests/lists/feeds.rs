//! Lists from a real web server: what is taken from it, what is not, and what is left when it is gone.

use std::{fs, net::IpAddr, path::PathBuf, time::Duration};

use anyhow::Context;
use lb_userspace::api::types::{List, Refreshed, Status};
use nix::sys::signal::Signal;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tests::lab::{Family, Nginx, NginxOptions, until};

use super::{
    edge::{Edge, LISTED, prefixes},
    watch::{Watch, await_answer},
};

/// A feed is asked for every second, and a server that hangs is given up after ten.
const PATIENCE: Duration = Duration::from_secs(20);

/// Prefixes on the list in a round, beside those of the listed sources and of IPv6.
const MANY: u32 = 2000;

struct Fed {
    edge: Edge,
    nginx: Nginx,
}

impl Fed {
    fn start(scheme: &str, interval: &str, nginx: NginxOptions) -> anyhow::Result<Self> {
        let edge = Edge::start()?;
        let nginx = Nginx::start(&edge.site.servers[0], "web1", nginx)?;
        let section = format!(
            "\n[[list]]\nname = \"feed\"\naction = \"deny\"\nurl = \"{scheme}://{}/files/feed.netset\"\ninterval = \"{interval}\"\n",
            Family::V4.server(0)
        );
        let configuration = edge.sluice.configuration();
        fs::write(&configuration, fs::read_to_string(&configuration)? + &section)?;
        Ok(Self { edge, nginx })
    }

    fn file(&self) -> PathBuf {
        self.nginx.files().join("feed.netset")
    }

    fn list(&self) -> anyhow::Result<List> {
        self.edge.sluice.json(&["deny", "list", "--list", "feed"])
    }

    /// Puts content on the server, as a whole.
    fn publish(&self, content: &str) -> anyhow::Result<()> {
        let new = self.nginx.files().join("new");
        fs::write(&new, content)?;
        Ok(fs::rename(new, self.file())?)
    }

    fn await_prefixes(&self, what: &str, wanted: impl Fn(usize) -> bool) -> anyhow::Result<()> {
        until(what, PATIENCE, || {
            let list = self.list().ok()?;
            (wanted(list.prefixes) && list.sources.iter().all(|source| source.problem.is_none())).then_some(())
        })
    }

    /// Waits until the feed is complained of like this, and checks that nothing has been lost.
    fn await_problem(&self, words: &str, prefixes: usize) -> anyhow::Result<()> {
        until(&format!("the feed should be complained of: {words}"), PATIENCE, || {
            self.list().ok()?.sources.first()?.problem.as_ref()?.contains(words).then_some(())
        })?;
        assert_eq!(self.list()?.prefixes, prefixes, "{words}");
        let status: Status = self.edge.sluice.json(&["status"])?;
        let is_told = |warning: &String| warning.contains("feed") && warning.contains(words);
        assert!(status.warnings.iter().any(is_told), "{words}: {:?}", status.warnings);
        Ok(())
    }
}

#[test]
fn a_feed_is_followed_and_a_bad_one_keeps_the_last_good_one() -> anyhow::Result<()> {
    let mut fed = Fed::start("http", "1s", NginxOptions::default())?;
    fed.publish(&prefixes(0, MANY))?;
    fed.edge.sluice.succeed(&["apply"])?;
    fed.await_prefixes("the feed should be there", |count| count > MANY as usize)?;
    let watch = Watch::start(&fed.edge.site.client)?;
    fed.publish(&prefixes(1, 2 * MANY))?;
    fed.await_prefixes("the new feed should be there", |count| count > 2 * MANY as usize)?;
    let good = fed.list()?.prefixes;

    for (bad, words) in [
        ("<!DOCTYPE html><html>", "this is a web page"),
        ("# nothing\n", "it is empty"),
        ("192.0.2.1/24\n", "has bits set behind its length"),
        ("192.0.2.7\n", "less than half"),
        (&(prefixes(1, 2 * MANY) + "10.9.0.11\n"), "covers backend `web1`"),
        (&(prefixes(1, 2 * MANY) + "0.0.0.0/0\n"), "covers"),
    ] {
        fed.publish(bad)?;
        fed.await_problem(words, good)?;
    }
    fs::File::create(fed.nginx.files().join("huge"))?.set_len(300_000_000)?;
    fs::rename(fed.nginx.files().join("huge"), fed.file())?;
    fed.await_problem("it has more than 256 MB", good)?;
    fs::remove_file(fed.file())?;
    fed.await_problem("the server answers with status 404", good)?;
    fed.publish(&prefixes(2, 2 * MANY))?;
    fed.await_prefixes("the feed should be good again", |count| count > 2 * MANY as usize)?;
    let good = fed.list()?.prefixes;

    // The server hangs, and the daemon dies.
    fed.nginx.process().signal(Signal::SIGSTOP)?;
    fed.await_problem("the server takes too long", good)?;
    fed.edge.sluice.kill9();
    fed.edge.sluice.restart()?;
    assert_eq!(fed.list()?.prefixes, good);
    watch.end()?;
    fed.nginx.process().signal(Signal::SIGCONT)?;

    // A feed that is no more leaves nothing behind.
    let configuration = fed.edge.sluice.configuration();
    let text = fs::read_to_string(&configuration)?;
    let without = text.find("\n[[list]]\nname = \"feed\"").context("the feed is not in the file")?;
    fs::write(&configuration, &text[..without])?;
    fed.edge.sluice.succeed(&["apply"])?;
    let listed: IpAddr = LISTED[0].0.parse()?;
    await_answer(&fed.edge.site.client, listed, Duration::from_secs(2))?;
    Ok(())
}

#[test]
fn a_feed_is_fetched_at_once_and_what_became_of_it_is_said() -> anyhow::Result<()> {
    let fed = Fed::start("http", "10h", NginxOptions::default())?;
    let sluice = &fed.edge.sluice;
    fed.publish("192.0.2.1\n192.0.2.2\n192.0.2.3\n")?;
    sluice.succeed(&["apply"])?;
    fed.await_prefixes("the feed should be there", |count| count == 3)?;

    fed.publish("192.0.2.2\n192.0.2.3\n192.0.2.4\n192.0.2.5\n")?;
    let said = sluice.succeed(&["deny", "refresh", "feed"])?;
    assert!(said.ends_with("The feed list has them now: 2 added, 1 removed.\n"), "{said}");
    assert_eq!(fed.list()?.prefixes, 4);
    let unchanged: Refreshed = sluice.json(&["deny", "refresh", "feed"])?;
    assert_eq!((unchanged.source.prefixes, unchanged.added, unchanged.removed), (4, 0, 0));

    let refused = |words: &str| {
        let answer = sluice.cli(&["deny", "refresh", "feed"])?;
        assert!(answer.code == 1 && answer.stderr.contains(words), "{words}: {answer:?}");
        anyhow::ensure!(answer.stderr.contains("; the list keeps the 4 prefixes of "), "{answer:?}");
        anyhow::Ok(())
    };
    fed.publish("192.0.2.9\n")?;
    refused("it has 1 prefixes, and had 4: less than half; if that is right, say `may_shrink = true` with the list")?;
    fs::remove_file(fed.file())?;
    refused("the server answers with status 404")?;
    assert_eq!(fed.list()?.prefixes, 4);

    let unfed = sluice.cli(&["deny", "refresh", "deny"])?;
    let words = "the list `deny` has no feed (a `url` in the configuration): there is one for feed";
    assert!(unfed.code == 2 && unfed.stderr.contains(words), "{unfed:?}");
    Ok(())
}

#[test]
fn a_feed_comes_over_https_from_whom_the_system_trusts() -> anyhow::Result<()> {
    let name = Family::V4.server(0).to_string();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name])?;
    let certificate = Some([cert.pem(), signing_key.serialize_pem()]);
    let mut fed = Fed::start("https", "1s", NginxOptions { certificate, ..NginxOptions::default() })?;
    fed.publish(&prefixes(0, MANY))?;
    fed.edge.sluice.succeed(&["apply"])?;
    fed.await_problem("it could not be fetched", 0)?;
    fed.edge.sluice.trust(&cert.pem())?;
    fed.await_prefixes("the feed should be there", |count| count > MANY as usize)
}
