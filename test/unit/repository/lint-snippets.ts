/**
 * Lints snippets as if each were the content of a file of the project; run as a process of its own, because eslint and
 * its plugins do not load inside Jest's module system. Reads `Snippet[]` as JSON on standard input, writes `Finding[][]`.
 */
import { readFileSync } from 'node:fs';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';

export interface Snippet {
  /** The file whose rules apply, relative to the project. It must exist when `typed`. */
  file: string;
  code: string;
  /** With the rules that need types; slow. */
  typed?: boolean;
}

export interface Finding {
  rule: string | null;
  message: string;
}

async function lint(snippets: readonly Snippet[]): Promise<Finding[][]> {
  const typed = new ESLint();
  const untyped = new ESLint({
    overrideConfig: [{ files: ['**/*.ts'], ...tseslint.configs.disableTypeChecked }],
  });
  const findings: Finding[][] = [];
  for (const snippet of snippets) {
    const eslint = snippet.typed === true ? typed : untyped;
    const results = await eslint.lintText(snippet.code, { filePath: snippet.file });
    findings.push(
      results.flatMap((result) =>
        result.messages.map((found) => ({ rule: found.ruleId, message: found.message })),
      ),
    );
  }
  return findings;
}

const findings = await lint(JSON.parse(readFileSync(0, 'utf8')) as Snippet[]);
process.stdout.write(JSON.stringify(findings));
