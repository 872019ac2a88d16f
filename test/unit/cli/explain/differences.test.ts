import { EventEmitter } from 'node:events';
import { expect, test } from '@jest/globals';
import { explain, type ExplainOptions } from '../../../../src/cli/explain/explain.ts';
import type { EngineVerdict } from '../../../../src/cli/explain/engine/engine.ts';
import { Output } from '../../../../src/cli/terminal/output.ts';
import { DEFAULT_PATHS } from '../../../../src/agent/wiring/paths.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { handshake, pcap } from '../frame-builder.ts';
import { manifest } from '../manifest-text.ts';
import { scratch } from '../scratch.ts';
import { ALLOWED, DROPPED, FakeEngine } from './fake-engine.ts';
import { rowsOf } from './rows.ts';

const files = scratch();

/** By the latest call. */
let opened: FakeEngine[] = [];

class Collector extends EventEmitter {
  text = '';

  write(text: string): boolean {
    this.text += text;
    return true;
  }
}

/** Five frames, judged by engines that say what they are told. */
async function explained(
  output: 'json' | 'table',
  ...say: readonly ((index: number) => EngineVerdict | null)[]
): Promise<{ code: number; out: string; err: string; engines: FakeEngine[] }> {
  const [out, err] = [new Collector(), new Collector()];
  const engines = say.map((answer, at) => new FakeEngine(at === 0 ? 'c' : 'ts', (_, index) => answer(index)));
  opened = engines;
  const context = {
    output: new Output(out, err, {}),
    environment: {},
    clock: systemClock,
    signal: new AbortController().signal,
    outliveReaders: () => undefined,
  };
  const options: ExplainOptions = {
    ...DEFAULT_PATHS,
    policy: files.write('p.yaml', manifest()),
    pcap: files.write('tap.pcap', pcap(new Array(5).fill({ bytes: handshake() }))),
    guestMac: '02:76:00:00:00:01',
    guestAddress: '100.64.0.5',
    direction: 'auto',
    engine: ['c', 'ts'],
    seed: 0,
    output,
  };
  const code = await explain(context, options, () => engines);
  return { code, out: out.text, err: err.text, engines };
}

test.each(['json', 'table'] as const)(
  'engines that differ: exit code 1, and the first such frame by number (%s)',
  async (format) => {
    const { code, out, err, engines } = await explained(
      format,
      () => ALLOWED,
      (index) => (index >= 2 ? DROPPED : ALLOWED),
    );
    expect(code).toBe(1);
    expect(err).toContain(
      'vmnetctl: engines differ on 3 frames, first frame 3: c says allow Allowed, ts says drop Ipv6\n',
    );
    // All is said of all frames all the same.
    if (format === 'json') expect(rowsOf(out)).toHaveLength(10);
    for (const engine of engines) expect([engine.asked.length, engine.closed]).toEqual([5, 1]);
  },
);

test('engines that agree: 0', async () => {
  const { code, err } = await explained(
    'json',
    () => DROPPED,
    () => DROPPED,
  );
  expect([code, err]).toEqual([0, '']);
});

test('what one engine cannot be shown counts by the other, and is said; what none can is not judged', async () => {
  const some = await explained(
    'json',
    (index) => (index === 0 ? null : ALLOWED),
    () => ALLOWED,
  );
  expect([some.code, some.err]).toEqual([0, 'vmnetctl: 1 frame could not be shown to every engine\n']);
  expect(
    (
      await explained(
        'json',
        () => null,
        () => null,
      )
    ).code,
  ).toBe(1);
});

test('an engine that fails fails the command, and is closed', async () => {
  const failure = explained('json', () => {
    throw new Error('out of memory');
  });
  await expect(failure).rejects.toThrow('out of memory');
  expect(opened.map(({ closed }) => closed)).toEqual([1]);
});
