//! Schedulers and the module come and go; what is asked wrongly gets an error by name.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread;
use std::time::Duration;

use progmp_control::{Device, Error, load};
use rustix::fs::Uid;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};
use rustix::thread::{UnshareFlags, set_thread_uid};

use super::served::{Served, brief};
use super::{Suite, Test};
use crate::net::{End, Link, Net, batch};
use crate::shim::{self, Object};
use crate::transfer::{Pair, Plan, connect};
use crate::{Tried, Verdict};

pub(crate) const SUITE: Suite = Suite {
    name: "lifecycle",
    tests: &[
        Test {
            name: "what_is_asked_wrongly_gets_an_error_by_name",
            run: errors,
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

fn named<T>(what: &str, result: Result<T, Error>, name: &str) -> Result<(), String> {
    match result {
        Ok(_) => Err(format!("{what}: no error, not {name}")),
        Err(error) if error.name() == name => Ok(()),
        Err(error) => Err(format!("{what}: {error}, not {name}")),
    }
}

fn errors() -> Verdict {
    let served = Served::by("min_rtt")?;
    let device = &served.device;
    let object = Object::read("default")?;
    named(
        "a name twice",
        load(&object.scheduler("min_rtt")),
        "name-clash",
    )?;
    named("no name", load(&object.scheduler("")), "bad-name")?;
    let mut needy = object.scheduler("needy");
    needy.needs = 1;
    named("BW_OUT_SEND", load(&needy), "property-not-given")?;
    let plain = TcpListener::bind("127.0.0.1:0").tried("a TCP socket")?;
    let plain = plain.as_raw_fd();
    named("TCP", device.choose(plain, "min_rtt"), "not-mptcp")?;
    named("TCP", device.set_registers(plain, &[(1, 1)]), "not-mptcp")?;
    // Its protocol has the same number.
    let raw = socket_with(
        AddressFamily::INET,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(ipproto::MPTCP),
    );
    let raw = raw.tried("a raw socket")?;
    named(
        "raw",
        device.choose(raw.as_raw_fd(), "min_rtt"),
        "not-mptcp",
    )?;
    named("raw", device.connection(raw.as_raw_fd()), "not-mptcp")?;
    let file = fs::File::open("/proc/cmdline").tried("a file")?;
    named(
        "a file",
        device.choose(file.as_raw_fd(), "min_rtt"),
        "not-mptcp",
    )?;
    named(
        "no descriptor",
        device.choose(9_999, "min_rtt"),
        "bad-descriptor",
    )?;
    let net = Net::usual()?;
    let mut pair = connect(&Plan::up(0))?;
    pair.join(1)?;
    let number = pair.client_number();
    named(
        "no scheduler",
        device.choose(number, "nobody"),
        "no-scheduler",
    )?;
    named("not chosen", device.registers(number), "not-served")?;
    device.choose(number, "min_rtt").tried("choosing")?;
    named(
        "R7",
        device.set_registers(number, &[(7, 1)]),
        "register-out-of-range",
    )?;
    named(
        "R0",
        device.set_registers(number, &[(0, 1)]),
        "register-out-of-range",
    )?;
    named("subflow 99", device.set_user(number, 99, 1), "no-subflow")?;
    device
        .set_registers(number, &[(2, 7), (6, u64::MAX)])
        .tried("registers")?;
    let registers = device.registers(number).tried("registers")?;
    if registers != [0, 7, 0, 0, 0, u64::MAX] {
        return Err(format!("registers are {registers:?}"));
    }
    let tracer = shim::device()?.trace(None, 0, 0).tried("a trace")?;
    named(
        "two readers",
        shim::device()?.trace(None, 0, 0),
        "device-busy",
    )?;
    drop(tracer);
    let unprivileged = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            set_thread_uid(Uid::from_raw(65_534)).tried("setuid")?;
            let device = Device::open().tried("anybody may open the device")?;
            named(
                "a default",
                device.choose_default("min_rtt"),
                "no-privilege",
            )?;
            named("restoring", device.restore(), "no-privilege")?;
            named("loading", load(&object.scheduler("mine")), "no-privilege")?;
            named("a trace", device.trace(None, 0, 0), "no-privilege")
        });
        thread.join().map_err(|_| "it panicked".to_owned())?
    });
    unprivileged?;
    elsewhere(&pair, device)?;
    drop(net);
    Ok(String::new())
}

/// Asks what the owner of another user and network namespace may: `/init elsewhere`, which is a
/// process of its own, as a namespace of users is entered alone.
fn elsewhere(pair: &Pair, device: &Device) -> Result<(), String> {
    let output = Command::new("/init").arg(ELSEWHERE).output();
    let output = output.tried("/init")?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        return Err(String::from_utf8_lossy(&text).into_owned());
    }
    let found = device
        .connection(pair.client_number())
        .tried("statistics")?;
    if found.fallback == 0 {
        Ok(())
    } else {
        Err("another namespace restored the connection".to_owned())
    }
}

/// The argument that makes the guest's program ask.
pub(crate) const ELSEWHERE: &str = "elsewhere";

/// What `/init elsewhere` does: nothing beyond its own namespaces.
#[allow(
    deprecated,
    reason = "with these flags descriptors stay, which is what the other form is unsafe for"
)]
pub(crate) fn ask_elsewhere() -> Result<(), String> {
    let flags = UnshareFlags::NEWUSER | UnshareFlags::NEWNET;
    rustix::thread::unshare(flags).tried("unshare")?;
    let device = Device::open().tried("the device")?;
    let tracer = Device::open().tried("the device")?;
    named("a trace", tracer.trace(None, 0, 0), "no-privilege")?;
    named("timing", device.measure_time(true), "no-privilege")?;
    // Its own network namespace has no connections.
    match device.restore().tried("restoring")? {
        0 => Ok(()),
        count => Err(format!("{count} connections of others were restored")),
    }
}

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
    thread::sleep(Duration::from_secs(2));
    let before = slabs()?;
    for _ in 0..60 {
        round()?;
    }
    grown(&before, 55)?;
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
