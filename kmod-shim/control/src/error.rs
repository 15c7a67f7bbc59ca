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

/// What each name means, and what to do: name and text. `bad-object`, `no-proof-note` and `not-reproduced` are of objects.
pub const EXPLANATIONS: [(&str, &str); 24] = [
    (
        "no-module",
        "The module is not inserted. `progmp doctor` tells what that needs;\n\
         kmod-shim/module/build builds it, and `progmp load --module progmp.ko` compares it\n\
         with the running kernel and inserts it.",
    ),
    (
        "no-file",
        "The file that should hold the module is not there. kmod-shim/module/build makes it.",
    ),
    (
        "not-the-module",
        "The file has no note of layouts, so it is no progmp.ko.",
    ),
    (
        "layout-mismatch",
        "The module was built for another kernel: private structures lie elsewhere. Build it\n\
         against the headers of the running kernel.",
    ),
    (
        "no-btf",
        "The kernel does not tell its types, or not in a form that is known.\n\
         CONFIG_DEBUG_INFO_BTF=y is needed.",
    ),
    (
        "no-privilege",
        "Loading takes CAP_BPF and CAP_NET_ADMIN, inserting a module CAP_SYS_MODULE, what\n\
         concerns others CAP_NET_ADMIN. Become root.",
    ),
    (
        "uapi-version",
        "Module and command are of different versions. Build both from one checkout.",
    ),
    (
        "abi-version",
        "The module fills another version of the block than this compiler writes programs\n\
         for. Build both from one checkout.",
    ),
    (
        "name-clash",
        "A scheduler of this name is loaded. `--replace` puts the new one in its place,\n\
         `--as` gives it another name.",
    ),
    (
        "no-scheduler",
        "No scheduler of this name is loaded; `progmp list` names those that are.",
    ),
    (
        "bad-name",
        "A name is 1 to 31 visible characters of ASCII without a slash.",
    ),
    (
        "not-mptcp",
        "The descriptor is no MPTCP socket: open it with IPPROTO_MPTCP, or run the\n\
         application under `mptcpize run`.",
    ),
    ("bad-descriptor", "The descriptor is not open."),
    ("register-out-of-range", "There are R1 to R6."),
    (
        "not-served",
        "The connection is with the kernel's own scheduler. Choose one of the shim for it\n\
         first.",
    ),
    (
        "no-subflow",
        "The connection has no subflow with this ID; `progmp status` shows those that it has.",
    ),
    (
        "device-busy",
        "Somebody else reads the trace. There is one reader at a time.",
    ),
    (
        "property-not-given",
        "The scheduler reads what this kernel does not give (specs/shim.md, section 5).",
    ),
    (
        "kernel-refuses",
        "The kernel's verifier refuses the program, which is a mistake of ours. Please report\n\
         it, with the log.",
    ),
    (
        "bad-trace",
        "A traced record does not have the form that this version knows.",
    ),
    (
        "bad-object",
        "The file is no object of `progmp compile`, or was damaged.",
    ),
    (
        "no-proof-note",
        "The object was compiled without proof. `--unproved` loads it, and the kernel's log\n\
         tells.",
    ),
    (
        "not-reproduced",
        "The object is not what this compiler makes of the source in it: it was altered, or\n\
         made by another version, or with other requirements. Compile it again.",
    ),
    (
        "wrong-kernel",
        "The shim needs Linux 6.9 or newer with MPTCP and BPF.",
    ),
];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_explained() {
        let text = || "x".to_owned();
        let all = [
            Error::NoModule,
            Error::NoPrivilege("x", "y"),
            Error::UapiVersion { found: 0, known: 1 },
            Error::AbiVersion { found: 0, known: 1 },
            Error::NameClash(text()),
            Error::NoScheduler(text()),
            Error::BadName(text()),
            Error::NotMptcp(1),
            Error::BadDescriptor(1),
            Error::Register(7),
            Error::NotServed(1),
            Error::NoSubflow(1),
            Error::Busy,
            Error::NotGiven(text()),
            Error::NoBtf(text()),
            Error::Layout(text()),
            Error::NoFile(text()),
            Error::NotTheModule(text()),
            Error::Verifier {
                why: text(),
                log: text(),
            },
            Error::Trace(text()),
        ];
        for error in all {
            let name = error.name();
            assert!(
                EXPLANATIONS.iter().any(|(found, _)| *found == name),
                "{name}"
            );
        }
    }
}
