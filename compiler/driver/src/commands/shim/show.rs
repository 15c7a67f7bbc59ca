//! `progmp list`, `progmp status`.

use std::fmt::Write as _;

use progmp_control::uapi::{
    COMPRESSED, Counters, FALLBACKS, IS_DEFAULT, Loaded, SERVED, SHOWN, TCP, UNPROVED, text,
};
use progmp_control::{Device, Error};

use super::socket::Socket;
use crate::commands::printed;
use crate::exit::Exit;

/// Of what to tell.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of one connection only: the process and its descriptor
    #[arg(long, value_name = "PID:FD")]
    socket: Option<Socket>,
}

/// Runs `progmp list`.
pub(super) fn list() -> Result<Exit, Error> {
    let device = Device::open()?;
    let mut out = String::new();
    for loaded in device.schedulers()? {
        let _ = writeln!(out, "{}", line(&loaded));
    }
    Ok(printed(&out, Exit::Accepted))
}

fn line(loaded: &Loaded) -> String {
    let proof = if loaded.flags & UNPROVED != 0 {
        "not proved".to_owned()
    } else {
        format!(
            "proved for {} subflows, {} packets",
            loaded.subflows, loaded.packets
        )
    };
    let compressed = if loaded.flags & COMPRESSED != 0 {
        ", compressed"
    } else {
        ""
    };
    let default = if loaded.flags & IS_DEFAULT != 0 {
        ", default of this network namespace"
    } else {
        ""
    };
    format!(
        "{:15} {proof}{compressed}, {} connections{default}",
        text(&loaded.name),
        loaded.connections
    )
}

/// Runs `progmp status`.
pub(super) fn status(args: &Args) -> Result<Exit, Error> {
    let device = Device::open()?;
    let mut out = String::new();
    if let Some(socket) = args.socket {
        let opened = socket.open()?;
        let found = match device.connection(opened.number()) {
            Err(Error::NotServed(_)) => {
                let text = "the kernel's own scheduler; none of the shim was chosen\n";
                return Ok(printed(text, Exit::Accepted));
            }
            found => found?,
        };
        let fallback = FALLBACKS
            .get(found.fallback as usize)
            .unwrap_or(&"unknown reason");
        let by = match found.fallback {
            SERVED => text(&found.name),
            TCP => format!("nobody ({fallback}); {} was chosen", text(&found.name)),
            _ => format!("the kernel's own scheduler ({fallback})"),
        };
        let _ = writeln!(out, "connection {}: {by}", found.number);
        let _ = writeln!(
            out,
            "  Q {}, QU {}, RQ {}, pending {}",
            found.q, found.qu, found.rq, found.pending
        );
        let shown = (found.subflows as usize).min(SHOWN);
        for subflow in &found.subflow[..shown] {
            let _ = writeln!(
                out,
                "  subflow {}: {} pushes, {} bytes",
                subflow.id, subflow.pushes, subflow.bytes
            );
        }
        counters(&mut out, &found.counters);
        return Ok(printed(&out, Exit::Accepted));
    }
    let version = device.version()?;
    let _ = writeln!(
        out,
        "module {}, calls {}, block {} ({} bytes)",
        text(&version.module),
        version.uapi,
        version.abi,
        version.block_bytes
    );
    let _ = writeln!(
        out,
        "memory: {} bytes a scheduler, {} a connection, {} a packet",
        version.scheduler_bytes, version.connection_bytes, version.packet_bytes
    );
    for loaded in device.schedulers()? {
        let _ = writeln!(out, "{}", line(&loaded));
        counters(&mut out, &loaded.counters);
    }
    Ok(printed(&out, Exit::Accepted))
}

fn counters(out: &mut String, c: &Counters) {
    let cells = [
        ("triggers", c.triggers),
        ("executions", c.executions),
        ("without effect", c.no_effect),
        ("pushes", c.pushes),
        ("bytes", c.pushed_bytes),
        ("copies", c.copies),
        ("bytes of copies", c.copied_bytes),
        ("drops", c.drops),
        ("pops", c.pops),
        ("skipped", c.skipped),
        ("reinjected", c.reinjected),
        ("blocked", c.blocked),
        ("refused", c.refused),
        ("rescues", c.rescues),
        ("fallbacks", c.fallbacks),
        ("longest idle", c.longest_idle),
        ("groups", c.groups),
        ("ns in programs", c.run_ns),
        ("ns in triggers", c.trigger_ns),
        ("ns in transmissions", c.send_ns),
    ];
    let cells: Vec<String> = cells
        .iter()
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    let _ = writeln!(out, "  {}", cells.join(", "));
}
