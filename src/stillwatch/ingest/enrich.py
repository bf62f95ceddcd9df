"""What reference files say of an exchange's address, filled in where the log says nothing itself.

The log's addresses pass a kernel once, in order; what it finds lies beside the log in a narrow table of its own, so no
text is copied and rows keep their order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.ranges import COUNTRY, SYSTEM, Lookup, join, lookup_of, unpack
from stillwatch.ingest.records import REJECTED, Ingested
from stillwatch.ingest.reference import ASN, DOMAINS, NETWORKS, Reference, read_reference
from stillwatch.ingest.reference import COUNTRY as COUNTRIES

FOUND = pa.schema([("_asn", pa.uint32()), ("_country", pa.uint16())])  # six bytes a row, kept while the log is read
FILLED = ("asn", "country")


@ibis.udf.scalar.builtin(name="chr")
def letter(code: int) -> str:  # type: ignore[empty-body]
    """The engine's own character of a code."""


@dataclass(frozen=True, slots=True)
class Enrichment:
    """Reference files read and ready: `lookup` for systems and countries, and the lists of networks and domains."""

    references: tuple[Reference, ...] = ()
    lookup: Lookup | None = None

    @property
    def lists(self) -> tuple[Reference, ...]:
        """Return the files that only list addresses or domains."""
        return tuple(each for each in self.references if {NETWORKS, DOMAINS} & set(each.says))

    @property
    def rejected(self) -> pa.Table:
        """Return the rows of the files that could not be used, in the columns of REJECTED."""
        return pa.concat_tables([REJECTED.empty_table(), *(each.rejected for each in self.references)])

    def described(self) -> list[dict[str, Any]]:
        """Return each file for the manifest: its hash, what it says and when it was made, as far as it tells."""
        names = ("path", "says", "bytes", "sha256", "rows", "dated", "dated_by")
        return [
            {name: getattr(each, name) for name in names}
            | {"says": list(each.says), "rejected": each.rejected.num_rows}
            for each in self.references
        ]


def read_references(paths: Sequence[str | Path]) -> Enrichment:
    """Read reference files of any kind, in any number. Raises InputRefused for one that is of no known kind."""
    references = tuple(read_reference(path) for path in paths)
    layers = []
    for says, bits in ((ASN, SYSTEM), (COUNTRIES, COUNTRY)):
        parts = [each.ranges.only(bits) for each in references if each.ranges is not None and says in each.says]
        if parts:
            layers.append(join(parts))
    return Enrichment(references, lookup_of(layers) if layers else None)


def fill(log: Ingested, enrichment: Enrichment, engine: Engine) -> tuple[Ingested, dict[str, int]]:
    """Return a log with `asn` and `country` filled where they are null, and how many cells were filled.

    Without addresses, or without files that say either, the log comes back as it is.
    """
    if enrichment.lookup is None or "ip" not in log.present:
        return log, dict.fromkeys(FILLED, 0) if enrichment.references else {}
    stage = partial(_look_up, lookup=enrichment.lookup)
    table = engine.view("unfilled", log.table)
    found = engine.map("found", table.select("ip"), stage, FOUND)
    both = engine.beside("beside", table, found)
    counted = engine.arrow(both.aggregate(**{name: _fits(both, name).sum() for name in FILLED})).to_pylist()[0]
    filled = engine.view("filled", both.mutate(**_values(both)).select(*log.table.columns))
    present = log.present | {name for name in FILLED if counted[name]}
    return dataclasses.replace(log, table=filled, present=present), {name: counted[name] or 0 for name in FILLED}


def _fits(both: ir.Table, name: str) -> ir.BooleanValue:
    return both[name].isnull() & both[f"_{name}"].notnull()


def _values(both: ir.Table) -> dict[str, ir.Value]:
    code = both["_country"].cast("int32")
    country = letter((code // 256).cast("int32")) + letter((code % 256).cast("int32"))
    return {
        "asn": both["asn"].fill_null(both["_asn"].cast("int64")),
        "country": both["country"].fill_null(ibis.ifelse(code.isnull(), ibis.null("string"), country)),
    }


def _look_up(batch: pa.RecordBatch, *, lookup: Lookup) -> pa.RecordBatch:
    asn, country = unpack(lookup.find(batch.column("ip")))
    columns = [
        pa.array(asn.astype(np.uint32), mask=asn == 0),
        pa.array(country.astype(np.uint16), mask=country == 0),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=FOUND)
