"""The safetensors format in a few lines, for the generators of golden files.

A file is the header's length (8 bytes, little-endian), the header (JSON: name -> dtype, shape,
byte range; "__metadata__": strings), padded with blanks to 8 bytes, then the numbers.
"""
import json
import struct

TYPES = {"float64": "F64", "float32": "F32", "int64": "I64", "bool": "BOOL"}


def write(path, tensors, metadata):
    """tensors: name -> NumPy array; metadata: name -> string, or anything JSON can hold."""
    header = {"__metadata__": {k: v if isinstance(v, str) else json.dumps(v)
                               for k, v in metadata.items()}}
    data = b""
    for name, a in sorted(tensors.items(), key=lambda t: (-t[1].dtype.itemsize, t[0])):
        begin = len(data)
        data += a.tobytes()  # row-major
        header[name] = {"dtype": TYPES[str(a.dtype)], "shape": list(a.shape),
                        "data_offsets": [begin, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
