//! The command `progmp` in front of the module: what it loads, what it refuses, what it says.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::Command;

use super::served::Served;
use super::{Suite, Test};
use crate::net::{End, Net, within};
use crate::shim;
use crate::transfer::{Plan, connect, socket_of};
use crate::{Tried, Verdict};

pub(crate) const SUITE: Suite = Suite {
    name: "command",
    tests: &[
        Test {
            name: "doctor_finds_the_machine_fit",
            run: doctor,
        },
        Test {
            name: "load_takes_what_is_proved_and_unload_removes_it",
            run: loads,
        },
        Test {
            name: "load_refuses_what_was_altered",
            run: altered,
        },
        Test {
            name: "load_refuses_what_is_not_proved_unless_it_is_told_to",
            run: unproved,
        },
        Test {
            name: "load_refuses_what_this_kernel_does_not_give",
            run: not_given,
        },
        Test {
            name: "set_status_and_restore_speak_with_the_kernel",
            run: settings,
        },
        Test {
            name: "status_tells_what_fell_back_to_tcp",
            run: plain,
        },
        Test {
            name: "trace_replays_what_it_sees",
            run: traces,
        },
    ],
};

/// Runs the command; gives its exit code and all that it printed.
fn progmp(arguments: &[&str]) -> Result<(i32, String), String> {
    let output = Command::new("/bin/progmp")
        .args(arguments)
        .env("LD_LIBRARY_PATH", "/lib")
        .output()
        .tried("progmp")?;
    let text = [output.stdout, output.stderr].concat();
    let code = output.status.code().unwrap_or(-1);
    Ok((code, String::from_utf8_lossy(&text).into_owned()))
}

/// Runs it, and expects an exit code and words.
fn says(arguments: &[&str], code: i32, words: &[&str]) -> Result<String, String> {
    let (found, text) = progmp(arguments)?;
    let missing = words.iter().find(|word| !text.contains(**word));
    match missing {
        None if found == code => Ok(text),
        _ => Err(format!(
            "progmp {}: exit code {found}, not {code}, or no {missing:?} in: {text}",
            arguments.join(" ")
        )),
    }
}

fn doctor() -> Verdict {
    shim::device()?;
    says(
        &["doctor", "--module", "/modules/progmp.ko"],
        0,
        &["facts hold"],
    )
}

fn loads() -> Verdict {
    if shim::inserted() {
        shim::remove()?;
    }
    says(&["load", "/objects/min_rtt/min_rtt.o"], 2, &["no-module"])?;
    says(
        &[
            "load",
            "/objects/min_rtt/min_rtt.o",
            "--module",
            "/modules/veth.ko",
        ],
        2,
        &["not-the-module"],
    )?;
    says(
        &[
            "load",
            "/objects/redundant/source",
            "--module",
            "/modules/progmp.ko",
        ],
        0,
        &["redundant is loaded"],
    )?;
    says(&["unload", "redundant"], 0, &["is removed"])?;
    says(
        &["load", "/objects/min_rtt/min_rtt.o"],
        0,
        &["min_rtt is loaded", "proved"],
    )?;
    says(&["list"], 0, &["min_rtt", "proved for"])?;
    says(&["load", "/objects/min_rtt/min_rtt.o"], 2, &["name-clash"])?;
    says(
        &["load", "/objects/min_rtt/min_rtt.o", "--replace"],
        0,
        &["is replaced"],
    )?;
    says(
        &["load", "/objects/min_rtt/source", "--as", "other"],
        0,
        &["other is loaded"],
    )?;
    says(&["unload", "min_rtt"], 0, &["is removed"])?;
    says(&["unload", "min_rtt"], 2, &["no-scheduler"])?;
    says(&["unload", "other"], 0, &["is removed"])?;
    let left = shim::device()?.schedulers().tried("the list")?;
    if left.is_empty() {
        Ok(String::new())
    } else {
        Err(format!("{} schedulers are left", left.len()))
    }
}

fn altered() -> Verdict {
    shim::device()?;
    let object = fs::read("/objects/min_rtt/min_rtt.o").tried("an object")?;
    let code = fs::read("/objects/min_rtt/code").tried("its code")?;
    // The longest piece of code that is the same in all three programs.
    let tail = &code[code.len() / 2..];
    let at = object
        .windows(tail.len())
        .rposition(|window| window == tail);
    let at = at.ok_or("the code is not in the object")?;
    for (what, place, error) in [
        ("code", at + 4, "error"),
        ("the header", 0, "error"),
        ("its end", object.len() - 1, "error"),
    ] {
        let mut other = object.clone();
        other[place] ^= 1;
        fs::write("/tmp/altered.o", &other).tried("a file")?;
        let (code, text) = progmp(&["load", "/tmp/altered.o"])?;
        if code == 0 || !text.contains(error) {
            return Err(format!("{what} was altered: {code} {text}"));
        }
    }
    fs::write("/tmp/cut.o", &object[..object.len() / 2]).tried("a file")?;
    says(&["load", "/tmp/cut.o"], 2, &["bad-object"])?;
    let left = shim::device()?.schedulers().tried("the list")?;
    if left.is_empty() {
        Ok(String::new())
    } else {
        Err("something was loaded".to_owned())
    }
}

fn unproved() -> Verdict {
    shim::device()?;
    fs::write(
        "/tmp/endless.progmp",
        "SCHEDULER endless;\nSUBFLOWS.MIN(s => s.RTT).PUSH(Q.TOP);\n",
    )
    .tried("a file")?;
    says(&["load", "/tmp/endless.progmp"], 1, &["trigger-terminates"])?;
    says(
        &["load", "/tmp/endless.progmp", "--unproved"],
        0,
        &["not proved"],
    )?;
    says(&["list"], 0, &["endless", "not proved"])?;
    says(&["unload", "endless"], 0, &[])
}

fn not_given() -> Verdict {
    shim::device()?;
    fs::write(
        "/tmp/wide.progmp",
        "SCHEDULER wide;\nSUBFLOWS.MAX(s => s.BW_OUT_SEND).PUSH(Q.POP());\n",
    )
    .tried("a file")?;
    let words = ["property-not-given", "BW_OUT_SEND"];
    says(&["load", "/tmp/wide.progmp"], 2, &words)?;
    let left = shim::device()?.schedulers().tried("the list")?;
    if left.is_empty() {
        Ok(String::new())
    } else {
        Err("it was loaded".to_owned())
    }
}

fn settings() -> Verdict {
    let _served = Served::by("round_robin")?;
    let net = Net::usual()?;
    let plan = Plan::up(100_000);
    let mut pair = connect(&plan)?;
    pair.join(plan.joins)?;
    let socket = format!("1:{}", pair.client_number());
    says(
        &[
            "set",
            "--socket",
            &socket,
            "round_robin",
            "R1=2",
            "2.USER=5",
        ],
        0,
        &[],
    )?;
    pair.run(&net, &plan, |_| Ok(()))?;
    says(
        &["status", "--socket", &socket],
        0,
        &["round_robin", "subflow 2"],
    )?;
    says(&["status"], 0, &["memory:", "round_robin"])?;
    says(
        &["set", "--socket", &socket, "R9=1"],
        2,
        &["register-out-of-range"],
    )?;
    says(
        &["set", "--socket", "1:9999", "R1=1"],
        2,
        &["bad-descriptor"],
    )?;
    says(&["set", "R1=1"], 2, &["--socket"])?;
    says(&["restore"], 0, &["connections are back"])?;
    says(&["status", "--socket", &socket], 0, &["kernel's own"])?;
    Ok(String::new())
}

/// A client that asks for MPTCP, and a server that knows only TCP.
fn plain() -> Verdict {
    let served = Served::by("default")?;
    let net = Net::usual()?;
    let address: SocketAddr = ([10, 0, 1, 2], 4_800).into();
    let listener = within(End::Server, || {
        TcpListener::bind(address).tried("a TCP socket")
    })?;
    let client = within(End::Client, || {
        let client = socket_of(&address)?;
        let chosen = served.device.choose(client.as_raw_fd(), &served.name);
        chosen.tried("choosing")?;
        rustix::net::connect(&client, &address).tried("connect")?;
        Ok(client)
    })?;
    let mut client = TcpStream::from(client);
    let (mut server, _) = listener.accept().tried("accept")?;
    client.write_all(b"plain").tried("a write")?;
    let mut bytes = [0; 5];
    server.read_exact(&mut bytes).tried("a read")?;
    let socket = format!("1:{}", client.as_raw_fd());
    says(
        &["status", "--socket", &socket],
        0,
        &["nobody (fell back to TCP)", "default was chosen"],
    )?;
    drop(net);
    Ok(String::new())
}

fn traces() -> Verdict {
    let served = Served::by("min_rtt")?;
    let net = Net::usual()?;
    let plan = Plan::both(2_000_000);
    let pair = served.connect(&plan)?;
    std::thread::scope(|scope| {
        let tracing = scope.spawn(|| {
            let arguments = [
                "trace",
                "--count",
                "300",
                "--replay",
                "/objects/min_rtt/source",
            ];
            says(&arguments, 0, &["300 executions replayed, 0 differences"])
        });
        // The reader has to be there first.
        std::thread::sleep(std::time::Duration::from_secs(2));
        let moved = served.transfer(&net, &plan, &pair, |_| Ok(()));
        let traced = tracing.join().map_err(|_| "it panicked")?;
        moved?;
        traced.map(|_| String::new())
    })
}
