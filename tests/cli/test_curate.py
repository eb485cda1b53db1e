"""What `curate` says of rules it moved, of a corpus that is behind, and of what rights refused."""

import json


def test_the_command_names_the_rules_it_moved(project, call):
    assert call("curate", "--project", project)[0] == 0
    code, out, _ = call("curate", "retune", "lettres", "too-short: words >= 3", "--project", project)
    assert code == 0
    assert out.startswith("moved: ") and "/too-short" in out
    out = call("curate", "retune", "lettres", "too-short: words >= 3", "--project", project, "--json")[1]
    assert json.loads(out)["rules"]
