import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { nftProgram } from '../../agent/host/nft.ts';
import { systemKernel } from '../../agent/host/system-kernel.ts';
import { type AttachmentPaths, socketPathOf } from '../../agent/wiring/paths.ts';
import { isVmnError } from '../../lib/errors.ts';
import { listPins } from '../../native/bpffs.ts';
import { privileges } from '../../native/privilege.ts';
import { findProgram, probe } from '../../native/probe.ts';
import { AgentSocket } from '../agent/agent-socket.ts';
import { readAgentStatus } from '../agent/agent-status.ts';
import { agentCheck } from './agent-check.ts';
import { capabilityChecks, limitChecks } from './caller-checks.ts';
import type { Check } from './check.ts';
import { filterChecks } from './filter-checks.ts';
import { folderChecks } from './folder-checks.ts';
import { guardChecks } from './guard-checks.ts';
import { settingChecks } from './setting-checks.ts';
import { vmChecks } from './vm-checks.ts';

const VERSION_TIMEOUT_MS = 5000;

/** Everything, in the order in which a lack shows. Changes nothing and needs nothing: no root, no agent, no addon. */
export async function examine(paths: AttachmentPaths, signal: AbortSignal): Promise<Check[]> {
  const probed = probe();
  const { kernel, root, native, tun, ...filter } = Object.fromEntries(
    filterChecks(probed).map((check) => [check.name, check]),
  );
  const first = [kernel, root].flatMap((check) => check ?? []);
  const then = [native, ...Object.values(filter), tun].flatMap((check) => check ?? []);
  const guard = await guardChecks({
    nft: nftProgram(),
    pool: paths.pool,
    nftVersion,
    hasFilters: () => hasFilters(paths.bpffs),
    isRoot: process.geteuid?.() === 0,
  });
  return [
    ...first,
    ...capabilityChecks(privileges().status),
    ...then,
    ...folderChecks(paths),
    ...guard,
    ...settingChecks(systemKernel()),
    ...limitChecks(textOf('/proc/self/limits'), release()),
    await agentCheck(paths, () => readAgentStatus(new AgentSocket(socketPathOf(paths)), signal)),
    ...vmChecks(probed.qemu),
  ];
}

/** `nftables v1.0.9`; asking needs no privilege. */
function nftVersion(): Promise<string | null> {
  const path = findProgram('nft');
  if (path === null) return Promise.resolve(null);
  return new Promise((resolve) => {
    execFile(path, ['--version'], { timeout: VERSION_TIMEOUT_MS }, (error, stdout) => {
      resolve(error === null ? (stdout.split(' (', 1)[0] ?? '').trim() : null);
    });
  });
}

function hasFilters(bpffs: string): boolean | null {
  try {
    return listPins(bpffs).length > 0;
  } catch (error) {
    if (isVmnError(error)) return null;
    throw error;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
