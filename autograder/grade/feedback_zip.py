"""The feedback pages of a lesson as the zip that a learning platform takes back, under the names of its own download.

Canvas attaches each page to the student's submission as a comment (*Upload Submissions*; it shows the page under the
name of the file that was handed in). Moodle takes it as a feedback file (*Upload multiple feedback files in a zip*).
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from autograder.grade.course_folder import CourseFolder
from autograder.intake import hand_ins
from autograder.intake.downloads import Download
from nas_lib._files import replacing, writable


def write(place: CourseFolder, lesson: str, out: Path) -> tuple[list[str], list[str]]:
    """Write the pages anew and zip them; returns whose are in it, and who was left out as they came from no download.

    Raises:
        ValueError: nothing of the lesson was graded, nobody came from a download, or the zip cannot be written there.
    """
    there = place.students(lesson)
    if not there:
        raise ValueError(f"no submission of {lesson} has been graded in {place.root}.")
    came = {student: hand_ins.read(place.root, lesson, student).download for student in there}
    names = {student: _name(download, lesson) for student, download in came.items() if download}
    if not names:
        raise ValueError(f"no submission of {lesson} came from a download of Canvas's or Moodle's.")
    writable("out", out)
    place.renew_penalties(lesson)
    missing = place.write_feedback(lesson, list(names))
    with replacing(out) as fresh, zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
        for student, name in names.items():
            if student not in missing:
                archive.write(place.root / "feedback" / student / lesson / f"{lesson}.html", name)
    zipped = [student for student in names if student not in missing]
    return zipped, sorted(set(there) - set(zipped))


def _name(download: Download, lesson: str) -> str:
    """What the platform knows the student, and in Canvas the file, by."""
    if download.system == "Moodle":
        return f"{download.name}_{download.number}_assignsubmission_file_/{lesson}.html"
    late = "LATE_" if download.late else ""
    return f"{download.name}_{late}{download.number}_{download.attachment}_{lesson}.html"
