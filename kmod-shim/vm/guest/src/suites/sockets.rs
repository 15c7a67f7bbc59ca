//! Sockets that come and go: what they inherit, and that nobody finds them half made.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use progmp_control::uapi::text;
use rustix::net::{self, SocketFlags};

use super::served::Served;
use crate::net::{End, Net, enter, within};
use crate::transfer::socket_of;
use crate::{Tried, Verdict};

/// A listener at an address and a port of its own kind, and a connection to it, both in the server's
/// namespace.
struct Side {
    listener: OwnedFd,
    address: SocketAddr,
}

impl Side {
    fn new(address: SocketAddr) -> Result<Self, String> {
        let listener = socket_of(&address)?;
        if address.is_ipv6() {
            net::sockopt::set_ipv6_v6only(&listener, true).tried("IPV6_V6ONLY")?;
        }
        net::bind(&listener, &address).tried("bind")?;
        Ok(Self { listener, address })
    }

    fn listen(&self) -> Result<(), String> {
        net::listen(&self.listener, 8).tried("listen")
    }

    fn accept(&self) -> Result<(OwnedFd, OwnedFd), String> {
        let client = socket_of(&self.address)?;
        net::connect(&client, &self.address).tried("connect")?;
        let accepted = net::accept_with(&self.listener, SocketFlags::CLOEXEC).tried("accept")?;
        Ok((client, accepted))
    }
}

/// Two families on one port, one chosen before it listens and one while it does, and one of nobody's.
pub(super) fn accepted() -> Verdict {
    const PORT: u16 = 4_900;
    let served = [Served::by("default")?, Served::by("redundant")?];
    let net = Net::usual()?;
    net.ip(End::Server, "link set lo up\n")?;
    within(End::Server, || {
        let four = Side::new((Ipv4Addr::LOCALHOST, PORT).into())?;
        let six = Side::new((Ipv6Addr::LOCALHOST, PORT).into())?;
        let other = Side::new((Ipv4Addr::LOCALHOST, PORT + 1).into())?;
        let device = &served[0].device;
        let choose = |side: &Side, by: &Served, register: u64| {
            let number = side.listener.as_raw_fd();
            device.choose(number, &by.name).tried("choosing")?;
            let set = device.set_registers(number, &[(2, register)]);
            set.tried("registers")
        };
        choose(&four, &served[0], 11)?;
        for side in [&four, &six, &other] {
            side.listen()?;
        }
        choose(&six, &served[1], 22)?;
        for round in 0..20 {
            for (side, by, register) in [(&four, &served[0], 11), (&six, &served[1], 22)] {
                let (_client, accepted) = side.accept()?;
                let number = accepted.as_raw_fd();
                let found = device.connection(number).tried("statistics")?;
                let registers = device.registers(number).tried("registers")?;
                if text(&found.name) != by.name || registers != [0, register, 0, 0, 0, 0] {
                    let name = text(&found.name);
                    return Err(format!("round {round}: {name} with {registers:?}"));
                }
            }
            let (_client, accepted) = other.accept()?;
            if device.connection(accepted.as_raw_fd()).is_ok() {
                return Err(format!("round {round}: what nobody chose is served"));
            }
        }
        // While it changes from one to another, there is always one.
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let changing = scope.spawn(|| {
                let mut changes = served.iter().cycle();
                while !ended.load(Ordering::Relaxed) {
                    let by = changes.next().map_or("", |by| &by.name);
                    device
                        .choose(four.listener.as_raw_fd(), by)
                        .tried("choosing")?;
                }
                Ok::<(), String>(())
            });
            let accepted = (0..60).try_for_each(|round| {
                let (_client, accepted) = four.accept()?;
                let found = device.connection(accepted.as_raw_fd());
                found.map(|_| ()).tried(&format!("change {round}"))
            });
            ended.store(true, Ordering::Relaxed);
            changing.join().map_err(|_| "it panicked".to_owned())??;
            accepted
        })?;
        // What is chosen later holds for what is accepted later.
        choose(&four, &served[1], 33)?;
        let (_client, accepted) = four.accept()?;
        let registers = device.registers(accepted.as_raw_fd());
        let registers = registers.tried("registers")?;
        if registers[1] != 33 {
            return Err(format!("after another choice: {registers:?}"));
        }
        device.choose(four.listener.as_raw_fd(), "").tried("none")?;
        let (_client, accepted) = four.accept()?;
        if device.connection(accepted.as_raw_fd()).is_ok() {
            return Err("the listener was given back, and what it accepts is served".to_owned());
        }
        Ok(())
    })?;
    Ok("122 connections".to_owned())
}

/// Sockets are opened and closed, and connected, as fast as they can be, while all that are there are
/// given back to the kernel again and again.
pub(super) fn restored() -> Verdict {
    const SOCKETS: u32 = 3_000;
    let served = Served::by("default")?;
    let net = Net::usual()?;
    net.ip(End::Server, "link set lo up\n")?;
    net.set(End::Server, "mptcp/scheduler", "progmp")?;
    within(End::Server, || {
        let chosen = served.device.choose_default(&served.name);
        chosen.tried("a default")
    })?;
    let ended = AtomicBool::new(false);
    let changed = thread::scope(|scope| {
        let makers: Vec<_> = [4_910, 4_911]
            .map(|port| {
                scope.spawn(move || {
                    enter(End::Server)?;
                    let side = Side::new((Ipv4Addr::LOCALHOST, port).into())?;
                    side.listen()?;
                    for number in 0..SOCKETS {
                        if number % 8 == 0 {
                            drop(side.accept()?);
                        } else {
                            drop(socket_of(&side.address)?);
                        }
                    }
                    Ok::<(), String>(())
                })
            })
            .into_iter()
            .collect();
        let restorer = scope.spawn(|| {
            let mut changed = 0;
            while !ended.load(Ordering::Relaxed) {
                changed += served.device.restore().tried("restoring")?;
            }
            Ok::<u32, String>(changed)
        });
        let made = makers
            .into_iter()
            .map(|maker| maker.join().map_err(|_| "it panicked".to_owned())?);
        let made: Result<Vec<()>, String> = made.collect();
        ended.store(true, Ordering::Relaxed);
        let changed = restorer.join().map_err(|_| "it panicked".to_owned())?;
        made?;
        changed
    })?;
    if changed == 0 {
        return Err("none was restored".to_owned());
    }
    Ok(format!("{changed} of {} restored", 2 * SOCKETS))
}
