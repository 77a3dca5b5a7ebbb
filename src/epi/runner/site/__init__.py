"""The reviewers' site: static pages, in French and in English, that open without a network.

Nothing on a page needs a script, a font or a picture from elsewhere. A notebook's output appears
only if it carries the mark of the disclosure gate and is still what the gate let through.
"""

from epi.runner.site.build import Site, build_site

__all__ = ["Site", "build_site"]
