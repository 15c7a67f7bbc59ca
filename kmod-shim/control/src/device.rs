//! `/dev/progmp`: the calls, with errors by name.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};

use progmp_abi::layout;

use crate::error::Error;
use crate::mptcp;
use crate::sys;
use crate::uapi::{self, calls};

/// The open device.
#[derive(Debug)]
pub struct Device {
    file: File,
}

impl Device {
    /// Opens the device and compares versions.
    ///
    /// # Errors
    /// The module is not there, may not be used, or speaks other versions.
    pub fn open() -> Result<Self, Error> {
        let file = OpenOptions::new().read(true).write(true).open(uapi::DEVICE);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoModule,
            io::ErrorKind::PermissionDenied => privilege("the device"),
            _ => Error::system(uapi::DEVICE, error),
        })?;
        let device = Self { file };
        let version = device.version()?;
        if version.uapi != uapi::VERSION {
            let (found, known) = (version.uapi, uapi::VERSION);
            return Err(Error::UapiVersion { found, known });
        }
        if version.abi != layout::VERSION {
            let (found, known) = (version.abi, layout::VERSION);
            return Err(Error::AbiVersion { found, known });
        }
        Ok(device)
    }

    fn call<T: sys::Plain>(&self, number: u32, argument: &mut T) -> io::Result<()> {
        sys::ioctl(&self.file, number, argument)
    }

    /// What the module is.
    ///
    /// # Errors
    /// The system's answer.
    pub fn version(&self) -> Result<uapi::Version, Error> {
        let mut version = uapi::Version::default();
        self.call(calls::VERSION, &mut version)
            .map_err(|error| Error::system("the version of the module", error))?;
        Ok(version)
    }

    /// Chooses the scheduler of a socket; an empty name is the kernel's own.
    ///
    /// # Errors
    /// No such scheduler, no MPTCP socket.
    pub fn choose(&self, socket: i32, scheduler: &str) -> Result<(), Error> {
        let mut choice = choice(socket, scheduler)?;
        self.call(calls::CHOOSE, &mut choice)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::ENOENT) => Error::NoScheduler(scheduler.to_owned()),
                _ => on_socket("the choice of a scheduler", socket, error),
            })
    }

    /// Chooses the scheduler of sockets to come in this network namespace; an empty name is the
    /// kernel's own.
    ///
    /// # Errors
    /// No such scheduler, no privilege.
    pub fn choose_default(&self, scheduler: &str) -> Result<(), Error> {
        let mut choice = choice(-1, scheduler)?;
        self.call(calls::DEFAULT, &mut choice)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::ENOENT) => Error::NoScheduler(scheduler.to_owned()),
                Some(libc::EPERM) => privilege("the default of a network namespace"),
                _ => Error::system("the choice of a default", error),
            })
    }

    /// Sets registers, all at one moment: pairs of 1 to 6 and a value.
    ///
    /// # Errors
    /// No such register, no MPTCP socket.
    pub fn set_registers(&self, socket: i32, values: &[(u32, u64)]) -> Result<(), Error> {
        let mut registers = uapi::Registers {
            fd: socket,
            ..uapi::Registers::default()
        };
        for &(register, value) in values {
            let index = register.checked_sub(1).ok_or(Error::Register(register))?;
            let place = usize::try_from(index).ok();
            let place = place.and_then(|index| registers.reg.get_mut(index));
            *place.ok_or(Error::Register(register))? = value;
            registers.mask |= 1 << index;
        }
        self.call(calls::SET_REGISTERS, &mut registers)
            .map_err(|error| on_socket("setting registers", socket, error))
    }

    /// Reads R1 to R6.
    ///
    /// # Errors
    /// No MPTCP socket.
    pub fn registers(&self, socket: i32) -> Result<[u64; uapi::REGISTERS], Error> {
        let mut registers = uapi::Registers {
            fd: socket,
            ..uapi::Registers::default()
        };
        self.call(calls::GET_REGISTERS, &mut registers)
            .map_err(|error| on_socket("reading registers", socket, error))?;
        Ok(registers.reg)
    }

    /// Sets USER of a subflow, or (subflow 0) of the packets that the next writes make.
    ///
    /// # Errors
    /// No such subflow, no MPTCP socket.
    pub fn set_user(&self, socket: i32, subflow: u32, value: u64) -> Result<(), Error> {
        let mut user = uapi::User {
            fd: socket,
            subflow,
            value,
        };
        self.call(calls::SET_USER, &mut user)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::ENODEV) => Error::NoSubflow(subflow),
                _ => on_socket("setting USER", socket, error),
            })
    }

    /// Statistics of a connection; one that fell back to TCP is told as such.
    ///
    /// # Errors
    /// No MPTCP socket.
    pub fn connection(&self, socket: i32) -> Result<uapi::Connection, Error> {
        let mut connection = uapi::Connection {
            fd: socket,
            ..uapi::Connection::default()
        };
        self.call(calls::CONNECTION, &mut connection)
            .map_err(|error| on_socket("statistics", socket, error))?;
        if connection.fallback == uapi::SERVED && mptcp::is_tcp(socket) {
            connection.fallback = uapi::TCP;
        }
        Ok(connection)
    }

    /// The loaded scheduler of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn scheduler(&self, name: &str) -> Result<uapi::Loaded, Error> {
        let mut loaded = uapi::Loaded {
            name: uapi::name(name).ok_or_else(|| Error::BadName(name.to_owned()))?,
            ..uapi::Loaded::default()
        };
        self.call(calls::SCHEDULER, &mut loaded)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::ENOENT) => Error::NoScheduler(name.to_owned()),
                _ => Error::system("asking for a scheduler", error),
            })?;
        Ok(loaded)
    }

    /// All loaded schedulers, as the kernel lists them.
    ///
    /// # Errors
    /// The system's answer.
    ///
    /// # Panics
    /// Never: the kernel counts them in 32 bits.
    pub fn schedulers(&self) -> Result<Vec<uapi::Loaded>, Error> {
        let mut all = Vec::new();
        loop {
            let mut loaded = uapi::Loaded {
                index: u32::try_from(all.len()).expect("the kernel's list is short"),
                ..uapi::Loaded::default()
            };
            match self.call(calls::SCHEDULER, &mut loaded) {
                Ok(()) => all.push(loaded),
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(all),
                Err(error) => return Err(Error::system("the list of schedulers", error)),
            }
        }
    }

    /// Gives all connections to the kernel's own scheduler; how many that changed.
    ///
    /// # Errors
    /// No privilege.
    pub fn restore(&self) -> Result<u32, Error> {
        let mut changed = 0_u32;
        self.call(calls::RESTORE, &mut changed)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::EPERM) => privilege("restoring"),
                _ => Error::system("restoring", error),
            })?;
        Ok(changed)
    }

    /// Measures the time of runs from now on, or no longer.
    ///
    /// # Errors
    /// No privilege.
    pub fn measure_time(&self, on: bool) -> Result<(), Error> {
        let mut on = u32::from(on);
        self.call(calls::TIMING, &mut on)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::EPERM) => privilege("measuring"),
                _ => Error::system("measuring", error),
            })
    }

    /// Starts a trace of one connection, or of all; it ends with the [`Tracer`].
    ///
    /// # Errors
    /// Another reader, no privilege, no MPTCP socket.
    pub fn trace(self, socket: Option<i32>, per_second: u32, kib: u32) -> Result<Tracer, Error> {
        let mut tracing = uapi::Tracing {
            fd: socket.unwrap_or(-1),
            per_second,
            kib,
            reserved: 0,
        };
        self.call(calls::TRACE, &mut tracing).map_err(|error| {
            match (error.raw_os_error(), socket) {
                (Some(libc::EBUSY), _) => Error::Busy,
                (Some(libc::EPERM), _) => privilege("a trace"),
                (_, Some(socket)) => on_socket("a trace", socket, error),
                _ => Error::system("a trace", error),
            }
        })?;
        Ok(Tracer {
            file: self.file,
            buffer: vec![0; 1 << 20],
        })
    }
}

fn choice(socket: i32, scheduler: &str) -> Result<uapi::Choice, Error> {
    let name = if scheduler.is_empty() {
        [0; uapi::NAME_BYTES]
    } else {
        uapi::name(scheduler).ok_or_else(|| Error::BadName(scheduler.to_owned()))?
    };
    Ok(uapi::Choice {
        fd: socket,
        reserved: 0,
        name,
    })
}

/// What the errors mean that every call about a socket can give.
fn on_socket(what: &'static str, socket: i32, error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EBADF) => Error::BadDescriptor(socket),
        Some(libc::ENOTSOCK | libc::EPROTOTYPE | libc::EPROTONOSUPPORT | libc::ENOPROTOOPT) => {
            Error::NotMptcp(socket)
        }
        Some(libc::EPERM | libc::EACCES) => privilege(what),
        Some(libc::ENOENT) => Error::NotServed(socket),
        Some(libc::EBUSY) => Error::Busy,
        _ => Error::system(what, error),
    }
}

fn privilege(what: &'static str) -> Error {
    Error::NoPrivilege(what, "CAP_NET_ADMIN")
}

/// A running trace.
#[derive(Debug)]
pub struct Tracer {
    file: File,
    buffer: Vec<u8>,
}

impl Tracer {
    /// Whole records, as many as are there; waits at most so long for the first.
    ///
    /// # Errors
    /// The system's answer.
    pub fn read(&mut self, timeout_ms: i32) -> Result<&[u8], Error> {
        let ready = sys::readable(&self.file, timeout_ms)
            .map_err(|error| Error::system("waiting for a trace", error))?;
        if !ready {
            return Ok(&[]);
        }
        let length = self
            .file
            .read(&mut self.buffer)
            .map_err(|error| Error::system("reading a trace", error))?;
        Ok(&self.buffer[..length])
    }
}

/// A descriptor of another process, shared with this one.
#[derive(Debug)]
pub struct Borrowed {
    descriptor: OwnedFd,
}

impl Borrowed {
    /// Shares a descriptor of a process.
    ///
    /// # Errors
    /// No such process or descriptor, or the process may not be traced.
    pub fn of(process: i32, descriptor: i32) -> Result<Self, Error> {
        sys::borrow(process, descriptor)
            .map(|descriptor| Self { descriptor })
            .map_err(|error| match error.raw_os_error() {
                Some(libc::EBADF) => Error::BadDescriptor(descriptor),
                Some(libc::EPERM | libc::EACCES) => {
                    Error::NoPrivilege("a socket of another process", "CAP_SYS_PTRACE")
                }
                _ => Error::system(format!("process {process}"), error),
            })
    }

    /// The number under which this process has it.
    pub fn number(&self) -> i32 {
        self.descriptor.as_raw_fd()
    }
}
