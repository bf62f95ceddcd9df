"""Templates that the deployment has registered as public: tools, benchmarks, courses."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa

from stillwatch.model import InputRefused
from stillwatch.sketch.templates import TemplateCounts, key_prompts


def register_templates(path: Path, counts: TemplateCounts) -> frozenset[int]:
    """Return the keys of the templates in a file: one text a line, or NDJSON with a `text`.

    A template is known by its frame, so slots may stand as they do in its source. Raises InputRefused when the file
    cannot be read, naming file and row.
    """
    texts = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefused(
            f"{path}: cannot be read as UTF-8 text ({type(error).__name__}); give one template a line"
        ) from None
    for row, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if not line.startswith("{"):
            texts.append(line)
            continue
        try:
            texts.append(str(json.loads(line)["text"]))
        except (ValueError, KeyError, TypeError):
            raise InputRefused(f'{path}:{row}: not an object with a \'text\'; write {{"text": "…"}}') from None
    keys = key_prompts(counts, pa.array(texts, pa.string())).template_key
    return frozenset(int(key) for key in keys if key)
