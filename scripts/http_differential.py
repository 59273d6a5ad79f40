#!/usr/bin/env python3
"""Sends the bytes of the HTTP conformance cases to nginx and to encoderd, and compares the results.

usage: http_differential.py [--list]

Each case uses a new TCP connection on 127.0.0.1. For a case with an incomplete request the client closes its sending side.
encoderd must return the expected result of the case. nginx may differ for a reason listed in REASONS.

Prints the reasons with the number of cases, with --list also the cases. Exits with 1 if a difference is unexplained. Needs
nginx and a release build.
"""
import collections
import json
import os
import re
import socket
import subprocess
import sys
import tempfile

from local_server import free_port, wait_for_answer

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
    """Returns the bytes of a case: Latin-1 text, or parts that may be [text, repetitions]."""
    if isinstance(value, str):
        return value.encode("latin-1")
    return b"".join(data(part) if isinstance(part, str) else data(part[0]) * part[1] for part in value)


def verdict(port, case):
    """Returns "ok" if the request was accepted, the status code if it was refused, "close" if there was no response."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        try:
            connection.sendall(data(case["input"]))
        except OSError:
            pass
        received = b""
        try:
            # nginx treats a half-close as the end of the connection, so only incomplete requests are half-closed.
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
    # These come after the request was accepted: encoderd has no such paths or methods.
    return "ok" if status in (200, 204, 404, 405, 411, 412, 415) else status


def text(case):
    """Returns the first 70,000 bytes of a case as Latin-1 text."""
    return data(case["input"])[:70000].decode("latin-1")


LF = re.compile(r"(?<!\r)\n")
# The reasons for differences: (reason, test of the case, nginx's verdict and encoderd's verdict). The first match counts.
REASONS = [
    ("nginx accepts a bare LF as the end of a line, as RFC 9112, 2.2, allows; encoderd refuses it, since other "
     "servers may frame such a message differently",
     lambda c, n, e: e == 400 and n != 400 and LF.search(text(c)) is not None),
    ("nginx skips any number of empty lines before a request; encoderd skips one, the minimum of RFC 9112, 2.2",
     lambda c, n, e: e == 400 and text(c).startswith("\r\n\r\n")),
    ("nginx sends no response to a client that half-closes within a request; encoderd answers 400",
     lambda c, n, e: c.get("incomplete") and n == "close" and e == 400),
    ("nginx supports HTTP/0.9, whose responses have no head",
     lambda c, n, e: " HTTP/" not in text(c).split("\r\n")[0] and e == 400),
    ("nginx passes unknown methods of letters to the application and answers 400 to others; encoderd answers 501 "
     "to all unknown methods",
     lambda c, n, e: e == 501 and n in ("ok", 400, 414) and c["section"] in ("request line", "fields", "target")),
    ("nginx answers 501 to all transfer codings except 'chunked'; encoderd answers 400 if the header is malformed, "
     "if 'chunked' is not last, or if there is also a Content-Length", lambda c, n, e: e == 400 and n == 501),
    ("nginx drops header lines without a colon or with invalid names (ignore_invalid_headers); encoderd refuses "
     "them, since another server may interpret them differently", lambda c, n, e: e == 400 and n == "ok" and bad_name(c)),
    ("nginx accepts white space after the size of a chunk, and skips any extensions and trailers or waits for "
     "their end", lambda c, n, e: e == 400 and n in ("ok", "close") and "chunked" in text(c).lower()),
    ("nginx leaves Expect to applications; encoderd answers 417 to expectations that it cannot meet",
     lambda c, n, e: e == 417 and n == "ok"),
    ("nginx accepts only one Expect header; RFC 9110, 10.1.1, defines a list",
     lambda c, n, e: n == 400 and e in ("ok", 417) and text(c).count("Expect:") > 1),
    ("nginx does not accept a tab as white space around a length; RFC 9110, 5.6.3, does",
     lambda c, n, e: n == 400 and e == "ok" and "Content-Length:" in text(c) and "\t" in text(c)),
    ("nginx neither reads nor counts trailers", lambda c, n, e: c["section"] == "chunks" and e == 431),
    ("nginx checks the size of a chunk against the limit when its data arrive, and a length at the end of the head",
     lambda c, n, e: n in ("close", 400) and e in (400, 413) and c["section"] in ("chunks", "content-length")),
    ("nginx accepts more in Host than uri-host of RFC 3986: user names, invalid ports, brackets and escapes",
     lambda c, n, e: e == 400 and n == "ok" and c["section"] == "host"),
    ("nginx removes fragments; a target has none (RFC 9112, 3.2)",
     lambda c, n, e: e == 400 and n == "ok" and "#" in text(c).split("\r\n")[0]),
    ("nginx accepts several spaces in a request line, and versions with two digits",
     lambda c, n, e: e == 400 and n == "ok" and re.match(r"[A-Z]+( \S+ HTTP/1\.\d\d| .* HTTP/1\.\d ?)\r", text(c))
     and "/\xa0" not in text(c) and c["section"] == "request line"),
    ("nginx accepts invalid UTF-8 (raw or encoded), other schemes and ports out of range in targets",
     lambda c, n, e: e == 400 and n == "ok" and c["section"] in ("target", "request line")),
    ("nginx does not accept OPTIONS *", lambda c, n, e: n == 400 and e == "ok" and text(c).startswith("OPTIONS * ")),
    ("the limits differ: nginx limits lines by its buffers, answers 400 to a long header, and does not count headers",
     lambda c, n, e: e in (414, 431) and n in ("ok", 400)),
    ("nginx accepts control characters in values", lambda c, n, e: e == 400 and n == "ok" and control(c)),
    ("nginx and encoderd differ in which versions are malformed (400) and which are unsupported (505)",
     lambda c, n, e: {n, e} == {400, 505}),
]


def bad_name(case):
    """Whether a header line of a case has no colon or an invalid name."""
    head = text(case).split("\r\n\r\n")[0].split("\r\n")[1:]
    return any(not re.match(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:", line) for line in head)


def control(case):
    """Whether the head of a case contains control characters."""
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
            wait_for_answer(url)
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
