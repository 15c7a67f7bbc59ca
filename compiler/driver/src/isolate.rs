//! Work on one file in a thread of its own: a fresh solver, a large stack, and a panic that
//! becomes a [`Fault`] instead of the end of the process.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Room for the deepest recursion that the limits of the language allow, many times over.
const STACK_BYTES: usize = 256 << 20;

/// A broken invariant of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The panic's message.
    pub message: String,
    /// File and line, as far as known.
    pub place: String,
}

impl Fault {
    /// What the user is told.
    pub fn report(&self) -> String {
        format!(
            "{} ({}). This is a fault of progmp {}, not of your scheduler. \
             Please report it, with the scheduler and this message",
            self.message.replace('\n', " "),
            self.place,
            env!("CARGO_PKG_VERSION"),
        )
    }
}

/// What becomes of a panic of this thread.
#[derive(Default)]
enum Panic {
    /// It is printed as ever.
    #[default]
    Printed,
    /// It will be kept.
    Expected,
    /// It was kept.
    Kept(Fault),
}

thread_local! {
    static PANIC: RefCell<Panic> = const { RefCell::new(Panic::Printed) };
}

/// Panics of isolated threads are kept, not printed; others are printed as ever.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ordinary = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let kept = PANIC.with_borrow_mut(|panic| {
                if matches!(panic, Panic::Printed) {
                    return false;
                }
                let place = info.location().map_or_else(
                    || "at an unknown place".to_owned(),
                    |at| format!("{}:{}", at.file(), at.line()),
                );
                let message = info.payload_as_str().unwrap_or("no message").to_owned();
                *panic = Panic::Kept(Fault { message, place });
                true
            });
            if !kept {
                ordinary(info);
            }
        }));
    });
}

/// Runs `work` in a fresh thread.
///
/// # Errors
/// It panicked, or no thread could be made.
pub fn isolated<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Fault> {
    keep_panics();
    let caught = || {
        PANIC.set(Panic::Expected);
        panic::catch_unwind(AssertUnwindSafe(work)).map_err(|_| match PANIC.take() {
            Panic::Kept(fault) => fault,
            Panic::Expected | Panic::Printed => Fault {
                message: "a panic that nobody saw".to_owned(),
                place: "at an unknown place".to_owned(),
            },
        })
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, caught)
            .map_err(|error| Fault {
                message: format!("no thread could be started: {error}"),
                place: "at the start of a file".to_owned(),
            })?;
        thread.join().unwrap_or_else(|_| {
            Err(Fault {
                message: "a thread ended without a result".to_owned(),
                place: "at the end of a file".to_owned(),
            })
        })
    })
}

/// Works on `items`, at most `jobs` at a time, each isolated. `done` gets every result in the
/// order of the items, whichever ends first.
pub fn in_order<I: Sync, T: Send>(
    items: &[I],
    jobs: usize,
    work: impl Fn(&I) -> T + Sync,
    mut done: impl FnMut(&I, Result<T, Fault>),
) {
    let next = AtomicUsize::new(0);
    let (send, receive) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            let (send, next, work) = (send.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = isolated(|| work(item));
                    if send.send((index, result)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        let mut early: Vec<Option<Result<T, Fault>>> = items.iter().map(|_| None).collect();
        let mut emitted = 0;
        for (index, result) in receive {
            early[index] = Some(result);
            while let Some(result) = early.get_mut(emitted).and_then(Option::take) {
                done(&items[emitted], result);
                emitted += 1;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_fault_that_names_message_and_place() {
        let fault = isolated(|| panic!("broken: {}", 7)).unwrap_err();
        assert_eq!(fault.message, "broken: 7");
        assert!(fault.place.contains("isolate.rs:"), "{}", fault.place);
        let report = fault.report();
        assert!(report.contains("Please report it"), "{report}");
        assert!(report.contains(env!("CARGO_PKG_VERSION")), "{report}");
    }

    #[test]
    fn a_deep_recursion_has_room() {
        fn depth(n: u64) -> u64 {
            let frame = std::hint::black_box([n; 64]);
            if n == 0 {
                0
            } else {
                depth(n - 1) + frame[0] / frame[63].max(1)
            }
        }
        assert_eq!(isolated(|| depth(100_000)), Ok(100_000));
    }

    #[test]
    fn results_come_in_the_order_of_the_items_for_any_number_of_jobs() {
        let items: Vec<u64> = (0..40).collect();
        for jobs in [0, 1, 3, 64] {
            let mut seen = Vec::new();
            let work = |item: &u64| {
                assert_ne!(*item, 13, "thirteen");
                let rounds = (40 - item) * 1_000;
                (0..rounds).fold(*item, |x, _| std::hint::black_box(x))
            };
            in_order(&items, jobs, work, |item, result| {
                seen.push((*item, result));
            });
            assert_eq!(seen.len(), 40);
            for (expected, (item, result)) in seen.into_iter().enumerate() {
                assert_eq!(item, expected as u64);
                match result {
                    Ok(value) => assert_eq!(value, item),
                    Err(_) => assert_eq!(item, 13),
                }
            }
        }
    }

    #[test]
    fn no_items_are_done_at_once() {
        in_order(
            &[] as &[u8],
            4,
            |_| (),
            |_, _| unreachable!("there is no item"),
        );
    }
}
