import { describe, expect, test } from '@jest/globals';
import { AgentHealth, ailmentOf } from '../../../../src/agent/metrics/health.ts';
import type { PassResult } from '../../../../src/agent/attachment/pass.ts';

const wanted = { attachments: [], networks: [], problems: [] };
const passed = (complete: boolean, guarded: boolean): Pick<PassResult, 'wanted' | 'guarded'> => ({
  wanted: { ...wanted, complete } as unknown as PassResult['wanted'],
  guarded,
});

describe('the health of an agent', () => {
  test('is that passes end', () => {
    let idleMs = 99_999;
    const { live } = new AgentHealth(
      () => idleMs,
      30_000,
      () => null,
    );
    expect(ailmentOf(live)).toBeNull();
    idleMs = 100_000;
    expect(ailmentOf(live)).toBe('passes: none has ended for 100 s');
  });

  test('and its being ready that a pass ended, for wishes that are known, with the guard, and pins can be made', () => {
    let fault: string | null = null;
    const health = new AgentHealth(
      () => 0,
      30_000,
      () => fault,
    );
    const said = (): string | null => ailmentOf(health.ready);
    expect(said()).toBe('pass: the first one has not ended');
    health.passed(passed(true, true));
    expect(said()).toBeNull();
    health.passed(passed(false, true));
    expect(said()).toBe('wishes: are not all known');
    health.passed(passed(true, false));
    expect(said()).toBe('guard: is not known to be in force');
    health.failed();
    expect(said()).toBe('pass: the last one failed');
    health.passed(passed(true, true));
    expect(said()).toBeNull();
    fault = 'is read-only';
    expect(said()).toBe('bpffs: is read-only');
    fault = null;
    expect(said()).toBeNull();
  });
});
