//! What the kernel decided, the reference interpreter decides too: traced executions, replayed.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use progmp_control::Device;
use progmp_control::trace::records;
use progmp_ir::Program;

use super::served::Served;
use super::{Suite, Test};
use crate::net::{Link, Net};
use crate::shim::{Object, corpus};
use crate::transfer::Plan;
use crate::{Tried, Verdict};

pub(crate) const SUITE: Suite = Suite {
    name: "decisions",
    tests: &[Test {
        name: "a_hundred_thousand_executions_replay_without_a_difference",
        run: all,
    }],
};

/// Executions to be replayed over the whole corpus.
const WANTED: u64 = 100_000;

/// What one scheduler's executions came to.
#[derive(Default)]
struct Tally {
    replayed: u64,
    acting: u64,
    lost: u64,
}

fn all() -> Verdict {
    let names = corpus()?;
    let each = WANTED.div_ceil(names.len() as u64);
    let mut sum = Tally::default();
    let mut remark = String::new();
    for name in &names {
        let tally = one(name, each).map_err(|why| format!("{name}: {why}"))?;
        sum.replayed += tally.replayed;
        sum.acting += tally.acting;
        sum.lost += tally.lost;
        let _ = write!(remark, " {name} {}", tally.replayed);
    }
    if sum.replayed < WANTED {
        return Err(format!("only {} executions:{remark}", sum.replayed));
    }
    let Tally {
        replayed,
        acting,
        lost,
    } = sum;
    Ok(format!(
        "{replayed} replayed, {acting} of them with actions, 0 differences, {lost} not traced;{remark}"
    ))
}

/// Transfers until enough executions of one scheduler are replayed.
fn one(name: &str, wanted: u64) -> Result<Tally, String> {
    let program = Object::read(name)?.program()?;
    let served = Served::by(name)?;
    let mut lossy = Link::with_delay(5);
    lossy.loss_per_mille = 5;
    let mut tally = Tally::default();
    for round in 0..12_u64 {
        if tally.replayed >= wanted {
            break;
        }
        // Half of the rounds lose packets, so that RQ is not always empty.
        let links = [
            if round % 2 == 0 {
                Link::with_delay(5)
            } else {
                lossy
            },
            Link::with_delay(20),
        ];
        let net = Net::new(&links)?;
        let plan = Plan::both(3_000_000);
        let pair = served.connect(&plan)?;
        let registers: Vec<(u32, u64)> = (1..=2).map(|register| (register, round)).collect();
        served.registers(&pair, &registers)?;
        let done = AtomicBool::new(false);
        let replayed = thread::scope(|scope| {
            let reader = scope.spawn(|| replay(&program, &done, wanted));
            let moved = served.transfer(&net, &plan, &pair, |_| Ok(()));
            done.store(true, Ordering::Relaxed);
            let replayed = reader.join().map_err(|_| "the reader panicked")?;
            moved?.sound()?;
            replayed
        })?;
        tally.replayed += replayed.replayed;
        tally.acting += replayed.acting;
        tally.lost += replayed.lost;
    }
    Ok(tally)
}

/// Replays what is traced until the transfer is done and nothing is left.
fn replay(program: &Program, done: &AtomicBool, most: u64) -> Result<Tally, String> {
    let mut tracer = Device::open()
        .and_then(|device| device.trace(None, 0, 65_536))
        .tried("a trace")?;
    let mut tally = Tally::default();
    loop {
        let was_done = done.load(Ordering::Relaxed);
        let bytes = tracer.read(100).tried("a trace")?;
        if bytes.is_empty() && was_done {
            return Ok(tally);
        }
        for record in records(bytes) {
            let record = record.tried("a record")?;
            tally.lost = record.lost;
            // One round of a busy scheduler is enough of it; the rest is read and left.
            if tally.replayed >= most {
                continue;
            }
            record.replay(program).map_err(|why| {
                format!(
                    "execution {} of {}: {why} in {:?}",
                    record.number, record.name, record.before
                )
            })?;
            tally.replayed += 1;
            tally.acting += u64::from(record.pushes() > 0);
        }
    }
}
