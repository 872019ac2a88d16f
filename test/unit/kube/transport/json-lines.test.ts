import { describe, expect, test } from '@jest/globals';
import { jsonLines } from '../../../../src/kube/transport/json-lines.ts';

const LIMIT = 200;

async function* streamOf(...chunks: Buffer[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield chunk;
}

async function valuesOf(...chunks: (Buffer | string)[]): Promise<unknown[]> {
  const values: unknown[] = [];
  const stream = streamOf(...chunks.map((chunk) => Buffer.from(chunk)));
  for await (const value of jsonLines(stream, LIMIT)) values.push(value);
  return values;
}

describe('lines of JSON', () => {
  const values = [{ a: 1 }, { name: 'Ümläut 🙂', deep: { x: [1, 2] } }, { b: 'line\nbreak' }];
  const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));

  test('cut at any byte, they are the same', async () => {
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(await valuesOf(bytes.subarray(0, cut), bytes.subarray(cut))).toEqual(values);
    }
  });

  test('byte by byte, they are the same', async () => {
    expect(await valuesOf(...[...bytes].map((byte) => Buffer.from([byte])))).toEqual(values);
  });

  test('blank lines and CRLF are no values', async () => {
    expect(await valuesOf('\n\r\n  \n{"a":1}\r\n\n')).toEqual([{ a: 1 }]);
  });

  test('what is no JSON is told as unreadable, after what came before it', async () => {
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const value of jsonLines(streamOf(Buffer.from('{"a":1}\n<html>\n')), LIMIT))
        seen.push(value);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'BAD_RESPONSE' });
    expect(seen).toEqual([{ a: 1 }]);
  });

  test('a stream that ends within a line is told as unreadable', async () => {
    await expect(valuesOf('{"a":1}\n{"b":')).rejects.toMatchObject({ code: 'BAD_RESPONSE' });
  });

  test('a line as long as the limit passes, one byte more does not', async () => {
    const line = JSON.stringify('x'.repeat(LIMIT - 2));
    expect(await valuesOf(line, '\n')).toHaveLength(1);
    expect(await valuesOf(`${line}\n${line}\n`)).toHaveLength(2);
    const longer = JSON.stringify('x'.repeat(LIMIT - 1));
    await expect(valuesOf(`${longer}\n`)).rejects.toMatchObject({ code: 'TOO_LARGE' });
    await expect(valuesOf(longer.slice(0, 10), `${longer.slice(10)}\n`)).rejects.toMatchObject({
      code: 'TOO_LARGE',
    });
  });

  test('a line without an end is given up at the limit, not at the end of memory', async () => {
    let sent = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      while (true) {
        sent += 10;
        yield Buffer.alloc(10, 'x');
      }
    }
    await expect(jsonLines(endless(), LIMIT).next()).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect(sent).toBeLessThanOrEqual(LIMIT + 10);
  });
});
