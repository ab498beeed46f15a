//! A real web server.

use std::{
    fs,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use tempfile::TempDir;

use super::{Namespace, Process};
use crate::traffic::Stream;

/// What a server offers.
#[derive(Clone, Debug)]
pub struct NginxOptions {
    /// The ports that it listens on, on all addresses of both families.
    pub ports: Vec<u16>,
    /// A certificate and its key, in PEM, for HTTPS on port 443.
    pub certificate: Option<[String; 2]>,
    /// Files below `/files/`, by name and size: the bytes of [`Stream`] with seed 0.
    pub files: Vec<(String, u64)>,
}

impl Default for NginxOptions {
    fn default() -> Self {
        Self { ports: vec![80], certificate: None, files: Vec::new() }
    }
}

/// nginx in a namespace. Every answer carries its name as `X-Backend`: `/` a small body, `/health` 200, `/files/…`
/// files (PUT stores one).
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    namespace: Namespace,
    name: String,
    options: NginxOptions,
    folder: TempDir,
}

impl Nginx {
    /// Starts a server and waits until it listens.
    pub fn start(namespace: &Namespace, name: &str, options: NginxOptions) -> anyhow::Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("sluice-nginx-").tempdir().context("cannot make nginx's folder")?;
        fs::create_dir(folder.path().join("files")).context("cannot make the folder of nginx's files")?;
        for (file, size_bytes) in &options.files {
            write_file(&folder.path().join("files").join(file), *size_bytes)
                .with_context(|| format!("cannot write nginx's file {file} of {size_bytes} bytes"))?;
        }
        for (file, text) in ["certificate", "key"].iter().zip(options.certificate.iter().flatten()) {
            fs::write(folder.path().join(file), text).context("cannot write nginx's certificate")?;
        }
        fs::write(folder.path().join("nginx.conf"), configuration(folder.path(), name, &options))
            .context("cannot write nginx's configuration")?;
        let process = launch(namespace, name, &options, folder.path())?;
        Ok(Self { process, namespace: namespace.clone(), name: name.into(), options, folder })
    }

    /// The name in its answers.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder behind `/files/`.
    pub fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends the server at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again after [`Nginx::kill`], with the same files and ports.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.process.kill();
        self.process = launch(&self.namespace, &self.name, &self.options, self.folder.path())?;
        Ok(())
    }

    /// Makes `/health` answer 200, or 503 while everything else goes on.
    pub fn set_healthy(&self, healthy: bool) -> anyhow::Result<()> {
        let mark = self.folder.path().join("unhealthy");
        let done = if healthy { fs::remove_file(&mark) } else { fs::write(&mark, "") };
        done.with_context(|| format!("cannot change the health of {}", self.name))
    }
}

fn launch(namespace: &Namespace, name: &str, options: &NginxOptions, folder: &Path) -> anyhow::Result<Process> {
    let mut command = namespace.command("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
    let mut process = Process::start(name, &mut command, &folder.join("log"))?;
    process.until(&format!("nginx {name} should listen"), Duration::from_secs(5), || {
        let listens = |port: &u16| TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).is_ok();
        namespace.enter(|| options.ports.iter().all(listens)).ok().filter(|all| *all)
    })?;
    Ok(process)
}

fn write_file(path: &Path, size_bytes: u64) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(fs::File::create(path)?);
    std::io::copy(&mut std::io::Read::take(Stream::new(0), size_bytes), &mut file)?;
    file.flush()
}

/// One process, no workers to outlive it, and nothing written outside of its folder.
fn configuration(folder: &Path, name: &str, options: &NginxOptions) -> String {
    let folder = folder.display();
    let mut listen: String = options
        .ports
        .iter()
        .map(|port| format!("listen {port} backlog=4096; listen [::]:{port} backlog=4096;\n    "))
        .collect();
    if options.certificate.is_some() {
        listen += &format!("listen 443 ssl; ssl_certificate {folder}/certificate; ssl_certificate_key {folder}/key;");
    }
    format!(
        r#"daemon off;
master_process off;
pid {folder}/pid;
error_log stderr warn;
worker_rlimit_nofile 65536;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  default_type application/octet-stream;
  sendfile on;
  keepalive_timeout 75s;
  keepalive_requests 1000000;
  client_max_body_size 0;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  add_header X-Backend {name} always;
  server {{
    {listen}
    location = / {{ return 200 "{name}\n"; }}
    location = /health {{
      if (-f {folder}/unhealthy) {{ return 503 "unhealthy\n"; }}
      return 200 "healthy\n";
    }}
    location /files/ {{ alias {folder}/files/; dav_methods PUT; }}
  }}
}}
"#
    )
}
