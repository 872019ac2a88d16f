import { stringify } from 'yaml';

/**
 * A document for cloud-init, which reads YAML 1.1 (PyYAML). By that version's rules `yes`, `0600` and `12:30:45` are no
 * strings unless quoted; the library quotes what would be taken for something else.
 */
export function yamlText(document: unknown, firstLine = ''): string {
  return firstLine + stringify(document, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false });
}
