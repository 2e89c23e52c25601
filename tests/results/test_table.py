from __future__ import annotations

from dataclasses import replace
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.results.columns import Column, choose_columns
from slic_mmaction.results.run import Result
from slic_mmaction.results.table import MEAN_OF_SPLITS, make_rows
from slic_mmaction.results.writing import to_json, to_markdown

BASE = Result(
    method=("slic",),
    families=("family",),
    hashes=("hash",),
    epoch=600,
    seeds=(0,),
    data="ucf101",
    split="1",
    videos=100,
    protocol="retrieval/iic",
    metric="R@1",
    value=70.0,
    commits=("abc",),
    folder="a/1",
)
IIC = Column("retrieval/iic", "R@1")


def rows_of(results: list[Result]) -> list:
    return make_rows(results, choose_columns(results))


def test_protocols_never_share_a_column() -> None:
    results = [BASE, replace(BASE, protocol="retrieval/center", value=60.0)]
    (row,) = rows_of(results)
    assert {str(c): cell.mean for c, cell in row.cells.items()} == {
        "retrieval/iic/R@1": 70.0,
        "retrieval/center/R@1": 60.0,
    }
    with pytest.raises(ValueError, match=r"R@1 was measured under 2 protocols.*center.*iic"):
        choose_columns(results, ["R@1"])
    assert choose_columns(results, ["retrieval/iic/R@1"]) == [IIC]
    assert choose_columns(results[:1], ["R@1"]) == [IIC]
    with pytest.raises(ValueError, match=r"No run has R@7; there are retrieval/center/R@1, "):
        choose_columns(results, ["R@7"])


def test_columns_are_in_the_order_of_their_numbers() -> None:
    results = [replace(BASE, metric=metric) for metric in ("R@10", "mAP", "R@5", "R@1")]
    metrics = [column.metric for column in choose_columns(results)]
    assert [m for m in metrics if m != "mAP"] == ["R@1", "R@5", "R@10"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 100), min_size=2, max_size=6))
def test_mean_and_spread_are_over_seeds(values: list[float]) -> None:
    results = [replace(BASE, seeds=(seed,), value=v) for seed, v in enumerate(values)]
    (row,) = rows_of(results)
    cell = row.cells[IIC]
    assert cell.mean == pytest.approx(fmean(values)) and cell.spread == pytest.approx(stdev(values))
    assert list(cell.values.values()) == values


def test_one_seed_has_no_spread_and_counts_once() -> None:
    again = replace(BASE, value=71.0, folder="z/2")
    (row,) = rows_of([again, BASE])
    assert row.cells[IIC].spread is None and row.cells[IIC].values == {(0,): 71.0}


@pytest.mark.parametrize(
    "other",
    [
        dict(hashes=("other",), families=("other",)),
        dict(method=("slic", "finetune")),
        dict(epoch=300),
        dict(data="hmdb51"),
        dict(split="2"),
        dict(videos=99),
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_is_not_the_same_is_another_row(other) -> None:
    rows = rows_of([BASE, replace(BASE, seeds=(1,), **other)])
    assert len(rows) == 2 and all(len(row.cells[IIC].values) == 1 for row in rows)


def test_the_mean_of_three_splits() -> None:
    results = [
        replace(
            BASE,
            method=("slic", f"ft{'' if s == 1 else f'_split{s}'}"),
            hashes=("h", f"h{s}"),
            split=str(s),
            seeds=(seed,),
            value=10.0 * s + seed,
            videos=100 + s,
        )
        for s in (1, 2, 3)
        for seed in (0, 1)
    ]
    assert len(rows_of(results[:4])) == 2  # a split is missing
    *splits, mean = rows_of(results)
    assert len(splits) == 3 and mean.split == MEAN_OF_SPLITS and mean.method == ("slic", "ft")
    cell = mean.cells[IIC]
    assert cell.values == {(0,): 20.0, (1,): 21.0} and cell.mean == 20.5
    # A seed that lacks a split is not part of the mean.
    *_, mean = rows_of(results[:-1])
    assert mean.cells[IIC].values == {(0,): 20.0} and mean.cells[IIC].spread is None


def test_markdown_and_json_say_where_numbers_come_from() -> None:
    results = [
        BASE,
        replace(BASE, seeds=(1,), value=72.0, folder="a/2", commits=("abc", "def")),
        replace(BASE, protocol="knn/iic|x", metric="top1", value=50.0),
    ]
    columns = choose_columns(results)
    rows = make_rows(results, columns)
    text = to_markdown(rows, columns)
    table, runs = text.split("## Runs")
    assert "| slic | 600 | ucf101 | 1 | 100 | 50 (1) | 71 ± 1.4 (2) |" in table
    assert "knn/iic\\|x/top1" in table
    assert "| slic | 1 | retrieval/iic | R@1 72 | 1 | hash | abc, def | a/2 |" in runs
    assert runs.count("| slic |") == 3
    (row,) = to_json(rows, columns)["rows"]
    assert row["cells"][str(IIC)] == dict(
        mean=71.0, spread=stdev([70, 72]), seeds=[[0], [1]], values=[70.0, 72.0]
    )
    assert row["commits"] == ("abc", "def") and len(row["runs"]) == 3
    assert {run["folder"] for run in row["runs"]} == {"a/1", "a/2"}
