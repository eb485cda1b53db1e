"""What stops `run`, and what it says then."""

import shutil


def test_a_lost_private_key_is_asked_for_and_no_other_is_made(project, call):
    assert call("run", project)[0] == 0
    shutil.rmtree(project / ".hemicycle")
    code, _, err = call("run", project)
    key, public = project / ".hemicycle" / "solo.key", project / "ledger" / "keys" / "solo.pub"
    assert code == 1
    assert f"error: {key}: the private key of this ledger is missing" in err
    assert f"Restore the key whose public half is {public}." in err
    assert not key.exists()
