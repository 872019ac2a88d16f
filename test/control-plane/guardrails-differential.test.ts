/**
 * The policy `vmnetwork-class-limits` and classObjections() say the same, word for word, on generated classes and networks.
 * Each class is stored, each network asked for in a dry run. A class that the API server has not taken up yet would be
 * judged by its last version, so its last change denies one port that no network uses: when that is refused, it is known.
 */
import { afterAll, beforeAll, expect } from '@jest/globals';
import fc from 'fast-check';
import {
  classObjections,
  vmNetworkClassSchema,
  vmNetworkSchema,
  type Objection,
} from '../../src/api/v1alpha1/index.ts';
import { needsControlPlane } from '../support/control-plane/index.ts';
import { poll } from '../support/lab/index.ts';
import { requires } from '../support/skip.ts';
import { startGuardedCluster, type GuardedCluster } from '../support/chart/guarded-cluster.ts';
import { API, create, dry, send, verdictOf } from '../support/chart/requests.ts';
import { network, networkClass } from '../support/chart/specimens.ts';

const CLASSES = 25;
const NETWORKS_PER_CLASS = 12;
const PROBE_PORT = 7;
const CLASS_PATH = `${API}/vmnetworkclasses`;
const PATH = `${API}/namespaces/default/vmnetworks`;

const needs = needsControlPlane('helm');
const { test } = requires(needs);

let guarded: GuardedCluster;

beforeAll(async () => {
  if (needs.met) guarded = await startGuardedCluster();
});

afterAll(() => guarded?.stop());

/** Few networks and the addresses at their edges, so that both sides of each edge come up often. */
const NETWORKS = [
  '203.0.113.0/24',
  '203.0.113.128/25',
  '10.1.0.0/16',
  '192.0.2.1/32',
  '0.0.0.0/1',
  '100.64.0.0/11',
  '198.18.0.0/15',
];
const ADDRESSES = [
  ...['203.0.112.255', '203.0.113.0', '203.0.113.127', '203.0.113.128', '203.0.113.255', '203.0.114.0'],
  ...['9.255.255.255', '10.0.255.255', '10.1.0.0', '10.1.255.255', '10.2.0.0', '11.0.0.0'],
  ...['100.63.255.255', '100.64.0.0', '100.95.255.255', '100.96.0.0', '100.127.255.255', '100.128.0.0'],
  ...['172.15.255.255', '172.16.0.0', '172.31.255.255', '172.32.0.0', '192.167.255.255', '192.168.0.0'],
  ...[
    '192.168.255.255',
    '192.169.0.0',
    '192.0.2.0',
    '192.0.2.1',
    '192.0.2.2',
    '198.19.255.255',
    '223.255.255.255',
  ],
];
const PORTS = [53, 54, 51900, 1, 65535, 1024, 500, 4500];
const LIMITS = [0, 0, 0, 0, 1, 100, 101, Number.MAX_SAFE_INTEGER];
const ACTIONS = ['Drop', 'Quarantine', 'Terminate'];

const someOf = <T>(values: readonly T[], minLength = 0): fc.Arbitrary<T[]> =>
  fc.shuffledSubarray([...values], { minLength });
const oneOf = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const limits = fc.record(
  { egressBitsPerSecond: oneOf(LIMITS), packetsPerSecond: oneOf(LIMITS) },
  { requiredKeys: [] },
);

const classes = fc.record({
  spec: fc.record(
    {
      allowedModes: someOf(['Direct', 'Sampled', 'Conntrack', 'Filtered'], 2),
      deniedDestinations: fc.record(
        {
          networks: fc.subarray(NETWORKS, { maxLength: 3 }),
          clusterRanges: fc.boolean(),
          privateRanges: fc.boolean(),
          sharedRange: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
      limits: fc.record({ maximum: limits }, { requiredKeys: [] }),
      allowAudit: fc.boolean(),
      allowNonStrict: fc.boolean(),
      maximumViolationAction: oneOf(ACTIONS),
    },
    { requiredKeys: [] },
  ),
  deniedPorts: fc.subarray(PORTS, { maxLength: 4 }),
  /** Undefined: the controller has written none yet. */
  clusterRanges: fc.option(fc.subarray(NETWORKS, { maxLength: 3 }), { nil: undefined }),
});

const mostly = [undefined, undefined, undefined];

const networks = fc
  .record({
    mode: oneOf(['Direct', 'Sampled', 'Conntrack', 'Filtered', undefined]),
    consumerEndpoint: fc.record({ address: oneOf(ADDRESSES), port: oneOf(PORTS) }),
    // Mostly what no class minds: what several rules forbid at once says little about each.
    enforcement: oneOf(['Audit', ...mostly]),
    desiredState: oneOf(['Active', 'Quarantined', undefined]),
    strict: oneOf([false, true, ...mostly]),
    action: oneOf([...ACTIONS, ...mostly]),
    limits,
  })
  .map(({ strict, action, ...rest }) => {
    const isDirect = rest.mode === 'Direct';
    return {
      ...rest,
      wireGuard: { strict },
      // What the schema refuses never gets as far as the policy.
      violation: { action: isDirect ? undefined : action },
      enforcement: isDirect ? undefined : rest.enforcement,
    };
  });

const sentence = ({ field, value, message, remedy }: Objection): string =>
  `${field}: ${value} ${message}. ${remedy}`;

test('[K8-2] admission and the agents judge alike', async () => {
  const seed = Number(process.env['VMN_SEED'] ?? Date.now() % 2 ** 31);
  const counts = { accepted: 0, refused: 0 };
  const pairs = fc.sample(
    fc.tuple(classes, fc.array(networks, { minLength: NETWORKS_PER_CLASS, maxLength: NETWORKS_PER_CLASS })),
    {
      seed,
      numRuns: CLASSES,
    },
  );
  for (const [index, [drawn, specs]] of pairs.entries()) {
    const name = `drawn-${String(index)}`;
    const stored = await storeClass(name, drawn);
    const { spec: classSpec, status } = vmNetworkClassSchema.parse(stored);
    for (const spec of specs) {
      const object = network('rental', { className: name, ...withoutUndefined(spec) });
      const expected = classObjections(
        vmNetworkSchema.parse(object).spec,
        classSpec,
        status?.clusterRanges ?? [],
      );
      const said = verdictOf(await send(guarded.cluster.api, dry(create(PATH, object))));
      const words =
        expected.length === 0
          ? 'accepted'
          : `refused by vmnetwork-class-limits: ${expected.map(sentence).join(' ')}`;
      expect({ seed, class: stored, object, said }).toEqual({ seed, class: stored, object, said: words });
      counts[expected.length === 0 ? 'accepted' : 'refused'] += 1;
    }
  }
  // A generator that only ever draws one of the two compares nothing.
  expect(Math.min(counts.accepted, counts.refused)).toBeGreaterThan(CLASSES / 2);
}, 120_000);

interface DrawnClass {
  spec: object;
  deniedPorts: readonly number[];
  clusterRanges: readonly string[] | undefined;
}

/** Returns the class as schemas here read it. */
async function storeClass(name: string, { spec, deniedPorts, clusterRanges }: DrawnClass): Promise<object> {
  const { api } = guarded.cluster;
  const merge = { contentType: 'application/merge-patch+json' };
  await api.must('POST', CLASS_PATH, networkClass(name, { ...spec }));
  if (clusterRanges !== undefined) {
    await api.must('PATCH', `${CLASS_PATH}/${name}/status`, { status: { clusterRanges } }, merge);
  }
  const last = { spec: { deniedPorts: [...deniedPorts, PROBE_PORT] } };
  await api.must('PATCH', `${CLASS_PATH}/${name}`, last, merge);
  const probe = network('rental', {
    className: name,
    consumerEndpoint: { address: '223.0.0.1', port: PROBE_PORT },
  });
  await poll('the class to be known', async () =>
    verdictOf(await send(api, dry(create(PATH, probe)))).includes('7 is a denied port'),
  );
  return {
    ...networkClass(name, { ...spec, deniedPorts: [...deniedPorts, PROBE_PORT] }),
    ...(clusterRanges === undefined ? {} : { status: { clusterRanges } }),
  };
}

/** As YAML has it: what is not said is not there. */
const withoutUndefined = (spec: object): Record<string, unknown> =>
  JSON.parse(JSON.stringify(spec)) as Record<string, unknown>;
