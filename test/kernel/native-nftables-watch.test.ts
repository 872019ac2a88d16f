import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { nftablesGeneration, watchNftables } from '../../src/native/nftables-watch.ts';
import { Lab, type Namespace, poll } from '../support/lab/index.ts';
import { startChild } from '../support/native/child.ts';
import { moveInto } from '../support/stage/own-namespace.ts';

let lab: Lab;
let host: Namespace;
let leave: () => void;
beforeAll(async () => {
  lab = await Lab.create('nftw');
  host = await lab.namespace('host');
  leave = moveInto(host);
}, 30_000);
afterAll(async () => {
  leave?.();
  await lab?.close();
}, 30_000);

let calls: number;
const open: { close(): void }[] = [];
afterEach(() => {
  for (const watch of open.splice(0)) watch.close();
});

function watching(): { close(): void } {
  calls = 0;
  const watch = watchNftables(() => {
    calls += 1;
  });
  open.push(watch);
  return watch;
}

async function expectCall(...words: string[]): Promise<void> {
  const before = calls;
  await host.run(['nft', ...words]);
  await poll(`a call for nft ${words.join(' ')}`, () => calls > before);
}

/** Messages that the queues of netfilter sockets of this namespace had no room for. */
function lost(): number {
  const [, ...sockets] = readFileSync('/proc/thread-self/net/netlink', 'utf8').trim().split('\n');
  const NETLINK_NETFILTER = '12';
  return sockets
    .map((line) => line.trim().split(/\s+/))
    .filter(([, protocol]) => protocol === NETLINK_NETFILTER)
    .reduce((sum, fields) => sum + Number(fields[8]), 0);
}

test('calls back for each change of the rule set, not for looking at it, and not after it was closed', async () => {
  const watch = watching();
  await expectCall('add', 'table', 'inet', 'x');
  await expectCall('add', 'chain', 'inet', 'x', 'in', '{ type filter hook input priority 0; }');
  await expectCall('add', 'rule', 'inet', 'x', 'in', 'accept');
  await expectCall('add', 'set', 'inet', 'x', 's', '{ type ifname; }');
  await expectCall('add', 'element', 'inet', 'x', 's', '{ uplink }');
  await expectCall('flush', 'ruleset');
  await pause(50);
  const before = calls;
  await host.run(['nft', 'list', 'ruleset']);
  await pause(50);
  expect(calls).toBe(before);
  watch.close();
  watch.close();
  await host.run(['nft', 'add', 'table', 'inet', 'unseen']);
  await pause(50);
  expect(calls).toBe(before);
});

test('a burst that overflows the queue calls back, and does not deafen', async () => {
  const watch = watching();
  // While this thread does not read.
  const burst = Array.from({ length: 2000 }, (_, i) => `add table inet burst${String(i)}\n`).join('');
  for (let round = 0; round < 10 && lost() === 0; round++) {
    execFileSync('nft', ['-f', '-'], { input: burst });
    execFileSync('nft', ['flush', 'ruleset']);
  }
  expect(lost()).toBeGreaterThan(0);
  await poll('a call', () => calls > 0);
  await pause(50);
  await expectCall('add', 'table', 'inet', 'after');
  await expectCall('delete', 'table', 'inet', 'after');
  watch.close();
}, 60_000);

test('the generation is another after each change, and the same for as long as there is none', async () => {
  const seen = new Set([nftablesGeneration()]);
  const changes = [
    'add table inet g',
    'add chain inet g in { type filter hook input priority 0; }',
    'add rule inet g in accept',
    'add set inet g s { type ifname; }',
    'add element inet g s { uplink }',
    'delete element inet g s { uplink }',
    'flush table inet g',
    'flush ruleset',
  ];
  for (const [index, change] of changes.entries()) {
    await host.run(['nft', change]);
    seen.add(nftablesGeneration());
    await host.run(['nft', 'list', 'ruleset']);
    seen.add(nftablesGeneration());
    expect([change, seen.size]).toEqual([change, index + 2]);
  }
});

test('keeps a process alive while open, and no longer', async () => {
  const child = startChild(
    host,
    `const watch = nftables.watchNftables(() => { watch.close(); say('told'); }); say('watching');`,
  );
  expect(await child.next()).toBe('watching');
  await pause(200);
  await host.run(['nft', 'add', 'table', 'inet', 'x']);
  expect(await child.next()).toBe('told');
  expect(await child.end()).toBe(0);
}, 20_000);
