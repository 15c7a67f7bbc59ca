//! Reads a scheduler from standard input and prints what is wrong with it.

use std::io::Read;

fn main() -> std::io::Result<()> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let require: Vec<String> = std::env::args().skip(1).collect();
    let parsed = progmp_syntax::parse("<stdin>", &bytes, &require);
    print!(
        "{}",
        progmp_syntax::render(&parsed.diagnostics, &parsed.source, false)
    );
    if let Some(program) = parsed.program {
        println!("{} statements", program.stmt_count);
    }
    Ok(())
}
