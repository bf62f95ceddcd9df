"""An append-only log that cannot be rewritten unseen: a Merkle tree after RFC 6962 with signed checkpoints."""
