"""The clients of soak.py that do everything wrong.

Each scenario is a generator: it yields how many seconds to rest and returns what became of its connection. One thread
drives those of a process, at the pace they are given.
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
    """The server has more connections than it even tells that there are too many."""


class Target:
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
    while data.startswith(b"HTTP/1.1 100"):
        data = data.partition(b"\r\n\r\n")[2]
    if data.startswith(b"HTTP/1.1 "):
        return data[9:12].decode("latin-1")
    return "TLS alert" if data.startswith(b"\x15\x03") else "garbage" if data else None


def receive(connection):
    """Bytes, b"" at the end, or None where there is nothing yet."""
    try:
        return connection.recv(1 << 16)
    except AGAIN:
        return None


def heard(connection):
    """As `receive`, where a reset is an end."""
    try:
        return receive(connection)
    except GONE:
        return b""


def ending(connection, patience=20.0, data=b""):
    """Reads to the end; the status that was answered, else how it ended."""
    end = time.monotonic() + patience
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


def sending(connection, data, patience=20.0):
    """Sends what can be sent; false where the server does not want it."""
    view, end = memoryview(data), time.monotonic() + patience
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


def whole(connection, data):
    yield from sending(connection, data)
    return (yield from ending(connection))


# Resets


def cut_request(target, turn):
    data = (SMALL, CHUNKED)
    position = turn % sum(len(each) + 1 for each in data)
    which = position > len(data[0])
    connection = target.open()
    yield from sending(connection, data[which][:position - which * (len(data[0]) + 1)])
    reset(connection)
    return "cut"


def cut_answer(target, turn):
    questions = ((request("GET", "/health"), 240), (SMALL, 470))
    position = turn % sum(size for _, size in questions)
    which = position >= questions[0][1]
    connection = target.open()
    yield from sending(connection, questions[which][0])
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
    """Resets when so many bytes of ciphertext, the handshake's among them, were sent or received."""
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
            yield from sending(connection, data[:sent_bytes - sent])
            reset(connection)
            return "cut"
        yield from sending(connection, data)
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


# What a connection sends is 765 bytes: its hello, Finished, the request in a record. It gets 1,473: the handshake, tickets,
# an answer.
def cut_tls_request(target, turn):
    return (yield from cut_tls(target, sent_bytes=turn % 770))


def cut_tls_answer(target, turn):
    return (yield from cut_tls(target, received_bytes=turn % 1500))


# Slow, silent, half there


def slow_head(target, turn):
    with target.open(turn % 2) as connection:
        for byte in SMALL.partition(b"\r\n\r\n")[0] * 20:
            if not (yield from sending(connection, bytes([byte]))):
                break
            yield 0.25
            said = heard(connection)
            if said is not None:
                return (yield from ending(connection, data=said))
        return (yield from ending(connection))


def slow_body(target, turn):
    """Pauses, or comes too slowly."""
    with target.open(turn // 2 % 2) as connection:
        yield from sending(connection, request("POST", "/v1/encode", b"x" * 100_000)[:-99_000])
        if turn % 2:
            for _ in range(40):
                if not (yield from sending(connection, b"x" * 50)):
                    break
                yield 0.25
                said = heard(connection)
                if said is not None:
                    return (yield from ending(connection, data=said))
        return (yield from ending(connection))


def silent(target, turn):
    """Nothing at all, on either port; half a handshake; a handshake and no more."""
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
                yield from sending(connection, outgoing.read()[:200])
        return (yield from ending(connection))


def idle(target, turn):
    """Never comes back after its answer."""
    with target.open(turn % 2) as connection:
        yield from sending(connection, request("GET", "/health"))
        got = yield from ending(connection, 30)
        return f"{got}, then closed" if got == "200" else got


def never_reads(target, turn):
    with target.open(turn % 2, 4096) as connection:
        if turn % 3 == 2:
            # Many small answers instead of a large one.
            yield from sending(connection, request("GET", "/openapi.json") * 200, 2)
        else:
            yield from sending(connection, HUGE)
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
    """Slow and honest: some 80 kB a second."""
    with target.open(turn % 2, 8192) as connection:
        if not (yield from admitted(connection)):
            return "no room"
        yield from sending(connection, LONG.replace(b"localhost\r\n", b"localhost\r\nConnection: close\r\n"))
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
    """Whether the server has room: its first answer is no 503."""
    yield from sending(connection, request("GET", "/health"))
    end = time.monotonic() + 20
    while (part := heard(connection)) is None:
        if time.monotonic() > end:
            raise TimeoutError
        yield 0.005
    return status(part) == "200"


def half_closed(target, turn):
    with target.open() as connection:
        if not (yield from admitted(connection)):
            return "no room"
        yield from sending(connection, SMALL)
        connection.shutdown(socket.SHUT_WR)
        return (yield from ending(connection))


def vanished(target, turn):
    """Gone without a word: the kernel forgets the connection, and neither FIN nor reset is sent (tcp(7), TCP_REPAIR)."""
    connection = target.open(turn % 2)
    data = (SMALL[:50], SMALL[:-5], LONG, request("GET", "/health"))[turn // 2 % 4]
    yield from sending(connection, data)
    yield 0.05
    try:
        connection.setsockopt(socket.IPPROTO_TCP, 19, 1)
    except PermissionError:
        reset(connection)
        return "no permission: reset"
    connection.close()
    return "vanished"


# Too many, too much


def flood(target, turn):
    """More connections than there is room for, and then some."""
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
    """Asks for work and is gone before it can have been done: with a reset, or in good order."""
    connections = [target.open(number == 0) for number in range(8)]
    for connection in connections:
        yield from sending(connection, encode(model="minilm", input=["some words to encode"] * 4))
    for number, connection in enumerate(connections):
        reset(connection) if number % 2 else connection.close()
    return {"gone": len(connections)}


def pipelined(target, turn):
    """A thousand requests at once, and all answers."""
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
    if isinstance(value, str):
        return value.encode("latin-1")
    return b"".join(bytes_of(part) if isinstance(part, str) else bytes_of(part[0]) * part[1] for part in value)


def malformed(target, turn):
    """The conformance cases, good and bad, half of them a byte or two at a time; then no more is sent."""
    case = CASES[turn % len(CASES)]
    data = bytes_of(case["input"])
    with target.open() as connection:
        if turn // len(CASES) % 2 and len(data) < 400:
            for position in range(0, len(data), 2):
                yield from sending(connection, data[position:position + 2])
                yield 0
        else:
            yield from sending(connection, data)
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return (yield from ending(connection))


JSON = [
    b"", b"{", b"[1]", b"nul", b'{"input": "x"', b'{"input": "\\ud800"}', b'{"input": NaN}', b'{"input": "x"} {}',
    b"[" * 100_000, b'{"input":' * 10_000, b'{"input": "\xff"}', b'{"input": 1e999}', b'{"input": "x", "input": "y"}',
    b'{"input": []}', b'{"input": [[]]}', b'{"input": "x", "layer": 1e400}', b'{"input": [101, 99999999999999999999]}',
    b'{"input": "x", "model": "' + b"m" * 10_000 + b'"}', b'{"input": "' + b"\\u0000" * 1000, b"\xef\xbb\xbf{}",
    b'{"model": "resemblyzer", "input": [[' + b"0," * 38 + b"0]]}", b'{"input": "x", "output": "states", "layer": 99}',
    b'{"input": {"text": "a"}}', b'{"model": "resemblyzer", "input": "' + b"x" * 1000 + b'"}',
]


def bad_json(target, turn):
    with target.open(turn % 4 == 3) as connection:
        body = JSON[turn % len(JSON)]
        headers = "Connection: close\r\n" + ("" if body else "Content-Length: 0\r\nContent-Type: application/json\r\n")
        return (yield from whole(connection, request("POST", "/v1/encode", body, headers)))


def oversized_requests():
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
    with target.open(turn % 4 == 3) as connection:
        return (yield from whole(connection, OVERSIZED[turn % len(OVERSIZED)]))


FOREIGN = [
    b"SSH-2.0-OpenSSH_9.2\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /\r\n", b"\x00" * 500,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2, b"\x80\x2e\x01\x00\x02" + b"\x00" * 41,
    b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", b"EHLO me\r\n", b"*1\r\n$4\r\nPING\r\n",
    b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00", b"\xff\xfe\xfd" * 1000,
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade, close\r\nSec-WebSocket-Key: x\r\n\r\n",
    b"\x15\x03\x03\x00\x02\x02\x28", b"\x17\x03\x03\x40\x00" + b"\x55" * 0x4000, b"\r\n" * 2000, random.Random(3).randbytes(4000),
]


def foreign(target, turn):
    """Other protocols, on either port: TLS garbage and plain HTTP on the TLS port, TLS on the plain one."""
    port = target.tls if turn % 2 else target.plain
    with connect(port) as connection:
        connection.setblocking(False)
        choices = FOREIGN + [request("GET", "/health", headers="Connection: close\r\n")]
        return (yield from whole(connection, choices[turn // 2 % len(choices)]))


class Scenario:
    """
    - `clients` of them at a time, each resting for `pause` seconds before the next
    - `must`: outcomes that the run has to see; `never`: outcomes that fail it; `only`, where given: the only ones beside `must`
    """

    def __init__(self, title, script, clients, pause, must=(), never=(), positions=0, only=None):
        self.only = None if only is None else {*must, *only}
        self.title, self.script, self.clients, self.pause = title, script, clients, pause
        self.must, self.never, self.positions = must, (*never, "never ended", "500", "garbage"), positions


HERDS = [
    [
        Scenario("reset at every byte of a request", cut_request, 1, 0.05, ["cut"],
                 positions=len(SMALL) + len(CHUNKED) + 2),
        Scenario("reset at every byte of an answer", cut_answer, 1, 0.06, ["cut"], positions=710),
        Scenario("vanished without FIN or reset", vanished, 1, 0.5, ["vanished"]),
        Scenario("half-closed after the request", half_closed, 1, 0.5, ["200"], only=["no room"]),
    ],
    [
        Scenario("TLS: reset at every byte sent, from the hello on", cut_tls_request, 1, 0.12, ["cut"], positions=770),
        Scenario("TLS: reset at every byte received", cut_tls_answer, 1, 0.12, ["cut"], positions=1500),
        Scenario("other protocols, TLS on the plain port, garbage on both", foreign, 1, 0.3, ["400"]),
    ],
    [
        Scenario("slow heads, 4 bytes a second", slow_head, 8, 0.2, ["408"], ["200"]),
        Scenario("slow bodies: pausing, 200 bytes a second", slow_body, 8, 0.2, ["408"], ["200"]),
        Scenario("silent: no byte, half a hello, no request", silent, 8, 0.2, ["closed"]),
        Scenario("idle after an answer", idle, 4, 0.2, ["200, then closed"]),
        Scenario("never reads its answers", never_reads, 4, 2, ["cut"]),
        Scenario("reads large answers slowly, 80 kB/s", reads_slowly, 2, 3, ["complete"], only=["no room"]),
    ],
    [
        Scenario("flood of 450 connections, 300 a second", flood, 1, 10, ["503", "closed"]),
        Scenario("cancelled while queued, 8 at a time", cancelled, 1, 3, ["gone"]),
        Scenario("1,000 pipelined requests", pipelined, 1, 5, ["1000 answers"], only=["no room"]),
        Scenario("conformance cases, whole and in parts", malformed, 1, 0.2, ["400", "501", "505"]),
        Scenario("malformed JSON", bad_json, 1, 0.3, ["400"], ["200"]),
        Scenario("oversized: heads, bodies, sequences, gzip bombs", oversized, 1, 1, ["413", "414", "431"]),
    ],
]


REST_SECONDS = 8
"""What was begun may take so much longer."""


class Herd:
    """Runs scenarios, all on one thread, until told to end."""

    def __init__(self, scenarios, target, seed):
        self.scenarios, self.target, self.draw = scenarios, target, random.Random(seed)
        self.turns = [0] * len(scenarios)
        self.outcomes = [collections.Counter() for _ in scenarios]
        self.queue, self.count = [], 0

    def put(self, due, index, script):
        self.count += 1
        heapq.heappush(self.queue, (due, self.count, index, script))

    def advance(self, index, script):
        """The seconds until it wants to go on, or None at its end."""
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
    """abuse_bad.py HERD PLAIN_PORT TLS_PORT END: a process of its own; says at the end what became of its clients."""
    # They stand for other machines: their processor time should not be the server's.
    os.nice(19)
    number, plain, tls, end = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    json.dump(Herd(HERDS[number], Target(plain, tls), number).run(end), sys.stdout)


if __name__ == "__main__":
    main()
