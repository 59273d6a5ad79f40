#!/usr/bin/env python3
"""Measures the throughput of GET /health beside nginx, and the latency that HTTP adds to a forward pass.

usage: bench_http.py [--rounds N] [--seconds S] [--program ENCODERD] [--model DIRECTORY]

1. Throughput: wrk with one thread and 64 persistent connections on loopback. The servers take turns: nginx (one worker,
   `return 200`, `access_log off`) and encoderd with `--access-log off`, and `on` with the log in a file. Prints best and
   median of the rounds, and the median ratio to nginx.
2. Latency: one connection sends one short text at a time to /v1/encode. The added latency is the client's wait minus the
   durations of tokenization and of the forward pass in Server-Timing. In the first run each request follows the previous
   response at once. In the second run it alternates with /health, whose latency is the cost of the client and the kernel.

Needs wrk and nginx (Debian: wrk, nginx-light). Exits with 1 if /health is below 60 % of nginx, or if the median added latency
of either run is 150 µs or more.
"""
import argparse
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from local_server import free_port, wait_for_answer

ROOT = pathlib.Path(__file__).resolve().parent.parent
NGINX = """worker_processes 1; daemon off; error_log {folder}/error.log; pid {folder}/pid;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200; }} }} }}
"""


class Client:
    """A connection with as little Python code around it as possible."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request):
        """Sends a request. Returns the seconds until the whole response had arrived, and its head."""
        start = time.perf_counter()
        self.socket.sendall(request)
        data = self.socket.recv(65536)
        while True:
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                length = int(re.search(rb"Content-Length: (\d+)", data).group(1))
                if len(data) >= end + 4 + length:
                    break
            part = self.socket.recv(65536)
            if not part:
                raise SystemExit(f"the connection ended: {data[:200]}")
            data += part
        seconds = time.perf_counter() - start
        if not data.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"not 200: {data[:300]}")
        return seconds, data[:end].decode()


def throughput(port, seconds):
    """Returns the requests per second that wrk measures."""
    told = subprocess.run(["wrk", "-t1", "-c64", f"-d{seconds}s", f"http://127.0.0.1:{port}/health"],
                          capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(told)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told).group(1))


def added_latency(port, count, by_turns):
    """Returns medians in microseconds of the wait, tokenization, the forward pass, and the wait minus these two.

    The last value is the median wait for /health, 0 unless `by_turns`.
    """
    body = b'{"model":"m","input":"A short sentence about the sea."}'
    request = (b"POST /v1/encode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
               % len(body)) + body
    health = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    client = Client(port)
    rows, bare = [], []
    for i in range(count + 200):
        seconds, head = client.ask(request)
        timing = {k: float(v) for k, v in re.findall(r"(\w+);dur=([\d.]+)", head)}
        wait, tokenize, infer = seconds * 1e6, timing["tokenize"] * 1e3, timing["infer"] * 1e3
        health_wait = client.ask(health)[0] * 1e6 if by_turns else 0
        if i >= 200:
            rows.append((wait, tokenize, infer, wait - tokenize - infer))
            bare.append(health_wait)
    return [statistics.median(column) for column in zip(*rows)] + [statistics.median(bare)]


def main():
    parser = argparse.ArgumentParser(description="Measures the cost of HTTP beside nginx.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--program", default=str(ROOT / ".build" / "release" / "encoderd"))
    parser.add_argument("--model", default=str(ROOT / "models" / "minilm"))
    arguments = parser.parse_args()
    ports = {name: free_port() for name in ("nginx", "encoderd", "encoderd, with its log")}
    processes = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            configuration = pathlib.Path(folder) / "nginx.conf"
            configuration.write_text(NGINX.format(folder=folder, port=ports["nginx"]))
            processes.append(subprocess.Popen(["nginx", "-e", f"{folder}/error.log", "-c", str(configuration)]))
            for name, log in (("encoderd", "off"), ("encoderd, with its log", "on")):
                with open(pathlib.Path(folder) / f"{log}.log", "w") as file:
                    processes.append(subprocess.Popen(
                        [arguments.program, "serve", "--port", str(ports[name]), "--model", f"m={arguments.model}",
                         "--access-log", log], stderr=file))
            for port in ports.values():
                wait_for_answer(f"http://127.0.0.1:{port}/health")
            time.sleep(2)
            found = {name: [] for name in ports}
            for _ in range(arguments.rounds):
                for name, port in ports.items():
                    found[name].append(throughput(port, arguments.seconds))
            print(f"{'GET /health, 64 connections':30} {'best/s':>9} {'median/s':>9} {'of nginx':>9}")
            for name, rates in found.items():
                ratio = statistics.median(a / b for a, b in zip(rates, found["nginx"]))
                print(f"{name:30} {max(rates):9.0f} {statistics.median(rates):9.0f} {ratio:8.0%}")
            print("\n/v1/encode, one connection, medians in µs:")
            worst = 0
            for by_turns in (False, True):
                wait, tokenize, infer, added, bare = added_latency(ports["encoderd"], 2000, by_turns)
                worst = max(worst, added)
                print(f"{'alternating with /health' if by_turns else 'back to back':24} wait {wait:.0f}, tokenization "
                      f"{tokenize:.0f}, forward pass {infer:.0f}, added {added:.0f}" + (f"; /health {bare:.0f}" if by_turns else ""))
            ratio = statistics.median(a / b for a, b in zip(found["encoderd"], found["nginx"]))
            return 0 if ratio >= 0.6 and worst < 150 else 1
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()


if __name__ == "__main__":
    sys.exit(main())
