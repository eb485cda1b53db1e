"""The peer of bench/personal.py, run by it in an environment that has datatrove and not hemicycle.

python bench/with_peers/datatrove_personal.py TEXTS
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from datatrove.pipeline.formatters import PIIFormatter


def main() -> None:
    texts = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    formatter = PIIFormatter()
    formatter.format("a@b.fr")
    begin = time.process_time()
    made = [formatter.format(text) for text in texts]
    print(json.dumps((time.process_time() - begin, made)))


if __name__ == "__main__":
    main()
