"""Asks cvc5 about every SMT-LIB 2 file of a folder; each query must be unsatisfiable.

In: a folder. Out: a table of what cvc5 said, a line for each query that it did not confirm, and
an exit code: 0 nothing disagrees and something is confirmed, 1 cvc5 found a model of a query that
must have none, 2 there is nothing to ask or a file is not a script that cvc5 can read.

`unknown` is no disagreement: cvc5 is weaker than Z3 on some queries. The effort of a query is
bounded by cvc5's own resource count, which does not depend on the machine; the time limit only
guards against a hang.
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import cvc5

RESOURCES_PER_QUERY = 2_000_000
HANG_MILLISECONDS_PER_QUERY = "60000"

CONFIRMED, UNKNOWN, DISAGREES, UNREADABLE = "confirmed", "unknown", "disagrees", "unreadable"
OUTCOMES = {"unsat": CONFIRMED, "unknown": UNKNOWN, "sat": DISAGREES}


def ask(path, resources):
    """Runs one script; returns `(outcome, remark)` for each of its queries, at least one."""
    solver = cvc5.Solver(cvc5.TermManager())
    # Z3 writes no logic into its scripts; the advice that cvc5 prints for each would be noise.
    solver.setOption("verbosity", "-1")
    solver.setOption("rlimit-per", str(resources))
    solver.setOption("tlimit-per", HANG_MILLISECONDS_PER_QUERY)
    symbols = cvc5.SymbolManager(solver)
    parser = cvc5.InputParser(solver, symbols)
    answers = []
    try:
        parser.setFileInput(cvc5.InputLanguage.SMT_LIB_2_6, str(path))
        while not (command := parser.nextCommand()).isNull():
            name = command.getCommandName()
            said = str(command.invoke(solver, symbols)).strip()
            if name in ("check-sat", "check-sat-assuming"):
                # An unknown carries its reason: `unknown (RESOURCEOUT)`.
                verdict = said.split(maxsplit=1)[0] if said else ""
                answers.append((OUTCOMES.get(verdict, UNREADABLE), said))
            elif said.startswith("(error"):
                answers.append((UNREADABLE, said))
    except (RuntimeError, ValueError) as error:
        answers.append((UNREADABLE, str(error).strip()))
    return answers or [(UNREADABLE, "the script asks nothing")]


def main(folder, resources):
    """Asks about each file of `folder` and prints the table; returns the exit code."""
    paths = sorted(Path(folder).rglob("*.smt2"))
    if not paths:
        print(f"error: no *.smt2 file in {folder}", file=sys.stderr)
        return 2
    counts = dict.fromkeys((CONFIRMED, UNKNOWN, DISAGREES, UNREADABLE), 0)
    try:
        with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
            for path, answers in zip(paths, pool.map(partial(ask, resources=resources), paths)):
                for outcome, remark in answers:
                    counts[outcome] += 1
                    if outcome != CONFIRMED:
                        first_line = remark.splitlines()[0] if remark else "no answer"
                        print(f"{outcome}: {path.relative_to(folder)}: {first_line}")
    except BrokenProcessPool:
        print("error: cvc5 crashed", file=sys.stderr)
        return 70
    print(f"{'queries':<12}{sum(counts.values()):>7}  in {len(paths)} files")
    for outcome, count in counts.items():
        print(f"{outcome:<12}{count:>7}")
    if counts[DISAGREES]:
        return 1
    return 2 if counts[UNREADABLE] or not counts[CONFIRMED] else 0


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Ask cvc5 about every *.smt2 file of a folder.")
    arguments.add_argument("folder")
    arguments.add_argument("--rlimit", type=int, default=RESOURCES_PER_QUERY, help="per query")
    given = arguments.parse_args()
    sys.exit(main(given.folder, given.rlimit))
