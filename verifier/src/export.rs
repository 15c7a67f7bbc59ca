//! Everything that was proved for any size, as SMT-LIB 2 for another solver.

use progmp_ir::Program;

use crate::check::check_all;
use crate::conservation;
use crate::engine::{Engine, Options};
use crate::smt::print::script;

/// Checks the program and hands over each query that the solver refuted: name and script.
/// Another solver must answer `unsat` to each.
pub fn export(program: &Program, options: &Options, sink: &mut dyn FnMut(&str, &str)) {
    for step in conservation::Step::ALL {
        let (terms, assertions) = conservation::obligation(step);
        sink(&format!("host-{step:?}"), &script(&terms, &assertions));
    }
    let mut engine = Engine::new(program, *options);
    check_all(&mut engine, &mut |_| {});
    let proved = std::mem::take(&mut engine.proved);
    for (number, (name, arithmetic, goal)) in proved.iter().enumerate() {
        let side = engine.unbounded(*arithmetic);
        let mut assertions = side.domain.axioms.clone();
        assertions.push(*goal);
        let name: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let name = name
            .split('-')
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("-");
        sink(
            &format!("{number:03}-{name}"),
            &script(&side.domain.terms, &assertions),
        );
    }
}
