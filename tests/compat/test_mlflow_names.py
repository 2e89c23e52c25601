from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.visualization import MLflowVisBackend

from slic_mmaction import compat
from slic_mmaction.compat import mlflow_names

assert "mlflow_names" in compat.apply()


def test_names_that_mlflow_takes(tmp_path: Path) -> None:
    """MLflow itself, 3.17, refuses all but letters, digits, spaces and ``_-.:/``."""
    logged: dict[str, float] = {}
    backend = MLflowVisBackend(str(tmp_path))
    backend._env_initialized = True
    backend._mlflow = SimpleNamespace(
        log_metrics=lambda scalars, step: logged.update(scalars),
        log_metric=lambda name, value, step: logged.update({name: value}),
    )
    backend.add_scalars({"retrieval/R@5": 1.0, "knn/iic_8-frames/k20_T0.07/top1": 2.0}, step=3)
    backend.add_scalar("loss (new)", 3.0, 4)
    assert logged == {
        "retrieval/R_at_5": 1.0,
        "knn/iic_8-frames/k20_T0.07/top1": 2.0,
        "loss _new_": 3.0,
    }


def test_an_mmengine_that_changes_names_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_names.inspect, "getsource", lambda _: "re.sub(...)")
    assert not mlflow_names.repair_mlflow_names()
