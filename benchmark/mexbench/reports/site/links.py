"""Addresses in a text -> links: digital object identifiers, arXiv's numbers, and what begins with https."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_ADDRESS = re.compile(
    r"(?:doi[: ]\s*)?\b(?P<doi>10\.\d{4,9}/[\w.()/:;-]*[\w)])|arXiv[: ]\s*(?P<arxiv>\d{4}\.\d{4,5})"
    r"|(?P<url>https://[^\s<>\"']*[\w/])",
    re.IGNORECASE,
)


def external(address: str, text: str) -> Markup:
    """Return a link to another host, which a reader alone follows."""
    return Markup('<a href="{}" rel="external noreferrer">{}</a>').format(address, text)


def doi_link(doi: str) -> Markup:
    """Return a link to the document of an identifier."""
    return Markup('<a class="doi" href="https://doi.org/{}" rel="external noreferrer">doi:{}</a>').format(doi, doi)


def linked(text: str) -> Markup:
    """Escape a text, and make its addresses links."""
    parts, end = [], 0
    for match in _ADDRESS.finditer(text):
        address = match["url"] or f"https://doi.org/{match['doi'] or '10.48550/arXiv.' + match['arxiv']}"
        parts += [escape(text[end : match.start()]), external(address, match[0])]
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])
