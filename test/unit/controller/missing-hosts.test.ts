import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { ApiError } from '../../../src/kube/api-error.ts';
import { HOST_SINCE } from '../../../src/controller/kinds.ts';
import type { Definition } from '../../../src/controller/kinds.ts';
import { LOOK_AGAIN_MS, MissingHosts } from '../../../src/controller/vmnetwork/missing-hosts.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const SIGNAL = new AbortController().signal;
const DEFINED = '2026-01-01T00:00:00Z';
const LATER = '2026-01-01T00:00:01Z';
const BEFORE = '2025-12-31T23:59:59Z';

const definition = (metadata: object = {}, established = 'True'): Definition => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'vmnetworknodes.vmnetwork.io', creationTimestamp: DEFINED, ...metadata },
  status: { conditions: [{ type: 'Established', status: established }] },
});
const attachment = (since?: string) => ({
  apiVersion: 'vmnetwork.io/v1alpha1',
  kind: 'VMNetworkAttachment',
  metadata: { name: 'one', ...(since === undefined ? {} : { annotations: { [HOST_SINCE]: since } }) },
});
const failure = (status: number, reason: string) => () => {
  throw new ApiError(reason, { status, reason });
};

function missingHosts(nodes: () => unknown[], defined: () => Definition) {
  const asked: string[] = [];
  const client = {
    list: async (_type: unknown, { fieldSelector }: { fieldSelector: string }) => {
      asked.push(`list ${fieldSelector}`);
      return { metadata: { resourceVersion: '1' }, items: nodes() };
    },
    get: async (_type: unknown, { name }: { name: string }) => {
      asked.push(`get ${name}`);
      return defined();
    },
  };
  const clock = new FakeClock();
  const log = pino({ level: 'silent' });
  const hosts = new MissingHosts({ client: client as never, clock, log });
  return { hosts, clock, asked };
}

describe('a host whose VMNetworkNode is missing', () => {
  test.each<[string, boolean, (string | undefined)[], () => unknown[], () => Definition]>([
    ['was declared gone', true, [LATER], () => [], () => definition()],
    [
      'was, when any of its attachments tells of a later one',
      true,
      [BEFORE, LATER],
      () => [],
      () => definition(),
    ],
    ['was not, when it is there after all', false, [LATER], () => [{}], () => definition()],
    ['was not, when it stood under a former definition', false, [BEFORE], () => [], () => definition()],
    ['was not for certain, when both are of one second', false, [DEFINED], () => [], () => definition()],
    ['was not, when nobody knows of it', false, [undefined, 'nonsense'], () => [], () => definition()],
    [
      'was not, when the definition is being deleted',
      false,
      [LATER],
      () => [],
      () => definition({ deletionTimestamp: LATER }),
    ],
    ['was not, when the definition is not in force', false, [LATER], () => [], () => definition({}, 'False')],
    ['was not, when the kind is not served', false, [LATER], failure(404, 'NotFound'), () => definition()],
    ['was not, when there is no definition', false, [LATER], () => [], failure(404, 'NotFound')],
    ['was not, when definitions may not be read', false, [LATER], () => [], failure(403, 'Forbidden')],
    ['was not, when the server fails', false, [LATER], failure(500, 'InternalError'), () => definition()],
  ])('%s', async (_, expected, since, nodes, defined) => {
    const { hosts } = missingHosts(nodes, defined);
    expect(await hosts.isGone('n1', since.map(attachment), SIGNAL)).toBe(expected);
  });

  test('is looked for before its definition: the answers are not of two definitions', async () => {
    const { hosts, asked } = missingHosts(
      () => [],
      () => definition(),
    );
    await hosts.isGone('n1', [attachment(LATER)], SIGNAL);
    expect(asked).toEqual(['list metadata.name=n1', 'get vmnetworknodes.vmnetwork.io']);
  });

  test('is not looked for again and again while nobody can tell, whichever host it is', async () => {
    let fails = true;
    const { hosts, clock, asked } = missingHosts(
      () => (fails ? failure(404, 'NotFound')() : []),
      () => definition(),
    );
    for (const name of ['n1', 'n2', 'n3']) await hosts.isGone(name, [attachment(LATER)], SIGNAL);
    expect(asked).toHaveLength(1);
    clock.stall(LOOK_AGAIN_MS);
    fails = false;
    expect(await hosts.isGone('n2', [attachment(LATER)], SIGNAL)).toBe(true);
    // Those of a former definition cost nothing more.
    for (const name of ['n3', 'n4'])
      expect(await hosts.isGone(name, [attachment(BEFORE)], SIGNAL)).toBe(false);
    expect(asked).toHaveLength(3);
    expect(await hosts.isGone('n1', [attachment(LATER)], SIGNAL)).toBe(true);
  });

  test('that the server is silent about is given up on after a few seconds', async () => {
    const clock = new FakeClock();
    const list = (_type: unknown, _options: unknown, signal: AbortSignal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    const hosts = new MissingHosts({ client: { list } as never, clock, log: pino({ level: 'silent' }) });
    const looked = hosts.isGone('n1', [attachment(LATER)], SIGNAL);
    await clock.advance(10_000);
    expect(await looked).toBe(false);
    expect(clock.pending).toBe(0);
  });

  test('is not looked for by somebody who is told to stop', async () => {
    const { hosts } = missingHosts(
      () => [],
      () => definition(),
    );
    await expect(hosts.isGone('n1', [attachment(LATER)], AbortSignal.abort())).rejects.toThrow();
  });
});
