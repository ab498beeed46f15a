//! Leaving the network up for a person to play with.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Context;
use tests::lab::{Published, sluice_binary};

use crate::{interrupt::pause, network::Network};

/// Names the hosts, prints commands, and waits for Enter or ctrl-C.
pub(crate) fn wait(network: &Network) -> anyhow::Result<()> {
    let _published = publish(network)?;
    let sluice = sluice_binary()?.canonicalize().context("cannot find the sluice binary")?;
    println!(
        "
The network is up. In another terminal, as root:

  alias sluice='{sluice} --socket {socket}'
  sluice status
  sluice backends
  sluice backend drain web web1
  ip netns exec demo-client curl -s http://192.0.2.80/         # whom do we meet?
  ip netns exec demo-client sh -c 'for i in $(seq 30); do curl -s http://192.0.2.80/; done | sort | uniq -c'
  ip netns exec demo-web1 ip address                           # or demo-web2, demo-web3, demo-node
  cat {configuration}

Enter or ctrl-C removes it.",
        sluice = sluice.display(),
        socket = network.sluice.socket().display(),
        configuration = network.sluice.configuration().display(),
    );
    let done = enter_pressed();
    while !done.load(Ordering::Relaxed) {
        // An interruption is the other way to say that it is enough.
        if pause(Duration::from_millis(100)).is_err() {
            break;
        }
    }
    println!("removed");
    Ok(())
}

fn publish(network: &Network) -> anyhow::Result<Vec<Published>> {
    let webs = network.webs.iter().map(|web| &web.host);
    [&network.client, &network.node]
        .into_iter()
        .chain(webs)
        .map(|host| host.publish(&format!("demo-{}", host.name())))
        .collect()
}

/// Becomes true when a line is entered; never if there is nobody to enter one.
fn enter_pressed() -> Arc<AtomicBool> {
    let pressed = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&pressed);
    thread::spawn(move || {
        let read = io::stdin().read_line(&mut String::new());
        shared.store(read.is_ok_and(|bytes| bytes > 0), Ordering::Relaxed);
    });
    pressed
}
