/** Generated objects before both judges: the API server and our own reader accept the same, and fill in the same defaults. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { crdSchema } from '../support/api-cases/crd-schemas.ts';
import { fullObject, type Kind } from '../support/api-cases/full-objects.ts';
import { bentSpec, withoutNulls } from '../support/api-cases/generated-specs.ts';
import { createVerdict, zodVerdict } from '../support/api-cases/verdict.ts';
import { anyCluster, needsControlPlane, type Lease } from '../support/control-plane/index.ts';
import { requires } from '../support/skip.ts';

const { describe: describeCluster } = requires(needsControlPlane());

let lease: Lease;
let namespace: string;

describeCluster('generated objects', () => {
  beforeAll(async () => {
    lease = await anyCluster();
    await lease.cluster.installCrds();
    namespace = await lease.cluster.inNamespace('generated');
  }, 120_000);
  afterAll(() => lease.release());

  test.each<[Kind, number]>([
    ['VMNetwork', 400],
    ['VMNetworkClass', 150],
    ['VMNetworkAttachment', 250],
  ])(
    '[K8-2] %s: API server and reader agree on %i specs, and on their defaults',
    async (kind, numRuns) => {
      const schema = crdSchema(kind, 'spec');
      const seen = { accepted: 0, refused: 0 };
      await fc.assert(
        fc.asyncProperty(bentSpec(schema), async (generated) => {
          const object = { ...fullObject(kind, namespace), spec: generated as Record<string, unknown> };
          const server = await createVerdict(lease.cluster.api, object);
          const spec = withoutNulls(object.spec, schema) as Record<string, unknown>;
          const ours = zodVerdict({ ...object, spec });
          seen[server.accepted ? 'accepted' : 'refused'] += 1;
          expect({ accepted: ours.accepted, spec: ours.spec, why: ours.causes }).toEqual({
            accepted: server.accepted,
            spec: server.spec,
            why: server.accepted ? [] : expect.anything(),
          });
        }),
        { numRuns },
      );
      // Both sides of the line were tried.
      expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(numRuns / 20);
    },
    120_000,
  );
});
