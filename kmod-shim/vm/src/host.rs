//! The objects of the image, run by the kernel at hand: the very bytes that the guest loads decide here,
//! under test-run, what the reference interpreter decides.
//!
//! In: the compiled corpus. Out: one verdict for each. Without the privilege to load programs nothing
//! is decided, which is a failure where `PROGMP_CI` says that nothing may be skipped.

use std::time::Instant;

use progmp_generate::{Choices, Sizes, state_of};
use progmp_hosts::{Engine, Image, Kernel, Refusal, decide, reference};
use progmp_ir::{Needs, splitmix64};
use progmp_rewrite::{compress, sites};

use crate::objects::Scheduler;
use crate::report::Tally;

/// States in which each scheduler decides.
const STATES: u64 = 100;

/// Runs all; each is a test.
pub(crate) fn run(corpus: &[Scheduler], tally: &mut Tally) {
    for scheduler in corpus {
        let started = Instant::now();
        let (passed, text) = match decisions(scheduler) {
            Ok(Some(text)) => (true, text),
            Ok(None) if std::env::var_os("PROGMP_CI").is_none() => {
                println!("skipped: needs CAP_BPF: the objects of the image are not run here");
                return;
            }
            Ok(None) => (false, "CI must not skip: needs CAP_BPF".to_owned()),
            Err(why) => (false, why),
        };
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tally.add(&format!("host::{}", scheduler.name), ms, passed, &text);
    }
}

/// `None`: the kernel may not be asked.
fn decisions(scheduler: &Scheduler) -> Result<Option<String>, String> {
    let object = progmp_verifier::ebpf::read(&scheduler.object).map_err(|e| e.to_string())?;
    let parsed = progmp_syntax::parse(&scheduler.name, object.source.as_bytes(), &[]);
    let source = parsed.program.ok_or("its source is no scheduler")?;
    let compressed = object
        .note
        .iter()
        .any(|(key, value)| key == "compressed" && value == "yes");
    let program = match sites(&source) {
        Ok(places) if compressed => compress(&source, &places),
        _ => source,
    };
    let found = object.programs.iter().find(|p| p.section == "syscall");
    let image = Image::of(found.ok_or("no program for test-run")?);
    let mut loaded = match Kernel::default().load(&image) {
        Ok(loaded) => loaded,
        Err(Refusal::NeedsCapBpf | Refusal::NoKernel { .. }) => return Ok(None),
        Err(refusal) => return Err(refusal.to_string()),
    };
    let needs = Needs::of(&program);
    for number in 0..STATES {
        let sizes = Sizes {
            subflows: usize::try_from(number % 9).unwrap_or(0),
            packets: usize::try_from(number % 40).unwrap_or(0),
        };
        let mut choices = Choices::from_seed(splitmix64(number));
        let state = state_of(&mut choices, &needs, sizes);
        let expected = reference(&program, &state);
        let decided = decide(loaded.as_mut(), &state);
        let decided = decided.map_err(|mishap| format!("state {number}: {mishap}"))?;
        if decided != expected {
            return Err(format!(
                "state {number}: expected {expected:?}, found {decided:?}"
            ));
        }
    }
    Ok(Some(format!("{STATES} states, 0 differences")))
}
