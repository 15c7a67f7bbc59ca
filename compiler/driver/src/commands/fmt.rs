//! `progmp fmt`: schedulers in their one layout.

use std::path::Path;

use super::{failed, mistakes, printed};
use crate::exit::Exit;
use crate::files;
use crate::pipeline::load;

/// What to format.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Schedulers; `-` reads standard input and writes to standard output
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Change nothing; name the files that are not formatted, and exit with 1 if there are any
    #[arg(long)]
    check: bool,
}

/// Runs the command. A file with mistakes is left as it is.
pub fn fmt(args: &Args) -> Exit {
    let mut exit = Exit::Accepted;
    for file in &args.files {
        exit = exit.and(one(file, args.check));
    }
    exit
}

fn one(file: &str, check: bool) -> Exit {
    let loaded = load(file, &[]);
    let Some(ast) = &loaded.ast else {
        files::complain(&mistakes(&loaded));
        return Exit::BadInput;
    };
    let formatted = progmp_syntax::format(ast, &loaded.source.text);
    if check {
        if formatted == loaded.source.text {
            return Exit::Accepted;
        }
        return printed(
            &format!("{} is not formatted\n", loaded.name),
            Exit::Rejected,
        );
    }
    if file == files::STDIN {
        return printed(&formatted, Exit::Accepted);
    }
    if formatted == loaded.source.text {
        return Exit::Accepted;
    }
    match files::write(Path::new(file), formatted.as_bytes()) {
        Ok(()) => Exit::Accepted,
        Err(why) => failed(&why),
    }
}
