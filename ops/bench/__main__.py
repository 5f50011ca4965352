"""`python -m ops.bench [NAME] [--quick]`: measure one thing, or all but the soak."""

from __future__ import annotations

import argparse
import importlib

from ops.bench.results import ORDER


def main() -> int:
    """Run what is asked for; answers 1 where a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m ops.bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=ORDER, help="without it: all but the soak")
    parser.add_argument("--quick", action="store_true", help="a small one, to see that it runs")
    options = parser.parse_args()
    names = [options.name] if options.name else [name for name in ORDER if name != "soak"]
    codes: list[int] = [
        importlib.import_module(f"ops.bench.{name.replace('-', '_')}").main(quick=options.quick) for name in names
    ]
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main())
