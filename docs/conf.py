"""How Sphinx makes the site: ``make docs``."""

import sys
from pathlib import Path

import ensue

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "_ext"), str(HERE.parent)]

project = "Ensue"
copyright = "the authors of Ensue, Apache-2.0"
version = release = ensue.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "drawn_figures",
    "generated",
    "mathml",
]
exclude_patterns = ["_build", "_ext", "figures/*.py"]

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

html_math_renderer = "mathml"
html_theme = "furo"
html_title = "Ensue"
html_static_path = ["_static"]
html_css_files = ["ensue.css"]
html_copy_source = False
html_domain_indices = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#3b6ea8", "color-brand-content": "#3b6ea8"},
    "dark_css_variables": {"color-brand-primary": "#8db8e8", "color-brand-content": "#8db8e8"},
}
pygments_style, pygments_dark_style = "friendly", "github-dark"

default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_use_rtype = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

nitpicky = True
# Types of other libraries, and type variables and aliases, have no page here; all else must.
nitpick_ignore_regex = [
    ("py:class", "types.Annotated"),
    ("py:class", "Parameter"),
    ("py:.*", r"(torch|numpy|np|nn|pathlib|pyarrow|pa|collections|typing|huggingface_hub)(\..*)?"),
    ("py:class", "Path"),
    ("py:class", r"ensue(\.\w+)+\.[A-Z]"),
]
