"""Compares the speed of the kernels with earlier measurements, as ratios to the measured peak of the CPU core.

usage: scripts/kernel_report.py [--update] [--strict]

Runs KernelBench on the fastest kernel table. Prints the kernels that are more than 15 % slower than in
Benchmarks/kernel_ratios.json, which also names the CPU of those measurements. Absolute times are not compared, since machines
differ and are shared. --update rewrites the file.

With --strict the script exits with 1 if a kernel is slower. Otherwise it only reports, since a different or busy CPU also
changes the ratios.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE = ROOT / "Benchmarks" / "kernel_ratios.json"
ALLOWED = 0.85


def processor():
    try:
        return re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text()).group(1)
    except (OSError, AttributeError):
        return "unknown"


def measure():
    """Returns a ratio by kernel table and by case.

    For matrix products and attention it is the percentage of the peak. For element-wise kernels it is 100 divided by the time
    per element in multiply-adds at the peak.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "kernels.jsonl"
        subprocess.run(
            [ROOT / ".build/release/KernelBench", "--brief", "--repeats", "5", "--milliseconds", "8", "--json-file", path]
            + [word for group in ("dense", "attention", "rows", "recurrent") for word in ("--only", group)],
            check=True, stdout=subprocess.DEVNULL)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    ratios = {}
    for line in lines:
        if "percent_of_peak" in line:
            value = line["percent_of_peak"]
        elif line.get("multiply_adds_per_element", 0) > 0:
            value = 100 / line["multiply_adds_per_element"]
        else:
            continue
        ratios.setdefault(line["isa"], {})[f"{line['kernel']} {line['case']}"] = round(value, 2)
    return ratios


def main():
    now = measure()
    if "--update" in sys.argv:
        FILE.write_text(json.dumps({"processor": processor(), "ratios": now}, indent=1, ensure_ascii=False) + "\n")
        print(f"{sum(map(len, now.values()))} ratios written to {FILE.relative_to(ROOT)}")
        return
    before = json.loads(FILE.read_text())
    print(f"kernels compared with {before['processor']}, measured on {processor()}:")
    compared, behind = 0, []
    for table, cases in now.items():
        for case, value in cases.items():
            old = before["ratios"].get(table, {}).get(case)
            if old:
                compared += 1
                if value < ALLOWED * old:
                    behind.append((value / old, table, case, value, old))
    for ratio, table, case, value, old in sorted(behind):
        print(f"  slower: {table} {case}: {value} % of the peak, {old} before")
    print(f"{compared} kernels compared, {len(behind)} more than {round(100 - 100 * ALLOWED)} % slower")
    if behind and "--strict" in sys.argv:
        sys.exit(1)


main()
