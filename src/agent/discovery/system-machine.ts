import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openTunNetns, tunFiles, watchProcessEnd } from '../../native/foreign-process.ts';
import { linksIn, watchLinksIn } from '../../native/netns-links.ts';
import type { CommandLine } from './argv/command-line.ts';
import type { VmFacts } from './facts.ts';
import { libvirtFacts } from './libvirt/status-file.ts';
import type { Closable, Machine, NamedNetns, NetnsOrigin } from './machine.ts';
import { FolderWatch } from '../host/folder-watch.ts';
import { PatientFiles } from './patient-files.ts';
import * as proc from './proc.ts';
import { askVm } from './qmp/ask.ts';
import { QmpError } from './qmp/client.ts';
import { openMonitor } from './qmp/monitor-socket.ts';

/** Where network namespaces get names: `ip netns` and container runtimes of Kubernetes; Docker. */
const NETNS_FOLDERS = ['/run/netns', '/run/docker/netns'];

/** As the first process sees them, for the agent may have a mount namespace of its own; as we do, where that may not be looked at. */
const VIEWS = ['/proc/1/root', '/'];

/** First two digits of a PCI class: network controller. */
const PCI_NETWORK = /^0x02/;
const PCI_ADDRESS = /^(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i;

/** The machine this process runs on; "own" is the network namespace of the calling thread. */
export function systemMachine(): Machine {
  const files = new PatientFiles();
  return {
    pids: proc.pids,
    programOf: proc.programOf,
    startOf: proc.startOf,
    commandLineOf: proc.commandLineOf,
    cgroupsOf: proc.cgroupsOf,
    netnsOf: proc.netnsOf,
    tunFiles,
    watchEnd: watchProcessEnd,
    isNetworkDevice,
    ask: (pid, commandLine) => ask(pid, commandLine, files),

    ownNetns: () => proc.netnsOf('thread-self') ?? 0,
    namedNetns,
    watchNamedNetns,
    openNetns,
    closeNetns: closeSync,
    linksIn,
    watchLinksIn,
  };
}

async function ask(pid: number, commandLine: CommandLine, files: PatientFiles): Promise<VmFacts | null> {
  const { name } = commandLine.facts;
  if (commandLine.byLibvirt && name !== null) {
    const facts = await libvirtFacts(pid, name, files);
    if (facts !== null) return facts;
  }
  if (commandLine.qmpSockets.length === 0) return null;
  const monitor = await openMonitor(pid, commandLine.qmpSockets, files);
  if (!('client' in monitor)) return null;
  try {
    return await askVm(monitor.client);
  } catch (error) {
    if (error instanceof QmpError) return null;
    throw error;
  } finally {
    monitor.client.close();
  }
}

function isNetworkDevice(pciAddress: string): boolean {
  if (!PCI_ADDRESS.test(pciAddress)) return false;
  const full = pciAddress.length > 7 ? pciAddress : `0000:${pciAddress}`;
  try {
    return PCI_NETWORK.test(readFileSync(`/sys/bus/pci/devices/${full.toLowerCase()}/class`, 'utf8'));
  } catch {
    return false;
  }
}

function namedNetns(): NamedNetns[] {
  // A file there is a namespace if it is of the file system of namespaces; before it is mounted over it is an empty file.
  const { dev } = statSync('/proc/self/ns/net');
  return foldersThere().flatMap((folder) =>
    namesIn(folder).flatMap((name) => {
      const path = join(folder, name);
      try {
        const { ino: inode, dev: ofFile } = statSync(path);
        return [{ path, inode, mounted: ofFile === dev }];
      } catch {
        return [];
      }
    }),
  );
}

function watchNamedNetns(onChange: () => void): Closable {
  const view = VIEWS.find(isFolder) ?? '/';
  const watches = NETNS_FOLDERS.map((folder) => new FolderWatch(join(view, folder), onChange));
  return { close: () => watches.forEach((one) => one.close()) };
}

function foldersThere(): string[] {
  return NETNS_FOLDERS.flatMap((folder) => VIEWS.map((view) => join(view, folder)).find(isFolder) ?? []);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function openNetns(origin: NetnsOrigin): { fd: number; inode: number } {
  const fd =
    'fd' in origin
      ? openTunNetns(origin.pid, origin.fd)
      : openSync(
          'path' in origin ? origin.path : `/proc/${origin.pid}/ns/net`,
          constants.O_RDONLY | constants.O_NONBLOCK,
        );
  return { fd, inode: fstatSync(fd).ino };
}
