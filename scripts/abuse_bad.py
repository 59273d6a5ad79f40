"""The misbehaving clients of soak.py.

Each scenario is a generator that yields pauses in seconds and returns the outcome of its connection. Each process runs one
group of scenarios on one thread, at fixed rates.
"""
import collections
import errno
import gzip
import heapq
import json
import os
import random
import socket
import ssl
import sys
import time

from abuse_server import ROOT, connect, encode, request, reset, tls_context

CONTEXT = tls_context()
AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
GONE = (ConnectionError, ssl.SSLError)
SMALL = encode(model="g2p", input="abc", dimensions=8)
HUGE = request("GET", "/v1/attention?model=minilm&input=" + "+".join(["word"] * 100))
LONG = encode(model="minilm", input=" ".join(["word"] * 120), output="states")
CHUNKED = (b"POST /v1/encode HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
           b"\r\n10;ext=1\r\n{\"model\": \"g2p\",\r\n20\r\n \"input\": \"abc\", \"dimensions\": 8}\r\n0\r\nTrailer: x\r\n\r\n")


class NoRoom(Exception):
    """The server closes new connections without a response, since it has even more than it answers with 503."""


class Target:
    """The two ports of the server under test."""

    def __init__(self, plain, tls):
        self.plain, self.tls = plain, tls

    def open(self, encrypted=False, receive_buffer=None):
        connection = connect(self.tls if encrypted else self.plain, 10, receive_buffer)
        if encrypted:
            try:
                connection = CONTEXT.wrap_socket(connection, server_hostname="localhost")
            except (ConnectionError, ssl.SSLError) as error:
                raise NoRoom from error
        connection.setblocking(False)
        return connection


def status(data):
    """Returns the status code of a response, or the kind of other data; None if there is no data."""
    while data.startswith(b"HTTP/1.1 100"):
        data = data.partition(b"\r\n\r\n")[2]
    if data.startswith(b"HTTP/1.1 "):
        return data[9:12].decode("latin-1")
    return "TLS alert" if data.startswith(b"\x15\x03") else "garbage" if data else None


def receive(connection):
    """Returns received bytes, b"" at the end of the connection, or None if nothing has arrived yet."""
    try:
        return connection.recv(1 << 16)
    except AGAIN:
        return None


def receive_or_end(connection):
    """Receives like `receive`, but treats a reset as the end of the connection."""
    try:
        return receive(connection)
    except GONE:
        return b""


def read_to_end(connection, timeout=20.0, data=b""):
    """Reads to the end of the connection. Returns the status code if there was a response, else how it ended."""
    end = time.monotonic() + timeout
    while True:
        try:
            part = receive(connection)
        except GONE:
            return status(data) or "reset"
        if part is None:
            if time.monotonic() > end:
                return "never ended"
            yield 0.05
        elif not part:
            return status(data) or "closed"
        elif len(data) < 4096:
            data += part


def send_all(connection, data, timeout=20.0):
    """Sends all data. Returns False if the server does not accept it in time or has closed the connection."""
    view, end = memoryview(data), time.monotonic() + timeout
    while view:
        try:
            view = view[connection.send(view):]
        except AGAIN:
            if time.monotonic() > end:
                return False
            yield 0.02
        except GONE:
            return False
    return True


def exchange(connection, data):
    """Sends all data and reads to the end of the connection."""
    yield from send_all(connection, data)
    return (yield from read_to_end(connection))


# Resets


def cut_request(target, turn):
    """Resets the connection at each byte of a request in turn."""
    data = (SMALL, CHUNKED)
    position = turn % sum(len(each) + 1 for each in data)
    which = position > len(data[0])
    connection = target.open()
    yield from send_all(connection, data[which][:position - which * (len(data[0]) + 1)])
    reset(connection)
    return "cut"


def cut_answer(target, turn):
    """Resets the connection after each byte of a response in turn."""
    questions = ((request("GET", "/health"), 240), (SMALL, 470))
    position = turn % sum(size for _, size in questions)
    which = position >= questions[0][1]
    connection = target.open()
    yield from send_all(connection, questions[which][0])
    end = time.monotonic() + 0.2
    left = position - which * questions[0][1]
    while left > 0 and time.monotonic() < end:
        try:
            left -= len(connection.recv(left))
        except AGAIN:
            yield 0.002
    reset(connection)
    return "cut"


def cut_tls(target, sent_bytes=None, received_bytes=None):
    """Resets after the given number of bytes, including those of the TLS handshake, was sent or received."""
    connection = connect(target.tls)
    connection.setblocking(False)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = CONTEXT.wrap_bio(incoming, outgoing, server_hostname="localhost")
    steps = [session.do_handshake, lambda: session.write(SMALL), lambda: session.read(1 << 16)]
    sent = received = 0
    end = time.monotonic() + 10
    while steps and time.monotonic() < end:
        try:
            steps[0]()
            steps.pop(0)
            waits = False
        except ssl.SSLWantReadError:
            waits = True
        data = outgoing.read()
        if sent_bytes is not None and sent + len(data) > sent_bytes:
            yield from send_all(connection, data[:sent_bytes - sent])
            reset(connection)
            return "cut"
        yield from send_all(connection, data)
        sent += len(data)
        if not waits:
            continue
        room = 1 << 16 if received_bytes is None else received_bytes - received
        try:
            part = connection.recv(room) if room else b""
        except AGAIN:
            yield 0.002
            continue
        if not part:
            break
        received += len(part)
        incoming.write(part)
    reset(connection)
    return "cut" if received_bytes is not None else f"whole {sent} {received}"


# A whole connection sends 765 bytes: ClientHello, Finished and a record with the request. It receives 1,473 bytes: the
# handshake, session tickets and the response.
def cut_tls_request(target, turn):
    return (yield from cut_tls(target, sent_bytes=turn % 770))


def cut_tls_answer(target, turn):
    return (yield from cut_tls(target, received_bytes=turn % 1500))


# Slow, silent and half-open connections


def slow_head(target, turn):
    """Sends a request head at 4 bytes per second."""
    with target.open(turn % 2) as connection:
        for byte in SMALL.partition(b"\r\n\r\n")[0] * 20:
            if not (yield from send_all(connection, bytes([byte]))):
                break
            yield 0.25
            said = receive_or_end(connection)
            if said is not None:
                return (yield from read_to_end(connection, data=said))
        return (yield from read_to_end(connection))


def slow_body(target, turn):
    """Sends part of a body, then either nothing or 200 bytes per second."""
    with target.open(turn // 2 % 2) as connection:
        yield from send_all(connection, request("POST", "/v1/encode", b"x" * 100_000)[:-99_000])
        if turn % 2:
            for _ in range(40):
                if not (yield from send_all(connection, b"x" * 50)):
                    break
                yield 0.25
                said = receive_or_end(connection)
                if said is not None:
                    return (yield from read_to_end(connection, data=said))
        return (yield from read_to_end(connection))


def silent(target, turn):
    """Sends, in turn, nothing on either port, half a TLS handshake, or only a TLS handshake."""
    kind = turn % 4
    if kind == 3:
        connection = target.open(True)
    else:
        connection = connect(target.tls if kind else target.plain)
        connection.setblocking(False)
    with connection:
        if kind == 2:
            outgoing = ssl.MemoryBIO()
            session = CONTEXT.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
            try:
                session.do_handshake()
            except ssl.SSLWantReadError:
                yield from send_all(connection, outgoing.read()[:200])
        return (yield from read_to_end(connection))


def idle(target, turn):
    """Sends no second request after the first response."""
    with target.open(turn % 2) as connection:
        yield from send_all(connection, request("GET", "/health"))
        got = yield from read_to_end(connection, 30)
        return f"{got}, then closed" if got == "200" else got


def never_reads(target, turn):
    """Requests large responses and does not read them for 9 seconds."""
    with target.open(turn % 2, 4096) as connection:
        if turn % 3 == 2:
            # Many small responses instead of one large response.
            yield from send_all(connection, request("GET", "/openapi.json") * 200, 2)
        else:
            yield from send_all(connection, HUGE)
        yield 9
        first, last, end = b"", b"", time.monotonic() + 20
        while time.monotonic() < end:
            try:
                part = receive(connection)
            except GONE:
                return "cut"
            if part is None:
                yield 0.02
            elif not part:
                return "complete" if last.endswith(b"0\r\n\r\n") else "503" if status(first) == "503" else "cut"
            else:
                first, last = first or part, (last + part)[-32:]
        return "never ended"


def reads_slowly(target, turn):
    """Reads a large response at about 80 kB per second."""
    with target.open(turn % 2, 8192) as connection:
        if not (yield from admitted(connection)):
            return "no room"
        yield from send_all(connection, LONG.replace(b"localhost\r\n", b"localhost\r\nConnection: close\r\n"))
        first, last = b"", b""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                part = connection.recv(8192)
            except AGAIN:
                yield 0.05
                continue
            except GONE:
                return "cut"
            if not part:
                return "complete" if last.endswith(b"0\r\n\r\n") else "cut"
            first, last = first or part, (last + part)[-32:]
            yield 0.1
        return "never ended"


def admitted(connection):
    """Sends a first request. Returns False if the server has no room and answers 503."""
    yield from send_all(connection, request("GET", "/health"))
    end = time.monotonic() + 20
    while (part := receive_or_end(connection)) is None:
        if time.monotonic() > end:
            raise TimeoutError
        yield 0.005
    return status(part) == "200"


def half_closed(target, turn):
    """Closes its sending side after the request and reads the response."""
    with target.open() as connection:
        if not (yield from admitted(connection)):
            return "no room"
        yield from send_all(connection, SMALL)
        connection.shutdown(socket.SHUT_WR)
        return (yield from read_to_end(connection))


def vanished(target, turn):
    """Drops the connection without FIN or reset, by TCP_REPAIR (tcp(7))."""
    connection = target.open(turn % 2)
    data = (SMALL[:50], SMALL[:-5], LONG, request("GET", "/health"))[turn // 2 % 4]
    yield from send_all(connection, data)
    yield 0.05
    try:
        connection.setsockopt(socket.IPPROTO_TCP, 19, 1)
    except PermissionError:
        reset(connection)
        return "no permission: reset"
    connection.close()
    return "vanished"


# Excess


def flood(target, turn):
    """Opens 450 connections, far more than --max-connections."""
    found, connections = collections.Counter(), []
    try:
        for number in range(450):
            connection = socket.socket()
            connection.setblocking(False)
            code = connection.connect_ex(("127.0.0.1", target.plain if number % 8 else target.tls))
            if code not in (0, errno.EINPROGRESS):
                found[errno.errorcode[code]] += 1
            connections.append(connection)
            if number % 10 == 9:
                yield 0.03
        yield 3
        for number, connection in enumerate(connections):
            try:
                part = receive(connection)
                found["waiting" if part is None else status(part) or "closed"] += 1
            except GONE:
                found["reset"] += 1
            if number % 50 == 49:
                yield 0.01
    finally:
        for number, connection in enumerate(connections):
            reset(connection) if number % 2 else connection.close()
    return found


def cancelled(target, turn):
    """Sends requests and closes the connections, with or without a reset, before the server can have computed them."""
    connections = [target.open(number == 0) for number in range(8)]
    for connection in connections:
        yield from send_all(connection, encode(model="minilm", input=["some words to encode"] * 4))
    for number, connection in enumerate(connections):
        reset(connection) if number % 2 else connection.close()
    return {"gone": len(connections)}


def pipelined(target, turn):
    """Sends a thousand pipelined requests and counts the responses."""
    with target.open(turn % 2) as connection:
        if not (yield from admitted(connection)):
            return "no room"
        data = request("GET", "/health") * 999 + request("GET", "/health", headers="Connection: close\r\n")
        view, answers, tail, end = memoryview(data), 0, b"", time.monotonic() + 20
        while time.monotonic() < end:
            try:
                if view:
                    view = view[connection.send(view[:16384]):]
            except AGAIN:
                pass
            except GONE:
                return f"{answers} answers, then reset"
            try:
                part = receive(connection)
            except GONE:
                return f"{answers} answers, then reset"
            if part is None:
                yield 0.005
                continue
            if not part:
                return f"{answers} answers"
            answers += (tail[-14:] + part).count(b"HTTP/1.1 200 OK")
            tail = part[-14:]
        return "never ended"


with open(os.path.join(ROOT, "Tests/Reference/data/http_cases.json")) as file:
    CASES = json.load(file)


def bytes_of(value):
    """Returns the bytes of a conformance case: Latin-1 text, or parts that may be [text, repetitions]."""
    if isinstance(value, str):
        return value.encode("latin-1")
    return b"".join(bytes_of(part) if isinstance(part, str) else bytes_of(part[0]) * part[1] for part in value)


def malformed(target, turn):
    """Sends one conformance case, valid or not, and closes the sending side. Every second pass sends two bytes at a time."""
    case = CASES[turn % len(CASES)]
    data = bytes_of(case["input"])
    with target.open() as connection:
        if turn // len(CASES) % 2 and len(data) < 400:
            for position in range(0, len(data), 2):
                yield from send_all(connection, data[position:position + 2])
                yield 0
        else:
            yield from send_all(connection, data)
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return (yield from read_to_end(connection))


JSON = [
    b"", b"{", b"[1]", b"nul", b'{"input": "x"', b'{"input": "\\ud800"}', b'{"input": NaN}', b'{"input": "x"} {}',
    b"[" * 100_000, b'{"input":' * 10_000, b'{"input": "\xff"}', b'{"input": 1e999}', b'{"input": "x", "input": "y"}',
    b'{"input": []}', b'{"input": [[]]}', b'{"input": "x", "layer": 1e400}', b'{"input": [101, 99999999999999999999]}',
    b'{"input": "x", "model": "' + b"m" * 10_000 + b'"}', b'{"input": "' + b"\\u0000" * 1000, b"\xef\xbb\xbf{}",
    b'{"model": "resemblyzer", "input": [[' + b"0," * 38 + b"0]]}", b'{"input": "x", "output": "states", "layer": 99}',
    b'{"input": {"text": "a"}}', b'{"model": "resemblyzer", "input": "' + b"x" * 1000 + b'"}',
]


def bad_json(target, turn):
    """Sends a body that is not valid JSON or not a valid request."""
    with target.open(turn % 4 == 3) as connection:
        body = JSON[turn % len(JSON)]
        headers = "Connection: close\r\n" + ("" if body else "Content-Length: 0\r\nContent-Type: application/json\r\n")
        return (yield from exchange(connection, request("POST", "/v1/encode", body, headers)))


def oversized_requests():
    """Returns requests that exceed one limit each, and some that come close to one."""
    bomb = gzip.compress(b'{"input": "' + b" " * 20_000_000 + b'"}', 9)
    packed = gzip.compress(b'{"input": "' + random.Random(2).randbytes(1 << 19).hex().encode() + b'"}', 1)
    coded = "Content-Encoding: gzip\r\nConnection: close\r\n"
    close = "Connection: close\r\n"
    return [
        request("GET", "/" + "a" * 9_000), request("GET", "/health", headers="X: " + "a" * 40_000 + "\r\n"),
        request("GET", "/health", headers="X: a\r\n" * 200),
        b"POST /v1/encode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /v1/encode HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /v1/encode HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 40,
        request("POST", "/v1/encode", bomb, coded), request("POST", "/v1/encode", packed, coded),
        request("POST", "/v1/encode", bomb[:5000], coded), request("POST", "/v1/encode", b"no gzip", coded),
        encode(close, input=["a"] * 5_000), encode(close, input=[[101] * 300] * 300),
        encode(close, model="g2p", input="x" * 900_000), encode(close, model="minilm", input="word " * 180_000),
        encode(close, model="minilm", input="w" * 900_000), encode(close, model="minilm", input="\u4e00" * 300_000),
        encode(close, model="minilm", input="word " * 10_000, truncate=False),
        encode(close, model="resemblyzer", input=[[0.5] * 41] * 10), encode(close, model="minilm", input=["a" * 900_000] * 1),
        request("GET", "/v1/attention?model=minilm&input=" + "word+" * 1000, headers=close),
    ]


OVERSIZED = oversized_requests()


def oversized(target, turn):
    """Sends one of the oversized requests."""
    with target.open(turn % 4 == 3) as connection:
        return (yield from exchange(connection, OVERSIZED[turn % len(OVERSIZED)]))


FOREIGN = [
    b"SSH-2.0-OpenSSH_9.2\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /\r\n", b"\x00" * 500,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2, b"\x80\x2e\x01\x00\x02" + b"\x00" * 41,
    b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", b"EHLO me\r\n", b"*1\r\n$4\r\nPING\r\n",
    b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00", b"\xff\xfe\xfd" * 1000,
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade, close\r\nSec-WebSocket-Key: x\r\n\r\n",
    b"\x15\x03\x03\x00\x02\x02\x28", b"\x17\x03\x03\x40\x00" + b"\x55" * 0x4000, b"\r\n" * 2000, random.Random(3).randbytes(4000),
]


def foreign(target, turn):
    """Sends another protocol to either port, such as plain HTTP to the TLS port or TLS to the plain port."""
    port = target.tls if turn % 2 else target.plain
    with connect(port) as connection:
        connection.setblocking(False)
        choices = FOREIGN + [request("GET", "/health", headers="Connection: close\r\n")]
        return (yield from exchange(connection, choices[turn // 2 % len(choices)]))


class Scenario:
    """A kind of abuse, with its rate and its expected outcomes.

    title      the name in the report
    script     the generator function of one connection; its `turn` counts the connections
    clients    the number of concurrent connections
    pause      the pause in seconds before the next connection
    must       outcomes that must occur at least once
    never      outcomes that must not occur
    only       the only other outcomes that may occur; None allows all that are not in `never`
    positions  the number of values of `turn` that cover every position; 0 if turns do not select positions
    """

    def __init__(self, title, script, clients, pause, must=(), never=(), positions=0, only=None):
        self.only = None if only is None else {*must, *only}
        self.title, self.script, self.clients, self.pause = title, script, clients, pause
        self.must, self.never, self.positions = must, (*never, "never ended", "500", "garbage"), positions


GROUPS = [
    [
        Scenario("reset at every byte of a request", cut_request, 1, 0.05, ["cut"],
                 positions=len(SMALL) + len(CHUNKED) + 2),
        Scenario("reset at every byte of a response", cut_answer, 1, 0.06, ["cut"], positions=710),
        Scenario("vanished without FIN or reset", vanished, 1, 0.5, ["vanished"]),
        Scenario("half-closed after the request", half_closed, 1, 0.5, ["200"], only=["no room"]),
    ],
    [
        Scenario("TLS: reset at every byte sent, from ClientHello on", cut_tls_request, 1, 0.12, ["cut"], positions=770),
        Scenario("TLS: reset at every byte received", cut_tls_answer, 1, 0.12, ["cut"], positions=1500),
        Scenario("other protocols, TLS on the plain port, garbage on both", foreign, 1, 0.3, ["400"]),
    ],
    [
        Scenario("slow heads, 4 bytes per second", slow_head, 8, 0.2, ["408"], ["200"]),
        Scenario("slow bodies: pausing, 200 bytes per second", slow_body, 8, 0.2, ["408"], ["200"]),
        Scenario("silent: no byte, half a ClientHello, no request", silent, 8, 0.2, ["closed"]),
        Scenario("idle after a response", idle, 4, 0.2, ["200, then closed"]),
        Scenario("never reads responses", never_reads, 4, 2, ["cut"]),
        Scenario("reads large responses slowly, 80 kB/s", reads_slowly, 2, 3, ["complete"], only=["no room"]),
    ],
    [
        Scenario("flood of 450 connections, 300 per second", flood, 1, 10, ["503", "closed"]),
        Scenario("cancelled while queued, 8 at a time", cancelled, 1, 3, ["gone"]),
        Scenario("1,000 pipelined requests", pipelined, 1, 5, ["1000 answers"], only=["no room"]),
        Scenario("conformance cases, whole and in parts", malformed, 1, 0.2, ["400", "501", "505"]),
        Scenario("malformed JSON", bad_json, 1, 0.3, ["400"], ["200"]),
        Scenario("oversized: heads, bodies, sequences, gzip bombs", oversized, 1, 1, ["413", "414", "431"]),
    ],
]


REST_SECONDS = 8
"""Seconds that connections may take to finish after the end of the run."""


class ClientGroup:
    """A group of scenarios that run on one thread until a given time."""

    def __init__(self, scenarios, target, seed):
        self.scenarios, self.target, self.draw = scenarios, target, random.Random(seed)
        self.turns = [0] * len(scenarios)
        self.outcomes = [collections.Counter() for _ in scenarios]
        self.queue, self.count = [], 0

    def put(self, due, index, script):
        self.count += 1
        heapq.heappush(self.queue, (due, self.count, index, script))

    def advance(self, index, script):
        """Resumes a script. Returns the seconds until its next step, or None if it has ended."""
        try:
            return next(script)
        except StopIteration as end:
            found = end.value
        except NoRoom:
            found = "no room"
        except TimeoutError:
            found = "never ended"
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError, EOFError):
            found = "closed"
        except OSError as error:
            found = errno.errorcode.get(error.errno, str(error))
        self.outcomes[index].update(found if isinstance(found, dict) else [found])
        return None

    def run(self, end):
        now = time.monotonic()
        for index, scenario in enumerate(self.scenarios):
            for number in range(scenario.clients):
                self.put(now + self.draw.uniform(0, 2), index, None)
        while self.queue and time.monotonic() < end + REST_SECONDS:
            due, _, index, script = heapq.heappop(self.queue)
            if script is None:
                if due > end:
                    continue
            time.sleep(max(0, due - time.monotonic()))
            if script is None:
                script = self.scenarios[index].script(self.target, self.turns[index])
                self.turns[index] += 1
            rest = self.advance(index, script)
            now = time.monotonic()
            if rest is not None:
                self.put(now + rest, index, script)
            else:
                self.put(now + self.scenarios[index].pause * self.draw.uniform(0.5, 1.5), index, None)
        return [{"tries": turns, "outcomes": outcomes} for turns, outcomes in zip(self.turns, self.outcomes)]


def main():
    """Runs one group: abuse_bad.py GROUP PLAIN_PORT TLS_PORT END. Prints the outcomes of its clients as JSON."""
    # The clients represent other machines, so they must not take CPU time from the server.
    os.nice(19)
    number, plain, tls, end = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    json.dump(ClientGroup(GROUPS[number], Target(plain, tls), number).run(end), sys.stdout)


if __name__ == "__main__":
    main()
