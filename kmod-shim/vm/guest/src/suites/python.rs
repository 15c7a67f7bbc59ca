//! The Python module, with an application that does what Fig. 8 of the paper does.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Suite, Test};
use crate::net::{End, Net, enter, within};
use crate::transfer::listen;
use crate::{Tried, Verdict, shim};

pub(crate) const SUITE: Suite = Suite {
    name: "python",
    tests: &[Test {
        name: "an_application_brings_its_scheduler_as_in_figure_8",
        run: figure8,
    }],
};

const BYTES: usize = 400_000;

fn figure8() -> Verdict {
    shim::device()?;
    let _net = Net::usual()?;
    let (listener, port) = within(End::Server, listen)?;
    std::thread::scope(|scope| {
        let server = scope.spawn(move || {
            enter(End::Server)?;
            let (mut stream, _) = listener.accept().tried("accept")?;
            stream
                .set_read_timeout(Some(Duration::from_mins(1)))
                .tried("SO_RCVTIMEO")?;
            let mut all = Vec::new();
            stream.read_to_end(&mut all).tried("a read")?;
            Ok::<_, String>(all.len())
        });
        let client = within(End::Client, || {
            let output = Command::new("/bin/python3")
                .args([
                    "/python/figure8.py",
                    "/objects/compensating/source",
                    "10.0.1.2",
                ])
                .args([port.to_string(), BYTES.to_string()])
                .env("PATH", "/bin")
                .env("LD_LIBRARY_PATH", "/lib")
                .env("PYTHONHOME", "/usr")
                .env("PYTHONPATH", "/python")
                .stdin(Stdio::null())
                .output()
                .tried("python3")?;
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            if output.status.success() {
                Ok(text)
            } else {
                Err(text)
            }
        });
        let text = client?;
        let received = server.join().map_err(|_| "the server panicked")??;
        if received == BYTES {
            Ok(text.trim().to_owned())
        } else {
            Err(format!("{received} bytes arrived: {text}"))
        }
    })
}
