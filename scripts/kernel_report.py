"""Compares the kernels with what they have held before, as ratios to the core's own measured peak.

usage: scripts/kernel_report.py [--update] [--strict]

Runs KernelBench on the fastest table and prints the kernels that fall more than 15 % behind Benchmarks/kernel_ratios.json,
which names the processor that it was measured on. Absolute times are not compared: machines differ and are shared.
--update writes the file anew; --strict exits with 1 where something falls behind. Without it this is a report: another
processor, or a busy one, is no fault.
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
    """By table and case: percent of the peak; for what is done to each float, floats a multiply-add's time."""
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
    print(f"kernels beside those of {before['processor']}, here {processor()}:")
    compared, behind = 0, []
    for table, cases in now.items():
        for case, value in cases.items():
            old = before["ratios"].get(table, {}).get(case)
            if old:
                compared += 1
                if value < ALLOWED * old:
                    behind.append((value / old, table, case, value, old))
    for ratio, table, case, value, old in sorted(behind):
        print(f"  behind: {table} {case}: {value} % of the peak, {old} before")
    print(f"{compared} kernels compared, {len(behind)} more than {round(100 - 100 * ALLOWED)} % behind")
    if behind and "--strict" in sys.argv:
        sys.exit(1)


main()
