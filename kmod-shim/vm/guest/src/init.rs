//! From the first instruction in user space to the last: file systems, modules, tests, power off.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, finit_module, reboot};

use crate::dmesg::Dmesg;
use crate::{Tried, suites};

/// Modules of the stock kernel that networks need, in the order of their dependencies.
const MODULES: [&str; 2] = ["veth", "sch_netem"];

/// Does everything; never returns.
pub(crate) fn run() -> ! {
    let mut report = match prepare() {
        Ok(report) => report,
        Err(why) => {
            println!("progmp-guest: {why}");
            off();
        }
    };
    // The harness knows now that the boot came up.
    say(&mut report, "up");
    let wanted = wanted_suites();
    let only = argument("progmp.only");
    let mut ran = 0;
    let mut dmesg = Dmesg::open();
    for suite in suites::ALL {
        if !wanted.iter().any(|name| name == suite.name) {
            continue;
        }
        for test in suite.tests {
            if only.as_ref().is_some_and(|only| only != test.name) {
                continue;
            }
            ran += 1;
            let name = format!("{}::{}", suite.name, test.name);
            say(&mut report, &format!("start {name}"));
            let started = Instant::now();
            let verdict = catch_unwind(AssertUnwindSafe(test.run));
            let verdict = verdict.unwrap_or_else(|_| Err("it panicked".to_owned()));
            // Whatever a test says: a kernel that complains has failed it.
            let verdict = match (verdict, dmesg.complaint()) {
                (Ok(_), Some(complaint)) => Err(format!("the kernel: {complaint}")),
                (Err(why), Some(complaint)) => Err(format!("{why}; the kernel: {complaint}")),
                (verdict, None) => verdict,
            };
            let ms = started.elapsed().as_millis();
            let line = match verdict {
                Ok(remark) => format!("ok {name} {ms} {remark}"),
                Err(why) => format!("failed {name} {ms} {}", why.replace('\n', " / ")),
            };
            say(&mut report, &line);
        }
    }
    if ran == 0 {
        let name = only.unwrap_or_default();
        say(
            &mut report,
            &format!("failed {name} 0 there is no such test"),
        );
    }
    say(&mut report, "done");
    off();
}

fn say(report: &mut File, line: &str) {
    // Without its report the machine has no purpose; the harness sees that it ends.
    let written = writeln!(report, "@{line}").and_then(|()| report.flush());
    if let Err(error) = written {
        println!("progmp-guest: the report cannot be written: {error}");
    }
}

fn prepare() -> Result<File, String> {
    for (kind, at) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("tmpfs", "/run"),
        ("tmpfs", "/tmp"),
        ("bpf", "/sys/fs/bpf"),
        ("debugfs", "/sys/kernel/debug"),
    ] {
        fs::create_dir_all(at).tried(at)?;
        // A kernel has devtmpfs mounted before it starts us, if it is configured so.
        if let Err(error) = mount(kind, at, kind, MountFlags::empty(), None)
            && kind != "devtmpfs"
        {
            return Err(format!("mount {at}: {error}"));
        }
    }
    let report = OpenOptions::new().write(true).open("/dev/ttyS1");
    let report = report.tried("/dev/ttyS1")?;
    for module in MODULES {
        insert(&format!("/modules/{module}.ko"), "")?;
    }
    Ok(report)
}

/// Inserts a module.
pub(crate) fn insert(path: &str, parameters: &str) -> Result<(), String> {
    let file = File::open(path).tried(path)?;
    let parameters = CString::new(parameters).tried("parameters")?;
    finit_module(file, &parameters, 0).tried(&format!("insert {path}"))
}

/// `progmp.suites=one,two` on the kernel's command line.
fn wanted_suites() -> Vec<String> {
    argument("progmp.suites")
        .unwrap_or_default()
        .split(',')
        .map(str::to_owned)
        .collect()
}

/// The value of an argument of the kernel's command line.
pub(crate) fn argument(name: &str) -> Option<String> {
    let line = fs::read_to_string("/proc/cmdline").ok()?;
    let mut words = line
        .split_whitespace()
        .filter_map(|word| word.split_once('='));
    let (_, value) = words.find(|(key, _)| *key == name)?;
    Some(value.to_owned())
}

fn off() -> ! {
    rustix::fs::sync();
    let error = reboot(RebootCommand::PowerOff);
    panic!("the machine stays on: {error:?}");
}
