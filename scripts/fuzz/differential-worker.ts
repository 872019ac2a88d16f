/**
 * A share of the generated frames, in a process of its own: `differential-worker.ts SEED FRAMES kernel|host`. Says how far
 * it is in lines of JSON, and at the end what differs.
 */
import { loadCorpus } from '../../test/support/corpus/load-corpus.ts';
import { runCampaign } from '../../test/support/differential/campaign.ts';
import { ebpfEngine } from '../../test/support/differential/ebpf-engine.ts';
import { cEngine, referenceEngine } from '../../test/support/differential/host-engines.ts';
import { scenarioOfCase } from '../../test/support/frames-generator/corpus-scenario.ts';
import type { WorkerLine } from './differential.ts';

const PROGRESS_MS = 2000;
/** Frames of a sequence: long ones, since putting a policy in force takes as long as some hundred frames. */
const LENGTH = { least: 200, most: 4000 };

const say = (line: WorkerLine): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

const [seed = 1, frames = 0] = process.argv.slice(2, 4).map(Number);
const venue = process.argv[4] === 'kernel' ? 'kernel' : 'host';
const ebpf = ebpfEngine();
let saidAt = Date.now();
try {
  const {
    found,
    reasons,
    frames: judged,
  } = runCampaign({
    seed,
    venue,
    engines: venue === 'kernel' ? [ebpf, cEngine, referenceEngine] : [cEngine, referenceEngine],
    frames,
    length: Math.min(LENGTH.most, Math.max(LENGTH.least, Math.floor(frames / 100))),
    corpus: loadCorpus().map(scenarioOfCase),
    onProgress(soFar) {
      if (Date.now() - saidAt < PROGRESS_MS) return;
      saidAt = Date.now();
      say({ kind: 'progress', frames: soFar });
    },
  });
  say({ kind: 'done', frames: judged, found, reasons: Object.fromEntries(reasons) });
} finally {
  ebpf.close();
}
