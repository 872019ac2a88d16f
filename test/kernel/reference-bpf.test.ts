import { afterAll, expect } from '@jest/globals';
import { REASONS } from '../../src/filter/drop-reason.ts';
import { loadCorpus } from '../support/corpus/load-corpus.ts';
import { type CampaignReport, runCampaign } from '../support/differential/campaign.ts';
import { ebpfEngine } from '../support/differential/ebpf-engine.ts';
import { cEngine, referenceEngine } from '../support/differential/host-engines.ts';
import { scenarioOfCase } from '../support/frames-generator/corpus-scenario.ts';
import { root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

// The same generated frames through all three: the programs in this kernel, the C filter of the host, the reference.
// `make fuzz` does it with 10^7 of them (docs/fuzzing.md).

const SEED = 1_000_003;
const FRAMES = 100_000;
const HOST_FRAMES = 80_000;
const LENGTH = 1000;

const { test } = requires(root);

const ebpf = ebpfEngine();
afterAll(() => ebpf.close());

const corpus = loadCorpus().map(scenarioOfCase);
const isReached = ({ reasons }: CampaignReport, name: string): boolean =>
  ['from-vm', 'to-vm'].some((way) => reasons.has(`${way} ${name}`) || reasons.has(`${way} ${name} audited`));

/** What differs, as it would be kept; `make fuzz` saves it. */
const told = ({ found }: CampaignReport): string =>
  found.map(({ told, file }) => `${told}\n${file.text}`).join('\n');

test(`[EB-6] ${FRAMES} generated frames, in sequences of seed ${SEED}: same reason, audited or not, in eBPF, C and the reference`, () => {
  const engines = [ebpf, cEngine, referenceEngine];
  const report = runCampaign({
    seed: SEED,
    venue: 'kernel',
    engines,
    frames: FRAMES,
    length: LENGTH,
    corpus,
  });
  expect(told(report)).toBe('');
  expect(report.frames).toBe(FRAMES);
  // Not told to the kernel, or not the same twice: a pending checksum, and packets a second.
  const beyond = ['ChecksumOffload', 'BitRate', 'PacketRate'];
  const unreached = REASONS.map(({ name }) => name).filter((name) => !isReached(report, name));
  expect(unreached.filter((name) => !beyond.includes(name))).toEqual([]);
  const passed = ['Allowed', 'AllowedFlow', 'AllowedUnsampled', 'AllowedPreviousEndpoint'];
  for (const way of ['from-vm', 'to-vm'])
    for (const name of passed)
      expect([way, name, report.reasons.get(`${way} ${name}`) ?? 0]).not.toContain(0);
  // No frame stands for nothing: the most common outcome is not all there is.
  expect(Math.max(...report.reasons.values())).toBeLessThan(FRAMES / 8);
}, 120_000);

test(`[EB-6] ${HOST_FRAMES} more of seed ${SEED} that the kernel cannot be told of (UDP super-frames, pending checksums, limits and grace to the nanosecond): same in C and the reference`, () => {
  const engines = [cEngine, referenceEngine];
  const report = runCampaign({
    seed: SEED,
    venue: 'host',
    engines,
    frames: HOST_FRAMES,
    length: LENGTH,
    corpus,
  });
  expect(told(report)).toBe('');
  const only = [
    'ChecksumOffload',
    'SuperFrame',
    'PacketTooBig',
    'BitRate',
    'PacketRate',
    'PreviousEndpointExpired',
  ];
  expect(only.filter((name) => !isReached(report, name))).toEqual([]);
}, 60_000);
