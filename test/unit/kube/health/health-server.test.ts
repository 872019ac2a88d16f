import { afterEach, describe, expect, test } from '@jest/globals';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { HealthServer, type HealthServerOptions } from '../../../../src/kube/health/health-server.ts';
import { LoopLag } from '../../../../src/kube/health/loop-lag.ts';
import { isVmnError } from '../../../../src/lib/errors.ts';
import { Metrics } from '../../../../src/lib/metrics.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const servers: HealthServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function listen(options: Partial<HealthServerOptions> = {}) {
  const clock = new FakeClock();
  const server = await HealthServer.listen({
    ...{ host: '127.0.0.1', port: 0, clock, metrics: new Metrics() },
    ...options,
  });
  servers.push(server);
  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init);
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      body: await response.text(),
    };
  };
  return { clock, server, get };
}

test('/readyz says what is not ready, and lists all when asked', async () => {
  let synced = false;
  const ready = { caches: () => (synced ? null : 'VMNetworks were not listed yet'), leader: () => null };
  const { get } = await listen({ ready });
  expect(await get('/readyz')).toMatchObject({
    status: 503,
    body: '[-]caches: VMNetworks were not listed yet\n[+]leader ok\nnot ok\n',
  });
  synced = true;
  expect(await get('/readyz')).toMatchObject({ status: 200, body: 'ok\n' });
  expect(await get('/readyz?verbose')).toMatchObject({
    status: 200,
    body: '[+]caches ok\n[+]leader ok\nok\n',
  });
});

test('a check that throws has failed', async () => {
  const ready = {
    broken: () => {
      throw new Error('out of order');
    },
  };
  const { get } = await listen({ ready });
  expect(await get('/readyz')).toMatchObject({ status: 503, body: expect.stringContaining('out of order') });
});

test('/healthz fails while the event loop runs late, and no longer', async () => {
  const { clock, get } = await listen({ longestLagMs: 3000 });
  await clock.advance(5000);
  expect((await get('/healthz')).status).toBe(200);
  // No beat for so long: timers starve.
  clock.stall(4100);
  expect(await get('/healthz')).toMatchObject({
    status: 503,
    body: '[-]event-loop: runs 3100 ms late, at most 3000 are well\nnot ok\n',
  });
  // The beat came at last: that it was late still counts, until one comes in time.
  await clock.advance(0);
  expect((await get('/healthz')).status).toBe(503);
  await clock.advance(1000);
  expect((await get('/healthz')).status).toBe(200);
});

test('/healthz fails with whatever else only a restart heals', async () => {
  let wrong: string | null = 'stand still';
  const { get } = await listen({ live: { passes: () => wrong } });
  expect(await get('/healthz')).toMatchObject({
    status: 503,
    body: '[+]event-loop ok\n[-]passes: stand still\nnot ok\n',
  });
  wrong = null;
  expect((await get('/healthz')).status).toBe(200);
});

test('/metrics is what Prometheus reads', async () => {
  const { get } = await listen();
  const { status, type, body } = await get('/metrics');
  expect([status, type]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
  expect(body).toContain('rest_client_requests_total{code="200",method="GET"} 0\n');
});

test('nothing else is served, and nothing but reading', async () => {
  const { get } = await listen();
  expect((await get('/')).status).toBe(404);
  expect((await get('//[')).status).toBe(404);
  expect((await get('/healthz', { method: 'POST', body: 'x' })).status).toBe(405);
  expect(await get('/healthz', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
});

describe('listening', () => {
  test('where somebody listens is an error that names the address', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const failure = await listen({ port }).catch((error: unknown) => error);
    expect(isVmnError(failure, 'VMN_LISTEN')).toBe(true);
    expect((failure as Error).message).toContain(`127.0.0.1 port ${port}`);
    await new Promise((resolve) => other.close(resolve));
  });

  test('ends with close, however often', async () => {
    const { clock, server } = await listen();
    await server.close();
    await server.close();
    expect(clock.pending).toBe(0);
  });
});

test('the lag is that of a beat that is overdue, too', async () => {
  const clock = new FakeClock();
  const lag = new LoopLag(clock);
  expect(lag.ms).toBe(0);
  clock.stall(2500);
  expect(lag.ms).toBe(1500);
  await clock.advance(0);
  expect(lag.ms).toBe(1500);
  await clock.advance(1000);
  expect(lag.ms).toBe(0);
  lag.close();
  lag.close();
  expect(clock.pending).toBe(0);
});
