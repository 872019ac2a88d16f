/** One list of capabilities: the agent is tested with it (test/kernel), systemd and the chart grant it. */
import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { AGENT_CAPABILITIES } from '../../../src/agent/host/capabilities.ts';
import { NEEDED_CAPABILITIES } from '../../../src/native/privilege.ts';

const textOf = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const names = AGENT_CAPABILITIES.map(({ name }) => name).sort();

test('the systemd unit grants it', () => {
  const [, granted = ''] = /^CapabilityBoundingSet=(.*)$/m.exec(textOf('systemd/vmnet-agent.service')) ?? [];
  expect(granted.split(' ').sort()).toEqual(names.map((name) => `CAP_${name}`));
});

test('the chart grants it', () => {
  const [, block = ''] =
    /\n +add:\n([^]*?)\n +volumeMounts:/.exec(textOf('helm/vmnetwork/templates/agent/daemon-set.yaml')) ?? [];
  expect([...block.matchAll(/- ([A-Z_]+)$/gm)].map(([, name]) => name).sort()).toEqual(names);
});

test('those without which an agent does not start are those that its programs name', () => {
  const needed = AGENT_CAPABILITIES.filter((capability) => capability.needed);
  expect(needed.map(({ name }) => `CAP_${name}`).sort()).toEqual(Object.keys(NEEDED_CAPABILITIES).sort());
});
