/**
 * Lint rules. The first half states the architecture: which part may import which (see ARCHITECTURE.md). It is closed by
 * default: a new folder in src/ may import nothing and be imported by nobody until it is named here, and
 * test/unit/repository proves each rule by linting code that breaks it.
 */
import { builtinModules } from 'node:module';
import { defineConfig } from 'eslint/config';
import { createNodeResolver, flatConfigs as importFlatConfigs } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** Part of src/ -> the parts that it may import besides itself. */
const LAYERS = {
  lib: [],
  api: ['lib'],
  packet: ['lib'],
  filter: ['lib', 'api', 'packet'],
  nat: ['lib', 'api', 'packet', 'filter'],
  cloudinit: ['lib', 'api'],
  wireguard: ['lib', 'api'],
  kube: ['lib'],
  native: ['lib', 'api', 'packet', 'filter'],
  controller: ['lib', 'api', 'filter', 'wireguard', 'kube'],
  agent: ['lib', 'api', 'packet', 'filter', 'nat', 'cloudinit', 'wireguard', 'kube', 'native', 'controller'],
  cli: [
    'lib',
    'api',
    'packet',
    'filter',
    'nat',
    'cloudinit',
    'wireguard',
    'kube',
    'native',
    'controller',
    'agent',
  ],
};

/** Thinking only: no files, network, processes, clock or output. What they need is passed in. */
const PURE = ['api', 'packet', 'filter'];

/** The pure part of the controller, which the agent reuses when it runs without a cluster. */
const CONTROLLER_PLANS = ['**/src/controller/*/plan.ts', '**/src/controller/*/plan/**'];

const zones = [
  ...Object.entries(LAYERS).map(([part, mayImport]) => ({
    target: `./src/${part}`,
    from: './src',
    except: [part, ...mayImport].map((name) => `./${name}`),
    message: `src/${part} may import only: ${mayImport.join(', ') || 'nothing else of src'}.`,
  })),
  ...['agent', 'cli'].map((part) => ({
    target: `./src/${part}`,
    from: './src/controller/**',
    except: CONTROLLER_PLANS,
    message: `src/${part} may import only the plan files of src/controller.`,
  })),
  {
    target: './src',
    from: ['./test', './scripts', './demo', './bench'],
    message: 'What is shipped does not import what tests or shows it.',
  },
];

const NO_IO_MESSAGE = 'This part does no I/O: pass in what it needs.';
const pureBuiltins = builtinModules
  .filter((name) => !name.startsWith('_'))
  .map((name) => (name.startsWith('node:') ? name : `node:${name}`))
  .filter((name) => !['node:net', 'node:assert', 'node:assert/strict', 'node:buffer'].includes(name));

const testFolders = ['test', 'scripts', 'demo', 'bench'];

export default defineConfig(
  { ignores: ['build/', '.tools/', '.cache/', 'coverage/', 'node_modules/'] },
  {
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-constant-condition': ['error', { checkLoops: 'allExceptWhileTrue' }],
      'no-empty': ['error', { allowEmptyCatch: false }],
      'no-fallthrough': 'error',
      'no-loss-of-precision': 'error',
      'no-control-regex': 'error',
      'no-sparse-arrays': 'error',
      'no-unsafe-finally': 'error',
      'no-unsafe-optional-chaining': 'error',
      'no-useless-escape': 'error',
      'require-yield': 'error',
    },
  },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked, importFlatConfigs.typescript],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    settings: {
      'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.js', '.json'] })],
      // Without it import-x follows only .js files, and no-cycle sees nothing.
      'import-x/extensions': ['.ts', '.js'],
    },
    rules: {
      // The names that the rules of this project turn on; the rest of the strict set stays as it is.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: false },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Numbers, booleans and bigints in templates are what messages are made of.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowNullish: false },
      ],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // tsconfig's noPropertyAccessFromIndexSignature asks for the brackets that this rule would remove.
      '@typescript-eslint/dot-notation': 'off',
      // It takes what a callback or another process changes meanwhile for impossible, and the checks at borders for idle.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones }],
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'import-x/no-self-import': 'error',
      'import-x/no-duplicates': 'error',
      'import-x/no-extraneous-dependencies': [
        'error',
        { devDependencies: testFolders.map((folder) => `${folder}/**`) },
      ],
      'no-restricted-imports': ['error', { patterns: bareBuiltins() }],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      // The one place that loads native code is src/native; the one that loads the Kubernetes library, src/kube/transport.
      'no-restricted-imports': [
        'error',
        { patterns: [...bareBuiltins(), nativeLoaders(), kubernetesLibrary()] },
      ],
      // `await import` would pass by the rule above.
      'no-restricted-syntax': ['error', kubernetesLibraryAtRunTime()],
      'no-restricted-properties': ['error', noDlopen()],
      'no-console': 'error',
    },
  },
  {
    files: ['src/native/**/*.ts'],
    rules: {
      'no-restricted-imports': ['error', { patterns: [...bareBuiltins(), kubernetesLibrary()] }],
      'no-restricted-properties': 'off',
    },
  },
  {
    files: ['src/kube/transport/**/*.ts'],
    rules: {
      'no-restricted-imports': ['error', { patterns: [...bareBuiltins(), nativeLoaders()] }],
      'no-restricted-syntax': 'off',
    },
  },
  {
    files: PURE.map((part) => `src/${part}/**/*.ts`),
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: [
            ...pureBuiltins.map((name) => ({ name, message: NO_IO_MESSAGE })),
            { name: 'node:net', allowImportNames: ['isIP', 'isIPv4', 'isIPv6'], message: NO_IO_MESSAGE },
            { name: 'pino', message: NO_IO_MESSAGE },
            { name: 'commander', message: NO_IO_MESSAGE },
          ],
          patterns: [...bareBuiltins(), nativeLoaders(), kubernetesLibrary()],
        },
      ],
      'no-restricted-globals': [
        'error',
        ...[
          'process',
          'console',
          'fetch',
          'WebSocket',
          'setTimeout',
          'setInterval',
          'setImmediate',
          'performance',
        ].map((name) => ({ name, message: NO_IO_MESSAGE })),
      ],
      'no-restricted-properties': [
        'error',
        noDlopen(),
        { object: 'Date', property: 'now', message: 'Time is passed in.' },
        { object: 'Math', property: 'random', message: 'Randomness is passed in.' },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'ImportExpression', message: 'A part without I/O imports statically.' },
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Time is passed in.' },
      ],
    },
  },
  {
    files: testFolders.map((folder) => `${folder}/**/*.ts`),
    rules: {
      // Tests say `result!.x` where a failure to be there is a failure of the test.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Taking an ASCII string apart is how tests make hostile ones.
      '@typescript-eslint/no-misused-spread': 'off',
      // A fake of an async interface need not await.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: ['**/*.js'],
    languageOptions: { globals: { process: 'readonly' } },
  },
);

/** `fs` instead of `node:fs` would pass by the rules that name the latter. */
function bareBuiltins() {
  const names = builtinModules.filter((name) => !name.startsWith('node:') && !name.startsWith('_'));
  return [
    {
      regex: `^(${names.map((name) => name.replaceAll('/', '\\/')).join('|')})$`,
      message: "Write the 'node:' in front of Node's own modules.",
    },
  ];
}

function nativeLoaders() {
  return {
    regex: '^(koffi|node:module)$|\\.node$',
    message: 'Only src/native loads native code.',
  };
}

function noDlopen() {
  return { object: 'process', property: 'dlopen', message: 'Only src/native loads native code.' };
}

function kubernetesLibrary() {
  return {
    regex: '^@kubernetes/',
    message: 'Only src/kube/transport loads @kubernetes/client-node; others use the KubeClient it gives.',
  };
}

function kubernetesLibraryAtRunTime() {
  const { regex, message } = kubernetesLibrary();
  return { selector: `ImportExpression > Literal[value=/${regex.replaceAll('/', '\\/')}/]`, message };
}
