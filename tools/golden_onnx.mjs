// Answers of ONNX Runtime for the cases of tools/golden_onnx.py: node golden_onnx.mjs FOLDER
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const ort = createRequire(path.join(process.env.NODE_PATH ?? '.', 'x.js'))('onnxruntime-node');
const KINDS = {
  1: ['float32', Float32Array], 2: ['uint8', Uint8Array], 3: ['int8', Int8Array],
  4: ['uint16', Uint16Array], 5: ['int16', Int16Array], 6: ['int32', Int32Array],
  7: ['int64', BigInt64Array], 9: ['bool', Uint8Array],
};

function* fields(b) { // of protobuf: whole numbers and strings of bytes
  let p = 0;
  const number = () => {
    let v = 0, scale = 1, c;
    do { c = b[p++]; v += (c & 127) * scale; scale *= 128; } while (c > 127);
    return v;
  };
  while (p < b.length) {
    const key = number();
    const n = number();
    if ((key & 7) === 0) yield [key >> 3, n];
    else { yield [key >> 3, b.subarray(p, p + n)]; p += n; }
  }
}

function read(file) {
  const dims = [];
  let kind, bytes;
  for (const [field, v] of fields(fs.readFileSync(file))) {
    if (field === 1) dims.push(v);
    if (field === 2) kind = KINDS[v];
    if (field === 9) bytes = new Uint8Array(v);
  }
  return new ort.Tensor(kind[0], new kind[1](bytes.buffer), dims);
}

function number(n) {
  const out = [];
  for (; n > 127; n = Math.floor(n / 128)) out.push(n % 128 + 128);
  return [...out, n];
}

function write(file, t) {
  const bytes = Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength);
  const kind = Object.keys(KINDS).find(k => KINDS[k][0] === t.type);
  const head = t.dims.flatMap(d => [8, ...number(d)]).concat([16, Number(kind), 74], number(bytes.length));
  fs.writeFileSync(file, Buffer.concat([Buffer.from(head), bytes]));
}

for (const name of fs.readdirSync(process.argv[2])) {
  const folder = path.join(process.argv[2], name), data = path.join(folder, 'test_data_set_0');
  const session = await ort.InferenceSession.create(path.join(folder, 'model.onnx'),
    { executionProviders: ['cpu'], graphOptimizationLevel: 'disabled', intraOpNumThreads: 1 })
    .catch(e => { throw new Error(`${name}: ${e.message}`); });
  const feeds = Object.fromEntries(session.inputNames.map((n, i) => [n, read(path.join(data, `input_${i}.pb`))]));
  const out = await session.run(feeds).catch(e => { throw new Error(`${name}: ${e.message}`); });
  session.outputNames.forEach((n, i) => write(path.join(data, `output_${i}.pb`), out[n]));
}
