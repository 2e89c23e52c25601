"""What is installed: versions, extras, and the folders that travel as ``.mim``."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from slic_mmaction.version import __version__

ROOT = Path(__file__).parents[1]


def requirements(extra: str = "") -> dict[str, Requirement]:
    """What an installation with the extra asks for, by name."""
    wanted = [Requirement(line) for line in metadata.requires("slic-mmaction") or []]
    return {
        r.name: r
        for r in wanted
        if r.marker is None or r.marker.evaluate({"extra": extra, "platform_machine": "x86_64"})
    }


def constraints() -> dict[str, Requirement]:
    """The tested versions, by name."""
    lines = (ROOT / "requirements" / "constraints.txt").read_text().splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert len({r.name.lower() for r in wanted}) == len(wanted), "a package is constrained twice"
    return {r.name.lower(): r for r in wanted}


def test_version_of_metadata_and_module_agree() -> None:
    assert metadata.version("slic-mmaction") == __version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


@pytest.mark.parametrize("extra", ["", "cpu", "gpu", "dev"])
def test_no_extra_asks_for_two_of_a_kind(extra: str) -> None:
    names = set(requirements(extra))
    mmcv = {"mmcv", "mmcv-lite", "mmcv-full"} & names
    assert mmcv == ({"mmcv-lite"} if extra in ("cpu", "gpu") else set())
    assert len({n for n in names if n.startswith("faiss")}) == (extra in ("cpu", "gpu"))
    assert not {"opencv-python-headless", "torchvision"} & names


def test_decord_is_not_asked_for_where_it_has_no_wheel() -> None:
    marker = requirements()["decord"].marker
    assert marker is not None
    assert not marker.evaluate({"platform_machine": "aarch64"})


def test_constraints_are_exact_and_admitted_by_the_requirements() -> None:
    pinned = constraints()
    for requirement in pinned.values():
        assert [s.operator for s in requirement.specifier] == ["=="], requirement
    for extra in ("", "cpu", "gpu", "all", "docs", "dev"):
        for name, requirement in requirements(extra).items():
            assert name.lower() in pinned, f"{name} has no tested version"
            (version,) = (s.version for s in pinned[name.lower()].specifier)
            assert requirement.specifier.contains(version), f"{requirement} refuses {version}"


def test_setuptools_keeps_pkg_resources() -> None:
    assert Requirement("setuptools<82").specifier.contains(
        next(iter(constraints()["setuptools"].specifier)).version
    )
    assert "setuptools>=64,<82" in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("name", ["configs", "tools"])
def test_editable_install_links_the_shipped_folders(name: str) -> None:
    link = ROOT / "slic_mmaction" / ".mim" / name
    if not link.parent.exists():
        pytest.skip("this is not an editable install")
    assert link.is_symlink()
    assert link.resolve() == ROOT / name


@pytest.mark.slow
def test_wheel_carries_configs_and_tools(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    # A copy without links and leftovers: building in the work tree would write into it.
    source = tmp_path / "source"
    left_out = (".*", "__pycache__", "build", "dist", "work_dirs", "*.egg-info")
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*left_out))
    files = [str(f.relative_to(source)) for f in source.rglob("*") if f.is_file()]
    subprocess.run([*command, "-w", str(tmp_path), str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("slic_mmaction-*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    for name in files:
        if name.startswith(("configs/", "tools/")):
            assert f"slic_mmaction/.mim/{name}" in inside
        elif name.startswith("slic_mmaction/"):
            assert name in inside
    top = {name.split("/")[0] for name in inside}
    assert {t for t in top if not t.endswith(".dist-info")} == {"slic_mmaction"}
