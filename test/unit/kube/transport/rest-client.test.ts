import { afterEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileCredentials } from '../../../../src/kube/transport/file-credentials.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { clientOf, lamp, LAMPS, LAMPS_PATH } from './client.ts';
import {
  endServers,
  inTurn,
  json,
  refuse,
  ScriptedServer,
  serve,
  until,
  type Answerer,
} from './scripted-server.ts';

const REF = { namespace: 'a', name: 'one' };
const ONE = '/apis/example.org/v1/namespaces/a/lamps/one';

afterEach(endServers);

const fine: Answerer = (_, response) => json(response, 200, lamp('one', 7));
const reset: Answerer = (_, response) => response.socket!.resetAndDestroy();
const never: Answerer = () => undefined;

/** Lets time pass until the promise has settled. */
async function inTime<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  let done = false;
  const ended = promise.finally(() => (done = true));
  ended.catch(() => undefined);
  while (!done) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    await clock.advance(250);
  }
  return ended;
}

describe('what is sent', () => {
  test('each verb as the API wants it', async () => {
    const server = await serve(fine);
    const client = clientOf(server.url);
    await client.get(LAMPS, REF);
    await client.create(LAMPS, lamp('one', 1), { fieldManager: 'me' });
    await client.update(LAMPS, lamp('one', 1), { subresource: 'status' });
    await client.apply(LAMPS, lamp('one', 1), { fieldManager: 'me', force: true, subresource: 'status' });
    await client.patch(LAMPS, REF, { spec: {} }, { fieldManager: 'me' });
    await client.delete(LAMPS, REF, { uid: 'u', resourceVersion: '3' });
    const said = server.requests.map(({ method, path, query, headers }) => [
      method,
      path + (query.size > 0 ? `?${query.toString()}` : ''),
      headers['content-type'] ?? '',
    ]);
    expect(said).toEqual([
      ['GET', ONE, ''],
      ['POST', '/apis/example.org/v1/namespaces/a/lamps?fieldManager=me', 'application/json'],
      ['PUT', `${ONE}/status`, 'application/json'],
      ['PATCH', `${ONE}/status?fieldManager=me&force=true`, 'application/apply-patch+yaml'],
      ['PATCH', `${ONE}?fieldManager=me`, 'application/merge-patch+json'],
      ['DELETE', ONE, 'application/json'],
    ]);
    expect(JSON.parse(server.requests[1]!.body)).toEqual(lamp('one', 1));
    expect(JSON.parse(server.requests[5]!.body)).toMatchObject({
      preconditions: { uid: 'u', resourceVersion: '3' },
    });
    expect(server.requests[0]!.headers['user-agent']).toBe('test/1');
  });

  test('a list with its selection; items are told their kind', async () => {
    const server = await serve((_, response) =>
      json(response, 200, {
        metadata: { resourceVersion: '9', continue: 'more' },
        items: [{ metadata: { name: 'x' } }],
      }),
    );
    const list = await clientOf(server.url).list(LAMPS, {
      fieldSelector: '.spec.node=n',
      labelSelector: 'a=b,c',
      limit: 5,
      continue: 'tok&en',
    });
    expect(list.items[0]).toMatchObject({ apiVersion: 'example.org/v1', kind: 'Lamp' });
    expect(list.metadata.continue).toBe('more');
    expect(server.requests[0]!.path).toBe(LAMPS_PATH);
    expect(Object.fromEntries(server.requests[0]!.query)).toEqual({
      fieldSelector: '.spec.node=n',
      labelSelector: 'a=b,c',
      limit: '5',
      continue: 'tok&en',
    });
  });

  test('who wrote which field is left out of what is answered', async () => {
    const more = { managedFields: [{ manager: 'me' }], labels: { a: 'b' } };
    const server = await serve((request, response) => {
      const one = lamp('one', 7, more);
      const isList = request.path === LAMPS_PATH && request.method === 'GET';
      json(response, 200, isList ? { metadata: { resourceVersion: '9' }, items: [one] } : one);
    });
    const client = clientOf(server.url);
    const answers = [
      await client.get(LAMPS, REF),
      await client.create(LAMPS, lamp('one', 1)),
      await client.update(LAMPS, lamp('one', 1)),
      await client.patch(LAMPS, REF, {}),
      ...(await client.list(LAMPS, {})).items,
    ];
    for (const answer of answers) expect(answer).toEqual(lamp('one', 7, { labels: { a: 'b' } }));
  });

  test('the path of the server is kept in front', async () => {
    const server = await serve(fine);
    await clientOf(`${server.url}/clusters/east/`).get(LAMPS, REF);
    expect(server.requests[0]!.path).toBe(`/clusters/east${ONE}`);
  });

  test.each(['', '.', '..', 'a/b', 'a%2fb'])('a name %j is refused before anything is sent', async (name) => {
    const server = await serve(fine);
    const client = clientOf(server.url);
    await expect(client.delete(LAMPS, { namespace: 'a', name })).rejects.toThrow(TypeError);
    await expect(client.delete(LAMPS, { namespace: name, name: 'x' })).rejects.toThrow(TypeError);
    await expect(client.get(LAMPS, { name: 'x' })).rejects.toThrow('needs a namespace');
    expect(server.requests).toEqual([]);
  });

  test('connections are kept, and no more than allowed are made', async () => {
    const server = await serve((_, response) => setTimeout(() => json(response, 200, lamp('one', 1)), 10));
    const client = clientOf(server.url, { maxConnections: 3 });
    await Promise.all(Array.from({ length: 20 }, () => client.get(LAMPS, REF)));
    expect(server.busiest).toBe(3);
    expect(server.connections).toBe(3);
  });

  test('each answer and each failure is counted', async () => {
    const server = await serve(inTurn(fine, (_, response) => refuse(response, 404, 'NotFound'), reset));
    const counted: [number | string, string][] = [];
    const metrics = { request: (code: number | '<error>', method: string) => counted.push([code, method]) };
    const client = clientOf(server.url, { metrics });
    await client.get(LAMPS, REF);
    await expect(client.delete(LAMPS, REF)).rejects.toMatchObject({ reason: 'NotFound' });
    await expect(client.create(LAMPS, lamp('one', 1))).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(counted).toEqual([
      [200, 'GET'],
      [404, 'DELETE'],
      ['<error>', 'POST'],
    ]);
  });
});

describe('what fails', () => {
  test.each<[string, Answerer]>([
    ['500', (_, response) => refuse(response, 500, 'InternalError')],
    ['503', (_, response) => refuse(response, 503, 'ServiceUnavailable')],
    ['429', (_, response) => refuse(response, 429, 'TooManyRequests')],
    ['a reset connection', reset],
  ])('a read is repeated after %s', async (_, failure) => {
    const server = await serve(inTurn(failure, failure, fine));
    const clock = new FakeClock();
    await inTime(clock, clientOf(server.url, { clock }).get(LAMPS, REF));
    expect(server.requests).toHaveLength(3);
  });

  test('but only a few times', async () => {
    const server = await serve((_, response) => refuse(response, 500, 'InternalError'));
    const clock = new FakeClock();
    const reading = inTime(clock, clientOf(server.url, { clock }).get(LAMPS, REF));
    await expect(reading).rejects.toMatchObject({ status: 500 });
    expect(server.requests).toHaveLength(3);
  });

  test('and not when the answer is final', async () => {
    const server = await serve((_, response) => refuse(response, 404, 'NotFound'));
    await expect(clientOf(server.url).get(LAMPS, REF)).rejects.toMatchObject({ status: 404 });
    expect(server.requests).toHaveLength(1);
  });

  test('a write is not repeated when nobody knows what became of it', async () => {
    const server = await serve(inTurn((_, response) => refuse(response, 500, 'InternalError'), reset, fine));
    const client = clientOf(server.url);
    await expect(client.create(LAMPS, lamp('one', 1))).rejects.toMatchObject({ status: 500 });
    await expect(client.create(LAMPS, lamp('one', 1))).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(server.requests).toHaveLength(2);
  });

  test('but is when the server did not look at it, no sooner than it asks', async () => {
    const server = await serve(
      inTurn((_, response) => refuse(response, 429, 'TooManyRequests', { 'retry-after': '4' }), fine),
    );
    const clock = new FakeClock();
    const startMs = clock.monotonicMs();
    await inTime(clock, clientOf(server.url, { clock }).create(LAMPS, lamp('one', 1)));
    expect(server.requests).toHaveLength(2);
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(4000);
  });

  test('a server that wants long patience gets it from the caller', async () => {
    const server = await serve((_, response) =>
      refuse(response, 503, 'Unavailable', { 'retry-after': '60' }),
    );
    await expect(clientOf(server.url).get(LAMPS, REF)).rejects.toMatchObject({ retryAfterMs: 60_000 });
    expect(server.requests).toHaveLength(1);
  });

  test('nobody there: the error says what was asked', async () => {
    const server = await ScriptedServer.start(fine);
    const { url } = server;
    await server.close();
    const clock = new FakeClock();
    const reading = inTime(clock, clientOf(url, { clock }).get(LAMPS, REF));
    await expect(reading).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      message: expect.stringContaining(`GET ${ONE}`),
    });
  });

  test.each<[string, Answerer]>([
    ['no answer', never],
    [
      'an answer that does not end',
      (_, response) => {
        response.writeHead(200);
        response.write('{');
      },
    ],
  ])('%s is given up in time, and the connection with it', async (_, answer) => {
    const server = await serve(answer);
    const clock = new FakeClock();
    const reading = clientOf(server.url, { clock, requestTimeoutMs: 5000 }).get(LAMPS, REF);
    const ended = expect(reading).rejects.toMatchObject({ code: 'TIMEOUT' });
    await until(() => server.requests.length === 1);
    await clock.advance(5000);
    await ended;
    await until(() => server.requests[0]!.left(), 'the server sees the client leave');
    expect(clock.pending).toBe(0);
  });

  test('an answer that is too long is not read to its end', async () => {
    const server = await serve((_, response) => {
      response.writeHead(200);
      const more = () => (response.writable ? response.write('x'.repeat(1000), more) : false);
      more();
    });
    const reading = clientOf(server.url, { maxBodyBytes: 10_000 }).get(LAMPS, REF);
    await expect(reading).rejects.toMatchObject({ code: 'TOO_LARGE' });
    await until(() => server.requests[0]!.left());
  });

  test('a success that is no list is not taken for an empty one', async () => {
    const server = await serve((_, response) => json(response, 200, {}));
    await expect(clientOf(server.url).list(LAMPS, {})).rejects.toMatchObject({ code: 'BAD_RESPONSE' });
  });
});

describe('an abort', () => {
  const reason = new Error('enough');

  test('before: nothing is sent', async () => {
    const server = await serve(fine);
    await expect(clientOf(server.url).get(LAMPS, REF, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(server.requests).toEqual([]);
  });

  test.each<[string, Answerer]>([
    ['waiting for the answer', never],
    ['within the answer', (_, response) => void response.writeHead(200).write('{')],
  ])('%s: ends the request', async (_, answer) => {
    const server = await serve(answer);
    const stop = new AbortController();
    const reading = expect(clientOf(server.url).get(LAMPS, REF, stop.signal)).rejects.toBe(reason);
    await until(() => server.requests.length === 1);
    stop.abort(reason);
    await reading;
    await until(() => server.requests[0]!.left());
  });

  test('between two tries: there is no second', async () => {
    const server = await serve((_, response) => refuse(response, 500, 'InternalError'));
    const clock = new FakeClock();
    const stop = new AbortController();
    const reading = expect(clientOf(server.url, { clock }).get(LAMPS, REF, stop.signal)).rejects.toBe(reason);
    await until(() => server.requests.length === 1 && clock.pending === 1, 'the wait after the first try');
    stop.abort(reason);
    await reading;
    expect(server.requests).toHaveLength(1);
  });

  test('while queueing for a connection, and for credentials that never come', async () => {
    const server = await serve(never);
    const stop = new AbortController();
    const client = clientOf(server.url, { maxConnections: 1 });
    const both = [client.get(LAMPS, REF, stop.signal), client.get(LAMPS, REF, stop.signal)].map((reading) =>
      expect(reading).rejects.toBe(reason),
    );
    const hanging = {
      current: () => new Promise<never>(() => undefined),
      refused: () => Promise.reject(reason),
    };
    both.push(
      expect(clientOf(server.url, { credentials: hanging }).get(LAMPS, REF, stop.signal)).rejects.toBe(
        reason,
      ),
    );
    await until(() => server.requests.length === 1);
    stop.abort(reason);
    await Promise.all(both);
    expect(server.requests).toHaveLength(1);
  });
});

describe('a token', () => {
  const dir = mkdtempSync(join(tmpdir(), 'vmn-token-'));
  const file = join(dir, 'token');
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  test('that was replaced is read again when the server refuses the old one, for reads, writes and watches', async () => {
    let valid = 'first';
    const server = await serve((request, response) =>
      request.headers.authorization === `Bearer ${valid}`
        ? request.query.has('watch')
          ? response.writeHead(200).end()
          : json(response, 200, lamp('one', 1))
        : refuse(response, 401, 'Unauthorized'),
    );
    const clock = new FakeClock();
    const credentials = new FileCredentials({ token: { file }, clock });
    const client = clientOf(server.url, { credentials });
    const asking: [string, () => Promise<unknown>][] = [
      ['second', () => client.get(LAMPS, REF)],
      ['third', () => client.create(LAMPS, lamp('one', 1))],
      [
        'fourth',
        async () => {
          const signal = new AbortController().signal;
          for await (const event of client.watch(LAMPS, { resourceVersion: '1' }, signal)) return event;
          return undefined;
        },
      ],
    ];
    writeFileSync(file, 'first\n');
    await client.get(LAMPS, REF);
    for (const [next, ask] of asking) {
      clock.stall(2000);
      writeFileSync(file, `${next}\n`);
      valid = next;
      const before = server.requests.length;
      await ask();
      expect(server.requests).toHaveLength(before + 2);
    }
    // One that stays refused is not sent for ever.
    valid = 'nobody has this';
    const before = server.requests.length;
    clock.stall(2000);
    await expect(client.get(LAMPS, REF)).rejects.toMatchObject({ status: 401 });
    expect(server.requests).toHaveLength(before + 1);
  });
});
