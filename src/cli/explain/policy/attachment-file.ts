import { explainIssues } from '../../../api/schema-issues.ts';
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

function parsed(document: YamlDocument, file: string): VmNetworkAttachment {
  const result = vmNetworkAttachmentSchema.safeParse(document.value);
  if (result.success && document.issues.length === 0) return result.data;
  const issues = [
    ...document.issues,
    ...(result.success ? [] : explainIssues(vmNetworkAttachmentSchema, document.value, result.error.issues)),
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
