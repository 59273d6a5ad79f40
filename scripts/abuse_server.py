"""The server process, the client and the report helpers that soak.py and drain.py share."""
import json
import os
import platform
import re
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TLS = os.path.join(ROOT, "Tests/Reference/data/tls")
PROGRAM = os.environ.get("ENCODERD", os.path.join(ROOT, ".build/release/encoderd"))
MODELS = ("minilm", "g2p", "resemblyzer")


class Server:
    """`encoderd serve` on two free ports, one plain and one TLS."""

    def __init__(self, options, models=MODELS, descriptors=None):
        self.log = tempfile.NamedTemporaryFile("r", prefix="encoderd-", suffix=".log")
        command = [PROGRAM, "serve", "--listen", "http://127.0.0.1:0", "--listen", "127.0.0.1:0", "--tls-cert",
                   f"{TLS}/server-chain.pem", "--tls-key", f"{TLS}/server.key", "--access-log", "off", *options]
        for name in models:
            command += ["--model", f"{name}={ROOT}/models/{name}"]
        if descriptors:
            command = ["prlimit", f"--nofile={descriptors}:{descriptors}", *command]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ENCODERD_")}
        environment["SWIFT_BACKTRACE"] = "enable=no"
        with open(self.log.name, "w") as file:
            self.process = subprocess.Popen(command, stderr=file, env=environment)
        self.pid = self.process.pid
        end = time.monotonic() + 30
        while True:
            said = self.said()
            ports = dict(re.findall(r"listening on (https?)://127\.0\.0\.1:(\d+),", said))
            if len(ports) == 2:
                self.plain, self.tls = int(ports["http"]), int(ports["https"])
                return
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the server did not start:\n{said}")
            time.sleep(0.005)

    def said(self):
        """Returns the log so far."""
        with open(self.log.name) as file:
            return file.read()

    def status(self, field):
        """Returns a number of /proc/PID/status; sizes are in KiB."""
        with open(f"/proc/{self.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(field + ":"))

    def state(self):
        """Returns the descriptors, threads and resident memory of the process."""
        return {"descriptors": len(os.listdir(f"/proc/{self.pid}/fd")), "threads": self.status("Threads"),
                "resident MiB": round(self.status("VmRSS") / 1024, 1)}

    def metrics(self):
        """Returns the samples of /metrics by name with labels."""
        with Client(self.plain) as client:
            text = client.ask(request("GET", "/metrics")).body.decode()
        return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.M)}


def request(method, target, body=b"", headers=""):
    """Returns the bytes of a request. The body, if any, is JSON."""
    if body:
        headers += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode() + body


def encode(headers="", **fields):
    """Returns the bytes of a request to /v1/encode with the given JSON fields."""
    return request("POST", "/v1/encode", json.dumps(fields).encode(), headers)


def tls_context():
    """Returns a TLS context that trusts the certificates of the tests."""
    return ssl.create_default_context(cafile=f"{TLS}/root.pem")


def connect(port, timeout=10.0, receive_buffer=None):
    plain = socket.socket()
    plain.settimeout(timeout)
    if receive_buffer:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    plain.connect(("127.0.0.1", port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


def reset(connection):
    """Closes the connection with a reset, even if data is in transit."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Answer:
    """A response: its status code, headers by lowercase name, and decoded body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class Client:
    """A connection that sends requests and checks the framing of the responses. It reads pipelined responses in order."""

    def __init__(self, port, context=None, timeout=30.0):
        self.socket = connect(port, timeout)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = b""
        self.has_begun = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _more(self):
        part = self.socket.recv(1 << 18)
        if not part:
            raise EOFError(f"the server closed; last {self.buffer[-80:]!r}")
        self.buffer += part
        self.has_begun = True

    def _until(self, mark):
        while mark not in self.buffer:
            self._more()
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    def answer(self):
        """Reads the next response and decodes its body. `has_begun` is True as soon as part of it has arrived."""
        self.has_begun = bool(self.buffer)
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._until(b"\r\n"), 16):
                body += self._take(size)
                if self._take(2) != b"\r\n":
                    raise ValueError("a chunk does not end where it should")
            self._until(b"\r\n")
        else:
            body = self._take(int(headers["content-length"]))
        if headers.get("content-encoding") == "gzip":
            body = zlib.decompress(body, 31)
        return Answer(int(lines[0].split()[1]), headers, body)

    def ask(self, data):
        self.socket.sendall(data)
        return self.answer()


def cpu_seconds(pid):
    """Returns the CPU time of a process in seconds (proc_pid_stat(5))."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Reports


def row(*cells):
    """Returns a row of a Markdown table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def machine():
    """Returns the CPU model, the number of CPUs and the kernel version."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    return f"{model}, {len(os.sched_getaffinity(0))} processors, Linux {platform.release()}"
