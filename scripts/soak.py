#!/usr/bin/env python3
"""Runs abusive clients against a server together with well-behaved ones, and measures the effect on the latter.

usage: soak.py [SECONDS]

Measures a quiet baseline, then SECONDS (600) of abuse, then recovery. Prints a report in Markdown. Exits with 1 if a
requirement is not met.

The good clients (abuse_good.py) and each group of bad clients (abuse_bad.py) run in separate processes. Bad clients represent
other machines, so they run at the lowest priority and at fixed rates. The test measures the load that they cause in the
server, not their own.
"""
import collections
import json
import os
import resource
import statistics
import subprocess
import sys
import time

from abuse_bad import GROUPS
from abuse_good import CONNECTIONS, FRESH_PATIENCE, PERIOD
from abuse_server import Client, Server, connect, cpu_seconds, machine, request, reset, row

SCRIPTS = os.path.dirname(os.path.abspath(__file__))
# The defaults, except for limits that even a short run should reach.
OPTIONS = ["--max-connections", "100", "--handshake-seconds", "3", "--first-byte-seconds", "3", "--head-seconds", "3",
           "--body-idle-seconds", "3", "--write-idle-seconds", "5", "--keep-alive-seconds", "10", "--linger-seconds", "2",
           "--max-body-bytes", "2000000", "--max-tokens", "16384"]
WARM_SECONDS = 5
QUIET_SECONDS = 25
CALM_SECONDS = 5
REST_SECONDS = 15
"""Seconds in which descriptors, threads and memory must return. All timeouts above end within 10 s."""
MEMORY = 1.15
"""The largest allowed ratio of resident memory after the abuse to that before it.

The C library keeps partly used pages of small blocks, and each worker keeps the scratch memory of its largest pass. A leak
shows as growth over time, which TREND limits.
"""
THREADS = 1
"""The number of additional threads allowed after the abuse. Threads of the Dispatch pool start and end at any time."""
TREND = 1.05
"""The largest allowed ratio of median resident memory in the last fifth of the abuse to that in the second fifth."""


def percentile(values, part):
    """Returns the value at the given part (0 … 1) of the sorted values; NaN if there are none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


class Requirements:
    """The requirements that were checked, as lines of the report."""

    def __init__(self):
        self.lines, self.failed = [], False

    def __call__(self, met, text):
        self.failed |= not met
        self.lines.append(f"- {'met' if met else '**NOT MET**'}: {text}")


class Soak:
    """A run of the test with all of its measurements."""

    def __init__(self, seconds):
        self.seconds, self.require = seconds, Requirements()

    def run(self):
        self.server = Server(OPTIONS)
        good = subprocess.Popen(
            [sys.executable, f"{SCRIPTS}/abuse_good.py", str(self.server.plain), str(self.server.tls)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            time.sleep(WARM_SECONDS)
            self.good = good.pid
            self.quiet = self.watch(QUIET_SECONDS)
            before = self.settle(None)
            self.abuse = self.watch(self.seconds, bad=True)
            groups = self.groups
            after = self.settle(before)
            self.calm = self.watch(CALM_SECONDS)
            metrics = self.server.metrics()
            seen = json.loads(good.communicate()[0])
            alive = self.server.process.poll() is None
        finally:
            good.kill()
            self.server.process.terminate()
        code = self.server.process.wait(30)
        self.report(seen, groups, before, after, metrics)
        self.require(alive and code == 0, f"the server survived, drained on SIGTERM and exited with 0 (exit code {code})")
        unexpected = [line for line in self.server.said().splitlines() if "info" not in line]
        self.require(not unexpected, f"its log contains only lines of level info: {unexpected[:3] or 'yes'}")

    def watch(self, seconds, bad=False):
        """Observes the server for `seconds`, with the abusive clients if `bad`.

        Returns the start and end time, the CPUs busy by process group, the peaks of the server's state, and samples of its
        resident memory in MiB.
        """
        start, end = time.monotonic(), time.monotonic() + seconds
        most, resident = collections.Counter(), []
        groups = [subprocess.Popen(
            [sys.executable, f"{SCRIPTS}/abuse_bad.py", str(n), str(self.server.plain), str(self.server.tls), str(end)],
            stdout=subprocess.PIPE, text=True) for n in range(len(GROUPS) if bad else 0)]
        who = {"the server": [self.server.pid], "good clients": [self.good], "bad ones": [group.pid for group in groups]}
        before = {name: sum(map(cpu_seconds, pids)) for name, pids in who.items()}
        while (now := time.monotonic()) < end:
            state = self.server.state()
            most |= collections.Counter(state)
            resident.append(state["resident MiB"])
            time.sleep(max(0, min(0.25, end - now)))
        busy = {name: (sum(map(cpu_seconds, pids)) - before[name]) / (time.monotonic() - start) for name, pids in who.items()}
        if bad:
            self.groups = [json.loads(group.communicate()[0]) for group in groups]
        return {"start": start, "end": end, "busy": busy, "most": most, "resident": resident}

    def settle(self, wanted):
        """Returns the state of the server once descriptors and threads are at most `wanted`, or after a timeout.

        The good clients continue meanwhile, and each of them holds a descriptor.
        """
        end = time.monotonic() + (REST_SECONDS if wanted else 3)
        while True:
            # The minimum of several samples leaves out short-lived connections of good clients.
            states = []
            for _ in range(20):
                states.append(self.server.state())
                time.sleep(0.05)
            least = {name: min(state[name] for state in states) for name in states[0]}
            returned = wanted and all(least[name] <= wanted[name] for name in ("descriptors", "threads"))
            if time.monotonic() > end or returned:
                return least

    def report(self, seen, groups, before, after, metrics):
        """Prints the tables and checks the requirements."""
        def samples(watch, kind=None):
            return [s for s in seen["seen"] if watch["start"] <= s[0] < watch["end"] and kind in (None, s[1])]

        print(f"{self.seconds:g} s of abuse after {self.quiet['end'] - self.quiet['start']:g} s of quiet, on {machine()}.\n")
        print(f"Good clients: {CONNECTIONS} connections, every other over TLS, each with one request per {PERIOD:g} s.\n"
              "Latency is in milliseconds from the time when the request was due.\n")
        print(row("good requests", "quiet: sent", "p50", "p99", "abuse: sent", "p50", "p99", "max", "failed"))
        print("|---" + "|---:" * 8 + "|")
        busy = lambda watch: (f"{part:.2f}" for part in watch["busy"].values())
        kinds = [None, *dict.fromkeys(s[1] for s in seen["seen"])]
        for kind in kinds:
            quiet, abuse = samples(self.quiet, kind), samples(self.abuse, kind)
            q, a = [s[2] for s in quiet], [s[2] for s in abuse]
            print(row(kind or "**all**", len(q), f"{percentile(q, .5):.2f}", f"{percentile(q, .99):.2f}", len(a),
                      f"{percentile(a, .5):.2f}", f"{percentile(a, .99):.2f}", f"{max(a, default=0):.1f}",
                      sum(s[3] is not None for s in abuse)))
        fresh = [(outcomes, ms) for at, outcomes, ms in seen["fresh"] if self.abuse["start"] <= at < self.abuse["end"]]
        refused = [ms for outcomes, ms in fresh if len(outcomes) > 1]
        lost = [outcomes for outcomes, _ in fresh if outcomes[-1] != "200"]
        once = [ms for outcomes, ms in fresh if outcomes == ["200"]]
        print(f"\nNew connections, two per second, compete with the flood for room. Of {len(fresh)}, {len(once)} were answered "
              f"at once (p99 {percentile(once, .99):.1f} ms). {len(refused)} were refused first and served within "
              f"{max(refused, default=0) / 1e3:.2f} s.\n")

        print(row("abuse", "clients", "attempts", "per second", "outcomes") + "\n|---|---:|---:|---:|---|")
        never = []
        for group, results in zip(GROUPS, groups):
            for scenario, result in zip(group, results):
                outcomes, tries = result["outcomes"], result["tries"]
                rounds = f" ({tries / scenario.positions:.1f} rounds)" if scenario.positions else ""
                print(row(scenario.title, scenario.clients, f"{tries}{rounds}", f"{tries / self.seconds:.2f}", counts(outcomes)))
                for name in outcomes:
                    if name in scenario.never or scenario.only is not None and name not in scenario.only:
                        never.append(f"{scenario.title}: {outcomes[name]} × {name}")
                missing = [name for name in scenario.must if not outcomes.get(name)]
                if missing:
                    never.append(f"{scenario.title}: missing outcomes {', '.join(missing)}")
                if scenario.positions and self.seconds >= 600 and tries < scenario.positions:
                    never.append(f"{scenario.title}: {tries} of {scenario.positions} positions")
        print("\n" + row("server", *before, "CPUs busy: server", "good clients", "bad clients"))
        print("|---" + "|---:" * 6 + "|")
        print(row("before the abuse", *before.values(), *busy(self.quiet)))
        print(row("maximum during the abuse", *(self.abuse["most"][name] for name in before), *busy(self.abuse)))
        print(row("after the abuse", *after.values(), *busy(self.calm)) + "\n")

        wrong = [s for s in seen["seen"] if s[3] is not None]
        self.require(not wrong, f"no good request failed, and every response equals the one before the abuse "
                    f"({len(seen['seen'])} sent{''.join('; ' + s[1] + ': ' + s[3] for s in wrong[:5])})")
        self.require(not lost, f"every new connection was served within {FRESH_PATIENCE:g} s, including refusals: "
                    f"{lost[:3] or len(fresh)}")
        quiet, abuse = (percentile([s[2] for s in samples(w)], .99) for w in (self.quiet, self.abuse))
        self.require(abuse <= 2 * quiet,
                    f"p99 of good requests at most doubles: {quiet:.2f} to {abuse:.2f} ms, × {abuse / quiet:.2f}")
        self.require(after["descriptors"] <= before["descriptors"],
                    f"descriptors return: {before['descriptors']} to {after['descriptors']}")
        self.require(after["threads"] <= before["threads"] + THREADS,
                    f"threads return, except for {THREADS} of the Dispatch pool: {before['threads']} to {after['threads']}")
        self.require(after["resident MiB"] <= before["resident MiB"] * MEMORY,
                    f"resident memory returns, within {MEMORY - 1:.0%}: {before['resident MiB']} to {after['resident MiB']} MiB")
        fifth = max(1, len(self.abuse["resident"]) // 5)
        medians = [statistics.median(self.abuse["resident"][n * fifth:(n + 1) * fifth]) for n in range(5)]
        self.require(medians[4] <= medians[1] * TREND,
                    f"resident memory does not grow over time (medians of fifths of the abuse, MiB): {', '.join(map(str, medians))}")
        cancelled = sum(n for name, n in metrics.items() if name.startswith("encoderd_requests_total") and 'status="499"' in name)
        self.require(cancelled > 0, f"work of disconnected clients was canceled ({cancelled:.0f} requests)")
        left = {f"encoderd_{name}": metrics[f"encoderd_{name}"]
                for name in ("queue_tokens", "queue_sequences", "requests_in_progress")}
        # The request for /metrics is not counted. Requests of good clients may be in progress.
        self.require(metrics["encoderd_queue_tokens"] < 1000 and left["encoderd_requests_in_progress"] <= CONNECTIONS,
                    f"no work is left: {left}")
        self.require(not never, "every kind of abuse had its expected outcomes and reached its limit"
                    + "".join(f"; {n}" for n in never))

    def out_of_descriptors(self):
        """Checks a server with 64 descriptors while 200 clients hold connections."""
        server = Server(["--threads", "1"], models=["g2p"], descriptors=64)
        try:
            loyal = [Client(server.plain, timeout=5) for _ in range(4)]
            ask = request("GET", "/health")
            failed = sum(client.ask(ask).status != 200 for client in loyal)
            before = server.state()["descriptors"]
            crowd = [connect(server.plain, 5) for _ in range(200)]
            start, cpu, most, asked = time.monotonic(), cpu_seconds(server.pid), 0, 0
            while time.monotonic() < start + 5:
                for client in loyal:
                    asked += 1
                    failed += client.ask(ask).status != 200
                most = max(most, server.state()["descriptors"])
                time.sleep(0.05)
            cpu = (cpu_seconds(server.pid) - cpu) / (time.monotonic() - start)
            for number, connection in enumerate(crowd):
                reset(connection) if number % 2 else connection.close()
            start, again = time.monotonic(), None
            while again != 200 and time.monotonic() < start + 5:
                # The server may still close new connections until it has free descriptors.
                try:
                    with Client(server.plain, timeout=5) as client:
                        again = client.ask(ask).status
                except (OSError, EOFError):
                    pass
            again_ms = (time.monotonic() - start) * 1e3
            time.sleep(0.5)
            after = server.state()["descriptors"]
        finally:
            server.process.terminate()
            code = server.process.wait(40)
        print(f"\nOut of descriptors: 64 descriptors, 4 clients that send requests, 200 clients that stay connected for 5 s. "
              f"Descriptors before, maximum and after: {before}, {most}, {after}; CPUs busy: {cpu:.3f}.\n")
        self.require(failed == 0, f"without free descriptors established connections are served ({asked} requests)")
        self.require(cpu < 0.1, f"the server does not spin ({cpu:.3f} CPUs busy)")
        self.require(again == 200 and after <= before and code == 0,
                    f"it recovers: a new client gets {again} after {again_ms:.0f} ms, {after} descriptors, exit code {code}")


def counts(outcomes):
    """Formats outcomes with their counts, the most frequent first."""
    return ", ".join(f"{count:,} × {name}" for name, count in sorted(outcomes.items(), key=lambda item: -item[1]))


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    soak = Soak(float(sys.argv[1]) if len(sys.argv) > 1 else 600)
    soak.run()
    soak.out_of_descriptors()
    print("\n".join(soak.require.lines))
    sys.exit(soak.require.failed)


if __name__ == "__main__":
    main()
