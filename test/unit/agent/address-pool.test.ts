import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  allocateAddress,
  cidrRange,
  contains,
  overlaps,
  poolRange,
} from '../../../src/agent/wiring/address-pool.ts';

describe('guest addresses', () => {
  test('a VM gets the same address each time, as long as nobody has it', () => {
    const address = allocateAddress('vm-a', '100.64.0.0/16', new Set());
    expect(allocateAddress('vm-a', '100.64.0.0/16', new Set(['100.64.0.1']))).toBe(address);
    expect(allocateAddress('vm-a', '100.64.0.0/16', new Set([address]))).not.toBe(address);
  });

  test('any number of VMs get different addresses of the pool, until there is none', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 14, maxLength: 14 }), (vms) => {
        const pool = '100.64.3.16/28';
        const taken = new Set<string>();
        for (const vm of vms) {
          const address = allocateAddress(vm, pool, taken);
          expect(contains(poolRange(pool), address)).toBe(true);
          expect(taken.has(address)).toBe(false);
          taken.add(address);
        }
        expect([taken.has('100.64.3.16'), taken.has('100.64.3.31')]).toEqual([false, false]);
        expect(() => allocateAddress('one more', pool, taken)).toThrow(
          expect.objectContaining({ code: 'VMN_POOL_EXHAUSTED' }),
        );
      }),
    );
  });

  test.each([
    ['10.0.0.0/30', 2],
    ['10.0.0.0/31', 2],
    ['10.0.0.7/32', 1],
    ['255.255.255.0/24', 254],
  ])('%s has %i addresses for guests', (pool, size) => {
    const { first, last } = poolRange(pool);
    expect(last - first + 1).toBe(size);
  });

  test('ranges overlap when they share an address', () => {
    expect(overlaps(cidrRange('100.64.0.0/16'), cidrRange('100.64.255.0/24'))).toBe(true);
    expect(overlaps(cidrRange('100.64.0.0/16'), cidrRange('100.0.0.0/8'))).toBe(true);
    expect(overlaps(cidrRange('100.64.0.0/16'), cidrRange('100.65.0.0/16'))).toBe(false);
    expect(contains(cidrRange('203.0.113.10/24'), '203.0.113.255')).toBe(true);
  });
});
