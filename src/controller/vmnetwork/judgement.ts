import { formatFieldPath } from '../../api/field-path.ts';
import { explainIssues } from '../../api/schema-issues.ts';
import type { Cidr } from '../../api/v1alpha1/cidr.ts';
import { vmNetworkClassSpecSchema } from '../../api/v1alpha1/vm-network-class-spec.ts';
import type { VmNetworkClassSpec } from '../../api/v1alpha1/vm-network-class-spec.ts';
import { vmNetworkSpecSchema } from '../../api/v1alpha1/vm-network-spec.ts';
import type { VmNetworkSpec } from '../../api/v1alpha1/vm-network-spec.ts';
import type { Network, NetworkClass } from '../kinds.ts';
import { ACCEPTED, classRefusal, refusal } from './acceptance.ts';
import type { PlannedCondition } from './acceptance.ts';
import { oncePerObject } from './once-per-object.ts';
import type { SecretState } from './secret-state.ts';
import type { VmOwnership } from './selection.ts';

/** What a network's spec, class and Secret come to. */
export type Judgement =
  | {
      /** `undecided`: what stands is kept up to date and nothing new is made, until it is known. */
      readonly verdict: 'accepted' | 'undecided';
      readonly accepted: PlannedCondition;
      readonly spec: VmNetworkSpec;
      readonly classSpec: VmNetworkClassSpec;
      readonly clusterRanges: readonly Cidr[];
    }
  | {
      readonly verdict: 'refused';
      readonly accepted: PlannedCondition;
      /** Only by what the class does not say yet. If it never comes to say so, no event tells. */
      readonly early?: boolean;
    };

/**
 * Whether a network is accepted. Pure. Specs are parsed although the API server checked them: what was stored under an
 * older schema, or while a rule was missing, is refused here instead of believed.
 *
 * @param networkClass the class that the spec names; undefined if there is none
 * @param clusterRanges as known here: denied as well as those in the status of the class, which the agents go by and which come later
 */
export function judge(
  network: Network,
  networkClass: NetworkClass | undefined,
  clusterRanges: readonly Cidr[],
  secret: SecretState,
): Judgement {
  const parsed = vmNetworkSpecSchema.safeParse(network.spec);
  if (!parsed.success) {
    const issues = explainIssues(vmNetworkSpecSchema, network.spec, parsed.error.issues).slice(0, 8);
    const message = issues
      .map(({ path, message: fault, remedy }) => `${formatFieldPath(['spec', ...path])} ${fault}. ${remedy}`)
      .join(' ');
    return { verdict: 'refused', accepted: refusal('Invalid', message) };
  }
  const spec = parsed.data;
  if (networkClass === undefined) {
    const message = `spec.className "${spec.className}" names no VMNetworkClass of this cluster. Ask the provider which there are, or to make it.`;
    return { verdict: 'refused', accepted: refusal('ClassNotFound', message) };
  }
  const classSpec = classSpecOf(networkClass);
  if (classSpec === null) {
    const message = `VMNetworkClass "${spec.className}" cannot be read by this version of the controller. Ask the provider to apply it again.`;
    return { verdict: 'refused', accepted: refusal('ClassNotFound', message) };
  }
  const written = networkClass.status?.clusterRanges ?? clusterRanges;
  const ranges = either(written, clusterRanges);
  const byClass = classRefusal(spec, classSpec, ranges);
  if (byClass !== null) {
    const early = ranges !== written && classRefusal(spec, classSpec, written) === null;
    return { verdict: 'refused', accepted: byClass, early };
  }
  const decided = { spec, classSpec, clusterRanges: ranges };
  switch (secret.state) {
    case 'invalid':
      return { verdict: 'refused', accepted: refusal('InvalidSecret', secret.message) };
    case 'unreadable': {
      const accepted = { ...refusal('InvalidSecret', secret.message), status: 'Unknown' as const };
      return { verdict: 'undecided', accepted, ...decided };
    }
    case 'ok':
    case 'none':
      return { verdict: 'accepted', accepted: ACCEPTED, ...decided };
  }
}

function either(written: readonly Cidr[], known: readonly Cidr[]): readonly Cidr[] {
  const same = written.length === known.length && written.every((range, index) => range === known[index]);
  return same ? written : [...written, ...known];
}

/**
 * Whose VMs the networks of a class may bind. Without a class that can be read a network is refused and gets no VM, but it
 * claims as by default. More would let a misspelt class claim the VMs of others. Less, such as only what it has, would claim
 * nothing once the attachments of the refused network are gone, and a younger one would get its VMs because a class is
 * missing. The claim takes nobody's running VM: who holds one keeps it.
 */
export function ownershipOf(networkClass: NetworkClass | undefined): VmOwnership {
  const spec = networkClass === undefined ? null : classSpecOf(networkClass);
  return spec?.vmOwnership ?? 'NamespaceIfReported';
}

/** Null: it breaks the schema. */
const classSpecOf = oncePerObject((networkClass: NetworkClass): VmNetworkClassSpec | null => {
  const parsed = vmNetworkClassSpecSchema.safeParse(networkClass.spec ?? {});
  return parsed.success ? parsed.data : null;
});
