import type { PrinterColumn } from './custom-resource-definition.ts';

/** The columns of `kubectl get`, by kind. JSONPath cannot count or join; what needs that is a field of status. */

export const NETWORK_COLUMNS: readonly PrinterColumn[] = [
  column('Mode', '.spec.mode', 'How much the host judges.'),
  column('Endpoint', '.status.endpoint', 'Endpoint in force.'),
  column('Ready', condition('Ready'), 'All that was asked for holds.'),
  column('Enforced', condition('Enforced'), 'Read back from the kernel.'),
  column('Attached', '.status.attachments.summary', 'enforced/desired'),
  age(),
  wide(column('Class', '.spec.className', 'VMNetworkClass.')),
  wide(column('Drops', '.status.droppedPackets', 'Packets dropped.', 'integer')),
  wide(column('Tunnel', condition('TunnelEstablished'), 'A WireGuard handshake was seen.')),
  wide(
    column(
      'Tunnel-Age',
      '.status.tunnel.lastHandshake',
      'Time since the last WireGuard handshake; of several VMs the longest.',
      'date',
    ),
  ),
  wide(column('Why', condition('Ready', 'reason'), 'Why it is ready or is not.')),
];

export const CLASS_COLUMNS: readonly PrinterColumn[] = [
  column('Modes', '.spec.allowedModes', 'Allowed modes.'),
  wide(column('Ceiling', '.spec.maximumViolationAction', 'Most severe violation action.')),
  wide(column('Ownership', '.spec.vmOwnership', 'Whose VMs a network may bind.')),
  age(),
];

export const ATTACHMENT_COLUMNS: readonly PrinterColumn[] = [
  column('Node', '.spec.nodeName', 'Host of the VM.'),
  column('VM', '.spec.vm.name', 'Name that the VM had when this was made.'),
  column('MAC', '.spec.interface.mac', 'MAC address of the network card.'),
  column('Mode', '.spec.policy.mode', 'How much the host judges.'),
  column('Endpoint', '.spec.policy.consumerEndpoint.address', 'Address that the VM may talk to.'),
  column('Enforced', condition('Enforced'), 'Read back from the kernel.'),
  column('Engine', '.status.engine', 'What does the filtering.'),
  wide(column('Drops', '.status.counters.dropped', 'Packets dropped.', 'integer')),
  wide(column('Port', '.spec.policy.consumerEndpoint.port', 'UDP port of the endpoint.', 'integer')),
  wide(column('Why', condition('Enforced', 'reason'), 'Why it is enforced or is not.')),
  wide(column('Network', '.spec.policy.network', 'VMNetwork that it comes from.')),
  wide(column('Tunnel', '.status.tunnel.lastHandshake', 'Time since the last WireGuard handshake.', 'date')),
  age(),
];

export const NODE_COLUMNS: readonly PrinterColumn[] = [
  column('Ready', condition('Ready'), 'The agent enforces.'),
  column('Platform', '.status.platform.os', 'Operating system.'),
  column('Kernel', '.status.platform.kernel', 'Release of the kernel.'),
  column('VMs', '.status.virtualMachineCount', 'VMs found running.', 'integer'),
  column('Agent', '.status.versions.agent', 'Version of the agent.'),
  age(),
];

function column(
  name: string,
  jsonPath: string,
  description: string,
  type: PrinterColumn['type'] = 'string',
): PrinterColumn {
  return { name, type, description, jsonPath };
}

/** Shown with `-o wide` only. */
function wide(shown: PrinterColumn): PrinterColumn {
  return { ...shown, priority: 1 };
}

function age(): PrinterColumn {
  return column('Age', '.metadata.creationTimestamp', 'Time since the object was made.', 'date');
}

function condition(type: string, field = 'status'): string {
  return `.status.conditions[?(@.type=="${type}")].${field}`;
}
