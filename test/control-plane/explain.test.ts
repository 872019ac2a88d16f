/** `kubectl explain` is the manual that is always at hand: what it says is read here once, and kept. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { expectGolden } from '../support/api-cases/golden.ts';
import { anyCluster, needsControlPlane, type Lease } from '../support/control-plane/index.ts';
import { poll } from '../support/lab/index.ts';
import { requires } from '../support/skip.ts';

const { describe: describeCluster } = requires(needsControlPlane('kubectl'));

let lease: Lease;

describeCluster('[K8-6] kubectl explain', () => {
  beforeAll(async () => {
    lease = await anyCluster();
    await lease.cluster.installCrds(join(import.meta.dirname, '../../crds'));
    // The schemas are published a moment after the kinds are served.
    await poll('the schemas to be published', async () => {
      const { code } = await lease.cluster.kubectl(['explain', 'vmnetworknode.status.virtualMachines']);
      return code === 0;
    });
  }, 120_000);
  afterAll(() => lease.release());

  test.each([
    'vmnetwork',
    'vmnetwork.spec',
    'vmnetwork.spec.consumerEndpoint',
    'vmnetwork.spec.selector',
    'vmnetwork.spec.violation',
    'vmnetwork.spec.wireGuard',
    'vmnetwork.status',
    'vmnetworkclass.spec',
    'vmnetworkattachment.spec',
    'vmnetworkattachment.spec.policy',
    'vmnetworkattachment.status',
    'vmnetworknode.status',
    'vmnetworknode.status.virtualMachines',
  ])('[K8-6] %s', async (path) => {
    const text = await lease.cluster.mustKubectl(['explain', path]);
    expect(text).not.toContain('<no description>');
    expectGolden(`explain-${path.replaceAll('.', '-')}`, text.replaceAll(/[ \t]+$/gm, ''));
  });
});
