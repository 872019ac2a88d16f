import { Command, Option } from 'commander';
import { DEFAULT_PATHS, socketPathOf } from '../../agent/wiring/paths.ts';
import { connect } from '../../kube/transport/connect.ts';
import { readKubeconfigs } from '../../kube/transport/kubeconfig-file.ts';
import { AgentSocket } from '../agent/agent-socket.ts';
import { readAgentStatus } from '../agent/agent-status.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT_NOT_AS_ASKED, EXIT_OK } from '../exit-code.ts';
import { clusterFacts, kubeconfigFault } from '../peer-config/cluster-source.ts';
import { hostFacts, type SourceFacts, type WantedNetwork } from '../peer-config/host-source.ts';
import { peerConfig } from '../peer-config/peer-config.ts';
import { qrCode } from '../peer-config/qr-code.ts';
import { wgQuickText } from '../peer-config/wg-quick-text.ts';
import { escapeText } from '../terminal/escape.ts';
import { usageError } from '../usage-error.ts';
import { ownVersion } from './version.ts';

interface PeerConfigOptions {
  readonly output: 'wg-quick' | 'json' | 'qr';
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly runDir: string;
}

const HELP = `
NAME is a VMNetwork. Without --kubeconfig the agent of this host is asked (as
root); with it the cluster, and no agent is needed. bin/kubectl-vmnet on the PATH
makes it a plugin: kubectl vmnet peer-config NAME.

No private key is in it, of the VMs or of the consumer: the consumer puts its own
in the place that says so. A pre-shared key is named by its Secret, never shown.

Examples:
  vmnetctl peer-config rental-7f3a > wg0.conf
  vmnetctl peer-config rental-7f3a --kubeconfig ~/.kube/config -n tenant-a
  vmnetctl peer-config rental-7f3a -o json | jq -r '.peers[].publicKey'
  vmnetctl peer-config rental-7f3a -o qr

Exits with 1 when no VM has a key yet, or what is printed is not whole: a VM has
no key yet, or two have the same address. Standard error says which.`;

export function peerConfigCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  return new Command('peer-config')
    .description("Prints what the consumer's end of the tunnel needs, as a file for wg-quick.")
    .argument('<name>', 'the VMNetwork: NAME or NAMESPACE/NAME')
    .addOption(
      new Option('-o, --output <format>', 'what to print')
        .choices(['wg-quick', 'json', 'qr'])
        .default('wg-quick'),
    )
    .option('-n, --namespace <name>', "of the network; else any of this host, or the context's")
    .option('--kubeconfig <file>', 'ask this cluster, not the agent of this host')
    .option('--context <name>', 'context of the kubeconfig; else its current one')
    .option('--run-dir <path>', "folder of the agent's socket", DEFAULT_PATHS.runDir)
    .addHelpText('after', HELP)
    .action(async (name: string, options: PeerConfigOptions) => {
      settle(await show(context, options, wantedOf(name, options)));
    });
}

async function show(
  context: CommandContext,
  options: PeerConfigOptions,
  wanted: WantedNetwork,
): Promise<number> {
  const { output } = context;
  const { network, vms } = await factsOf(context, options, wanted);
  const config = peerConfig(network, vms);
  if (options.output === 'json') await output.json(config);
  else if (options.output === 'qr') {
    const look = { coloured: output.isColoured, columns: output.columns };
    await output.text(qrCode(wgQuickText(config, false), look));
  } else await output.text(wgQuickText(config));
  for (const problem of config.problems) output.note(`vmnetctl: ${escapeText(problem)}`);
  return config.problems.length === 0 ? EXIT_OK : EXIT_NOT_AS_ASKED;
}

async function factsOf(
  { environment, signal }: CommandContext,
  options: PeerConfigOptions,
  wanted: WantedNetwork,
): Promise<SourceFacts> {
  const { kubeconfig, context } = options;
  if (kubeconfig === undefined) {
    if (context !== undefined)
      throw usageError('--context has no meaning without --kubeconfig', 'Add --kubeconfig FILE.');
    return hostFacts(await readAgentStatus(new AgentSocket(socketPathOf(options)), signal), wanted);
  }
  return await askCluster(kubeconfig, context, wanted, environment, signal);
}

async function askCluster(
  kubeconfig: string,
  context: string | undefined,
  { name, namespace }: WantedNetwork,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<SourceFacts> {
  const userAgent = `vmnetctl/${ownVersion()}`;
  try {
    const client = await connect({ kubeconfig, context, userAgent, env });
    return await clusterFacts(
      client,
      { name, namespace: namespace ?? namespaceOf(kubeconfig, context) },
      signal,
    );
  } catch (error) {
    throw kubeconfigFault(error);
  }
}

function wantedOf(text: string, { namespace }: PeerConfigOptions): WantedNetwork {
  const [first = '', second, ...more] = text.split('/');
  if (first === '' || second === '' || more.length > 0)
    throw usageError(`"${text}" is no name of a VMNetwork`, 'Give NAME or NAMESPACE/NAME.');
  if (second === undefined) return { name: first, namespace };
  if (namespace !== undefined && namespace !== first)
    throw usageError(`${text} is not in namespace ${namespace}`, 'Give the namespace once.');
  return { name: second, namespace: first };
}

/** As kubectl has it: of the context, else `default`. */
function namespaceOf(kubeconfig: string, context: string | undefined): string {
  const { contexts, currentContext } = readKubeconfigs(kubeconfig);
  const chosen = contexts.find(({ name }) => name === (context ?? currentContext));
  return chosen?.namespace || 'default';
}
