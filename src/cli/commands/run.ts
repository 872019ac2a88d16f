import { dirname, resolve } from 'node:path';
import { Command, Option } from 'commander';
import type { Link } from '../../agent/host/kernel.ts';
import { claimOf, ensureClosedTap, systemPorts } from '../../agent/wiring/closed-tap.ts';
import type { ClosedTapPorts } from '../../agent/wiring/closed-tap.ts';
import { systemEngines } from '../../agent/userspace/engine-machine.ts';
import { enginePlaceOf } from '../../agent/userspace/engine-place.ts';
import { systemControl } from '../../agent/vm-control/system-control.ts';
import { GATEWAY_ADDRESS, type Identity, identityOf } from '../../agent/wiring/identity.ts';
import { socketPathOf } from '../../agent/wiring/paths.ts';
import type { AttachmentRecord } from '../../agent/wiring/record.ts';
import type { VmNetwork } from '../../api/v1alpha1/vm-network.ts';
import { systemClock } from '../../lib/clock.ts';
import { VmnError } from '../../lib/errors.ts';
import { AgentSocket } from '../agent/agent-socket.ts';
import { readAgentStatus } from '../agent/agent-status.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT_INTERRUPTED } from '../exit-code.ts';
import { readNetworkFile } from '../manifest/network-file.ts';
import { addPathOptions, type PathOptions, secondsParser } from '../options.ts';
import { demandRoot } from '../root.ts';
import { findProgram } from '../run/find-program.ts';
import { runForeground } from '../run/foreground-child.ts';
import { type PlaceholderValues, qemuCommand } from '../run/qemu-command.ts';
import { provision, unprovision } from '../run/provision.ts';
import { runningVm } from '../run/running-vm.ts';
import { type SeedChoice, seedWish } from '../run/seed-wish.ts';
import { type EnforcedState, waitEnforced } from '../run/wait-enforced.ts';
import { endRunEngine, type EnginePorts, startEngine } from '../run/userspace-engine.ts';
import { escapeText } from '../terminal/escape.ts';
import { usageError } from '../usage-error.ts';

interface RunOptions extends PathOptions, SeedChoice {
  readonly file: string;
  readonly network?: string;
  readonly vm?: string;
  readonly waitEnforced: number;
  readonly engine: 'kernel' | 'userspace';
}

const HELP = `
The VM's network card is a tap that is closed before QEMU may open it. Only the
agent opens it, for the one endpoint of the VMNetwork; without an agent the VM
runs and stays closed. In ARGS these are filled in:

  {{address}}   the guest's IPv4 address; it has to set it itself, as a /32
  {{gateway}}   its gateway, on the link
  {{endpoint}}  address:port that it may reach
  {{mac}} {{tap}}

With --engine userspace there is no tap: frames go over a socket to vmn-nat, a
process of its own user without rights, which filters them and translates
addresses. It starts closed, the agent gives it its policy and reads it back, and it
ends with QEMU. Should it end before, the VM has no network until it is started
anew. It carries UDP to the endpoint and nothing else, so not mode Direct.

The guest is told its address, its firewall and its end of the tunnel by
cloud-init: a seed image (NoCloud, label cidata) is added as the last disk, read
only, and removed when QEMU has ended. The VM's private key is made here and kept
as long as the VM is known; \`vmnetctl status -o json\` shows the public key, as
guest.publicKey. There is no seed if the VMNetwork has cloudInit.delivery None or
no consumerEndpoint, and no tunnel if it has no wireGuard.peerPublicKey.

The card is added (-netdev, -device), and -name guest= unless it is there.
Refused, since they could add a card that is not filtered: -netdev, -readconfig,
and -nic or -net other than none. QEMU's remaining options are passed on as they
are; some of them reach the host's network too (-chardev, -device vfio-pci), and
not to use them is the provider's responsibility.

Examples:
  vmnetctl run -f rental.yaml -- qemu-system-x86_64 -m 512 -nographic \\
    -drive file=rental.qcow2
  vmnetctl run -f rental.yaml -- qemu-system-x86_64 -kernel vmlinuz \\
    -append "address={{address}} gateway={{gateway}}"

Once QEMU runs, its exit code is passed on (128 + n if signal n ended it).`;

export function runCommand(context: CommandContext, settle: (exitCode: number) => void): Command {
  const command = new Command('run')
    .description('Runs QEMU on a network card that reaches one endpoint only.')
    .usage('[options] -- qemu-system-x86_64 ARGS...')
    .argument('<command...>', 'QEMU and its arguments')
    .passThroughOptions()
    .requiredOption('-f, --file <file>', 'manifest with the VMNetwork')
    .option('--network <[namespace/]name>', 'which VMNetwork, when the file holds several')
    .option('--vm <name>', 'which VM, when the VMNetwork names several and -name guest= is not given')
    .addOption(
      new Option('--wait-enforced <seconds>', 'how long to wait for the agent before QEMU starts')
        .argParser(secondsParser(0, 600))
        .default(10),
    )
    .addOption(
      new Option(
        '--engine <engine>',
        'what filters: programs in the kernel on a tap, or a process of its own',
      )
        .choices(['kernel', 'userspace'])
        .default('kernel'),
    )
    .option('--user-data <file>', "the tenant's own user-data for cloud-init, put into the seed image")
    .option('--preshared-key-file <file>', 'pre-shared key of the tunnel, as `wg genpsk` prints it')
    .option('--no-seed', 'no seed image: the guest is provisioned by other means, or not at all')
    .addHelpText('after', HELP);
  return addPathOptions(command).action(async (words: string[], options: RunOptions) => {
    settle(await run(context, options, words));
  });
}

/** Everything that can be refused is refused before anything is made. */
async function run(context: CommandContext, options: RunOptions, words: readonly string[]): Promise<number> {
  const { vm, network } = runningVm(readNetworkFile(options.file).networks, options, words);
  if (options.engine === 'userspace') demandCarried(network);
  const place = enginePlaceOf(options, identityOf(vm).tap);
  const command = (address: string, seed: string | null): string[] => {
    const values = placeholders(identityOf(vm), address, network);
    if (options.engine === 'kernel') return qemuCommand(words, vm, values, seed);
    return qemuCommand(words, vm, { ...values, tap: null }, seed, place.guest);
  };
  command('0.0.0.0', null);
  const wish = seedWish(network, options);
  const program = findProgram(words[0] ?? '', context.environment['PATH']);
  demandRoot(options.engine === 'kernel' ? 'make a tap' : 'start an engine of its own user');
  const ports = { ...systemPorts(options), machine: systemEngines(systemControl(systemClock)) };
  const record = await openCard(vm, options, ports);
  try {
    const seed = await provision(wish, record, options, ports);
    try {
      const [, ...args] = command(record.guestAddress, seed);
      return await start(context, options, record, program, args);
    } finally {
      const left = seed === null ? null : unprovision(options, ports);
      if (left !== null) context.output.note(`vmnetctl: ${escapeText(left.message)}`);
    }
  } finally {
    if (options.engine === 'userspace') await endRunEngine(record, options, ports);
  }
}

/** Closed, whatever it is. */
async function openCard(vm: string, options: RunOptions, ports: EnginePorts): Promise<AttachmentRecord> {
  if (options.engine === 'userspace') return (await startEngine(vm, options, ports)).record;
  const { kernel } = ports;
  demandFreeTap(() => kernel.linkByName(identityOf(vm).tap), ports);
  return ensureClosedTap(vm, options, ports, claimOf(kernel, process.pid));
}

/** Before anything is made; the engine itself refuses such a policy. */
function demandCarried({ spec }: VmNetwork): void {
  if (spec.mode !== 'Direct') return;
  throw usageError(
    'mode Direct is not for --engine userspace, which carries UDP to one endpoint alone',
    'Leave --engine userspace out, or give the VMNetwork another mode.',
  );
}

/** The tap is closed, and the agent may open it. */
async function start(
  context: CommandContext,
  options: RunOptions,
  record: AttachmentRecord,
  program: string,
  args: readonly string[],
): Promise<number> {
  const socket = new AgentSocket(socketPathOf(options));
  const ports = {
    status: (signal: AbortSignal) => readAgentStatus(socket, signal),
    manifests: dirname(resolve(options.file)),
  };
  const state = await waitEnforced(record.vm, options.waitEnforced * 1000, ports, context.signal);
  if (context.signal.aborted) return EXIT_INTERRUPTED;
  context.output.note(stateLine(record, state));
  context.outliveReaders();
  return runForeground(program, args);
}

/** QEMU would fail, too, but late and with "Device or resource busy". An agent that makes the tap holds it, too, under the state lock. */
function demandFreeTap(look: () => Link | null, ports: ClosedTapPorts): void {
  if (look()?.carrier !== true) return;
  const link = ports.withStateLock(look);
  if (link?.carrier !== true) return;
  throw new VmnError('VMN_TAP_IN_USE', { attempted: 'start the VM', on: link.name });
}

function placeholders(identity: Identity, address: string, { spec }: VmNetwork): PlaceholderValues {
  const { consumerEndpoint: endpoint } = spec;
  return {
    address,
    gateway: GATEWAY_ADDRESS,
    mac: identity.guestMac,
    tap: identity.tap,
    endpoint: endpoint ? `${endpoint.address}:${endpoint.port}` : null,
  };
}

/** `vmn-… 100.64.0.5 → 203.0.113.10:51900 Enforced`, or why it is closed. */
function stateLine(record: AttachmentRecord, state: EnforcedState): string {
  const card = `${record.engine === undefined ? record.tap : 'vmn-nat'} ${record.guestAddress}`;
  if (state.state === 'enforced') return `vmnetctl: ${card} → ${escapeText(state.endpoint)} Enforced`;
  if (state.state === 'programmed')
    return `vmnetctl: ${card} → ${escapeText(state.endpoint)} Programmed, not held in every frame; see vmnetctl status`;
  return `vmnetctl: ${card} closed: ${escapeText(state.why)}`;
}
