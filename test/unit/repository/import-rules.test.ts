import { beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Finding, Snippet } from './lint-snippets.ts';

/** The architecture's import rule, stated a second time on purpose: eslint.config.js must agree with it. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  lib: [],
  api: ['lib'],
  packet: ['lib'],
  filter: ['lib', 'api', 'packet'],
  nat: ['lib', 'api', 'packet', 'filter'],
  cloudinit: ['lib', 'api'],
  wireguard: ['lib', 'api'],
  kube: ['lib'],
  native: ['lib', 'api', 'packet', 'filter'],
  controller: ['lib', 'api', 'filter', 'kube', 'wireguard'],
  agent: ['lib', 'api', 'packet', 'filter', 'nat', 'cloudinit', 'wireguard', 'kube', 'native'],
  cli: ['lib', 'api', 'packet', 'filter', 'nat', 'cloudinit', 'wireguard', 'kube', 'native', 'agent'],
};

const projectRoot = join(import.meta.dirname, '..', '..', '..');
const parts = readdirSync(join(projectRoot, 'src'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && filesOf(entry.name).length > 0)
  .map((entry) => entry.name);

function filesOf(part: string): string[] {
  return readdirSync(join(projectRoot, 'src', part), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('src', part, name))
    .sort();
}

function firstFile(part: string): string {
  const file = filesOf(part)[0];
  if (file === undefined) throw new Error(`src/${part} has no file`);
  return file;
}

function importing(from: string, to: string): string {
  return `export * from '${relative(join(from, '..'), to).replace(/^(?!\.)/, './')}';\n`;
}

function lint(snippets: readonly Snippet[]): Finding[][] {
  const output = execFileSync(process.execPath, [join(import.meta.dirname, 'lint-snippets.ts')], {
    cwd: projectRoot,
    input: JSON.stringify(snippets),
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return JSON.parse(output) as Finding[][];
}

test('every folder of src has its place in the import rules', () => {
  expect(parts.filter((part) => !(part in MAY_IMPORT))).toEqual([]);
});

test('ARCHITECTURE.md shows every folder of src, and where it stands in the imports', () => {
  const tour = readFileSync(join(projectRoot, 'ARCHITECTURE.md'), 'utf8');
  const [, chain = ''] = /^Imports go one way([^]*?)\n\n/m.exec(tour) ?? [];
  for (const part of parts) {
    expect(tour).toContain(`[src/${part}](src/${part})`);
    expect(chain).toMatch(new RegExp(`\\b${part}\\b`));
  }
});

test('src holds nothing but folders', () => {
  const entries = readdirSync(join(projectRoot, 'src'), { withFileTypes: true });
  expect(entries.filter((entry) => !entry.isDirectory() && entry.name !== 'README.md')).toEqual([]);
});

describe('between the parts of src', () => {
  interface Pair {
    from: string;
    to: string;
    allowed: boolean;
    snippet: Snippet;
  }
  // The plan files of the controller are the one exception, tried below; here it is an ordinary other part.
  const pairs: Pair[] = parts.flatMap((from) =>
    parts
      .filter((to) => to !== from)
      .map((to) => {
        const target =
          to === 'controller' ? (filesOf(to).find((file) => !isPlan(file)) ?? null) : firstFile(to);
        return { from, to, target };
      })
      .filter((pair): pair is { from: string; to: string; target: string } => pair.target !== null)
      .map(({ from, to, target }) => ({
        from,
        to,
        allowed: MAY_IMPORT[from]?.includes(to) ?? false,
        snippet: {
          file: join('src', from, 'snippet.ts'),
          code: importing(join('src', from, 'snippet.ts'), target),
        },
      })),
  );
  let findings: Finding[][] = [];
  beforeAll(() => {
    findings = lint(pairs.map((pair) => pair.snippet));
  }, 60_000);

  test.each(pairs.map((pair, index) => ({ ...pair, index, verb: pair.allowed ? 'may' : 'may not' })))(
    '$from $verb import $to',
    ({ allowed, index }) => {
      const rules = findings[index]?.map((finding) => finding.rule) ?? [];
      expect(rules.includes('import-x/no-restricted-paths')).toBe(!allowed);
    },
  );
});

function isPlan(file: string): boolean {
  return /^src\/controller\/[^/]+\/(plan\.ts|plan\/)/.test(file);
}

describe('rules for single parts', () => {
  const bad: (Snippet & { title: string; rule: string })[] = [
    {
      title: 'api reads no files',
      file: 'src/api/snippet.ts',
      code: "import { readFileSync } from 'node:fs';\nexport const text = readFileSync('/x');\n",
      rule: 'no-restricted-imports',
    },
    {
      title: 'filter opens no sockets, though it may ask node:net what an address is',
      file: 'src/filter/snippet.ts',
      code: "import { connect, isIP } from 'node:net';\nexport const x = [connect, isIP];\n",
      rule: 'no-restricted-imports',
    },
    {
      title: 'packet starts no processes',
      file: 'src/packet/snippet.ts',
      code: "export { spawn } from 'node:child_process';\n",
      rule: 'no-restricted-imports',
    },
    {
      title: 'api loads nothing at run time',
      file: 'src/api/snippet.ts',
      code: "export const fs = await import('node:fs');\n",
      rule: 'no-restricted-syntax',
    },
    {
      title: 'api asks no clock',
      file: 'src/api/snippet.ts',
      code: 'export const now = [Date.now(), new Date()];\n',
      rule: 'no-restricted-properties',
    },
    {
      title: 'filter sees no environment',
      file: 'src/filter/snippet.ts',
      code: "export const home = process.env['HOME'];\n",
      rule: 'no-restricted-globals',
    },
    {
      title: "Node's modules carry their prefix",
      file: 'src/agent/snippet.ts',
      code: "export { readFileSync } from 'fs';\n",
      rule: 'no-restricted-imports',
    },
    {
      title: 'the agent loads no native code',
      file: 'src/agent/snippet.ts',
      code: "export { createRequire } from 'node:module';\n",
      rule: 'no-restricted-imports',
    },
    {
      title: 'nor by process.dlopen',
      file: 'src/cli/snippet.ts',
      code: "process.dlopen({ exports: {} }, '/x.node');\n",
      rule: 'no-restricted-properties',
    },
    {
      title: 'kube uses the library of Kubernetes in its transport only',
      file: 'src/kube/snippet.ts',
      code: "export * from '@kubernetes/client-node';\n",
      rule: 'no-restricted-imports',
    },
    {
      title: 'the agent does not load it at run time either',
      file: 'src/agent/snippet.ts',
      code: "export const k8s = await import('@kubernetes/client-node');\n",
      rule: 'no-restricted-syntax',
    },
    {
      title: 'src imports nothing of test',
      file: 'src/agent/snippet.ts',
      code: "export * from '../../test/support/skip.ts';\n",
      rule: 'import-x/no-restricted-paths',
    },
    {
      title: 'src imports nothing of scripts',
      file: 'src/lib/snippet.ts',
      code: "export * from '../../scripts/testing/tier.ts';\n",
      rule: 'import-x/no-restricted-paths',
    },
    {
      title: 'src imports no development dependency',
      file: 'src/agent/snippet.ts',
      code: "export * from 'fast-check';\n",
      rule: 'import-x/no-extraneous-dependencies',
    },
    {
      title: 'a module does not import itself, and so makes no circle',
      file: 'scripts/testing/tier.ts',
      code: "export { tierNamed } from './tier.ts';\n",
      rule: 'import-x/no-self-import',
    },
    {
      title: 'two modules do not import each other',
      file: 'scripts/testing/skip-reason.ts',
      // reporter.ts imports skip-reason.ts
      code: "import reporter from './reporter.ts';\nexport const splitSkipReason = reporter;\n",
      rule: 'import-x/no-cycle',
    },
    {
      title: 'a promise is awaited',
      file: 'scripts/testing/tier.ts',
      code: 'Promise.resolve(1);\n',
      typed: true,
      rule: '@typescript-eslint/no-floating-promises',
    },
    {
      title: 'a switch names every case',
      file: 'scripts/testing/tier.ts',
      code: "export function f(x: 'a' | 'b'): void {\n  switch (x) {\n    case 'a':\n  }\n}\n",
      typed: true,
      rule: '@typescript-eslint/switch-exhaustiveness-check',
    },
    {
      title: 'there is no any',
      file: 'src/lib/snippet.ts',
      code: 'export const x: any = 1;\n',
      rule: '@typescript-eslint/no-explicit-any',
    },
    {
      title: 'types are imported as types',
      file: 'scripts/testing/jest-run.ts',
      code: "import { Tier } from './tier.ts';\nexport const x: Tier | null = null;\n",
      rule: '@typescript-eslint/consistent-type-imports',
    },
  ];
  let findings: Finding[][] = [];
  beforeAll(() => {
    findings = lint(bad);
  }, 60_000);

  test.each(bad.map(({ title, rule }, index) => ({ title, rule, index })))('$title', ({ rule, index }) => {
    expect(findings[index]?.map((finding) => finding.rule)).toContain(rule);
  });
});

describe('the plans of the controller', () => {
  const plan = parts.includes('controller') ? filesOf('controller').find(isPlan) : undefined;

  test.each(['agent', 'cli'])('%s may import them', (part) => {
    if (plan === undefined) throw new Error('src/controller has no plan.ts');
    const file = join('src', part, 'snippet.ts');
    const [findings = []] = lint([{ file, code: importing(file, plan) }]);
    expect(findings).toEqual([]);
  });
});
