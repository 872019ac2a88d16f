import { afterEach, describe, expect, test } from '@jest/globals';
import { fence } from '../../../../src/kube/fenced-client.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { clientOf, lamp, LAMPS, LAMPS_PATH } from '../transport/client.ts';
import {
  endServers,
  inTurn,
  json,
  refuse,
  serve,
  until,
  type Answerer,
} from '../transport/scripted-server.ts';

const REF = { namespace: 'a', name: 'one' };
const fine: Answerer = (_, response) => json(response, 200, lamp('one', 7));

afterEach(endServers);

describe('a fenced client', () => {
  test('lets nothing be written that may not be, and everything be read', async () => {
    const server = await serve((request, response) =>
      json(
        response,
        200,
        request.path === LAMPS_PATH ? { metadata: { resourceVersion: '1' } } : lamp('one', 1),
      ),
    );
    const client = fence(clientOf(server.url), () => false);
    const refused = { name: 'NotLeading' };
    await expect(client.create(LAMPS, lamp('one', 1))).rejects.toMatchObject(refused);
    await expect(client.update(LAMPS, lamp('one', 1))).rejects.toMatchObject(refused);
    await expect(client.apply(LAMPS, lamp('one', 1), { fieldManager: 'me' })).rejects.toMatchObject(refused);
    await expect(client.patch(LAMPS, REF, {})).rejects.toMatchObject(refused);
    await expect(client.delete(LAMPS, REF)).rejects.toMatchObject(refused);
    expect(server.requests).toEqual([]);
    await client.get(LAMPS, REF);
    await client.list(LAMPS, {});
    expect(server.requests).toHaveLength(2);
  });

  test('asks again after queueing for a connection', async () => {
    let leads = true;
    const finish: (() => void)[] = [];
    const server = await serve((_, response) => finish.push(() => json(response, 200, lamp('one', 1))));
    const client = fence(clientOf(server.url, { maxConnections: 1 }), () => leads);
    const first = client.update(LAMPS, lamp('one', 1));
    const second = expect(client.update(LAMPS, lamp('two', 1))).rejects.toMatchObject({ name: 'NotLeading' });
    await until(() => finish.length === 1);
    leads = false;
    finish[0]!();
    await Promise.all([first, second]);
    expect(server.requests).toHaveLength(1);
  });

  test('asks again after waiting for credentials and for the patience of a 429', async () => {
    let leads = true;
    const server = await serve(inTurn((_, response) => refuse(response, 429, 'TooManyRequests'), fine));
    const clock = new FakeClock();
    const client = fence(clientOf(server.url, { clock }), () => leads);
    const writing = expect(client.create(LAMPS, lamp('one', 1))).rejects.toMatchObject({
      name: 'NotLeading',
    });
    await until(() => server.requests.length === 1 && clock.pending === 1, 'the wait after the 429');
    leads = false;
    await clock.advance(10_000);
    await writing;
    expect(server.requests).toHaveLength(1);

    const slow = {
      current: async () => {
        leads = false;
        return { headers: {}, tls: {} };
      },
      refused: () => Promise.reject(new Error('not asked')),
    };
    leads = true;
    const late = fence(clientOf(server.url, { credentials: slow, clock: systemClock }), () => leads);
    await expect(late.delete(LAMPS, REF)).rejects.toMatchObject({ name: 'NotLeading' });
    expect(server.requests).toHaveLength(1);
  });

  test('writes while it may, again on a connection that was kept', async () => {
    const server = await serve(fine);
    const client = fence(clientOf(server.url), () => true);
    await client.create(LAMPS, lamp('one', 1));
    await client.update(LAMPS, lamp('one', 1));
    expect(server.connections).toBe(1);
    expect(JSON.parse(server.requests[1]!.body)).toEqual(lamp('one', 1));
  });
});
