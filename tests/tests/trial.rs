//! `apply --confirm`: a configuration that nobody confirms does not last, whatever becomes of the daemon.

use std::{fs, path::PathBuf, thread, time::Duration};

use lb_userspace::api::types::Status;
use tests::lab::{Family, Site, Sluice, node_section, service_section, until};

const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    sluice: Sluice,
    new: PathBuf,
    before: String,
    _folder: tempfile::TempDir,
    _site: Site,
}

impl Running {
    /// A node, and a configuration to be tried that has another service.
    fn start() -> anyhow::Result<Self> {
        let site = Site::new(2)?;
        let section = |name: &str, port: u16| {
            let settings = format!("address = \"192.0.2.80\"\nport = {port}\nprotocol = \"tcp\"\ndelivery = \"l2\"\n");
            service_section(name, &settings, &site.backends(Family::V4))
        };
        let before = node_section(&["eth0"]) + &section("web", 80);
        let sluice = Sluice::start(&site.node, &before)?;
        sluice.await_ready()?;
        let before = fs::read_to_string(sluice.configuration())?;
        let folder = tempfile::tempdir()?;
        let new = folder.path().join("new.toml");
        fs::write(&new, format!("{before}\n{}", section("mail", 25)))?;
        Ok(Self { sluice, new, before, _folder: folder, _site: site })
    }

    /// Puts the other configuration on trial.
    fn try_out(&self, time: &str) -> anyhow::Result<String> {
        let said = self.sluice.succeed(&["apply", &self.new.display().to_string(), "--confirm", time])?;
        assert_eq!(self.services()?, 2);
        assert!(self.file()?.contains("mail"));
        Ok(said)
    }

    fn services(&self) -> anyhow::Result<usize> {
        Ok(self.sluice.json::<Vec<serde_json::Value>>(&["services"])?.len())
    }

    fn file(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.sluice.configuration())?)
    }

    fn refused(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let answer = self.sluice.cli(arguments)?;
        assert_eq!(answer.code, 2, "{answer:?}");
        Ok(answer.stderr)
    }
}

#[test]
fn what_nobody_confirms_is_taken_back() -> anyhow::Result<()> {
    let running = Running::start()?;
    let said = running.try_out("3s")?;
    assert!(said.contains("`sluice confirm` within"), "{said}");
    let refused = running.refused(&["backend", "drain", "web", "web1"])?;
    assert!(refused.contains("on trial") && refused.contains("nothing else is changed"), "{refused}");
    until("what was before should come back", PATIENCE, || (running.services().ok()? == 1).then_some(()))?;
    assert_eq!(running.file()?, running.before);
    assert!(running.refused(&["confirm"])?.contains("nothing to confirm"));
    running.sluice.succeed(&["backend", "drain", "web", "web1"])?;
    Ok(())
}

#[test]
fn what_is_confirmed_lasts_and_what_is_undone_ends_at_once() -> anyhow::Result<()> {
    let running = Running::start()?;
    running.try_out("60s")?;
    running.sluice.succeed(&["confirm", "--undo"])?;
    assert_eq!((running.services()?, running.file()?), (1, running.before.clone()));

    running.try_out("2s")?;
    running.sluice.succeed(&["confirm"])?;
    thread::sleep(Duration::from_secs(4));
    assert_eq!(running.services()?, 2);
    assert!(running.sluice.json::<Status>(&["status"])?.warnings.iter().all(|warning| !warning.contains("trial")));
    Ok(())
}

#[test]
fn a_trial_goes_on_without_the_daemon() -> anyhow::Result<()> {
    let mut running = Running::start()?;
    running.try_out("60s")?;
    running.sluice.kill9();
    running.sluice.restart()?;
    assert_eq!(running.services()?, 2);
    let warnings = running.sluice.json::<Status>(&["status"])?.warnings;
    assert!(warnings.iter().any(|warning| warning.contains("on trial")), "{warnings:?}");
    running.sluice.succeed(&["confirm", "--undo"])?;

    running.try_out("2s")?;
    running.sluice.kill9();
    thread::sleep(Duration::from_secs(3));
    running.sluice.restart()?;
    assert_eq!((running.services()?, running.file()?), (1, running.before));
    Ok(())
}
