import { afterEach, describe, expect, test } from '@jest/globals';
import { AgentSocket } from '../../../src/cli/agent/agent-socket.ts';
import { readAgentEvents, readAgentStatus } from '../../../src/cli/agent/agent-status.ts';
import { type AgentServer, serveAgent, status } from './agent-server.ts';

let server: AgentServer | null = null;
const never = new AbortController().signal;

afterEach(async () => {
  await server?.close();
  server = null;
});

async function answering(code: number, body: string): Promise<AgentSocket> {
  server = await serveAgent((_, response) => response.writeHead(code).end(body));
  return new AgentSocket(server.path);
}

describe('readAgentStatus', () => {
  test('gives what the agent says, fields of a newer agent included', async () => {
    const said = { ...status(), later: { field: 1 } };
    const socket = await answering(200, JSON.stringify(said));
    expect(await readAgentStatus(socket, never)).toEqual({ ...said, agent: said.agent });
  });

  test.each<[string, number, string]>([
    ['an error status', 500, '{}'],
    ['something that is not JSON', 200, '<html>'],
    ['half an answer', 200, '{"agent":'],
    ['another shape', 200, '{"agent": {}, "networks": 5}'],
  ])('%s is VMN_AGENT_UNREACHABLE', async (_, code, body) => {
    const socket = await answering(code, body);
    await expect(readAgentStatus(socket, never)).rejects.toMatchObject({ code: 'VMN_AGENT_UNREACHABLE' });
  });

  test('a missing socket is VMN_AGENT_UNREACHABLE', async () => {
    const socket = new AgentSocket('/nonexistent/agent.sock');
    await expect(readAgentStatus(socket, never)).rejects.toMatchObject({
      code: 'VMN_AGENT_UNREACHABLE',
      message: expect.stringContaining('/nonexistent/agent.sock') as unknown,
    });
  });
});

describe('readAgentEvents', () => {
  const event = {
    time: '2026-01-31T12:00:00Z',
    vm: 'rental-7f3a',
    network: null,
    direction: 'from-vm',
    reason: 'SourceMac',
    summary: 's',
    frameBytes: 60,
  };

  test('gives events across chunks and passes over lines that are none', async () => {
    const text = `${JSON.stringify(event)}\nnoise\n{"vm":1}\n\n${JSON.stringify({ ...event, vm: 'b' })}\n`;
    server = await serveAgent((_, response) => {
      response.write(text.slice(0, 30));
      setTimeout(() => response.end(text.slice(30)), 20);
    });
    const seen = [];
    for await (const item of readAgentEvents(new AgentSocket(server.path), never)) seen.push(item.vm);
    expect(seen).toEqual(['rental-7f3a', 'b']);
  });

  test('ends quietly when aborted', async () => {
    server = await serveAgent((_, response) => response.write(`${JSON.stringify(event)}\n`));
    const abort = new AbortController();
    let seen = 0;
    for await (const item of readAgentEvents(new AgentSocket(server.path), abort.signal)) {
      seen += item.vm.length;
      abort.abort();
    }
    expect(seen).toBe(event.vm.length);
  });

  test('says when the agent dies in the middle', async () => {
    server = await serveAgent((_, response) => {
      response.write(`${JSON.stringify(event)}\n`);
      setTimeout(() => response.destroy(), 20);
    });
    const seen: string[] = [];
    const read = async (): Promise<void> => {
      for await (const item of readAgentEvents(new AgentSocket(server?.path ?? ''), never))
        seen.push(item.vm);
    };
    await expect(read()).rejects.toMatchObject({ code: 'VMN_AGENT_UNREACHABLE' });
    expect(seen).toEqual(['rental-7f3a']);
  });
});
