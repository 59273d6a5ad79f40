#!/usr/bin/env python3
"""Abuse from all sides while good clients are served: what they notice of it, and what is left afterwards.

usage: soak.py [SECONDS]      a quiet baseline, the abuse for SECONDS, then rest; a report in Markdown on standard output;
                              exits with 1 where a demand is not met

Good clients (abuse_good.py) and each herd of bad ones (abuse_bad.py) are processes of their own; the bad ones run at the
lowest priority and at fixed rates, since they stand for other machines: what they make the server do is measured, not what
it costs to be them.
"""
import collections
import json
import os
import resource
import statistics
import subprocess
import sys
import time

from abuse_bad import HERDS
from abuse_good import CONNECTIONS, FRESH_PATIENCE, PERIOD
from abuse_server import Client, Server, connect, cpu_seconds, machine, request, reset, row

SCRIPTS = os.path.dirname(os.path.abspath(__file__))
# Defaults but for the limits that a short run is to meet.
OPTIONS = ["--max-connections", "100", "--handshake-seconds", "3", "--first-byte-seconds", "3", "--head-seconds", "3",
           "--body-idle-seconds", "3", "--write-idle-seconds", "5", "--keep-alive-seconds", "10", "--linger-seconds", "2",
           "--max-body-bytes", "2000000", "--max-tokens", "16384"]
WARM_SECONDS = 5
QUIET_SECONDS = 25
CALM_SECONDS = 5
REST_SECONDS = 15
"""How long descriptors, threads and memory may take to return: the clocks above end all within 10 s."""
MEMORY = 1.15
"""How many times its size before the abuse the server may stay: the C library keeps the pages of small blocks that lie among
others, and each worker its scratch memory at the largest pass it has seen. A leak shows as growth with time: see TREND."""
THREADS = 1
"""How many threads more there may be: those of Dispatch's pool, where signals and letters to the loop run, come and go."""
TREND = 1.05
"""How many times its median in the second fifth of the abuse the median of resident memory may be in the last."""


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


class Demands:
    def __init__(self):
        self.lines, self.failed = [], False

    def __call__(self, met, text):
        self.failed |= not met
        self.lines.append(f"- {'met' if met else '**NOT MET**'}: {text}")


class Soak:
    def __init__(self, seconds):
        self.seconds, self.demand = seconds, Demands()

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
            herds = self.herds
            after = self.settle(before)
            self.calm = self.watch(CALM_SECONDS)
            metrics = self.server.metrics()
            seen = json.loads(good.communicate()[0])
            alive = self.server.process.poll() is None
        finally:
            good.kill()
            self.server.process.terminate()
        code = self.server.process.wait(30)
        self.report(seen, herds, before, after, metrics)
        self.demand(alive and code == 0, f"the server lived, drained when it was told to and ended with 0 (it was {code})")
        unexpected = [line for line in self.server.said().splitlines() if "info" not in line]
        self.demand(not unexpected, f"nothing but information in its log: {unexpected[:3] or 'so it is'}")

    def watch(self, seconds, bad=False):
        """Lets time pass; from when to when, the processors' parts, and what was held."""
        start, end = time.monotonic(), time.monotonic() + seconds
        most, resident = collections.Counter(), []
        herds = [subprocess.Popen(
            [sys.executable, f"{SCRIPTS}/abuse_bad.py", str(n), str(self.server.plain), str(self.server.tls), str(end)],
            stdout=subprocess.PIPE, text=True) for n in range(len(HERDS) if bad else 0)]
        who = {"the server": [self.server.pid], "good clients": [self.good], "bad ones": [herd.pid for herd in herds]}
        before = {name: sum(map(cpu_seconds, pids)) for name, pids in who.items()}
        while (now := time.monotonic()) < end:
            state = self.server.state()
            most |= collections.Counter(state)
            resident.append(state["resident MiB"])
            time.sleep(max(0, min(0.25, end - now)))
        busy = {name: (sum(map(cpu_seconds, pids)) - before[name]) / (time.monotonic() - start) for name, pids in who.items()}
        if bad:
            self.herds = [json.loads(herd.communicate()[0]) for herd in herds]
        return {"start": start, "end": end, "busy": busy, "most": most, "resident": resident}

    def settle(self, wanted):
        """The state once it no longer falls, or is as low as wanted. Good clients go on: each holds a descriptor."""
        end = time.monotonic() + (REST_SECONDS if wanted else 3)
        while True:
            # Short-lived connections of good clients come and go.
            states = []
            for _ in range(20):
                states.append(self.server.state())
                time.sleep(0.05)
            least = {name: min(state[name] for state in states) for name in states[0]}
            returned = wanted and all(least[name] <= wanted[name] for name in ("descriptors", "threads"))
            if time.monotonic() > end or returned:
                return least

    def report(self, seen, herds, before, after, metrics):
        def samples(watch, kind=None):
            return [s for s in seen["seen"] if watch["start"] <= s[0] < watch["end"] and kind in (None, s[1])]

        print(f"{self.seconds:g} s of abuse after {self.quiet['end'] - self.quiet['start']:g} s of quiet, on {machine()}.\n")
        print(f"Good clients: {CONNECTIONS} connections, every other over TLS, each asking every {PERIOD:g} s. Milliseconds,\n"
              "counted from when the question was due:\n")
        print(row("good requests", "quiet: asked", "p50", "p99", "abuse: asked", "p50", "p99", "most", "failed"))
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
        print(f"\nNew connections, two a second, which compete with the flood for room: {len(fresh)}, of which "
              f"{len(once)} were answered at once (p99 {percentile(once, .99):.1f} ms) and {len(refused)} were first told that there is no room "
              f"(at most {max(refused, default=0) / 1e3:.2f} s until they were served).\n")

        print(row("abuse", "clients", "tries", "a second", "what became of them") + "\n|---|---:|---:|---:|---|")
        never = []
        for herd, results in zip(HERDS, herds):
            for scenario, result in zip(herd, results):
                outcomes, tries = result["outcomes"], result["tries"]
                rounds = f" ({tries / scenario.positions:.1f} rounds)" if scenario.positions else ""
                print(row(scenario.title, scenario.clients, f"{tries}{rounds}", f"{tries / self.seconds:.2f}", counts(outcomes)))
                for name in outcomes:
                    if name in scenario.never or scenario.only is not None and name not in scenario.only:
                        never.append(f"{scenario.title}: {outcomes[name]} × {name}")
                missing = [name for name in scenario.must if not outcomes.get(name)]
                if missing:
                    never.append(f"{scenario.title}: not once {', '.join(missing)}")
                if scenario.positions and self.seconds >= 600 and tries < scenario.positions:
                    never.append(f"{scenario.title}: {tries} of {scenario.positions} positions")
        print("\n" + row("of the server", *before, "processors busy: the server", "good clients", "bad ones"))
        print("|---" + "|---:" * 6 + "|")
        print(row("before the abuse", *before.values(), *busy(self.quiet)))
        print(row("most during it", *(self.abuse["most"][name] for name in before), *busy(self.abuse)))
        print(row("afterwards", *after.values(), *busy(self.calm)) + "\n")

        wrong = [s for s in seen["seen"] if s[3] is not None]
        self.demand(not wrong, f"no good request failed, and each answer is the one given before the abuse began "
                    f"({len(seen['seen'])} asked{''.join('; ' + s[1] + ': ' + s[3] for s in wrong[:5])})")
        self.demand(not lost, f"every new connection was served within {FRESH_PATIENCE:g} s, however often it was refused: "
                    f"{lost[:3] or len(fresh)}")
        quiet, abuse = (percentile([s[2] for s in samples(w)], .99) for w in (self.quiet, self.abuse))
        self.demand(abuse <= 2 * quiet,
                    f"p99 of the good ones at most doubles: {quiet:.2f} to {abuse:.2f} ms, × {abuse / quiet:.2f}")
        self.demand(after["descriptors"] <= before["descriptors"],
                    f"descriptors return: {before['descriptors']} to {after['descriptors']}")
        self.demand(after["threads"] <= before["threads"] + THREADS,
                    f"threads return, but for {THREADS} of Dispatch's pool: {before['threads']} to {after['threads']}")
        self.demand(after["resident MiB"] <= before["resident MiB"] * MEMORY,
                    f"resident memory returns, within {MEMORY - 1:.0%}: {before['resident MiB']} to {after['resident MiB']} MiB")
        fifth = max(1, len(self.abuse["resident"]) // 5)
        medians = [statistics.median(self.abuse["resident"][n * fifth:(n + 1) * fifth]) for n in range(5)]
        self.demand(medians[4] <= medians[1] * TREND,
                    f"it does not grow with time: MiB, median of each fifth of the abuse: {', '.join(map(str, medians))}")
        cancelled = sum(n for name, n in metrics.items() if name.startswith("encoderd_requests_total") and 'status="499"' in name)
        self.demand(cancelled > 0, f"work whose client had gone was not begun ({cancelled:.0f} requests)")
        left = {f"encoderd_{name}": metrics[f"encoderd_{name}"]
                for name in ("queue_tokens", "queue_sequences", "requests_in_progress")}
        # The question itself is not counted; good clients may be asking.
        self.demand(metrics["encoderd_queue_tokens"] < 1000 and left["encoderd_requests_in_progress"] <= CONNECTIONS,
                    f"no work is left: {left}")
        self.demand(not never, "every abuse ended as it must, and met the limit that is meant for it"
                    + "".join(f"; {n}" for n in never))

    def out_of_descriptors(self):
        """64 descriptors, 200 clients that stay."""
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
                # One that is taken while there is still no room is closed.
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
        print(f"\nOut of descriptors: 64 allowed, 4 clients that keep asking, 200 that stay for 5 s. "
              f"Descriptors before, at most and after: {before}, {most}, {after}; processors busy: {cpu:.3f}.\n")
        self.demand(failed == 0, f"without descriptors established connections are served ({asked} requests)")
        self.demand(cpu < 0.1, f"the server does not spin ({cpu:.3f} processors busy)")
        self.demand(again == 200 and after <= before and code == 0,
                    f"it recovers: a new client gets {again} after {again_ms:.0f} ms, {after} descriptors, exit status {code}")


def counts(outcomes):
    return ", ".join(f"{count:,} × {name}" for name, count in sorted(outcomes.items(), key=lambda item: -item[1]))


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    soak = Soak(float(sys.argv[1]) if len(sys.argv) > 1 else 600)
    soak.run()
    soak.out_of_descriptors()
    print("\n".join(soak.demand.lines))
    sys.exit(soak.demand.failed)


if __name__ == "__main__":
    main()
