#!/usr/bin/env python3
"""Measures the start-up time and the resident memory of the server with one model.

usage: startup.py MODEL_DIRECTORY [ENCODERD]

The time is from exec to the first 200 of /ready. Memory is measured then, and after 320 sequences. Prints best, median and
worst of 9 starts.
"""
import json, pathlib, statistics, subprocess, sys, time, urllib.request

from local_server import free_port, wait_for_answer

directory, program = sys.argv[1], (sys.argv[2:] or [".build/release/encoderd"])[0]


def resident(pid):
    """Returns the resident memory of a process in MiB."""
    fields = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status") if ":" in line)
    return int(fields["VmRSS"].split()[0]) / 1024


times, before, after = [], [], []
for _ in range(9):
    port = free_port()
    start = time.perf_counter()
    server = subprocess.Popen([program, "serve", "--port", str(port), "--model", f"m={directory}"], stderr=subprocess.DEVNULL)
    wait_for_answer(f"http://127.0.0.1:{port}/ready", pause=0.001)
    times.append(time.perf_counter() - start)
    before.append(resident(server.pid))
    body = json.dumps({"input": [f"sentence number {i} of a batch" * 3 for i in range(64)]}).encode()
    for _ in range(5):
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/v1/encode", body, {"Content-Type": "application/json"})).read()
    after.append(resident(server.pid))
    server.terminate()
    assert server.wait() == 0
weights = sum(f.stat().st_size for f in pathlib.Path(directory).iterdir() if f.suffix in (".safetensors", ".pt", ".npz", ".bin")) / 2**20
print(f"start to ready: best {min(times) * 1e3:.0f} ms, median {statistics.median(times) * 1e3:.0f} ms, worst {max(times) * 1e3:.0f} ms")
print(f"resident: {max(before):.1f} MiB when ready, {max(after):.1f} MiB after 320 sequences; weights {weights:.1f} MiB "
      f"(× {max(before) / weights:.2f}, × {max(after) / weights:.2f})")
