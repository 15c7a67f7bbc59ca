"""Schedulers for MPTCP sockets, from Python: the calls of the ProgMP paper (Middleware 2017, section 3.3).

    import progmp
    progmp.loadScheduler(open("min_rtt.progmp").read(), "simple")
    progmp.setScheduler(connection, "simple")
    progmp.setRegister(connection, progmp.R1, 5)

Loading is what `progmp load` does: the scheduler is proved and compiled first. Everything else is a call of
/dev/progmp (kmod-shim/progmp_uapi.h); none of these takes privileges but for the caller's own sockets.
"""

import errno
import fcntl
import os
import struct
import subprocess

R1, R2, R3, R4, R5, R6 = range(1, 7)

DEVICE = "/dev/progmp"
COMMAND = "progmp"
VERSION = 1
NAME_BYTES = 32

_READ, _WRITE = 2, 1
_VERSION = struct.Struct("=8I32s")
_CHOICE = struct.Struct("=iI32s")
_REGISTERS = struct.Struct("=iI6Q")
_USER = struct.Struct("=iIQ")


class Error(Exception):
    """What the shim or the compiler refuses, and why."""


def _number(direction, number, layout):
    return direction << 30 | layout.size << 16 | 0xB7 << 8 | number


_MEANING = {
    errno.EBADF: "bad-descriptor: the socket is not open",
    errno.ENOTSOCK: "not-mptcp: this is not a socket",
    errno.EPROTOTYPE: "not-mptcp: this is not an MPTCP socket",
    errno.EPERM: "no-privilege",
    errno.ENODEV: "no-subflow: the connection has no such subflow",
    errno.EBUSY: "device-busy",
}

_device = None


def _call(direction, number, layout, *values, missing="not-served: no scheduler was chosen for this socket"):
    argument = bytearray(layout.pack(*values))
    try:
        fcntl.ioctl(_open(), _number(direction, number, layout), argument)
    except OSError as error:
        meaning = missing if error.errno == errno.ENOENT else _MEANING.get(error.errno, error.strerror)
        raise Error(meaning) from error
    return layout.unpack(argument)


def _open():
    """The device, opened once, when the first call needs it."""
    global _device
    if _device is None:
        try:
            device = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise Error(
                f"no-module: {DEVICE} does not exist; insert progmp.ko first, `progmp doctor` tells what that needs"
            ) from error
        except OSError as error:
            raise Error(f"no-device: {DEVICE}: {error.strerror}") from error
        argument = bytearray(_VERSION.size)
        fcntl.ioctl(device, _number(_READ, 0, _VERSION), argument)
        found = _VERSION.unpack(argument)[0]
        if found != VERSION:
            os.close(device)
            raise Error(f"uapi-version: the module speaks version {found}, this library {VERSION}")
        _device = device
    return _device


def _fd(connection):
    """A socket, or anything else with a descriptor."""
    if isinstance(connection, int):
        return connection
    if hasattr(connection, "fileno"):
        return connection.fileno()
    raise TypeError(f"a socket or its descriptor is wanted, not {type(connection).__name__}")


def _name(name):
    if len(name) >= NAME_BYTES:
        raise Error(f"bad-name: `{name}` is longer than {NAME_BYTES - 1} bytes")
    if any(not "!" <= letter <= "~" or letter == "/" for letter in name):
        raise Error(f"bad-name: {name!r} has more than visible ASCII letters, or a slash")
    return name.encode()


def _command(*arguments, text=""):
    """Runs `progmp`."""
    try:
        done = subprocess.run([COMMAND, *arguments], input=text.encode(), capture_output=True, check=False)
    except FileNotFoundError as error:
        raise Error(f"no-command: `{COMMAND}` is not on the PATH; README.md tells how it is built") from error
    if done.returncode != 0:
        raise Error(done.stderr.decode(errors="replace").strip())


def _u64(value):
    if not 0 <= value < 1 << 64:
        raise Error(f"value-out-of-range: {value} is not below 2^64")
    return value


def loadScheduler(source, name):
    """Proves, compiles and loads the text of a scheduler under a name."""
    _name(name)
    _command("load", "-", "--as", name, text=source)


def unloadScheduler(name):
    """Removes a scheduler; its connections go on with the kernel's own."""
    _command("unload", name)


def setScheduler(connection, name):
    """Chooses the scheduler of a socket, at any time; "" is the kernel's own."""
    _call(_WRITE, 1, _CHOICE, _fd(connection), 0, _name(name), missing=f"no-scheduler: no scheduler `{name}` is loaded")


def setRegister(connection, register, value):
    """Writes R1 to R6 of a connection, which triggers its scheduler."""
    if register not in range(R1, R6 + 1):
        raise Error(f"register-out-of-range: there is no R{register}; registers are R1 to R6")
    values = [0] * 6
    values[register - 1] = _u64(value)
    _call(_WRITE, 3, _REGISTERS, _fd(connection), 1 << (register - 1), *values)


def getRegister(connection, register):
    """Reads R1 to R6 of a connection."""
    if register not in range(R1, R6 + 1):
        raise Error(f"register-out-of-range: there is no R{register}; registers are R1 to R6")
    values = _call(_READ | _WRITE, 4, _REGISTERS, _fd(connection), 0, *[0] * 6)
    return values[2 + register - 1]


def setUser(connection, value, subflow=0):
    """Sets USER of the packets that the next writes make, or of a subflow by its ID."""
    _call(_WRITE, 5, _USER, _fd(connection), subflow, _u64(value))
