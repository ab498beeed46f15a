//! The daemon's side of the API: from the socket to [`Control`].

use std::{future::Future, io, sync::Arc, time::Duration};

use tokio::{select, sync::Notify, time::sleep};

use super::{Control, Listener, endpoints};

/// How long requests may still take once the daemon was told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Answers requests until `shutdown` is ready, lets the ones under way finish for up to two seconds, and removes the
/// socket.
pub async fn serve(
    listener: Listener,
    control: impl Control,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let Listener { socket, file: _file } = listener;
    let stopping = Arc::new(Notify::new());
    let stop = {
        let stopping = stopping.clone();
        async move {
            shutdown.await;
            stopping.notify_one();
        }
    };
    let server = axum::serve(socket, endpoints::router(control)).with_graceful_shutdown(stop);
    select! {
        result = server => result,
        () = async { stopping.notified().await; sleep(GRACE).await } => Ok(()),
    }
}
