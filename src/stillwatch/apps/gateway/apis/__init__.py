"""The APIs that the gateway speaks: what a request asks, what an answer said, and how each tells an error."""
