import { describe, expect, test } from '@jest/globals';
import { bytesIn, cpuSecondsIn, cpuSecondsOf, memoryOf } from '../../../../bench/fleet/process-cost.ts';
import { file } from '../../../support/requirement.ts';
import { requires } from '../../../support/skip.ts';

describe('what a process costs', () => {
  test('is utime and stime, whatever its name', () => {
    const rest = 'S 1 2 3 4 -1 4194560 90 0 0 0 150 75 9000 9000 20 0 11';
    expect(cpuSecondsIn(`42 (node) ${rest}`)).toBe(2.25);
    expect(cpuSecondsIn(`42 (a) b (c d) ${rest}`)).toBe(2.25);
  });

  test('in memory is read from its line', () => {
    expect(bytesIn('VmPeak:\t  9 kB\nVmHWM:\t   2048 kB\nVmRSS:\t 1 kB\n', 'VmHWM')).toBe(2048 * 1024);
    expect(() => bytesIn('VmPeak: 9 kB\n', 'VmHWM')).toThrow('no VmHWM');
  });

  const { test: testOnLinux } = requires(file('/proc/self/stat', 'run it on Linux'));
  testOnLinux('can be told of this process', () => {
    expect(cpuSecondsOf(process.pid)).toBeGreaterThan(0);
    const { peak, resident, proportional } = memoryOf(process.pid);
    expect(peak).toBeGreaterThanOrEqual(resident);
    expect(resident).toBeGreaterThan(1e7);
    expect(proportional).toBeGreaterThan(1e6);
  });
});
