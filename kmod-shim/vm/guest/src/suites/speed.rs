//! Instructions for each byte of a bulk transfer. With QEMU's `-icount` one guest nanosecond is one
//! instruction, so time is what is read; the harness takes the median over boots with several seeds.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::Shutdown;
use std::thread;
use std::time::Instant;

use progmp_control::Device;

use super::served::Served;
use super::{Suite, Test};
use crate::net::{Link, Net};
use crate::transfer::{Pair, Plan, connect};
use crate::{Tried, Verdict};

pub(crate) const SUITE: Suite = Suite {
    name: "speed",
    tests: &[Test {
        name: "instructions_a_byte",
        run: all,
    }],
};

const BYTES: usize = 20_000_000;
const WRITE: usize = 65_536;
/// Transfers of each kind, of which the cheapest counts: what else runs in the guest only adds.
const TRIES: u32 = 3;

/// The schedulers that are compared with the kernel's own.
const SCHEDULERS: [&str; 4] = ["default", "default.single", "round_robin", "redundant"];
/// Numbers of subflows for which a decision is measured.
const SUBFLOWS: [usize; 4] = [1, 2, 4, 8];

fn all() -> Verdict {
    // Threads of the boot take part of the processor at first.
    thread::sleep(std::time::Duration::from_secs(3));
    let mut remark = format!("kernel={:.2}", built_in(0)?);
    // A segment of its own for each packet is the least that round robin can cost: no mapping of
    // MPTCP has holes, so neighbours on a subflow that are none in the stream never share one.
    let _ = write!(remark, " kernel_by_segment={:.2}", built_in(1)?);
    for name in SCHEDULERS {
        let served = Served::by(name)?;
        let mut spent = f64::INFINITY;
        let mut counters = progmp_control::uapi::Counters::default();
        for _ in 0..TRIES {
            let net = unlimited(2, 0)?;
            let pair = served.connect(&Plan::up(0))?;
            spent = spent.min(bulk(&pair)?);
            let connection = served.device.connection(pair.client_number());
            counters = connection.tried("statistics")?.counters;
            drop(net);
        }
        let copies = 1.0 + ratio(counters.copied_bytes, BYTES as u64);
        let _ = write!(
            remark,
            " {name}={spent:.2} {name}_copies={copies:.2} {name}_runs={} {name}_groups={}",
            counters.executions, counters.groups
        );
        for subflows in SUBFLOWS {
            let [run, decision, packet] = timed(&served, subflows)?;
            let _ = write!(
                remark,
                " {name}_program_{subflows}={run} {name}_decision_{subflows}={decision} \
                 {name}_packet_{subflows}={packet}"
            );
        }
    }
    let version = Device::open()
        .and_then(|device| device.version())
        .tried("the version")?;
    Ok(format!(
        "{remark} scheduler_bytes={} connection_bytes={} packet_bytes={}",
        version.scheduler_bytes, version.connection_bytes, version.packet_bytes
    ))
}

fn unlimited(links: usize, segments: u32) -> Result<Net, String> {
    let link = Link {
        mbit: 0,
        segments,
        ..Link::with_delay(0)
    };
    Net::new(&vec![link; links])
}

fn built_in(segments: u32) -> Result<f64, String> {
    let mut spent = f64::INFINITY;
    for _ in 0..TRIES {
        let net = unlimited(2, segments)?;
        let plan = Plan::up(0);
        let mut pair = connect(&plan)?;
        pair.join(plan.joins)?;
        spent = spent.min(bulk(&pair)?);
        drop(net);
    }
    Ok(spent)
}

/// Mean instructions of one run of the program, and of one decision: the sample, the block, the
/// program, its actions, without their transmission; and of a decision for each packet pushed. The shim's
/// clock is included.
fn timed(served: &Served, subflows: usize) -> Result<[u64; 3], String> {
    let net = unlimited(subflows, 0)?;
    let plan = Plan {
        joins: subflows - 1,
        ..Plan::up(0)
    };
    let pair = served.connect(&plan)?;
    served.device.measure_time(true).tried("measuring")?;
    bulk(&pair)?;
    served.device.measure_time(false).tried("measuring")?;
    let counters = served
        .device
        .connection(pair.client_number())
        .tried("statistics")?
        .counters;
    drop(net);
    let runs = counters.executions.max(1);
    let deciding = counters.trigger_ns - counters.send_ns;
    let packets = counters.pushes.max(1);
    Ok([counters.run_ns / runs, deciding / runs, deciding / packets])
}

#[allow(clippy::cast_precision_loss, reason = "a rough figure for people")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

/// ns for each byte, from the first write to the last byte.
fn bulk(pair: &Pair) -> Result<f64, String> {
    let started = Instant::now();
    let received = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut buffer = vec![0; 262_144];
            let mut received = 0;
            let mut from = &pair.server;
            loop {
                match from.read(&mut buffer).tried("a read")? {
                    0 => return Ok::<_, String>(received),
                    length => received += length,
                }
            }
        });
        let buffer = vec![0; WRITE];
        let mut to = &pair.client;
        let mut left = BYTES;
        while left > 0 {
            let length = left.min(WRITE);
            to.write_all(&buffer[..length]).tried("a write")?;
            left -= length;
        }
        to.shutdown(Shutdown::Write).tried("shutdown")?;
        reader
            .join()
            .map_err(|_| "the reader panicked".to_owned())?
    })?;
    let ns = u64::try_from(started.elapsed().as_nanos()).tried("time")?;
    if received != BYTES {
        return Err(format!("{received} bytes arrived"));
    }
    Ok(ratio(ns, BYTES as u64))
}
