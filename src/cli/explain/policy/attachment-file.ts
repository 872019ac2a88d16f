import { explainIssues } from '../../../api/schema-issues.ts';
import { isMapping } from '../../../api/v1alpha1/cross-field-rule.ts';
import { formatFieldPath } from '../../../api/field-path.ts';
import type { Problem } from '../../../api/manifest.ts';
import {
  type VmNetworkAttachment,
  vmNetworkAttachmentSchema,
} from '../../../api/v1alpha1/vm-network-attachment.ts';
import { DEFAULT_YAML_LIMITS, readYaml, type YamlDocument } from '../../../api/yaml-stream.ts';
import { ManifestError } from '../../manifest/manifest-error.ts';
import { usageError } from '../../usage-error.ts';

const KIND = 'VMNetworkAttachment';

/** The VMNetworkAttachments of a file, in its order; none is no error. Throws ManifestError for what they break. */
export function readAttachments(text: string, file: string): VmNetworkAttachment[] {
  if (!text.includes(KIND) || Buffer.byteLength(text) > DEFAULT_YAML_LIMITS.bytes) return [];
  return readYaml(text, DEFAULT_YAML_LIMITS)
    .filter(({ value }) => isAttachment(value))
    .map((document) => parsed(document, file));
}

/** The one for the VM that `wanted` names, or the only one. */
export function chooseAttachment(
  attachments: readonly VmNetworkAttachment[],
  wanted: string | undefined,
): VmNetworkAttachment {
  const matching = attachments.filter(({ spec }) => wanted === undefined || spec.vm.name === wanted);
  const [attachment] = matching;
  if (attachment !== undefined && matching.length === 1) return attachment;
  const names = attachments.map(({ spec }) => spec.vm.name).join(', ');
  const fault = wanted === undefined ? 'the file holds several VMNetworkAttachments' : `--vm ${wanted}`;
  throw usageError(fault, `Give one of their VMs with --vm: ${names}.`);
}

function isAttachment(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === KIND;
}

/**
 * An attachment that was written by hand need not say what only a cluster has a use for: which network it is of, the
 * identity of the VM on its host, the hash of the policy. Nothing of this changes a verdict.
 */
function completed(value: unknown): unknown {
  if (!isMapping(value) || !isMapping(value['spec'])) return value;
  const { spec, metadata } = value;
  const { vm, policy } = spec;
  const name = isMapping(metadata) ? metadata['name'] : undefined;
  return {
    ...value,
    spec: {
      hash: '0'.repeat(64),
      ...spec,
      ...(isMapping(vm) ? { vm: { id: vm['uuid'] ?? vm['name'], ...vm } } : {}),
      ...(isMapping(policy) && name !== undefined ? { policy: { network: name, ...policy } } : {}),
    },
  };
}

function parsed(document: YamlDocument, file: string): VmNetworkAttachment {
  const value = completed(document.value);
  const result = vmNetworkAttachmentSchema.safeParse(value);
  if (result.success && document.issues.length === 0) return result.data;
  const issues = [
    ...document.issues,
    ...(result.success ? [] : explainIssues(vmNetworkAttachmentSchema, value, result.error.issues)),
  ];
  throw new ManifestError(
    issues.map(({ path, value, message, remedy }): Problem => {
      const line = document.lineOf(path);
      return {
        file,
        ...(line === undefined ? {} : { line }),
        ...(path.length === 0 ? {} : { field: formatFieldPath(path) }),
        ...(value === undefined ? {} : { value }),
        message,
        remedy,
        code: 'VMN_MANIFEST_INVALID',
      };
    }),
  );
}
