"""What `status` says of a source that never came to its verdicts."""

import json


def of_sources(call, project):
    code, out, _ = call("status", project, "--json")
    (row,) = json.loads(out)["sources"]
    assert code == 0
    return row


def test_a_source_that_was_never_collected_is_not_called_unobtainable(project, call):
    assert of_sources(call, project)["state"] == "would run"


def test_evidence_that_was_changed_is_called_failed_in_the_table_of_sources_too(project, call):
    assert call("clear", "--project", project)[0] == 0
    (rights,) = (project / "build" / "rights").glob("*/rights.parquet")
    rights.write_bytes(rights.read_bytes()[:-1] + b"?")
    row = of_sources(call, project)
    assert row["state"] == "failed"
    assert "rights.parquet" in row["reason"]
