import { pino } from 'pino';
import type { DestinationStream, Logger as PinoLogger } from 'pino';

/** JSON lines, one object an event. The first argument holds the fields, the second the message. */
export type Logger = PinoLogger;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields that never reach a log, down to the depth at which our objects nest anything. */
const SECRET_FIELDS = ['presharedKey', 'privateKey', 'psk', 'token', 'password', 'stringData'] as const;

/** pino's wildcard is one level deep, so each depth is spelt out. */
const DEPTHS = ['', '*.', '*.*.', '*.*.*.'] as const;

export interface LogOptions {
  readonly level?: LogLevel;
  /** `name` field of each line, for example `vmnet-agent`. */
  readonly name?: string;
  /** Where lines go; standard output unless given. No worker transports: a crash must not lose its last lines. */
  readonly destination?: DestinationStream;
}

/** A logger that writes JSON to standard output, synchronously, with ISO timestamps, level names and secrets removed. */
export function createLogger(options: LogOptions = {}): Logger {
  const paths = DEPTHS.flatMap((depth) => SECRET_FIELDS.map((field) => depth + field));
  return pino(
    {
      ...(options.name === undefined ? {} : { name: options.name }),
      level: options.level ?? 'info',
      base: {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths, censor: '[redacted]' },
      serializers: { err: pino.stdSerializers.err },
    },
    options.destination ?? pino.destination({ dest: 1, sync: true }),
  );
}

/** Narrows a command-line value. */
export function isLogLevel(value: string): value is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(value);
}
