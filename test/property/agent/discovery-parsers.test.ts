import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { virtualMachineSchema } from '../../../src/api/v1alpha1/virtual-machine.ts';
import { readCommandLine } from '../../../src/agent/discovery/argv/command-line.ts';
import { cardsOf } from '../../../src/agent/discovery/cards.ts';
import type { VmFacts } from '../../../src/agent/discovery/facts.ts';
import { identityOf } from '../../../src/agent/discovery/identity.ts';
import { readDomainStatus } from '../../../src/agent/discovery/libvirt/domain-status.ts';
import { askVm } from '../../../src/agent/discovery/qmp/ask.ts';
import { QmpError } from '../../../src/agent/discovery/qmp/client.ts';
import { readNetworkText } from '../../../src/agent/discovery/qmp/network-text.ts';
import { reportOf } from '../../../src/agent/discovery/report.ts';
import { recorded, recordedWords } from '../../support/discovery/recorded.ts';

/*
 * Whatever a command line, a status file or a monitor says, reading it does not fail, and what is reported of it is what the
 * API takes, in ASCII, and opens nothing: here no process holds a tap.
 */

const words = fc.array(
  fc.oneof(
    fc.constantFrom(
      '-name',
      '-uuid',
      '-netdev',
      '-device',
      '-nic',
      '-net',
      '-qmp',
      '-mon',
      '-chardev',
      '-machine',
      '--',
      '-',
    ),
    fc.constantFrom(...recordedWords('libvirt-command-line.txt')),
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc
      .array(
        fc.constantFrom(
          'tap',
          ',',
          '=',
          'id',
          'mac',
          'netdev',
          'fds',
          ':',
          '{',
          '"',
          '}',
          '[',
          'user',
          'é',
          '\n',
          '0',
        ),
      )
      .map((parts) => parts.join('')),
    fc.json().map((text) => `{"type":${text}}`),
  ),
);

/** A text with some pieces cut out, put elsewhere, or replaced. */
function harmed(text: string): fc.Arbitrary<string> {
  const cut = fc.record({
    at: fc.nat({ max: text.length }),
    length: fc.nat({ max: 40 }),
    put: fc.oneof(
      fc.constant(''),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('<', '>', '/', "'", '&', '\n'),
    ),
  });
  return fc
    .array(cut, { minLength: 1, maxLength: 8 })
    .map((cuts) =>
      cuts.reduce((now, { at, length, put }) => now.slice(0, at) + put + now.slice(at + length), text),
    );
}

/** Everything that is done with facts, up to what is published. */
function publish(facts: VmFacts, current: boolean): void {
  const process = { pid: 7, startTicks: '70' };
  for (const inPod of [false, true]) {
    const identity = identityOf({ name: facts.name, uuid: facts.uuid, inPod }, process);
    const { cards } = cardsOf({ process, facts, current, taps: [], illegible: null, known: new Map() });
    const vms = reportOf([{ process, identity, incoming: false, cards }]);
    expect(vms).toHaveLength(1);
    for (const { reported, cards } of vms) {
      expect(virtualMachineSchema.parse(reported)).toEqual(reported);
      expect(JSON.stringify(reported)).toMatch(/^[ -~]+$/);
      for (const { unsupported } of cards) expect(unsupported).toMatch(/^[ -~]{1,256}$/);
    }
  }
}

test('any command line', () => {
  fc.assert(
    fc.property(words, (given) => {
      const { facts, qmpSockets } = readCommandLine(['qemu', ...given]);
      publish(facts, false);
      publish(facts, true);
      expect(qmpSockets.every((path) => typeof path === 'string')).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test("any status file, and libvirt's own when it is harmed", () => {
  const status = recorded('libvirt-status.xml');
  fc.assert(
    fc.property(fc.oneof(harmed(status), fc.string({ unit: 'binary', maxLength: 500 })), (text) => {
      const read = readDomainStatus(text);
      if (read !== null) publish(read.facts, true);
    }),
    { numRuns: 1000 },
  );
});

test('any answers of a monitor', async () => {
  const network = recorded('info-network.txt');
  const value = fc.oneof(
    fc.jsonValue(),
    harmed(network),
    fc.record({ name: fc.string({ unit: 'binary' }), UUID: fc.string() }),
    fc.array(fc.record({ name: fc.string(), type: fc.constantFrom('child<e1000>', 'child<', 'link<x>') })),
    fc.constantFrom('net0', '#net067', 'hub0port0', '52:54:00:aa:00:01', 'ff:ff:ff:ff:ff:ff', ''),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(value, { minLength: 1, maxLength: 20 }),
      fc.nat({ max: 50 }),
      async (values, failAt) => {
        let asked = 0;
        const execute = (): Promise<unknown> => {
          asked += 1;
          if (asked === failAt) return Promise.reject(new QmpError('refused', true));
          return Promise.resolve(values[asked % values.length]);
        };
        publish(await askVm({ execute }), true);
        expect(asked).toBeLessThan(10_000);
      },
    ),
    { numRuns: 500 },
  );
});

test('texts that are long and of the worst kind are read in one go', () => {
  const many = 100_000;
  for (const text of [
    ','.repeat(many),
    'a,'.repeat(many),
    'a=,,'.repeat(many),
    `{${'"a":['.repeat(many)}`,
    '['.repeat(many),
    'x'.repeat(10 * many),
  ]) {
    publish(
      readCommandLine(['qemu', '-name', text, '-netdev', text, '-device', `${text},netdev=x`, '-uuid', text])
        .facts,
      true,
    );
  }
  for (const text of ['<a>', '<', '<a b="', "<a b='c' ", '&amp;', '</a>', '<!--', 'a="b" ']) {
    expect(readDomainStatus(`<domstatus pid='1'>${text.repeat(many)}`)).toBeNull();
  }
  for (const text of [' \\ ', 'hub 0\n', 'a: index=0,type=tap,', '\n', ' \\ hub0port0: ']) {
    expect(readNetworkText(text.repeat(many)).backends.length).toBeLessThan(1000);
  }
}, 60_000);
