//! The harness itself, with the kernel's own scheduler: networks, transfers and verdicts work.

use super::{Suite, Test};
use crate::Verdict;
use crate::net::{Link, Net};
use crate::transfer::{Plan, connect};

pub(crate) const SUITE: Suite = Suite {
    name: "builtin",
    tests: &[
        Test {
            name: "both_directions_arrive_and_both_subflows_carry_them",
            run: both_ways,
        },
        Test {
            name: "loss_delays_bytes_and_changes_none",
            run: loss,
        },
        Test {
            name: "a_socket_without_mptcp_is_told_apart",
            run: plain,
        },
    ],
};

const BYTES: u64 = 10_000_000;

fn both_ways() -> Verdict {
    let net = Net::usual()?;
    let plan = Plan::both(BYTES);
    let mut pair = connect(&plan)?;
    pair.join(plan.joins)?;
    let report = pair.run(&net, &plan, |_| Ok(()))?;
    for (end, links) in [
        ("client", &report.client_links),
        ("server", &report.server_links),
    ] {
        let least = links.iter().min().copied().unwrap_or(0);
        if least < BYTES / 20 {
            return Err(format!("the {end}'s links carried {links:?}"));
        }
    }
    Ok(format!(
        "client {:?} server {:?} in {} ms",
        report.client_links,
        report.server_links,
        report.time.as_millis()
    ))
}

fn loss() -> Verdict {
    let net = Net::usual()?;
    let plan = Plan::up(2_000_000);
    let mut pair = connect(&plan)?;
    pair.join(plan.joins)?;
    let lossy = Link {
        loss_per_mille: 20,
        ..Link::with_delay(5)
    };
    net.shape(1, &lossy)?;
    let report = pair.run(&net, &plan, |_| Ok(()))?;
    let resent = net
        .counter("TCPSegRetrans")
        .or_else(|_| net.counter("TCPLostRetransmit"))?;
    Ok(format!(
        "client {:?}, {resent} repeated",
        report.client_links
    ))
}

fn plain() -> Verdict {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    match progmp_control::mptcp::info(std::os::fd::AsFd::as_fd(&listener)) {
        Err(error) => Ok(format!("{error}")),
        Ok(info) => Err(format!("it says {info:?}")),
    }
}
