"""A child that tries to do what it must not; called by test_uploads."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from server.http.sandbox import answer, shut_in

shut_in(megabytes=400, cpu_seconds=5)
deed = sys.argv[1]
if deed == "network":
    socket.create_connection(("127.0.0.1", 9))
if deed == "file":
    Path("/tmp/farseal-escape").write_text("out")
if deed == "child":
    subprocess.run(["/bin/true"], check=True)
if deed == "memory":
    hoard = bytearray(500_000_000)
while deed == "loop":
    pass
answer({"escaped": deed})
