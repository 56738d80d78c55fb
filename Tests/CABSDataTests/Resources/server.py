"""A web server for tests: python3 server.py FOLDER LOG [OPTION]. Prints its port, and logs each request with its Range.

Options: --ignore-range answers every request with the whole file; --cut N closes the connection after N bytes, unless a
Range was asked for; --stall N stops there without closing it; --no-length does not say how long the file is. Ends with its standard
input: tests that crash leave no server behind, which would hold their output open.
"""

import http.server
import os
import pathlib
import sys
import threading
import time

folder, log = map(pathlib.Path, sys.argv[1:3])
option = sys.argv[3] if len(sys.argv) > 3 else ""
limit = int(sys.argv[4]) if len(sys.argv) > 4 else None


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.headers.get("Range")
        with log.open("a") as file:
            file.write(f"{self.path} {asked}\n")
        path = folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and option != "--ignore-range" else None
        if begin is not None and begin >= len(content):
            self.send_error(416)
            return
        self.send_response(200 if begin is None else 206)
        if begin is not None:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        body = content[begin or 0:]
        if option != "--no-length":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if limit is None or begin is not None else body[:limit])
        self.wfile.flush()
        if option == "--stall" and begin is None:
            time.sleep(60)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
print(server.server_port, flush=True)
server.serve_forever()
