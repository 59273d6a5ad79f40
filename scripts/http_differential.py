#!/usr/bin/env python3
"""The conformance cases' bytes against nginx and against encoderd: where the two differ, the table below must say why.

Both are asked over plain sockets on 127.0.0.1, each case on a connection of its own, half-closed where the case is of a
request that does not end. encoderd's answer must be the one the case expects; nginx's may differ for a stated reason.

usage: http_differential.py [--list]    needs nginx and a release build; exits 1 where a difference is unexplained
"""
import collections
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CASES = json.load(open(os.path.join(ROOT, "Tests/Reference/data/http_cases.json")))

NGINX = """
daemon off; master_process off; pid {0}/pid; error_log {0}/error.log crit;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; client_max_body_size 32m;
    fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;
    large_client_header_buffers 4 32k; underscores_in_headers on;
    server {{ listen 127.0.0.1:{1}; location / {{ proxy_pass http://127.0.0.1:{2}; }} }}
    server {{ listen 127.0.0.1:{2}; location / {{ return 200; }} }}
}}
"""


def data(value):
    if isinstance(value, str):
        return value.encode("latin-1")
    return b"".join(data(part) if isinstance(part, str) else data(part[0]) * part[1] for part in value)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def verdict(port, case):
    """"ok" for an answer of the application, a status for a refusal, "close" for no answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        try:
            connection.sendall(data(case["input"]))
        except OSError:
            pass
        received = b""
        try:
            # nginx takes a half-close for the client's departure, so it only follows where the request has no end.
            if case.get("incomplete"):
                connection.shutdown(socket.SHUT_WR)
            while b"\r\n" not in received or received.startswith(b"HTTP/1.1 100"):
                if received.startswith(b"HTTP/1.1 100") and received.count(b"HTTP/1.") > 1:
                    received = received[received.index(b"\r\n\r\n") + 4:]
                    continue
                part = connection.recv(65536)
                if not part:
                    break
                received += part
        except OSError:
            pass
    found = re.match(rb"HTTP/1\.[01] (\d\d\d)|<html>\r\n<head><title>(\d\d\d)", received)
    if not found:
        return "close"
    status = int(found[1] or found[2])
    # What an application says to a request that was read: encoderd has no such routes or methods.
    return "ok" if status in (200, 204, 404, 405, 411, 412, 415) else status


# Why nginx answers otherwise: a test of the case and the two verdicts, and the reason. The first that fits counts.
def text(case):
    return data(case["input"])[:70000].decode("latin-1")


LF = re.compile(r"(?<!\r)\n")
REASONS = [
    ("a bare LF ends a line for nginx, as RFC 9112, 2.2, allows; encoderd refuses what others may frame differently",
     lambda c, n, e: e == 400 and n != 400 and LF.search(text(c)) is not None),
    ("nginx skips any number of empty lines before a request; encoderd one, which RFC 9112, 2.2, asks for at least",
     lambda c, n, e: e == 400 and text(c).startswith("\r\n\r\n")),
    ("nginx answers nothing to a client that shuts its side within a request; encoderd says 400",
     lambda c, n, e: c.get("incomplete") and n == "close" and e == 400),
    ("nginx speaks HTTP/0.9, whose answers have no head",
     lambda c, n, e: " HTTP/" not in text(c).split("\r\n")[0] and e == 400),
    ("nginx leaves methods of letters to applications and calls others malformed; encoderd says 501 to all it "
     "does not know",
     lambda c, n, e: e == 501 and n in ("ok", 400, 414) and c["section"] in ("request line", "fields", "target")),
    ("nginx says 501 to all transfer codings but 'chunked'; encoderd 400 where the header is malformed, chunked "
     "is not last, "
     "or a length stands beside it", lambda c, n, e: e == 400 and n == 501),
    ("nginx drops header lines without a colon or with names that may not be (ignore_invalid_headers); encoderd "
     "refuses "
     "them, since the next reader may see another header", lambda c, n, e: e == 400 and n == "ok" and bad_name(c)),
    ("nginx forgives white space after a chunk's size and reads past extensions and trailers, whatever they "
     "hold, or waits "
     "for their end", lambda c, n, e: e == 400 and n in ("ok", "close") and "chunked" in text(c).lower()),
    ("nginx leaves Expect to applications; encoderd says 417 to what it cannot meet",
     lambda c, n, e: e == 417 and n == "ok"),
    ("nginx takes Expect once; RFC 9110, 10.1.1, makes it a list",
     lambda c, n, e: n == 400 and e in ("ok", 417) and text(c).count("Expect:") > 1),
    ("nginx does not take a tab for white space around a length, as RFC 9110, 5.6.3, does",
     lambda c, n, e: n == 400 and e == "ok" and "Content-Length:" in text(c) and "\t" in text(c)),
    ("nginx neither reads nor counts trailers", lambda c, n, e: c["section"] == "chunks" and e == 431),
    ("nginx looks at a chunk's size against the limit when data come, at a length at the head's end",
     lambda c, n, e: n in ("close", 400) and e in (400, 413) and c["section"] in ("chunks", "content-length")),
    ("nginx takes more in Host than RFC 3986's uri-host: user names, broken ports, brackets and escapes",
     lambda c, n, e: e == 400 and n == "ok" and c["section"] == "host"),
    ("nginx cuts fragments off; a target has none (RFC 9112, 3.2)",
     lambda c, n, e: e == 400 and n == "ok" and "#" in text(c).split("\r\n")[0]),
    ("nginx forgives several spaces in a request line, and versions of two digits",
     lambda c, n, e: e == 400 and n == "ok" and re.match(r"[A-Z]+( \S+ HTTP/1\.\d\d| .* HTTP/1\.\d ?)\r", text(c))
     and "/\xa0" not in text(c) and c["section"] == "request line"),
    ("nginx takes raw bytes and encoded ones that are no UTF-8, other schemes and ports out of range in targets",
     lambda c, n, e: e == 400 and n == "ok" and c["section"] in ("target", "request line")),
    ("nginx does not take OPTIONS *", lambda c, n, e: n == 400 and e == "ok" and text(c).startswith("OPTIONS * ")),
    ("the limits differ: nginx bounds lines by its buffers, calls a long header 400, and counts no headers",
     lambda c, n, e: e in (414, 431) and n in ("ok", 400)),
    ("nginx takes control characters in values", lambda c, n, e: e == 400 and n == "ok" and control(c)),
    ("which versions are malformed (400) and which are not spoken (505)",
     lambda c, n, e: {n, e} == {400, 505}),
]


def bad_name(case):
    head = text(case).split("\r\n\r\n")[0].split("\r\n")[1:]
    return any(not re.match(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:", line) for line in head)


def control(case):
    return re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text(case).split("\r\n\r\n")[0]) is not None or "\r" in LF.sub(
        "", text(case)).replace("\r\n", "")


def main():
    folder = tempfile.mkdtemp(prefix="encoderd-differential-")
    port, inner, ours = free_port(), free_port(), free_port()
    with open(f"{folder}/nginx.conf", "w") as file:
        file.write(NGINX.format(folder, port, inner))
    nginx = subprocess.Popen(["nginx", "-p", folder, "-c", f"{folder}/nginx.conf"])
    server = subprocess.Popen(
        [f"{ROOT}/.build/release/encoderd", "serve", "--model", f"m={ROOT}/models/g2p", "--port", str(ours)],
        stderr=subprocess.DEVNULL)
    try:
        for url in (f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{ours}/ready"):
            for _ in range(100):
                try:
                    urllib.request.urlopen(url).close()
                    break
                except OSError:
                    time.sleep(0.05)
        found = collections.defaultdict(list)
        wrong = []
        for case in CASES:
            expected = case.get("status", 400 if case.get("incomplete") else "ok")
            mine, theirs = verdict(ours, case), verdict(port, case)
            label = f"{case['section']}: {case['name']} [{case['source']}]"
            if mine != expected:
                wrong.append(f"{label}: encoderd {mine}, expected {expected}")
            elif mine != theirs:
                reason = next((r for r, fits in REASONS if fits(case, theirs, mine)), None)
                found[reason].append(f"{label}: nginx {theirs}, encoderd {mine}")
    finally:
        for process in (nginx, server):
            process.terminate()
            process.wait()
    unexplained = found.pop(None, [])
    print(f"{len(CASES)} cases, {sum(map(len, found.values()))} explained differences")
    for reason, cases in sorted(found.items(), key=lambda item: -len(item[1])):
        print(f"{len(cases):4} {reason}")
        if "--list" in sys.argv:
            print("".join(f"       {case}\n" for case in cases), end="")
    for case in unexplained:
        print(f"UNEXPLAINED {case}")
    for case in wrong:
        print(f"WRONG {case}")
    return 1 if unexplained or wrong else 0


sys.exit(main())
