"""What people decided on sources, as JSON and in sentences: what `clear`, `run` and `status` tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hemicycle.governance import Standing
from hemicycle.governance.overrides import Override


def standing_json(standing: Standing) -> dict[str, Any]:
    return {
        "signed": [
            {"person": s.person, "role": s.role, "entered": s.entered.isoformat()}
            for s in standing.entry.signed
        ],
        "missing": list(standing.missing),
        "effective": standing.effective.isoformat() if standing.effective else None,
        "expires": standing.ends.isoformat() if standing.ends else None,
    }


def override_json(override: Override) -> dict[str, Any]:
    """`missed`: the reasons that hold documents again since it ended."""
    decision = override.standing.decision
    return {
        "decision": override.standing.entry.file,
        "state": override.standing.state,
        "lifts": decision.covers["lifts"],
        "documents": decision.covers["documents"],
        "reason": decision.reason,
        **standing_json(override.standing),
        "missed": list(override.missed),
    }


def override_sentence(told: Mapping[str, Any]) -> str:
    """What `override_json` says, for people."""
    documents = told["documents"]
    on = f" for {', '.join(documents)}" if documents is not None and len(documents) < 4 else ""
    on = on or (f" for {len(documents)} documents" if documents is not None else "")
    said = {
        "proposed": f"is still to be signed by {', '.join(told['missing'])}",
        "cooling": f"is in force from {str(told['effective'])[:16]}",
        "standing": f"is in force until {told['expires']}",
        "expired": f"ended on {told['expires']}; documents are held again for {', '.join(told['missed'])}",
        "revoked": f"was revoked; documents are held again for {', '.join(told['missed'])}",
    }[told["state"]]
    return f"the override of {', '.join(told['lifts'])}{on} {said}"
