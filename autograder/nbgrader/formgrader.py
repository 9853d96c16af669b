"""What is added to Formgrader in a course: of two people at one answer the second is told and writes over nothing, and
a submission opens at what waits for a person.

nbgrader keeps what comes last. Here every grade and comment goes to the page with its version, comes back with it, as
Formgrader's pages send all that they got, and is refused where the gradebook has another one by then.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbgrader.api import Comment, Grade, MissingEntry

from autograder.nbgrader import marks

FORMGRADER = "nbgrader.server_extensions.formgrader"
SCRIPT = Path(__file__).with_name("formgrader.js")


def watch() -> None:
    """See to it in this process, if it serves Formgrader; in any other there is nothing to do."""
    api, pages = (sys.modules.get(f"{FORMGRADER}.{name}") for name in ("apihandlers", "handlers"))
    if api is None or pages is None or hasattr(Grade.to_dict, "__wrapped__"):
        return
    for kind in (Grade, Comment):
        kind.to_dict = _with_version(kind.to_dict)
    api.GradeHandler.put = _careful(api.GradeHandler.put, "find_grade_by_id")
    api.CommentHandler.put = _careful(api.CommentHandler.put, "find_comment_by_id")
    pages.SubmissionHandler.get = _telling(pages.SubmissionHandler.get)


def _with_version(to_dict: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    @functools.wraps(to_dict)
    def told(self: Any) -> dict[str, Any]:
        return {**to_dict(self), "version": marks.version(self)}

    return told


def _careful(put: Callable[..., Any], find: str) -> Callable[..., Any]:
    """A handler that takes nothing that was written with an older version in view."""
    from nbgrader.server_extensions.formgrader.base import check_notebook_dir, check_xsrf
    from tornado import web

    @web.authenticated
    @check_xsrf
    @check_notebook_dir
    def checked(self: Any, identity: str) -> Any:
        self.gradebook.db.expire_all()  # another process may have written
        try:
            there = getattr(self.gradebook, find)(identity)
        except MissingEntry:
            raise web.HTTPError(404) from None
        seen = self.get_json_body().get("version")
        if seen is None or seen == marks.version(there):
            return put(self, identity)
        self.set_status(409)
        return self.finish(json.dumps({"message": marks.overtaken(there)}))

    return checked


def _telling(get: Callable[..., Any]) -> Callable[..., Any]:
    """The page of a submission, with our script."""
    script = f"<script>\n{SCRIPT.read_text(encoding='utf-8')}</script>"

    @functools.wraps(get)
    def told(self: Any, *args: Any) -> Any:
        write = self.write

        def with_script(page: Any) -> None:
            if isinstance(page, str):
                before, end, after = page.rpartition("</body>")
                page = f"{before}{script}{end}{after}"
            write(page)

        self.write = with_script
        return get(self, *args)

    return told
