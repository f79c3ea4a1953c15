// Runs every case of a folder in ONNX Runtime: DIR/CASE/model.onnx on input_K.npy, and compares
// with output_K.npy. `node onnx_runtime.mjs SHARED DIR`; SHARED/peers/lib_peers.mjs finds the
// runtime. Exit status 0: all agree; 1: some do not, a line each; 2: there is no runtime.
import fs from 'node:fs';
import path from 'node:path';

const [shared, dir] = process.argv.slice(2);
const { peer, readTensor, compare } = await import(path.join(shared, 'peers/lib_peers.mjs'));
const ort = peer('onnxruntime-node');
const say = line => fs.writeSync(1, line + '\n'); // at once: the runtime may end the process
const count = { agree: 0, lacking: 0, wrong: 0 };
let worst = 0;

async function judge(at) {
  const session = await ort.InferenceSession.create(path.join(at, 'model.onnx'), {
    logSeverityLevel: 3, intraOpNumThreads: 1, interOpNumThreads: 1 });
  const feeds = {};
  session.inputNames.forEach((name, i) => {
    const t = readTensor(path.join(at, `input_${i}.npy`));
    feeds[name] = new ort.Tensor(t.kind, t.data, t.dims);
  });
  const out = await session.run(feeds);
  await session.release();
  session.outputNames.forEach((name, i) => {
    const want = readTensor(path.join(at, `output_${i}.npy`));
    const c = compare({ kind: out[name].type, dims: out[name].dims, data: out[name].data }, want, 1e-4, 1e-5);
    if (!c.ok) throw new Error(`output ${i}: ${c.why}`);
    worst = Math.max(worst, c.worst ?? 0);
  });
}

for (const name of fs.readdirSync(dir).sort()) {
  const at = path.join(dir, name);
  if (!fs.existsSync(path.join(at, 'model.onnx'))) continue;
  try {
    await judge(at);
    count.agree++;
  } catch (e) {
    const lacking = /NOT_IMPLEMENTED|Could not find an implementation/.test(e.message);
    count[lacking ? 'lacking' : 'wrong']++;
    say(`${lacking ? 'lacking' : 'WRONG'} ${name}: ${e.message.split('\n')[0].slice(0, 300)}`);
  }
}
say(`ONNX Runtime: ${count.agree} agree (largest difference ${worst.toExponential(1)}), ` +
  `${count.lacking} it has no kernel for, ${count.wrong} wrong`);
process.exit(count.wrong > 0 ? 1 : 0);
