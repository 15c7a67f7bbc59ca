//! A line on the terminal while a proof takes long. The only place of the gate that looks at a
//! clock, and it decides about nothing but this line.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use progmp_verifier::Property;

/// How long nothing is shown.
const PATIENCE: Duration = Duration::from_millis(800);

/// What is being worked on; invisible unless standard error is a terminal.
pub struct Progress {
    bar: ProgressBar,
    /// Dropped or told when the work is done, so that the line never appears afterwards.
    done: Option<Sender<()>>,
}

impl Progress {
    /// Progress over so many files.
    ///
    /// # Panics
    /// Never: the template is a constant.
    pub fn new(files: usize, wanted: bool) -> Self {
        if !wanted || !io::stderr().is_terminal() {
            return Self {
                bar: ProgressBar::hidden(),
                done: None,
            };
        }
        let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::hidden());
        let template = "{spinner} {pos}/{len} {elapsed} {wide_msg}";
        bar.set_style(ProgressStyle::with_template(template).expect("the template is well-formed"));
        let (done, wait) = channel();
        let shown = bar.clone();
        thread::spawn(move || {
            if wait.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                shown.enable_steady_tick(Duration::from_millis(120));
            }
        });
        Self {
            bar,
            done: Some(done),
        }
    }

    /// A property of a file is being judged.
    pub fn at(&self, file: &str, property: Property) {
        if !self.bar.is_hidden() || self.done.is_some() {
            self.bar.set_message(format!("{file}: {property}"));
        }
    }

    /// Prints something without disturbing the line.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.inc(1);
        self.bar.suspend(print)
    }

    /// Takes the line away.
    pub fn finish(&self) {
        if let Some(done) = &self.done {
            // The other side may have shown the line already.
            let _ = done.send(());
        }
        self.bar.finish_and_clear();
    }
}
