"""Sphinx's configuration of the reading site; `nas-course site` gathers the pages beside a copy of this file."""

project = "NAS from Scratch"
author = "NAS from Scratch contributors"
html_title = project
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx-mathjax-offline",
]
html_theme = "furo"
html_theme_options = {"navigation_with_keys": True}
html_css_files = ["site.css"]
html_static_path = ["_static"]
html_show_sourcelink = False
html_show_copyright = False
html_copy_source = False

# Lessons arrive executed.
nb_execution_mode = "off"
nb_merge_streams = True
nb_code_prompt_show = "Show the {type}"
nb_code_prompt_hide = "Hide the {type}"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = True

default_role = "code"
templates_path = ["_templates"]
exclude_patterns = ["_templates"]
suppress_warnings = ["misc.highlighting_failure"]  # code with "…" for what is left out

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
copybutton_exclude = ".linenos, .gp, .go"


def _reachable(app, page, template, context, document):
    """Code that is wider than the page can be scrolled with the keyboard, and captions say which level of heading."""
    if "body" in context:
        context["body"] = context["body"].replace("<pre>", '<pre tabindex="0">')
    if "furo_navigation_tree" in context:
        tree = context["furo_navigation_tree"]
        context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')


def setup(app):
    """Sphinx asks for this."""
    app.connect("html-page-context", _reachable, priority=900)  # after furo has made the tree
