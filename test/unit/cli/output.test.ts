import { EventEmitter } from 'node:events';
import { expect, test } from '@jest/globals';
import { Output, type TextSink } from '../../../src/cli/terminal/output.ts';

class Sink extends EventEmitter implements TextSink {
  text = '';
  full = false;
  readonly isTTY: boolean;
  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }
  write(text: string): boolean {
    this.text += text;
    return !this.full;
  }
}

test.each([
  ['a terminal', true, {}, true],
  ['a pipe', false, {}, false],
  ['NO_COLOR', true, { NO_COLOR: '1' }, false],
  ['an empty NO_COLOR, which does not count', true, { NO_COLOR: '' }, true],
  ['a dumb terminal', true, { TERM: 'dumb' }, false],
])('colours for %s', (_, isTTY, environment, coloured) => {
  const output = new Output(new Sink(isTTY), new Sink(isTTY), environment);
  expect(output.paint('bad', 'drop') === '\u001b[31mdrop\u001b[39m').toBe(coloured);
});

test('results go to one stream, notes to the other', async () => {
  const [out, err] = [new Sink(false), new Sink(false)];
  const output = new Output(out, err, {});
  await output.json({ a: '\u009b' });
  await output.jsonLine([1]);
  output.note('remark');
  expect(out.text).toBe('{\n  "a": "\\u009b"\n}\n[1]\n');
  expect(err.text).toBe('remark\n');
});

test('waits for a slow reader', async () => {
  const out = new Sink(false);
  out.full = true;
  let done = false;
  const writing = new Output(out, new Sink(false), {}).text('x').then(() => (done = true));
  await Promise.resolve();
  expect(done).toBe(false);
  out.emit('drain');
  await writing;
  expect(done).toBe(true);
});
