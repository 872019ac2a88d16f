import { describe, expect, test } from '@jest/globals';
import { ApiError } from '../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import type { Network, Secret } from '../../../src/controller/kinds.ts';
import { KnownSecrets } from '../../../src/controller/vmnetwork/known-secrets.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { network } from './support/objects.ts';

const KEY = Buffer.alloc(32, 7);
const SIGNAL = new AbortController().signal;

function secretsOf(answer: () => Secret) {
  let asked = 0;
  const get = async () => {
    asked += 1;
    return answer();
  };
  const clock = new FakeClock();
  const secrets = new KnownSecrets({ get } as unknown as KubeClient, clock);
  return { secrets, clock, asked: () => asked };
}

const withReference = (key = 'psk', generation = 1) =>
  network('one', { wireGuard: { presharedKeySecretRef: { name: 'tunnel', key } } }, { generation });
const secret = (value?: string): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'tunnel', namespace: 't', uid: 'u', resourceVersion: '7' },
  ...(value === undefined ? {} : { data: { psk: Buffer.from(value).toString('base64') } }),
});
const refused = (status: number, reason: string) => () => {
  throw new ApiError(`secrets "tunnel" ${reason}`, { status, reason });
};

describe('the Secret of a network', () => {
  test('is not asked for when none is named', async () => {
    const { secrets, asked } = secretsOf(() => secret());
    expect(await secrets.look('t/one', network('one'), false, SIGNAL)).toEqual({
      state: { state: 'none' },
      key: null,
    });
    expect(asked()).toBe(0);
    expect(secrets.dueInMs('t/one')).toBeNull();
  });

  test.each<[string, () => Secret, string, RegExp]>([
    [
      'missing',
      refused(404, 'NotFound'),
      'invalid',
      /Secret t\/tunnel does not exist\. Put the output of `wg genpsk`/,
    ],
    ['without the key', () => secret(), 'invalid', /has no key "psk"/],
    ['empty', () => secret(''), 'invalid', /has a key "psk" that is empty/],
    [
      'too long',
      () => secret('A'.repeat(1000)),
      'invalid',
      /is not 32 bytes in base64 \(it has 1000 bytes\)/,
    ],
    ['forbidden', refused(403, 'Forbidden'), 'unreadable', /may not be read by the controller/],
  ])('that is %s', async (_, answer, state, message) => {
    const { secrets } = secretsOf(answer);
    const look = await secrets.look('t/one', withReference(), false, SIGNAL);
    expect(look.state).toMatchObject({ state, message: expect.stringMatching(message) });
    expect(look.key).toBeNull();
    expect(secrets.dueInMs('t/one')).toBe(state === 'unreadable' ? 5_000 : 60_000);
  });

  test('that may not be read is asked for again soon, later each time, up to a minute', async () => {
    let isRefused = true;
    const { secrets, clock } = secretsOf(() =>
      isRefused ? refused(403, 'Forbidden')() : secret(KEY.toString('base64')),
    );
    const waits: (number | null)[] = [];
    const look = async () => {
      const { state } = await secrets.look('t/one', withReference(), false, SIGNAL);
      waits.push(secrets.dueInMs('t/one'));
      clock.stall(waits.at(-1) ?? 0);
      return state.state;
    };
    for (let times = 0; times < 6; times += 1) await look();
    expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
    isRefused = false;
    expect(await look()).toBe('ok');
    isRefused = true;
    await look();
    expect(waits.at(-1)).toBe(5_000);
  });

  test('a name that objects inherit is no key of it', async () => {
    const { secrets } = secretsOf(() => secret('x'));
    expect((await secrets.look('t/one', withReference('constructor'), false, SIGNAL)).state.state).toBe(
      'invalid',
    );
  });

  test('that the server fails to read stops nothing: what was known holds, and nothing is known anew', async () => {
    let fails = true;
    const { secrets, clock } = secretsOf(() =>
      fails ? refused(500, 'InternalError')() : secret(KEY.toString('base64')),
    );
    const look = (mustRead: boolean, generation = 1) =>
      secrets.look('t/one', withReference('psk', generation), mustRead, SIGNAL);
    expect((await look(false)).state).toMatchObject({
      state: 'unreadable',
      message: expect.stringContaining('tried again every minute'),
    });
    expect(secrets.dueInMs('t/one')).toBe(60_000);

    fails = false;
    clock.stall(60_000);
    const good = await look(false);
    fails = true;
    // The spec moved: the kill switch, perhaps.
    expect(await look(false, 2)).toEqual({ state: good.state, key: null });
    expect(secrets.dueInMs('t/one')).toBe(60_000);
    clock.stall(5_000);
    expect((await look(true, 2)).state.state).toBe('unreadable');
  });

  test('that the server fails to read keeps workers from others for a moment: they would wait in vain', async () => {
    let fails = true;
    const { secrets, clock, asked } = secretsOf(() =>
      fails ? refused(500, 'InternalError')() : secret(KEY.toString('base64')),
    );
    const look = (name: string) => secrets.look(`t/${name}`, withReference(), false, SIGNAL);
    await look('one');
    expect((await look('two')).state.state).toBe('unreadable');
    expect(asked()).toBe(1);
    // The one that was asked for waits a minute, the other no longer than it must.
    expect([secrets.dueInMs('t/one'), secrets.dueInMs('t/two')]).toEqual([60_000, 5_000]);
    clock.stall(5_000);
    fails = false;
    expect((await look('two')).state.state).toBe('ok');
  });

  test('that the server is silent about is given up on after a few seconds', async () => {
    const clock = new FakeClock();
    const get = (_type: unknown, _ref: unknown, signal: AbortSignal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    const secrets = new KnownSecrets({ get } as never, clock);
    const looked = secrets.look('t/one', withReference(), false, SIGNAL);
    await clock.advance(10_000);
    expect((await looked).state.state).toBe('unreadable');
    expect(clock.pending).toBe(0);
  });

  test('is known without asking for as long as an answer is good', async () => {
    const { secrets, clock, asked } = secretsOf(() => secret(KEY.toString('base64')));
    expect(secrets.known('t/one', network('one'))).toEqual({ state: 'none' });
    expect(secrets.known('t/one', withReference())).toBeNull();
    const { state } = await secrets.look('t/one', withReference(), false, SIGNAL);
    expect(secrets.known('t/one', withReference())).toEqual(state);
    expect(secrets.known('t/one', withReference('other'))).toBeNull();
    expect(secrets.known('t/one', withReference('psk', 2))).toBeNull();
    clock.stall(600_000);
    expect(secrets.known('t/one', withReference())).toBeNull();
    expect(asked()).toBe(1);
  });

  test('is looked at again when somebody touches the network, and not for what the controller writes', async () => {
    const { secrets, asked } = secretsOf(() => secret());
    const object = withReference();
    const touched = (metadata: object): Network => ({
      ...object,
      metadata: { ...object.metadata, ...metadata },
    });
    await secrets.look('t/one', object, false, SIGNAL);
    const own = touched({ resourceVersion: '2', finalizers: [] });
    expect(secrets.known('t/one', { ...own, status: { observedGeneration: 1 } })).not.toBeNull();
    for (const metadata of [{ annotations: { look: 'again' } }, { labels: { a: 'b' } }]) {
      expect(secrets.known('t/one', touched(metadata))).toBeNull();
      await secrets.look('t/one', touched(metadata), false, SIGNAL);
      expect(secrets.known('t/one', touched(metadata))).not.toBeNull();
    }
    expect(asked()).toBe(3);
  });

  test('is not looked at by somebody who is told to stop', async () => {
    const { secrets } = secretsOf(refused(500, 'InternalError'));
    await expect(secrets.look('t/one', withReference(), false, AbortSignal.abort())).rejects.toThrow();
  });

  test('is remembered by its version alone, and asked for anew when it has to be', async () => {
    const { secrets, clock, asked } = secretsOf(() => secret(`${KEY.toString('base64')}\n`));
    const first = await secrets.look('t/one', withReference(), false, SIGNAL);
    expect(first).toEqual({ state: { state: 'ok', uid: 'u', resourceVersion: '7' }, key: KEY });
    expect(await secrets.look('t/one', withReference(), false, SIGNAL)).toEqual({
      state: first.state,
      key: null,
    });
    expect(asked()).toBe(1);
    expect((await secrets.look('t/one', withReference(), true, SIGNAL)).key).toEqual(KEY);
    expect(asked()).toBe(2);
    await secrets.look('t/one', withReference('psk', 2), false, SIGNAL);
    expect(asked()).toBe(3);
    clock.stall(600_000);
    await secrets.look('t/one', withReference('psk', 2), false, SIGNAL);
    expect(asked()).toBe(4);
    const kept = JSON.stringify(secrets);
    expect(kept).not.toContain(KEY.toString('base64'));
  });
});
