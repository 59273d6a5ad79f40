"""The well-behaved clients of soak.py. Each keeps its connection and sends requests at fixed times."""
import json
import os
import random
import sys
import threading
import time

from abuse_server import Client, encode, request, tls_context

CONNECTIONS = 6
PERIOD = 0.1
"""Seconds between two requests of one connection. All connections together send 60 requests per second."""
FRESH_PATIENCE = 2.0
"""Seconds after which a new client that the server refuses gives up."""


def questions():
    """Returns the (kind, bytes) of the requests, which each connection sends in turn."""
    draw = random.Random(1)
    frames = [[round(draw.uniform(-1, 1), 4) for _ in range(40)] for _ in range(160)]
    texts = ["an RNN reads one step at a time", "and attention reads all of them at once"]
    return [
        ("encode", encode(model="minilm", input=texts[0])),
        ("health", request("GET", "/health")),
        ("attention", request("GET", "/v1/attention?model=minilm&input=a+map+of+attention")),
        ("encode, gzip", encode("Accept-Encoding: gzip\r\n", model="minilm", input=texts)),
        ("health", request("GET", "/health")),
        ("features", encode(model="resemblyzer", input=frames)),
    ]


class Good:
    """The well-behaved clients and their results.

    seen   for each request (second of the clock, kind, milliseconds, error or None)
    fresh  for each new client (second of the clock, outcomes of its attempts, milliseconds)
    """

    def __init__(self, server):
        self.server, self.context = server, tls_context()
        self.questions = questions()
        self.expected = {}
        self.seen, self.fresh = [], []
        self.ended = threading.Event()

    def connect(self, number):
        return Client(self.server.tls, self.context) if number % 2 else Client(self.server.plain)

    def check(self, index, answer):
        """Returns the error of a response; None if it is correct and equal to the first one for this request."""
        if answer.status != 200:
            return f"status {answer.status}: {answer.body[:200]!r}"
        if answer.body != self.expected.setdefault(index, answer.body):
            return "the response differs from an earlier one"
        return None

    def keep_asking(self, number, start):
        """Sends requests on one connection until the run ends."""
        client = None
        due = start + PERIOD * number / CONNECTIONS
        turn = number
        while not self.ended.wait(max(0, due - time.monotonic())):
            index = turn % len(self.questions)
            kind, data = self.questions[index]
            try:
                client = client or self.connect(number)
                answer = client.ask(data)
                wrong = self.check(index, answer)
                if "close" in answer.headers.get("connection", ""):
                    wrong = wrong or "the connection was not kept"
            except (OSError, EOFError, ValueError, KeyError) as error:
                wrong, client = f"{type(error).__name__}: {error}", None
            now = time.monotonic()
            # Latency counts from the time when the request was due, so a late response also delays the next one.
            self.seen.append((due, kind, (now - due) * 1e3, wrong))
            turn += 1
            # A connection that has fallen behind skips requests to return to its schedule.
            due += PERIOD * max(1, int((now - due) / PERIOD))

    def ask_afresh(self):
        """Opens new connections, which compete with all others for room. A refused client retries for FRESH_PATIENCE."""
        number = 0
        while not self.ended.wait(0.5):
            start, outcomes = time.monotonic(), []
            while time.monotonic() < start + FRESH_PATIENCE:
                outcomes.append(self.try_afresh(number))
                if outcomes[-1] == "200" or self.ended.wait(0.2):
                    break
            self.fresh.append((start, outcomes, (time.monotonic() - start) * 1e3))
            number += 1

    def try_afresh(self, number):
        try:
            with self.connect(number) as client:
                return str(client.ask(request("GET", "/health", headers="Connection: close\r\n")).status)
        except (OSError, EOFError) as error:
            return type(error).__name__

    def run(self):
        start = time.monotonic() + 0.1
        threads = [threading.Thread(target=self.keep_asking, args=(n, start)) for n in range(CONNECTIONS)]
        threads.append(threading.Thread(target=self.ask_afresh))
        for thread in threads:
            thread.start()
        self.ended.wait()
        for thread in threads:
            thread.join()


def main():
    """Runs the clients until standard input ends, and prints their results as JSON. The arguments are the two ports."""
    sys.setswitchinterval(0.001)

    class Ports:
        plain, tls = int(sys.argv[1]), int(sys.argv[2])

    good = Good(Ports)
    threading.Thread(target=lambda: (sys.stdin.read(), good.ended.set())).start()
    good.run()
    json.dump({"seen": good.seen, "fresh": good.fresh}, sys.stdout)


if __name__ == "__main__":
    main()
