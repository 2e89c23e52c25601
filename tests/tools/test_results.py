from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.runner import Runner

TOOL = "analysis/results.py"
IIC = "retrieval/iic/R@1"


def trained(name: str = "slic", seed: int = 0, **fields: Any) -> dict[str, Any]:
    """The record of a run."""
    family = f"family-{name.replace('_split2', '').replace('_split3', '')}"
    return {"name": name, "config_hash": f"hash-{name}", "family": family, "seed": seed,
            "commit": "abc", "origin": None, **fields}  # fmt: skip


@pytest.fixture
def left_by(tmp_path: Path) -> Callable[..., Path]:
    """Write what an evaluation leaves behind; returns its work directory."""

    def write(
        work_dir: str,
        start: str,
        record: dict[str, Any] | None,
        figures: dict[str, float],
        epoch: int | None = None,
        ann_file: str = "data/ucf101/ucf101_{}_split_1_videos.txt",
        **fields: Any,
    ) -> Path:
        folder = tmp_path / work_dir / start
        folder.mkdir(parents=True)
        parts = dict(query=dict(ann_file=ann_file.format("val"), videos=3),
                     gallery=dict(ann_file=ann_file.format("train"), videos=9))  # fmt: skip
        evaluation = dict(
            {"part": "test" if epoch is None else "val", "epoch": epoch, "name": "iic"},
            **{**parts, "seeds": [], "figures": figures, **fields},
        )
        (folder / "evaluation.json").write_text(json.dumps(evaluation))
        if record is not None:
            (folder / "run_record.json").write_text(json.dumps(record))
        return tmp_path / work_dir

    return write


def test_a_test_is_attributed_to_the_weights_it_judged(tool, left_by) -> None:
    origin = trained(seed=3, commit="old", epoch=600, file="epoch_600.pth")
    record = trained("retrieval/slic", seed=99, commit="new", origin=origin)
    figures = {"retrieval/R@1": 70.5, "retrieval/mAP": 30.0, "linear/iic/lr": 1.0, "time": 3.0,
               "linear/iic/top1": 50.0, "knn/iic/k20_T0.07/top1": 40.0}  # fmt: skip
    work = left_by("a", "1", record, figures, seeds=[4], name="iic, 4 clips")
    results = tool.read_results([work])
    assert {r.column: r.value for r in results} == {
        "retrieval/iic_4-clips/R@1": 70.5, "retrieval/iic_4-clips/mAP": 30.0,
        "linear/iic/top1": 50.0, "knn/iic/k20_T0.07/top1": 40.0}  # fmt: skip
    first = results[0]
    assert (first.method, first.hashes, first.epoch) == (("slic",), ("hash-slic",), 600)
    assert first.seeds == (3, 4) and first.commits == ("old", "new") and first.videos == 12
    assert (first.data, first.split) == ("ucf101", "1")


def test_where_records_say_less(tool, left_by) -> None:
    """No record, no weights, another gallery, a classifier's videos."""
    gallery = dict(ann_file="hmdb51_train_split_2_videos.txt", videos=1)
    works = [left_by("old", "1", None, {"retrieval/R@1": 1.0}, gallery=gallery),
             left_by("ft", "1", trained("finetune", seed=5), {"finetune/10clip/top1": 0.5},
                     ann_file="mine.csv", name="x")]  # fmt: skip
    record = json.loads((works[1] / "1" / "evaluation.json").read_text())
    record["videos"] = record.pop("query")
    del record["gallery"], record["name"]
    (works[1] / "1" / "evaluation.json").write_text(json.dumps(record))
    old, finetuned = tool.read_results(works)
    assert (old.method, old.commits, old.epoch) == (("random weights",), ("-",), None)
    assert (old.data, old.split) == ("ucf101 in hmdb51", "1 in 2")
    assert finetuned.column == "finetune/10clip/top1" and finetuned.seeds == (5,)
    assert (old.value, finetuned.value) == (1.0, 50.0)  # percent
    assert (finetuned.data, finetuned.split, finetuned.videos) == ("mine", "-", 3)


def test_of_several_starts_of_a_training_the_farthest_counts(tool, left_by) -> None:
    for start, epoch in (("1", 20), ("2", 40), ("3", 30)):
        work = left_by("a", start, trained(seed=1), {"retrieval/R@1": float(epoch)}, epoch)
    other = left_by("b", "1", trained(), {"retrieval/R@1": 40.0}, epoch=20)
    for start, epoch in (("4", 20), ("5", 40)):  # tests are all kept
        left_by("b", start, trained("eval", origin=trained(epoch=epoch)), {"retrieval/R@1": 1.0})
    results = tool.read_results([work, other])
    assert [(r.epoch, r.value) for r in results] == [(40, 40.0), (20, 40.0), (20, 1.0), (40, 1.0)]


@pytest.fixture(scope="module")
def base(tool):
    return tool.Result(("slic",), ("family",), ("hash",), 600, (0,), "ucf101", "1", 100, IIC, 70.0,
                       ("abc",), "a/1")  # fmt: skip


def test_protocols_never_share_a_column(tool, base) -> None:
    center = "retrieval/center/R@1"
    results = [base, base._replace(column=center, value=60.0)]
    (row,) = tool.make_rows(results, tool.choose_columns(results))
    assert {name: cell["mean"] for name, cell in row["cells"].items()} == {IIC: 70, center: 60}
    with pytest.raises(ValueError, match=r"R@1 was measured under 2 protocols.*center.*iic"):
        tool.choose_columns(results, ["R@1"])
    with pytest.raises(ValueError, match="No run has R@5; there are retrieval/center/R@1, ret"):
        tool.choose_columns(results, ["R@5"])
    assert tool.choose_columns(results, [IIC]) == tool.choose_columns(results[:1], ["R@1"]) == [IIC]
    ks = [base._replace(column=f"retrieval/iic/R@{k}") for k in (50, 5, 10)]
    assert [name[-4:] for name in tool.choose_columns(ks)] == ["/R@5", "R@10", "R@50"]


@given(st.lists(st.floats(0, 100), min_size=2, max_size=5))
@settings(deadline=None, max_examples=20)
def test_mean_and_spread_are_over_seeds(tool, base, values: list[float]) -> None:
    results = [base._replace(seeds=(seed,), value=v) for seed, v in enumerate(values)]
    ((row,), (again,)) = (
        tool.make_rows(rs, [IIC]) for rs in (results, [*results, base._replace(value=values[0])])
    )
    cell = row["cells"][IIC]
    assert cell["mean"] == pytest.approx(fmean(values)) and cell["values"] == values
    assert cell["spread"] == pytest.approx(stdev(values))
    assert again["cells"] == row["cells"]  # a seed counts once
    later = base._replace(value=71.0, folder="z/2")
    (row,) = tool.make_rows([later, base], [IIC])
    assert row["cells"][IIC]["values"] == [71.0] and row["cells"][IIC]["spread"] is None


def test_what_is_not_the_same_is_another_row(tool, base) -> None:
    for other in (
        dict(hashes=("other",), families=("other",)),
        dict(method=("slic", "finetune")),
        *(dict([item]) for item in dict(epoch=300, data="hmdb51", split="2", videos=99).items()),
    ):
        rows = tool.make_rows([base, base._replace(seeds=(1,), **other)], [IIC])
        assert [row["cells"][IIC]["values"] for row in rows] == [[70.0], [70.0]]


def test_the_mean_of_three_splits(tool, base) -> None:
    results = [
        base._replace(
            method=("slic", f"ft{'' if split == 1 else f'_split{split}'}"),
            hashes=("h", f"h{split}"),
            split=str(split),
            seeds=(seed,),
            value=10.0 * split + seed,
            videos=100 + split,
        )
        for split in (1, 2, 3)
        for seed in (0, 1)
    ]
    assert len(tool.make_rows(results[:4], [IIC])) == 2  # a split is missing
    *splits, mean = tool.make_rows(results, [IIC])
    assert len(splits) == 3 and mean["split"] == "mean of 1-3" and mean["method"] == ("slic", "ft")
    cell = mean["cells"][IIC]
    assert cell["seeds"] == [(0,), (1,)] and cell["values"] == [20.0, 21.0] and cell["mean"] == 20.5
    # A seed that lacks a split is not part of the mean.
    *_, mean = tool.make_rows(results[:-1], [IIC])
    assert mean["cells"][IIC]["values"] == [20.0] and mean["cells"][IIC]["spread"] is None


def test_markdown_says_where_numbers_come_from(tool, base) -> None:
    results = [
        base,
        base._replace(seeds=(1,), value=72.0, folder="a/2", commits=("abc", "def")),
        base._replace(column="knn/iic|x/top1", value=50.0),
    ]
    columns = tool.choose_columns(results)
    rows = tool.make_rows(results, columns)
    table, runs = tool.to_markdown(rows, columns).split("## Runs")
    assert "| slic | 600 | ucf101 | 1 | 100 | 50 (1) | 71 ± 1.4 (2) |" in table
    assert "knn/iic\\|x/top1" in table and runs.count("| slic |") == 3
    assert "| slic | 1 | retrieval/iic | R@1 72 | 1 | hash | abc, def | a/2 |" in runs
    assert rows[0]["commits"] == ("abc", "def") and len(rows[0]["runs"]) == 3


def test_wrong_input_is_one_sentence(tool, left_by, tmp_path: Path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    path = left_by("bad", "1", trained(), {}) / "1" / "evaluation.json"
    for name, content, sentence in (
        ("none", "{", "There is no work directory"),
        ("empty", "{", "no evaluation.json below"),
        ("bad", "{", "evaluation.json is not readable JSON"),
        ("bad", "[]", "evaluation.json holds a list where a dict was expected"),
    ):
        path.write_text(content)
        with pytest.raises(SystemExit) as stop:
            tool.main([str(tmp_path / name)])
        said = capsys.readouterr().err
        assert stop.value.code == 2 and said.count("\n") == 1 and sentence in said


@pytest.mark.slow
def test_real_runs_in_one_table(tool, tiny_config, tmp_path: Path, capsys) -> None:
    """Two pretrainings of one epoch, each validated, the first also tested on its own."""
    runs, out = tmp_path / "runs", tmp_path / "table" / "results"
    recorded = dict(default_hooks__run_record=dict(type="RunRecordHook"))
    for seed in (0, 1):
        options = dict(train_cfg__max_epochs=1, train_cfg__val_interval=1, randomness__seed=seed)
        Runner.from_cfg(tiny_config(runs / f"seed{seed}", **options, **recorded)).train()
    load = dict(load_from=str(runs / "seed0" / "epoch_1.pth"))
    cfg = tiny_config(runs / "test", **load, **recorded)
    cfg.test_dataloader.dataset.pipeline[1].update(protocol="iic", num_clips=2)
    Runner.from_cfg(cfg).test()

    tool.main([str(runs), "--out", str(out)])
    assert "1 rows, 4 columns" in capsys.readouterr().out
    (row,) = json.loads(out.with_suffix(".json").read_text())["rows"]
    assert row["method"] == ["tiny_slic"] and row["epoch"] == 1 and row["videos"] == 12
    cells = {name: len(cell["values"]) for name, cell in row["cells"].items()}
    center, iic = "retrieval/center_4-frames_16px", "retrieval/iic_2-clips_4-frames_16px"
    assert cells == {f"{center}/R@1": 2, f"{center}/R@5": 2, f"{iic}/R@1": 1, f"{iic}/R@5": 1}
    assert row["cells"][f"{center}/R@1"]["seeds"] == [[0], [1]]
    text = out.with_suffix(".md").read_text()
    assert text.startswith("| method | epoch | data | split | videos | retrieval/center")
    tool.main([str(runs), "--metric", f"{iic}/R@1"])
    printed = capsys.readouterr().out
    assert f"{iic}/R@1" in printed and center not in printed
