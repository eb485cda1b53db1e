"""Opt-out: what a site and its pages say, by protocol, about being mined.

Pure functions from bytes and headers to findings (`hemicycle.documents.Reservation`), one file a protocol;
which protocols, in which version, stands in `protocols.toml`; what several findings come to, in `law`. What
cannot be had or read allows nothing. Nothing is fetched here.

`read_signals` gives all findings of a page, `site_signals` those of its site alone, `combine` what they come
to, `stated_licences` the licences a page links to.
"""

from hemicycle.rights.optout.embedded import epub_metadata, pdf_metadata
from hemicycle.rights.optout.fetched import Fetched
from hemicycle.rights.optout.law import Value, over_time, strictest
from hemicycle.rights.optout.protocols import agents, list_version, protocols
from hemicycle.rights.optout.robots import may_visit
from hemicycle.rights.optout.rsl import named_by_robots
from hemicycle.rights.optout.signals import (
    combine,
    page_unread,
    read_signals,
    robots_address,
    site_signals,
    stated_licences,
    tdmrep_address,
    wanted_files,
)
from hemicycle.rights.optout.tdmrep import metadata_signal

__all__ = [
    "Fetched",
    "Value",
    "agents",
    "combine",
    "epub_metadata",
    "list_version",
    "may_visit",
    "metadata_signal",
    "named_by_robots",
    "over_time",
    "page_unread",
    "pdf_metadata",
    "protocols",
    "read_signals",
    "robots_address",
    "site_signals",
    "stated_licences",
    "strictest",
    "tdmrep_address",
    "wanted_files",
]
