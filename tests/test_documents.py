"""Documents on their way to a Parquet file."""

import pytest

from hemicycle.documents import Document, write_documents


@pytest.mark.parametrize("between", [0, 2_500], ids=["in one row group", "in two"])
def test_an_id_given_twice_is_refused_with_both_origins(tmp_path, between):
    documents = [Document("a.jsonl, line 1", "un", id="l0")]
    documents += [Document(f"b.jsonl, line {n}", "deux") for n in range(between)]
    documents += [Document("c.jsonl, line 7", "trois", id="l0"), Document("d", "quatre")]
    with pytest.raises(ValueError, match="two documents have the id 'l0'") as caught:
        write_documents(tmp_path / "documents.parquet", "lettres", documents)
    places = f"a.jsonl, line 1 (the 1. read) and c.jsonl, line 7 (the {between + 2}.)"
    assert str(caught.value).endswith(places)
