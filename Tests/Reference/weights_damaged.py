"""Writes damaged zip weight files, from a file that weights.py has written.

    python Tests/Reference/weights_damaged.py
"""

import io, pathlib, zipfile
out = pathlib.Path(__file__).parent / "data" / "weights"
with zipfile.ZipFile(out/"bomb.npz","w",zipfile.ZIP_DEFLATED) as z: z.writestr("a.npy", bytes(8<<20))
src = (out/"lstm-zip.pt").read_bytes()
def rewrite(name, change):
    zi = zipfile.ZipFile(io.BytesIO(src))
    with zipfile.ZipFile(out/name,"w") as z:
        for i in zi.namelist(): z.writestr(i, change(i, zi.read(i)))
# weight_ih_l0 is [16, 3] with strides (3, 1). The pickle has them as K\x10K\x03\x86 q? K\x03K\x01\x86.
rewrite("short-storage.pt", lambda n,b: b[:-4] if n.endswith("data/0") else b)
def stride(n,b):
    if not n.endswith("data.pkl"): return b
    c=b.replace(b"K\x03K\x01\x86", b"J\xfd\xff\xff\xffK\x01\x86"); assert c!=b; return c
rewrite("negative-stride.pt", stride)
def size(n,b):
    if not n.endswith("data.pkl"): return b
    c=b.replace(b"K\x10K\x03\x86", b"K\x11K\x03\x86"); assert c!=b; return c
rewrite("beyond-storage.pt", size)
