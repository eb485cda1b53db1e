"""What the elements of HTML, DocBook and Mallard are, one table a dialect.

Elements not named are inline: their text joins the text around them. Roles:

- drop: not shown (navigation, scripts, tables of contents, indexes, the page's own metadata)
- block, section (its headings end with it), heading, paragraph
- bullets, numbers (lists) with their items; definitions with term and definition
- code; table with rows (groups of rows), row and cell; break; media
- quote, footnote, link; plus and arrow (children joined by a sign)
- titles: of metadata, only the title is shown
- choice: alternatives of which one holds
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Dialect:
    """Roles of elements, and in HTML also of classes and of ids that are not shown (``ID``, ``TAG#ID``)."""

    roles: Mapping[str, str]
    classes: Mapping[str, str] = field(default_factory=dict)
    ids: frozenset[str] = frozenset()


def _roles(table: dict[str, str]) -> dict[str, str]:
    return {name: role for role, names in table.items() for name in names.split()}


HTML = Dialect(
    roles=_roles(
        {
            "drop": "head script style noscript template nav header footer aside form button input select "
            "textarea label iframe object embed svg audio video canvas map img meta link base",
            "block": "html body main div center blockquote figure figcaption address details summary "
            "fieldset hgroup",
            "section": "section article",
            "heading": "h1 h2 h3 h4 h5 h6",
            "paragraph": "p caption",
            "bullets": "ul menu dir",
            "numbers": "ol",
            "item": "li",
            "definitions": "dl",
            "term": "dt",
            "definition": "dd",
            "code": "pre listing xmp",
            "table": "table",
            "rows": "thead tbody tfoot",
            "row": "tr",
            "cell": "td th",
            "break": "br hr",
            "quote": "q",
        }
    ),
    classes=_roles(
        {
            "drop": "toc docnav navheader navfooter navigation navbar breadcrumb breadcrumbs sphinxsidebar "
            "headerlink indexterm index list-of-figures list-of-tables list-of-examples relatedtopics "
            "noteicon skip-link",
            "section": "section chapter preface appendix sidebar note tip warning important caution example",
            "paragraph": "para simpara",
            "heading": "title",
            "choice": "switch switchinline",
        }
    ),
    # publican's banner and page title; LibreOffice help's search and debugging frames
    ids=frozenset({"banner", "p#title", "SearchFrame", "DonationFrame", "DEBUG"}),
)

DOCBOOK = Dialect(
    roles=_roles(
        {
            "drop": "indexterm index toc lot remark comment revhistory refmeta beginpage anchor titleabbrev "
            "imageobject videoobject audioobject graphic inlinegraphic colspec spanspec",
            "titles": "info articleinfo bookinfo chapterinfo sectioninfo sect1info sect2info sect3info "
            "prefaceinfo appendixinfo refentryinfo referenceinfo setinfo partinfo",
            "section": "set book part reference article chapter preface appendix section sect1 sect2 sect3 "
            "sect4 sect5 simplesect refentry refsect1 refsect2 refsect3 refsection glossary glossdiv "
            "bibliography sidebar note tip warning caution important example informalexample figure qandaset "
            "qandadiv dedication colophon partintro",
            "heading": "title bridgehead",
            "block": "blockquote epigraph abstract refnamediv refsynopsisdiv varlistentry glossentry "
            "qandaentry question answer mediaobject textobject caption formalpara legalnotice",
            "paragraph": "para simpara subtitle cmdsynopsis funcsynopsis attribution refname refpurpose",
            "bullets": "itemizedlist simplelist calloutlist stepalternatives",
            "numbers": "orderedlist procedure substeps",
            "item": "listitem member callout step",
            "definitions": "variablelist glosslist",
            "term": "term glossterm",
            "definition": "glossdef",
            "code": "programlisting screen literallayout synopsis classsynopsis",
            "table": "table informaltable",
            "rows": "tgroup thead tbody tfoot",
            "row": "row tr",
            "cell": "entry td th",
            "break": "sbr",
            "quote": "quote",
            "footnote": "footnote",
            "plus": "keycombo",
            "arrow": "menuchoice",
        }
    )
)

MALLARD = Dialect(
    roles=_roles(
        {
            "drop": "info links desc include thumb tt rules",
            "section": "page section note example figure listing synopsis quote",
            "heading": "title",
            "block": "div if else",
            "paragraph": "p subtitle caption",
            "bullets": "list tree",
            "numbers": "steps",
            "definitions": "terms",
            "item": "item",
            "code": "screen",
            "table": "table",
            "rows": "thead tbody tfoot",
            "row": "tr",
            "cell": "td th",
            "media": "media",
            "link": "link",
            "plus": "keyseq",
            "arrow": "guiseq",
            "choice": "choose",
        }
    )
)
