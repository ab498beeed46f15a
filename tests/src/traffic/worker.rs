//! A thread in a namespace that runs a future until it is done or told to stop.

use std::{
    future::Future,
    thread::{self, JoinHandle},
};

use anyhow::{Context, anyhow};
use tokio::sync::watch;

use crate::lab::Namespace;

/// Tells a future that it should come to an end.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Returns once the stop is asked for.
    pub(super) async fn asked(&mut self) {
        // An error means that the worker itself is gone, which is a stop too.
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}

/// The thread; it is stopped and waited for on drop. Tasks that the future spawned end with it.
#[derive(Debug)]
pub(super) struct Worker<T> {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<anyhow::Result<T>>>,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts a future in a namespace.
    pub(super) fn start<R, F>(namespace: &Namespace, run: R) -> anyhow::Result<Self>
    where
        R: FnOnce(Stop) -> F + Send + 'static,
        F: Future<Output = anyhow::Result<T>>,
    {
        let (stop, asked) = watch::channel(false);
        let namespace = namespace.clone();
        let body = move || {
            namespace.join()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(run(Stop(asked)))
        };
        let thread = thread::Builder::new().name("traffic".into()).spawn(body).context("cannot start a thread")?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Whether the future is done.
    pub(super) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Asks the future to stop, if it is not done, and returns what came of it.
    pub(super) fn finish(mut self) -> anyhow::Result<T> {
        self.stop.send_replace(true);
        let thread = self.thread.take().context("the thread was waited for already")?;
        thread.join().map_err(|_| anyhow!("the traffic's thread panicked"))?
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic in it was printed already.
            let _ = thread.join();
        }
    }
}
