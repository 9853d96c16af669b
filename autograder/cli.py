"""The instructor's commands of `nas-course`, from `new-exercise` and `build` to `grade` and `release`.

Only arguments are read and results printed here; the work is done in the modules of this package, imported
when needed so that `nas-course doctor` stays quick.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nas_lib._files import at

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from autograder.reports.grade_table import Grades

DEFAULT_COURSE = Path("course")
SAMPLES_COURSE = Path("course/samples")


def add_commands(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the instructor's commands to `nas-course`, and let its doctor try the sandbox."""
    if "doctor" in commands.choices:
        commands.choices["doctor"].set_defaults(no_sandbox=_no_sandbox)

    new = commands.add_parser(
        "new-exercise", help="write the stubs of an exercise: its cells, its cases and its usual mistakes"
    )
    new.add_argument("lesson", help="lesson that gets it, such as 01_random_search")
    new.add_argument("name", help="name of the function to be written")
    new.set_defaults(run=_new_exercise)

    build = commands.add_parser("build", help="write notebooks/ and the public checks from solutions/")
    build.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if a generated file is not what the sources give",
    )
    build.add_argument(
        "--force", action="store_true", help="overwrite generated notebooks even if somebody worked in them"
    )
    build.set_defaults(run=_build)

    verify = commands.add_parser(
        "verify", help="look for faults in the lessons' sources and for answers in what learners get"
    )
    verify.add_argument(
        "--course",
        nargs="*",
        metavar="LESSON",
        help="execute lessons with the reference (default: all) and print what each takes and gives",
    )
    verify.set_defaults(run=_verify)

    site = commands.add_parser(
        "site",
        help="make the reading site: lessons executed with solutions folded, library, guides (minutes)",
    )
    site.add_argument(
        "--into", default="dist/site", help="folder of its pages, made anew (default: %(default)s)"
    )
    site.set_defaults(run=_site)

    assign = commands.add_parser(
        "assign", help="make the nbgrader course folder, with lessons to release and the due date"
    )
    assign.add_argument("lessons", nargs="*", metavar="LESSON", help="lessons to assign (default: all)")
    _add_course(assign)
    assign.add_argument("--due", help='due date, such as "2026-10-01 23:59 UTC"')
    assign.set_defaults(run=_assign)

    grade = commands.add_parser(
        "grade", help="grade a folder or zip of submissions (without one: the bundled samples)"
    )
    grade.add_argument(
        "submissions",
        nargs="?",
        type=at,
        help="folder or zip of submissions; without it the bundled samples are graded",
    )
    grade.add_argument("--lesson", help="lesson to grade, such as 01_random_search; needed with a folder")
    grade.add_argument(
        "--out", type=at, help="CSV to write (default: grades_<lesson>.csv in the course folder)"
    )
    grade.add_argument("--course", type=at, help=f"nbgrader course folder (default: {DEFAULT_COURSE})")
    grade.add_argument(
        "--jobs", type=int, default=1, help="submissions graded at the same time (default: %(default)s)"
    )
    grade.add_argument(
        "--scheduler",
        help="address of a Dask scheduler, such as tcp://host:8786, whose workers grade instead of this machine",
    )
    grade.add_argument(
        "--regrade",
        action="store_true",
        help="evaluate every submission anew; else unchanged ones keep what an earlier or interrupted run found out",
    )
    grade.add_argument("--due", help='due date, such as "2026-10-01 23:59 UTC"')
    grade.add_argument(
        "--roster",
        type=at,
        metavar="CSV",
        help="Canvas's or Moodle's own file, for names and ids; Moodle's worksheet also tells when each handed in",
    )
    grade.add_argument(
        "--zone", default="", help="time zone of the times in Moodle's worksheet, such as Europe/Berlin"
    )
    grade.add_argument(
        "--trust-timestamps",
        action="store_true",
        help="take a timestamp.txt inside a learner's own archive for the time of handing in",
    )
    _add_students(grade, "grade this student alone")
    grade.add_argument(
        "--unsafe",
        action="store_true",
        help="run submissions without the sandbox: their code can do whatever you can; the report says so",
    )
    grade.add_argument(
        "--json", action="store_true", help="print JSON instead of table and summary, a line for each lesson"
    )
    grade.set_defaults(run=_grade)

    roster = commands.add_parser(
        "roster", help="take names and ids of students from Canvas's or Moodle's own CSV into the gradebook"
    )
    roster.add_argument("file", type=at, help="export of Canvas' gradebook; Moodle's worksheet or report")
    _add_course(roster)
    roster.set_defaults(run=_roster)

    extend = commands.add_parser(
        "extend", help="give students more time for a lesson; without --student: say who has got it"
    )
    extend.add_argument("--lesson", required=True, help="lesson, such as 01_random_search")
    _add_students(extend, "who gets more time")
    extend.add_argument(
        "--until",
        default="",
        help='when it ends, such as "2026-10-05 23:59 UTC"; without it, it is taken back',
    )
    _add_course(extend)
    extend.set_defaults(run=_extend)

    mark = commands.add_parser(
        "mark", help="open a page with everybody's answers to an open question, to give points by keystrokes"
    )
    mark.add_argument("--lesson", required=True, help="lesson, such as 01_random_search")
    mark.add_argument("--question", default="", help="question to begin with (default: the lesson's first)")
    _add_course(mark)
    mark.add_argument(
        "--port", type=int, default=0, help="port of this machine that the page is served on (default: any)"
    )
    mark.add_argument("--no-browser", action="store_true", help="print the page's address alone")
    mark.set_defaults(run=_mark)

    feedback = commands.add_parser(
        "feedback", help="write the feedback pages as the zip that Canvas or Moodle takes back"
    )
    feedback.add_argument("--lesson", required=True, help="lesson, such as 01_random_search")
    _add_course(feedback)
    feedback.add_argument(
        "--out", type=at, help="zip to write (default: feedback_<lesson>.zip in the course folder)"
    )
    feedback.set_defaults(run=_feedback)

    report = commands.add_parser(
        "report", help="show a lesson's grades and summary again, and write the CSV, with manual grades"
    )
    report.add_argument("--lesson", required=True, help="lesson to report on, such as 01_random_search")
    _add_course(report)
    report.add_argument(
        "--out", type=at, help="CSV to write (default: grades_<lesson>.csv in the course folder)"
    )
    report.add_argument(
        "--html",
        nargs="?",
        type=at,
        const=Path(),
        metavar="FILE",
        help="write a page about the class too (default: class_<lesson>.html in the course folder)",
    )
    report.add_argument("--json", action="store_true", help="print JSON instead of table and summary")
    report.set_defaults(run=_report)

    corpus = commands.add_parser(
        "corpus", help="grade the corpus of hostile, broken and odd submissions: does each get what is right?"
    )
    corpus.add_argument("--lesson", default="00_start_here", help="lesson that they are made from")
    corpus.add_argument("--only", default="", metavar="PATTERN", help="cases whose name or row matches this")
    corpus.add_argument("--jobs", type=int, default=2, help="as for grade (default: %(default)s)")
    corpus.set_defaults(run=_corpus)

    mutants = commands.add_parser(
        "mutants", help="grade the checks themselves with wrong and right answers; print the kill table"
    )
    mutants.add_argument("--lesson", help="lesson, such as 01_random_search (default: all that have checks)")
    mutants.add_argument("--exercise", default="", help="this exercise of the lesson alone")
    mutants.add_argument(
        "--machine",
        action="store_true",
        help="try machine-made mutants of the references too (minutes; needs the extra `dev`)",
    )
    mutants.add_argument(
        "--kinds",
        action="store_true",
        help="grade nothing: print which exercise has how many mistakes of which kind, or why none (seconds)",
    )
    mutants.set_defaults(run=_mutants)

    sweep = commands.add_parser(
        "sweep", help="try every callable of the library as the answer to each exercise: none may solve one"
    )
    sweep.add_argument("--lesson", help="lesson, such as 01_random_search (default: all that have checks)")
    sweep.add_argument(
        "--exercise", action="append", default=[], metavar="NAME", help="this exercise of the lesson alone"
    )
    sweep.add_argument(
        "--quick",
        action="store_true",
        help="only what the lesson imports, and arguments as they come (seconds)",
    )
    sweep.set_defaults(run=_sweep)

    reasons = commands.add_parser(
        "reasons",
        help="of the concept questions you answered: which option is right, and why the others are not",
    )
    reasons.add_argument("lesson", help="a lesson, such as 01_random_search")
    reasons.add_argument("--notebook", type=at, help="with the answers (default: the lesson's in notebooks/)")
    reasons.set_defaults(run=_reasons)

    release = commands.add_parser(
        "release", help="write the learners' zip: notebooks, library, README, requirements"
    )
    release.add_argument(
        "--out", type=at, default=Path("dist"), help="folder for the zip (default: %(default)s)"
    )
    release.add_argument(
        "--self-study",
        action="store_true",
        help="the edition with our answers, which a check folds out once it is right; not for classes",
    )
    release.set_defaults(run=_release)

    for command in commands.choices.values():
        for action in command._actions:  # argparse lists them nowhere else
            if action.dest in COMPLETERS:
                action.completer = COMPLETERS[action.dest]  # type: ignore[attr-defined]


def _lessons(**_: object) -> list[str]:
    import solutions

    return solutions.lessons()


def _students(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    folder = (parsed_args.course or DEFAULT_COURSE) / "submitted"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _tasks(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    from autograder.author.lesson import read_lesson

    open_ones = hasattr(parsed_args, "question")
    tasks = read_lesson(parsed_args.lesson).tasks if parsed_args.lesson else []
    return [task.name for task in tasks if (task.kind == "open") == open_ones]


COMPLETERS: dict[str, Callable[..., list[str]]] = {
    "lesson": _lessons,
    "lessons": _lessons,
    "student": _students,
    "exercise": _tasks,
    "question": _tasks,
}
"""What a shell suggests (argcomplete), by argument."""


def _add_course(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--course", type=at, default=DEFAULT_COURSE, help="nbgrader course folder (default: %(default)s)"
    )


def _add_students(command: argparse.ArgumentParser, meaning: str) -> None:
    command.add_argument(
        "--student",
        action="append",
        default=[],
        metavar="NAME",
        help=f"{meaning} (may be given several times)",
    )


def _no_sandbox() -> str:
    from autograder.sandbox import bubblewrap

    return bubblewrap.missing()


def _new_exercise(arguments: argparse.Namespace) -> int:
    from autograder.author import scaffold

    for path in scaffold.new_exercise(arguments.lesson, arguments.name):
        print(path)
    print(
        "Fill in what is marked TODO; `nas-course verify` says what is left, CONTRIBUTING.md what belongs there."
    )
    return 0


def _build(arguments: argparse.Namespace) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # usual mistakes, asked for their answers, divide by zero and worse
        return _built(arguments.check, arguments.force)


def _built(check: bool, force: bool) -> int:
    from autograder.author import build

    if check:
        found = build.drift()
        for item in found:
            print(item)
        print(
            "Everything generated is what the sources give." if not found else f"{len(found)} file(s) differ."
        )
        return 1 if found else 0
    faults = _faults()
    if faults:
        return faults
    changed = build.build(force=force)
    for path in changed:
        print(path)
    print(f"{len(changed)} file(s) changed." if changed else "Nothing changed.")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from autograder.author import build, leaks

    if arguments.course is not None:
        return _verify_course(arguments.course)
    faults = _faults()
    secrets = leaks.all_answers()
    found = [
        leak
        for place in (build.NOTEBOOKS, Path("nas_lib"))
        for leak in leaks.scan(build.ROOT / place, secrets)
    ]
    for leak in found:
        print(leak)
    if not faults and not found:
        print("No faults in the lessons, no answers in notebooks/ and nas_lib/.")
    return 1 if faults or found else 0


def _verify_course(lessons: list[str]) -> int:
    import solutions
    from autograder.author import running

    names = [solutions.source_path(name).stem for name in lessons] or solutions.lessons()
    print(running.HEAD)
    runs = []
    for name in names:
        runs.append(running.run(name))
        print(runs[-1].row, flush=True)
    print(running.total(runs).row)
    return 0 if all(one.right == one.checks for one in runs) else 1


def _site(arguments: argparse.Namespace) -> int:
    import solutions
    from autograder.author import running, site

    for name in solutions.lessons():
        if running.executed(name) is None:
            print(f"Executing {name}, whose page is out of date.", flush=True)
            running.run(name)
    print(f"Open {site.make(Path(arguments.into).resolve())}")
    return 0


def _faults() -> int:
    from autograder.author import verify

    problems = verify.verify_all()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def _assign(arguments: argparse.Namespace) -> int:
    import solutions
    from autograder.grade import command
    from autograder.nbgrader import gradebook

    with gradebook.trouble_in_one_sentence(arguments.course):
        for path in command.assign(arguments.lessons or solutions.lessons(), arguments.course, arguments.due):
            print(path)
    return 0


def _grade(arguments: argparse.Namespace) -> int:
    from autograder.sandbox import bubblewrap

    bubblewrap.choose(arguments.unsafe)  # first of all: without a sandbox nothing is looked at

    from autograder import samples
    from autograder.grade import command
    from autograder.judge import scoring
    from autograder.nbgrader import gradebook

    if arguments.jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {arguments.jobs}.")
    if arguments.submissions is not None and arguments.lesson is None:
        raise ValueError("lesson must be given with a folder of submissions: --lesson 01_random_search.")
    if arguments.student and arguments.lesson is None:
        raise ValueError("student names submissions of one lesson, so --lesson must say of which.")
    if arguments.out is not None and arguments.lesson is None:
        raise ValueError("out names one CSV, so --lesson must say of which lesson.")
    try:
        if arguments.submissions is not None:
            course = arguments.course or DEFAULT_COURSE
            due = arguments.due
            runs = [(arguments.submissions, arguments.lesson)]
        else:
            course = arguments.course or SAMPLES_COURSE
            due = arguments.due or samples.DUE
            wanted = [arguments.lesson] if arguments.lesson else None
            runs = samples.write_all(course / "submissions", wanted, samples.ALL)
        ungraded = 0
        for folder, lesson in runs:
            with gradebook.trouble_in_one_sentence(course):
                done = command.grade(
                    folder,
                    lesson,
                    course,
                    arguments.out,
                    arguments.jobs,
                    due,
                    unsafe=arguments.unsafe,
                    students=arguments.student,
                    scheduler=arguments.scheduler,
                    regrade=arguments.regrade,
                    roster=arguments.roster,
                    zone=arguments.zone,
                    trust_timestamps=arguments.trust_timestamps,
                )
            ungraded += _show(done, arguments.json)
            if not arguments.json:
                print(f"Feedback: {done.course / 'feedback'}")
                print(f"Formgrader: start JupyterLab in {done.course}\n")
    except scoring.GradingError as error:
        raise ValueError(str(error)) from error
    return 1 if ungraded else 0


def _roster(arguments: argparse.Namespace) -> int:
    from autograder.grade import command
    from autograder.grade.course_folder import CourseFolder
    from autograder.nbgrader import gradebook

    with gradebook.trouble_in_one_sentence(arguments.course):
        new, known = command.enrol(CourseFolder(arguments.course), arguments.file)
    print(f"{arguments.file}: {new} students are new, {known} were known.")
    return 0


def _extend(arguments: argparse.Namespace) -> int:
    from autograder.grade import command
    from autograder.nbgrader import gradebook

    with gradebook.trouble_in_one_sentence(arguments.course):
        given = command.extend(arguments.lesson, arguments.student, arguments.course, arguments.until)
    for student, until in given.items():
        print(f"{student}: until {until}")
    if not given:
        print(f"Nobody has more time for {arguments.lesson}.")
    return 0


def _mark(arguments: argparse.Namespace) -> int:
    import webbrowser

    from autograder.grade import command, marking
    from autograder.nbgrader import gradebook

    def ready(address: str) -> None:
        print(f"{address}\nPoints are stored as you give them. Ctrl-C ends it.", flush=True)
        if not arguments.no_browser:
            webbrowser.open(address)

    with gradebook.trouble_in_one_sentence(arguments.course):
        desk = marking.Desk(command.existing(arguments.course), arguments.lesson)
        with contextlib.suppress(KeyboardInterrupt):  # the way to end it
            marking.serve(desk, arguments.port, arguments.question, ready)
        for question, (left, everybody) in desk.waiting().items():
            print(f"{question}: {left} of {everybody} answers wait.")
    return 0


def _feedback(arguments: argparse.Namespace) -> int:
    from autograder.grade import command, feedback_zip
    from autograder.nbgrader import gradebook

    out = arguments.out or arguments.course / f"feedback_{arguments.lesson}.zip"
    with gradebook.trouble_in_one_sentence(arguments.course):
        zipped, left_out = feedback_zip.write(command.existing(arguments.course), arguments.lesson, out)
    if left_out:
        print(f"Left out, as they came from no download: {', '.join(left_out)}")
    print(f"{out}: {len(zipped)} pages")
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from autograder.grade import command
    from autograder.nbgrader import gradebook

    with gradebook.trouble_in_one_sentence(arguments.course):
        grades = command.recall(arguments.lesson, arguments.course, arguments.out)
    ungraded = _show(grades, arguments.json)
    if arguments.html is not None:
        page = _write_page(grades, arguments.html)
        if not arguments.json:
            print(f"Class: {page}")
    return 1 if ungraded else 0


def _write_page(grades: Grades, html: Path) -> Path:
    from autograder.reports import dashboard

    page = grades.course / f"class_{grades.lesson}.html" if html == Path() else html
    dashboard.write(grades, page)
    return page


def _show(grades: Grades, as_json: bool) -> int:
    """Print the grades; returns how many submissions were not graded, which are named on stderr."""
    from autograder.reports import grade_data, grade_table

    if as_json:
        print(json.dumps(grade_data.as_data(grades)), flush=True)
    else:
        print(f"{grade_table.table(grades)}\n\n{grade_table.summary(grades)}\n")
        print(f"Grades: {grades.out}", flush=True)
    for sentence in grades.ungraded:
        print(f"nas-course: not graded: {sentence}", file=sys.stderr)
    return len(grades.ungraded)


def _corpus(arguments: argparse.Namespace) -> int:
    from autograder.sandbox import bubblewrap

    bubblewrap.choose()  # never without: this is what it is for

    from autograder import corpus
    from autograder.sandbox import scratch

    wanted = re.compile(arguments.only)
    chosen = [case for case in corpus.cases() if wanted.search(case.name) or wanted.search(case.row)]
    downloads = [case for case in corpus.archives() if wanted.search(f"download: {case.name}")]
    if not chosen and not downloads:
        raise ValueError(f"only must match a case's name or row, got {arguments.only!r}, which matches none.")
    outcomes = []
    with scratch.folder("corpus") as folder:
        for outcome in corpus.run(arguments.lesson, chosen, downloads, folder, arguments.jobs):
            outcomes.append(outcome)
            print(corpus.line(outcome), flush=True)
    print(f"\n{corpus.summary(outcomes)}")
    return 0 if all(outcome.right for outcome in outcomes) else 1


def _mutants(arguments: argparse.Namespace) -> int:
    import warnings

    from autograder.gate import report
    from nas_lib import checks

    if arguments.exercise and not arguments.lesson:
        raise ValueError("exercise is one of a lesson, so --lesson must say of which.")
    lessons = [arguments.lesson] if arguments.lesson else checks.lessons()
    if arguments.kinds:
        return _kinds(lessons)
    faults = []
    for lesson in lessons:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # wrong answers divide by zero
            found = report.of_lesson(lesson, arguments.machine, arguments.exercise)
        print(f"{report.render(found)}\n", flush=True)
        faults += found.faults
    for fault in faults:
        print(f"!! {fault}")
    if not faults:
        print("Every mutant loses points for its own concept, every alternative keeps them all.")
    return 1 if faults else 0


def _kinds(lessons: Sequence[str]) -> int:
    from autograder.gate import kinds

    found = []
    for lesson in lessons:
        places = kinds.places(lesson)
        print(f"{kinds.render(lesson, places)}\n", flush=True)
        found += places
    for fault in kinds.faults(found):
        print(f"!! {fault}")
    filled = sum(one.filled for one in found)
    print(
        f"{filled} of {len(found)} places are tried, {sum(bool(one.reason) for one in found)} have a reason."
    )
    return 1 if kinds.faults(found) else 0


def _sweep(arguments: argparse.Namespace) -> int:
    from autograder.gate import sweep
    from nas_lib import checks

    holes = 0
    for lesson in [arguments.lesson] if arguments.lesson else checks.lessons():
        found = sweep.sweep(lesson, arguments.exercise, whole=not arguments.quick)
        print(f"{lesson}\n{sweep.render(found)}\n", flush=True)
        holes += sum(len(one.holes) for one in found)
    print(f"Solved by something of the library: {holes} times.")
    return 1 if holes else 0


def _reasons(arguments: argparse.Namespace) -> int:
    from autograder.author.build import NOTEBOOKS, ROOT
    from autograder.reports.reasons import reasons

    usual = ROOT / NOTEBOOKS / arguments.lesson / f"{arguments.lesson}.ipynb"
    print("\n".join(reasons(arguments.lesson, arguments.notebook or usual)))
    return 0


def _release(arguments: argparse.Namespace) -> int:
    from autograder.author import release

    made = release.release(arguments.out, answers=arguments.self_study)
    print(f"{made} ({made.stat().st_size / 2**20:.1f} MB)")
    return 0
