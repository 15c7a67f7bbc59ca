//! Whatever happens to links, windows and schedulers: all bytes arrive.
//!
//! Faults are triggered by the number of bytes that have arrived, so they always meet a running
//! transfer.

use std::thread;
use std::time::Duration;

use super::served::{Served, brief};
use super::{Suite, Test, burst};
use crate::net::{End, Link, Net};
use crate::transfer::{Plan, Progress};
use crate::{Tried, Verdict};

pub(crate) const SUITE: Suite = Suite {
    name: "faults",
    tests: &[
        Test {
            name: "half_a_per_cent_of_loss",
            run: || loss(5, &["default", "redundant"]),
        },
        Test {
            name: "two_per_cent_of_loss",
            run: || loss(20, &["default", "round_robin"]),
        },
        Test {
            name: "ten_per_cent_of_loss",
            run: || loss(100, &["default", "opportunistic_redundant"]),
        },
        Test {
            name: "jitter_that_reorders",
            run: jitter,
        },
        Test {
            name: "a_link_goes_down_and_comes_back",
            run: || link_down(&["default", "redundant", "round_robin"]),
        },
        Test {
            name: "an_endpoint_is_removed_and_added",
            run: endpoint,
        },
        Test {
            name: "one_subflow_alone",
            run: one_subflow,
        },
        Test {
            name: "a_tiny_receive_window",
            run: tiny_window,
        },
        Test {
            name: "a_closed_window_is_probed_by_the_timer_and_opens",
            run: closed_window,
        },
        Test {
            name: "writes_of_one_byte",
            run: single_bytes,
        },
        Test {
            name: "many_connections_with_different_schedulers",
            run: many,
        },
        Test {
            name: "what_a_compressed_run_cannot_send_is_taken_back",
            run: burst::taken_back,
        },
        Test {
            name: "the_scheduler_changes_and_registers_are_written_under_traffic",
            run: changes,
        },
    ],
};

/// A transfer both ways with a fault in it; gives what was counted.
fn survives(
    scheduler: &str,
    net: &Net,
    plan: &Plan,
    fault: impl FnOnce(&Progress) -> Result<(), String> + Send,
) -> Result<String, String> {
    let served = Served::by(scheduler)?;
    let pair = served.connect(plan)?;
    let counted = served
        .transfer(net, plan, &pair, fault)
        .map_err(|why| format!("{scheduler}: {why}"))?;
    counted
        .sound()
        .map_err(|why| format!("{scheduler}: {why}"))?;
    Ok(counted.brief())
}

fn loss(per_mille: u32, schedulers: &[&str]) -> Verdict {
    let mut remark = String::new();
    for scheduler in schedulers {
        let net = Net::usual()?;
        let plan = Plan::both(1_000_000);
        // Lossy from the start of the transfer; a handshake that is lost is another test's matter.
        remark += &survives(scheduler, &net, &plan, |_| {
            for (index, delay_ms) in [(1, 5), (2, 20)] {
                let mut link = Link::with_delay(delay_ms);
                link.loss_per_mille = per_mille;
                net.shape(index, &link)?;
            }
            Ok(())
        })?;
    }
    Ok(remark)
}

fn jitter() -> Verdict {
    let mut links = [Link::with_delay(10), Link::with_delay(20)];
    for link in &mut links {
        link.jitter_ms = 8;
    }
    let net = Net::new(&links)?;
    survives("default", &net, &Plan::both(2_000_000), |_| Ok(()))
}

fn link_down(schedulers: &[&str]) -> Verdict {
    let mut remark = String::new();
    for scheduler in schedulers {
        let net = Net::usual()?;
        let plan = Plan::both(4_000_000);
        remark += &survives(scheduler, &net, &plan, |progress| {
            progress.wait_up(1_000_000);
            net.ip(End::Client, "link set v2 down\n")?;
            progress.wait_up(1_500_000);
            // What goes with a link when it goes down.
            net.ip(
                End::Client,
                "link set v2 up\nroute replace default via 10.0.2.2 dev v2 table 102\n",
            )
        })?;
    }
    Ok(remark)
}

fn endpoint() -> Verdict {
    let net = Net::usual()?;
    survives("default", &net, &Plan::both(4_000_000), |progress| {
        progress.wait_up(1_000_000);
        net.ip(End::Client, "mptcp endpoint delete id 2\n")?;
        progress.wait_up(2_000_000);
        net.ip(
            End::Client,
            "mptcp endpoint add 10.0.2.1 dev v2 id 2 subflow\n",
        )
    })
}

fn one_subflow() -> Verdict {
    let net = Net::new(&[Link::with_delay(5)])?;
    let plan = Plan {
        joins: 0,
        ..Plan::both(3_000_000)
    };
    let mut remark = String::new();
    for scheduler in ["default", "redundant", "round_robin"] {
        remark += &survives(scheduler, &net, &plan, |_| Ok(()))?;
    }
    Ok(remark)
}

fn tiny_window() -> Verdict {
    let net = Net::usual()?;
    let plan = Plan {
        receive: 4_096,
        ..Plan::both(300_000)
    };
    survives("default", &net, &plan, |_| Ok(()))
}

fn closed_window() -> Verdict {
    const WAIT: Duration = Duration::from_millis(1_500);
    let net = Net::usual()?;
    let plan = Plan {
        hold_ms: 4_000,
        receive: 65_536,
        ..Plan::up(3_000_000)
    };
    let mut probes = 0;
    let remark = survives("default", &net, &plan, |_| {
        // By now the window is full.
        thread::sleep(WAIT);
        let before = net.sent(End::Client)?;
        thread::sleep(WAIT);
        let after = net.sent(End::Client)?;
        probes = after.iter().sum::<u64>() - before.iter().sum::<u64>();
        Ok(())
    })?;
    // A probe for each acknowledgement would be 150 of 70 bytes and more.
    if (1..4_000).contains(&probes) {
        Ok(format!("{probes} bytes of probes; {remark}"))
    } else {
        Err(format!("{probes} bytes of probes; {remark}"))
    }
}

fn single_bytes() -> Verdict {
    let net = Net::usual()?;
    let plan = Plan {
        write: 1,
        ..Plan::both(20_000)
    };
    survives("default", &net, &plan, |_| Ok(()))
}

fn many() -> Verdict {
    let net = Net::usual()?;
    let names = [
        "default",
        "redundant",
        "round_robin",
        "min_rtt",
        "opportunistic_redundant",
        "probing",
    ];
    let all: Vec<Served> = names
        .iter()
        .map(|name| Served::by(name))
        .collect::<Result<_, _>>()?;
    let plan = Plan::both(1_000_000);
    thread::scope(|scope| {
        let threads: Vec<_> = all
            .iter()
            .map(|served| {
                scope.spawn(|| {
                    let pair = served.connect(&plan)?;
                    let flow = pair.flow(&plan, |_| Ok(()));
                    let client = served.device.connection(pair.client_number());
                    let client = client.tried("statistics")?;
                    flow.map_err(|why| format!("{why} {}", brief(&client)))?;
                    if client.fallback != 0 {
                        return Err(format!("it fell back {}", brief(&client)));
                    }
                    Ok(brief(&client))
                })
            })
            .collect();
        let mut remark = String::new();
        for (name, thread) in names.iter().zip(threads) {
            let verdict = thread.join().map_err(|_| "a connection panicked")?;
            remark += &verdict.map_err(|why| format!("{name}: {why}"))?;
        }
        drop(net);
        Ok(remark)
    })
}

fn changes() -> Verdict {
    let net = Net::usual()?;
    let first = Served::by("default")?;
    let others: Vec<Served> = ["redundant", "round_robin", "tap"]
        .iter()
        .map(|name| Served::by(name))
        .collect::<Result<_, _>>()?;
    let plan = Plan::both(6_000_000);
    let pair = first.connect(&plan)?;
    let ends = [pair.client_number(), pair.server_number()];
    let counted = first.transfer(&net, &plan, &pair, |progress| {
        let mut at = 500_000;
        for name in [
            &others[0].name,
            &others[1].name,
            "",
            &others[2].name,
            &first.name,
        ] {
            progress.wait_up(at);
            at += 800_000;
            for end in ends {
                first.device.choose(end, name).tried("choosing")?;
            }
            if name.is_empty() {
                continue;
            }
            for value in 0..20 {
                for end in ends {
                    let values = [(1, value), (6, u64::MAX - value)];
                    first
                        .device
                        .set_registers(end, &values)
                        .tried("registers")?;
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    })?;
    counted.sound()?;
    Ok(counted.brief())
}
