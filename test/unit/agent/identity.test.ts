import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GATEWAY_MAC, identityOf, isTapName, ownerOfAlias } from '../../../src/agent/wiring/identity.ts';

const vmName = fc.stringMatching(/^[A-Za-z0-9]([-A-Za-z0-9_.:+@]{0,251}[A-Za-z0-9])?$/);

describe('what follows from the name of a VM', () => {
  test('never changes: it is on the disks and in the guests of those who upgrade', () => {
    expect(identityOf('rental-7f3a')).toEqual({
      vm: 'rental-7f3a',
      key: expect.stringMatching(/^[0-9a-f]{64}$/),
      tap: 'vmn-795595d51f',
      guestMac: '02:76:a4:54:85:08',
      alias: 'vmnetwork:rental-7f3a',
    });
  });

  test('any VM name gives a valid interface name, a local unicast MAC, and an alias that fits and finds back', () => {
    fc.assert(
      fc.property(vmName, (vm) => {
        const { tap, guestMac, alias } = identityOf(vm);
        expect(isTapName(tap) && tap.length <= 15).toBe(true);
        expect(guestMac).toMatch(/^02:76(:[0-9a-f]{2}){4}$/);
        expect(guestMac).not.toBe(GATEWAY_MAC);
        expect(alias.length).toBeLessThanOrEqual(255);
        expect(ownerOfAlias(alias, tap)).toEqual({ vm: alias.includes('#') ? null : vm });
      }),
    );
  });

  test('the longest names are represented by their key', () => {
    const { alias, tap } = identityOf('v'.repeat(253));
    expect(alias).toMatch(/^vmnetwork:#[0-9a-f]{64}$/);
    expect(ownerOfAlias(alias, tap)).toEqual({ vm: null });
    expect(ownerOfAlias(alias, 'vmn-0000000000')).toBeNull();
  });

  test.each(['', 'vmnetwork:', 'somebody else', 'vmnetwork:another', 'vmnetwork:#', 'VMNETWORK:rental-7f3a'])(
    'the alias "%s" does not make this tap ours',
    (alias) => {
      expect(ownerOfAlias(alias, identityOf('rental-7f3a').tap)).toBeNull();
    },
  );

  test.each(['vmn-', 'vmn-foreign', 'vmn-0123456789a', 'vmn-012345678G', 'eth0'])(
    '%s is no tap name of ours',
    (name) => {
      expect(isTapName(name)).toBe(false);
    },
  );
});
