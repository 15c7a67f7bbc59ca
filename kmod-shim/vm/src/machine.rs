//! One boot of the virtual machine.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::report::{Line, Tally};

/// What to boot, and for which suite.
pub(crate) struct Boot<'a> {
    pub(crate) kernel: &'a Path,
    pub(crate) image: &'a Path,
    pub(crate) suite: &'a str,
    /// The one test of it that is wanted, if not all are.
    pub(crate) only: Option<&'a str>,
    /// How long all tests together may take.
    pub(crate) seconds: u64,
    /// Where the kernel's console goes.
    pub(crate) console: PathBuf,
    /// Count instructions: a boot with the same seed repeats itself to the byte.
    pub(crate) seed: Option<u32>,
}

/// How long a boot may take until its first process runs.
const UP_SECONDS: u64 = 90;

/// Without `cx16` off, QEMU 7.2 corrupts the state of guests around `cmpxchg16b`.
const CPU: &str = "max,-cx16";

/// Boots, and counts what the guest says.
pub(crate) fn run(boot: &Boot<'_>, tally: &mut Tally) -> Result<(), String> {
    if attempt(boot, tally)? {
        return Ok(());
    }
    println!("{}: the boot never came up; once more", boot.suite);
    if attempt(boot, tally)? {
        return Ok(());
    }
    let console = boot.console.display();
    Err(format!(
        "{}: the boot never came up; see {console}",
        boot.suite
    ))
}

/// The machine, which goes off with this.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // It is gone already when it has switched itself off.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether it came up.
fn attempt(boot: &Boot<'_>, tally: &mut Tally) -> Result<bool, String> {
    // It must not outlive us, however we end.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
    let mut append = format!("console=ttyS0 panic=-1 quiet progmp.suites={}", boot.suite);
    if let Some(test) = boot.only {
        let _ = write!(append, " progmp.only={test}");
    }
    command.args(["-m", "1024"]);
    if let Some(seed) = boot.seed {
        // One guest nanosecond is one instruction, and idle time is skipped. Without `erms` off, each
        // byte of a copy would count as an instruction.
        command
            .args(["-smp", "1", "-cpu", &format!("{CPU},-erms")])
            .args(["-accel", "tcg,thread=single"])
            .args(["-icount", "shift=0,sleep=off", "-seed", &seed.to_string()])
            .args(["-rtc", "base=2026-01-01T00:00:00,clock=vm"]);
        append += " nokaslr norandmaps random.trust_cpu=on";
    } else {
        command
            .args(["-smp", "2", "-cpu", CPU])
            .args(["-accel", "tcg,thread=multi"]);
    }
    command
        .args(["-display", "none", "-monitor", "none", "-no-reboot"])
        .args(["-nic", "none"])
        .arg("-serial")
        .arg(format!("file:{}", boot.console.display()))
        .args(["-serial", "stdio"])
        .arg("-kernel")
        .arg(boot.kernel)
        .arg("-initrd")
        .arg(boot.image)
        .arg("-append")
        .arg(append)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("qemu: {error}"))?;
    let output = child.stdout.take().ok_or("qemu has no output")?;
    let machine = Machine(child);
    let (sender, lines) = mpsc::channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let up = follow(boot, &lines, tally);
    drop(machine);
    // Its end of the pipe is closed now.
    let _ = reader.join();
    Ok(up)
}

/// Reads what the guest says until it is done, gone, or too late.
fn follow(boot: &Boot<'_>, lines: &mpsc::Receiver<String>, tally: &mut Tally) -> bool {
    let mut limit = Instant::now() + Duration::from_secs(UP_SECONDS);
    let mut up = false;
    let mut running: Option<String> = None;
    let why = loop {
        let left = limit.saturating_duration_since(Instant::now());
        let line = match lines.recv_timeout(left) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => break "it took too long",
            Err(RecvTimeoutError::Disconnected) => break "the machine went off",
        };
        match Line::read(&line) {
            Some(Line::Up) => {
                up = true;
                limit = Instant::now() + Duration::from_secs(boot.seconds);
            }
            Some(Line::Start(name)) => running = Some(name),
            Some(Line::Ended {
                name,
                ms,
                passed,
                text,
            }) => {
                running = None;
                tally.add(&name, ms, passed, &text);
            }
            Some(Line::Done) => return true,
            None => println!("{line}"),
        }
    };
    if up {
        let name = running.unwrap_or_else(|| format!("{}::(after the last test)", boot.suite));
        let text = format!("{why}; see {}", boot.console.display());
        tally.add(&name, 0, false, &text);
    }
    up
}
