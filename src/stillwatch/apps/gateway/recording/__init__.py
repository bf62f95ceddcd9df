"""The gateway's exchange log: every exchange on disk before its answer ends, later as Parquet, at last without text.

spool/     one append-only file a worker    ─► compactor
waiting/   Parquet, text still in it        ─► the watcher folds it ─► after_fold
segments/  Parquet, as it stays             ─► Kafka, `stillwatch detect`
"""
