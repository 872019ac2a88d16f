import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CROSSINGS, FilterCounts, frameSeries } from '../../../../src/agent/metrics/filter-counts.ts';
import { goneCountsFile } from '../../../../src/agent/metrics/gone-counts-file.ts';
import type { Kernel } from '../../../../src/agent/host/kernel.ts';
import { VmnError } from '../../../../src/lib/errors.ts';
import { createLogger } from '../../../../src/lib/log.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const PROTOCOL = 38;
const SERIES = frameSeries('from-vm', PROTOCOL, false);

/** Filters by name, with how many frames they dropped for PROTOCOL; null: they cannot be read. */
class FilterModel {
  readonly filters = new Map<string, number | null>();
  /** How often counts were asked for. */
  asked = 0;

  get kernel(): Kernel {
    const parts: Partial<Kernel> = {
      listPins: () => [...this.filters.keys()],
      counters: (pinDir) => {
        this.asked += 1;
        const packets = this.filters.get(pinDir.slice('/bpf/'.length)) ?? null;
        if (packets === null) throw new VmnError('VMN_BPF_MAP', { attempted: 'read the counters' });
        return [
          { direction: 'from-vm', reason: PROTOCOL, audited: false, packets: BigInt(packets), bytes: 0n },
        ];
      },
      violations: () => ({ crossings: 1n }),
      removePins: (pinDir) => void this.filters.delete(pinDir.slice('/bpf/'.length)),
      setPinsAside: (pinDir) => {
        const name = pinDir.slice('/bpf/'.length);
        this.filters.set(`${name}-aside`, this.filters.get(name) ?? null);
        this.filters.delete(name);
      },
    };
    return parts as Kernel;
  }
}

describe('what the filters of a host count', () => {
  let model: FilterModel;
  let clock: FakeClock;
  let folder: string;
  let counts: FilterCounts;
  let watched: Kernel;
  let boot: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmn-counts-'));
    boot = 'boot-1';
    model = new FilterModel();
    model.filters.set('vmn-a', 5).set('vmn-b', 7);
    clock = new FakeClock();
    begin();
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const path = (): string => join(folder, 'run', 'gone-counts.json');
  /** A new agent. */
  function begin(): void {
    const file = goneCountsFile(path(), () => boot);
    const log = createLogger({ level: 'silent' });
    counts = new FilterCounts({ kernel: model.kernel, bpffs: '/bpf', file, clock, log });
    watched = counts.watched(model.kernel);
  }
  async function dropped(passMs = 10_000): Promise<bigint | undefined> {
    await clock.advance(passMs);
    return (await counts.total()).get(SERIES);
  }

  test('is the sum, read at most every ten seconds, and once for all who ask', async () => {
    const both = await Promise.all([counts.total(), counts.total()]);
    expect(both.map((total) => [total.get(SERIES), total.get(CROSSINGS)])).toEqual([
      [12n, 2n],
      [12n, 2n],
    ]);
    expect(model.asked).toBe(2);
    model.filters.set('vmn-a', 6);
    expect([await dropped(9_999), model.asked]).toEqual([12n, 2]);
    expect([await dropped(1), model.asked]).toEqual([13n, 4]);
  });

  test('holds what was counted to the end by one that is removed', async () => {
    expect(await dropped()).toBe(12n);
    model.filters.set('vmn-a', 50);
    watched.removePins('/bpf/vmn-a');
    expect(await dropped(0)).toBe(57n);
    expect(await dropped()).toBe(57n);
    model.filters.set('vmn-a', 1);
    expect(await dropped()).toBe(58n);
  });

  test('and of one that nobody asked for before, or that somebody else removed', async () => {
    watched.removePins('/bpf/vmn-a');
    expect(await dropped()).toBe(12n);
    model.filters.delete('vmn-b');
    expect(await dropped()).toBe(12n);
  });

  test('does not lose one whose removal fails', async () => {
    const failing = counts.watched({
      ...model.kernel,
      removePins: () => {
        throw new VmnError('VMN_BPF_ATTACH', { attempted: 'remove the pins' });
      },
    });
    expect(() => failing.removePins('/bpf/vmn-a')).toThrow();
    expect(await dropped()).toBe(12n);
  });

  test('stands still for one that cannot be read, and says so', async () => {
    expect([await dropped(), counts.unread]).toEqual([12n, 0]);
    model.filters.set('vmn-a', null);
    expect([await dropped(), counts.unread]).toEqual([12n, 1]);
    model.filters.set('vmn-a', 6);
    expect([await dropped(), counts.unread]).toEqual([13n, 0]);
  });

  test('counts one that is set aside once', async () => {
    expect(await dropped()).toBe(12n);
    watched.setPinsAside('/bpf/vmn-a');
    expect(await dropped(0)).toBe(12n);
    expect(await dropped()).toBe(12n);
  });

  test('does not fall with a restart of the agent, only with one of the machine', async () => {
    watched.removePins('/bpf/vmn-a');
    counts.save();
    begin();
    expect(await dropped()).toBe(12n);
    boot = 'boot-2';
    begin();
    expect(await dropped()).toBe(7n);
  });

  test('is written down when something is gone, and not else', async () => {
    counts.save();
    expect(() => readFileSync(path())).toThrow('ENOENT');
    watched.removePins('/bpf/vmn-a');
    counts.save();
    expect(JSON.parse(readFileSync(path(), 'utf8'))).toEqual({
      bootId: 'boot-1',
      counts: { [SERIES]: '5', [CROSSINGS]: '1' },
    });
    writeFileSync(path(), 'damaged');
    counts.save();
    expect(readFileSync(path(), 'utf8')).toBe('damaged');
    begin();
    expect(await dropped()).toBe(7n);
  });
});
