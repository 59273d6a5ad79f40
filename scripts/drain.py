#!/usr/bin/env python3
"""Sends SIGTERM to a server with 64 concurrent requests, and checks that every accepted request is answered.

usage: drain.py [ROUNDS]

Runs ROUNDS (50) servers, prints a report in Markdown, and exits with 1 if a requirement is not met.

A request is *accepted* if one of its bytes was in the server's socket when the signal was sent. A lock orders the sends of
all clients and the signal, so every request is either earlier or later. Even a connection in the backlog or an incomplete
request counts; the clients send the rest. Pipelined requests in the socket are accepted too.

The response to an accepted request must be 200 with exactly the body that the idle server sent. A later request gets the same
response, or its connection ends without any byte of a response. The client then knows that it may retry elsewhere (RFC 9112,
section 9.3.1).
"""
import collections
import os
import random
import signal
import subprocess
import sys
import threading
import time

from abuse_server import Client, Server, encode, machine, row, tls_context

CLIENTS = 64
WAYS = ["kept connections", "a connection for each", "sent in two parts", "three pipelined"]
PATIENCE = 20
"""Seconds to wait for a response or for the end of the process. The server's own deadline for draining is 25 s."""

CONTEXT = tls_context()
QUESTIONS = [encode(model="minilm", input=" ".join(["word", "and", str(n)] * n)) for n in (2, 10, 20, 40)]
"""Requests with 6 to 120 words. Together they keep some hundred milliseconds of work queued when the signal arrives."""


class ClientThread(threading.Thread):
    """A client that sends requests until a response ends the connection or the server is gone."""

    def __init__(self, round, number):
        super().__init__(daemon=True)
        self.round, self.client = round, None
        self.encrypted, self.way = number % 2 == 1, WAYS[number // 2 % len(WAYS)]
        self.draw = random.Random(round.draw.random())
        self.waiting = 0

    def run(self):
        while self.ask():
            pass
        if self.client:
            self.client.socket.close()

    def connect(self):
        server = self.round.server
        self.client = Client(server.tls, CONTEXT, PATIENCE) if self.encrypted else Client(server.plain, None, PATIENCE)

    def ask(self):
        """Sends one request, or three pipelined ones, and reads the responses. Returns False if the client must stop."""
        left = [self.draw.randrange(len(QUESTIONS)) for _ in range(3 if self.way == "three pipelined" else 1)]
        data = b"".join(QUESTIONS[index] for index in left)
        cut = self.draw.randrange(1, len(data)) if self.way == "sent in two parts" else len(data)
        before = False
        try:
            if self.client is None:
                self.connect()
            with self.round.gate:
                self.client.socket.sendall(data[:cut])
                before = not self.round.killed
                self.waiting = len(left)
            if cut < len(data):
                time.sleep(self.draw.choice([0.001, 0.05]))
                self.client.socket.sendall(data[cut:])
            while left:
                answer = self.client.answer()
                right = answer.status == 200 and answer.body == self.round.expected[left.pop(0)]
                self.note(before, "answered" if right else f"wrong: {answer.status} {answer.body[:80]!r}")
                if "close" in answer.headers.get("connection", ""):
                    for _ in left:
                        self.note(before, "dropped: an earlier response had Connection: close")
                    return False
        except (OSError, EOFError, ValueError) as error:
            for number, _ in enumerate(left):
                begun = number == 0 and self.client is not None and self.client.has_begun
                what = "cut" if begun else "dropped" if before else None
                self.note(before, f"{what}: {error!r}" if what else "not taken")
            return False
        if self.way == "a connection for each":
            self.client.socket.close()
            self.client = None
        return True

    def note(self, before, outcome):
        """Counts the outcome of one request; `before` is True if it was accepted before the signal."""
        with self.round.gate:
            self.waiting -= 1
            self.round.results[before, self.encrypted, self.way, outcome] += 1


class Round:
    """A round of the test: a server, its clients and the signal."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        # Some rounds accept new connections for a while after the signal.
        self.server = Server(["--drain-accept-seconds", str(self.draw.choice([0, 0, 0.2]))], models=["minilm"])
        with Client(self.server.plain) as client:
            self.expected = [client.ask(question).body for question in QUESTIONS]
        self.gate = threading.Lock()
        self.killed = False
        self.results = collections.Counter()

    def run(self):
        threads = [ClientThread(self, number) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(self.draw.uniform(0.1, 0.5))
        patience = time.monotonic() + 5
        while not self.killed:
            with self.gate:
                self.busy = sum(thread.waiting > 0 for thread in threads)
                if self.busy == CLIENTS or time.monotonic() > patience:
                    self.killed = True
                    start = time.monotonic()
                    os.kill(self.server.pid, signal.SIGTERM)
            time.sleep(0.0005)
        try:
            self.code = self.server.process.wait(30)
        except subprocess.TimeoutExpired:
            self.server.process.kill()
            self.code = "it did not exit"
        self.seconds = time.monotonic() - start
        for thread in threads:
            thread.join(PATIENCE + 10)
        self.stuck = sum(thread.is_alive() for thread in threads)
        self.last = self.server.said().splitlines()[-1]


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    rounds = []
    for seed in range(count):
        rounds.append(Round(seed))
        rounds[-1].run()
    results = sum((round.results for round in rounds), collections.Counter())

    print(f"SIGTERM during {CLIENTS} concurrent requests, {count} times, on {machine()}.\n")
    print(row("requests", "plain: accepted", "answered", "TLS: accepted", "answered", "later: answered", "not accepted"))
    print("|---" + "|---:" * 6 + "|")

    def total(before=None, encrypted=None, way=None, outcome=None):
        wanted = (before, encrypted, way, outcome)
        return sum(n for key, n in results.items() if all(w in (None, k) for w, k in zip(wanted, key)))

    for way in [*WAYS, None]:
        print(row(way or "**all**", *(total(True, encrypted, way, outcome) for encrypted in (False, True)
                                      for outcome in (None, "answered")),
                  total(False, None, way, "answered"), total(False, None, way, "not taken")))
    seconds = sorted(round.seconds for round in rounds)
    print(f"\nTime from the signal to the end of the process: median {seconds[len(seconds) // 2]:.2f} s, "
          f"maximum {seconds[-1]:.2f} s.\n")

    wrong = [(key, n) for key, n in results.items() if key[3] not in ("answered", "not taken")]
    requirements = [
        (not wrong, f"every accepted request was answered in full, and none was cut off: {wrong[:5] or 'none dropped'}"),
        (all(round.busy == CLIENTS for round in rounds),
         f"{CLIENTS} clients had a request in progress at the signal (minimum: {min(round.busy for round in rounds)})"),
        (all(round.code == 0 and round.last.endswith("done") for round in rounds),
         f"the process exited with 0: {collections.Counter(round.code for round in rounds)}"),
        (not any(round.stuck for round in rounds), "no client was left waiting"),
    ]
    for met, text in requirements:
        print(f"- {'met' if met else '**NOT MET**'}: {text}")
    sys.exit(not all(met for met, _ in requirements))


if __name__ == "__main__":
    main()
