"""A service for supervision tests: serves `/readyz`, and writes down what it was given."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


if len(sys.argv) > 1:
    Path(sys.argv[1]).write_text(json.dumps({k: v for k, v in os.environ.items() if k.startswith("MAIRROR_")}))
HTTPServer(("127.0.0.1", int(os.environ["MAIRROR_WEB__PORT"])), Ready).serve_forever()
