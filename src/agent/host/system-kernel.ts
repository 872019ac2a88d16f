import { closeSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { endianness, uptime } from 'node:os';
import { dirname, join } from 'node:path';
import { systemClock } from '../../lib/clock.ts';
import { VmnError } from '../../lib/errors.ts';
import * as engine from '../../native/filter-engine.ts';
import * as rtnetlink from '../../native/rtnetlink.ts';
import * as tap from '../../native/tap.ts';
import { ROUTE_PROTOCOL, TAP_PREFIX } from '../wiring/identity.ts';
import { errnoOf } from './errno.ts';
import type { HostRoute, Kernel } from './kernel.ts';
import { parseOwnNetworks } from './proc-fib.ts';
import { parseProcRoutes } from './proc-routes.ts';
import { findTapHolders } from './tap-holders.ts';
import { tunnelSigns } from './tunnel-signs.ts';

/** Shows the namespace of the calling thread. */
const FIB = '/proc/thread-self/net/fib_trie';
/** USER_HZ, which is 100 wherever Node runs. */
const TICK_MS = 10;
const SETTINGS_ROOT = '/proc/sys';
/** Of a container: /proc/sys/net of its host, which it may write to, as its own /proc/sys is read-only. Shows the caller's namespace. */
const NET_SETTINGS = process.env['VMNET_PROC_SYS_NET'] || join(SETTINGS_ROOT, 'net');

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
    tunnel: (pinDir) => {
      const seen = engine.tunnelSeen(pinDir);
      return seen === null ? null : tunnelSigns(seen, systemClock.monotonicNs());
    },
    counters: (pinDir) => engine.counters(pinDir),
    isReplacing: (pinDir) => existsSync(`${pinDir}_next`),
    listPins: (root) => engine.listPins(root),
    removePins: (pinDir, options) => engine.removePins(pinDir, options),
    setPinsAside: (pinDir) => engine.setPinsAside(pinDir),
    removeSharedPins: (root) => void engine.removeRootIfEmpty(root),

    managedRoutes: () => rtnetlink.routes({ protocol: ROUTE_PROTOCOL }),
    foreignRoutes,
    ownNetworks,
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
    processAgeMs: (startTicks) => Math.max(0, uptime() * 1000 - Number(startTicks) * TICK_MS),
    tapHolders: (name) => findTapHolders(name, processStart),
  };
}

/** Where a setting is, by its path under /proc/sys. */
export function settingFile(path: string): string {
  return path.startsWith('net/') ? join(NET_SETTINGS, path.slice('net/'.length)) : join(SETTINGS_ROOT, path);
}

function readSetting(path: string): string | null {
  try {
    return readFileSync(settingFile(path), 'utf8').trim();
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return null;
    throw new VmnError('VMN_SYSCTL', { attempted: 'read a kernel setting', on: path, cause });
  }
}

function writeSetting(path: string, value: string): void {
  try {
    writeFileSync(settingFile(path), value);
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
 * The kernel prints the tables in pieces, and a route that goes in between can hide its neighbour: what either of two readings shows
 * is ours. What came in between is news, and leads to another pass.
 */
function ownNetworks(): string[] {
  const read = (): string[] => {
    try {
      return parseOwnNetworks(readFileSync(FIB, 'utf8'));
    } catch (cause) {
      throw new VmnError('VMN_NETLINK', { attempted: 'list the addresses of the host', on: FIB, cause });
    }
  };
  return [...new Set([...read(), ...read()])];
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
