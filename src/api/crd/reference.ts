import { stringify } from 'yaml';
import { describeSchema } from '../field-guide.ts';
import type { FieldNode } from '../field-guide.ts';
import { CONDITION_REASONS } from '../v1alpha1/conditions.ts';
import { API_VERSION } from '../v1alpha1/group-version.ts';
import type { PrinterColumn, Resource } from './custom-resource-definition.ts';
import { CATEGORY } from './custom-resource-definition.ts';
import { RESOURCES } from './resources.ts';

const HEAD = `<!-- Generated from src/api by scripts/generate-crds.ts; do not edit. -->

# The API

Group and version \`${API_VERSION}\`. The same text is in the cluster: \`kubectl explain vmnetwork.spec\`, and so on down to each field.
\`kubectl get ${CATEGORY}\` shows all kinds. [examples](../examples) has a manifest for each use.

## What is refused, and by whom

1. **The API server, by schema and CEL rules**: types, bounds, choices, the form of every text, and rules that tie fields together, as listed below. The message
   says what to do. [test/control-plane/validation.test.ts](../test/control-plane/validation.test.ts) breaks each rule.
2. **Admission policies** of the Helm chart: what the class of a network forbids; who may write what.
3. **The controller**: \`Accepted=False\`, with a reason of the table below.
4. **The standalone agent and \`vmnetctl validate\`** ask the same as 1, of files. Generated objects are put before both, and both accept the same.

Some bounds the API server words itself, and says no remedy:

| it says | what to do |
|---|---|
| \`Too many: N: must have at most M items\` | what the field's own description says after "for more" |
| \`Too long: may not be more than N bytes\` | shorten the text. Names of objects, nodes and VMs have at most 253 characters, label values 63 |
| \`Duplicate value\` | remove the entry that stands there twice |
| \`must be of type integer: "string"\`, and the like | write the value as in the example of the field: a number without quotes, a text with them |
| \`Unsupported value: supported values: ...\` | write one of those, with just these capitals |
| \`should be less than or equal to N\`, \`should be greater than or equal to N\` | choose a number within the bounds; \`kubectl explain\` tells its unit |
| \`Required value\` | add the field, as in its example |
| \`unknown field\` | correct its name, or where it stands; \`kubectl explain --recursive vmnetwork.spec\` lists all |

Two differences are by nature. To the API server \`null\` is a field that is not there, so its default applies; in a file it is refused. Unknown fields
are refused in a file, and by \`kubectl\`, which asks for strict validation; with \`--validate=false\`, or by another client, the API server drops them and warns.
`;

/** docs/api.md. Deterministic, so that a test can compare it with what is checked in. */
export function renderReference(): string {
  return [HEAD, ...RESOURCES.map(kindSection), reasonSection()].join('\n').replaceAll(/\n{3,}/g, '\n\n');
}

function kindSection(resource: Resource): string {
  const root = describeSchema(resource.schema);
  const { spec, status } = root.properties ?? {};
  const scope = resource.scope === 'Namespaced' ? 'In a namespace' : 'Of the cluster';
  const shown = (isWide: boolean): string =>
    resource.columns
      .filter(({ priority }) => (priority === 1) === isWide)
      .map(({ name }: PrinterColumn) => name.toUpperCase())
      .join(', ');
  const wide = shown(true);
  const parts = [
    `## ${resource.kind}\n`,
    `${root.description ?? ''}\n`,
    `${scope}. Short names: ${resource.shortNames.map(code).join(', ')}. \`kubectl get\` shows ${shown(false)}${wide === '' ? '' : `; with \`-o wide\` also ${wide}`}.`,
    resource.selectable.length === 0
      ? ''
      : `Field selectors: ${resource.selectable.map((path) => code(path.slice(1))).join(', ')}.\n`,
    ...(spec === undefined ? [] : [tableOf('spec', spec), rulesOf(spec)]),
    ...(status === undefined ? [] : [tableOf('status', status)]),
  ];
  return `${parts.filter((part) => part !== '').join('\n')}\n`;
}

function tableOf(part: string, node: FieldNode): string {
  const rows = rowsOf(node, part);
  if (rows.length === 0) return `\n\`${part}\`: ${node.description ?? ''}\n`;
  return `\n| ${part} | type | default | |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

function rowsOf(node: FieldNode, path: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const here = `${path}.${name}`;
    const isRequired = node.required?.includes(name) === true;
    const { description = '', examples = [] } = child;
    const ended = /[.!?]$/.test(description) ? description : `${description}.`;
    const byDefault = child.default === undefined ? (isRequired ? '*required*' : '') : inline(child.default);
    const example = examples.length === 0 ? '' : ` Example: ${inline(examples[0])}`;
    const row = `| ${code(here.slice(here.indexOf('.') + 1))} | ${typeOf(child)} | ${byDefault} | ${cell(ended)}${example} |`;
    const items = child.items === undefined ? [] : rowsOf(child.items, `${here}[]`);
    return [row, ...rowsOf(child, here), ...items];
  });
}

function typeOf(node: FieldNode): string {
  const { type, items, additionalProperties: values, minimum, maximum, maxItems, maxLength } = node;
  if (node['enum'] !== undefined) return (node['enum'] as string[]).map(code).join(', ');
  if (type === 'array' && items !== undefined) {
    const most = typeof maxItems === 'number' ? `, at most ${maxItems}` : '';
    const set = node['x-kubernetes-list-type'] === 'set' ? 'set' : 'list';
    return `${set} of ${items.properties === undefined ? typeOf(items) : 'objects'}${most}`;
  }
  if (typeof values === 'object') return `map of ${typeOf(values)}`;
  if (type === 'integer' && typeof minimum === 'number' && typeof maximum === 'number') {
    return maximum === Number.MAX_SAFE_INTEGER
      ? `integer, at least ${minimum}`
      : `integer, ${minimum} to ${maximum}`;
  }
  // The whole form stands where it is needed: in the message.
  if (type === 'string' && node.form !== undefined)
    return /^must be (?:an? |the )?([^:,]+)/.exec(node.form)?.[1] ?? 'text';
  if (type === 'string' && typeof maxLength === 'number') return `text, at most ${maxLength} characters`;
  return type === 'string' ? 'text' : String(type);
}

/** What the API server says when fields do not go together, or change where they must not. */
function rulesOf(spec: FieldNode): string {
  const rules = rulesBelow(spec, 'spec');
  return rules.length === 0 ? '' : `\nRules:\n\n${rules.map((rule) => `* ${rule}`).join('\n')}\n`;
}

function rulesBelow(node: FieldNode, path: string): string[] {
  const own = (node['x-kubernetes-validations'] ?? []) as { message: string; fieldPath?: string }[];
  return [
    ...own.map(({ message, fieldPath = '' }) => `${code(path + fieldPath)} ${cell(message)}`),
    ...Object.entries(node.properties ?? {}).flatMap(([name, child]) => rulesBelow(child, `${path}.${name}`)),
    ...(node.items === undefined ? [] : rulesBelow(node.items, `${path}[]`)),
  ];
}

function reasonSection(): string {
  const rows = Object.entries(CONDITION_REASONS).map(
    ([reason, meaning]) => `| ${code(reason)} | ${cell(meaning)} |`,
  );
  return `## Reasons of conditions\n\nConstants, for programs to match on; \`message\` is for people.\n\n| reason | |\n|---|---|\n${rows.join('\n')}\n`;
}

function inline(value: unknown): string {
  const text = stringify(value, {
    collectionStyle: 'flow',
    flowCollectionPadding: false,
    lineWidth: 0,
  }).trim();
  return code(text);
}

function code(text: string): string {
  return `\`${cell(text)}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
