"""Becomes another program, in a process that has imported what takes time already.

The fixture ``start_program`` of tests/conftest.py has multiprocessing's fork server run this file,
with the names in capitals.
"""

from __future__ import annotations

import atexit
import gc
import multiprocessing.forkserver
import os
import runpy
import sys

for stream, path in ((0, os.devnull), (1, OUTPUT), (2, OUTPUT)):  # noqa: F821
    os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), stream)
os.setsid()  # so that what it leaves behind can be found
# The server lives as long as somebody holds this: also a loader worker that outlives a killed run.
os.close(multiprocessing.forkserver._forkserver._forkserver_alive_fd)
os.environ.update(ENVIRONMENT)  # noqa: F821
sys.argv = list(ARGV)  # noqa: F821
sys.path[0] = os.path.dirname(sys.argv[0])
sys.path[1:1] = filter(None, ENVIRONMENT.get("PYTHONPATH", "").split(os.pathsep))  # noqa: F821
gc.freeze()
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    atexit._run_exitfuncs()  # multiprocessing would leave them out
