"""The checks graded: every mutant loses points and is told why, every alternative keeps all points, and what a
machine makes of the references dies or is known to be no mistake."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from products import grading, kept

import solutions
from autograder import samples
from autograder.author import build
from autograder.author.lesson import read_lesson
from autograder.gate import machine, report
from autograder.gate.registry import SEEDS, Row, grade, variants
from autograder.judge import matching, scoring
from autograder.sandbox.session import Session
from nas_lib import checks, cli
from nas_lib.checks import ConceptQuestion, Verdict
from solutions.mistakes import Mistake

LESSONS = checks.lessons()
EXERCISES = [item for lesson in LESSONS for item in checks.exercises(lesson).values()]
FUNCTIONS = [item for item in EXERCISES if not isinstance(item, ConceptQuestion)]
ALTERNATIVES = [
    pytest.param(item, variant, id=f"{item.name}-{variant.name}")
    for item in EXERCISES
    for variant in variants(item.name)
    if not variant.is_wrong
]
ZERO = "00_start_here"

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # wrong answers divide by zero
forks = pytest.mark.skipif(
    "fork" not in machine.multiprocessing.get_all_start_methods(), reason="mutants run in a forked process"
)


def by_name(items):
    return pytest.mark.parametrize("item", items, ids=lambda item: item.name)


@pytest.fixture(scope="module")
def zero():
    """The kill table of one lesson, without the machine-made mutants."""
    return report.of_lesson(ZERO)


# ------------------------------------------------------------------------------------- named variants


@by_name(EXERCISES)
def test_a_quarter_of_the_mistakes_is_caught_and_told(item):
    """All of them, on more seeds, in the slow test below."""

    def faults():
        tried = [one for one in variants(item.name) if one.is_wrong][::4]
        return [report.fault_of(row) for row in grade(item, tried, SEEDS[:1]) if not row.holds]

    with kept(f"mistakes-{item.name}", faults, grading(item.lesson)) as found:
        assert found == []


@by_name(EXERCISES)
def test_each_exercise_has_enough_mistakes_and_right_answers(item):
    own = [one for one in variants(item.name) if not one.everywhere]
    assert sum(one.is_wrong for one in own) >= report.LEAST_WRONG
    assert sum(not one.is_wrong for one in own) >= report.LEAST_RIGHT


@pytest.mark.parametrize("lesson", LESSONS)
def test_each_sentence_is_told_of_one_concept_only(lesson):
    for name, told in solutions.load(lesson).MISTAKES.items():
        concepts: dict[str, set[str]] = {}
        for one in told:
            if one.message:
                concepts.setdefault(one.message, set()).add(one.concept)
                assert len(one.message.split()) >= 3, (name, one.name)
        assert [message for message, found in concepts.items() if len(found) > 1] == [], name


@pytest.mark.parametrize("seeds", [1, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("item", "variant"), ALTERNATIVES)
def test_alternatives_keep_full_marks_on_every_seed(item, variant, seeds):
    def grades():
        right = [one for one in variants(item.name) if not one.is_wrong]
        rows = grade(item, right, range(2_000, 2_000 + seeds))
        return {row.variant.name: row.messages for row in rows if not row.holds}

    with kept(f"alternatives-{item.name}-{seeds}", grades, grading(item.lesson)) as lost:
        assert variant.name not in lost, lost


def test_variants_of_an_exercise_that_is_not_there_are_none():
    with pytest.raises(ValueError, match="Did you mean"):
        variants("cell_indx")


def _row(exercise, name, concept, message, score, concepts, messages):
    return Row(exercise, Mistake(name, concept, message, None), score, concepts, messages)


# Each is one thing that keeps the gate shut, made by grading a variant that does not deserve its place.
WRONG_PLACE = [
    (_row("cell_index", "spared", "edge-order", "", 1.0, ("",), ("",)), "spared lost nothing"),
    (_row("cell_index", "hit", "", "", 0.5, ("raises",), ("…",)), "right answer hit lost points"),
    (
        _row("hill_climb", "other", "fixed-seed", "", 0.0, ("ignores-rng",), ("they differ",)),
        "told of ignores-rng, not of fixed-seed",
    ),
    (
        _row("cell_index", "vague", "edge-order", "back to front", 0.0, ("edge-order",), ("it is wrong",)),
        "was told “it is wrong”, not its own sentence “back to front”",
    ),
]


@pytest.mark.parametrize(("row", "fault"), WRONG_PLACE, ids=lambda value: getattr(value, "variant", None))
def test_whatever_goes_wrong_shuts_the_gate(row, fault, zero):
    found = replace(zero, rows=[*zero.rows, row]).faults
    assert len(found) == 1 and fault in found[0]


def test_too_few_variants_shut_the_gate(zero):
    rows = [row for row in zero.rows if row.exercise != "cell_index"]
    found = replace(zero, rows=rows).faults
    assert found == ["cell_index has 0 named mutants and 0 alternatives; there must be 5 and 2"]


# ----------------------------------------------------------------------------------- machine-made mutants


def test_mutants_are_single_changes_of_the_reference_by_cosmic_ray():
    pytest.importorskip("cosmic_ray")
    made = machine.mutants("01_random_search", "paired_bootstrap")
    source = machine.reference_cell("01_random_search", "paired_bootstrap")
    assert len({one.source for one in made}) == len(made) > 30
    for one in made:
        before, after = source.splitlines(), one.source.splitlines()
        assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
        assert any(a.strip() == one.line and b.strip() == one.mutated for a, b in zip(before, after))
    assert {"NumberReplacer", "ReplaceBinaryOperator_Sub_Add", "ReplaceOrWithAnd"} <= {
        one.operator for one in made
    }
    assert any("resamples= 9999" in one.mutated for one in made)
    with pytest.raises(ValueError, match="exercise must have a cell"):
        machine.mutants("01_random_search", "nothing")


@forks
@by_name(FUNCTIONS)
def test_a_sample_of_the_machine_made_mutants_dies(item):
    pytest.importorskip("cosmic_ray")
    known = machine.equivalents(item.lesson)

    def grades():
        results = machine.grade(item.lesson, item.name, every=32)
        return {"made": len(results), "survivors": [asdict(one.mutant) for one in results if not one.killed]}

    with kept(f"machine-made-{item.name}", grades, grading(item.lesson)) as found:
        survivors = [machine.Mutant(**one) for one in found["survivors"]]
        assert found["made"] and [one for one in survivors if not any(e.covers(one) for e in known)] == []


@pytest.mark.slow
@forks
@pytest.mark.parametrize("lesson", LESSONS)
def test_every_mistake_and_every_machine_made_mutant_dies_or_is_known_to_be_equivalent(
    lesson, record_property
):
    found = report.of_lesson(lesson, with_machine=True)
    record_property("print", report.render(found))
    assert found.faults == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_what_is_listed_as_equivalent_has_a_reason(lesson):
    """That it is made and survives is seen in the slow test above."""
    for listed in machine.equivalents(lesson):
        assert len(listed.reason.split()) >= 4, listed


def _made(concept: str, name: str = "AddNot") -> machine.Result:
    return machine.Result(machine.Mutant("cell_index", name, "if a:", "if not a:", ""), concept)


def test_survivors_without_a_reason_and_reasons_without_a_survivor_shut_the_gate(zero):
    listed = machine.Equivalent("cell_index", "AddNot", "if a:", "if not a:", "it is one")
    dead = [_made("raises")] * 30

    def faults(results, equivalents):
        return replace(zero, results={"cell_index": results}, equivalents=equivalents).faults

    assert faults([*dead, _made("")], [listed]) == []
    assert "survives and is not listed" in faults([*dead, _made("")], [])[0]
    assert "survives and is not listed" in faults([*dead, _made("", "Other")], [])[0]
    assert "no such mutant survives" in faults(dead, [listed])[0]
    assert "at least 95% have to die" in faults([*dead, *[_made("")] * 2], [listed])[0]


@forks
def test_a_mutant_that_hangs_or_takes_the_process_along_is_killed_and_the_next_is_tried(monkeypatch):
    sources = {
        "loops": "def cell_index(arch):\n    while True:\n        pass",
        "hangs": "def cell_index(arch):\n    return sum(range(10**12))",  # no alarm rings within C code
        "leaves": "import os\ndef cell_index(arch):\n    os._exit(0)",
        "breaks": "def cell_index(arch:\n    pass",
        "right": machine.reference_cell(ZERO, "cell_index"),
    }
    made = [machine.Mutant("cell_index", name, "", "", source) for name, source in sources.items()]
    monkeypatch.setattr(machine, "mutants", lambda *_: made)
    monkeypatch.setattr(machine, "LEAST_SECONDS", 0.2)
    monkeypatch.setattr(machine, "HARD_SECONDS", 8.0)
    results = machine.grade(ZERO, "cell_index")
    assert [one.concept for one in results] == ["too-slow", "too-slow", "crash", "raises", ""]


def test_an_unreadable_list_is_said_plainly(tmp_path):
    for text in ("[[equivalent]]\nexercise = 'cell_index'\n", "nothing", "[[equivalents]]\n"):
        (tmp_path / f"{ZERO}.toml").write_text(text)
        with pytest.raises(ValueError, match=r"must hold \[\[equivalent\]\] tables"):
            machine.equivalents(ZERO, tmp_path)


# ---------------------------------------------------------------------------------------- the command


def test_the_command_prints_the_table_and_the_exit_status_is_the_gate_s(capsys, monkeypatch):
    assert cli.main(["mutants", "--lesson", ZERO]) == 0
    out = capsys.readouterr().out
    assert "mutants killed" in out and "every alternative keeps them all" in out
    monkeypatch.setattr(type(checks.exercise("cell_from_index")), "judge", lambda *_: Verdict(1.0))
    monkeypatch.setattr(type(checks.exercise("cell_from_index")), "explained", lambda *_: {})
    assert cli.main(["mutants", "--lesson", ZERO]) == 1
    assert "!! cell_from_index: the mistake" in (out := capsys.readouterr().out) and "lost nothing" in out
    assert cli.main(["mutants", "--lesson", "99_nothing"]) == 2
    assert "lesson must be one of 00_start_here" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------- regrades


@pytest.mark.parametrize(
    ("lesson", "times"),
    [("01_random_search", 2), *(pytest.param(one, 10, marks=pytest.mark.slow) for one in LESSONS)],
)
def test_regrades_of_the_reference_are_identical(lesson, times, sandboxed):
    """The same verdict on every task each time, in two processes as submissions get them."""
    notebook = samples.notebook(lesson, samples.sources(lesson, "perfect"))
    master = matching.Master.of(build.student_notebook(lesson))
    steps = matching.plan(matching.restore(notebook, master), master)
    names = [task.name for task in read_lesson(lesson).tasks if task.name in master.points]
    found = []
    for _ in range(2):
        with Session(lesson, steps) as session:
            session.start()
            transport = scoring.WorkerTransport(session)
            found += [
                {
                    name: checks.grade(checks.exercise(name), transport, solutions.load(lesson), 20_260_101)
                    for name in names
                }
                for _ in range(times)
            ]
    assert len(found) == 2 * times and all(one == found[0] for one in found)
    assert all(verdict.right for verdict in found[0].values())
