"""Two people at one answer in Formgrader: the second is told, and writes over nothing.

nbgrader keeps what comes last. Here every grade and comment goes to the page with its version, comes back with it, as
Formgrader's pages send all that they got, and is refused where the gradebook has another one by then.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from typing import Any

from nbgrader.api import Comment, Grade, MissingEntry

FORMGRADER = "nbgrader.server_extensions.formgrader"
TOLD = """<script>
window.addEventListener("load", function () {
  $(document).ajaxError(function (event, answer) {
    if (answer.status === 409) { alert(JSON.parse(answer.responseText).message); }
  });
});
</script>"""


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
        return {**to_dict(self), "version": _version(self)}

    return told


def _version(given: Any) -> str:
    """What a person has given, in one line."""
    if isinstance(given, Comment):
        return json.dumps(given.manual_comment)
    return json.dumps([given.manual_score, given.extra_credit])


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
        if seen is None or seen == _version(there):
            return put(self, identity)
        self.set_status(409)
        return self.finish(json.dumps({"message": _sentence(there)}))

    return checked


def _sentence(there: Any) -> str:
    if isinstance(there, Comment):
        given = (
            f"the comment is {there.manual_comment!r} now"
            if there.manual_comment
            else "there is no comment now"
        )
    elif there.manual_score is None:
        given = "their points have been taken back"
    else:
        given = f"{there.manual_score:g} points have been given"
    return (
        f"Somebody else was at this answer after you opened the page: {given}. Yours was not kept: load the page "
        "again, and change theirs if you have to."
    )


def _telling(get: Callable[..., Any]) -> Callable[..., Any]:
    """The page of a submission, with a script that shows what the server refuses."""

    @functools.wraps(get)
    def told(self: Any, *args: Any) -> Any:
        write = self.write
        self.write = lambda page: write(
            page.replace("</body>", f"{TOLD}</body>") if isinstance(page, str) else page
        )
        return get(self, *args)

    return told
