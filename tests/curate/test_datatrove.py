"""Where datatrove is installed in its own environment (bench/peers.py), its functions give our values."""

import importlib.util
import json
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest

from hemicycle.curate.measures import measure

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture(scope="module")
def datatrove():
    spec = importlib.util.spec_from_file_location("peers", BENCH / "peers.py")
    peers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peers)
    python = peers.made_python_of("datatrove")
    if python is None:
        pytest.skip("datatrove's environment has not been made; bench/curate.py makes it")
    return python


def test_no_value_of_its_repetition_rules_differs_on_the_samples(datatrove, samples, tmp_path):
    files = [
        *sorted((samples / "literature").glob("*.xml")),
        *sorted((samples / "constitution").glob("*.md")),
    ]
    texts = [f.read_text("utf-8") for f in files]
    # Markup and all: the more a text repeats, the more there is to compare.
    texts = [text[i : i + 6_000] for text in texts for i in range(0, min(len(text), 120_000), 6_000)]
    (tmp_path / "texts").write_text("".join(json.dumps(t) + "\n" for t in texts), "utf-8")
    command = [datatrove, BENCH / "with_peers" / "datatrove_values.py", tmp_path / "texts"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    peer = [json.loads(line) for line in lines]
    ours = measure(pa.array(texts), "whitespace")
    assert len(peer) == len(texts) > 300
    for name in peer[0]:
        differ = [i for i, values in enumerate(peer) if abs(values[name] - ours[name][i]) > 1e-12]
        assert differ == [], name
    assert sum(ours["duplicate_ngrams(5)"] > 0) > 100
