import type { VmNetwork } from '../../../api/v1alpha1/vm-network.ts';
import type { VmNetworkAttachment } from '../../../api/v1alpha1/vm-network-attachment.ts';
import { effectiveViolationAction } from '../../../api/v1alpha1/violation.ts';
import { effectiveRatePerMillion } from '../../../api/v1alpha1/vm-network-spec.ts';
import { keyOf } from '../../../controller/vmnetwork/plan.ts';
import { readManifestText } from '../../manifest/manifest-text.ts';
import { chooseNetwork, chooseVm, intentOf, parseNetworkFile } from '../../manifest/network-file.ts';
import { InputError } from '../../input-error.ts';
import { usageError } from '../../usage-error.ts';
import { chooseAttachment, readAttachments } from './attachment-file.ts';
import type { PolicyOptions } from './policy-options.ts';
import type { WantedPolicy } from './wanted-policy.ts';

/**
 * What the file wants, and of whom. VMNetworkAttachments go before VMNetworks in the same file: they are what a
 * controller made of those. Throws ManifestError and InputError for the file, VMN_USAGE for the options.
 */
export function readPolicyFile(options: PolicyOptions): WantedPolicy {
  const text = readManifestText(options.policy);
  const attachments = readAttachments(text, options.policy);
  if (attachments.length === 0) return fromNetwork(text, options);
  if (options.network !== undefined) {
    const remedy = 'Leave it out; --vm chooses among VMNetworkAttachments.';
    throw usageError(`--network ${options.network} names a VMNetwork`, remedy);
  }
  return fromAttachment(chooseAttachment(attachments, options.vm), options.policy);
}

function fromNetwork(text: string, options: PolicyOptions): WantedPolicy {
  const { networks, classes } = parseNetworkFile(text, options.policy);
  const network = chooseNetwork(networks, options.network);
  const vm = vmOf(network, options);
  const { intent, reason } = intentOf(network, classes, vm);
  return { object: keyOf(network), vm, intent, denied: reason, generation: 1n, card: {}, previous: null };
}

/** A guest whose MAC and address are told needs no name; any VM of the network has the same policy. */
function vmOf(network: VmNetwork, { vm, guestMac, guestAddress }: PolicyOptions): string {
  const [first] = network.spec.selector.names;
  const isTold = vm === undefined && guestMac !== undefined && guestAddress !== undefined;
  return isTold && first !== undefined ? first : chooseVm(network, vm);
}

function fromAttachment({ metadata, spec }: VmNetworkAttachment, file: string): WantedPolicy {
  const { policy } = spec;
  const { mode, consumerEndpoint } = policy;
  if (mode === 'Direct' || consumerEndpoint === undefined) {
    const message =
      'has mode Direct: what its host denies stands in the class, which an attachment only names';
    const remedy = 'Give its VMNetwork and VMNetworkClass, or on its host --live and the VM.';
    throw new InputError(file, message, remedy, 'refused');
  }
  const { guestAddress, gatewayAddress, gatewayMac, previousEndpoint: previous } = policy;
  const { threshold, windowSeconds } = policy.violation;
  return {
    object: `${metadata.namespace}/${metadata.name}`,
    vm: spec.vm.name,
    denied: '',
    generation: BigInt(spec.policyGeneration),
    card: {
      guestMac: spec.interface.mac,
      gatewayAddress,
      gatewayMac,
      ...(guestAddress === undefined ? {} : { guestAddress }),
    },
    previous:
      previous === undefined
        ? null
        : { address: previous.address, port: previous.port, until: { ms: Date.parse(previous.until) } },
    intent: {
      network: `${metadata.namespace}/${policy.network}`,
      endpoint: consumerEndpoint,
      graceSeconds: 0,
      quarantined: policy.desiredState === 'Quarantined',
      strictWireGuard: policy.strictWireGuard,
      mode,
      samplePerMillion: mode === 'Sampled' ? effectiveRatePerMillion(policy) : 0,
      audit: policy.enforcement === 'Audit',
      limits: policy.limits,
      violation: { action: effectiveViolationAction(policy), threshold, windowSeconds },
    },
  };
}
