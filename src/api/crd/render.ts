import { stringify } from 'yaml';
import { GROUP } from '../v1alpha1/group-version.ts';
import { customResourceDefinition } from './custom-resource-definition.ts';
import { RESOURCES } from './resources.ts';

/**
 * Every file of crds/: name -> text. Deterministic, so that a test can compare it with what is checked in. Each begins a
 * document, so `cat crds/*.yaml` is a stream of them.
 */
export function renderCrds(): Map<string, string> {
  return new Map(
    RESOURCES.map((resource) => {
      const yaml = stringify(customResourceDefinition(resource), {
        lineWidth: 0,
        singleQuote: true,
        // Quote what a YAML 1.1 reader, such as kubectl's, would not take for text.
        compat: 'yaml-1.1',
        aliasDuplicateObjects: false,
      });
      return [
        `${GROUP}_${resource.plural}.yaml`,
        `---\n# Generated from src/api by scripts/generate-crds.ts; do not edit.\n${yaml}`,
      ];
    }),
  );
}
