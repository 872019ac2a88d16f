import { createHash } from 'node:crypto';
import { vmNameSchema } from '../../api/v1alpha1/vm-name.ts';
import { DNS_LABEL_PATTERN } from '../../api/v1alpha1/dns-1123.ts';
import { printable } from './printable.ts';

/** Who a VM is, in the words of the API. */
export interface VmIdentity {
  /** The uuid, else the name as the launcher has it, else the process. */
  readonly id: string;
  readonly name: string;
  readonly uuid: string | null;
  readonly namespace: string | null;
  /** Why the name is not the one the launcher gave; null: it is. */
  readonly oddName: string | null;
}

export interface ProcessKey {
  readonly pid: number;
  readonly startTicks: string;
}

const SHOWN = 60;
const HASH_DIGITS = 12;

/** The form of an id that a process has by being one. A name of this form is none. */
const RESERVED = /^process-\d+-\d+$/;

/** The id of a VM that has no other, or must not have the one it claims. */
export function processId({ pid, startTicks }: ProcessKey): string {
  return `process-${pid}-${startTicks}`;
}

/**
 * `name` is what the launcher said, any text. `inPod`: the process runs in a Kubernetes pod; only then is
 * KubeVirt's `NAMESPACE_VMI` taken apart, or anybody who can start a VM could choose its namespace.
 */
export function identityOf(
  said: { readonly name: string | null; readonly uuid: string | null; readonly inPod: boolean },
  process: ProcessKey,
): VmIdentity {
  const { name: given, uuid } = said;
  const kubevirt = given !== null && said.inPod ? kubevirtName(given) : null;
  const name = kubevirt?.name ?? given;
  const namespace = kubevirt?.namespace ?? null;
  if (name === null || name === '') {
    const id = uuid ?? processId(process);
    return { id, name: id, uuid, namespace, oddName: null };
  }
  // Of KubeVirt the whole, for two namespaces may have VMs of one name.
  if ([name, given].every((text) => vmNameSchema.safeParse(text).success && !RESERVED.test(text ?? '')))
    return { id: uuid ?? given ?? name, name, uuid, namespace, oddName: null };
  const safe = safeName(name);
  const oddName = `"${printable(name, SHOWN)}" is no name of a VM, reported as ${safe}`;
  return { id: uuid ?? safe, name: safe, uuid, namespace, oddName };
}

/** Name of a domain in a virt-launcher pod: namespaces cannot hold an underscore. */
function kubevirtName(domain: string): { namespace: string; name: string } | null {
  const at = domain.indexOf('_');
  const namespace = domain.slice(0, Math.max(at, 0));
  return namespace.length <= 63 && DNS_LABEL_PATTERN.test(namespace)
    ? { namespace, name: domain.slice(at + 1) }
    : null;
}

/** A name that fits, and that no other name leads to: what was replaced is told apart by a hash of the whole. */
function safeName(name: string): string {
  const stem = name
    .slice(0, SHOWN)
    .replaceAll(/[^-A-Za-z0-9_.:+@]/g, '_')
    .replace(/^[^A-Za-z0-9]+/, '');
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_DIGITS);
  return `${stem === '' ? 'vm' : stem}--${hash}`;
}
