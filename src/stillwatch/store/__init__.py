"""The control plane's memory: keys, accounts, actions, verdicts, and the ledger of who concluded and did what."""
