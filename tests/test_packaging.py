"""What is installed: versions, extras, and the folders that travel as ``.mim``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from slic_mmaction.version import __version__

ROOT = Path(__file__).parents[1]


def requirements(extra: str = "", machine: str = "x86_64") -> dict[str, Requirement]:
    """What an installation with the extra asks for, by name."""
    wanted = [Requirement(line) for line in metadata.requires("slic-mmaction") or []]
    return {
        r.name: r
        for r in wanted
        if r.marker is None or r.marker.evaluate({"extra": extra, "platform_machine": machine})
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


@pytest.mark.parametrize("extra", ["", "cpu", "gpu", "onedl", "dev"])
def test_no_extra_asks_for_two_of_a_kind(extra: str) -> None:
    names = set(requirements(extra))
    mmcv = {"mmcv", "mmcv-lite", "mmcv-full"} & names
    assert mmcv == ({"mmcv-lite"} if extra in ("cpu", "gpu") else set())
    forks = {"onedl-mmcv", "onedl-mmengine"} & names
    assert forks == ({"onedl-mmcv", "onedl-mmengine"} if extra == "onedl" else set())
    assert ("mmengine" in names) == (extra in ("cpu", "gpu"))
    assert len({n for n in names if n.startswith("faiss")}) == (extra in ("cpu", "gpu"))
    assert not {"opencv-python-headless", "torchvision"} & names


@pytest.mark.parametrize(
    ("machine", "decord"), [("x86_64", "decord"), ("AMD64", "decord"), ("aarch64", "decord2")]
)
def test_decord_is_asked_for_only_where_it_has_a_wheel(machine: str, decord: str) -> None:
    assert {name for name in requirements(machine=machine) if "decord" in name} == {decord}


def test_constraints_are_exact_and_admitted_by_the_requirements() -> None:
    pinned = constraints()
    for requirement in pinned.values():
        assert [s.operator for s in requirement.specifier] == ["=="], requirement
    for extra in ("", "cpu", "gpu", "onedl", "all", "docs", "dev"):
        for name, requirement in requirements(extra).items():
            assert name.lower() in pinned, f"{name} has no tested version"
            (version,) = (s.version for s in pinned[name.lower()].specifier)
            assert requirement.specifier.contains(version), f"{requirement} refuses {version}"


def test_setuptools_keeps_pkg_resources() -> None:
    assert Requirement("setuptools<82").specifier.contains(
        next(iter(constraints()["setuptools"].specifier)).version
    )
    assert "setuptools>=64,<82" in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("name", ["configs", "tools", "model-index.yml"])
def test_editable_install_links_the_shipped_folders(name: str) -> None:
    link = ROOT / "slic_mmaction" / ".mim" / name
    if not link.parent.exists():
        pytest.skip("this is not an editable install")
    assert link.is_symlink()
    assert link.resolve() == ROOT / name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from an unpacked sdist, so that neither lacks a file that the other needs."""
    folder = tmp_path_factory.mktemp("build")
    # A copy without links and leftovers: building in the work tree would write into it.
    left_out = (".*", "__pycache__", "build", "dist", "work_dirs", "*.egg-info")
    shutil.copytree(ROOT, folder / "source", ignore=shutil.ignore_patterns(*left_out))
    run("setup.py", "-q", "sdist", "-d", folder, cwd=folder / "source")
    (sdist,) = folder.glob("*.tar.gz")
    shutil.unpack_archive(sdist, folder, filter="data")
    (unpacked,) = folder.glob("slic_mmaction-*/")
    run("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", folder, unpacked)
    (built,) = folder.glob("*.whl")
    return built


def run(*command: object, python: object = sys.executable, cwd: Path | None = None) -> str:
    """Output of a Python that sees nothing of this work tree but what is installed."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), *map(str, command)], cwd=cwd, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_sdist_and_wheel_carry_everything(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    source = wheel.parent / "source"
    shipped = [source / "slic_mmaction", source / "configs", source / "tools"]
    for path in [source / "model-index.yml", *(f for top in shipped for f in top.rglob("*.*"))]:
        name = path.relative_to(source).as_posix()
        if path.is_file() and not name.startswith("tools/dev/"):
            assert (name if name.startswith("slic_") else f"slic_mmaction/.mim/{name}") in inside
    assert "slic_mmaction/py.typed" in inside
    top = {name.split("/")[0] for name in inside}
    assert {t for t in top if not t.endswith(".dist-info")} == {"slic_mmaction"}


@pytest.mark.slow
def test_wheel_works_in_another_environment_and_folder(wheel: Path, tmp_path: Path) -> None:
    """The upstreams are lent by this environment; what comes first on the path is the wheel."""
    venv.create(tmp_path / "env", symlinks=True)
    bin_folder = tmp_path / "env" / "bin"
    python = bin_folder / "python"
    run("-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert "pretrain" in run(bin_folder / "slic", "--help", python=python, cwd=elsewhere)
    code = """
        from importlib.metadata import version
        from mmengine.config import Config
        import slic_mmaction
        from slic_mmaction.pretraining import CONFIGS
        config = Config.fromfile(CONFIGS / "slic_r3d_ucf101.py")
        print(slic_mmaction.__file__, CONFIGS, config.model.cls_head.type, version("slic-mmaction"))
    """
    file, configs, head, installed = run(
        "-c", textwrap.dedent(code), python=python, cwd=elsewhere
    ).split()
    assert Path(file).is_relative_to(site) and Path(configs).is_relative_to(site)
    assert (head, installed) == ("SLICHead", __version__)


def test_version_and_paper_are_said_alike_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    date = re.escape(citation["date-released"])
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## {re.escape(__version__)} \({date}\)$", changes, re.MULTILINE)
    paper = citation["preferred-citation"]
    (collection,) = yaml.safe_load((ROOT / "configs/metafile.yml").read_text())["Collections"]
    assert collection["Paper"]["Title"] == paper["title"]
    assert collection["Paper"]["URL"] == paper["url"]
