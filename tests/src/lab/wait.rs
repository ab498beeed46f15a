//! Waiting for what another process does in its own time.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;

/// How often is looked: short against everything that tests wait for.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks again and again until there is something, and returns it; an error that says `what` was waited for, after
/// `patience`.
pub fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if start.elapsed() >= patience {
            bail!("waited {patience:?} in vain: {what}");
        }
        thread::sleep(PAUSE);
    }
}
