"""Train a config: MMAction2's own ``tools/train.py`` with this plugin imported first.

Importing the plugin repairs what keeps the released MMAction2 from starting; options
are MMAction2's (``--resume``, ``--amp``, ``--cfg-options``, ...; see ``--help``).
"""

from slic_mmaction.stock_tools import run_stock_tool

if __name__ == "__main__":
    run_stock_tool("train")
