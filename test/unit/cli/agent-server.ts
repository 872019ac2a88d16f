import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentStatus, AttachmentStatus, NetworkStatus } from '../../../src/agent/status/status.ts';

/** A stand-in for the agent's socket; the real one answers in test/kernel. */
export interface AgentServer {
  /** As `--run-dir`. */
  readonly runDir: string;
  readonly path: string;
  close(): Promise<void>;
}

export async function serveAgent(listener: RequestListener): Promise<AgentServer> {
  const runDir = mkdtempSync(join(tmpdir(), 'vmnetctl-'));
  const path = join(runDir, 'agent.sock');
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    runDir,
    path,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(runDir, { recursive: true, force: true });
    },
  };
}

export function network(change: Partial<NetworkStatus> = {}): NetworkStatus {
  return {
    namespace: 'tenant-a',
    name: 'rental-7f3a',
    file: 'rental.yaml',
    generation: 3,
    mode: 'Filtered',
    endpoint: { address: '203.0.113.10', port: 51900 },
    conditions: (['Accepted', 'Bound', 'Programmed', 'Enforced', 'Ready'] as const).map((type) => ({
      type,
      status: 'True',
      reason: 'Verified',
      message: '',
      observedGeneration: 3,
      lastTransitionTime: '2026-01-31T12:00:00Z',
    })),
    attachments: ['rental-7f3a'],
    ...change,
  };
}

export function attachment(change: Partial<AttachmentStatus> = {}): AttachmentStatus {
  return {
    vm: 'rental-7f3a',
    network: 'tenant-a/rental-7f3a',
    tap: 'vmn-0123456789',
    pins: 'vmn-0123456789',
    ifindex: 7,
    mac: '02:76:11:22:33:44',
    guestAddress: '100.64.0.5',
    gatewayAddress: '169.254.1.1',
    gatewayMac: '02:76:6d:6e:00:01',
    state: 'Enforced',
    inUse: true,
    engine: 'tcx',
    enforced: {
      policyHash: 'ab'.repeat(32),
      programTag: { fromVm: '0011223344556677', toVm: '8899aabbccddeeff' },
      linkId: { fromVm: 11, toVm: 12 },
      generation: 4,
      verifiedAt: '2026-01-31T12:00:01Z',
    },
    violations: { crossings: 0, quarantinedAt: null, last: [] },
    tunnel: {
      status: 'True',
      reason: 'HandshakeSeen',
      message: '',
      lastHandshake: '2026-01-31T11:59:19Z',
    },
    message: '',
    ...change,
  };
}

export function status(change: Partial<AgentStatus> = {}): AgentStatus {
  return {
    agent: {
      version: '0.1.0',
      pid: 1,
      startedAt: '2026-01-31T12:00:00Z',
      manifests: '/etc/vmnetwork',
      bpffs: '/sys/fs/bpf/vmnet',
      programTags: { fromVm: '0011223344556677', toVm: '8899aabbccddeeff' },
    },
    networks: [network()],
    attachments: [attachment()],
    problems: [],
    ...change,
  };
}
