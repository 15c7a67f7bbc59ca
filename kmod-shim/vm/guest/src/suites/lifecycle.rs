//! Schedulers, sockets and the module come and go.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use progmp_control::{Device, load};

use super::errors::named;
use super::served::{Served, brief};
use super::{Suite, Test, errors, sockets};
use crate::net::{End, Link, Net, batch};
use crate::shim::{self, Object};
use crate::transfer::{Plan, connect};
use crate::{Tried, Verdict};

pub(crate) const SUITE: Suite = Suite {
    name: "lifecycle",
    tests: &[
        Test {
            name: "what_is_asked_wrongly_gets_an_error_by_name",
            run: errors::all,
        },
        Test {
            name: "a_scheduler_removed_under_traffic_leaves_it_to_the_kernel",
            run: removed,
        },
        Test {
            name: "a_scheduler_is_replaced_under_traffic",
            run: replaced,
        },
        Test {
            name: "the_module_stays_while_it_is_used_and_goes_when_it_is_not",
            run: module,
        },
        Test {
            name: "a_default_of_the_namespace_serves_sockets_to_come",
            run: namespace_default,
        },
        Test {
            name: "what_is_accepted_gets_what_its_listener_has",
            run: sockets::accepted,
        },
        Test {
            name: "sockets_are_made_while_all_are_restored",
            run: sockets::restored,
        },
        Test {
            name: "a_thousand_times_loaded_and_unloaded_leaves_nothing",
            run: cycles,
        },
        Test {
            name: "connections_that_end_leave_nothing",
            run: connections,
        },
        Test {
            name: "a_namespace_goes_with_live_connections",
            run: teardown,
        },
    ],
};

fn removed() -> Verdict {
    let net = Net::usual()?;
    let Served { device, name, link } = Served::by("redundant")?;
    let plan = Plan::both(3_000_000);
    let served = Served::by("default")?;
    let pair = served.connect(&plan)?;
    for end in [pair.client_number(), pair.server_number()] {
        device.choose(end, &name).tried("choosing")?;
    }
    pair.run(&net, &plan, |progress| {
        progress.wait_up(800_000);
        drop(link);
        Ok(())
    })?;
    let client = device
        .connection(pair.client_number())
        .tried("statistics")?;
    // 2: the scheduler was unloaded.
    if client.fallback != 2 || client.counters.pushes == 0 {
        return Err(brief(&client));
    }
    named("its name", device.scheduler(&name), "no-scheduler")?;
    Ok(brief(&client))
}

fn replaced() -> Verdict {
    let net = Net::usual()?;
    let served = Served::by("round_robin")?;
    let plan = Plan::both(4_000_000);
    let pair = served.connect(&plan)?;
    let before = served.device.scheduler(&served.name).tried("the list")?;
    let others = [Object::read("redundant")?, Object::read("default")?];
    let counted = served.transfer(&net, &plan, &pair, |progress| {
        for (index, object) in (1..).zip(&others) {
            progress.wait_up(index * 800_000);
            let scheduler = object.scheduler(&served.name);
            served.link.replace(&scheduler).tried("replacing")?;
        }
        Ok(())
    })?;
    counted.sound()?;
    let after = served.device.scheduler(&served.name).tried("the list")?;
    if after.number == before.number || after.source == before.source {
        return Err("the program is the same".to_owned());
    }
    Ok(counted.brief())
}

fn module() -> Verdict {
    let net = Net::usual()?;
    let served = Served::by("default")?;
    let plan = Plan::both(1_000_000);
    let pair = served.connect(&plan)?;
    let counted = served.transfer(&net, &plan, &pair, |progress| {
        progress.wait_up(200_000);
        match shim::try_remove() {
            Err(_) => Ok(()),
            Ok(()) => Err("the module went while it was used".to_owned()),
        }
    })?;
    drop(pair);
    drop(served);
    drop(net);
    shim::remove()?;
    if shim::inserted() {
        return Err("it is still there".to_owned());
    }
    named("without it", Device::open(), "no-module")?;
    shim::device()?;
    Ok(counted.brief())
}

fn namespace_default() -> Verdict {
    let served = Served::by("round_robin")?;
    let net = Net::usual()?;
    for end in [End::Client, End::Server] {
        net.set(end, "mptcp/scheduler", "progmp")?;
        crate::net::within(end, || {
            served
                .device
                .choose_default(&served.name)
                .tried("a default")
        })?;
    }
    let plan = Plan::both(500_000);
    let mut pair = connect(&plan)?;
    pair.join(plan.joins)?;
    let counted = served.transfer(&net, &plan, &pair, |_| Ok(()))?;
    counted.sound()?;
    let least = counted
        .client
        .counters
        .pushed_bytes
        .min(counted.server.counters.pushed_bytes);
    if least < 500_000 {
        return Err(counted.brief());
    }
    let changed = served.device.restore().tried("restoring")?;
    if changed < 2 {
        return Err(format!("{changed} connections were restored"));
    }
    Ok(counted.brief())
}

/// Objects in use, by cache; and large areas that the module has.
fn slabs() -> Result<BTreeMap<String, u64>, String> {
    /// What describes an area stays for a while after it: stacks of threads, for example.
    const LAZY: &str = "vmap_area";
    let text = fs::read_to_string("/proc/slabinfo").tried("/proc/slabinfo")?;
    let lines = text.lines().skip(2).filter_map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        Some((name, words.next()?.parse().ok()?))
    });
    let mut slabs: BTreeMap<String, u64> = lines.collect();
    slabs.remove(LAZY);
    let areas = fs::read_to_string("/proc/vmallocinfo").tried("/proc/vmallocinfo")?;
    let ours = areas.lines().filter(|area| area.contains("[progmp]"));
    // Each counts as much as many objects.
    slabs.insert(
        "areas of the module".to_owned(),
        1_000 * ours.count() as u64,
    );
    Ok(slabs)
}

/// Caches that hold more objects than before, by at least `most`.
fn grown(before: &BTreeMap<String, u64>, most: u64) -> Result<(), String> {
    // Objects freed after a grace period.
    let mut worst = String::new();
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(500));
        let after = slabs()?;
        let grown = after.iter().map(|(name, now)| {
            let old = before.get(name).copied().unwrap_or(0);
            (now.saturating_sub(old), name)
        });
        let (by, name) = grown.max().ok_or("there are no caches")?;
        if by < most {
            return Ok(());
        }
        worst = format!("{name} holds {by} objects more");
    }
    Err(worst)
}

fn cycles() -> Verdict {
    let device = shim::device()?;
    let objects = [Object::read("min_rtt")?, Object::read("tap")?];
    let cycle = |number: usize| {
        let object = &objects[number % 2];
        let link = load(&object.scheduler("again")).tried(&format!("cycle {number}"))?;
        drop(link);
        // The name is free when the link is gone.
        let gone = device.schedulers().tried("the list")?;
        if gone.iter().any(|one| one.name.starts_with(b"again")) {
            return Err(format!("cycle {number}: it is still there"));
        }
        Ok(())
    };
    for number in 0..50 {
        cycle(number)?;
    }
    let before = slabs()?;
    for number in 0..1_000 {
        cycle(number)?;
    }
    grown(&before, 900)?;
    Ok("1,000 cycles".to_owned())
}

fn connections() -> Verdict {
    let served = Served::by("default")?;
    let plan = Plan::both(20_000);
    let round = || {
        let pair = served.connect(&plan)?;
        pair.flow(&plan, |_| Ok(()))
    };
    let net = Net::new(&[Link::with_delay(1), Link::with_delay(2)])?;
    // A connection that has ended waits for a minute, unless it is told not to.
    for end in [End::Client, End::Server] {
        net.set(end, "ipv4/tcp_fin_timeout", "1")?;
        net.set(end, "ipv4/tcp_max_tw_buckets", "0")?;
    }
    for _ in 0..10 {
        round()?;
    }
    // Caches keep free objects for each processor, more of them under load. What is leaked by each connection is
    // leaked again by the next ones; what is kept is not kept twice.
    let mut verdict = Ok(());
    for _ in 0..2 {
        thread::sleep(Duration::from_secs(2));
        let before = slabs()?;
        for _ in 0..60 {
            round()?;
        }
        verdict = grown(&before, 55);
        if verdict.is_ok() {
            break;
        }
    }
    verdict?;
    let loaded = served.device.scheduler(&served.name).tried("the list")?;
    Ok(format!(
        "60 connections, {} still there",
        loaded.connections
    ))
}

fn teardown() -> Verdict {
    let net = Net::usual()?;
    let served = Served::by("redundant")?;
    let plan = Plan {
        patience: Duration::from_secs(2),
        ..Plan::both(50_000_000)
    };
    let pair = served.connect(&plan)?;
    let ended = pair.flow(&plan, |progress| {
        progress.wait_up(1_000_000);
        // Open sockets keep a namespace alive: it goes when the last of them has gone.
        net.ip(End::Client, "link set v1 down\nlink set v2 down\n")?;
        batch("ip", &[], "netns del c\nnetns del s\n")
    });
    drop(pair);
    drop(served);
    match ended {
        Err(why) => Ok(why),
        Ok(()) => Err("50 MB arrived without a network".to_owned()),
    }
}
