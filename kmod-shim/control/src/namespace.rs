//! `net.mptcp.scheduler`: which scheduler sockets to come have in this network namespace.

use std::fs;
use std::io;

use crate::error::Error;

const SETTING: &str = "/proc/sys/net/mptcp/scheduler";

fn set(value: &str) -> Result<(), Error> {
    fs::write(SETTING, value).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Error::NoPrivilege(SETTING, "CAP_NET_ADMIN"),
        _ => Error::system(SETTING, error),
    })
}

/// Sockets to come are the shim's.
///
/// # Errors
/// No privilege, no MPTCP.
pub fn use_shim() -> Result<(), Error> {
    set("progmp")
}

/// Sockets to come are the kernel's.
///
/// # Errors
/// No privilege, no MPTCP.
pub fn use_kernel() -> Result<(), Error> {
    set("default")
}
