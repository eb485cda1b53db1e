"""A mix in the declaration reaches the plan, and a wrong one stops before anything is trained."""

import json

import pytest

from tests.flow.conftest import hemicycle


@pytest.mark.slow
def test_a_declared_mix_is_what_the_model_reads(copy):
    file = copy / "hemicycle.toml"
    plain = file.read_text()
    file.write_text(plain + '\n[models.petit.mix]\nby = "source"\nshares = { sittings = 1 }\nepochs = 0.01\n')
    done = hemicycle("train", "--project", copy, check=False)
    assert done.returncode == 1
    assert "Declare more `epochs` in the mix" in done.stderr
    file.write_text(plain + '\n[models.petit.mix]\nby = "language"\nshares = { fr = 1 }\n')
    hemicycle("train", "--project", copy)
    plans = [json.loads(p.read_text()) for p in sorted((copy / "build" / "order").glob("*/plan.json"))]
    assert sorted(str(plan["phases"][0]["strata"][0]["label"]) for plan in plans) == ["None", "fr"]
