from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests_ingest import exchange, ids, write_csv, write_ndjson, zstd

from stillwatch.ingest.columns import ACCOUNT_COLUMNS, EXCHANGE_COLUMNS, LICENCE_COLUMNS
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import read_accounts, read_exchanges, read_licences
from stillwatch.model import InputRefused, UsageError
