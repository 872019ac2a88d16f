/**
 * What the API server itself refuses, and how it says so. Each rule stands beside the nearest object that keeps within it,
 * and our own reader has to say the same of both.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { changed, type Changes } from '../support/api-cases/change.ts';
import { crdSchema, KINDS, messagesOf } from '../support/api-cases/crd-schemas.ts';
import { CROSS_FIELD_RULES, TRANSITION_RULES } from '../support/api-cases/cross-field-rules.ts';
import { fieldPairs, type FieldPair } from '../support/api-cases/field-pairs.ts';
import { fullObject, type ApiObject, type Kind } from '../support/api-cases/full-objects.ts';
import { BAD_SPECS, GOOD_SPECS, networkWith } from '../support/api-cases/network-cases.ts';
import { textRulePairs } from '../support/api-cases/text-rules.ts';
import {
  collectionOf,
  createVerdict,
  statusVerdict,
  updateVerdict,
  zodVerdict,
  type Verdict,
} from '../support/api-cases/verdict.ts';
import { anyCluster, needsControlPlane, type Lease } from '../support/control-plane/index.ts';
import { requires } from '../support/skip.ts';

const { describe: describeCluster } = requires(needsControlPlane());

let lease: Lease;
let namespace: string;
/** Everything that the API server said, to find rules that were never broken. */
const said: string[] = [];

type Judge = (object: ApiObject) => Promise<Verdict>;

const create: Judge = (object) => createVerdict(lease.cluster.api, object);
const update: Judge = (object) => updateVerdict(lease.cluster.api, object);
const setStatus: Judge = (object) => statusVerdict(lease.cluster.api, object);

/** Both judges on both of a pair; one line for each thing that is not as it should be. */
async function faultsOf(
  judge: Judge,
  object: ApiObject,
  { title, refused, says, accepted }: FieldPair,
): Promise<string[]> {
  const faults: string[] = [];
  const bad = changed(object, refused);
  const [no, ours] = [await judge(bad), zodVerdict(bad)];
  said.push(...no.causes);
  if (no.accepted) faults.push(`${title}: accepted by the API server`);
  else if (!no.causes.some((cause) => says.test(cause)))
    faults.push(`${title}: says ${no.causes.join('; ')}`);
  if (ours.accepted) faults.push(`${title}: accepted by zod`);

  const good = changed(object, accepted);
  const [yes, our] = [await judge(good), zodVerdict(good)];
  if (!yes.accepted) faults.push(`${title}: the nearest is refused: ${yes.causes.join('; ')}`);
  if (!our.accepted) faults.push(`${title}: the nearest is refused by zod: ${our.causes.join('; ')}`);
  return faults;
}

/** The full object, really there, by a name that no other test has. */
async function stored(kind: Kind): Promise<ApiObject> {
  const { api } = lease.cluster;
  const object = changed(fullObject(kind, namespace), { 'metadata.name': `stored-${namespace}` });
  const collection = collectionOf(kind, namespace);
  await api.call('DELETE', `${collection}/${object.metadata.name}`);
  const { metadata } = await api.must<ApiObject>('POST', collection, object);
  return { ...object, metadata };
}

describeCluster('[K8-2] what the API server refuses', () => {
  beforeAll(async () => {
    lease = await anyCluster();
    await lease.cluster.installCrds();
    namespace = await lease.cluster.inNamespace('validation');
  }, 120_000);
  afterAll(async () => {
    for (const kind of KINDS)
      await lease.cluster.api.call('DELETE', `${collectionOf(kind, namespace)}/stored-${namespace}`);
    await lease.release();
  });

  describe.each(KINDS)('%s', (kind: Kind) => {
    test('the full object is accepted, as it is', async () => {
      const object = fullObject(kind, namespace);
      expect(await create(object)).toMatchObject({ accepted: true, spec: object.spec });
    });

    test('[K8-2] every type, bound, choice and required field of spec', async () => {
      const object = fullObject(kind, namespace);
      const faults: string[] = [];
      for (const pair of fieldPairs(crdSchema(kind, 'spec'), 'spec', object))
        faults.push(...(await faultsOf(create, object, pair)));
      expect(faults).toEqual([]);
    });

    test('[K8-2] every rule about the form of a text says what to do', async () => {
      const object = fullObject(kind, namespace);
      const faults: string[] = [];
      for (const pair of textRulePairs(crdSchema(kind, 'spec'), 'spec'))
        faults.push(...(await faultsOf(create, object, pair)));
      expect(faults).toEqual([]);
    });

    test('every constraint of status, which nobody writes but our own programs', async () => {
      const object = await stored(kind);
      const faults: string[] = [];
      for (const pair of fieldPairs(crdSchema(kind, 'status'), 'status', object))
        faults.push(...(await faultsOf(setStatus, object, pair)));
      expect(faults).toEqual([]);
    });
  });

  test.each(CROSS_FIELD_RULES)('[K8-2] $title', async ({ kind, ...pair }) => {
    expect(await faultsOf(create, fullObject(kind, namespace), pair)).toEqual([]);
  });

  test.each(TRANSITION_RULES)('[K8-2] an attachment changes $title', async ({ refused, says, accepted }) => {
    const object = await stored('VMNetworkAttachment');
    const no = await update(changed(object, refused));
    said.push(...no.causes);
    expect(no).toMatchObject({ accepted: false, causes: [expect.stringMatching(says)] });
    expect(await update(changed(object, accepted))).toMatchObject({ accepted: true });
  });

  test('[K8-2] no rule of a spec is left that was never broken here', () => {
    for (const kind of KINDS) {
      const silent = messagesOf(crdSchema(kind, 'spec')).filter(
        (message) => !said.some((cause) => cause.includes(message)),
      );
      expect({ kind, silent }).toEqual({ kind, silent: [] });
    }
  });

  describe('VMNetworks as people write them', () => {
    const network = (spec: Changes): ApiObject => {
      const object = networkWith(spec) as unknown as ApiObject;
      return { ...object, metadata: { ...object.metadata, namespace } };
    };

    test.each(BAD_SPECS)('[K8-2] $title is refused', async ({ spec }) => {
      expect(await create(network(spec))).toMatchObject({ accepted: false });
    });

    test.each(GOOD_SPECS)('$title is accepted, with the defaults that our reader gives', async ({ spec }) => {
      const object = network(spec);
      expect(await create(object)).toEqual({ ...zodVerdict(object), status: undefined });
    });

    test('[NM-2] null is nothing: an endpoint of null is a missing one, and none makes a mode', async () => {
      const none = await create(network({ consumerEndpoint: null, mode: null }));
      expect(none.causes).toEqual([expect.stringMatching(/^spec\.consumerEndpoint: .*is required in modes/)]);
    });

    test('1,000 names in a selector are refused, 64 are not', async () => {
      const names = (count: number) => Array.from({ length: count }, (_, i) => `vm-${i}`);
      const no = await create(network({ selector: { names: names(1000) } }));
      expect(no.causes).toContainEqual(expect.stringMatching(/Too many: 1000: must have at most 64 items/));
      expect(await create(network({ selector: { names: names(64) } }))).toMatchObject({ accepted: true });
    });
  });

  describe('metadata, which the API server judges by itself', () => {
    test.each<[string, Changes, boolean]>([
      ['a name of 253 characters without a dot', { 'metadata.name': 'a'.repeat(253) }, true],
      ['a name of 254 characters', { 'metadata.name': 'a'.repeat(254) }, false],
      ['a name in upper case', { 'metadata.name': 'Full' }, false],
      ['a name with a Cyrillic letter', { 'metadata.name': 'rentаl' }, false],
      ['a name with a control character', { 'metadata.name': 'a\u0007' }, false],
      ['a name that ends with a dot', { 'metadata.name': 'a.' }, false],
      ['a label', { 'metadata.labels': { 'example.com/team': 'blue' } }, true],
      ['a label key with an empty part', { 'metadata.labels': { 'a..b/c': 'x' } }, false],
      ['a label key with a prefix in upper case', { 'metadata.labels': { 'A.io/c': 'x' } }, false],
      ['a label key with a long prefix', { 'metadata.labels': { [`${'a'.repeat(254)}/c`]: 'x' } }, false],
      ['a label value with an escape', { 'metadata.labels': { a: '\u001b[2J' } }, false],
      ['an annotation key with a prefix in upper case', { 'metadata.annotations': { 'A.io/c': 'x' } }, true],
      ['an annotation of any text', { 'metadata.annotations': { a: '\u202eü\n💥' } }, true],
      ['an annotation key with a space', { 'metadata.annotations': { 'a b': 'x' } }, false],
    ])('%s: the same answer from both', async (_, changes, accepted) => {
      const object = changed(fullObject('VMNetwork', namespace), changes);
      expect((await create(object)).accepted).toBe(accepted);
      expect(zodVerdict(object).accepted).toBe(accepted);
    });
  });
});
