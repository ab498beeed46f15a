//! The daemon's end of the socket: one daemon, one socket.
//!
//! A socket file outlives the process that made it, so a daemon that was killed leaves one behind and its successor
//! must replace it, but never while a daemon still answers there: two daemons would write the same maps. Whether
//! one answers is asked of the kernel by connecting. Two daemons that start at the same moment are kept apart by a lock on
//! the directory, held only while the socket changes hands; unlike a lock file it leaves nothing behind.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use tokio::net::{UnixListener, UnixSocket};

/// The longest queue of connections that wait to be accepted.
const BACKLOG: u32 = 128;

/// A socket that waits for commands. Its file goes when it is dropped.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: UnixListener,
    pub(super) file: SocketFile,
}

/// Why the socket could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another daemon answers there.
    #[error(
        "{} is in use by {}: a Sluice daemon already runs there. Stop it first, or give this one a socket of its own \
         with --socket", socket.display(), process(*pid)
    )]
    InUse {
        /// The socket.
        socket: PathBuf,
        /// The process that listens; `None` if it runs in a container that hides its processes.
        pid: Option<i32>,
    },
    /// There is a file in the way.
    #[error(
        "{} exists and is not a socket: it was left alone. Move it away, or name another socket with --socket",
        socket.display()
    )]
    NotASocket {
        /// The file.
        socket: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {step} {}: {source}", path.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// On which file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

fn process(pid: Option<i32>) -> String {
    pid.map_or("a process of another container".to_owned(), |pid| format!("process {pid}"))
}

/// Makes the daemon's socket, for its owner and group (mode 0660), and its directory if there is none.
///
/// A socket on which nobody listens any more is replaced. Must be called within a tokio runtime.
pub fn bind(socket: &Path) -> Result<Listener, BindError> {
    let directory = socket.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |step, path: &Path| {
        let path = path.to_owned();
        move |source| BindError::Io { step, path, source }
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)
        .map_err(failed("create the directory", directory))?;
    let lock = File::open(directory).map_err(failed("open the directory", directory))?;
    lock.lock().map_err(failed("lock the directory", directory))?;
    remove_stale(socket)?;
    listen(socket).map_err(failed("listen on", socket))
}

fn remove_stale(socket: &Path) -> Result<(), BindError> {
    let failed = |step| move |source| BindError::Io { step, path: socket.to_owned(), source };
    match fs::symlink_metadata(socket) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at")(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(BindError::NotASocket { socket: socket.to_owned() });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(socket) {
        Ok(stream) => {
            let pid = getsockopt(&stream, PeerCredentials).map(|peer| peer.pid()).ok().filter(|pid| *pid > 0);
            Err(BindError::InUse { socket: socket.to_owned(), pid })
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(socket).map_err(failed("remove the stale socket"))
        }
        Err(error) => Err(failed("ask whether a daemon answers on")(error)),
    }
}

/// The permissions are set before the socket listens: nobody connects in between.
fn listen(path: &Path) -> io::Result<Listener> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let file = SocketFile::of(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o660))?;
    Ok(Listener { socket: socket.listen(BACKLOG)?, file })
}

/// A socket's file, removed on drop unless another has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), inode: fs::symlink_metadata(path)?.ino() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("cannot remove the socket {}: {error}", self.path.display());
        }
    }
}
