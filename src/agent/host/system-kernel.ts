import { closeSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { dirname, join } from 'node:path';
import { VmnError } from '../../lib/errors.ts';
import * as engine from '../../native/filter-engine.ts';
import * as rtnetlink from '../../native/rtnetlink.ts';
import * as tap from '../../native/tap.ts';
import { ROUTE_PROTOCOL, TAP_PREFIX } from '../wiring/identity.ts';
import { errnoOf } from './errno.ts';
import type { HostRoute, Kernel, TapHolder } from './kernel.ts';
import { parseProcRoutes } from './proc-routes.ts';
import { findTapHolders } from './tap-holders.ts';

const SETTINGS_ROOT = '/proc/sys';

/** The machine this process runs on, in the network namespace of the calling thread. */
export function systemKernel(): Kernel {
  return {
    programTags: () => engine.programTags(),

    links: () => rtnetlink.links(),
    linkByName: (name) => rtnetlink.linkByName(name),
    setLink: (ifindex, change) => rtnetlink.setLink(ifindex, change),
    deleteLink: (ifindex) => rtnetlink.deleteLink(ifindex),

    createTap: (name) => tap.createTap(name),
    persistTap: (fd) => tap.persistTap(fd),
    openTap: (name) => tap.openTap(name),
    closeTap: (fd) => closeSync(fd),

    attachFilter: (pinDir, ifindex) => {
      engine.ensureBpffs(dirname(pinDir));
      return engine.attachFilter(pinDir, ifindex);
    },
    replaceFilter: (pinDir, ifindex, policy) => engine.replaceFilter(pinDir, ifindex, policy),
    readBack: (pinDir) => engine.readBack(pinDir),
    writePolicy: (pinDir, policy) => engine.writePolicy(pinDir, policy),
    violations: (pinDir) => engine.violations(pinDir),
    counters: (pinDir) => engine.counters(pinDir),
    isReplacing: (pinDir) => existsSync(`${pinDir}_next`),
    listPins: (root) => engine.listPins(root),
    removePins: (pinDir) => engine.removePins(pinDir),
    removeSharedPins: (root) => void engine.removeRootIfEmpty(root),

    managedRoutes: () => rtnetlink.routes({ protocol: ROUTE_PROTOCOL }),
    foreignRoutes,
    addRoute: (address, ifindex) => rtnetlink.addRoute({ destination: address, prefixLength: 32, ifindex }),
    deleteRoute: (address, ifindex) =>
      rtnetlink.deleteRoute({ destination: address, prefixLength: 32, ifindex }),
    routeTo: (address) => rtnetlink.routeTo(address),

    neighbours: (ifindex) => rtnetlink.neighbours(ifindex).filter(({ permanent }) => permanent),
    setNeighbour: (ifindex, address, mac) => rtnetlink.setNeighbour({ ifindex, address, mac }),
    deleteNeighbour: (ifindex, address) => rtnetlink.deleteNeighbour({ ifindex, address }),

    readSetting,
    writeSetting,
    processStart,
    tapHolders: (name) => findTapHolders(name, processStart),
    endProcess,
  };
}

function readSetting(path: string): string | null {
  try {
    return readFileSync(join(SETTINGS_ROOT, path), 'utf8').trim();
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return null;
    throw new VmnError('VMN_SYSCTL', { attempted: 'read a kernel setting', on: path, cause });
  }
}

function writeSetting(path: string, value: string): void {
  try {
    writeFileSync(join(SETTINGS_ROOT, path), value);
  } catch (cause) {
    throw new VmnError('VMN_SYSCTL', { attempted: `set a kernel setting to ${value}`, on: path, cause });
  }
}

function foreignRoutes(): HostRoute[] {
  const names = new Map(rtnetlink.links().map(({ name, ifindex }) => [name, ifindex]));
  return parseProcRoutes(readFileSync('/proc/thread-self/net/route', 'utf8'), endianness() === 'LE').flatMap(
    ({ device, ...route }) => {
      const ours = device.startsWith(TAP_PREFIX) || route.prefixLength === 0;
      return ours ? [] : [{ ...route, ifindex: names.get(device) ?? 0 }];
    },
  );
}

/**
 * As a plug that is pulled: nothing that the process might still want to do is waited for. Between the last look and the
 * signal there is no third system call of ours; for the pid to be another's by then, all pids would have to be used up.
 */
function endProcess({ pid, startTicks }: TapHolder): void {
  if (processStart(pid) !== startTicks) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch (cause) {
    if (errnoOf(cause) === 'ESRCH') return;
    const remedy = 'Run the agent as root or with CAP_KILL, or stop the VM by hand.';
    throw new VmnError('VMN_CAPABILITY', { attempted: 'end the VM', on: `pid ${pid}`, remedy, cause });
  }
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)); the name in field 2 may hold blanks and brackets. */
function processStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie holds nothing any more.
    if (fields[0] === 'Z' || fields[0] === 'X') return null;
    return fields[19] ?? null;
  } catch {
    return null;
  }
}
