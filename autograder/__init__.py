"""The instructor's side of the course: building the notebooks, verifying lessons, grading submissions,
releasing.

Nothing imports this package: learners get along without it, and `nas-course` shows its commands only where it
is found.
"""

import sys

# jsonschema, which nbformat validates notebooks with, imports this package wherever it is installed, and that builds a
# grammar: a second or two of each process, for formats (IRIs) that no notebook's schema has. None in its place tells
# jsonschema that it is not there, which it can do without.
if "jsonschema" not in sys.modules:
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
