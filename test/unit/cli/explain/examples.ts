import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventEmitter } from 'node:events';
import { runProgram } from '../../../../src/cli/program.ts';
import { Output, type TextSink } from '../../../../src/cli/terminal/output.ts';
import { systemClock } from '../../../../src/lib/clock.ts';
import { pcap } from '../frame-builder.ts';
import { ROOT } from '../vmnetctl.ts';

/*
 * The examples of docs/explain.md, run anew:
 *
 *     node test/unit/cli/explain/examples.ts > docs/explain.md.new && mv docs/explain.md.new docs/explain.md
 *
 * A block ```yaml NAME or ```hex NAME is a file; a block ```console begins with a command, and what follows is its output.
 */

const PAGE = join(ROOT, 'docs/explain.md');
const FILE = /^```(yaml|hex) (\S+)\n(.*?)^```$/gms;
const CONSOLE = /^```console\n(\$ (?:[^\n]*\\\n)*[^\n]*\n).*?^```$/gms;

/** Both halves of the output as a terminal shows them. */
class Terminal extends EventEmitter implements TextSink {
  text = '';

  write(text: string): boolean {
    this.text += text;
    return true;
  }
}

/** The page with every output as it is now. */
export async function withExamples(page: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'explain-page-'));
  try {
    for (const [, kind, name = '', text = ''] of page.matchAll(FILE))
      writeFileSync(join(folder, name), kind === 'hex' ? captureOf(text) : text);
    const outputs: string[] = [];
    for (const [, command = ''] of page.matchAll(CONSOLE)) outputs.push(await outputOf(command, folder));
    return page.replace(
      CONSOLE,
      (_, command: string) => `\`\`\`console\n${command}${outputs.shift() ?? ''}\`\`\``,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Frames with empty lines between them, a second apart. */
function captureOf(hex: string): Uint8Array {
  const frames = hex.split(/\n\s*\n/).map((lines) => Buffer.from(lines.replaceAll(/\s/g, ''), 'hex'));
  return pcap(frames.map((bytes, at) => ({ bytes, seconds: 1_767_225_600 + at, fraction: 0 })));
}

/** `$ vmnetctl …`, with `| sed -n NUMBERp | jq .` behind it or not. */
async function outputOf(command: string, folder: string): Promise<string> {
  const line = command.slice('$ vmnetctl '.length).replaceAll('\\\n', ' ');
  const [call = '', select, show] = line.split('|').map((part) => part.trim());
  const words = call.split(/\s+/).map((word) => (/\.(yaml|pcap)$/.test(word) ? join(folder, word) : word));
  const terminal = new Terminal();
  const write = (text: string): void => void terminal.write(text);
  const context = {
    output: new Output(terminal, terminal, {}),
    environment: {},
    clock: systemClock,
    signal: new AbortController().signal,
    outliveReaders: () => undefined,
  };
  await runProgram(words, context, { write, writeError: write });
  const number = Number(/^sed -n (\d+)p$/.exec(select ?? '')?.[1] ?? 0);
  if (number === 0 || show !== 'jq .') return terminal.text;
  return `${JSON.stringify(JSON.parse(terminal.text.split('\n')[number - 1] ?? ''), null, 2)}\n`;
}

export async function explainPage(): Promise<{ written: string; rendered: string }> {
  const written = readFileSync(PAGE, 'utf8');
  return { written, rendered: await withExamples(written) };
}

if (import.meta.main) process.stdout.write((await explainPage()).rendered);
