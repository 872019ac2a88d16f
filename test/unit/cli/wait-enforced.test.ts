import { expect, test } from '@jest/globals';
import { VmnError } from '../../../src/lib/errors.ts';
import type { AgentStatus } from '../../../src/agent/status/status.ts';
import type { SeenStatus } from '../../../src/cli/agent/agent-status.ts';
import { waitEnforced } from '../../../src/cli/run/wait-enforced.ts';
import { attachment, status } from './agent-server.ts';

const never = new AbortController().signal;

/** Answers in turn, the last one for ever; counts the questions. */
function answers(...list: (AgentStatus | Error)[]) {
  let asked = 0;
  return {
    asked: () => asked,
    manifests: '/etc/vmnetwork',
    status: async (): Promise<SeenStatus> => {
      const answer = list[Math.min(asked++, list.length - 1)];
      if (answer === undefined || answer instanceof Error) throw answer ?? new Error('no answer');
      return Promise.resolve(answer as unknown as SeenStatus);
    },
  };
}

const noAgent = new VmnError('VMN_AGENT_UNREACHABLE', { attempted: 'ask' });
const denied = status({ attachments: [attachment({ state: 'Pending', message: 'not wired' })] });

test('returns at once when it is enforced', async () => {
  const ports = answers(status());
  expect(await waitEnforced('rental-7f3a', 10_000, ports, never)).toMatchObject({
    state: 'enforced',
    endpoint: '203.0.113.10:51900',
  });
  expect(ports.asked()).toBe(1);
});

test('waits for it', async () => {
  const ports = answers(denied, denied, status());
  expect(await waitEnforced('rental-7f3a', 10_000, ports, never)).toMatchObject({ state: 'enforced' });
  expect(ports.asked()).toBe(3);
});

test('without an agent it waits as long as one that was just started may need, and no longer', async () => {
  const before = performance.now();
  expect(await waitEnforced('rental-7f3a', 10_000, answers(noAgent), never)).toMatchObject({
    state: 'closed',
    why: 'no agent is running; start vmnet-agent --manifests /etc/vmnetwork',
  });
  expect(performance.now() - before).toBeLessThan(8_000);
});

test('an agent that comes meanwhile is found', async () => {
  const ports = answers(noAgent, noAgent, denied, status());
  expect(await waitEnforced('rental-7f3a', 10_000, ports, never)).toMatchObject({ state: 'enforced' });
});

test('gives up at the deadline and says what the agent says', async () => {
  expect(await waitEnforced('rental-7f3a', 150, answers(denied), never)).toMatchObject({
    state: 'closed',
    why: 'Pending: not wired; see vmnetctl status',
  });
});

test.each([[[]], [[attachment({ network: null, state: 'Denied' })]]])(
  'says when the agent knows of no network for the VM',
  async (attachments) => {
    expect(await waitEnforced('rental-7f3a', 0, answers(status({ attachments })), never)).toMatchObject({
      state: 'closed',
      why: 'no VMNetwork in /etc/vmnetwork selects VM rental-7f3a; put the manifest there',
    });
  },
);

test('of a cluster it says where the wish has to come from', async () => {
  const { agent } = status();
  const inCluster = status({ agent: { ...agent, manifests: null }, attachments: [] });
  expect(await waitEnforced('rental-7f3a', 0, answers(inCluster), never)).toMatchObject({
    state: 'closed',
    why: 'the cluster has no VMNetworkAttachment for VM rental-7f3a yet; apply its VMNetwork',
  });
});

test('another VM that is enforced does not count', async () => {
  const other = status({ attachments: [attachment({ vm: 'other' })] });
  expect(await waitEnforced('rental-7f3a', 0, answers(other), never)).toMatchObject({ state: 'closed' });
});

test('stops when aborted', async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 50);
  const begin = performance.now();
  await waitEnforced('rental-7f3a', 60_000, answers(denied), abort.signal);
  expect(performance.now() - begin).toBeLessThan(5_000);
});

test('errors that are not the absence of an agent are not hidden', async () => {
  await expect(waitEnforced('a', 0, answers(new TypeError('bug')), never)).rejects.toThrow('bug');
});
