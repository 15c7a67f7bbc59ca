//! Every scheduler of the corpus carries 10 MB each way, and does what it promises.
//!
//! Promises are about counts and bytes, never about time: how much went over which subflow, whether
//! copies were made, when.

use std::time::Duration;

use super::served::{Counted, Served, bytes};
use super::{Suite, Test};
use crate::Verdict;
use crate::net::{End, Link, Net};
use crate::transfer::Plan;

/// Bytes each way.
const BYTES: u64 = 10_000_000;

/// A scheduler, what it is given, and what it promises.
struct Case {
    links: [Link; 2],
    registers: &'static [(u32, u64)],
    promise: fn(&Counted) -> Result<(), String>,
}

impl Case {
    const fn usual(promise: fn(&Counted) -> Result<(), String>) -> Self {
        Self {
            links: [Link::with_delay(5), Link::with_delay(20)],
            registers: &[],
            promise,
        }
    }

    /// Links of which none is enough alone.
    const fn narrow(promise: fn(&Counted) -> Result<(), String>) -> Self {
        Self {
            links: [Link::narrow(5), Link::narrow(20)],
            registers: &[],
            promise,
        }
    }

    const fn even(promise: fn(&Counted) -> Result<(), String>) -> Self {
        Self {
            links: [Link::with_delay(10), Link::with_delay(10)],
            registers: &[],
            promise,
        }
    }

    const fn with_backup(
        registers: &'static [(u32, u64)],
        promise: fn(&Counted) -> Result<(), String>,
    ) -> Self {
        let mut backup = Link::with_delay(20);
        backup.backup = true;
        Self {
            links: [Link::with_delay(5), backup],
            registers,
            promise,
        }
    }
}

macro_rules! carries {
    ($name:literal, $case:expr) => {
        Test {
            name: $name,
            run: || carry($name, &$case),
        }
    };
}

pub(crate) const SUITE: Suite = Suite {
    name: "corpus",
    tests: &[
        carries!("backup", Case::with_backup(&[], prefers_the_first)),
        carries!("compensating", Case::narrow(no_needless_copies)),
        carries!("default", Case::narrow(uses_both)),
        carries!("flow_size", Case::usual(anything)),
        carries!("handover", Case::narrow(uses_both)),
        carries!("http2", Case::narrow(uses_both)),
        carries!("min_rtt", Case::narrow(uses_both)),
        carries!("min_rtt_var", Case::narrow(uses_both)),
        carries!("opportunistic_redundant", Case::usual(copies)),
        carries!("opportunistic_retransmission", Case::narrow(uses_both)),
        carries!("probing", Case::narrow(uses_both)),
        carries!("redundant", Case::even(all_on_both)),
        carries!("redundant_if_no_q", Case::narrow(uses_both)),
        carries!("round_robin", Case::even(alternates)),
        carries!("selective_compensation", Case::narrow(uses_both)),
        carries!("tap", Case::with_backup(&[(1, 500)], hardly_the_second)),
        carries!("target_deadline", Case::with_backup(&[], only_the_first)),
        carries!(
            "target_rtt",
            Case::with_backup(&[(1, 10_000)], only_the_first)
        ),
        carries!("tls", Case::usual(anything)),
        Test {
            name: "redundant_sends_each_byte_of_a_short_message_on_both",
            run: short_message,
        },
        Test {
            name: "backup_stays_idle_until_the_other_dies",
            run: backup_takes_over,
        },
        Test {
            name: "tap_takes_from_the_backup_what_is_missing",
            run: missing_share,
        },
        Test {
            name: "probing_measures_idle_subflows_with_copies",
            run: probes,
        },
        Test {
            name: "compensating_copies_when_the_end_is_signalled",
            run: compensates,
        },
    ],
};

fn carry(name: &str, case: &Case) -> Verdict {
    let net = Net::new(&case.links)?;
    let served = Served::by(name)?;
    let plan = Plan::both(BYTES);
    let pair = served.connect(&plan)?;
    served.registers(&pair, case.registers)?;
    let counted = served.transfer(&net, &plan, &pair, |_| Ok(()))?;
    counted.sound()?;
    for (end, of) in [("client", &counted.client), ("server", &counted.server)] {
        let new = of.counters.pushed_bytes - of.counters.copied_bytes;
        if new < BYTES {
            return Err(format!(
                "the program pushed {new} new bytes at the {end}: {}",
                counted.brief()
            ));
        }
    }
    (case.promise)(&counted).map_err(|why| format!("{why}: {}", counted.brief()))?;
    Ok(counted.brief())
}

/// A promise about both ends.
fn at_both_ends(
    counted: &Counted,
    what: &str,
    holds: impl Fn(&progmp_control::uapi::Connection) -> bool,
) -> Result<(), String> {
    for (end, of) in [("client", &counted.client), ("server", &counted.server)] {
        if !holds(of) {
            return Err(format!("at the {end} it does not hold that {what}"));
        }
    }
    Ok(())
}

fn anything(counted: &Counted) -> Result<(), String> {
    at_both_ends(counted, "something is pushed", |of| of.counters.pushes > 0)
}

/// How much goes where is a matter of the RTTs that are measured. That of a subflow with little to
/// do contains delayed acknowledgements, so one end may shun the faster link for long.
fn uses_both(counted: &Counted) -> Result<(), String> {
    at_both_ends(counted, "both subflows carry data", |of| {
        bytes(of, 1) > 20_000 && bytes(of, 2) > 20_000
    })?;
    for place in [1, 2] {
        let sent = bytes(&counted.client, place) + bytes(&counted.server, place);
        if sent < BYTES / 10 {
            return Err(format!("subflow {place} carries only {sent} bytes"));
        }
    }
    Ok(())
}

fn prefers_the_first(counted: &Counted) -> Result<(), String> {
    at_both_ends(counted, "the preferred subflow carries most", |of| {
        bytes(of, 1) > bytes(of, 2)
    })
}

/// Until a rate has been measured, the backup is free of charge.
fn hardly_the_second(counted: &Counted) -> Result<(), String> {
    at_both_ends(counted, "the backup carries a twentieth at most", |of| {
        bytes(of, 2) <= (bytes(of, 1) + bytes(of, 2)) / 20
    })
}

fn only_the_first(counted: &Counted) -> Result<(), String> {
    at_both_ends(counted, "the backup carries nothing", |of| {
        bytes(of, 2) == 0
    })
}

fn no_needless_copies(counted: &Counted) -> Result<(), String> {
    uses_both(counted)?;
    at_both_ends(counted, "nothing is sent twice without a signal", |of| {
        of.counters.copies <= of.counters.pushes / 20
    })
}

fn copies(counted: &Counted) -> Result<(), String> {
    at_both_ends(counted, "copies are made", |of| of.counters.copies > 0)
}

/// A copy is not made any more once the packet is acknowledged, so a subflow that lags behind makes
/// fewer. That each byte goes on both is asked of a short message, which is sent before any answer.
fn all_on_both(counted: &Counted) -> Result<(), String> {
    at_both_ends(
        counted,
        "both subflows carry much, together more than all",
        |of| {
            let (first, second) = (bytes(of, 1), bytes(of, 2));
            first.min(second) > BYTES / 4 && first + second > BYTES / 4 * 5
        },
    )
}

fn alternates(counted: &Counted) -> Result<(), String> {
    at_both_ends(counted, "each subflow carries 35 to 65 per cent", |of| {
        let all = bytes(of, 1) + bytes(of, 2);
        (35..=65).contains(&(bytes(of, 1) * 100 / all.max(1)))
    })
}

fn short_message() -> Verdict {
    const MESSAGE: u64 = 7_000;
    let even = Link::with_delay(10);
    let net = Net::new(&[even, even])?;
    let served = Served::by("redundant")?;
    let plan = Plan::up(MESSAGE);
    let pair = served.connect(&plan)?;
    let before = served
        .device
        .connection(pair.client_number())
        .map_err(|e| e.to_string())?;
    let counted = served.transfer(&net, &plan, &pair, |_| Ok(()))?;
    counted.sound()?;
    for place in [1, 2] {
        let sent = counted.client_bytes(place) - bytes(&before, place);
        if sent < MESSAGE {
            return Err(format!(
                "subflow {place} carried {sent}: {}",
                counted.brief()
            ));
        }
    }
    Ok(counted.brief())
}

fn backup_takes_over() -> Verdict {
    let backup = Link {
        backup: true,
        ..Link::with_delay(20)
    };
    let net = Net::new(&[Link::with_delay(5), backup])?;
    let served = Served::by("backup")?;
    // So slow that the regular subflow never fills up.
    let plan = Plan {
        write: 5_000,
        pause_ms: 10,
        ..Plan::up(1_000_000)
    };
    let pair = served.connect(&plan)?;
    let number = pair.client_number();
    let mut idle = Ok(());
    let counted = served.transfer(&net, &plan, &pair, |progress| {
        progress.wait_up(400_000);
        let now = served
            .device
            .connection(number)
            .map_err(|e| e.to_string())?;
        if bytes(&now, 2) != 0 {
            idle = Err(format!("{} bytes on the backup before", bytes(&now, 2)));
        }
        net.ip(End::Client, "link set v1 down\n")
    })?;
    idle?;
    counted.sound()?;
    let late = counted.client_bytes(2);
    if late < 400_000 {
        return Err(format!(
            "{late} bytes on the backup after: {}",
            counted.brief()
        ));
    }
    Ok(counted.brief())
}

/// The regular subflow gives 5 MB/s at most, and 20 are wanted: each packet there pays for three on the
/// backup, which carries as much as it can. With 1 MB/s wanted it carries next to nothing.
fn missing_share() -> Verdict {
    let backup = Link {
        backup: true,
        ..Link::narrow(20)
    };
    let plan = Plan::up(BYTES);
    let mut remarks = String::new();
    for (target, range) in [(20_000, BYTES / 5..=BYTES), (1_000, 0..=BYTES / 10)] {
        let net = Net::new(&[Link::narrow(5), backup])?;
        let served = Served::by("tap")?;
        let pair = served.connect(&plan)?;
        served.registers(&pair, &[(1, target)])?;
        let counted = served.transfer(&net, &plan, &pair, |_| Ok(()))?;
        counted.sound()?;
        let on_backup = counted.client_bytes(2);
        if !range.contains(&on_backup) {
            return Err(format!(
                "with {target} KB/s wanted, {on_backup} bytes on the backup: {}",
                counted.brief()
            ));
        }
        remarks += &counted.brief();
    }
    Ok(remarks)
}

fn probes() -> Verdict {
    let net = Net::usual()?;
    let served = Served::by("probing")?;
    // A thin flow that fits on the fast subflow.
    let plan = Plan {
        write: 2_000,
        pause_ms: 10,
        ..Plan::up(300_000)
    };
    let pair = served.connect(&plan)?;
    let counted = served.transfer(&net, &plan, &pair, |_| Ok(()))?;
    counted.sound()?;
    let (fast, slow) = (counted.client_bytes(1), counted.client_bytes(2));
    if slow == 0 || counted.client.counters.copies == 0 || slow > fast {
        return Err(format!("no probes: {}", counted.brief()));
    }
    Ok(counted.brief())
}

fn compensates() -> Verdict {
    // The slow subflow still has much under way when the fast one is idle.
    let net = Net::new(&[Link::with_delay(5), Link::with_delay(100)])?;
    let served = Served::by("compensating")?;
    // All at once: both subflows get something at the start.
    let plan = Plan {
        write: 400_000,
        patience: Duration::from_mins(1),
        ..Plan::up(400_000)
    };
    let pair = served.connect(&plan)?;
    served.registers(&pair, &[(1, 1)])?;
    let counted = served.transfer(&net, &plan, &pair, |_| Ok(()))?;
    counted.sound()?;
    if counted.client.counters.copies == 0 {
        return Err(format!("no copies: {}", counted.brief()));
    }
    Ok(counted.brief())
}
