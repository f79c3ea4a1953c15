#!/usr/bin/env python3
"""Writes the binary seeds of the fuzz targets for tensor files: tests/fuzz/corpus/{safetensors,npy}.

Small files that reach every branch of the parsers; the fuzzer and replay.c damage them from there.
Run it from the project's root; the files are checked in.
"""
import pathlib
import struct

ROOT = pathlib.Path("tests/fuzz/corpus")


def put(folder, name, data):
    path = ROOT / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def safetensors(name, header, data=b"", pad=0):
    text = header.encode() + b" " * pad
    put("safetensors", name, struct.pack("<Q", len(text)) + text + data)


def npy(name, header, data=b"", version=1):
    text = header.encode()
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    put("npy", name, b"\x93NUMPY" + bytes([version, 0]) + length + text + data)


def entry(dtype, shape, begin, end):
    return f'{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}'


safetensors("empty", "{}", pad=6)
safetensors("one", f'{{"w":{entry("F32", [2, 3], 0, 24)}}}', bytes(range(24)), pad=5)
safetensors("metadata", f'{{"__metadata__":{{"net":"dense 2\\n"}},"b":{entry("BF16", [], 0, 2)}}}', b"\x80\x3f")
held = [("F64", 8), ("I64", 8), ("F32", 4), ("I32", 4), ("F16", 2), ("BF16", 2), ("U8", 1), ("BOOL", 1)]
parts, at = [], 0
for word, size in held:
    parts.append(f'"{word}":{entry(word, [2], at, at + 2 * size)}')
    at += 2 * size
safetensors("held", "{" + ",".join(parts) + "}", bytes(at))
safetensors("not_held", f'{{"a":{entry("F8_E4M3", [3], 0, 3)},"b":{entry("F4", [2, 3], 3, 6)}}}', b"\1\2\3\4\5\6")
safetensors("none_and_rank_9", f'{{"e":{entry("I8", [0, 7], 0, 0)},"r":{entry("U8", [1] * 9, 0, 1)}}}', b"x")
safetensors("bad_overlap", f'{{"a":{entry("U8", [4], 0, 4)},"b":{entry("U8", [4], 2, 6)}}}', bytes(6))
safetensors("bad_count", f'{{"a":{entry("F32", [2**62, 8], 0, 0)}}}')

npy("f4", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n", bytes(range(24)))
npy("big_endian", "{'descr': '>i2', 'fortran_order': False, 'shape': (3,), }\n", b"\xff\xfe\0\1\0\2")
npy("fortran", "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 2), }\n", bytes(range(12)), version=2)
npy("scalar", "{'descr': '<f8', 'fortran_order': False, 'shape': (), }\n", struct.pack("<d", 1.5), version=3)
npy("bool", "{'descr': '|b1', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 2, 2), }\n", b"\0\1\2\3")
npy("none", "{'descr': '<u4', 'fortran_order': False, 'shape': (0, 5), }\n")
npy("bad_object", "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", b"\x80\x04N.")
npy("bad_shape", "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }\n")
