"""Evidence about models and outputs: was a suspect model trained on ours? Coin-flip twins, watermarks, lineage.

Needs numpy and scipy alone; what talks to transformers stands in `watermark/`, and imports it where it is used.
"""
