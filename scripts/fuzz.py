"""Runs the fuzz targets for code that reads untrusted bytes (`make fuzz`).

usage: scripts/fuzz.py [--seconds N] [--jobs N] [--keep] PROGRAM [TARGET ...]

PROGRAM is built by `make fuzz` from Tests/FuzzTests with libFuzzer and the address sanitizer. Every target runs for N
seconds. It starts with seeds from the reference data of the tests, the stored inputs in Tests/FuzzTests/Corpora and Findings,
and the inputs of earlier runs in .build-fuzz/corpora.

Prints a table. Exits with 1 if there is a finding, and prints the file of its input. After the fault is fixed, move that file
to Tests/FuzzTests/Findings/TARGET, so that the tests run it. --keep rewrites Corpora with minimal sets of inputs that have the
same coverage.
"""
import argparse
import concurrent.futures
import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "Tests" / "Reference" / "data"
KEPT = ROOT / "Tests" / "FuzzTests" / "Corpora"
FINDINGS = ROOT / "Tests" / "FuzzTests" / "Findings"
WORK = ROOT / ".build-fuzz"
#: The size limit of a stored corpus in bytes. The smallest inputs are stored first.
KEPT_BYTES = 150_000

WORDS = {
    "http": ["GET ", "POST ", "OPTIONS * ", " HTTP/1.1\r\n", " HTTP/1.0\r\n", "Host: x\r\n", "Content-Length: ", "\r\n\r\n",
             "Transfer-Encoding: chunked\r\n", "Expect: 100-continue\r\n", "Connection: close\r\n", "keep-alive", "gzip, chunked",
             "http://a:80/", "%2e", "0\r\n\r\n", "5;a=\"b\"\r\n", "\r\n ", ": ", "\t"],
    "chunks": ["0\r\n\r\n", "1\r\na\r\n", ";a=b", ";a=\"\\\"\"", "\r\nTrailer: x\r\n", "ffffffffffffffff", "00000000000000f"],
    "json": ["{\"a\":", "[1,2,", "null", "true", "false", "\\ud83d\\ude00", "\\u0000", "1e308", "-0.0", "9223372036854775808",
             "16777217", "0.1e-45", "]]", "}}", "\\\"", "\xef\xbb\xbf"],
    "numbers": ["e-45", "e38", "e308", "e-324", "16777217", "340282346638528859811704183484516925440", "9007199254740993", "-0.0",
                "9223372036854775807", ".", "0.000000", "e+", "1.17549435e-38"],
    "safetensors": ["\"dtype\":\"F32\"", "\"shape\":[", "\"data_offsets\":[0,4]", "__metadata__", "\"BF16\"", "\"BOOL\"",
                    "{\"weight_map\":{\"a\":\"s\"}}", "18446744073709551615"],
    "npz": ["\x93NUMPY\x01\x00", "'descr': '<f4'", "'fortran_order': True", "'shape': (2, 3,)", "|O", "<f2", ">f8", "PK\x03\x04",
            "PK\x01\x02", "PK\x05\x06", "PK\x06\x06", "PK\x06\x07", "\xfe\xff"],
    "pickle": ["ctorch._utils\n_rebuild_tensor_v2\n", "ctorch\nFloatStorage\n", "ccollections\nOrderedDict\n", "X\x07\x00\x00\x00storage",
               "\x80\x02", "}q\x00(", "QK\x00(K\x02K\x03tq", "R.", "cposix\nsystem\n", "\x8a\x0a", "\xfe\xff", "\x85", "\x86", "\x87"],
    "sentencepiece": ["\x0a\x0a\x0a\x03\xe2\x96\x81\x15", "<unk>", "<s>", "</s>", "\x18\x02", "\x18\x06", "\x12\x02\x18\x02", "\x1a\x04\x12\x02"],
    "requests": ["model=m&", "input=", "&layers=0,-1", "&heads=all", "&top_k=3", "&mass=0.5", "&format=svg", "%5B1%2C2%5D", "\"input\":",
                 "[[1,2,3]]", "{\"text\":\"a\",\"pair\":\"b\"}", "\"states\"", "&special_tokens=hide", "&select={\"top_k\":1}"],
    "texts": ["[CLS]", "<s>", "<mask>", "\u2581", "\u200d", "\u0301", "\U0001f468\u200d\U0001f469", "\u4e2d", "\u00df", "\u0130", "'s", "  ", "\r\n", "\x00"],
}


def seeds():
    """Yields (target, bytes) of the seeds from the reference data of the tests."""

    def latin(value):
        if isinstance(value, str):
            return value.encode("latin-1")
        return b"".join(latin(p[0]) * p[1] if isinstance(p, list) else latin(p) for p in value)

    for case in json.loads((DATA / "http_cases.json").read_text()):
        data = latin(case["input"])
        if len(data) > 1500:
            continue
        for choice in range(4):
            yield "http", bytes([choice]) + data
        head, _, body = data.partition(b"\r\n\r\n")
        if b"chunked" in head.lower():
            yield "chunks", b"\0" + body
            yield "chunks", b"\1" + body
    yield "chunks", b"\x80" + bytes(range(100))
    for level in (0, 1, 9):
        yield "inflate", b"\0" + gzip.compress(b"a text, a text " * 20, level)
        yield "inflate", b"\1" + zlib.compress(b"a text, a text " * 20, level)
    yield "inflate", b"\0" + gzip.compress(b"a") + gzip.compress(b"b")
    yield "inflate", b"\x80" + b"a text, a text " * 9
    for text in ('{"a": [1, -2.5e3, 0.1], "b": {"c": null, "d": [true, false]}}', '["\\u00e9\\ud83d\\ude00\\n", "\u00e9"]', "[[1,2],[3.5]]",
                 "[" * 64 + "]" * 64, "-0", '{"a":1,"a":2}', "[1e400]", "[16777216, 16777217, 0.30000001192092896]"):
        yield "json", text.encode()
    for text in ("1,2.5,-0.0,1e-45", "3.4028235e38,1.17549435e-38", "9007199254740993,16777217", "0.1,123456789012345678901234567890"):
        yield "numbers", text.encode()
    for path in sorted((DATA / "weights").iterdir()):
        data = path.read_bytes()
        if path.suffix == ".safetensors":
            yield "safetensors", b"\0" + data
            yield "safetensors", b"\1" + data[8:]
        elif path.suffix == ".json":
            yield "safetensors", b"\2" + data
        elif path.suffix == ".npz" and path.name != "bomb.npz":
            yield "npz", b"\0" + data
            arrays = [zipfile.ZipFile(path).read(n) for n in zipfile.ZipFile(path).namelist()]
            yield "npz", b"\1" + arrays[0]
            yield "npz", b"\x42" + b"\xfe\xff".join(arrays[:4])
        elif path.suffix == ".pt" and not zipfile.is_zipfile(path):
            yield "pickle", b"\0" + data
            yield "pickle", b"\3" + data[data.index(b".", data.index(b"little_endian")) + 1:]
        elif path.suffix == ".pt":
            archive = zipfile.ZipFile(path)
            yield "pickle", b"\1" + data
            parts = [archive.read(n) for n in archive.namelist() if n.endswith("data.pkl")]
            parts += [archive.read(n) for n in sorted(archive.namelist()) if "/data/" in n][:2]
            yield "pickle", b"\2" + b"\xfe\xff".join(parts)
    texts = json.loads((DATA / "tokenizers" / "texts.json").read_text())
    for i, text in enumerate(texts[:: len(texts) // 400]):
        cut = (0, 0x85, 0x89)[i % 3]
        yield "texts", bytes([i % 19, cut]) + text.encode()[:200] + (b"\0" + text.encode()[:60] if i % 4 == 0 else b"")
    for i in range(80):
        yield "tokenizer-files", bytes([i, 0]) + "A text, \u00e9t\u00e9 \u4e2d\u6587".encode()
        yield "tokenizer-files", bytes([i, 1, i, 0, 4, i, 0]) + b"a text"
    yield "tokenizer-files", b'\xff{"version":"1.0","model":{"type":"WordLevel","unk_token":"u","vocab":{"u":0,"a":1}}}\0a b'

    def field(number, data):
        return bytes([number << 3 | 2, len(data)]) + data

    def piece(text, score, kind):
        return field(1, field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + bytes([0x18, kind]))

    pieces = piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + piece("\u2581", -1, 1) + piece("E", -2, 1)
    pieces += piece("in", -3, 1) + piece("\u2581two", -2.5, 1) + piece("<0x41>", 0, 6) + piece("p", -4, 4)
    for i in range(12):
        yield "sentencepiece", bytes([i]) + pieces + field(2, bytes([0x18, 1 + i % 2]))
    for i in range(14):
        for model in range(10):
            yield "requests", bytes([model, 2 + 4 * (model % 2), i, i, 0])
    for query in ("input=a+text&layers=0&format=svg", "input=%5B1%2C2%5D&heads=-1&top_k=2", "input=x&mass=0.5&special_tokens=hide&dtype=f16&format=npy"):
        yield "requests", bytes([3, 0, 0]) + query.encode()
    yield "requests", bytes([0, 5, 2]) + b'{"input": ["a", "b"], "output": ["embedding", "states", "logits"]}'
    for i in range(33):
        yield "configurations", bytes([i, 0, 0])
        yield "configurations", bytes([i, 1, i, 0, 2, i, 0, 0, 8, 0])


def unpacked(data):
    """Yields the inputs of a stored corpus. Each follows its length in bytes as a little-endian u32."""
    while data:
        (length,) = struct.unpack_from("<I", data)
        yield data[4:4 + length]
        data = data[4 + length:]


def put(folder, data):
    """Writes an input to a corpus folder, named by its hash."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


class Fuzzer:
    """A fuzz target with its corpus."""

    def __init__(self, program, name, length, seconds):
        self.program, self.name, self.length, self.seconds = program, name, length, seconds
        self.corpus = WORK / "corpora" / name
        self.environment = dict(os.environ, FUZZ_TARGET=name, SWIFT_BACKTRACE="enable=no", ASAN_OPTIONS="detect_leaks=0")

    def command(self, *arguments):
        return [str(self.program), f"-max_len={self.length}", "-timeout=20", "-rss_limit_mb=3000", *map(str, arguments)]

    def run(self):
        """Fuzzes the target. Returns (executions, edges covered, inputs in the corpus, finding or None)."""
        found = WORK / "findings"
        found.mkdir(parents=True, exist_ok=True)
        arguments = [f"-max_total_time={self.seconds}", "-print_final_stats=1", f"-artifact_prefix={found}/{self.name}-", self.corpus]
        words = WORDS.get(self.name)
        with tempfile.NamedTemporaryFile("w", suffix=".dict") as dictionary:
            if words:
                escaped = ("".join(f"\\x{b:02x}" for b in (w.encode("latin-1") if max(map(ord, w)) < 256 else w.encode())) for w in words)
                dictionary.write("".join(f'"{w}"\n' for w in escaped))
                dictionary.flush()
                arguments.insert(0, f"-dict={dictionary.name}")
            done = subprocess.run(self.command(*arguments), env=self.environment, capture_output=True, text=True, errors="replace")
        log = done.stderr
        (WORK / f"{self.name}.log").write_text(log)
        executions = re.findall(r"^stat::number_of_executed_units:\s*(\d+)", log, re.M)
        edges = re.findall(r"\bcov: (\d+)", log)
        finding = None
        if done.returncode:
            path = re.findall(r"Test unit written to (\S+)", log)
            said = re.findall(r"Fatal error: .*|SUMMARY: .*|ERROR: .*", log)
            finding = f"{path[0] if path else 'no file'}: {said[0][:300] if said else log[-300:]}"
        # After a finding libFuzzer prints no statistics. The last progress line then has the number of executions.
        counted = int(executions[-1]) if executions else int((re.findall(r"^#(\d+)", log, re.M) or ["0"])[-1])
        return counted, int(edges[-1]) if edges else 0, len(list(self.corpus.iterdir())), finding

    def keep(self):
        """Writes a minimal corpus with the same coverage. Returns the numbers of inputs stored and available."""
        with tempfile.TemporaryDirectory() as merged:
            subprocess.run(self.command("-merge=1", merged, self.corpus), env=self.environment, capture_output=True, check=True)
            inputs = sorted((p.read_bytes() for p in pathlib.Path(merged).iterdir()), key=lambda b: (len(b), b))
        kept, size = [], 0
        for data in inputs:
            size += 4 + len(data)
            if size > KEPT_BYTES:
                break
            kept.append(struct.pack("<I", len(data)) + data)
        (KEPT / self.name).write_bytes(b"".join(kept))
        return len(kept), len(inputs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    program = arguments.program.resolve()
    listed = subprocess.run([program], env=dict(os.environ, FUZZ_TARGET="list"), capture_output=True, text=True, check=True).stdout
    lengths = {name: int(length) for name, length in (line.split() for line in listed.splitlines())}
    unknown = set(arguments.targets) - set(lengths)
    if unknown:
        raise SystemExit(f"{', '.join(unknown)}: no such target; there are {', '.join(lengths)}")
    fuzzers = [Fuzzer(program, n, lengths[n], arguments.seconds) for n in arguments.targets or lengths]
    for target, data in seeds():
        put(WORK / "corpora" / target, data)
    for target in lengths:
        if (KEPT / target).exists():
            for data in unpacked((KEPT / target).read_bytes()):
                put(WORK / "corpora" / target, data)
        for path in (FINDINGS / target).glob("*"):
            put(WORK / "corpora" / target, path.read_bytes())
    total, findings = 0, []
    print(f"{arguments.seconds} s per target, {arguments.jobs} targets at a time", flush=True)
    print("| target | executions | per second | edges | inputs |\n|---|---:|---:|---:|---:|", flush=True)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for fuzzer, (count, edges, inputs, finding) in zip(fuzzers, pool.map(Fuzzer.run, fuzzers)):
            total += count
            print(f"| {fuzzer.name} | {count:,} | {count // max(arguments.seconds, 1):,} | {edges:,} | {inputs:,} |", flush=True)
            if finding:
                findings.append(f"{fuzzer.name}: {finding}")
            elif not edges:
                findings.append(f"{fuzzer.name}: no coverage; the program was built without coverage instrumentation")
    print(f"| all | {total:,} | | | |")
    for path in pathlib.Path("/dev/shm").glob("encoderd-fuzz-*"):
        shutil.rmtree(path, ignore_errors=True)
    for finding in findings:
        print("FINDING", finding)
    if arguments.keep:
        for fuzzer in fuzzers:
            print("{0}: stored {1} of {2} inputs".format(fuzzer.name, *fuzzer.keep()), flush=True)
    sys.exit(bool(findings))


main()
