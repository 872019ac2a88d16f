import { describe, expect, test } from '@jest/globals';
import type { CapturedFrame } from '../../../../src/cli/explain/capture/captured-frame.ts';
import { closeEngines, openEngines, parseEngines } from '../../../../src/cli/explain/engine/engine-choice.ts';
import { ENGINES } from '../../../../src/cli/explain/engine/engine.ts';
import { SeededNumbers } from '../../../../src/cli/explain/engine/seed.ts';
import { CaptureJudge } from '../../../../src/cli/explain/judge/capture-judge.ts';
import { directionOf } from '../../../../src/cli/explain/judge/direction.ts';
import { arp, ethernet, GATEWAY_MAC, GUEST_MAC, handshake, ipv4, udp } from '../frame-builder.ts';
import { ALLOWED, DROPPED, FakeEngine } from './fake-engine.ts';
import { policy } from './policy.ts';

const frame = (change: Partial<CapturedFrame> = {}): CapturedFrame => {
  const bytes = change.bytes ?? handshake();
  return { index: 0, timeNs: null, bytes, frameBytes: bytes.length, ...change };
};
const options = { direction: 'auto' as const, guestMac: GUEST_MAC, nonces: new SeededNumbers(1) };

test('the direction follows from the MACs; who does not speak to the VM is taken for it', () => {
  const other = '02:00:00:00:00:09';
  const of = (source: string, destination: string) =>
    directionOf(ethernet([], { source, destination }), GUEST_MAC);
  expect(of(GUEST_MAC, GATEWAY_MAC)).toBe('from-vm');
  expect(of(GATEWAY_MAC, GUEST_MAC)).toBe('to-vm');
  expect(of(other, GUEST_MAC)).toBe('to-vm');
  expect(of(other, other)).toBe('from-vm');
  expect(of(GATEWAY_MAC, other)).toBe('from-vm');
  expect(of(GATEWAY_MAC, 'ff:ff:ff:ff:ff:ff')).toBe('from-vm');
  expect(of(GUEST_MAC, GUEST_MAC)).toBe('from-vm');
  expect(directionOf(arp(), GUEST_MAC)).toBe('from-vm');
  expect(directionOf(Uint8Array.of(1), GUEST_MAC)).toBe('from-vm');
});

describe('CaptureJudge', () => {
  test('asks every engine the same, in order, with the policy made at the first frame', () => {
    const engines = [new FakeEngine('c', () => ALLOWED), new FakeEngine('ts', () => DROPPED)];
    const starts: bigint[] = [];
    const judge = new CaptureJudge(engines, {
      ...options,
      policyFor: (startNs) => {
        starts.push(startNs);
        return policy();
      },
    });
    const rows = judge.judge(frame({ timeNs: 7n }));
    judge.judge(frame({ index: 1, timeNs: 9n }));
    expect(rows.map(({ engine, verdict, reason }) => [engine, verdict, reason])).toEqual([
      ['c', 'allow', 'Allowed'],
      ['ts', 'drop', 'Ipv6'],
    ]);
    expect(starts).toEqual([7n]);
    for (const engine of engines) {
      expect(engine.used).toEqual([policy()]);
      expect(engine.asked.map(({ nowNs }) => nowNs)).toEqual([7n, 9n]);
      expect(engine.asked[0]).toMatchObject({
        direction: 'from-vm',
        bytes: handshake(),
        nonce: 0n,
        ownAnswer: false,
      });
    }
  });

  test('mode Sampled: all engines draw by one number, the one of the engine that draws by itself', () => {
    const byItself = new FakeEngine('ebpf', () => ({ ...ALLOWED, nonce: 77n }));
    const others = [new FakeEngine('c', () => ALLOWED), new FakeEngine('ts', () => ALLOWED)];
    const policyFor = () => policy({ mode: 'Sampled', samplePerMillion: 1 });
    new CaptureJudge([byItself, ...others], { ...options, policyFor }).judge(frame());
    expect(others.map(({ asked }) => asked[0]?.nonce)).toEqual([77n, 77n]);

    const alone = new FakeEngine('c', () => ALLOWED);
    const judge = new CaptureJudge([alone], { ...options, policyFor });
    for (let index = 0; index < 100; index++) judge.judge(frame({ index }));
    expect(new Set(alone.asked.map(({ nonce }) => nonce)).size).toBe(100);
  });

  test('what goes to the VM may be the answer of the filter itself', () => {
    const engine = new FakeEngine('c', () => ALLOWED);
    const bytes = ethernet(ipv4(udp([])), { source: GATEWAY_MAC, destination: GUEST_MAC });
    new CaptureJudge([engine], { ...options, policyFor: () => policy() }).judge(frame({ bytes }));
    expect(engine.asked[0]).toMatchObject({ direction: 'to-vm', ownAnswer: true });
  });

  test('too little of a frame: no engine is asked, and each line says so', () => {
    const engines = [new FakeEngine('c', () => ALLOWED), new FakeEngine('ts', () => ALLOWED)];
    const judge = new CaptureJudge(engines, { ...options, policyFor: () => policy() });
    const rows = judge.judge(frame({ bytes: handshake().subarray(0, 20), frameBytes: 190 }));
    expect(rows.map(({ engine, verdict, reasonCode }) => [engine, verdict, reasonCode])).toEqual([
      ['c', 'unknown', null],
      ['ts', 'unknown', null],
    ]);
    expect(engines.flatMap(({ asked }) => asked)).toEqual([]);
  });

  test('without a policy nothing has to be known of a frame', () => {
    const engine = new FakeEngine('c', () => ({ ...DROPPED, reasonCode: 16 }));
    const judge = new CaptureJudge([engine], { ...options, policyFor: () => null });
    expect(judge.judge(frame({ bytes: new Uint8Array(), frameBytes: 60 }))).toMatchObject([
      { verdict: 'drop', reason: 'NoPolicy', decidingField: 'policy', found: 'none' },
    ]);
  });

  test('an engine that cannot be shown a frame does not say what it is', () => {
    const judge = new CaptureJudge([new FakeEngine('ebpf', () => null)], {
      ...options,
      policyFor: () => policy(),
    });
    expect(judge.judge(frame())).toMatchObject([
      { engine: 'ebpf', verdict: 'unknown', reason: 'NotShown', reasonCode: null },
    ]);
  });
});

describe('engines', () => {
  test('are chosen by name, several with commas, and always asked in one order', () => {
    expect(parseEngines('all')).toEqual(ENGINES);
    expect(parseEngines('ts,ebpf')).toEqual(['ebpf', 'ts']);
    for (const text of ['', 'x', 'c,', 'c,c', 'c, ts', 'all,c'])
      expect(() => parseEngines(text)).toThrow('Give ebpf');
  });

  test('open and close, the reference without anything else', () => {
    const engines = openEngines(['ts']);
    expect(engines.map(({ name }) => name)).toEqual(['ts']);
    closeEngines(engines);
    closeEngines(engines);
  });
});

test('numbers from a seed: the same for the same, spread over all bits', () => {
  const of = (seed: number) => new SeededNumbers(seed);
  expect([of(1234567).next(), of(1234567).next()]).toEqual([6457827717110365317n, 6457827717110365317n]);
  expect(of(1).bytes(16)).toEqual(of(1).bytes(16));
  expect(of(1).bytes(16)).not.toEqual(of(2).bytes(16));
  const all = of(0);
  let seen = 0n;
  for (let count = 0; count < 64; count++) seen |= all.next();
  expect(seen).toBe((1n << 64n) - 1n);
});
