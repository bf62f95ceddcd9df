"""The TAXII 2.1 server as a process: HTTP, TLS, limits on bodies, and the worker of what was put aside."""
