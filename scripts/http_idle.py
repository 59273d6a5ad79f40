#!/usr/bin/env python3
"""Measures the memory of a server with many idle connections, each after one response.

usage: http_idle.py [CONNECTIONS] [MODEL_DIRECTORY]

CONNECTIONS is 10,000 by default. Prints one line of JSON for plain connections and one for TLS.
"""
import json
import os
import resource
import socket
import ssl
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
MODEL = sys.argv[2] if len(sys.argv) > 2 else os.path.join(ROOT, "models/g2p")
TLS = os.path.join(ROOT, "Tests/Reference/data/tls")


def status(pid, field):
    """Returns a number of /proc/PID/status; sizes are in KiB."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field + ":"))


def answer(connection):
    """Sends GET /health and reads the response."""
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    data = b""
    while b"ok" not in data:
        part = connection.recv(4096)
        if not part:
            raise EOFError(data)
        data += part


def measure(encrypted):
    """Prints the measurements of one server."""
    options = ["--tls-cert", f"{TLS}/server-chain.pem", "--tls-key", f"{TLS}/server.key"] if encrypted else []
    server = subprocess.Popen(
        [os.path.join(ROOT, ".build/release/encoderd"), "serve", "--model", f"m={MODEL}", "--port", "0", "--threads", "1",
         "--max-connections", str(COUNT + 10), "--keep-alive-seconds", "3600", "--access-log", "off", *options],
        stderr=subprocess.PIPE, text=True)
    try:
        line = next(line for line in server.stderr if "listening on" in line)
        port = int(line.split(" worker")[0].rsplit(":", 1)[1].split(",")[0])
        context = ssl.create_default_context(cafile=f"{TLS}/root.pem")

        def connect():
            plain = socket.create_connection(("127.0.0.1", port))
            return context.wrap_socket(plain, server_hostname="localhost") if encrypted else plain

        for _ in range(200):
            with connect() as connection:
                answer(connection)
        time.sleep(1)
        before, threads = status(server.pid, "VmRSS"), status(server.pid, "Threads")
        connections = []
        start = time.time()
        for _ in range(COUNT):
            connections.append(connect())
            answer(connections[-1])
        seconds = time.time() - start
        after = status(server.pid, "VmRSS")
        descriptors = len(os.listdir(f"/proc/{server.pid}/fd"))
        for connection in connections:
            connection.close()
        time.sleep(1)
        print(json.dumps({
            "connections": COUNT, "tls": encrypted, "rss_mb_before": round(before / 1024, 1),
            "rss_mb_with": round(after / 1024, 1), "kb_a_connection": round((after - before) / COUNT, 2),
            "rss_mb_after": round(status(server.pid, "VmRSS") / 1024, 1), "descriptors_with": descriptors,
            "descriptors_after": len(os.listdir(f"/proc/{server.pid}/fd")), "threads_before": threads,
            "threads_after": status(server.pid, "Threads"), "seconds_to_open": round(seconds, 1)}), flush=True)
    finally:
        server.terminate()
        server.wait()


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
for encrypted in (False, True):
    measure(encrypted)
