import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DropEventFeed } from '../../../src/agent/status/drop-events.ts';
import { StatusServer } from '../../../src/agent/status/server.ts';
import type { AgentStatus, DropEvent } from '../../../src/agent/status/status.ts';
import { poll } from '../../support/lab/poll.ts';

const STATUS: AgentStatus = {
  agent: {
    version: '1',
    pid: 1,
    startedAt: '2026-01-31T12:00:00Z',
    manifests: '/m',
    bpffs: '/b',
    programTags: { fromVm: 'a', toVm: 'b' },
  },
  networks: [],
  attachments: [],
  problems: [],
};
const EVENT: DropEvent = {
  time: '2026-01-31T12:00:00Z',
  vm: 'vm',
  network: null,
  direction: 'from-vm',
  reason: 'Ipv6',
  summary: 'IPv6',
  frameBytes: 60,
};

describe('the status socket', () => {
  let dir: string;
  let socketPath: string;
  let status: AgentStatus | null;
  let wrong: string | null;
  let server: StatusServer;
  const events = new DropEventFeed();
  const open = (): Promise<StatusServer> =>
    StatusServer.listen({
      socketPath,
      events,
      status: () => status,
      ailment: () => wrong,
      unready: () => wrong,
    });
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'vmn-server-'));
    socketPath = join(dir, 'run', 'agent.sock');
    status = STATUS;
    wrong = null;
    server = await open();
  });
  afterEach(async () => {
    await server.close();
    rmSync(dir, { recursive: true });
  });

  function ask(path: string, method = 'GET'): Promise<{ code: number | undefined; body: string }> {
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath, path, method, agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => resolve({ code: response.statusCode, body }));
      });
      asked.on('error', reject).end();
    });
  }

  test('gives the status as JSON, and says when there is none yet', async () => {
    const answer = await ask('/v1/status');
    expect([answer.code, JSON.parse(answer.body)]).toEqual([200, STATUS]);
    status = null;
    expect((await ask('/v1/status')).code).toBe(503);
  });

  test('tells health, refuses what it does not know', async () => {
    expect((await ask('/healthz')).code).toBe(200);
    expect((await ask('/readyz')).code).toBe(200);
    wrong = 'pass: the first one has not ended';
    expect(await ask('/healthz')).toEqual({ code: 503, body: `${wrong}\n` });
    expect(await ask('/readyz')).toEqual({ code: 503, body: `${wrong}\n` });
    expect((await ask('/v2')).code).toBe(404);
    expect((await ask('/v1/status', 'POST')).code).toBe(405);
    expect((await ask('//')).code).toBe(404);
  });

  test('streams events to every reader, and forgets readers that left', async () => {
    const read = (): Promise<{ response: IncomingMessage; lines: string[] }> =>
      new Promise((resolve, reject) => {
        const lines: string[] = [];
        request({ socketPath, path: '/v1/events', agent: false }, (response) => {
          response.setEncoding('utf8').on('data', (text: string) => lines.push(...text.trim().split('\n')));
          resolve({ response, lines });
        })
          .on('error', reject)
          .end();
      });
    const [one, two] = [await read(), await read()];
    await poll('two readers', () => events.listeners === 2);
    events.publish(EVENT);
    await poll('the event', () => one.lines.length === 1 && two.lines.length === 1);
    expect(JSON.parse(one.lines[0] ?? '')).toEqual(EVENT);
    one.response.destroy();
    await poll('one reader', () => events.listeners === 1);
    await server.close();
    await poll('no reader', () => events.listeners === 0);
    two.response.on('error', () => undefined);
  });

  test('a reader that does not read does not fill the memory', async () => {
    const stuck = await new Promise<IncomingMessage>((resolve) => {
      request({ socketPath, path: '/v1/events', agent: false }, resolve).end();
    });
    stuck.on('error', () => undefined);
    await poll('the reader', () => events.listeners === 1);
    const before = process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
    for (let index = 0; index < 200_000; index += 1) events.publish(EVENT);
    const after = process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
    expect(after - before).toBeLessThan(30_000_000);
    stuck.destroy();
  });

  test("replaces a dead agent's socket, and takes its own away", async () => {
    await server.close();
    expect(existsSync(socketPath)).toBe(false);
    writeFileSync(socketPath, '');
    server = await open();
    expect((await ask('/healthz')).code).toBe(200);
  });

  test('a path that is too long for a socket is an error that says so', async () => {
    const options = { events, status: () => null, ailment: () => null, unready: () => null };
    const long = join(dir, 'x'.repeat(120), 'agent.sock');
    await expect(StatusServer.listen({ ...options, socketPath: long })).rejects.toMatchObject({
      remedy: expect.stringContaining('107 bytes'),
    });
  });
});
