"""Reads the Parquet tables of a report of `testnet market` with the library of the format's authors, and compares every
cell with the CSV beside it.

    pip install pyarrow && python docs/check_parquet.py testnet-report
"""

import csv
import math
import pathlib
import sys

import pyarrow.parquet

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.parquet")):
    columns = pyarrow.parquet.read_table(path).to_pydict()
    with open(path.with_suffix(".csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    for name, cells in columns.items():
        assert len(cells) == len(rows), (path, name)
        for cell, row in zip(cells, rows):
            text = row[name]
            same = math.isnan(cell) if text == "" and isinstance(cell, float) else type(cell)(text) == cell
            assert same, (path, name, cell, text)
    print(f"{path.name}: {len(rows)} rows, {len(columns)} columns, all equal")
