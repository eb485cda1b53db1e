"""What numba keeps stays true: no kernel depends on another file, nor on a name that is private to numba."""

import ast
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import hemicycle
from hemicycle import kernels
from hemicycle.trace import spans
from hemicycle.trace.shards import NARROW
from hemicycle.trace.vocabulary import UNKNOWN

ROOM = Path(hemicycle.__file__).parent


def test_no_kernel_names_anything_of_another_file():
    """Or machine code of before would be kept after a change there (`kernels.py` says why)."""
    named = {}
    for path in ROOM.rglob("*.py"):
        if foreign := of_other_files(ast.parse(path.read_text("utf-8"))):
            named[path.name] = foreign
    assert not named, "write the constant into the file of the kernel, and its equality into a test below"


def of_other_files(tree):
    """Names in the file's kernels that stand for what it imports of ours, or for what it makes of that."""
    foreign = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hemicycle"):
            foreign |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign) and names(node.value) & foreign:
            foreign |= {name for target in node.targets for name in names(target)}
    within = [node for node in tree.body if isinstance(node, ast.FunctionDef) and is_kernel(node)]
    return sorted({name for node in within for statement in node.body for name in names(statement) & foreign})


def is_kernel(function):
    return any(names(decorator) & {"kernel", "scan"} for decorator in function.decorator_list)


def names(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_a_constant_of_another_file_is_seen_where_it_is_named_at_one_remove():
    file = "from hemicycle.a import A\nB = A + 1\n@scan\ndef f(x):\n    return x + B\n"
    assert of_other_files(ast.parse(file)) == ["B"]


@pytest.mark.parametrize(
    ("kernels_of", "own", "file", "theirs"),
    [
        ("curate.vocabulary", "_HAS_LETTER", "curate.words", "HAS_LETTER"),
        ("curate.vocabulary", "_HAS_DIGIT", "curate.words", "HAS_DIGIT"),
        ("curate.vocabulary", "_ELISION", "curate.words", "ELISION"),
        ("curate.vocabulary", "_ONLY_SIGNS", "curate.words", "ONLY_SIGNS"),
        ("plan.laying", "LATE", "plan.cost", "LATE"),
        ("trace.spans", "_SAMPLED", "trace.shards", "SAMPLED"),
        ("trace.vocabulary", "_UNKNOWN", "trace.vocabulary", "UNKNOWN"),
        ("trace.vocabulary", "_EMPTY", "trace.vocabulary", "EMPTY"),
        ("trace.words", "_OF_WORD", "trace.folds", "OF_WORD"),
        ("trace.words", "_PARTS", "trace.folds", "PARTS"),
    ],
)
def test_a_constant_that_kernels_write_again_is_that_of_the_other_file(kernels_of, own, file, theirs):
    here, there = (importlib.import_module(f"hemicycle.{name}") for name in (kernels_of, file))
    assert getattr(here, own) == getattr(there, theirs)


def test_the_key_of_an_unknown_word_is_its_number_as_shards_hold_it():
    assert np.uint32(UNKNOWN).byteswap() == spans._UNKNOWN_KEY
    # In 16 bits it is the number of no word either: `NARROW` itself.
    assert np.uint32(UNKNOWN).astype(np.uint16) == NARROW
    assert np.uint16(NARROW).byteswap() == spans._UNKNOWN_NARROW


def summed(values, table):
    """Some of what kernels do: read, look up, write, hand back a number."""
    total = 0
    for i in range(len(values)):
        slot = values[i] & 7
        table[slot] += 1
        total += values[i] * table[slot]
    return total


def taken(options):
    """What `summed` gives, called by another kernel as ours are, compiled with some options."""
    inner = kernels.numba.njit(forceinline=True, **options)(summed)

    @kernels.numba.njit(**options)
    def outer(values, table):
        return inner(values[1:], table) + inner(values, table)

    table = np.zeros(8, np.int64)
    return outer(np.arange(99, dtype=np.int64), table), table.tolist()


def test_counting_references_or_not_gives_the_same():
    assert kernels._UNCOUNTED, "the numba of constraints.txt has the option"
    assert taken({}) == taken(kernels._UNCOUNTED)


def test_a_numba_without_the_option_is_done_without_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba.core.options", None)
    assert kernels._uncounted() == {}
    monkeypatch.setattr(kernels, "_UNCOUNTED", {})
    table = np.zeros(8, np.int64)
    assert kernels.scan(summed)(np.arange(9, dtype=np.int64), table) == 44
    assert table.tolist() == [2, 1, 1, 1, 1, 1, 1, 1]
