import { release } from 'node:os';
import type { Problem } from '../../api/manifest.ts';
import { isVmnError } from '../../lib/errors.ts';
import { eventRecorder } from '../../kube/events/recorder.ts';
import { connect } from '../../kube/transport/connect.ts';
import { bpffsFault } from '../../native/bpffs.ts';
import { CLSACT, lack, NEEDED_FEATURES, TCX } from '../../native/kernel-feature.ts';
import type { KernelFeature } from '../../native/kernel-feature.ts';
import type { Kernel } from '../host/kernel.ts';
import type { AgentOptions, ClusterOptions } from '../options.ts';
import type { HostFacts } from '../status/cluster/node-report.ts';
import { packetCounts } from '../status/cluster/packet-counts.ts';
import type { PacketCounts } from '../status/cluster/packet-counts.ts';
import { hostProblem } from '../status/problems.ts';
import { pinDirOf, sealingKeyOf } from '../wiring/paths.ts';
import type { ProgramTags } from '../wiring/verify.ts';
import type { CheckpointFile } from './cluster/checkpoint-file.ts';
import { ClusterSource } from './cluster/cluster-source.ts';
import { SealedKeys } from './cluster/sealed-keys.ts';
import { loadSealingKey } from './cluster/sealing-key.ts';
import type { SealingKey } from './cluster/sealing-key.ts';
import type { SourceMeans } from './open.ts';
import type { OpenSource } from './source.ts';

/** The wishes of a cluster. Rejects with `ConnectionConfigError`. */
export async function clusterSource(
  source: ClusterOptions,
  checkpoint: CheckpointFile,
  options: AgentOptions,
  means: SourceMeans,
): Promise<OpenSource> {
  const { kubeconfig, context, namespace } = source;
  const { version, kernel, clock, log, metrics, programTags } = means;
  const client = await connect({
    ...(kubeconfig === undefined ? { inCluster: true } : { kubeconfig, context }),
    userAgent: `vmnet-agent/${version}`,
    // One for status, one for the sign of life, one for the node; watches are apart.
    maxConnections: 4,
    metrics,
    clock,
  });
  const recorder = eventRecorder({
    ...{ client, clock, log, metrics },
    // Who may say so is bound by the policy vmnetwork-node-events.
    reportingController: 'vmnetwork.io/agent',
    reportingInstance: options.nodeName.slice(0, LONGEST_INSTANCE),
  });
  const { key, problems } = sealingKey(options);
  return (ports) =>
    new ClusterSource({
      ...ports,
      client,
      nodeName: options.nodeName,
      namespace,
      checkpoint,
      sealedKeys: new SealedKeys(key),
      problems,
      facts: hostFacts(version, programTags, key),
      bpffsFault: () => bpffsFault(options.bpffs),
      counters: (tap) => countersOf(kernel, pinDirOf(options, tap)),
      recorder,
      clock,
      log,
    });
}

/** An Event has room for so much of a node's name. */
const LONGEST_INSTANCE = 128;

/** Enforcing does not wait for a key. */
function sealingKey(options: AgentOptions): { key: SealingKey | null; problems: Problem[] } {
  try {
    return { key: loadSealingKey(sealingKeyOf(options)), problems: [] };
  } catch (error) {
    if (!isVmnError(error)) throw error;
    return { key: null, problems: [hostProblem({ on: 'sealing key', error })] };
  }
}

function hostFacts(version: string, programTags: ProgramTags, key: SealingKey | null): HostFacts {
  return {
    platform: { os: 'Linux', architecture: ARCHITECTURES[process.arch] ?? process.arch, kernel: release() },
    versions: { agent: version, program: programTags.fromVm },
    features: {
      btf: has(NEEDED_FEATURES.btf),
      tcx: has(TCX),
      clsact: has(CLSACT),
      ringbuf: has(NEEDED_FEATURES.ringBuffer),
      bpffs: true,
    },
    ...(key === null ? {} : { sealingKey: key.publicKey }),
  };
}

/** As Kubernetes calls them. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64' };

function has(feature: KernelFeature): boolean {
  return lack(feature) === null;
}

function countersOf(kernel: Kernel, pinDir: string): PacketCounts | null {
  try {
    return packetCounts(kernel.counters(pinDir));
  } catch (error) {
    if (!isVmnError(error)) throw error;
    return null;
  }
}
