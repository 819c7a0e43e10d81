"""What Python runs first in every process that tests with shifted seeds start; see ``tests/reseed.py``."""

import importlib.util
import os
from pathlib import Path

spec = importlib.util.spec_from_file_location("reseed", Path(__file__).resolve().parents[1] / "reseed.py")
reseed = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reseed)
reseed.shift_seeds(int(os.environ.get(reseed.SHIFT, 0)))
