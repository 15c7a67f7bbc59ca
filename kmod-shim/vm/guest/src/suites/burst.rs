//! What one execution of a compressed scheduler decided and cannot be sent: its source would not have
//! decided it yet, so the host takes it back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::served::{Counted, Served, brief};
use crate::net::{Link, Net};
use crate::shim::{self, Object};
use crate::transfer::Plan;
use crate::{Tried, Verdict};

/// A transfer through a subflow without memory for its whole window. Says how many packets were
/// pending at once, at most.
fn most_pending(object: &Object) -> Result<(u64, Counted), String> {
    let device = shim::device()?;
    let (link, name) = object.load()?;
    let served = Served { device, name, link };
    let net = Net::new(&[Link::with_delay(10), Link::with_delay(20)])?;
    let plan = Plan {
        buffer: 48 << 10,
        ..Plan::up(3_000_000)
    };
    let pair = served.connect(&plan)?;
    let number = pair.client_number();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                let connection = served.device.connection(number).tried("statistics")?;
                most = most.max(connection.pending);
                thread::sleep(Duration::from_micros(300));
            }
            Ok::<_, String>(most)
        });
        let counted = served.transfer(&net, &plan, &pair, |_| Ok(()));
        done.store(true, Ordering::Relaxed);
        let most = watch.join().map_err(|_| "the watch panicked")??;
        Ok((most, counted?))
    })
}

/// With the taking back at most one packet is pending, as of the source; without it there are more, which
/// shows that there was something to take back.
pub(super) fn taken_back() -> Verdict {
    let object = Object::read("default")?;
    let (most, counted) = most_pending(&object)?;
    counted.sound()?;
    let (kept, other) = most_pending(&object.for_a_host_that_keeps())?;
    other.sound()?;
    let remark = format!(
        "{most} pending at most {}; else {kept} {}",
        brief(&counted.client),
        brief(&other.client)
    );
    if most <= 1 && counted.client.counters.blocked > 0 && kept > 1 {
        Ok(remark)
    } else {
        Err(remark)
    }
}
