from __future__ import annotations

import torch

from slic_mmaction.checkpoints.loading_report import compare_states, report_table

MODEL = {
    "backbone.a.weight": torch.zeros(3, 4),
    "backbone.b.weight": torch.zeros(4),
    "backbone.c.weight": torch.zeros(2, 2),
    "cls_head.fc.weight": torch.zeros(2),
}


def test_every_name_is_of_one_kind() -> None:
    checkpoint = {
        "module.backbone.a.weight": torch.ones(3, 4),
        "module.backbone.b.weight": torch.ones(5),
        "module.cls_head.projection.weight": torch.ones(7),
    }
    report = compare_states(checkpoint, MODEL)
    assert report.matched == ["backbone.a.weight"]
    assert report.missing == ["backbone.c.weight", "cls_head.fc.weight"]
    assert report.reshaped == ["module.backbone.b.weight"]
    assert report.unexpected == ["module.cls_head.projection.weight"]
    assert report.rejected == [*report.unexpected, *report.reshaped]
    assert report.matched_share("backbone") == 12 / 20
    assert report.matched_share("cls_head") == 0
    everything, nothing = compare_states(MODEL, MODEL), compare_states({}, MODEL)
    assert everything.matched == list(MODEL) and not everything.rejected
    assert everything.matched_share("backbone") == 1
    assert nothing.missing == list(MODEL) and nothing.matched_share("backbone") == 0


def test_the_table_counts_names_and_values_by_part() -> None:
    checkpoint = {f"cls_head.p{i}": torch.ones(100, 20) for i in range(5)}
    checkpoint["backbone.a.weight"] = torch.ones(3, 4)
    title, *lines = report_table(compare_states(checkpoint, MODEL), "title").splitlines()
    rows = [[cell.strip() for cell in line.strip("│┃").split("│")] for line in lines]
    of = {tuple(row[:2]): row[2:] for row in rows}
    assert title == "title"
    assert of["backbone", "matched"] == ["1", "12", "backbone.a.weight"]
    assert of["backbone", "missing in the checkpoint"][:2] == ["2", "8"]
    some = "cls_head.p0, cls_head.p1, cls_head.p2, ..."
    assert of["cls_head", "unexpected, left out"] == ["5", "10,000", some]
