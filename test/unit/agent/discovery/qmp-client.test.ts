import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { askVm } from '../../../../src/agent/discovery/qmp/ask.ts';
import {
  QMP_LIMITS,
  QmpClient,
  QmpError,
  type QmpEvent,
  type QmpLimits,
} from '../../../../src/agent/discovery/qmp/client.ts';
import { quit, setLink } from '../../../../src/agent/discovery/qmp/commands.ts';
import { recorded } from '../../../support/discovery/recorded.ts';

const scratch = mkdtempSync(join(tmpdir(), 'vmn-qmp-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const servers: { server: Server; sockets: Socket[] }[] = [];
afterEach(() => {
  for (const { server, sockets } of servers.splice(0)) {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

const GREETING = '{"QMP": {"version": {}, "capabilities": ["oob"]}}\r\n';
let last = 0;

type Answer = (
  command: { execute: string; arguments: Record<string, unknown>; id: number },
  socket: Socket,
) => void;

/** A monitor that greets with `greeting` and answers as told; the path it listens at. */
async function monitor(answer: Answer, greeting: string | Buffer = GREETING): Promise<string> {
  const path = join(scratch, `${String(last++)}.sock`);
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(greeting);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) answer(JSON.parse(line) as Parameters<Answer>[0], socket);
    });
  });
  servers.push({ server, sockets });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return path;
}

const reply = (socket: Socket, value: object): boolean => socket.write(`${JSON.stringify(value)}\r\n`);
const willing: Answer = ({ id }, socket) => void reply(socket, { return: {}, id });
/** Patient where something is to come, and not where it is not. */
const UNANSWERED: QmpLimits = { ...QMP_LIMITS, greetingMs: 20_000, answerMs: 1000 };
const UNGREETED: QmpLimits = { ...QMP_LIMITS, greetingMs: 50 };

describe('a session', () => {
  test('negotiates, and matches answers to commands by their id, in any order', async () => {
    const asked: { execute: string; arguments: unknown }[] = [];
    const path = await monitor(({ execute, arguments: given, id }, socket) => {
      asked.push({ execute, arguments: given });
      if (execute === 'first') setTimeout(() => reply(socket, { return: 'slow', id }), 20);
      else reply(socket, { return: execute, id });
    });
    const client = await QmpClient.connect(path);
    expect(await Promise.all([client.execute('first'), client.execute('second', { a: 1 })])).toEqual([
      'slow',
      'second',
    ]);
    expect(asked).toEqual([
      { execute: 'qmp_capabilities', arguments: {} },
      { execute: 'first', arguments: {} },
      { execute: 'second', arguments: { a: 1 } },
    ]);
    client.close();
    client.close();
    await expect(client.execute('third')).rejects.toThrow('closed');
  });

  test('tells events apart from answers, and a refusal from the end', async () => {
    const events: QmpEvent[] = [];
    const path = await monitor(({ execute, id }, socket) => {
      reply(socket, { event: 'STOP', data: { x: 1 }, timestamp: {} });
      if (execute === 'bad') reply(socket, { error: { class: 'GenericError', desc: 'no such thing' }, id });
      else reply(socket, { return: {}, id });
    });
    const client = await QmpClient.connect(path, { onEvent: (event) => events.push(event) });
    await expect(client.execute('bad')).rejects.toMatchObject({ message: 'no such thing', refused: true });
    await expect(client.execute('good')).resolves.toEqual({});
    expect(events).toEqual(Array(3).fill({ event: 'STOP', data: { x: 1 } }));
    client.close();
  });

  test('what may be done to a VM: its cable, its end', async () => {
    const asked: unknown[] = [];
    const path = await monitor(({ execute, arguments: given, id }, socket) => {
      asked.push([execute, given]);
      reply(socket, { return: {}, id });
    });
    const client = await QmpClient.connect(path);
    await setLink(client, 'net0', false);
    await quit(client);
    expect(asked.slice(1)).toEqual([
      ['set_link', { name: 'net0', up: false }],
      ['quit', {}],
    ]);
    client.close();
  });
});

describe('a session ends, and nothing stays open, when', () => {
  async function refusal(path: string, limits: QmpLimits = UNGREETED): Promise<string> {
    const error: unknown = await QmpClient.connect(path, { limits }).then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(QmpError);
    expect(error).toMatchObject({ refused: false });
    return (error as QmpError).message;
  }

  test.each([
    ['nobody greets', '', 'no greeting within 50 ms'],
    ['the greeting is none', '{"hello": 1}\n', 'not that of QMP'],
    ['it talks no JSON', 'HTTP/1.1 400 Bad Request\r\n', 'no JSON object'],
    ['it talks numbers', '7\n', 'no JSON object'],
  ])('%s', async (_, greeting, message) => {
    expect(await refusal(await monitor(willing, greeting))).toContain(message);
  });

  test('nobody listens, or it is no socket', async () => {
    expect(await refusal(join(scratch, 'nothing'))).toContain('ENOENT');
  });

  test('a line, or all of it, is too long', async () => {
    const limits = { ...QMP_LIMITS, greetingMs: 20_000, lineBytes: 1000, sessionBytes: 3000 };
    expect(await refusal(await monitor(willing, 'x'.repeat(2000)), limits)).toBe('a line is too long');
    expect(await refusal(await monitor(willing, `${' '.repeat(900)}\n`.repeat(10)), limits)).toBe(
      'it says too much',
    );
  });

  test('an answer does not come, comes to nothing, or the other end goes', async () => {
    const only =
      (answer: Answer): Answer =>
      (command, socket) => {
        if (command.execute === 'qmp_capabilities') willing(command, socket);
        else answer(command, socket);
      };
    for (const [answer, message] of [
      [() => undefined, 'no answer to x within 1000 ms'],
      [(_: unknown, socket: Socket) => void reply(socket, { return: {}, id: 99 }), 'an answer to nothing'],
      [(_: unknown, socket: Socket) => void reply(socket, { return: {} }), 'an answer to nothing'],
      [(_: unknown, socket: Socket) => void socket.end(), 'the other end closed'],
    ] as const) {
      const client = await QmpClient.connect(await monitor(only(answer)), { limits: UNANSWERED });
      await expect(Promise.all([client.execute('x'), client.execute('x')])).rejects.toThrow(message);
      await expect(client.execute('y')).rejects.toThrow(QmpError);
    }
  });
});

describe('asking a VM', () => {
  const QOM: Record<string, Record<string, string>> = {
    '/machine/peripheral': { nic1: 'e1000', disk: 'virtio-blk-pci' },
    '/machine/peripheral-anon': { 'device[0]': 'virtio-net-pci', 'device[1]': 'virtio-net-pci' },
    '/machine/unattached': { 'device[20]': 'rtl8139', 'device[21]': 'e1000', 'device[22]': 'piix3-ide' },
  };
  const CARDS: Record<string, [string, string]> = {
    '/machine/peripheral/nic1': ['net1', '52:54:00:12:34:58'],
    '/machine/peripheral-anon/device[0]': ['net0', '52:54:00:AA:00:01'],
    '/machine/peripheral-anon/device[1]': ['', '52:54:00:12:34:59'],
    '/machine/unattached/device[20]': ['#net067', '52:54:00:12:34:56'],
    '/machine/unattached/device[21]': ['hub0port0', '52:54:00:12:34:57'],
  };

  test('as QEMU answers: who it is, and its cards with their ends', async () => {
    const commands = new Set<string>();
    const path = await monitor(({ execute, arguments: given, id }, socket) => {
      commands.add(execute);
      const at = String(given['path']);
      const card = CARDS[at];
      const answers: Record<string, unknown> = {
        qmp_capabilities: {},
        'query-name': { name: 'hd1' },
        'query-uuid': { UUID: '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11' },
        'human-monitor-command': recorded('info-network.txt'),
        'qom-list': Object.entries(QOM[at] ?? {}).map(([name, kind]) => ({ name, type: `child<${kind}>` })),
        'qom-get': given['property'] === 'netdev' ? card?.[0] : card?.[1],
      };
      const value = answers[execute];
      reply(
        socket,
        value === undefined ? { error: { desc: 'Property not found' }, id } : { return: value, id },
      );
    });
    const client = await QmpClient.connect(path);
    const facts = await askVm(client);
    client.close();
    expect(facts).toMatchObject({ name: 'hd1', uuid: '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11' });
    expect(facts.cards).toEqual([
      { device: 'e1000', mac: '52:54:00:12:34:58', backends: ['net1'] },
      { device: 'virtio-net-pci', mac: '52:54:00:aa:00:01', backends: ['net0'] },
      { device: 'virtio-net-pci', mac: '52:54:00:12:34:59', backends: [] },
      { device: 'rtl8139', mac: '52:54:00:12:34:56', backends: ['#net067'] },
      { device: 'e1000', mac: '52:54:00:12:34:57', backends: ['#net272'] },
    ]);
    // Nothing that changes anything, or rearms an event that somebody waits for.
    expect([...commands].sort()).toEqual([
      'human-monitor-command',
      'qmp_capabilities',
      'qom-get',
      'qom-list',
      'query-name',
      'query-uuid',
    ]);
  });

  test('that refuses all, or answers in other shapes, is a VM without facts', async () => {
    for (const answer of [
      { error: { desc: 'no' } },
      { return: 7 },
      { return: null },
      { return: [{ name: 1 }] },
    ] as const) {
      const path = await monitor(({ execute, id }, socket) =>
        execute === 'qmp_capabilities'
          ? void reply(socket, { return: {}, id })
          : void reply(socket, { ...answer, id }),
      );
      const client = await QmpClient.connect(path);
      expect(await askVm(client)).toEqual({ name: null, uuid: null, cards: [], backends: [] });
      client.close();
    }
  });
});
