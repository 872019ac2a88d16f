import { afterEach, describe, expect, test } from '@jest/globals';
import type { KubeClient, WatchEvent } from '../../../../src/kube/client.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { clientOf, lamp, LAMPS, type Lamp } from './client.ts';
import { endServers, json, refuse, serve, until, type Answerer } from './scripted-server.ts';

const REF = { namespace: 'a', name: 'one' };
const never: Answerer = () => undefined;

afterEach(endServers);

describe('a watch', () => {
  function watching(client: KubeClient, signal = new AbortController().signal) {
    const events: WatchEvent<Lamp>[] = [];
    let opened = 0;
    const ended = (async () => {
      const options = { resourceVersion: '5', timeoutSeconds: 300, onOpen: () => (opened += 1) };
      for await (const event of client.watch<Lamp>(LAMPS, options, signal)) events.push(event);
    })();
    ended.catch(() => undefined);
    return { events, ended, opened: () => opened };
  }

  test('says when it is open, gives events in order, and ends with the server', async () => {
    const pushed: ((text: string | null) => void)[] = [];
    const server = await serve((_, response) => {
      response.writeHead(200);
      response.flushHeaders();
      pushed.push((text) => (text === null ? response.end() : response.write(text)));
    });
    const watch = watching(clientOf(server.url));
    await until(() => watch.opened() === 1);
    expect(Object.fromEntries(server.requests[0]!.query)).toEqual({
      watch: 'true',
      resourceVersion: '5',
      timeoutSeconds: '300',
    });
    const added = lamp('one', 6, { managedFields: [{ manager: 'me' }] });
    pushed[0]!(`${JSON.stringify({ type: 'ADDED', object: added })}\n`);
    pushed[0]!(`${JSON.stringify({ type: 'DELETED', object: lamp('one', 7) })}\n`);
    await until(() => watch.events.length === 2);
    pushed[0]!(null);
    await watch.ended;
    expect(watch.events.map(({ type }) => type)).toEqual(['ADDED', 'DELETED']);
    // Without who wrote which field.
    expect(watch.events[0]!.object).toEqual(lamp('one', 6));
  });

  test('that is refused is not open', async () => {
    const server = await serve((_, response) => refuse(response, 410, 'Expired'));
    const watch = watching(clientOf(server.url));
    await expect(watch.ended).rejects.toMatchObject({ status: 410 });
    expect(watch.opened()).toBe(0);
    expect(server.requests).toHaveLength(1);
  });

  test.each<[string, string, object]>([
    [
      'an ERROR event',
      '{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}',
      { status: 410, reason: 'Expired' },
    ],
    ['a line of another language', '<html>', { code: 'BAD_RESPONSE' }],
    ['a type that does not exist', '{"type":"MOVED","object":{"metadata":{}}}', { code: 'BAD_RESPONSE' }],
    ['an event without an object', '{"type":"ADDED"}', { code: 'BAD_RESPONSE' }],
    ['an event of nothing', 'null', { code: 'BAD_RESPONSE' }],
    ['an event that is too long', JSON.stringify('x'.repeat(2000)), { code: 'TOO_LARGE' }],
  ])('ends with %s, and leaves the connection', async (_, line, failure) => {
    const server = await serve((_, response) => void response.writeHead(200).write(`${line}\n`));
    await expect(watching(clientOf(server.url, { maxEventBytes: 1000 })).ended).rejects.toMatchObject(
      failure,
    );
    await until(() => server.requests[0]!.left());
  });

  test('that is cut is an error, however complete its last line', async () => {
    const event = `${JSON.stringify({ type: 'ADDED', object: lamp('one', 6) })}\n`;
    const server = await serve((_, response) => {
      response.writeHead(200).write(event);
      setTimeout(() => response.socket?.destroy(), 20);
    });
    const watch = watching(clientOf(server.url));
    await expect(watch.ended).rejects.toMatchObject({ name: 'TransportError' });
    expect(watch.events).toHaveLength(1);
  });

  test('ends with its signal: while it is being opened, and while it is quiet', async () => {
    const reason = new Error('enough');
    for (const answer of [never, (_, response) => response.writeHead(200).flushHeaders()] as Answerer[]) {
      const server = await serve(answer);
      const stop = new AbortController();
      const watch = watching(clientOf(server.url), stop.signal);
      await until(() => server.requests.length === 1);
      if (answer !== never) await until(() => watch.opened() === 1);
      stop.abort(reason);
      await expect(watch.ended).rejects.toBe(reason);
      await until(() => server.requests[0]!.left());
    }
  });

  test('that nobody reads on is left', async () => {
    const event = `${JSON.stringify({ type: 'ADDED', object: lamp('one', 6) })}\n`;
    const server = await serve((_, response) => void response.writeHead(200).write(event));
    for await (const { type } of clientOf(server.url).watch(
      LAMPS,
      { resourceVersion: '1' },
      new AbortController().signal,
    )) {
      expect(type).toBe('ADDED');
      break;
    }
    await until(() => server.requests[0]!.left());
  });

  test('has no time limit once it is open, and takes no connection from requests', async () => {
    const server = await serve((request, response) =>
      request.query.has('watch')
        ? response.writeHead(200).flushHeaders()
        : json(response, 200, lamp('one', 1)),
    );
    const clock = new FakeClock();
    const client = clientOf(server.url, { clock, maxConnections: 1, requestTimeoutMs: 1000 });
    const stop = new AbortController();
    const watch = watching(client, stop.signal);
    await until(() => watch.opened() === 1);
    await client.get(LAMPS, REF);
    await clock.advance(600_000);
    expect(server.requests[0]!.left()).toBe(false);
    stop.abort();
    await expect(watch.ended).rejects.toThrow();
  });
});
