"""The benchmarks are scripts beside the packages: their folder has to be on the path to import them."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / name) for name in ("benchmarks", "benchmarks/paper")]
