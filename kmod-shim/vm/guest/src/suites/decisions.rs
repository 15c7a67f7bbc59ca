//! What the kernel decided, the reference interpreter decides too: traced executions, replayed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
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

macro_rules! replays {
    ($($name:literal,)*) => {
        const NAMES: &[&str] = &[$($name,)*];
        const TESTS: &[Test] = &[
            Test {
                name: "every_scheduler_of_the_corpus_is_replayed",
                run: whole_corpus,
            },
            $(Test {
                name: $name,
                run: || one($name),
            },)*
        ];
    };
}

replays!(
    "backup",
    "compensating",
    "default",
    "flow_size",
    "handover",
    "http2",
    "min_rtt",
    "min_rtt_var",
    "opportunistic_redundant",
    "opportunistic_retransmission",
    "probing",
    "redundant",
    "redundant_if_no_q",
    "round_robin",
    "selective_compensation",
    "tap",
    "target_deadline",
    "target_rtt",
    "tls",
);

pub(crate) const SUITE: Suite = Suite {
    name: "decisions",
    tests: TESTS,
};

/// Executions of each scheduler: 19 times so many are more than 100,000.
const WANTED: u64 = 5_300;

/// What one scheduler's executions came to.
#[derive(Default)]
struct Tally {
    replayed: u64,
    acting: u64,
    lost: u64,
}

fn whole_corpus() -> Verdict {
    let names = corpus()?;
    if names == NAMES {
        Ok(format!("{} schedulers", names.len()))
    } else {
        Err(format!("the corpus is {names:?}"))
    }
}

/// Transfers until enough executions of a scheduler are replayed without a difference.
fn one(name: &str) -> Verdict {
    let program = Object::read(name)?.program()?;
    let served = Served::by(name)?;
    let mut tally = Tally::default();
    for round in 0..40_u64 {
        if tally.replayed >= WANTED {
            break;
        }
        let (links, plan, most) = surroundings(round);
        let most = most.min(WANTED - tally.replayed);
        let net = Net::new(&links)?;
        let pair = served.connect(&plan)?;
        let registers: Vec<(u32, u64)> = (1..=2).map(|register| (register, round)).collect();
        served.registers(&pair, &registers)?;
        let done = AtomicBool::new(false);
        let replayed = thread::scope(|scope| {
            let reader = scope.spawn(|| replay(&program, &done, most));
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
    let Tally {
        replayed,
        acting,
        lost,
    } = tally;
    if replayed < WANTED {
        return Err(format!("only {replayed} executions, {lost} not traced"));
    }
    Ok(format!(
        "{replayed} replayed, {acting} of them with actions, 0 differences, {lost} not traced"
    ))
}

/// Links, transfer, and how many executions of it to replay.
fn surroundings(round: u64) -> ([Link; 2], Plan, u64) {
    let slow = Link::with_delay(20);
    let plan = Plan::both(3_000_000);
    if round == 0 {
        // Long queues, and nothing is lost; a state of 500 packets takes long to replay.
        return ([Link::with_delay(5), slow], plan, WANTED / 10);
    }
    // Short queues; links that drop what does not fit, and then some more, so that RQ fills.
    let mut lossy = Link::narrow(5);
    lossy.loss_per_mille = if round.is_multiple_of(2) { 5 } else { 0 };
    let plan = Plan {
        buffer: 48 << 10,
        ..plan
    };
    ([lossy, Link::narrow(20)], plan, WANTED)
}

/// Replays what is traced, on both processors, until enough is, or the transfer is done and nothing is
/// left.
fn replay(program: &Program, done: &AtomicBool, most: u64) -> Result<Tally, String> {
    let mut tracer = Device::open()
        .and_then(|device| device.trace(None, 0, 65_536))
        .tried("a trace")?;
    let replayed = AtomicU64::new(0);
    let (hand_over, chunks) = mpsc::channel::<Vec<u8>>();
    let chunks = Mutex::new(chunks);
    thread::scope(|scope| {
        let workers = [(); 2].map(|()| scope.spawn(|| work(program, &chunks, &replayed, most)));
        let mut end = Ok(());
        while end.is_ok() && replayed.load(Ordering::Relaxed) < most {
            let was_done = done.load(Ordering::Relaxed);
            match tracer.read(100) {
                Ok([]) if was_done => break,
                Ok(bytes) => end = hand_over.send(bytes.to_vec()).tried("the workers"),
                Err(error) => end = Err(error).tried("a trace"),
            }
        }
        drop((hand_over, tracer));
        let mut tally = Tally::default();
        for worker in workers {
            let found = worker.join().map_err(|_| "a worker panicked")??;
            tally.replayed += found.replayed;
            tally.acting += found.acting;
            tally.lost = tally.lost.max(found.lost);
        }
        end.map(|()| tally)
    })
}

/// Takes pieces of the trace, whole records each, as long as there are some and more are wanted.
fn work(
    program: &Program,
    chunks: &Mutex<mpsc::Receiver<Vec<u8>>>,
    replayed: &AtomicU64,
    most: u64,
) -> Result<Tally, String> {
    let mut tally = Tally::default();
    loop {
        let chunk = chunks.lock().map_err(|_| "a worker panicked")?.recv();
        let Ok(chunk) = chunk else {
            return Ok(tally);
        };
        for record in records(&chunk) {
            if replayed.load(Ordering::Relaxed) >= most {
                return Ok(tally);
            }
            let record = record.tried("a record")?;
            tally.lost = record.lost;
            record.replay(program).map_err(|why| {
                format!(
                    "execution {} of {}: {why} in {:?}",
                    record.number, record.name, record.before
                )
            })?;
            replayed.fetch_add(1, Ordering::Relaxed);
            tally.replayed += 1;
            tally.acting += u64::from(record.pushes() > 0);
        }
    }
}
