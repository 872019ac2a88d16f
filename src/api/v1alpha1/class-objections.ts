import { parseCidr, cidrContains } from './cidr.ts';
import type { Cidr } from './cidr.ts';
import { deniedNetworks } from './denied-networks.ts';
import { LIMIT_FIELDS } from './limits.ts';
import { VIOLATION_ACTIONS, effectiveViolationAction } from './violation.ts';
import type { VmNetworkClassSpec } from './vm-network-class-spec.ts';
import type { VmNetworkSpec } from './vm-network-spec.ts';

/** Something that a network asks for and may not have, or cannot, with its way out. */
export interface Objection {
  /** Path of the field in the VMNetwork: `spec.mode`. */
  readonly field: string;
  readonly value: string;
  readonly message: string;
  readonly remedy: string;
}

/**
 * What `classSpec` forbids of `spec`; nothing if the network keeps within its bounds. Pure, so that admission and the
 * agent ask the same question: a controller that was taken over cannot widen what an agent programs.
 *
 * @param clusterRanges node addresses, pod and service ranges of this cluster; empty outside of one
 */
export function classObjections(
  spec: VmNetworkSpec,
  classSpec: VmNetworkClassSpec,
  clusterRanges: readonly Cidr[] = [],
): Objection[] {
  return [
    ...modeObjections(spec, classSpec),
    ...endpointObjections(spec, classSpec, clusterRanges),
    ...limitObjections(spec, classSpec),
  ];
}

function modeObjections(spec: VmNetworkSpec, classSpec: VmNetworkClassSpec): Objection[] {
  const objections: Objection[] = [];
  if (!classSpec.allowedModes.includes(spec.mode)) {
    const allowed = classSpec.allowedModes.join(', ');
    objections.push(
      forbidden('spec.mode', spec.mode, `is not among the allowed modes`, `Use one of: ${allowed}.`),
    );
  }
  if (spec.enforcement === 'Audit' && !classSpec.allowAudit) {
    objections.push(forbidden('spec.enforcement', 'Audit', 'is not allowed', 'Use enforcement: Enforce.'));
  }
  if (!spec.wireGuard.strict && !classSpec.allowNonStrict) {
    objections.push(forbidden('spec.wireGuard.strict', 'false', 'is not allowed', 'Use strict: true.'));
  }
  const action = effectiveViolationAction(spec);
  const ceiling = classSpec.maximumViolationAction;
  if (VIOLATION_ACTIONS.indexOf(action) > VIOLATION_ACTIONS.indexOf(ceiling)) {
    const remedy = `Set spec.violation.action to ${ceiling} or milder.`;
    objections.push(forbidden('spec.violation.action', action, `is more severe than ${ceiling}`, remedy));
  }
  return objections;
}

function endpointObjections(
  spec: VmNetworkSpec,
  classSpec: VmNetworkClassSpec,
  clusterRanges: readonly Cidr[],
): Objection[] {
  const endpoint = spec.consumerEndpoint;
  if (endpoint === undefined) return [];
  const denied = deniedNetworks(classSpec, clusterRanges);
  const objections: Objection[] = [];
  const network = denied.find((range) => parseCidr(range) !== null && cidrContains(range, endpoint.address));
  if (network !== undefined) {
    const remedy = 'Name an endpoint outside of that network, or ask the provider for another class.';
    const message = `lies in the denied network ${network}`;
    objections.push(forbidden('spec.consumerEndpoint.address', endpoint.address, message, remedy));
  }
  if (classSpec.deniedPorts.includes(endpoint.port)) {
    const remedy = "Let the consumer's WireGuard listen on another port.";
    objections.push(
      forbidden('spec.consumerEndpoint.port', String(endpoint.port), 'is a denied port', remedy),
    );
  }
  return objections;
}

function limitObjections(spec: VmNetworkSpec, classSpec: VmNetworkClassSpec): Objection[] {
  return LIMIT_FIELDS.flatMap((field) => {
    const most = classSpec.limits.maximum[field];
    const value = spec.limits[field];
    if (most === 0 || value <= most) return [];
    return [
      forbidden(`spec.limits.${field}`, String(value), `is more than ${most}`, `Ask for at most ${most}.`),
    ];
  });
}

function forbidden(field: string, value: string, message: string, remedy: string): Objection {
  return { field, value, message: `${message} in this network's class`, remedy };
}
