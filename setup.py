"""Builds the package; ``configs/`` and ``tools/`` travel inside it as ``slic_mmaction/.mim``.

OpenMMLab's ``mim`` looks for both there. An editable install links them, a wheel gets copies,
and an sdist carries the two folders themselves (MANIFEST.in).
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
SHIPPED = ("configs", "tools")
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")

# opencv is not listed: mmengine asks for opencv-python and mmaction2 for opencv-contrib-python.
REQUIRED = [
    # Before 2.6 a checkpoint could run code, even read with weights_only=True (CVE-2025-32434).
    "torch>=2.6",
    "mmengine>=0.10.3,<1",
    "mmaction2>=1.2.0,<2",
    "numpy",
    "scipy",
    "scikit-learn",
    "matplotlib",
    # Pages; torch has it, too.
    "jinja2",
    # Since 14.1 a bar may be shown inside another.
    "rich>=14.1",
    # Worker processes that a bad file may crash or hang.
    "pebble",
    # The fastest of the decoders (docs/decoding.md); before 17 it starts a thread for each core.
    "av>=17",
    # Locks the cache of decoded videos.
    "filelock",
    # mmaction2 asks for decord everywhere, but it has no wheel for other machines.
    'decord>=0.6.0; platform_machine in "x86_64 AMD64"',
    # The configs log to TensorBoard, so a run without it would stop at the first log line.
    "tensorboard",
    # Python 3.12 has no distutils of its own, and mmengine's environment report imports it.
    "setuptools",
]
# mmcv-lite suffices (no CUDA op is used) and must not be installed beside mmcv: who has the
# full mmcv installs without an extra, and adds faiss by hand.
MMCV = "mmcv-lite>=2.0.1,<2.2"
COLLECTION = ["lancedb>=0.25", "typer>=0.15", "plotly>=6"]
VIEW = ["umap-learn>=0.5.7", "gradio>=6.31"]
EXTRAS = {
    "cpu": [MMCV, "faiss-cpu>=1.8"],
    # faiss-gpu-cu12 has no code for H100/H200; faiss-gpu 1.15.1 has.
    "gpu": [MMCV, "faiss-gpu>=1.15.1"],
    # The command `slic` and collections of videos (docs/collections.md).
    "collection": COLLECTION,
    # Maps by UMAP, and pages in the browser.
    "view": VIEW,
    "all": [*COLLECTION, *VIEW],
    # `make docs`
    "docs": ["mkdocs-material>=9.6", "mkdocstrings[python]>=0.29"],
    "dev": [
        "finch-clust",
        "hypothesis",
        # Run the notebook of the docs.
        "ipykernel",
        "nbclient",
        "mypy",
        "pytest",
        "pytest-xdist",
        # LARS and LAMB, tried where mmengine registers them (docs/precision_and_scale.md).
        "pytorch_optimizer",
        "ruff",
    ],
}


class BuildWithMim(build_py):
    """``build_py`` that also lays ``configs/`` and ``tools/`` into ``slic_mmaction/.mim``."""

    def run(self) -> None:
        super().run()
        place = self._link if self.editable_mode else self._copy
        for name in SHIPPED:
            place(name)

    def _link(self, name: str) -> None:
        link = ROOT / "slic_mmaction" / ".mim" / name
        link.parent.mkdir(exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(os.path.join("..", "..", name), target_is_directory=True)

    def _copy(self, name: str) -> None:
        target = Path(self.build_lib) / "slic_mmaction" / ".mim" / name
        shutil.copytree(ROOT / name, target, ignore=IGNORED, dirs_exist_ok=True)


def version() -> str:
    """Read the version without importing the package, which would need torch."""
    text = (ROOT / "slic_mmaction" / "version.py").read_text(encoding="utf-8")
    return re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)[0]


def readme() -> str:
    """Return the README, shown on the package's page."""
    return (ROOT / "README.md").read_text(encoding="utf-8")


setup(
    name="slic-mmaction",
    version=version(),
    description="SLIC: self-supervised video retrieval by iterative clustering, for MMAction2",
    long_description=readme(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=["slic_mmaction", "slic_mmaction.*"]),
    package_data={"slic_mmaction": ["py.typed"]},
    # 3.10: the oldest that torch and LanceDB still have wheels for; 3.12: the newest that
    # the unmaintained mmengine 0.10 and mmaction2 1.2 were tried with.
    python_requires=">=3.10,<3.13",
    entry_points={"console_scripts": ["slic = slic_mmaction.cli:main"]},
    install_requires=REQUIRED,
    extras_require=EXTRAS,
    cmdclass={"build_py": BuildWithMim},
    zip_safe=False,
)
