"""Commands of the control plane: the ledger, gateway keys, actions."""
