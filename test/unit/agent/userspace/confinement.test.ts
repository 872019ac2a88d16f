import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { confinementFault } from '../../../../src/agent/userspace/confinement.ts';

const UID = 1979711488;
const NONE = '0000000000000000';
const SOUND: Readonly<Record<string, string>> = {
  Name: 'vmn-nat',
  Uid: `${UID}\t${UID}\t${UID}\t${UID}`,
  Gid: `${UID}\t${UID}\t${UID}\t${UID}`,
  Groups: ' ',
  CapInh: NONE,
  CapPrm: NONE,
  CapEff: NONE,
  CapBnd: '000001ffffffffff',
  CapAmb: NONE,
  NoNewPrivs: '1',
  Seccomp: '2',
};
const text = (changed: Readonly<Record<string, string>> = {}): string =>
  Object.entries({ ...SOUND, ...changed })
    .map(([name, value]) => `${name}:\t${value}\n`)
    .join('');

test('a process without rights that can get none is as it must be', () => {
  expect(confinementFault(text(), UID)).toBeNull();
});

test.each([
  ['Uid', `${UID}\t0\t${UID}\t${UID}`],
  ['Gid', '0\t0\t0\t0'],
  ['Groups', '0 '],
  ['CapInh', '0000000000000400'],
  ['CapPrm', '0000000000001000'],
  ['CapEff', '0000000000002000'],
  ['CapAmb', '0000000000000001'],
  ['NoNewPrivs', '0'],
  ['Seccomp', '1'],
  ['Seccomp', '0'],
])('%s %j is not', (name, value) => {
  expect(confinementFault(text({ [name]: value }), UID)).toContain(name);
});

test('what the kernel does not tell is not as it must be, and neither is this process', () => {
  expect(confinementFault('', UID)).toContain('not told');
  expect(confinementFault(readFileSync('/proc/self/status', 'utf8'), UID)).not.toBeNull();
});
