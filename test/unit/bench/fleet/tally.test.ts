import { describe, expect, test } from '@jest/globals';
import { Tally } from '../../../../bench/fleet/tally.ts';
import type { Attachment, Network } from '../../../../test/support/scripted-agent/objects.ts';

const condition = (type: string, status: 'True' | 'False', observedGeneration = 1) => ({
  ...{ type, status, reason: 'R', message: 'm', observedGeneration },
  lastTransitionTime: '2026-01-31T12:00:00Z',
});
const network = (conditions: ReturnType<typeof condition>[], desired = 1): Network => ({
  metadata: { name: 'a', namespace: 'n', generation: 1 },
  spec: {},
  status: { conditions, attachments: { desired } },
});
const attachment = {
  metadata: { name: 'a-1', namespace: 'n' },
  spec: { policy: { network: 'a' } },
} as Attachment;

describe('a tally', () => {
  const says = network([condition('Bound', 'True')]);

  test.each([
    [['network', 'attachment']],
    [['attachment', 'network']],
    [['attachment', 'attachment', 'network', 'network']],
  ])('counts a network once it has an attachment and says so: %j', (order) => {
    const tally = new Tally();
    const noted = new Set<string>();
    for (const what of order) {
      if (what === 'network') tally.noteNetwork(says);
      else tally.noteAttachment('ADDED', attachment);
      noted.add(what);
      expect(tally.bound).toBe(noted.size === 2 ? 1 : 0);
    }
    expect(tally.isBound('n/a')).toBe(true);
  });

  test.each([
    ['a status of another generation', network([condition('Bound', 'True', 2)])],
    ['a status that denies it', network([condition('Bound', 'False')])],
    ['one that wants no card', network([condition('Bound', 'True')], 0)],
    ['one that has said nothing', { metadata: says.metadata, spec: {} }],
  ])('does not count %s', (_what, silent) => {
    const tally = new Tally();
    tally.noteAttachment('ADDED', attachment);
    tally.noteNetwork(silent);
    expect(tally.bound).toBe(0);
  });

  test('forgets what is no longer so', () => {
    const tally = new Tally();
    tally.noteNetwork(network([condition('Bound', 'True'), condition('Ready', 'True')]));
    tally.noteAttachment('ADDED', attachment);
    expect([tally.bound, tally.ready, tally.attachments.length]).toEqual([1, 1, 1]);
    tally.noteAttachment('DELETED', attachment);
    tally.noteNetwork(network([condition('Ready', 'False')]));
    expect([tally.bound, tally.ready, tally.attachments.length]).toEqual([0, 0, 0]);
  });
});
