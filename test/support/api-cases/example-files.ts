/** The manifests of examples/, as their readers have them: files, and commands in their comments. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

export const EXAMPLES_FOLDER = join(import.meta.dirname, '../../../examples');
export const EXAMPLE_FILES: readonly string[] = readdirSync(EXAMPLES_FOLDER)
  .filter((name) => name.endsWith('.yaml'))
  .sort();

interface ExampleObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: {
    readonly wireGuard?: { readonly presharedKeySecretRef?: { readonly name: string; readonly key: string } };
  };
}

/** A command that a comment tells the reader to type, and the entry of a Secret that it makes, as `namespace/name key`. */
export interface SecretCommand {
  readonly command: string;
  readonly makes: string;
}

/** The one form that such a command has. Piped, so that no key stands in an argument or in the history of a shell. */
const SECRET_COMMAND =
  /^# {3}(wg genpsk \| kubectl -n (\S+) create secret generic (\S+) --from-file=([^=\s]+)=\/dev\/stdin)$/gm;

export function exampleText(file: string): string {
  return readFileSync(join(EXAMPLES_FOLDER, file), 'utf8');
}

export function exampleObjects<T = ExampleObject>(file: string): T[] {
  return parseAllDocuments(exampleText(file)).map((document) => document.toJS() as T);
}

/** What the networks of a file read their keys from, each as {@link SecretCommand.makes} has it. */
export function secretsNeeded(file: string): string[] {
  return exampleObjects(file).flatMap(({ metadata: { namespace = 'default' }, spec }) => {
    const reference = spec?.wireGuard?.presharedKeySecretRef;
    return reference === undefined ? [] : [`${namespace}/${reference.name} ${reference.key}`];
  });
}

export function secretCommands(file: string): SecretCommand[] {
  return [...exampleText(file).matchAll(SECRET_COMMAND)].map(
    ([, command = '', namespace = '', name = '', key = '']) => ({
      command,
      makes: `${namespace}/${name} ${key}`,
    }),
  );
}
