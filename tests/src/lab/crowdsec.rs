//! A real CrowdSec: its local API, with a database of its own, and without the internet.

use std::{fs, path::Path, time::Duration};

use anyhow::Context;
use tempfile::TempDir;

use super::{Namespace, Process};

const LISTEN: &str = "127.0.0.1:8080";
const START: Duration = Duration::from_secs(20);

/// CrowdSec in a namespace.
#[derive(Debug)]
pub struct CrowdSec {
    process: Process,
    namespace: Namespace,
    folder: TempDir,
}

impl CrowdSec {
    /// The key by which it knows the bouncer.
    pub const KEY: &str = "the-bouncer-of-the-lab";

    /// Where its local API is.
    pub fn url() -> String {
        format!("http://{LISTEN}")
    }

    /// Starts it and waits until its API answers.
    pub fn start(namespace: &Namespace) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("sluice-crowdsec-").tempdir()?;
        prepare(folder.path()).context("cannot write CrowdSec's configuration")?;
        cli(
            namespace,
            folder.path(),
            &[
                "machines",
                "add",
                "lab",
                "--password",
                "secret",
                "--file",
                &path(folder.path(), "credentials.yaml"),
                "--url",
                &Self::url(),
            ],
        )?;
        cli(namespace, folder.path(), &["bouncers", "add", "sluice", "--key", Self::KEY])?;
        let process = launch(namespace, folder.path())?;
        let mut crowdsec = Self { process, namespace: namespace.clone(), folder };
        crowdsec.await_answer()?;
        Ok(crowdsec)
    }

    /// Runs `cscli` with these words.
    pub fn cli(&self, words: &[&str]) -> anyhow::Result<String> {
        cli(&self.namespace, self.folder.path(), words)
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again, with the same database.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.process.kill();
        self.process = launch(&self.namespace, self.folder.path())?;
        self.await_answer()
    }

    fn await_answer(&mut self) -> anyhow::Result<()> {
        let (namespace, folder) = (self.namespace.clone(), self.folder.path().to_owned());
        self.process
            .until("CrowdSec should answer", START, || cli(&namespace, &folder, &["decisions", "list"]).ok())?;
        Ok(())
    }
}

fn launch(namespace: &Namespace, folder: &Path) -> anyhow::Result<Process> {
    let mut command = namespace.command("crowdsec");
    command.args(["-c", &path(folder, "config.yaml"), "-no-cs"]);
    Process::start("crowdsec", &mut command, &folder.join("log"))
}

fn cli(namespace: &Namespace, folder: &Path, words: &[&str]) -> anyhow::Result<String> {
    namespace.run("cscli", &[&["-c", &path(folder, "config.yaml")], words].concat())
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

fn prepare(folder: &Path) -> std::io::Result<()> {
    for inner in ["data", "hub", "plugins", "notifications"] {
        fs::create_dir(folder.join(inner))?;
    }
    for (file, text) in
        [("simulation.yaml", "simulation: false\n"), ("hub/.index.json", "{}"), ("profiles.yaml", PROFILE)]
    {
        fs::write(folder.join(file), text)?;
    }
    let folder_text = folder.display();
    let text = format!(
        "common: {{ daemonize: false, log_media: stdout, log_level: info, working_dir: {folder_text} }}
config_paths:
  config_dir: {folder_text}
  data_dir: {folder_text}/data
  simulation_path: {folder_text}/simulation.yaml
  hub_dir: {folder_text}/hub
  index_path: {folder_text}/hub/.index.json
  notification_dir: {folder_text}/notifications
  plugin_dir: {folder_text}/plugins
crowdsec_service: {{ acquisition_path: {folder_text}/acquis.yaml }}
cscli: {{ output: human }}
db_config: {{ type: sqlite, use_wal: false, db_path: {folder_text}/data/crowdsec.db }}
api:
  client: {{ insecure_skip_verify: false, credentials_path: {folder_text}/credentials.yaml }}
  server: {{ log_level: info, listen_uri: {LISTEN}, profiles_path: {folder_text}/profiles.yaml, trusted_ips: [127.0.0.1] }}
prometheus: {{ enabled: false }}
"
    );
    fs::write(folder.join("config.yaml"), text)
}

const PROFILE: &str = "name: default
filters: [\"Alert.Remediation == true\"]
decisions: [{ type: ban, duration: 4h }]
on_success: break
";
