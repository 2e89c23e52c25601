"""Train a config with MMAction2's ``tools/train.py`` after importing this plugin.

The plugin repairs the import of the released MMAction2. The options are those of MMAction2
(``--resume``, ``--amp``, ``--cfg-options``, ...; see ``--help``).
"""

from slic_mmaction.stock_tools import run_stock_tool

if __name__ == "__main__":
    run_stock_tool("train")
