//! What is asked wrongly gets an error by name.

use std::fs;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread;

use progmp_control::{Device, Error, load};
use rustix::fs::Uid;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};
use rustix::thread::{UnshareFlags, set_thread_uid};

use super::served::Served;
use crate::net::Net;
use crate::shim::{self, Object};
use crate::transfer::{Pair, Plan, connect};
use crate::{Tried, Verdict};

/// Whether something fails with the error of this name.
pub(super) fn named<T>(what: &str, result: Result<T, Error>, name: &str) -> Result<(), String> {
    match result {
        Ok(_) => Err(format!("{what}: no error, not {name}")),
        Err(error) if error.name() == name => Ok(()),
        Err(error) => Err(format!("{what}: {error}, not {name}")),
    }
}

pub(super) fn all() -> Verdict {
    let served = Served::by("min_rtt")?;
    let device = &served.device;
    let object = Object::read("default")?;
    named(
        "a name twice",
        load(&object.scheduler("min_rtt")),
        "name-clash",
    )?;
    for name in ["", "a/b", "a\nb", "a b"] {
        named(name, load(&object.scheduler(name)), "bad-name")?;
    }
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
    let trace = |socket| shim::device().map(|device| device.trace(Some(socket), 0, 0));
    named("a trace of TCP", trace(plain)?, "not-mptcp")?;
    named("a trace of nothing", trace(number)?, "not-served")?;
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
