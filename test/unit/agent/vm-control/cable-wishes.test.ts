import { expect, test } from '@jest/globals';
import { attachmentStatus, nothingTold } from '../../../../src/agent/status/attachment-status.ts';
import { cableWishes, withCables } from '../../../../src/agent/vm-control/cable-wishes.ts';
import { identityOf } from '../../../../src/agent/wiring/identity.ts';
import { manifests, ModelHost, resultOf, type SpecInput, violate } from '../support/model-host.ts';

const { tap, guestMac } = identityOf('vm-a');

test('[FS-4] whose cable is to be out: of a VM from its violations on, until that is over', async () => {
  const host = new ModelHost();
  const wanted = async (spec: SpecInput = {}) => {
    const { attachments } = await host.pass(
      manifests({ 'vm-a': { violation: { action: 'Quarantine' }, ...spec }, 'vm-b': {} }),
    );
    return cableWishes(attachments, () => []).map(({ key, mac, want }) => [key, mac, want]);
  };
  const [out, stay] = ['out', 'stay'].map((want) => [tap, guestMac, want]);
  await wanted();
  const link = host.kernel.byName(tap);
  if (link !== undefined) link.heldByQemu = true;
  expect(await wanted()).toEqual([]);
  // A kill switch alone pulls no cable.
  expect(await wanted({ desiredState: 'Quarantined' })).toEqual([stay]);
  expect(await wanted()).toEqual([]);
  violate(host, 'vm-a');
  expect(await wanted()).toEqual([out]);
  expect(await wanted({ mode: 'Conntrack' })).toEqual([out]);
  expect(await wanted({ desiredState: 'Quarantined' })).toEqual([stay]);
  expect(await wanted()).toEqual([]);
  // Who is about to be ended has a use for its monitor.
  host.kernel.holders.set(tap, [{ pid: 77, startTicks: '1' }]);
  host.endings.slow = true;
  await wanted({ violation: { action: 'Terminate' } });
  violate(host, 'vm-a');
  expect(await wanted({ violation: { action: 'Terminate' } })).toEqual([stay]);
  // And when it does not run there is no cable.
  if (link !== undefined) link.heldByQemu = false;
  host.endings.finish();
  expect(await wanted()).toEqual([]);
});

test('who holds the tap is asked where it is: another namespace may have one of its name', async () => {
  const host = new ModelHost();
  await host.pass(manifests({ 'vm-a': { violation: { action: 'Quarantine' } } }));
  const link = host.kernel.byName(tap);
  if (link !== undefined) link.heldByQemu = true;
  violate(host, 'vm-a');
  const { attachments } = await host.pass(manifests({ 'vm-a': { violation: { action: 'Quarantine' } } }));
  const found = { site: 'net:[7]', card: null, inForceFor: null, exposureMs: null };
  const asked: unknown[] = [];
  const wishes = cableWishes(
    [...attachments, ...attachments.map((one) => ({ ...one, found }))],
    (...where) => {
      asked.push(where);
      return [];
    },
  );
  for (const { holders } of wishes) holders();
  expect(asked).toEqual([
    [tap, null],
    [tap, 'net:[7]'],
  ]);
});

test('what is told of a cable stands in the status of the VM', async () => {
  const host = new ModelHost();
  await host.pass(manifests({ 'vm-a': { violation: { action: 'Quarantine' } } }));
  violate(host, 'vm-a');
  const { attachments, ...result } = await host.pass(
    manifests({ 'vm-a': { violation: { action: 'Quarantine' } } }),
  );
  const told = withCables(attachments, { stateOf: (key) => (key === tap ? 'its cable is pulled' : null) });
  const one = resultOf({ ...result, attachments: told }, 'vm-a');
  expect(attachmentStatus(one, new Set(), '', nothingTold()).message).toMatch(
    /^quarantined since .* for its violations: nothing passes; its cable is pulled$/,
  );
});
