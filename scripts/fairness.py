#!/usr/bin/env python3
"""Measures what clients that send all they may do to a client that sends little.

usage: fairness.py [SECONDS]

A client of single sentences is measured alone, then beside 2 and beside 50 clients that each send requests of 1,024 texts of
256 tokens without pause, for SECONDS (20) each. It asks the same model as they do and another one. Beside them run requests
with a deadline of 50 ms, malformed requests, and a stream that began before. Prints a report in Markdown, and exits with 1 if
a requirement is not met.

The clients run in processes of their own, those that send much at the lowest priority, since they stand for other machines.
"""
import gzip
import json
import multiprocessing
import statistics
import sys
import time

from abuse_server import Client, Server, connect, encode, machine, request, row

HOGS = (2, 50)
TEXTS, WORDS = 1024, 254
PATIENCE = 400
SENTENCE = "A man is playing a guitar on a small stage in the park while people listen."
STATES = "words of a long text " * 50


def hog(port, stop, number):
    """Sends the largest request that the server takes, again and again."""
    texts = [f"{number} " + "word " * (WORDS - 1)] * TEXTS
    body = gzip.compress(json.dumps({"model": "minilm", "input": texts}).encode(), 1)
    head = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n" + f"Content-Length: {len(body)}\r\n"
    data = f"POST /v1/encode HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode() + body
    while not stop.is_set():
        try:
            with Client(port, None, PATIENCE) as client:
                while not stop.is_set():
                    if client.ask(data).status == 429:
                        time.sleep(0.2)
        except OSError:
            time.sleep(0.1)


def probe(port, seconds, queue):
    """Measures single requests of several kinds, one after the other, and puts the times in seconds into the queue."""
    kinds = {
        "sentence, same model": encode(model="minilm", input=SENTENCE),
        "sentence, other model": encode(model="g2p", input="transformer"),
        "deadline of 50 ms": encode("X-Request-Timeout-Ms: 50\r\n", model="minilm", input=[SENTENCE] * 200),
        "malformed": request("POST", "/v1/encode", b'{"input": '),
        "unknown model": encode(model="none", input=SENTENCE),
    }
    times = {kind: [] for kind in kinds}
    wrong = []
    expected = {"deadline of 50 ms": 504, "malformed": 400, "unknown model": 404}
    with Client(port, None, PATIENCE) as client:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for kind, data in kinds.items():
                start = time.monotonic()
                status = client.ask(data).status
                times[kind].append(time.monotonic() - start)
                if status != expected.get(kind, 200):
                    wrong.append((kind, status))
            time.sleep(0.01)
    queue.put((times, wrong))


def stream(port, begun, go, queue, seconds):
    """Reads the rest of a long response that began before the hogs came, and measures the longest time without a byte."""
    connection = connect(port, PATIENCE, receive_buffer=65536)
    connection.sendall(encode(model="minilm", output="states", input=[STATES] * 64))
    connection.recv(1000)
    begun.set()
    go.wait()
    longest, size, end = 0.0, 0, time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        part = connection.recv(32768)
        if not part:
            break
        longest, size = max(longest, time.monotonic() - start), size + len(part)
    connection.close()
    if size < 20e6:
        longest = float("inf")  # The response was too short to say anything.
    queue.put(longest)


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def measure(server, seconds, hogs):
    """Returns the times of the probe, what it found wrong, and the longest gap of the stream."""
    context = multiprocessing.get_context("fork")
    stop, begun, go = context.Event(), context.Event(), context.Event()
    gaps, results = context.Queue(), context.Queue()
    reader = context.Process(target=stream, args=(server.plain, begun, go, gaps, seconds))
    reader.start()
    begun.wait()
    clients = [context.Process(target=hog, args=(server.plain, stop, number)) for number in range(hogs)]
    for client in clients:
        client.start()
    if hogs:
        time.sleep(3)
    go.set()
    prober = context.Process(target=probe, args=(server.plain, seconds, results))
    prober.start()
    times, wrong = results.get()
    gap = gaps.get()
    stop.set()
    for client in clients:
        client.terminate()
    for process in [reader, prober, *clients]:
        process.join()
    return times, wrong, gap


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20
    failed = False

    def require(met, text):
        nonlocal failed
        failed |= not met
        print(f"- {'met' if met else '**NOT MET**'}: {text}", flush=True)

    print("# Fairness\n")
    print(machine() + "\n")
    server = Server([], models=("minilm", "g2p"))
    try:
        measured = {hogs: measure(server, seconds, hogs) for hogs in (0, *HOGS)}
    finally:
        server.process.kill()
    batch = 0.25 * 1000
    print("Milliseconds, median and 99th percentile (the number of requests):\n")
    print(row("request", "alone", *(f"beside {hogs}" for hogs in HOGS)))
    print(row(*["---"] * (2 + len(HOGS))))
    for kind in measured[0][0]:
        cells = []
        for hogs in measured:
            times = [t * 1000 for t in measured[hogs][0][kind]]
            cells.append(f"{statistics.median(times):.1f}, {percentile(times, 0.99):.1f} ({len(times)})")
        print(row(kind, *cells))
    print(row("longest gap of a stream", *(f"{measured[hogs][2] * 1000:.0f}" for hogs in measured)))
    print()
    for hogs in HOGS:
        times, wrong, gap = measured[hogs]
        require(not wrong, f"beside {hogs}: every status is right ({wrong[:3] or 'all'})")
        for kind in ("sentence, same model", "sentence, other model"):
            alone = percentile(measured[0][0][kind], 0.99) * 1000
            found = percentile(times[kind], 0.99) * 1000
            require(found <= 3 * alone + batch,
                    f"beside {hogs}, {kind}: p99 {found:.1f} ms, at most 3 x {alone:.1f} and a batch of {batch:.0f} ms")
        for kind, limit in (("deadline of 50 ms", 60), ("malformed", 100), ("unknown model", 100)):
            found = percentile(times[kind], 0.99) * 1000
            require(found <= limit, f"beside {hogs}, {kind}: p99 {found:.1f} ms, at most {limit}")
        require(gap <= 0.1, f"beside {hogs}: the stream is never still for more than {gap * 1000:.0f} ms, at most 100")
    sys.exit(failed)


if __name__ == "__main__":
    main()
