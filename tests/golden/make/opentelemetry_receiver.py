"""Stands where OTLP over HTTP is sent to, and keeps what is posted."""

from __future__ import annotations

import gzip
from http.server import BaseHTTPRequestHandler
from typing import ClassVar


class Receiver(BaseHTTPRequestHandler):
    """Keeps what is posted."""

    bodies: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.bodies.append(gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
