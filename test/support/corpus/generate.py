#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the packet corpus: `python3 generate.py OUTDIR`. The same bytes every time; needs scapy (python3-scapy)."""

import logging
import sys
from pathlib import Path
from typing import List

logging.getLogger("scapy").setLevel(logging.ERROR)  # it warns about routes and interfaces, which we never use
sys.dont_write_bytecode = True  # leave nothing beside the sources

from scapy_cases.collect import collect  # noqa: E402


def main(arguments: List[str]) -> int:
    if len(arguments) != 1:
        print("usage: generate.py OUTDIR", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    cases = collect()
    for case in cases:
        (folder / f"{case.name}.case").write_text(case.text(), encoding="ascii", newline="\n")
    print(f"{len(cases)} cases in {folder}")
    stale = {path.name for path in folder.glob("*.case")} - {f"{case.name}.case" for case in cases}
    if stale:
        print(f"no longer made, remove them: {' '.join(sorted(stale))}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
