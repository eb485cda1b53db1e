"""A release whose declared licence does not follow from what its model read."""

import pytest

from hemicycle.cli.session import Session
from hemicycle.errors import RightsError


def test_weights_under_a_licence_that_a_source_forbids_are_refused_and_the_source_is_named(copy):
    card = copy / "sources" / "sittings.toml"
    card.write_text(card.read_text("utf-8").replace("CC0-1.0", "CC-BY-SA-4.0"), "utf-8")
    declaration = copy / "hemicycle.toml"
    text = declaration.read_text("utf-8").replace('license = "Apache-2.0"', 'license = "CC-BY-NC-4.0"')
    declaration.write_text(text, "utf-8")
    session = Session(copy)
    with pytest.raises(RightsError, match=r"“sittings” is under CC-BY-SA-4\.0"):
        session.pipeline().run(session.flow.up_to("release"))
