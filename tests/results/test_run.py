from __future__ import annotations

from pathlib import Path

import pytest

from slic_mmaction.results.run import read_results

RETRIEVAL = "retrieval/slic_r3d_ucf101.py"


def test_a_test_is_attributed_to_the_weights_it_judged(left_by, trained) -> None:
    origin = trained(seed=3, commit="old", epoch=600, file="epoch_600.pth")
    record = trained("retrieval/slic", seed=99, commit="new", origin=origin, test_videos=13320)
    figures = {"retrieval/R@1": 70.5, "retrieval/mAP": 30.0, "time": 3.0, "data_time": 1.0}
    work = left_by("a", "20260101_000000", RETRIEVAL, record, test=figures)
    first, second = read_results([work])
    assert (first.method, first.hashes, first.epoch) == (("slic",), ("hash-slic",), 600)
    assert first.seeds == (3,) and first.commits == ("old", "new") and first.videos == 13320
    assert (first.data, first.split, first.protocol) == ("ucf101", "1", "retrieval/iic")
    assert [(r.metric, r.value) for r in (first, second)] == [("R@1", 70.5), ("mAP", 30.0)]


def test_a_training_is_judged_by_its_last_validation(left_by, trained) -> None:
    lines = [
        {"retrieval/R@1": 10.0, "time": 1.0, "step": 0},
        {"cluster/nmi": 0.5, "step": 0},
        {"loss": 1.0, "lr": 0.1, "epoch": 1, "iter": 5, "step": 5},
        {"retrieval/R@1": 20.0, "time": 1.0, "step": 20},
        {"cluster/nmi": 0.6, "step": 25},
    ]
    work = left_by("a", "20260101_000000", "slic_r3d_ucf101.py", trained(seed=1), val=lines)
    (result,) = read_results([work])
    assert (result.value, result.epoch, result.metric) == (20.0, 20, "R@1")
    assert result.protocol == "retrieval/center" and result.seeds == (1,)


def test_of_several_starts_of_a_training_the_farthest_counts(left_by, trained) -> None:
    for start, epoch in (("20260101_000000", 20), ("20260102_000000", 40)):
        lines = [{"retrieval/R@1": float(epoch), "step": epoch}]
        work = left_by("a", start, "slic_r3d_ucf101.py", trained(), val=lines)
    left_by("a", "20260103_000000", "slic_r3d_ucf101.py", trained())  # stopped before its first
    other = left_by(
        "b", "20260101_000000", "slic_r3d_ucf101.py", trained(), val=[dict(lines[0], step=20)]
    )
    assert [(r.epoch, r.value) for r in read_results([work, other])] == [(40, 40.0), (20, 40.0)]


def test_tests_of_several_epochs_are_all_kept(left_by, trained) -> None:
    for start, epoch in (("20260101_000000", 20), ("20260102_000000", 40)):
        record = trained("eval", origin=trained(epoch=epoch))
        work = left_by("a", start, RETRIEVAL, record, test={"retrieval/R@1": 1.0})
    assert [r.epoch for r in read_results([work])] == [20, 40]


def test_an_accuracy_is_named_by_what_was_done_not_by_its_prefix(left_by, trained) -> None:
    record = trained("finetune", origin=None)
    options = {"test_dataloader.dataset.pipeline.1.num_clips": 2}
    name = "finetune/slic_r3d_ucf101.py"
    figures = {"finetune/10clip_tencrop/top1": 0.5}
    work = left_by("a", "20260101_000000", name, record, test=figures, **options)
    (result,) = read_results([work])
    assert result.protocol == "finetune/2clip_tencrop" and result.method == ("random weights",)


def test_probes_keep_their_own_names_and_seeds(left_by, trained) -> None:
    record = trained("probe", seed=50, origin=trained(seed=3, epoch=1))
    figures = {
        "linear/iic/top1": 50.0,
        "linear/iic/lr": 1.0,
        "linear/iic/weight_decay": 0.0,
        "knn/iic/k20_T0.07/top1": 40.0,
    }
    evaluator = [dict(type="LinearProbeMetric", seed=4), dict(type="VideoKNNMetric")]
    options = {"test_dataloader.dataset.pipeline.4.crop_size": 64}
    work = left_by(
        "a",
        "20260101_000000",
        RETRIEVAL,
        record,
        test=figures,
        **options,
        test_evaluator=dict(_delete_=True, metrics=evaluator),
    )
    linear, knn = read_results([work])
    assert linear.protocol == "linear/iic_64px" and linear.seeds == (3, 4)
    assert knn.protocol == "knn/iic_64px/k20_T0.07" and knn.metric == "top1"


def test_a_run_without_a_record_is_read_from_its_config(left_by, trained) -> None:
    work = left_by(
        "old",
        "20260101_000000",
        RETRIEVAL,
        trained(),
        test={"retrieval/R@1": 1.0},
        load_from="work_dirs/pre/epoch_9.pth",
        randomness=dict(seed=5),
    )
    (work / "20260101_000000" / "run_record.json").unlink()
    (result,) = read_results([work])
    assert result.method == ("pre/epoch_9.pth",) and result.seeds == (None,)
    assert result.commits == ("-",) and result.epoch is None and result.videos is None


def test_wrong_input_is_one_sentence(left_by, trained, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no work directory"):
        read_results([tmp_path / "none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no run below"):
        read_results([tmp_path / "empty"])
    work = left_by("a", "20260101_000000", RETRIEVAL, trained(), test={})
    (work / "20260101_000000" / "20260101_000000.json").write_text("{")
    with pytest.raises(ValueError, match=r"20260101_000000\.json is not readable JSON"):
        read_results([work])
    (work / "20260101_000000" / "20260101_000000.json").write_text("[]")
    with pytest.raises(ValueError, match="holds a list"):
        read_results([work])
