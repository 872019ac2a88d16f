import { LineCounter, isAlias, isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';
import type { Document, ParsedNode, Scalar } from 'yaml';
import type { FieldPath } from './field-path.ts';
import { printable } from './printable.ts';

/**
 * YAML, narrowed to what means the same to every reader.
 *
 * What YAML 1.1 (Kubernetes' reader), YAML 1.2 (ours) and people read differently is refused rather than guessed: `010`,
 * `0x1F`, `1e3`, `51900.0` as numbers, keys that are no text, repeated keys, tags. Everything is bounded, since the file
 * may come from anybody: text, documents, nesting, aliases.
 */
export interface YamlLimits {
  /** UTF-8 bytes of the whole file. */
  readonly bytes: number;
  readonly documents: number;
  /** Aliases (`*name`) in one document. */
  readonly aliases: number;
  /** Collections inside one another. */
  readonly depth: number;
}

export const DEFAULT_YAML_LIMITS: YamlLimits = {
  bytes: 1024 * 1024,
  documents: 1000,
  aliases: 32,
  depth: 32,
};

export interface YamlIssue {
  readonly path: FieldPath;
  /** From 1. */
  readonly line?: number;
  readonly value?: string;
  readonly message: string;
  readonly remedy: string;
}

export interface YamlDocument {
  /** Plain data; undefined if the document could not be read. */
  readonly value: unknown;
  /** Not empty: the document is refused, even if there is a value (which then only helps to find more problems). */
  readonly issues: readonly YamlIssue[];
  readonly empty: boolean;
  /** Line of the field, or of the nearest collection around it. */
  lineOf(path: FieldPath): number | undefined;
}

/** All documents of `text`, which the caller has found to be within `limits.bytes`. Throws nothing. */
export function readYaml(text: string, limits: YamlLimits): YamlDocument[] {
  const lines = new LineCounter();
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      schema: 'core',
      resolveKnownTags: false,
      logLevel: 'silent',
      // Checked below: the library compares each key with each other one, which takes minutes for a hostile file.
      uniqueKeys: false,
    });
    return Array.isArray(parsed) ? parsed.map((document) => new Reader(document, lines, limits).read()) : [];
  } catch (error) {
    return [broken(error)];
  }
}

/** What the library itself stumbles over, for example a stack exhausted by nesting. */
function broken(error: unknown): YamlDocument {
  const deep = error instanceof RangeError;
  const message = deep ? 'is nested too deeply' : `cannot be read: ${printable(String(error))}`;
  const issue = { path: [], message, remedy: 'Write plain block YAML as in examples/.' };
  return { value: undefined, issues: [issue], empty: false, lineOf: () => undefined };
}

class Reader {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  readonly #limits: YamlLimits;
  readonly #issues: YamlIssue[] = [];
  #aliases = 0;
  /** Set by what makes the data itself untrustworthy, so that it is not looked at further. */
  #unreadable = false;

  constructor(document: Document.Parsed, lines: LineCounter, limits: YamlLimits) {
    this.#document = document;
    this.#lines = lines;
    this.#limits = limits;
  }

  read(): YamlDocument {
    const { contents, errors, warnings, directives } = this.#document;
    for (const { message, pos } of [...errors, ...warnings].slice(0, 10)) {
      // The library recovers from an exhausted stack by itself, in these words.
      const rule = /call stack/.test(message)
        ? 'is nested too deeply'
        : `is not valid YAML: ${printable(message)}`;
      this.#refuse([], pos[0], rule, 'Correct the text at this line.');
    }
    if (directives.yaml.explicit === true && directives.yaml.version !== '1.2') {
      this.#refuse([], 0, 'asks for another version of YAML', 'Remove the %YAML line.');
    }
    if (contents !== null && !this.#unreadable) this.#walk(contents, []);
    return {
      value: this.#unreadable ? undefined : this.#value(),
      issues: this.#issues,
      empty:
        this.#issues.length === 0 && (contents === null || (isScalar(contents) && contents.value === null)),
      lineOf: (path) => this.#lineOf(path),
    };
  }

  #value(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: this.#limits.aliases * 4 });
    } catch {
      this.#refuse([], undefined, 'has aliases (*name) that refer to one another', 'Write the values out.');
      return undefined;
    }
  }

  #walk(node: ParsedNode | null, path: FieldPath): void {
    if (path.length > this.#limits.depth) {
      const rule = `is nested more than ${this.#limits.depth} levels deep`;
      this.#refuse(
        path.slice(0, 3),
        node?.range[0],
        rule,
        'Nothing in this API is nested that deep; see examples/.',
      );
    } else if (isAlias(node)) {
      this.#aliases += 1;
      if (this.#aliases === this.#limits.aliases + 1) {
        const rule = `has more than ${this.#limits.aliases} aliases (*name)`;
        this.#refuse([], node.range?.[0], rule, 'Write the values out.');
      } else if (this.#aliases <= this.#limits.aliases && node.resolve(this.#document) === undefined) {
        const rule = `is an alias (*${printable(node.source, 40)}) to nothing`;
        this.#refuse(path, node.range?.[0], rule, 'Write the value out.');
      }
    } else if (isMap(node)) {
      this.#walkMap(node, path);
    } else if (isSeq(node)) {
      node.items.forEach((item, index) => this.#walk(item, [...path, index]));
    } else if (isScalar(node)) {
      this.#checkNumber(node, path);
    }
  }

  #walkMap(map: { items: { key: ParsedNode; value: ParsedNode | null }[] }, path: FieldPath): void {
    const seen = new Set<string>();
    for (const { key, value } of map.items) {
      if (!isScalar(key) || typeof key.value !== 'string') {
        this.#refuse(
          path,
          key.range?.[0],
          'has a key that is not text',
          'Put the key in quotes if it is meant as a name.',
        );
        continue;
      }
      const here = [...path, key.value];
      if (seen.has(key.value)) {
        this.#refuse(here, key.range?.[0], 'is given twice', 'Keep one of the two.');
        continue;
      }
      seen.add(key.value);
      this.#walk(value, here);
    }
  }

  /** One spelling for each number: `0123` is 123 to us and 83 to YAML 1.1, `.nan` is no number to anybody. */
  #checkNumber(scalar: Scalar, path: FieldPath): void {
    if (typeof scalar.value !== 'number' || scalar.source === String(scalar.value)) return;
    this.#issues.push({
      path,
      ...this.#at(scalar.range?.[0]),
      value: printable(scalar.source ?? String(scalar.value)),
      message: 'must be a number in plain decimal digits, without leading zeros, exponent or other base',
      remedy: 'Write it in plain digits, or in quotes if it is meant as text.',
    });
  }

  #refuse(path: FieldPath, offset: number | undefined, message: string, remedy: string): void {
    this.#unreadable = true;
    if (this.#issues.length < 10) this.#issues.push({ path, ...this.#at(offset), message, remedy });
  }

  #at(offset: number | undefined): { line?: number } {
    return offset === undefined ? {} : { line: this.#lines.linePos(offset).line };
  }

  #lineOf(path: FieldPath): number | undefined {
    let node: unknown = this.#document.contents;
    let offset = isNode(node) ? node.range?.[0] : undefined;
    for (const step of path) {
      if (isAlias(node)) node = node.resolve(this.#document);
      if (isMap(node)) {
        const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
        if (pair === undefined) break;
        offset = (pair.key as Scalar).range?.[0] ?? offset;
        node = pair.value;
      } else if (isSeq(node) && typeof step === 'number') {
        node = node.items[step];
        offset = isNode(node) ? (node.range?.[0] ?? offset) : offset;
      } else break;
    }
    return this.#at(offset).line;
  }
}

function isNode(node: unknown): node is ParsedNode {
  return isMap(node) || isSeq(node) || isScalar(node) || isAlias(node);
}
