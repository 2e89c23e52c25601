"""One rank of test_ranks.py: CONFIG OUT_DIR."""

import json
import sys
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.runner import Runner

cfg = Config.fromfile(sys.argv[1])
cfg.launcher = "pytorch"
figures = Runner.from_cfg(cfg).test()
(Path(sys.argv[2]) / f"rank_{get_rank()}.json").write_text(json.dumps(figures))
