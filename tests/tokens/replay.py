"""A plan read by hand: what stands in its rows, taken from the tokens and their documents alone."""

from collections import defaultdict

import numpy as np
import pyarrow.parquet as pq

from hemicycle.tokens import read_shard


def document_texts(tokens):
    """Corpus and id → ids of the document's tokens."""
    texts = {}
    for corpus, folder in tokens.items():
        shards = [read_shard(path.with_suffix("")) for path in sorted(folder.glob("*.idx"))]
        for row in pq.read_table(folder / "documents.parquet").to_pylist():
            ids = shards[row["shard"]].tokens[row["first"] : row["first"] + row["tokens"]]
            texts[corpus, row["id"]] = ids.astype(int).tolist()
    return texts


def row_pieces(order, row):
    """Of a row, each stretch of a document: corpus, id, first token in the document, tokens."""
    begins, names = [], []
    base = 0
    for corpus, folder in order.tokens.items():
        sizes = order.plan["shards"][corpus]
        for d in pq.read_table(folder / "documents.parquet").to_pylist():
            begins.append(base + sum(sizes[: d["shard"]]) + d["first"])
            names.append((corpus, d["id"], d["tokens"]))
        base += sum(sizes)
    begins = np.array(begins)
    spans = order.table.spans(np.array([row]))
    found = []
    for address, tokens in zip(spans.address.tolist(), spans.tokens.tolist(), strict=True):
        while tokens:
            n = int(np.searchsorted(begins, address, side="right")) - 1
            corpus, name, length = names[n]
            take = min(tokens, length - (address - int(begins[n])))
            found.append((corpus, name, address - int(begins[n]), take))
            address, tokens = address + take, tokens - take
    return found


def replayed_exposure(order):
    """Id → first step, last step, rows and tokens, by replaying every row of every step."""
    seen = {}
    pieces = {}
    for step in range(order.steps):
        context = order.phase(step).context
        for row in order.rows(step).tolist():
            if row not in pieces:
                pieces[row] = row_pieces(order, row)
            at, of_row = 0, defaultdict(int)
            for _, name, _, tokens in pieces[row]:
                of_row[name] += max(0, min(at + tokens, context) - at)
                at += tokens
            for name, tokens in of_row.items():
                if tokens:
                    entry = seen.setdefault(name, [step, step, 0, 0])
                    entry[1:] = [step, entry[2] + 1, entry[3] + tokens]
    return seen


def as_exposure(table):
    return {
        r["document"]: [r["first_step"], r["last_step"], r["rows"], r["tokens"]] for r in table.to_pylist()
    }
