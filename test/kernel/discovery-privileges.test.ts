import { afterAll, beforeAll, expect } from '@jest/globals';
import type { HostVm } from '../../src/agent/discovery/directory.ts';
import { Qemu } from '../support/discovery/qemu.ts';
import { Lab, type Namespace, poll } from '../support/lab/index.ts';
import { startChild } from '../support/native/child.ts';
import { executable, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';

/** What is found without the capabilities that it takes, and that what cannot be seen is said, not left out. */
const { test } = requires(root, executable('qemu-system-x86_64'), executable('setpriv'));

let lab: Lab;
let host: Namespace;
let pod: Namespace;
beforeAll(async () => {
  lab = await Lab.create('discpriv');
  host = await lab.namespace('host');
  pod = await lab.namespace('pod');
  for (const [namespace, name] of [
    [host, 'here'],
    [pod, 'there'],
  ] as const) {
    const netdev = ['-netdev', `tap,id=n,ifname=dp-${name},script=no,downscript=no`];
    new Qemu(namespace, [
      '-name',
      name,
      ...netdev,
      '-device',
      'virtio-net-pci,netdev=n,mac=52:54:00:aa:00:01',
    ]);
    await poll(`the tap of ${name}`, async () =>
      (await namespace.run(['ip', 'link'])).includes(`dp-${name}`),
    );
  }
}, 30_000);
afterAll(async () => {
  await lab?.close();
}, 30_000);

interface Seen {
  readonly vms: readonly HostVm[];
  readonly problems: readonly string[];
}

/** What a process finds that has all capabilities but some, or none but some. */
async function seenWith(capabilities: string): Promise<Seen> {
  const url = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  const child = startChild(
    host,
    `
    const { FoundVms } = await import(${url('agent/discovery/found-vms.ts')});
    const { systemMachine } = await import(${url('agent/discovery/system-machine.ts')});
    const { systemClock } = await import(${url('lib/clock.ts')});
    const { createLogger } = await import(${url('lib/log.ts')});
    const found = new FoundVms({ machine: systemMachine(), clock: systemClock, log: createLogger({ level: 'silent' }) });
    found.start();
    say({ vms: found.list(), problems: found.problems() });
    found.close();
    `,
    ['setpriv', '--bounding-set', capabilities],
  );
  const seen = await child.next<Seen>();
  expect(await child.end()).toBe(0);
  return seen;
}

const reasonFor = ({ vms }: Seen, name: string): string | null | undefined =>
  vms.find(({ reported }) => reported.name === name)?.cards[0]?.unsupported;

test('with CAP_NET_ADMIN, CAP_SYS_PTRACE and CAP_SYS_ADMIN alone everything is found', async () => {
  const seen = await seenWith('-all,+net_admin,+sys_ptrace,+sys_admin');
  expect(reasonFor(seen, 'here')).toBeNull();
  expect(reasonFor(seen, 'there')).toBeNull();
}, 20_000);

test('without CAP_SYS_ADMIN those in other network namespaces are closed, and say why', async () => {
  const seen = await seenWith('-sys_admin');
  expect(reasonFor(seen, 'here')).toBeNull();
  expect(reasonFor(seen, 'there')).toMatch(
    /network namespace net:\[\d+\] cannot be read\. Run .* with CAP_SYS_ADMIN/,
  );
  expect(seen.problems.join('\n')).toContain('cannot be read');
}, 20_000);

test('without CAP_SYS_PTRACE all are closed, and say what is needed', async () => {
  const seen = await seenWith('-sys_ptrace,-sys_admin');
  for (const name of ['here', 'there']) expect(reasonFor(seen, name)).toContain('CAP_SYS_PTRACE');
}, 20_000);
