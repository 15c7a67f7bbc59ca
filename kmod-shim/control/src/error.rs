//! What can go wrong, one variant a fact.

use std::io;

/// Why the shim, or the kernel, does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The module is not there.
    #[error(
        "no-module: /dev/progmp does not exist; insert progmp.ko first, or let `progmp load --module` do it; \
         `progmp doctor` tells what that needs"
    )]
    NoModule,
    /// Root, or the capability, is missing.
    #[error("no-privilege: {0} needs {1}")]
    NoPrivilege(&'static str, &'static str),
    /// The module speaks another version of the calls.
    #[error("uapi-version: the module speaks version {found} of the calls, this tool {known}")]
    UapiVersion {
        /// That of the module.
        found: u32,
        /// That of this crate.
        known: u32,
    },
    /// The module fills another version of the block.
    #[error("abi-version: the module fills version {found} of the block, this tool knows {known}")]
    AbiVersion {
        /// That of the module.
        found: u32,
        /// That of this crate.
        known: u32,
    },
    /// A scheduler of this name is there already.
    #[error(
        "name-clash: a scheduler `{0}` is loaded already; --replace puts this one in its place"
    )]
    NameClash(String),
    /// No scheduler has this name.
    #[error("no-scheduler: no scheduler `{0}` is loaded")]
    NoScheduler(String),
    /// A name that the shim does not take.
    #[error(
        "bad-name: `{}` is no name for a scheduler: 1 to 31 letters, digits and signs of ASCII, no slash, no dot in front; --as gives another one",
        .0.escape_debug()
    )]
    BadName(String),
    /// The descriptor is no MPTCP socket.
    #[error("not-mptcp: descriptor {0} is not an MPTCP socket")]
    NotMptcp(i32),
    /// The descriptor is not open.
    #[error("bad-descriptor: descriptor {0} is not open")]
    BadDescriptor(i32),
    /// There are R1 to R6.
    #[error("register-out-of-range: there is no R{0}; registers are R1 to R6")]
    Register(u32),
    /// The connection is with the kernel's own scheduler.
    #[error("not-served: no scheduler of the shim was chosen for descriptor {0}")]
    NotServed(i32),
    /// The connection has no such subflow.
    #[error("no-subflow: the connection has no subflow {0}")]
    NoSubflow(u32),
    /// Somebody else reads the trace.
    #[error("device-busy: another reader has the trace")]
    Busy,
    /// The scheduler reads what this kernel does not give.
    #[error("property-not-given: this kernel does not give {0}")]
    NotGiven(String),
    /// The kernel has no types of the module.
    #[error("no-btf: {0}")]
    NoBtf(String),
    /// The types of kernel and module do not fit together.
    #[error("layout-mismatch: {0}")]
    Layout(String),
    /// There is no module to insert.
    #[error("no-file: there is no {0}; kmod-shim/module/build makes a progmp.ko")]
    NoFile(String),
    /// A file that is something else.
    #[error(
        "not-the-module: {0} is not a progmp.ko: it has no note of layouts; kmod-shim/module/build makes one"
    )]
    NotTheModule(String),
    /// The kernel's verifier refuses the program.
    #[error("kernel-refuses: {why}\n{log}")]
    Verifier {
        /// The kernel's answer.
        why: String,
        /// Its log.
        log: String,
    },
    /// A traced record that does not fit the format.
    #[error("bad-trace: {0}")]
    Trace(String),
    /// Anything else that the system says.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: String,
        /// The system's answer.
        error: io::Error,
    },
}

impl Error {
    /// The short name that reports and tests use.
    pub fn name(&self) -> String {
        let text = self.to_string();
        let name = text.split(':').next().unwrap_or_default();
        name.to_owned()
    }

    pub(crate) fn system(what: impl Into<String>, error: io::Error) -> Self {
        let what = what.into();
        Self::System { what, error }
    }
}
