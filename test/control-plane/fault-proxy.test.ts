/** Each fault of the proxy is the fault that it claims to be, seen from the client's side and from the server's. */
import { afterAll, beforeAll, beforeEach, describe, expect } from '@jest/globals';
import { request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { ApiCaller } from '../support/control-plane/api-caller.ts';
import { callerWith, whoAmI } from '../support/control-plane/caller-with.ts';
import { ControlPlane, isWatch, needsControlPlane, type FaultProxy } from '../support/control-plane/index.ts';
import { poll } from '../support/lab/index.ts';
import { requires } from '../support/skip.ts';

const needs = needsControlPlane();
const { test } = requires(needs);

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

let controlPlane: ControlPlane;
let proxy: FaultProxy;
let caller: ApiCaller;
let token: string;

beforeAll(async () => {
  if (!needs.met) return;
  controlPlane = await ControlPlane.start();
  proxy = await controlPlane.faultProxy();
  const identity = { user: 'proxied', groups: ['system:masters'] };
  caller = callerWith(await controlPlane.kubeconfigFor(identity, proxy.url));
  const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
  await controlPlane.apply([
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'proxied' },
      roleRef: role,
      subjects: [{ kind: 'ServiceAccount', namespace: 'default', name: 'proxied' }],
    },
  ]);
  token = await controlPlane.serviceAccountToken({ namespace: 'default', name: 'proxied' });
}, 120_000);

beforeEach(() => {
  if (needs.met) proxy.heal();
});

afterAll(async () => {
  if (!needs.met) return;
  caller.close();
  await controlPlane.stop();
});

const named = (name: string): string => `${CONFIG_MAPS}/${name}`;
const configMap = (name: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });

describe('a fault proxy without faults', () => {
  test('passes users by certificate and by token', async () => {
    const { username, groups } = await whoAmI(caller);
    expect([username, groups]).toEqual(['proxied', ['system:masters', 'system:authenticated']]);
    const account = { namespace: 'default', name: 'proxied' };
    const byToken = callerWith(await controlPlane.kubeconfigForServiceAccount(account, proxy.url));
    expect((await whoAmI(byToken)).username).toBe('system:serviceaccount:default:proxied');
    byToken.close();
  });

  test('does not let a client name another user', async () => {
    const forged = { 'x-remote-user': 'root', 'x-remote-group': 'system:masters' };
    const { response, text } = await opened(CONFIG_MAPS, forged);
    await poll('the answer', () => response.complete);
    expect([response.statusCode, text()]).toEqual([403, expect.stringContaining('system:anonymous')]);
  });

  test('counts what came by verb and resource', async () => {
    const before = performance.now();
    await caller.must('POST', CONFIG_MAPS, configMap('counted'));
    await caller.must('GET', named('counted'));
    await caller.must('GET', `${CONFIG_MAPS}?limit=1`);
    const mergePatch = { contentType: 'application/merge-patch+json' };
    await caller.must('PATCH', named('counted'), { data: { a: 'b' } }, mergePatch);
    await caller.must('DELETE', named('counted'));
    await caller.must('GET', '/readyz');
    expect(proxy.summary(before)).toEqual({
      'create configmaps': 1,
      'get configmaps': 1,
      'list configmaps': 1,
      'patch configmaps': 1,
      'delete configmaps': 1,
      'other /readyz': 1,
    });
    const created = { verb: 'create', resource: 'configmaps', user: 'proxied', status: 201 } as const;
    expect(proxy.count(created, before)).toBe(1);
  });

  test('passes a watch on as it comes, and the end of the server as a cut', async () => {
    const watch = await watching();
    await controlPlane.api.must('POST', CONFIG_MAPS, configMap('watched'));
    await poll('the event', () => watch.text().includes('"name":"watched"'));
    await controlPlane.kill9ApiServer();
    await poll('the end of the watch', () => watch.response.closed);
    expect(watch.response.complete).toBe(false);
    await controlPlane.restartApiServer();
  });
});

describe('a fault of the proxy', () => {
  test('delay: the server sees the request later', async () => {
    proxy.inject({ do: 'delay', ms: 300 }, { times: 1 });
    const began = performance.now();
    await caller.must('GET', CONFIG_MAPS);
    expect(performance.now() - began).toBeGreaterThanOrEqual(299);
  });

  test('answer: the client is told so in the place of the server, as often as asked', async () => {
    for (const status of [401, 410, 429, 500, 503] as const) {
      proxy.inject({ do: 'answer', status, retryAfterSeconds: 7 }, { times: 1 });
      const { response, text } = await opened(CONFIG_MAPS);
      await poll('the answer', () => response.complete);
      expect([response.statusCode, response.headers['retry-after']]).toEqual([status, '7']);
      expect(JSON.parse(text())).toMatchObject({ kind: 'Status', code: status });
    }
    expect((await caller.call('GET', CONFIG_MAPS)).status).toBe(200);
  });

  test('a rule meets only what it is for, and can be taken back', async () => {
    const takeBack = proxy.inject({ do: 'answer', status: 500 }, { on: ({ verb }) => verb === 'create' });
    expect((await caller.call('GET', CONFIG_MAPS)).status).toBe(200);
    expect((await caller.call('POST', CONFIG_MAPS, configMap('refused'))).status).toBe(500);
    takeBack();
    expect((await caller.call('POST', CONFIG_MAPS, configMap('refused'))).status).toBe(201);
  });

  test('drop: cut before the server sees it', async () => {
    proxy.inject({ do: 'drop' }, { times: 1 });
    await expect(caller.call('POST', CONFIG_MAPS, configMap('dropped'))).rejects.toThrow();
    expect((await controlPlane.api.call('GET', named('dropped'))).status).toBe(404);
  });

  test('drop-answer: done by the server, and the client never learns', async () => {
    proxy.inject({ do: 'drop-answer' }, { times: 1 });
    await expect(caller.call('POST', CONFIG_MAPS, configMap('unanswered'))).rejects.toThrow();
    expect((await controlPlane.api.call('GET', named('unanswered'))).status).toBe(200);
  });

  test('stall: accepted and never answered, until healed', async () => {
    proxy.inject({ do: 'stall' });
    const impatient = caller.call('GET', CONFIG_MAPS, undefined, { timeoutMs: 200 });
    await expect(impatient).rejects.toThrow('no answer in 200 ms');
    const held = expect(caller.call('GET', named('stalled'))).rejects.toThrow();
    await poll('the request to arrive', () => proxy.count({ name: 'stalled' }) === 1);
    proxy.heal();
    await held;
    expect((await caller.call('GET', CONFIG_MAPS)).status).toBe(200);
  });

  test('expire-watch: a watch begins, and all it says is 410', async () => {
    proxy.inject({ do: 'expire-watch' }, { on: isWatch });
    const { response, text } = await watching();
    await poll('the end of the watch', () => response.complete);
    expect(response.statusCode).toBe(200);
    expect(JSON.parse(text())).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    expect((await caller.call('GET', CONFIG_MAPS)).status).toBe(200);
  });

  test('cut: a watch ends in the middle, or in order', async () => {
    for (const orderly of [false, true]) {
      proxy.inject({ do: 'cut', afterMs: 100, orderly }, { on: isWatch, times: 1 });
      const { response } = await watching();
      await poll('the end of the watch', () => response.closed);
      expect(response.complete).toBe(orderly);
    }
  });

  test('cutWatches: all that are open, and no others', async () => {
    const watches = [await watching(), await watching()];
    expect(proxy.openWatches).toBe(2);
    proxy.cutWatches();
    await poll('their end', () => watches.every(({ response }) => response.closed));
    await poll('the proxy to see it', () => proxy.openWatches === 0);
    expect((await caller.call('GET', CONFIG_MAPS)).status).toBe(200);
  });

  test('freeze: the connection stays and nothing comes any more, until healed', async () => {
    proxy.inject({ do: 'freeze', afterMs: 0 }, { on: isWatch, times: 1 });
    const frozen = await watching();
    const alive = await watching();
    await poll('the freeze', () => proxy.frozen === 1);
    await controlPlane.api.must('POST', CONFIG_MAPS, configMap('unseen'));
    await poll('the event on the other watch', () => alive.text().includes('"name":"unseen"'));
    expect(frozen.text()).not.toContain('"name":"unseen"');
    expect(frozen.response.closed).toBe(false);
    proxy.heal();
    await poll('the end of the frozen watch', () => frozen.response.closed);
    expect(alive.response.closed).toBe(false);
    alive.response.destroy();
  });
});

interface Opened {
  response: IncomingMessage;
  text: () => string;
}

/** The answer as it comes, over a connection of its own; as the service account, unless there are headers. */
function opened(path: string, headers?: Record<string, string>): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      new URL(path, proxy.url),
      {
        agent: false,
        ca: controlPlane.authority,
        headers: headers ?? { authorization: `Bearer ${token}` },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('error', () => undefined); // its `closed` and `complete` tell
        resolve({ response, text: () => text });
      },
    );
    request.on('error', reject);
    request.end();
  });
}

const watching = (): Promise<Opened> => opened(`${CONFIG_MAPS}?watch=true`);
