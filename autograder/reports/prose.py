"""What of a learner's prose may be shown: in feedback pages, and in Formgrader with the instructor's session.

Markdown may hold any HTML, and nbgrader's templates show it as it is. Here it is rendered by nbconvert and
then sanitised by nh3 against a list of what may stay; pictures may come with the text, never from elsewhere.
It judges nothing, and what code printed is not its business: that is plain text (`outputs.printable`).
"""

from __future__ import annotations

import functools
import html
import re
import time
from collections.abc import Callable, Collection, Mapping
from html.parser import HTMLParser
from typing import Any

import nh3
from jinja2 import pass_context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from autograder.sandbox.apart import Beyond, limited

LONGEST_PROSE = 50_000  # characters; more is shown, but as plain text
# nbconvert's renderer looks for the end of each of these up to the end of the text: quadratic time where there is none.
OPENINGS = ("\\begin", "\\\\(", "\\\\[")
MOST_OPENINGS = 200
CELL_SECONDS = 3  # for what else takes long; an honest cell takes milliseconds
NOTEBOOK_SECONDS = 10

HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
# fmt: off
TAGS = HEADINGS | {
    "a", "abbr", "b", "blockquote", "br", "caption", "center", "code", "col", "colgroup", "dd", "del", "details",
    "div", "dl", "dt", "em", "figcaption", "figure", "font", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol",
    "p", "pre", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "summary", "sup", "table", "tbody",
    "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var",
}
STYLES = {
    "background-color", "color", "font-style", "font-weight", "list-style-type", "max-width", "text-align",
    "text-decoration", "vertical-align",
}
# fmt: on
GONE_WITH_CONTENT = {"script", "style", "title", "textarea", "noscript", "template", "iframe", "object"}
ATTRIBUTES = {
    "*": {"align", "style", "title", "dir", "lang"},
    "a": {"href", "class"},
    "img": {"src", "alt", "width", "height"},
    "details": {"open"},
    "font": {"color"},
    "ol": {"start", "type"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    **{tag: {"id"} for tag in HEADINGS},
    **{tag: {"class"} for tag in ("div", "span", "pre", "code")},
}
ID_PREFIX = "text-"  # so that a heading never takes the name of one of Formgrader's own elements
LINK = re.compile(r"(?:https?|mailto):|#", re.IGNORECASE)
PICTURE = re.compile(r"data:image/(?:png|jpe?g|gif|webp|bmp|svg\+xml)[;,]", re.IGNORECASE)
NAMELESS = re.compile(r"<img(?![^>]* alt=)")
UNDESCRIBED = "a picture without a description"
# Classes that pygments colours code by, and nbconvert's names for the boxes around it.
CLASSES = re.compile(r"(?:highlight|hl-\w+|language-\w+|[a-z]{1,2}[0-9a-z]?)(?:\s+hl-\w+)?\Z")


def clean(page: str | bytes) -> str:
    """Sanitise HTML: tags, attributes, links and pictures that are known to be harmless stay."""
    text = page.decode("utf-8", "replace") if isinstance(page, bytes) else str(page)
    found = nh3.clean(
        text,
        tags=TAGS,
        clean_content_tags=GONE_WITH_CONTENT,
        attributes=ATTRIBUTES,
        attribute_filter=_attribute,
        filter_style_properties=STYLES,
        url_schemes={"http", "https", "mailto", "data"},
        id_prefix=ID_PREFIX,
    )
    return NAMELESS.sub(f'<img alt="{UNDESCRIBED}"', found)


def _attribute(tag: str, name: str, value: str) -> str | None:
    """The value that an attribute keeps; None takes it out."""
    if name == "href":
        # No relative link: below Formgrader's address it would be one of the instructor's own pages.
        value = value.strip()
        if value.startswith("#"):
            return f"#{ID_PREFIX}{value[1:]}"
        return value if LINK.match(value) else None
    if name == "src":
        # Fetching a picture is a request that carries the instructor's cookies.
        return value if PICTURE.match(value.strip()) else None
    if name == "class":
        # nbconvert's mark beside a heading is seen only when one points at it.
        return value if (value == "anchor-link" if tag == "a" else CLASSES.match(value)) else None
    return value


def render(source: str, attachments: Mapping[str, Any] | None = None) -> str:
    """Markdown as sanitised HTML, the way that nbconvert shows it; what cannot be rendered is shown as text."""
    return _page_of(source) if not attachments else _shown(source, attachments)


@functools.lru_cache(maxsize=1024)
def _page_of(source: str) -> str:
    """A text without attachments; most of a class's are the lesson's own."""
    return _shown(source, {})


def _shown(source: str, attachments: Mapping[str, Any]) -> str:
    try:
        return _clean_page(source, dict(attachments))
    except Beyond:
        return _as_text(source)


@limited(seconds=CELL_SECONDS)
def _clean_page(source: str, attachments: dict[str, Any]) -> str:
    if source.startswith(TAMED):
        return clean(source)
    try:
        if not _renderable(source):
            raise ValueError("too long")
        return clean(_rendered(source, attachments))
    except Exception:  # the renderer is not made for texts that mean harm to it: RecursionError and others
        return _as_text(source)


def _as_text(source: str) -> str:
    return f"<pre>{html.escape(source[:LONGEST_PROSE])}</pre>"


def _renderable(source: str) -> bool:
    return len(source) <= LONGEST_PROSE and max(map(source.count, OPENINGS)) <= MOST_OPENINGS


def _rendered(source: str, attachments: Mapping[str, Any]) -> str:
    renderer = IPythonRenderer(
        escape=False, embed_images=False, attachments=dict(attachments), exclude_anchor_links=False
    )
    return str(MarkdownWithMath(renderer=renderer).render(source))


TAMED = "<div><!-- sanitised -->"
"""What a block of sanitised HTML begins with, so that it is not taken for Markdown once more."""


def harmless(source: str, attachments: Mapping[str, Any] | None = None) -> str:
    """Markdown that is safe even where a page renders it without sanitising.

    What has nothing doubtful in it stays as it was written; all else becomes one block of sanitised HTML,
    which Markdown passes through as it is.
    """
    return _all_harmless([(source, dict(attachments or {}))])[0]


def _all_harmless(texts: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """The texts of one notebook, made harmless; plain text where that takes too long."""
    try:
        return _in_time(texts)
    except Beyond:
        return [_block(_as_text(source)) for source, _ in texts]


@limited(seconds=NOTEBOOK_SECONDS)
def _in_time(texts: list[tuple[str, dict[str, Any]]]) -> list[str]:
    began = time.process_time()
    found = []
    for source, attachments in texts:
        if time.process_time() - began > NOTEBOOK_SECONDS / 2:
            found.append(_block(_as_text(source)))
        else:
            fine = _plain_markdown(source)
            found.append(source if fine else _block(_clean_page(source, attachments)))
    return found


def _block(page: str) -> str:
    block = f"{TAMED}{page}</div>"
    # An empty line would end the block, and what follows would be taken for Markdown.
    return re.sub(r"\n(?=[ \t\r\f\v]*\n)", "&#10;", block.replace("\r", "")) + "\n"


SIMPLE = r"</?(?:b|blockquote|br|center|code|details|em|hr|i|kbd|p|s|strong|sub|summary|sup|u)[ \t]*/?>"
DOUBTFUL = re.compile(rf"(?!{SIMPLE})<[a-z/!?]", re.IGNORECASE)
SCHEME = re.compile(r"script:|files/\S*:", re.IGNORECASE)


def _plain_markdown(source: str) -> bool:
    """True if neither the text nor what becomes of it has any HTML but the simplest."""
    told = re.sub(r"[\s\x00-\x1f]+", "", html.unescape(source))
    if not _renderable(source) or DOUBTFUL.search(source) or SCHEME.search(told):
        return False
    seen = _Seen()
    try:
        seen.feed(_rendered(source, {}))
        seen.close()
    except Exception:
        return False
    return seen.fine


class _Seen(HTMLParser):
    """Looks for anything in a page that sanitising would take out."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = True

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Look at one tag and its attributes."""
        allowed = ATTRIBUTES["*"] | ATTRIBUTES.get(tag, set())
        self.fine &= tag in TAGS and all(
            name in allowed and _attribute(tag, name, value or "") is not None for name, value in attributes
        )

    def handle_decl(self, decl: str) -> None:
        """A declaration is none of Markdown's."""
        self.fine = False

    def handle_pi(self, data: str) -> None:
        """Nor is a processing instruction."""
        self.fine = False


def tame(cells: list[Any], known: Collection[str]) -> None:
    """Make the prose of a notebook harmless in place, but for texts that are the lesson's own."""
    doubtful = [cell for cell in cells if cell.cell_type != "code" and cell.source not in known]
    for cell in cells:
        attachments = cell.get("attachments")
        if isinstance(attachments, dict):
            kept = {name: bundle for name, bundle in attachments.items() if _is_picture(bundle)}
            cell["attachments"] = kept
            if not kept:
                del cell["attachments"]
    texts = [(cell.source, dict(cell.get("attachments", {}))) for cell in doubtful]
    for cell, text in zip(doubtful, _all_harmless(texts), strict=True):
        cell.source = text


def _is_picture(bundle: Any) -> bool:
    return isinstance(bundle, dict) and all(
        PICTURE.match(f"data:{kind};") and isinstance(data, str) for kind, data in bundle.items()
    )


@pass_context
def _markdown2html(context: Any, source: str) -> str:
    cell = context.get("cell") or {}
    return render(source, cell.get("attachments"))


def _unchanged(page: str) -> str:
    return page


FILTERS: dict[str, Callable[..., str]] = {
    "markdown2html": _markdown2html,
    "clean_html": clean,
    # nbconvert's cuts `files/` out of addresses, which makes javascript: of files/javascript:
    "strip_files_prefix": _unchanged,
}
"""For nbconvert's HTMLExporter, which both feedback and Formgrader are written by."""
