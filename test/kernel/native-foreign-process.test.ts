import { closeSync, fstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  openProcess,
  openTunNetns,
  signalProcess,
  tunFiles,
  unixSockets,
  watchProcess,
  watchProcessEnd,
} from '../../src/native/foreign-process.ts';
import { failedWith } from '../../src/native/native-failure.ts';
import { createTap } from '../../src/native/tap.ts';
import { Lab, mustRun, type Namespace, poll } from '../support/lab/index.ts';
import { startChild } from '../support/native/child.ts';
import { moveInto } from '../support/stage/own-namespace.ts';

let lab: Lab;
let host: Namespace;
let far: Namespace;
let leave: () => void;
beforeAll(async () => {
  lab = await Lab.create('foreign');
  host = await lab.namespace('host');
  far = await lab.namespace('far');
  leave = moveInto(host);
}, 30_000);
afterAll(async () => {
  leave?.();
  await lab?.close();
}, 30_000);

/** IFF_TUN, IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE of linux/if_tun.h */
const TUN = 0x1001;
const TAP = 0x1002;
const TAP_OF_QUEUES = 0x1102;

/** A process that shares no code with ours and opens these, one descriptor each. */
async function holder(
  namespace: Namespace,
  devices: readonly (readonly [string, number])[],
): Promise<ChildProcess> {
  const script = `
import fcntl, os, struct, sys, time
for name, flags in ${JSON.stringify(devices)}:
    fd = os.open('/dev/net/tun', os.O_RDWR)
    if name:
        fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22x', name.encode(), flags))
print('holds', flush=True)
time.sleep(120)
`;
  const child = namespace.spawn(['python3', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text));
  await poll('it to hold', () => said.includes('holds'));
  return child;
}

const SERVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(1)
kept = [s.accept() for i in range(2)]
`;
const CLIENT = `
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
time.sleep(60)
`;

async function inodeOf(namespace: Namespace): Promise<number> {
  const link = await namespace.run(['readlink', '/proc/self/ns/net']);
  return Number(/\d+/.exec(link)?.[0]);
}

test('the taps of a process are told by what they are now: kind, name, namespace', async () => {
  const child = await holder(far, [
    ['a', TAP],
    ['q', TAP_OF_QUEUES],
    ['q', TAP_OF_QUEUES],
    ['t', TUN],
    ['', 0],
  ]);
  const pid = child.pid ?? 0;
  const netns = await inodeOf(far);
  const found = (): unknown[] => tunFiles(pid).map(({ kind, name, netns }) => [kind, name, netns]);
  // The one that was only opened has no interface, and is not told.
  expect(found()).toEqual([
    ['tap', 'a', netns],
    ['tap', 'q', netns],
    ['tap', 'q', netns],
    ['tun', 't', netns],
  ]);
  const fds = tunFiles(pid).map(({ fd }) => fd);
  expect(tunFiles(pid, [fds[1]!, 0, 99, fds[0]!])).toEqual([tunFiles(pid)[1], tunFiles(pid)[0]]);
  expect(tunFiles(pid, [])).toEqual([]);
  await far.run(['ip', 'link', 'set', 'dev', 'a', 'name', 'renamed']);
  await far.run(['ip', 'link', 'set', 'renamed', 'netns', host.id]);
  expect(found()[0]).toEqual(['tap', 'renamed', await inodeOf(host)]);
  const fd = openTunNetns(pid, tunFiles(pid)[0]!.fd);
  expect(fstatSync(fd).ino).toBe(await inodeOf(host));
  closeSync(fd);
  await host.run(['ip', 'link', 'del', 'renamed']);
  expect(found()).toHaveLength(3);
  child.kill('SIGKILL');
});

test('the numbers are those in that process', async () => {
  const { fd } = createTap('mine');
  const netns = await inodeOf(host);
  // The files of this tier share a process: another one's tap may be open in it.
  const own = () => tunFiles(process.pid).filter((file) => file.netns === netns);
  expect(own()).toEqual([{ fd, kind: 'tap', name: 'mine', netns }]);
  expect(readlinkSync(`/proc/self/fd/${String(fd)}`)).toBe('/dev/net/tun');
  closeSync(fd);
  expect(own()).toEqual([]);
});

test('a process that is not there is told from one that may not be looked into', async () => {
  const child = await holder(host, []);
  const pid = child.pid ?? 0;
  child.kill('SIGKILL');
  await poll('its end', () => child.signalCode !== null);
  let error: unknown;
  try {
    tunFiles(pid);
  } catch (caught) {
    error = caught;
  }
  expect(error).toMatchObject({ code: 'VMN_NETLINK' });
  expect(failedWith((error as Error).cause, 'ESRCH')).toBe(true);

  const asNobody = startChild(
    host,
    `
    const { tunFiles } = await import(${JSON.stringify(new URL('../../src/native/foreign-process.ts', import.meta.url).href)});
    say(caught(() => tunFiles(${String(process.pid)})));
    `,
    ['setpriv', '--bounding-set', '-sys_ptrace,-dac_override,-dac_read_search'],
  );
  expect(await asNobody.next()).toEqual(
    expect.objectContaining({ code: 'VMN_CAPABILITY', remedy: expect.stringContaining('CAP_SYS_PTRACE') }),
  );
  await asNobody.end();
}, 20_000);

test('where a process listens and whom it accepted is told, whatever namespaces they are in', async () => {
  const path = join(lab.scratch, 'sock');
  const server = far.spawn(['python3', '-c', SERVER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = server.pid ?? 0;
  await poll('it to listen', () => unixSockets(pid).some((socket) => socket.path === path));
  expect(unixSockets(pid)).toEqual([{ path, listening: true, peerPid: pid }]);
  const client = host.spawn(['python3', '-c', CLIENT, path]);
  await poll('it to accept', () => unixSockets(pid).length === 2);
  expect(unixSockets(pid)).toContainEqual({ path, listening: false, peerPid: client.pid });
  // Its end of the connection has no path.
  expect(unixSockets(client.pid ?? 0)).toEqual([]);
  client.kill('SIGKILL');
  server.kill('SIGKILL');
});

test('the end of a process is told once, by an event', async () => {
  const child = await holder(host, []);
  let calls = 0;
  const watch = watchProcessEnd(child.pid ?? 0, () => void (calls += 1));
  const closed = watchProcessEnd(child.pid ?? 0, () => void (calls += 100));
  closed.close();
  await new Promise(setImmediate);
  expect(calls).toBe(0);
  child.kill('SIGKILL');
  await poll('to be told', () => calls > 0);
  await new Promise(setImmediate);
  expect(calls).toBe(1);
  watch.close();
});

test('a descriptor of a process means that one for ever: it is signalled, watched, and told to be gone', async () => {
  const child = await holder(host, []);
  const fd = openProcess(child.pid ?? 0);
  let ends = 0;
  const watch = watchProcess(fd, () => void (ends += 1));
  watchProcess(fd, () => void (ends += 100)).close();
  signalProcess(fd, 0);
  signalProcess(fd, constants.signals.SIGSTOP);
  await poll('it to stop', () => stateOf(child.pid ?? 0) === 'T');
  signalProcess(fd, constants.signals.SIGKILL);
  await poll('to be told', () => ends > 0);
  await poll('its end', () => child.signalCode === 'SIGKILL');
  let error: unknown;
  try {
    signalProcess(fd, 0);
  } catch (caught) {
    error = caught;
  }
  expect(error).toMatchObject({ code: 'VMN_NETLINK' });
  expect(failedWith((error as Error).cause, 'ESRCH')).toBe(true);
  expect(ends).toBe(1);
  watch.close();
  closeSync(fd);

  const asNobody = startChild(
    host,
    `
    const { openProcess, signalProcess } = await import(${JSON.stringify(new URL('../../src/native/foreign-process.ts', import.meta.url).href)});
    say(caught(() => signalProcess(openProcess(${String(process.pid)}), 0)));
    `,
    ['setpriv', '--reuid', '65534', '--clear-groups', '--bounding-set', '-all'],
  );
  expect(await asNobody.next()).toEqual(
    expect.objectContaining({ code: 'VMN_CAPABILITY', remedy: expect.stringContaining('CAP_KILL') }),
  );
  await asNobody.end();
});

/** As proc_pid_stat(5) has it. */
function stateOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2)[0];
}

test('looking leaves nothing open, here or there', async () => {
  const child = await holder(host, [['kept', TAP]]);
  const pid = child.pid ?? 0;
  const there = Number((await mustRun(['sh', '-c', `ls /proc/${String(pid)}/fd | wc -l`])).trim());
  await new Promise(setImmediate);
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 500; i++) {
    const [file] = tunFiles(pid);
    closeSync(openTunNetns(pid, file?.fd ?? -1));
    unixSockets(pid);
    watchProcessEnd(pid, () => undefined).close();
    const process = openProcess(pid);
    watchProcess(process, () => undefined).close();
    closeSync(process);
    if (i % 100 === 0) await new Promise(setImmediate);
  }
  await poll('all to be closed', () => readdirSync('/proc/self/fd').length <= before);
  expect(Number((await mustRun(['sh', '-c', `ls /proc/${String(pid)}/fd | wc -l`])).trim())).toBe(there);
  child.kill('SIGKILL');
  // A descriptor of ours would keep the tap.
  await poll('the tap to go with its holder', async () => !(await host.run(['ip', 'link'])).includes('kept'));
}, 30_000);
