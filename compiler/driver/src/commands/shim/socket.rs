//! `progmp set`, `progmp restore`, and sockets of other processes.

use std::str::FromStr;

use progmp_control::{Borrowed, Device, Error, namespace};

use crate::commands::printed;
use crate::exit::Exit;

/// What to set, and where.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of one connection only: the process and its descriptor
    #[arg(long, value_name = "PID:FD")]
    socket: Option<Socket>,
    /// A scheduler's name ('' for the kernel's own), registers such as R1=5, USER values of subflows such
    /// as 2.USER=7; without --socket a name, for all connections to come in this network namespace
    #[arg(value_name = "WHAT", required = true)]
    what: Vec<Setting>,
}

/// A socket of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Socket {
    process: i32,
    descriptor: i32,
}

impl FromStr for Socket {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.parse().ok().filter(|number: &i32| *number >= 0);
        let (process, descriptor) = text.split_once(':').ok_or("PID:FD is wanted")?;
        match (number(process), number(descriptor)) {
            (Some(process), Some(descriptor)) => Ok(Self {
                process,
                descriptor,
            }),
            _ => Err("PID:FD is wanted, two numbers".to_owned()),
        }
    }
}

impl Socket {
    /// Borrows it.
    ///
    /// # Errors
    /// No such process or descriptor, no privilege.
    pub(super) fn open(self) -> Result<Borrowed, Error> {
        Borrowed::of(self.process, self.descriptor)
    }
}

/// One thing to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Scheduler(String),
    Register(u32, u64),
    User(u32, u64),
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((key, value)) = text.split_once('=') else {
            return Ok(Self::Scheduler(text.to_owned()));
        };
        let value = value
            .parse()
            .map_err(|_| format!("`{value}` is no number below 2^64"))?;
        if let Some(register) = key.strip_prefix('R') {
            let register = register.parse().ok().filter(|r| (1..=6).contains(r));
            let register = register
                .ok_or_else(|| format!("register-out-of-range: {key}; there are R1 to R6"))?;
            return Ok(Self::Register(register, value));
        }
        let subflow = key.strip_suffix(".USER").and_then(|id| id.parse().ok());
        let subflow = subflow.ok_or_else(|| format!("`{key}` is neither R1 to R6 nor ID.USER"))?;
        Ok(Self::User(subflow, value))
    }
}

/// Runs `progmp set`.
pub(super) fn set(args: &Args) -> Result<Exit, Error> {
    let device = Device::open()?;
    let Some(socket) = args.socket else {
        for setting in &args.what {
            let Setting::Scheduler(name) = setting else {
                return Ok(crate::commands::failed(
                    "registers and USER values belong to a connection: name it with --socket",
                ));
            };
            if name.is_empty() {
                return Ok(crate::commands::failed(
                    "a name is wanted; `progmp restore` gives everything back to the kernel's own",
                ));
            }
            device.choose_default(name)?;
            namespace::use_shim()?;
        }
        return Ok(printed("", Exit::Accepted));
    };
    let socket = socket.open()?;
    let number = socket.number();
    let mut registers = Vec::new();
    for setting in &args.what {
        match setting {
            Setting::Scheduler(name) => device.choose(number, name)?,
            Setting::Register(register, value) => registers.push((*register, *value)),
            Setting::User(subflow, value) => device.set_user(number, *subflow, *value)?,
        }
    }
    if !registers.is_empty() {
        device.set_registers(number, &registers)?;
    }
    Ok(printed("", Exit::Accepted))
}

/// Runs `progmp restore`.
pub(super) fn restore() -> Result<Exit, Error> {
    let device = Device::open()?;
    device.choose_default("")?;
    namespace::use_kernel()?;
    let changed = device.restore()?;
    let text = format!("{changed} connections are back with the kernel's own scheduler\n");
    Ok(printed(&text, Exit::Accepted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_names_registers_and_user_values() {
        let read = |text: &str| text.parse::<Setting>();
        assert_eq!(
            read("min_rtt"),
            Ok(Setting::Scheduler("min_rtt".to_owned()))
        );
        assert_eq!(
            read("R6=18446744073709551615"),
            Ok(Setting::Register(6, u64::MAX))
        );
        assert_eq!(read("2.USER=7"), Ok(Setting::User(2, 7)));
        for wrong in [
            "R0=1",
            "R7=1",
            "R1=",
            "R1=18446744073709551616",
            "x=1",
            "USER=1",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_socket_is_two_numbers() {
        assert!("12:3".parse::<Socket>().is_ok());
        for wrong in ["12", "12:", ":3", "-1:3", "a:b", "1:2:3"] {
            assert!(wrong.parse::<Socket>().is_err(), "{wrong}");
        }
    }
}
