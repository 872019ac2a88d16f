/** The consumer moves: the new endpoint is in force at once, the old one for its grace and not a moment longer. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane } from '../support/control-plane/index.ts';
import {
  ATTACHMENTS,
  CLASSES,
  oneHost,
  Stage,
  type Attachment,
  type ControllerProcess,
  type Endpoint,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

const FIRST: Endpoint = { address: '203.0.113.10', port: 51900 };
const SECOND: Endpoint = { address: '198.51.100.7', port: 51820 };
const THIRD: Endpoint = { address: '192.0.2.33', port: 443 };
/** Far less than the minute after which the controller looks again by itself, and much for a machine that has other things to do. */
const IN_TIME_MS = 30_000;

type Owned = Attachment & { metadata: { managedFields: { manager: string; subresource?: string }[] } };

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

let stage: Stage;
let controller: ControllerProcess;

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
  controller = await stage.controller();
});

afterAll(async () => {
  await stage?.strike();
});

afterEach(async () => {
  await stage.closeAgents();
  expect(stage.complaints).toEqual([]);
});

async function readyNetwork(graceSeconds: number, more: Record<string, unknown> = {}) {
  const host = await oneHost(stage, {
    ...{ consumerEndpoint: FIRST, endpointGraceSeconds: graceSeconds },
    ...more,
  });
  const until = (what: string, wanted: (spec: Attachment['spec']) => boolean) =>
    stage
      .untilAttachments(host.namespace, 'net', what, ([one]) => one !== undefined && wanted(one.spec))
      .then(([one]) => one!.spec);
  return { ...host, until };
}

const is = (endpoint: Endpoint | undefined, wanted: Endpoint): boolean =>
  endpoint?.address === wanted.address && endpoint.port === wanted.port;

describe('an endpoint that changes', () => {
  test('without grace is replaced in one write, and Ready only when the host has read the new one back', async () => {
    const { namespace, agent, attachment, until } = await readyNetwork(0);
    agent.behave({ answers: false });
    await stage.edit(namespace, 'net', { consumerEndpoint: SECOND });
    const moved = await until('the new endpoint', ({ policy }) => is(policy.consumerEndpoint, SECOND));
    expect(moved.policy.previousEndpoint).toBeUndefined();
    expect(moved.policyGeneration).toBe(attachment.spec.policyGeneration + 1);
    expect(moved.hash).not.toBe(attachment.spec.hash);
    await stage.untilCondition(namespace, 'net', 'Ready', 'False');

    agent.behave({ answers: true });
    const ready = await stage.untilReady(namespace, 'net');
    expect(ready.status?.endpoint).toBe('198.51.100.7:51820');
    expect(ready.status?.observedGeneration).toBe(2);
    const lines = stage.witness.seen.filter((line) => line.includes(attachment.metadata.name));
    expect(lines.filter((line) => line.startsWith('DELETED'))).toEqual([]);

    // The controller keeps no `managedFields`, and its PUT takes nobody's away.
    const place = { namespace, name: attachment.metadata.name };
    const { metadata } = await stage.admin.get<Owned>(ATTACHMENTS, place);
    const written = metadata.managedFields.map(({ manager, subresource = 'spec' }) => [subresource, manager]);
    expect(Object.fromEntries(written)).toEqual({
      spec: 'vmnetwork-controller',
      status: expect.not.stringContaining('vmnetwork-controller'),
    });
  });

  test('with grace keeps the old one beside it for so long, then drops it by a second write', async () => {
    const { namespace, attachment, until } = await readyNetwork(3);
    const before = Date.now();
    await stage.edit(namespace, 'net', { consumerEndpoint: SECOND });
    const both = await until('the new endpoint', ({ policy }) => is(policy.consumerEndpoint, SECOND));
    const after = Date.now();
    expect(both.policyGeneration).toBe(attachment.spec.policyGeneration + 1);
    expect(both.policy.previousEndpoint).toMatchObject(FIRST);
    const untilMs = Date.parse(both.policy.previousEndpoint!.until);
    expect(untilMs).toBeGreaterThanOrEqual(before + 3000);
    expect(untilMs).toBeLessThanOrEqual(after + 3000);

    const one = await until('the old one dropped', ({ policy }) => policy.previousEndpoint === undefined);
    expect(Date.now()).toBeGreaterThanOrEqual(untilMs);
    expect(Date.now()).toBeLessThanOrEqual(untilMs + IN_TIME_MS);
    expect(is(one.policy.consumerEndpoint, SECOND)).toBe(true);
    expect(one.policyGeneration).toBe(both.policyGeneration + 1);
    await stage.untilReady(namespace, 'net');
  });

  test('twice within the grace leaves one previous endpoint, the last; and back again needs none', async () => {
    const { namespace, until } = await readyNetwork(60);
    await stage.edit(namespace, 'net', { consumerEndpoint: SECOND });
    await until('the second', ({ policy }) => is(policy.consumerEndpoint, SECOND));
    await stage.edit(namespace, 'net', { consumerEndpoint: THIRD });
    const third = await until('the third', ({ policy }) => is(policy.consumerEndpoint, THIRD));
    expect(third.policy.previousEndpoint).toMatchObject(SECOND);
    await stage.edit(namespace, 'net', { consumerEndpoint: SECOND });
    const back = await until('the second again', ({ policy }) => is(policy.consumerEndpoint, SECOND));
    expect(back.policy.previousEndpoint).toMatchObject(THIRD);

    // Taking the grace away takes it away from the one that has it.
    await stage.edit(namespace, 'net', { endpointGraceSeconds: 0 });
    await until('no previous one', ({ policy }) => policy.previousEndpoint === undefined);
  });

  test('does not move `until` with other edits', async () => {
    const { namespace, until } = await readyNetwork(60);
    await stage.edit(namespace, 'net', { consumerEndpoint: SECOND });
    const moved = await until('the second', ({ policy }) => is(policy.consumerEndpoint, SECOND));
    await stage.nextSecond();
    await stage.edit(namespace, 'net', { limits: { packetsPerSecond: 1000 } });
    const limited = await until('the limit', ({ policy }) => {
      return (policy['limits'] as { packetsPerSecond: number }).packetsPerSecond === 1000;
    });
    expect(limited.policy.previousEndpoint).toEqual(moved.policy.previousEndpoint);
  });

  test('keeps its grace through the end of the controller, and no longer', async () => {
    const { namespace, until } = await readyNetwork(4);
    await stage.edit(namespace, 'net', { consumerEndpoint: SECOND });
    const moved = await until('the second', ({ policy }) => is(policy.consumerEndpoint, SECOND));
    await controller.end('SIGTERM');
    controller = await stage.controller();
    const still = await until('the attachment', () => true);
    const { previousEndpoint } = still.policy;
    if (previousEndpoint !== undefined) expect(previousEndpoint).toEqual(moved.policy.previousEndpoint);
    await until('the old one dropped', ({ policy }) => policy.previousEndpoint === undefined);
    const late = Date.now() - Date.parse(moved.policy.previousEndpoint!.until);
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThanOrEqual(IN_TIME_MS);
  });

  test('is not kept where the class forbids it by now', async () => {
    const className = stage.name('class');
    await stage.admin.create(CLASSES, {
      apiVersion: 'vmnetwork.io/v1alpha1',
      kind: 'VMNetworkClass',
      metadata: { name: className },
      spec: {},
    } as never);
    const { namespace, until } = await readyNetwork(60, { className });
    await stage.edit(namespace, 'net', { consumerEndpoint: SECOND });
    const moved = await until('the second', ({ policy }) => is(policy.consumerEndpoint, SECOND));
    expect(moved.policy.previousEndpoint).toMatchObject(FIRST);
    const deniedDestinations = { networks: ['203.0.113.0/24'] };
    await stage.admin.mergePatch(CLASSES, { name: className }, { spec: { deniedDestinations } });
    const kept = await until(
      'the previous one dropped',
      ({ policy }) => policy.previousEndpoint === undefined,
    );
    expect(is(kept.policy.consumerEndpoint, SECOND)).toBe(true);
    await stage.untilReady(namespace, 'net');
  });
});
