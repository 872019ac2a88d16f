import type { SeenAttachment, SeenNetwork, SeenProblem, SeenStatus } from '../agent/agent-status.ts';
import { escapeText } from '../terminal/escape.ts';
import type { Output, Tone } from '../terminal/output.ts';
import { type Cell, Table } from '../terminal/table.ts';
import type { KernelAttachment } from './kernel-attachment.ts';

const TONES: Readonly<Record<string, Tone>> = {
  Enforced: 'good',
  True: 'good',
  Error: 'bad',
  False: 'bad',
  Pending: 'warning',
  Programmed: 'warning',
  Unknown: 'warning',
};

type Paint = Output['paint'];

function painted(paint: Paint): (padded: string, text: string) => string {
  return (padded, text) => {
    const tone = TONES[text];
    return tone === undefined ? padded : paint(tone, padded);
  };
}

function endpointText(endpoint: SeenNetwork['endpoint']): string | null {
  return endpoint === null ? null : `${endpoint.address}:${endpoint.port}`;
}

function condition(network: SeenNetwork, type: string): string {
  return network.conditions.find((item) => item.type === type)?.status ?? 'Unknown';
}

function networkTable(status: SeenStatus, paint: Paint): string {
  const enforced = new Set(
    status.attachments.filter(({ state }) => state === 'Enforced').map(({ vm }) => vm),
  );
  const table = new Table([
    { heading: 'NETWORK' },
    { heading: 'MODE' },
    { heading: 'ENDPOINT' },
    { heading: 'READY', paint: painted(paint) },
    { heading: 'ENFORCED', paint: painted(paint) },
    { heading: 'ATTACHED' },
    { heading: 'FILE' },
  ]);
  return table.render(
    status.networks.map((network): Cell[] => [
      `${network.namespace}/${network.name}`,
      network.mode,
      endpointText(network.endpoint),
      condition(network, 'Ready'),
      condition(network, 'Enforced'),
      `${network.attachments.filter((vm) => enforced.has(vm)).length}/${network.attachments.length}`,
      network.file,
    ]),
  );
}

/** One row of the attachments table, whoever it comes from. */
interface AttachmentRow {
  readonly vm: string;
  readonly network: string | null;
  readonly tap: string;
  readonly guestAddress: string | null;
  readonly state: string;
  readonly inUse: boolean;
  readonly endpoint: string | null;
  readonly generation: number | bigint | null;
  /** Null: nobody tells. */
  readonly tunnelText: string | null;
  readonly message: string;
}

function attachmentTable(rows: readonly AttachmentRow[], paint: Paint): string {
  const table = new Table([
    { heading: 'VM' },
    { heading: 'NETWORK' },
    { heading: 'TAP' },
    { heading: 'ADDRESS' },
    { heading: 'STATE', paint: painted(paint) },
    { heading: 'ENDPOINT' },
    { heading: 'GENERATION', align: 'right' },
    { heading: 'IN USE' },
    { heading: 'TUNNEL' },
    { heading: 'MESSAGE' },
  ]);
  return table.render(
    rows.map((row): Cell[] => [
      row.vm,
      row.network,
      row.tap,
      row.guestAddress,
      row.state,
      row.endpoint,
      row.generation,
      row.inUse ? 'yes' : 'no',
      row.tunnelText,
      row.message,
    ]),
  );
}

function attachmentRow(attachment: SeenAttachment, networks: readonly SeenNetwork[]): AttachmentRow {
  const network = networks.find(({ namespace, name }) => `${namespace}/${name}` === attachment.network);
  const { enforced } = attachment;
  return {
    ...attachment,
    endpoint: enforced && network ? endpointText(network.endpoint) : null,
    generation: enforced ? enforced.generation : null,
    tunnelText: tunnelText(attachment),
  };
}

/** Why it is thought to stand or not, and how old its handshake was when that was looked at. */
function tunnelText({ tunnel, enforced }: SeenAttachment): string | null {
  if (tunnel?.lastHandshake === undefined || !enforced) return tunnel?.reason ?? null;
  const ageMs = Date.parse(enforced.verifiedAt) - Date.parse(tunnel.lastHandshake);
  return `${tunnel.reason}, ${Math.max(0, Math.round(ageMs / 1000))} s`;
}

/** Lines for what keeps a network from being ready, or is wrong with its guests, as its own conditions tell. */
function conditionLines(networks: readonly SeenNetwork[]): string[] {
  return networks.flatMap((network) =>
    network.conditions
      .filter(
        ({ type, status }) =>
          (status === 'False' && ['Accepted', 'Bound', 'Programmed', 'Enforced'].includes(type)) ||
          (status === 'True' && type === 'GuestFirewallBypassed'),
      )
      .map(({ type, status, reason, message }) =>
        escapeText(`${network.namespace}/${network.name}: ${type}=${status}, ${reason}: ${message}`, 1000),
      ),
  );
}

function problemLines(problem: SeenProblem): string[] {
  const place = problem.line === undefined ? problem.file : `${problem.file}:${problem.line}`;
  const subject = [place, problem.object, problem.field, problem.value].filter(
    (part) => part !== undefined && part !== '',
  );
  return [
    `${escapeText(subject.join(': '))}: ${escapeText(problem.message)} [${escapeText(problem.code)}]`,
    `  ${escapeText(problem.remedy)}`,
  ];
}

function section(title: string, text: string): string {
  return `${title}\n${text}`;
}

/** The agent's status for people: networks, attachments, and what is wrong with its remedy. Never empty. */
export function statusText(status: SeenStatus, paint: Paint): string {
  const rows = status.attachments.map((attachment) => attachmentRow(attachment, status.networks));
  const parts: string[] = [];
  if (status.networks.length > 0) parts.push(networkTable(status, paint));
  else parts.push(`${noNetwork(status.agent.manifests)}: every VM here is denied.\n`);
  if (rows.length > 0) parts.push(attachmentTable(rows, paint));
  const wrong = [...conditionLines(status.networks), ...status.problems.flatMap(problemLines)];
  if (wrong.length > 0) parts.push(section(paint('bad', 'PROBLEMS'), `${wrong.join('\n')}\n`));
  return parts.join('\n');
}

function noNetwork(manifests: string | null): string {
  if (manifests === null) return 'No VMNetworkAttachment for this host in the cluster';
  return `No VMNetwork in ${escapeText(manifests)}`;
}

/** What the kernel holds, when no agent is there to ask. */
export function kernelText(attachments: readonly KernelAttachment[], paint: Paint): string {
  if (attachments.length === 0) return 'No VM has a filter on this host.\n';
  return attachmentTable(
    attachments.map((attachment) => ({ ...attachment, tunnelText: null })),
    paint,
  );
}

/** Where an attachment stays. A VM may be denied on purpose; one whose network is refused makes that network not ready. */
const SETTLED: readonly string[] = ['Enforced', 'Programmed', 'Denied'];

/** Whether everything the agent was asked for holds: decides the exit code. */
export function isAsAsked(status: SeenStatus): boolean {
  const ready = status.networks.every((network) => condition(network, 'Ready') === 'True');
  const settled = status.attachments.every(({ state }) => SETTLED.includes(state));
  return ready && settled && status.problems.length === 0;
}
